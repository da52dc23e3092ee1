//! The first version 1 talks with the current one, in the middle of a rolling upgrade: its recorded
//! bytes go in, and what comes out is understood by a reader that knows version 1 alone.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::{Config, Effect, Event, Input, Instant, LinkId, Node};

use crate::golden::golden;
use crate::page1::Record;
use crate::support::build::*;
use crate::support::rig::{SEED, config, identity};
use crate::version1::{Envelope, Fields};

const LINK: LinkId = LinkId::new(1);
/// The ID of the recorded request and response.
const WALK: u32 = 0x1122_3344;

/// The current node, with one link to a node of the first version 1.
struct Mixed {
    node: Node,
    now: Instant,
    said: Vec<Bytes>,
    closed: bool,
    blamed: Vec<Event>,
}

impl Mixed {
    /// Both have said Hello: the old one this.
    fn after(config: Config, hello: Bytes) -> Self {
        let node = Node::new(config, identity(1), SEED, Instant::ZERO).unwrap();
        let mut mixed = Self {
            now: node.now(),
            node,
            said: Vec::new(),
            closed: false,
            blamed: Vec::new(),
        };
        let remote = address(3).socket_addr();
        mixed.input(Input::LinkUp {
            link: LINK,
            node: id(3),
            remote,
            dial: None,
        });
        let said = mixed.hears(hello);
        let greeting = only(&said, 1).content;
        // Absent: 1, and the same.
        assert_eq!((greeting.varint(1), greeting.varint(2)), (0, 0));
        mixed
    }

    fn input(&mut self, input: Input) {
        self.node.handle(self.now, input).unwrap();
        loop {
            match self.node.poll() {
                Effect::Send { link, bytes } => {
                    assert_eq!(link, LINK);
                    self.said.push(bytes);
                    self.node.handle(self.now, Input::Sent { link }).unwrap();
                }
                Effect::Close { .. } => self.closed = true,
                Effect::Dial { dial, .. } => {
                    self.node
                        .handle(self.now, Input::DialFailed { dial })
                        .unwrap();
                }
                Effect::Event(event @ Event::Blamed { .. }) => self.blamed.push(event),
                Effect::Event(_) => {}
                Effect::WaitUntil(_) => break,
            }
        }
    }

    /// What it says to this message, and up to then.
    fn hears(&mut self, bytes: Bytes) -> Vec<Bytes> {
        self.input(Input::Message { link: LINK, bytes });
        self.takes()
    }

    /// What it has said, each message understood by version 1.
    fn takes(&mut self) -> Vec<Bytes> {
        let said = std::mem::take(&mut self.said);
        for bytes in &said {
            assert!(
                Envelope::read(bytes).is_some(),
                "not of version 1: {bytes:?}"
            );
        }
        said
    }

    /// Answers what it asks, with nothing new, until it asks no more. (When both ask at once, the
    /// smaller ID's request proceeds, R14: here its own.)
    fn satisfy(&mut self, mut said: Vec<Bytes>) {
        for _ in 0..20 {
            let asked: Vec<_> = of_kind(&said, 2)
                .iter()
                .map(|request| request.content.fixed32(1))
                .collect();
            said = Vec::new();
            for number in asked {
                let mut content = vec![1 << 3 | 5];
                content.extend(number.to_le_bytes());
                varint_field(3, 1, &mut content);
                said.extend(self.hears(envelope(3, &content)));
            }
        }
    }

    /// What it says within this time.
    fn says_within(&mut self, time: Duration) -> Vec<Bytes> {
        self.now = self.now + time;
        self.input(Input::Wake);
        self.takes()
    }

    /// Nothing was unknown to it, and nobody is to blame.
    fn assert_at_ease(&self) {
        assert_eq!(self.node.stats().unknown_messages, 0);
        assert_eq!(self.blamed, []);
    }
}

/// Its messages of this kind.
fn of_kind(said: &[Bytes], kind: u64) -> Vec<Envelope<'_>> {
    let read = said.iter().filter_map(|bytes| Envelope::read(bytes));
    read.filter(|message| message.kind == kind).collect()
}

fn only(said: &[Bytes], kind: u64) -> Envelope<'_> {
    let mut found = of_kind(said, kind);
    assert_eq!(found.len(), 1, "messages of kind {kind} in {said:?}");
    found.remove(0)
}

/// The least that a Hello says: an epoch.
fn first_hello() -> Bytes {
    let mut content = vec![4 << 3 | 5];
    content.extend(7u32.to_le_bytes());
    envelope(1, &content)
}

fn envelope(kind: u32, content: &[u8]) -> Bytes {
    let mut out = Vec::new();
    bytes_field(kind, content, &mut out);
    out.into()
}

/// Both Hellos that version 1 may have said; the recorded one declares what it does not know.
fn hellos() -> [Bytes; 2] {
    [first_hello(), golden("hello")]
}

/// A first request of version 1: an ID, a hop limit, and an empty table.
fn first_request(number: u32) -> Bytes {
    let mut content = vec![1 << 3 | 5];
    content.extend(number.to_le_bytes());
    varint_field(3, 16, &mut content);
    envelope(2, &content)
}

