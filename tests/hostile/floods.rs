//! More than a node gives: requests, updates, links.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{self, Beat, GoodbyeReason, Message, Records, Response};
use peer_exchange::{
    CloseReason, Config, Defence, Disarmed, Event, Input, LinkId, PeerFault, limits::caps,
};

use crate::support::build::*;
use crate::support::rig::{Rig, config, records_in};

/// A node that lets each peer send `burst` messages at once and a tenth of that a second.
fn slow(burst: u32) -> Rig {
    slow_with(burst, |_| {})
}

fn slow_with(burst: u32, change: impl FnOnce(&mut Config)) -> Rig {
    let config = config(|c| {
        c.messages_per_second = burst / 10;
        c.capacity = 16;
        change(c);
    });
    // The larger ID: of two requests that cross, the other end's proceeds.
    Rig::new(0x7f00_0001, config)
}

fn send_requests(rig: &mut Rig, link: LinkId, n: u32) -> Vec<Response> {
    rig.take(link);
    for i in 0..n {
        rig.message(link, Message::Request(request(1_000 + i)));
    }
    rig.take_responses(link)
}

fn is_busy(response: &Response) -> bool {
    response.busy.is_some()
}

#[test]
fn a_flood_of_requests_is_told_to_wait_and_then_closed_and_refused() {
    let mut rig = slow(100);
    let filler = rig.link(300);
    let records: Vec<_> = (400..412).map(rec).collect();
    rig.message(filler, rumour(&records));
    let link = rig.link(2);
    rig.checks = false;
    let answers = send_requests(&mut rig, link, 500);
    let (busy, answered): (Vec<_>, Vec<_>) = answers.into_iter().partition(is_busy);
    // As many as the bucket of messages has, or that of records.
    assert!((50..=100).contains(&answered.len()), "{}", answered.len());
    // Told once; what follows before the end of the wait is not even answered.
    assert_eq!(busy.len(), 1);
    let (wait, sample) = busy[0].busy.clone().unwrap();
    assert!(wait >= Duration::from_millis(500), "{wait:?}");
    assert_eq!(sample.len(), caps::BUSY_SAMPLE);
    assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
    let ignored = |e: &Event| {
        let fault = PeerFault::IgnoredRetryAfter;
        matches!(e, Event::Blamed { fault: f, .. } if *f == fault)
    };
    assert_eq!(rig.take_events(ignored).len(), 9);
    let again = rig.mute_link(2);
    assert_eq!(rig.why_closed(again), Some(CloseReason::Refused));
    rig.check();
}

#[test]
fn whoever_waits_as_told_is_never_blamed() {
    let mut rig = slow(100);
    let link = rig.link(2);
    rig.checks = false;
    let mut answered = 0;
    for round in 0..300 {
        let answer = rig.ask(link, request(1_000 + round));
        match &answer.busy {
            Some((wait, _)) => rig.pass(*wait),
            None => answered += 1,
        }
    }
    assert!(answered > 250, "{answered}");
    let blamed = |e: &Event| matches!(e, Event::Blamed { .. });
    assert_eq!(rig.take_events(blamed), []);
}

#[test]
fn limits_outlive_the_connection() {
    let mut rig = slow(100);
    let link = rig.link(2);
    let answers = send_requests(&mut rig, link, 101);
    assert!(is_busy(answers.last().unwrap()));
    rig.input(Input::LinkDown {
        link,
        orderly: true,
    });
    let again = rig.link(2);
    assert!(is_busy(&rig.ask(again, request(1))));
}

