//! Writes the hand-made inputs of `node_ops`, each with the operations that lead to something rare,
//! and those of `snapshot`.
//!
//! ```sh
//! cargo run --manifest-path fuzz/Cargo.toml --example scripts
//! ```

use std::path::Path;

use peer_exchange::{Config, Effect, Identity, Instant, Multiaddr, Node, NodeId};

fn main() -> std::io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, script) in scripts() {
        std::fs::write(folder.join("node_ops").join(name), script)?;
    }
    for (name, bytes) in snapshots() {
        std::fs::write(folder.join("snapshot").join(name), bytes)?;
    }
    Ok(())
}

/// What a node is configured with, by the choices of `src/host.rs`.
#[derive(Clone, Copy, Default)]
struct Setup {
    capacity: u8,
    max_links: u8,
    request_timeout: u8,
    link_idle: u8,
    flags: u8,
    messages: u8,
    /// The number of a host: `10.0.0.N`, at port 4000 over TCP.
    upstream: Option<u8>,
}

const SIGNED_ONLY: u8 = 3 << 1;
const NO_DETECTION: u8 = 2 << 3;
/// Choices of a capacity.
const C256: u8 = 0;
const C2: u8 = 1;
const C5: u8 = 3;
const C16: u8 = 4;
const C100: u8 = 6;
/// One message a second.
const ONE: u8 = 1;

impl Setup {
    fn write(self, out: &mut Vec<u8>) {
        let (capacity, links) = (self.capacity, self.max_links);
        out.extend([capacity, links, 0, 0, 1, 0, 0, self.request_timeout]);
        out.extend([0, 0, 0, self.link_idle, 0, self.flags, self.messages, 0]);
        out.push(self.upstream.is_some().into());
        out.extend(self.upstream.map(host).into_iter().flatten());
        // The seed, the time, addresses, no metadata.
        out.extend([0, 0, 0, 0, 0, 0]);
    }
}

/// An address.
fn host(number: u8) -> [u8; 3] {
    [0, 16 + number, 0]
}

/// Operations, by their numbers in `src/ops.rs`.
struct Script(Vec<u8>);

impl Script {
    /// Of one node that so many are linked to from the start.
    fn one(setup: Setup, links: u8) -> Self {
        let mut out = vec![0];
        setup.write(&mut out);
        out.push(links);
        Self(out)
    }

    /// Of two, the first of which may ask the second.
    fn two(first: Setup, second: Setup, links: u8) -> Self {
        let mut out = vec![64];
        first.write(&mut out);
        second.write(&mut out);
        out.extend([links, links]);
        Self(out)
    }

