//! The target `round_trip`.

use peer_exchange::NodeId;
use peer_exchange::contract;
use peer_exchange::wire::{self, DecodeError, Decoded};

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
        let length = bytes.len();
        let decoded = wire::decode(bytes);
        // Each part may be as long as it can be; together they can be too long, and no node sends
        // that (the target `node_ops` asserts it).
        if length > contract::MESSAGE_BYTES {
            assert_eq!(decoded, Err(DecodeError::TooLong(length)));
        } else {
            assert_eq!(decoded, Ok(Decoded::Message(message)));
        }
    }
}