/// The recorded request as one that nobody has forwarded.
fn recorded_pull() -> Bytes {
    let recorded = golden("request");
    let content = Fields::read(&recorded).expect("an envelope");
    envelope(2, &Fields::without(content.bytes(2), &[13]))
}

/// The recorded response as an answer to this request.
fn response_to(number: u32) -> Bytes {
    let recorded = golden("response").to_vec();
    let old = WALK.to_le_bytes();
    let at = recorded.windows(4).position(|w| w == old).unwrap();
    let mut out = recorded;
    out[at..at + 4].copy_from_slice(&number.to_le_bytes());
    out.into()
}

/// Its records, asked for, as version 1 reads them.
fn learn(mixed: &mut Mixed) -> Vec<(Vec<u8>, Vec<u8>)> {
    let owned = |r: Record| {
        assert!(r.version > 0 && r.remaining_s > 0 && r.beat < u64::MAX);
        (r.node, r.body)
    };
    let said = mixed.hears(first_request(5));
    let answer = only(&said, 3);
    assert_eq!(answer.content.fixed32(1), 5);
    let records = answer.content.page(4).expect("what it has not seen");
    records.into_iter().map(owned).collect()
}

#[test]
fn a_recorded_request_is_answered_at_once() {
    for hello in hellos() {
        let mut mixed = Mixed::after(Config::default(), hello);
        let said = mixed.hears(golden("fetch"));
        assert_eq!(only(&said, 3).content.fixed32(1), WALK);
        let said = mixed.hears(recorded_pull());
        let answer = only(&said, 3);
        assert_eq!(answer.content.fixed32(1), WALK);
        // What was pushed with it was taken in: two peers that live. That a third has left is said
        // at a version that nobody believes (R51).
        let known: Vec<_> = mixed.node.peers().map(|p| p.node).collect();
        assert_eq!(known, [id(7), id(8)]);
        assert_eq!(answer.content.varint(2), 3, "its own record and the two");
        mixed.assert_at_ease();
    }
}

#[test]
fn version_1_learns_what_it_does_not_know() {
    for hello in hellos() {
        let mut mixed = Mixed::after(Config::default(), hello);
        let records = learn(&mut mixed);
        assert_eq!(records, [(id(1).as_bytes().to_vec(), body_of(1))]);
        // The recorded request brings two more, and the bodies come back as they went in.
        let said = mixed.hears(recorded_pull());
        mixed.satisfy(said);
        let records = learn(&mut mixed);
        let body = |n: u32| {
            let node = id(n).as_bytes().to_vec();
            records.iter().find(|r| r.0 == node).map(|r| &r.1)
        };
        assert_eq!(body(8), Some(&body_of(8)));
        let signed = body(7).expect("node 7");
        let fields = Fields::read(signed).expect("a body");
        assert_eq!(fields.bytes(15), [0xee; 64], "the unchecked signature");
        mixed.assert_at_ease();
    }
}

#[test]
fn version_1_answers_what_it_is_asked() {
    for hello in hellos() {
        let mut mixed = Mixed::after(Config::default(), hello);
        let mut said = mixed.hears(golden("beat"));
        while of_kind(&said, 2).is_empty() {
            said = mixed.says_within(Duration::from_millis(200));
        }
        let request = only(&said, 2).content;
        assert!(request.varint(3) <= 64, "a hop limit");
        assert_eq!(request.varint(4), 1, "itself alone");
        let shown = request.page(6).expect("its record");
        assert_eq!(shown.len(), 1);
        mixed.hears(response_to(request.fixed32(1)));
        assert!(mixed.node.peer(&id(7)).is_some());
        assert_eq!(mixed.node.stats().responses_received, 1);
        mixed.assert_at_ease();
    }
}

/// The filter, the sketch and the state of version 1 are answered, with what their sender lacks.
#[test]
fn however_version_1_shows_its_table_it_is_answered() {
    for (line, tells) in [
        ("filter", true),
        ("sketch", false),
        ("partial", true),
        ("brief", false),
    ] {
        let mut mixed = Mixed::after(Config::default(), first_hello());
        let said = mixed.hears(golden(line));
        let answer = only(&said, 3).content;
        assert_eq!(answer.fixed32(1), WALK, "{line}");
        let records = answer.page(4).unwrap_or_default();
        let named = !answer.bytes(9).is_empty();
        assert_eq!(!records.is_empty() || named, tells, "{line}");
        mixed.assert_at_ease();
    }
}

#[test]
fn version_1_says_goodbye_and_is_told_goodbye() {
    let mut mixed = Mixed::after(config(|_| {}), first_hello());
    mixed.hears(golden("goodbye"));
    assert!(mixed.closed, "it stops, and will come back");
    mixed.assert_at_ease();

    let mut mixed = Mixed::after(config(|_| {}), first_hello());
    mixed.input(Input::Leave);
    let said = mixed.takes();
    assert_eq!(only(&said, 5).content.varint(1), 1, "it leaves");
}

#[test]
fn what_is_not_of_version_1_is_not_read_as_such() {
    assert!(Envelope::read(&[0x42, 0]).is_none(), "an eighth kind");
    assert!(Fields::read(&[0x0a, 5, 1]).is_none(), "cut short");
}
