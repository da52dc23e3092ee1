//! What comes by a datagram (R31).

use super::*;
use crate::driver::link::Report;
use crate::id::LinkId;
use crate::wire::{Ask, Beat, Message, encode};

/// What a link reports to whom these come, those marked by a datagram.
async fn reported(arrive: Vec<(bool, Bytes)>) -> Vec<Bytes> {
    let link = Link::new(id(9), None, |inbox, _| async move {
        for (by_datagram, message) in arrive {
            let taken = if by_datagram {
                inbox.deliver_datagram(message).await
            } else {
                inbox.deliver(message).await
            };
            assert!(taken);
        }
        LinkEnd::Orderly
    });
    let (_queue, queued) = mpsc::channel(1);
    let (sender, mut reports) = mpsc::channel(64);
    link.run(LinkId::new(1), sender, queued).await;
    let mut messages = Vec::new();
    while let Some(report) = reports.recv().await {
        if let Report::Message(_, message) = report {
            messages.push(message);
        }
    }
    messages
}

/// A link begins with the first message of its stream, and signs of life alone may overtake others.
#[tokio::test]
async fn a_datagram_is_a_sign_of_life_on_a_link_that_has_begun() {
    let beat = encode(Message::Beat(Beat::new(None)));
    let ask = encode(Message::Ask(Ask {
        watch: true,
        ..Ask::default()
    }));
    let other = Bytes::from_static(b"\x0a\x00");
    let arrive = vec![
        (true, beat.clone()),
        (false, other.clone()),
        (true, other.clone()),
        (true, Bytes::new()),
        (true, ask.clone()),
        (true, beat.clone()),
    ];
    assert_eq!(reported(arrive).await, [other, ask, beat]);
}
