//! Whether records are signed: as a key of the configuration, and as a flag.

use clap::ValueEnum;
use serde::Deserialize;

/// Whether records are signed by their nodes.
#[derive(Deserialize, ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Signing {
    /// They are not: members trust each other's relays
    Off,
    /// They are, and unsigned ones are taken too: for changing over
    Accept,
    /// They are, and what is not signed is refused
    #[default]
    Require,
}

impl From<Signing> for peer_exchange::Signing {
    fn from(signing: Signing) -> Self {
        match signing {
            Signing::Off => Self::Off,
            Signing::Accept => Self::Accept,
            Signing::Require => Self::Require,
        }
    }
}
