//! Announcers that would hold the lane of fetches: there is one, and it is shared (R27).

use peer_exchange::LinkId;
use peer_exchange::wire::{Content, Delta, Message, Request, Response, Update};

use crate::support::build::*;
use crate::support::rig::{Rig, config};

/// A node, and another that has all the records which are announced to it.
struct Stage {
    rig: Rig,
    source: Rig,
    asks: LinkId,
}

/// Too many for one page.
const RECORDS: u32 = 1_200;

impl Stage {
    fn new() -> Self {
        let mut source = Rig::new(2, config(|_| {}));
        let filler = source.link(9);
        let records: Vec<_> = (0..RECORDS).map(|n| rec(10_000 + n)).collect();
        for page in records.chunks(600) {
            source.message(filler, rumour(page));
        }
        let asks = source.link(1);
        Self {
            rig: Rig::new(1, config(|_| {})),
            source,
            asks,
        }
    }

    /// A neighbour that announces all that the source has.
    fn announcer(&mut self, n: u32) -> LinkId {
        let mut asked = request(u64::from(n));
        asked.digest.count = 100;
        asked.digest.fingerprint = 1;
        let announced = self.source.ask(self.asks, asked).delta.unwrap();
        assert!(matches!(announced.content, Content::Announced(_)));
        let link = self.rig.link(n);
        self.rig.take(link);
        let update = Update {
            delta: Some(announced),
            ..Update::default()
        };
        self.rig.message(link, Message::Update(update));
        link
    }

    /// What is fetched over this link now.
    fn fetch(&mut self, link: LinkId) -> Option<Request> {
        let asked = self.rig.take_requests(link);
        asked.into_iter().find(|r| r.want.is_some())
    }

    /// Answers a fetch with the first few of the records.
    fn give(&mut self, link: LinkId, fetch: Request, most: usize) -> usize {
        let id = fetch.id;
        let answer = self.source.ask(self.asks, fetch);
        let Some(Content::Records(all)) = answer.delta.map(|d| d.content) else {
            panic!("a page of records");
        };
        let few: Vec<_> = all
            .iter()
            .take(most)
            .map(|r| Rec {
                node: r.node,
                sequence: r.sequence,
                remaining_s: r.remaining_s,
                body: r.body.to_vec(),
                signature: r.signature.copied(),
            })
            .collect();
        let given = Response {
            delta: Some(Delta {
                content: Content::Records(page(&few)),
                ..Delta::default()
            }),
            ..response(id)
        };
        self.rig.message(link, Message::Response(given));
        few.len()
    }
}

#[test]
fn one_record_a_round_trip_ends_a_fetch() {
    let mut stage = Stage::new();
    let drips = stage.announcer(3);
    let honest = stage.announcer(4);
    let fetch = stage.fetch(drips).expect("the first is fetched first");
    assert!(stage.fetch(honest).is_none(), "one at a time");
    stage.give(drips, fetch, 1);
    assert!(stage.fetch(drips).is_none(), "it has no more, as it seems");
    let fetch = stage.fetch(honest).expect("the next one's turn");
    stage.give(honest, fetch, usize::MAX);
    assert!(stage.rig.node.peer_count() > 1_000);
}

#[test]
fn pages_are_fetched_in_turns() {
    let mut stage = Stage::new();
    let slow = stage.announcer(3);
    let honest = stage.announcer(4);
    let fetch = stage.fetch(slow).unwrap();
    stage.give(slow, fetch, 300);
    assert_eq!(stage.rig.node.peer_count(), 300);
    let fetch = stage.fetch(honest).expect("the other's turn");
    assert!(stage.fetch(slow).is_none());
    stage.give(honest, fetch, usize::MAX);
    // Whatever is left is fetched too, and nothing of it twice.
    for _ in 0..4 {
        for link in [slow, honest] {
            if let Some(fetch) = stage.fetch(link) {
                stage.give(link, fetch, usize::MAX);
            }
        }
    }
    // And the source itself.
    assert_eq!(stage.rig.node.peer_count(), RECORDS as usize + 1);
    assert_eq!(stage.rig.node.stats().records_known, 0);
}

#[test]
fn one_announcer_does_not_fill_the_queue() {
    let mut stage = Stage::new();
    let greedy = stage.announcer(3);
    for _ in 0..20 {
        let mut asked = request(77);
        asked.digest.count = 100;
        let delta = stage.source.ask(stage.asks, asked).delta;
        let update = Update {
            delta,
            ..Update::default()
        };
        stage.rig.message(greedy, Message::Update(update));
    }
    let honest = stage.announcer(4);
    // The greedy one answers nothing; its turns run out.
    for _ in 0..1_000 {
        stage.rig.pass(core::time::Duration::from_millis(10));
        if stage.fetch(honest).is_some() {
            return;
        }
    }
    panic!("the honest announcement had no place");
}