    fn then(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn times(self, times: usize, step: impl Fn(Self, u8) -> Self) -> Self {
        (0..times).fold(self, |script, i| step(script, i as u8))
    }

    /// An invented node comes, from there, and may say where it sees this one.
    fn comes(self, number: u8, from: u8, sees: Option<u8>) -> Self {
        let script = self.then(&[0, 200, number, 0, 0, 0]).then(&host(from));
        let script = script.then(&[0, 0, 0, 0, 0, 0]);
        match sees {
            Some(at) => script.then(&[1, at, 0]),
            None => script.then(&[0]),
        }
    }

    fn settles(self) -> Self {
        self.then(&[116, 15])
    }

    /// Seconds go by.
    fn waits(self, seconds: u16) -> Self {
        let [low, high] = seconds.to_le_bytes();
        self.then(&[36, 4, low, high])
    }

    /// The same for both nodes, and what follows.
    fn both_wait(self, seconds: u16) -> Self {
        let [low, high] = seconds.to_le_bytes();
        self.waits(seconds)
            .then(&[36 | 128, 4, low, high])
            .settles()
    }

    /// The node of a link tells of many others: each record so large, in so many pages.
    fn crowd(self, (at, link): (u8, u8), first: u8, count: u8, size: u8, pages: u8) -> Self {
        let at = 85 | at << 7;
        self.then(&[at, link, first, 0, count, 1, 0, size, pages - 1])
    }

    /// A link's node says the same so many times.
    fn floods(self, link: u8, what: &[u8], times: u8) -> Self {
        self.then(&[27, link]).then(what).then(&[times - 1, 0])
    }

    /// The request under way of a node is answered: with a record, a promise, or what is not all;
    /// and a full table names others.
    fn answers(self, at: u8, what: &[Answer]) -> Self {
        let is = |wanted: Answer| u8::from(what.contains(&wanted));
        let script = self.then(&[70 | at << 7, 0, 0, 0, 0, 0]);
        let script = match what.contains(&Answer::Record) {
            // Its body, its node and sequence, its life and signature, and no more of them.
            true => script.then(&[1, 1, 5, 0, 17, 0, 0, 0, 0, 3, 2, 0, 0, 4, 1, 0]),
            false => script.then(&[0]),
        };
        let script = script.then(&[0, is(Answer::Later), is(Answer::Cut)]);
        let script = match what.contains(&Answer::Names) {
            true => script.then(&[1, 1, 248]),
            false => script.then(&[0, 0]),
        };
        script.then(&[0; 5])
    }

    /// A link's node tells of itself.
    fn tells_of_itself(self, link: u8, what: u8, how: u8) -> Self {
        self.then(&[86, link, 0, 128, what, how, 1])
    }
}

#[derive(PartialEq)]
enum Answer {
    Record,
    Later,
    Cut,
    Names,
}

fn scripts() -> Vec<(&'static str, Vec<u8>)> {
    let all = [
        ("misuse", misuse()),
        ("broken", broken()),
        ("bad_records", bad_records()),
        ("full_by_bytes", full_by_bytes()),
        ("graves", graves()),
        ("unchecked", unchecked()),
        ("told_to_wait", told_to_wait()),
        ("subnet", subnet()),
        ("throttled", throttled()),
        ("two_differ", two_differ()),
        ("two_start", two_start()),
        ("two_are_full", two_are_full()),
        ("at_rest", at_rest()),
        ("told_later", told_later()),
        ("fetched_late", fetched_late()),
        ("cut", cut()),
        ("accused", accused()),
        ("forwarded", forwarded()),
        ("dialled_back", dialled_back()),
        ("own_addresses", own_addresses()),
        ("own_address_gone", own_address_gone()),
        ("blocked", blocked()),
        ("blocked_and_open", blocked_and_open()),
        ("beyond", beyond()),
        ("itself", itself()),
        (
            "shuts_down",
            Script::one(Setup::default(), 3).then(&[48, 1]),
        ),
    ];
    all.into_iter().map(|(name, s)| (name, s.0)).collect()
}

fn misuse() -> Script {
    let many = Script::one(Setup::default(), 1).then(&[42, 4, 255, 255]);
    many.then(&[42, 1, 19])
        .times(19, |s, i| s.then(&[i, 16 + i % 8, i / 4]))
}

/// In every way, each by another node.
fn broken() -> Script {
    let setup = Setup {
        max_links: 7,
        ..Setup::default()
    };
    Script::one(setup, 0).times(10, |s, i| s.comes(i, i, None).then(&[49, i, 240 + i]))
}

fn bad_records() -> Script {
    let setup = Setup {
        max_links: 7,
        ..Setup::default()
    };
    Script::one(setup, 0).times(10, |s, i| {
        let s = s.comes(i, i, None).then(&[84, i, 1]).then(&host(1));
        // What it is made of, its version, and its signature.
        let more = match i {
            0..=2 | 4 => 2,
            8 | 9 => 1,
            _ => 3,
        };
        s.then(&[i]).then(&[9; 3][..more])
    })
}

fn of_capacity(capacity: u8) -> Setup {
    Setup {
        capacity,
        ..Setup::default()
    }
}

fn full_by_bytes() -> Script {
    Script::one(of_capacity(C100), 1).crowd((0, 0), 0, 55, 0, 3)
}

fn graves() -> Script {
    Script::one(of_capacity(C16), 1).crowd((0, 0), 0, 60, 3, 2)
}

/// More than can be checked waits on one link (R50).
fn unchecked() -> Script {
    let setup = Setup {
        flags: SIGNED_ONLY,
        ..of_capacity(C256)
    };
    Script::one(setup, 1).crowd((0, 0), 0, 255, 1, 6)
}

/// Two ask more than they may, and come again before they may (R18).
fn told_to_wait() -> Script {
    let setup = Setup {
        messages: ONE,
        ..of_capacity(C16)
    };
    let script = Script::one(setup, 1).crowd((0, 0), 0, 10, 2, 1);
    script.then(&[28, 7, 0, 1, 13]).then(&[28, 7, 0, 1, 2])
}

fn subnet() -> Script {
    let setup = Setup {
        messages: ONE,
        ..of_capacity(C2)
    };
    Script::one(setup, 0).then(&[28, 7, 0, 23, 11])
}

fn throttled() -> Script {
    let setup = Setup {
        messages: ONE,
        max_links: 7,
        ..of_capacity(C5)
    };
    let needless: [&[u8]; 4] = [&[0], &[1, 0, 0], &[5], &[7]];
    let script = Script::one(setup, 1).then(&[30, 3]).times(4, |s, i| {
        let s = s.comes(i, i, None);
        s.floods(1 + i, needless[usize::from(i)], 30)
    });
    script.floods(0, &[0], 12).floods(0, &[8], 4)
}

/// Two with one table, then one of them knows a little more (R27).
fn two_differ() -> Script {
    let asks = Setup {
        upstream: Some(1),
        ..of_capacity(C256)
    };
    let script = Script::two(asks, of_capacity(C256), 1).crowd((0, 0), 0, 100, 2, 1);
    let script = script.times(4, |s, _| s.both_wait(1));
    let script = script
        .crowd((0, 0), 200, 3, 2, 1)
        .crowd((1, 0), 210, 2, 2, 1);
    script.times(6, |s, _| s.both_wait(3))
}

/// Two that know different things meet.
fn two_start() -> Script {
    let asks = Setup {
        upstream: Some(1),
        ..of_capacity(C256)
    };
    let script = Script::two(asks, of_capacity(C256), 1).crowd((0, 0), 0, 30, 2, 1);
    let script = script.crowd((1, 0), 20, 30, 2, 1);
    script.times(6, |s, _| s.both_wait(1))
}

fn two_are_full() -> Script {
    let asks = Setup {
        upstream: Some(1),
        ..of_capacity(C16)
    };
    let script = Script::two(asks, of_capacity(C16), 1).crowd((0, 0), 0, 60, 2, 1);
    let script = script.crowd((1, 0), 100, 60, 2, 1);
    script.times(6, |s, _| s.both_wait(1))
}

/// Two that know the same ask briefly, and then one of them knows more (R45).
fn at_rest() -> Script {
    let quiet = Setup {
        flags: NO_DETECTION,
        request_timeout: 3,
        ..of_capacity(C256)
    };
    let asks = Setup {
        upstream: Some(1),
        ..quiet
    };
    let script = Script::two(asks, quiet, 0).times(9, |s, _| s.both_wait(2));
    let script = script.then(&[0, 2, 0, 0]).then(&host(3)).then(&[0; 7]);
    let script = script.crowd((0, 1), 0, 9, 2, 1);
    script.times(9, |s, _| s.both_wait(20))
}

/// Who asks a node that is asking is told later what that was told (R41).
fn told_later() -> Script {
    let asks = |upstream| Setup {
        upstream: Some(upstream),
        request_timeout: 3,
        ..Setup::default()
    };
    let script = Script::two(asks(1), asks(3), 0);
    let script = script.then(&[30 | 128, 0]).then(&[18 | 128, 0, 2]);
    let script = script.then(&[30, 0]).settles();
    script.answers(1, &[Answer::Record]).settles()
}

/// A full table fetches what it is told of, and the answer comes twice (R14, R22).
fn fetched_late() -> Script {
    let setup = Setup {
        request_timeout: 3,
        ..of_capacity(C16)
    };
    let script = Script::one(setup, 1).crowd((0, 0), 0, 60, 2, 1);
    let script = script.then(&[30, 0]).answers(0, &[Answer::Names]);
    script.answers(0, &[]).answers(0, &[Answer::Record])
}

/// An answer has not told all, another makes a promise that nobody keeps.
fn cut() -> Script {
    let setup = Setup {
        request_timeout: 3,
        ..Setup::default()
    };
    let script = Script::one(setup, 1).crowd((0, 0), 0, 3, 2, 1);
    let script = script.then(&[30, 0]);
    let script = script.answers(0, &[Answer::Record, Answer::Cut]);
    script.answers(0, &[Answer::Later]).waits(4).waits(4)
}

/// Each is accused by two others, then shows that it is there; one names who has accused it (R33).
fn accused() -> Script {
    let script = Script::one(Setup::default(), 3).times(3, |s, i| s.tells_of_itself(i, 0, 0));
    let accuse = |s: Script, link, subject| s.then(&[35, link, 99, subject, 0, 1, 0, 1]);
    let script = script.times(3, |s, i| accuse(s, 0, i));
    let script = script.times(3, |s, i| s.tells_of_itself(i, 4, 0));
    let script = script.tells_of_itself(1, 2 | 8, 22);
    script.times(3, |s, i| accuse(s, 0, i))
}

/// A cold node with an upstream is asked by another (R10).
fn forwarded() -> Script {
    let setup = Setup {
        upstream: Some(3),
        request_timeout: 3,
        ..Setup::default()
    };
    let script = Script::one(setup, 0).then(&[30, 0]).then(&[18, 0, 2]);
    let script = script
        .comes(9, 4, None)
        .times(6, |s, _| s.answers(0, &[]).then(&[116, 2]));
    // A whole request with hops, which shows nothing.
    script.then(&[53, 1, 2, 0, 0, 0, 9, 0, 0, 6, 0, 2, 0, 0, 0, 0, 0, 0])
}

/// Some want to be dialled: one can be reached, others cannot, and then too many want it (R38).
fn dialled_back() -> Script {
    let script = Script::one(Setup::default(), 0).times(4, |s, i| {
        let s = s.comes(i, 2 + i, None);
        s.floods(i, &[7], 3)
    });
    script.then(&[18, 0]).then(&[21, 0])
}

/// Those that see this node at its address dial it there, or do not find it.
fn own_addresses() -> Script {
    let setup = Setup {
        max_links: 7,
        ..Setup::default()
    };
    let script = Script::one(setup, 0).times(3, |s, i| s.comes(i, 2 + i, Some(0)));
    script.times(2, |s, _| {
        s.times(3, |s, i| s.then(&[79, i, 0, 1, 1])).waits(1)
    })
}

fn own_address_gone() -> Script {
    let script = Script::one(Setup::default(), 0).times(3, |s, i| s.comes(i, 2 + i, Some(0)));
    script.times(4, |s, _| {
        s.times(3, |s, i| s.then(&[79, i, 0, 0, 0])).waits(10)
    })
}

/// Over one of its two transports a node does not answer, and then it does (R32).
fn blocked() -> Script {
    let setup = Setup {
        flags: NO_DETECTION,
        request_timeout: 3,
        ..Setup::default()
    };
    let script = Script::one(setup, 1);
    // The linked node tells of another with two addresses.
    let script = script.then(&[86, 0, 0, 3, 4, 3, 1]).waits(1);
    let script = script.then(&[19, 0, 0, 0]).waits(2).waits(1);
    script.then(&[12, 0, 0])
}

fn blocked_and_open() -> Script {
    blocked().waits(61).then(&[12, 0, 150, 0]).then(&[0; 8])
}

/// The upstream names nodes for which a full table has no room (R47).
fn beyond() -> Script {
    let setup = Setup {
        upstream: Some(3),
        ..of_capacity(C5)
    };
    let script = Script::one(setup, 0).then(&[30, 0]).then(&[18, 0, 2]);
    let script = script.crowd((0, 0), 0, 40, 2, 1);
    script.times(4, |s, i| {
        let s = s.tells_of_itself(0, i << 2, 6 | (3 + i) << 3);
        s.then(&[86, 0, 0, 3 + i, 0, 0, 1])
    })
}

fn itself() -> Script {
    let setup = Setup {
        upstream: Some(0),
        ..Setup::default()
    };
    Script::one(setup, 0).times(9, |s, _| s.settles().waits(31))
}

/// One that is good, and what makes others bad.
fn snapshots() -> Vec<(&'static str, Vec<u8>)> {
    let good = saved(0x40);
    let with = |bytes: &[u8]| [&[0, 1, 0, 0, 0][..], bytes].concat();
    let aged = [&[1, 9, 0, 1, 0, 0, 0][..], &good].concat();
    vec![
        ("good", with(&good)),
        ("good_aged", aged),
        ("of_another", with(&saved(0x41))),
        ("of_later_version", with(&[&good[..], &[0x08, 9]].concat())),
        (
            "inconsistent",
            with(&[&good[..], &[0x2a, 2, 1, 2]].concat()),
        ),
    ]
}

fn saved(node: u8) -> Vec<u8> {
    let address = Multiaddr::tcp(([10, 0, 0, 1], 4000).into());
    let identity = Identity::new(NodeId::new([node; 32])).with_addresses(vec![address]);
    let now = Instant::from_millis(1);
    let node = Node::new(Config::default(), identity, [1; 32], now);
    let mut node = node.expect("the default configuration");
    while !matches!(node.poll(), Effect::WaitUntil(_)) {}
    node.snapshot(now)
}
