//! The identity of a libp2p service.

use std::fmt;
use std::str::FromStr;

/// A libp2p peer ID: a multihash of a public key, written in base58
/// ([libp2p specs, peer-ids](https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md)).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PeerId(Vec<u8>);

/// A key of up to 42 bytes stands for itself.
const IDENTITY: u8 = 0x00;
const LONGEST_KEY: usize = 42;
/// A longer one is hashed.
const SHA2_256: u8 = 0x12;

impl PeerId {
    /// The ID with this multihash, if it is one.
    pub(crate) fn from_multihash(bytes: &[u8]) -> Option<Self> {
        let (code, length, digest) = match bytes {
            [code, length, digest @ ..] => (*code, usize::from(*length), digest),
            _ => return None,
        };
        let right = match code {
            IDENTITY => (1..=LONGEST_KEY).contains(&length),
            SHA2_256 => length == 32,
            _ => false,
        };
        (right && digest.len() == length).then(|| Self(bytes.to_vec()))
    }

    pub(crate) fn multihash(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for PeerId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The longest has 44 bytes; of a longer text nothing is decoded.
        let bytes = (text.len() <= 64).then(|| bs58::decode(text).into_vec().ok());
        bytes
            .flatten()
            .and_then(|bytes| Self::from_multihash(&bytes))
            .ok_or_else(|| {
                let shown: String = text.chars().take(80).collect();
                format!("{shown:?} is no libp2p peer ID; expected one such as 12D3KooW…")
            })
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(&self.0).into_string())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_both_kinds_read_as_written() {
        // From the specification: an Ed25519 key itself, and the hash of an RSA key.
        for text in [
            "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA",
            "QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N",
        ] {
            let id: PeerId = text.parse().unwrap();
            assert_eq!(id.to_string(), text);
        }
    }

    #[test]
    fn others_are_refused() {
        let long = "1".repeat(1000);
        for text in ["", "1", "12D3KooW", "0OIl", "server1", &long] {
            assert!(text.parse::<PeerId>().is_err(), "{text}");
        }
        assert_eq!(PeerId::from_multihash(&[0, 0]), None);
        assert_eq!(PeerId::from_multihash(&[0, 2, 1]), None);
        assert_eq!(PeerId::from_multihash(&[0x13, 1, 1]), None);
    }
}
