//! The target `round_trip`.

use peer_exchange::NodeId;
use peer_exchange::contract;
use peer_exchange::wire::{self, Decoded};

use super::messages::message;
use super::parts::Cast;
use super::source::Source;

/// Any message to bytes and back.
pub fn round_trip(data: &[u8]) {
    let mut source = Source::new(data);
    let cast = Cast::new([NodeId::new([0x40; 32]), NodeId::new([0x80; 32])]);
    while !source.is_empty() {
        let message = message(&mut source, &cast);
        let bytes = wire::encode(message.clone());
        assert!(
            bytes.len() <= contract::MESSAGE_BYTES,
            "{} bytes",
            bytes.len()
        );
        let decoded = wire::decode(bytes);
        assert_eq!(decoded, Ok(Decoded::Message(message)));
    }
}