#[test]
fn reconnecting_earns_no_records_and_makes_the_wait_longer() {
    let mut rig = slow(100);
    rig.checks = false;
    let filler = rig.link(300);
    let records: Vec<_> = (400..412).map(rec).collect();
    rig.message(filler, rumour(&records));
    let mut link = rig.link(2);
    let mut asking = (0..).map(|n| rig.ask(link, request(n)).busy);
    let (first, sample) = asking.find_map(|busy| busy).unwrap();
    assert_eq!(sample.len(), caps::BUSY_SAMPLE);
    for round in 0..60 {
        rig.input(Input::LinkDown {
            link,
            orderly: true,
        });
        link = rig.link(2);
        let answer = rig.ask(link, request(5_000 + round));
        let (_, sample) = answer.busy.expect("it is still to wait");
        assert!(sample.is_empty(), "told before: no records again");
    }
    // Each of the sixty was charged: at ten a second, that is six seconds.
    assert!(first < Duration::from_secs(2), "{first:?}");
    rig.pass_s(4);
    let answer = rig.ask(link, request(6_000));
    assert!(is_busy(&answer), "the asking was charged to nobody");
    rig.pass_s(20);
    // The old one may have been given up: nobody has answered on it.
    let link = rig.link(2);
    assert!(!is_busy(&rig.ask(link, request(7_000))));
    assert_eq!(rig.take_events(|e| matches!(e, Event::Blamed { .. })), []);
}

#[test]
fn a_request_before_the_end_of_a_wait_is_blamed_on_each_link_that_was_told() {
    let mut rig = slow(100);
    rig.checks = false;
    let mut refused = false;
    for round in 0..20 {
        let link = rig.link(2);
        if rig.why_closed(link) == Some(CloseReason::Refused) {
            refused = true;
            break;
        }
        // Told on this link, and asked on at once, twice: four points a link.
        send_requests(&mut rig, link, if round == 0 { 103 } else { 3 });
        rig.input(Input::LinkDown {
            link,
            orderly: true,
        });
    }
    assert!(refused, "each new link began with a clean slate");
}

#[test]
fn pushed_records_and_bytes_of_requests_are_charged() {
    let mut rig = Rig::new(
        0x7f00_0001,
        config(|c| {
            c.capacity = 1_024;
            c.bytes_per_second = 1_024;
        }),
    );
    let link = rig.link(2);
    // A minute's worth of bytes is 60 KiB: five such requests are more.
    let page: Vec<_> = (1_000..1_400).map(rec).collect();
    for n in 0..8 {
        let mut asked = request(n);
        asked.records = self::page(&page);
        rig.message(link, Message::Request(asked));
    }
    let answers = rig.take_responses(link);
    assert!(answers.iter().any(is_busy), "what is pushed costs nothing");
}

#[test]
fn limits_are_shared_by_a_subnet() {
    let mut rig = slow(10);
    // Eight nodes' worth, or four tables'.
    let nodes = 512..525;
    let mut answered = 0;
    for n in nodes {
        let link = rig.link(n);
        let answers = send_requests(&mut rig, link, 9);
        answered += answers.iter().filter(|r| !is_busy(r)).count();
    }
    // Beyond the share of all, each is answered once (R54).
    assert!((80..=88).contains(&answered), "{answered}");
    let elsewhere = rig.link(1024);
    assert!(!is_busy(&rig.ask(elsewhere, request(1))));
}

#[test]
fn more_updates_than_are_taken_are_dropped_and_the_link_stays() {
    let mut rig = slow(100);
    let link = rig.link(2);
    rig.checks = false;
    for version in 1..=300 {
        rig.message(link, rumour(&[rec(3).version(version)]));
    }
    let known = rig.node.peer(&id(3)).unwrap().sequence.version;
    assert!((95..=100).contains(&known), "{known}");
    assert!(rig.node.stats().requests_throttled >= 200);
    assert!(rig.is_up(link));
    // Ten seconds fill the bucket again.
    rig.pass_answering(11);
    rig.message(link, rumour(&[rec(3).version(501)]));
    assert_eq!(rig.node.peer(&id(3)).unwrap().sequence.version, 501);
    rig.check();
}

