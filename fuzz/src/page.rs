//! The target `page`.

use peer_exchange::wire::{self, Message};

use super::field::alone;

/// What a page may come to: a record is at least 28 bytes in it, and in four addresses of a common
/// form at most 116 more than the page says of them, metadata and signatures beside.
const EXPANDED: usize = 6;

/// Any bytes as a page of records: what is one is the only form of these records, and comes to no
/// more than a few times its bytes.
pub fn page(data: &[u8]) {
    let Some((bytes, message)) = alone(4, &[], 2, data) else {
        return;
    };
    let Message::Update(update) = &message else {
        panic!("an update: {message:?}")
    };
    let records = &update.records;
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
