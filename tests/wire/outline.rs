//! What is told of a message without unpacking its records is what the message says.

use peer_exchange::wire::{self, Carries, Decoded, Message, Outline, Shows};

use crate::golden::{GOLDEN, golden};

fn records(message: &Message) -> usize {
    match message {
        Message::Request(m) => m.records.len(),
        Message::Response(m) => m.records.len(),
        Message::Update(m) => m.records.len() + m.news.as_ref().map_or(0, |n| n.records.len()),
        _ => 0,
    }
}

fn carries(message: &Message) -> Carries {
    match message {
        Message::Request(m) if m.is_fetch() => Carries::Names,
        Message::Request(m) => match m.shows {
            Shows::Filter(_) => Carries::Filter,
            Shows::Sketch(_) => Carries::Sketch,
            Shows::All | Shows::Partial => Carries::Nothing,
        },
        Message::Response(m) if !m.nodes.is_empty() => Carries::Names,
        Message::Update(m) if m.news.is_some() => Carries::News,
        _ => Carries::Nothing,
    }
}

fn walks(message: &Message) -> bool {
    matches!(message, Message::Request(m) if m.walk.is_some())
}

#[test]
fn an_outline_says_what_the_message_does() {
    let lines = GOLDEN.lines().filter(|line| !line.starts_with('#'));
    let names = lines.filter_map(|line| line.split(' ').next());
    let mut seen = Vec::new();
    for name in names.filter(|name| !name.is_empty()) {
        let bytes = golden(name);
        let Ok(Decoded::Message(message)) = wire::decode(bytes.clone()) else {
            continue;
        };
        let outline = Outline {
            kind: message.kind(),
            records: records(&message),
            carries: carries(&message),
            walks: walks(&message),
        };
        assert_eq!(Outline::of(&bytes), Some(outline), "{name}");
        seen.push(outline);
    }
    assert!(seen.iter().any(|o| o.records > 1));
    for carries in [
        Carries::Nothing,
        Carries::Filter,
        Carries::Sketch,
        Carries::Names,
        Carries::News,
    ] {
        assert!(seen.iter().any(|o| o.carries == carries), "{carries:?}");
    }
    assert!(seen.iter().any(|o| o.walks));
    assert_eq!(Outline::of(&[0xff][..].to_vec().into()), None);
}