/// R54: four times as many messages as are answered, of any kind, are not even decoded, and whoever
/// goes on is refused.
#[test]
fn a_flood_of_any_kind_is_not_decoded_and_ends_the_link() {
    let unknown = Bytes::from_static(&[0xfa, 0x7f, 0x03, 1, 2, 3]);
    let beat = wire::encode(Message::Beat(Beat { fingerprint: None }));
    let update = wire::encode(rumour(&[rec(3)]));
    for (flood, most) in [(unknown, 50), (beat, 400), (update, 400)] {
        let mut rig = slow(100);
        let link = rig.link(2);
        rig.checks = false;
        let mut said = 0;
        while rig.is_up(link) {
            rig.raw(link, flood.clone());
            said += 1;
            assert!(said < 1_000);
        }
        assert!((most - 10..most + 20).contains(&said), "{said}");
        assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
        let dropped = rig.node.stats().faults().find(|(r, _)| *r == "flood");
        assert_eq!(dropped, Some(("flood", 17)));
    }
}

/// R54: of one link one Hello.
#[test]
fn a_second_hello_changes_nothing_and_is_blamed() {
    let mut rig = Rig::new(1, config(|_| {}));
    let link = rig.link(2);
    rig.checks = false;
    for _ in 0..16 {
        rig.message(link, hello(99));
        assert!(rig.is_up(link));
    }
    rig.message(link, hello(99));
    assert_eq!(rig.why_closed(link), Some(CloseReason::Misbehaviour));
}

/// R54: thirty that use up what their subnet may ask keep no neighbour from being answered.
#[test]
fn whoever_has_busy_neighbours_is_answered_all_the_same() {
    let (mut rig, honest) = with_busy_neighbours(slow(10));
    assert!(!is_busy(&rig.ask(honest, request(1))));
    assert!(
        is_busy(&rig.ask(honest, request(2))),
        "a tenth of its own rate"
    );
}

#[test]
fn without_a_minimum_its_neighbours_have_all() {
    let rig = slow_with(10, |c| c.disarmed = Disarmed::of(Defence::Minimum));
    let (mut rig, honest) = with_busy_neighbours(rig);
    assert!(is_busy(&rig.ask(honest, request(1))));
}

fn with_busy_neighbours(mut rig: Rig) -> (Rig, LinkId) {
    rig.checks = false;
    for n in 512..542 {
        let link = rig.link(n);
        send_requests(&mut rig, link, 9);
    }
    let honest = rig.link(600);
    (rig, honest)
}

#[test]
fn ten_thousand_links_are_answered_or_turned_away() {
    let mut rig = Rig::new(
        1,
        config(|c| {
            c.max_links = 16;
            c.capacity = 1_024;
        }),
    );
    let teller = rig.link(1 << 20);
    let records: Vec<_> = (0..800).map(|n| rec(2_000_000 + n)).collect();
    rig.message(teller, push(&records));
    rig.checks = false;
    let (mut answered, mut turned_away) = (0, 0);
    for n in 0..10_000 {
        let link = rig.mute_link(10_000 + n);
        if rig.why_closed(link) == Some(CloseReason::Full) {
            turned_away += 1;
            continue;
        }
        rig.message(link, hello(1));
        if n % 3 == 0 {
            // Says Hello and no more.
            continue;
        }
        rig.message(link, Message::Request(request(n)));
        let sent = rig.take(link);
        let full = sent.iter().any(|m| {
            matches!(m, Message::Goodbye(g) if g.reason == GoodbyeReason::Full
                && g.retry_after > Duration::ZERO)
        });
        if full {
            let records = sent.iter().filter_map(records_in).map(Records::len);
            assert_eq!(records.collect::<Vec<_>>(), [caps::FULL_ANSWER]);
            assert_eq!(rig.why_closed(link), Some(CloseReason::Full));
            answered += 1;
        }
        assert!(rig.node.links().count() <= 32);
    }
    rig.check();
    assert!(answered > 20, "{answered}");
    assert!(turned_away > 1_000, "{turned_away}");
    // Who came for one answer and does not ask is not kept for long.
    rig.pass_s(20);
    assert!(rig.node.links().count() <= 16);
}

#[test]
fn buckets_of_ten_thousand_nodes_are_bounded() {
    let mut rig = Rig::new(1, config(|c| c.max_links = 4));
    rig.checks = false;
    for n in 0..10_000 {
        let link = rig.link(n * 256 + 10);
        rig.message(link, Message::Request(request(1)));
        rig.input(Input::LinkDown {
            link,
            orderly: true,
        });
    }
    rig.check();
}
