//! The targets `filter` and `picks`.

use peer_exchange::wire::{self, Filter, Message, Shows};

use super::field::alone;

/// Any bytes as the filter of a request, whose ID are the first four: what is one has no other
/// form, and comes to no more than three times its bytes (13 bits become 32).
pub fn filter(data: &[u8]) {
    let Some((id, filter)) = data.split_at_checked(4) else {
        return;
    };
    let before = [&[1 << 3 | 5], id].concat();
    let Some((bytes, message)) = alone(2, &before, 7, filter) else {
        return;
    };
    let Message::Request(request) = &message else {
        panic!("a request: {message:?}")
    };
    let Shows::Filter(shown) = &request.shows else {
        panic!("a filter: {request:?}")
    };
    assert!(shown.len() <= Filter::MOST);
    assert!(13 * shown.len() <= 8 * filter.len());
    // An ID of zero is written as none.
    if id != [0; 4] {
        assert_eq!(wire::encode(message), bytes, "another form");
    }
}

/// Any bytes as what a response wants: what is a list of places ascends, is as long as it says, and
/// has a form that reads as the same.
pub fn picks(data: &[u8]) {
    let before = [&[1 << 3 | 5][..], &[1; 4]].concat();
    let Some((bytes, message)) = alone(3, &before, 5, data) else {
        return;
    };
    let Message::Response(response) = &message else {
        panic!("a response: {message:?}")
    };
    let wants = &response.wants;
    assert!(wants.len() <= Filter::MOST.min(8 * data.len()));
    assert_eq!(wants.iter().count(), wants.len());
    assert!(wants.iter().is_sorted_by(|a, b| a < b));
    let again = wire::encode(message.clone());
    assert!(
        again.len() <= 2 * bytes.len() + 4,
        "{} of {}",
        again.len(),
        bytes.len()
    );
    assert_eq!(
        wire::decode(again),
        Ok(wire::Decoded::Message(message)),
        "it reads as another"
    );
}
