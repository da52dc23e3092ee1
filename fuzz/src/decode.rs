//! The target `decode`.

use bytes::Bytes;
use peer_exchange::Multiaddr;
use peer_exchange::contract;
use peer_exchange::wire::{self, Content, Decoded, Message, Records};

/// By how much the canonical form may be longer than what was received: a head that was absent
/// (2 bytes), and up to 13 columns that came unpacked with one value (1 byte each), with the
/// lengths of what encloses them. Everything else only shrinks.
const GROWTH: usize = 64;

/// Any bytes through the decoder: no panic, and what is a message has a canonical form that
/// decodes to the same message and encodes to the same bytes.
pub fn decode(data: &[u8]) {
    if let Ok(address) = Multiaddr::from_bytes(Bytes::copy_from_slice(data)) {
        check_address(&address);
    }
    let bytes = Bytes::copy_from_slice(data);
    let Ok(Decoded::Message(message)) = wire::decode(bytes) else {
        return;
    };
    assert!(data.len() <= contract::MESSAGE_BYTES, "longer than the cap");
    check_columns(&message);
    let again = wire::encode(message.clone());
    assert!(
        again.len() <= data.len() + GROWTH,
        "{} bytes became {}",
        data.len(),
        again.len()
    );
    if again.len() > contract::MESSAGE_BYTES {
        return;
    }
    let decoded = wire::decode(again.clone());
    assert_eq!(decoded, Ok(Decoded::Message(message.clone())));
    assert_eq!(wire::encode(message), again, "the canonical form is stable");
}

fn check_address(address: &Multiaddr) {
    let text = address.to_string();
    if let Some(socket) = address.socket_addr() {
        assert!(text.contains(&socket.ip().to_string()), "{text}: {socket}");
    }
    // What the text form cannot write is shown as `/0x…`, which is not read back.
    if !text.contains("/0x") {
        let read: Result<Multiaddr, _> = text.parse();
        assert_eq!(read.map(|a| a.to_string()), Ok(text));
    }
}

/// Every column has as many values as its page has rows.
fn check_columns(message: &Message) {
    match message {
        Message::Request(m) => {
            m.push.iter().for_each(|d| check_content(&d.content));
            if let Some(want) = &m.want {
                assert_eq!(want.iter().count(), want.len());
            }
        }
        Message::Response(m) => {
            m.delta.iter().for_each(|d| check_content(&d.content));
            m.busy.iter().for_each(|(_, sample)| check_records(sample));
            check_records(&m.renewed);
            assert_eq!(m.refusals.iter().count(), m.refusals.len());
        }
        Message::Update(m) => {
            m.delta.iter().for_each(|d| check_content(&d.content));
            m.news.iter().for_each(|n| check_records(&n.records));
            let accused = m.news.iter().map(|n| n.accusations.len()).sum::<usize>();
            assert!(accused <= contract::ACCUSATIONS);
            assert_eq!(m.refusals.iter().count(), m.refusals.len());
        }
        Message::Hello(_)
        | Message::Goodbye(_)
        | Message::Beat(_)
        | Message::Ask(_)
        | Message::DialBack(_) => {}
    }
}

fn check_content(content: &Content) {
    match content {
        Content::Empty => {}
        Content::Records(records) => check_records(records),
        Content::Announced(ids) => assert_eq!(ids.iter().count(), ids.len()),
        Content::Nodes(nodes) => assert_eq!(nodes.iter().count(), nodes.len()),
        Content::Sketch(sketch) => {
            assert!(sketch.parts() > 0 && (1..=14).contains(&sketch.capacity()));
        }
    }
}

fn check_records(records: &Records) {
    assert_eq!(records.iter().count(), records.len());
}
