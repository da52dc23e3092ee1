//! The target `page`.

use bytes::Bytes;
use peer_exchange::contract;
use peer_exchange::wire::{self, Content, Decoded, Message};

/// What a page may come to: a record is at least 28 bytes in it, and in four addresses of a common
/// form at most 116 more than the page says of them, metadata and signatures beside.
const EXPANDED: usize = 6;

/// Any bytes as a page of records: what is one is the only form of these records, and comes to no
/// more than a few times its bytes.
pub fn page(data: &[u8]) {
    let Some(bytes) = update(data) else { return };
    let Ok(Decoded::Message(message)) = wire::decode(bytes.clone()) else {
        return;
    };
    let Message::Update(update) = &message else {
        panic!("an update: {message:?}")
    };
    let Some(Content::Records(records)) = update.delta.as_ref().map(|d| &d.content) else {
        panic!("records: {message:?}")
    };
    assert!(records.len() <= data.len() / 28);
    let bodies: usize = records.iter().map(|r| r.body.len()).sum();
    assert!(
        bodies <= EXPANDED * data.len(),
        "{bodies} of {}",
        data.len()
    );
    assert!(records.iter().is_sorted_by(|a, b| a.node < b.node));
    assert_eq!(wire::encode(message), bytes, "another form");
}

/// The update with this page and nothing else.
fn update(page: &[u8]) -> Option<Bytes> {
    let mut delta = vec![3 << 3 | 2];
    put(page, &mut delta);
    let mut update = vec![3 << 3 | 2];
    put(&delta, &mut update);
    let mut envelope = vec![5 << 3 | 2];
    put(&update, &mut envelope);
    (envelope.len() <= contract::MESSAGE_BYTES).then_some(envelope.into())
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    let mut len = bytes.len();
    while len >= 0x80 {
        out.push(len as u8 | 0x80);
        len >>= 7;
    }
    out.push(len as u8);
    out.extend_from_slice(bytes);
}
