//! Node IDs and addresses in files of the embedder's, in their text form (feature `serde`).

use alloc::string::String;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::addr::Multiaddr;
use crate::id::NodeId;

macro_rules! as_text {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(D::Error::custom)
            }
        }
    };
}

as_text!(NodeId);
as_text!(Multiaddr);

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, StrDeserializer};

    fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Error> {
        let from: StrDeserializer<'de, Error> = text.into_deserializer();
        T::deserialize(from)
    }

    #[test]
    fn texts_are_read_and_nonsense_is_refused_with_what_is_wrong() {
        let address: Multiaddr = read("/ip4/10.0.0.1/tcp/7000").unwrap();
        assert_eq!(address, Multiaddr::tcp(([10, 0, 0, 1], 7000).into()));
        let id: NodeId = read(&"5a".repeat(32)).unwrap();
        assert_eq!(id, NodeId::new([0x5a; 32]));
        let error = read::<NodeId>("5a").unwrap_err();
        assert!(alloc::format!("{error}").contains("64 hexadecimal digits"));
    }
}
