//! One field of a message and nothing else, for the targets of its decoder.

use bytes::Bytes;
use peer_exchange::contract;
use peer_exchange::wire::{self, Decoded, Message};

/// A kind of message with this field alone, after the bytes `before`; the message, if it is one.
///
/// An empty field is none, and left out.
pub fn alone(kind: u8, before: &[u8], field: u8, bytes: &[u8]) -> Option<(Bytes, Message)> {
    if bytes.is_empty() {
        return None;
    }
    let mut body = before.to_vec();
    put(field, bytes, &mut body);
    let mut envelope = Vec::new();
    put(kind, &body, &mut envelope);
    if envelope.len() > contract::MESSAGE_BYTES {
        return None;
    }
    let envelope = Bytes::from(envelope);
    match wire::decode(envelope.clone()) {
        Ok(Decoded::Message(message)) => Some((envelope, message)),
        _ => None,
    }
}

fn put(field: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    let mut len = bytes.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(bytes);
}
