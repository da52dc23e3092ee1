//! Upstreams: who answers where, what is reported of them, and when they are dialled again.

use super::*;
use crate::node::testing::{at, cx, events, node};

const NANOSECOND: Duration = Duration::from_nanos(1);

fn address(n: u8) -> Multiaddr {
    Multiaddr::tcp(([10, 0, 0, n], 7000).into())
}

/// Upstreams at these addresses at the time 0, and 10 s later.
fn upstreams(addresses: &[u8]) -> (Upstreams, Cx) {
    let mut cx = cx(at(0));
    cx.config.upstreams = addresses.iter().map(|n| address(*n)).collect();
    let upstreams = Upstreams::new(&mut cx);
    cx.now = at(10);
    (upstreams, cx)
}

/// One at address 1, where node 1 was found, and an exchange with it has completed.
fn synced() -> (Upstreams, Cx) {
    let (mut upstreams, cx) = upstreams(&[1]);
    upstreams.dial_succeeded(&address(1), node(1));
    upstreams.set_synced(node(1), false, cx.now);
    (upstreams, cx)
}

fn due(upstreams: &Upstreams, now: Instant) -> Vec<Multiaddr> {
    upstreams.due(now, |_| false)
}

/// For how long the first one is left alone.
fn wait(upstreams: &Upstreams, cx: &Cx) -> Duration {
    upstreams.iter().next().unwrap().retry_at() - cx.now
}

fn down(n: u8, retry_in: Duration) -> Event {
    let address = address(n);
    Event::UpstreamDown { address, retry_in }
}

fn up(n: u8, node: NodeId) -> Event {
    let address = address(n);
    Event::UpstreamUp { address, node }
}

/// R19.
#[test]
fn the_first_dials_are_spread_over_the_jitter_of_the_start() {
    let (upstreams, cx) = upstreams(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let end = at(0) + cx.config.start_jitter;
    let first: Vec<_> = upstreams.iter().map(Upstream::retry_at).collect();
    assert!(first.iter().all(|first| *first <= end), "{first:?}");
    assert!(first.iter().any(|other| *other != first[0]), "{first:?}");
    assert_eq!(upstreams.next_due(|_| false), first.iter().min().copied());
}

#[test]
fn an_address_configured_twice_is_one_upstream() {
    let (mut upstreams, cx) = upstreams(&[1, 2, 1]);
    assert_eq!(upstreams.len(), 2);
    upstreams.replace([3, 3].map(address).into(), cx.now);
    assert_eq!(upstreams.len(), 1);
}

#[test]
fn another_configuration_keeps_the_state_of_what_stays() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2]);
    upstreams.dial_failed(&address(2), &mut cx);
    upstreams.replace([2, 3].map(address).into(), cx.now);
    let of: Vec<_> = upstreams.iter().collect();
    let addresses: Vec<_> = of.iter().map(|u| u.address().clone()).collect();
    assert_eq!(addresses, [2, 3].map(address));
    assert_eq!((of[0].failures(), of[1].failures()), (1, 0));
    assert_eq!(due(&upstreams, cx.now), [address(3)], "at once");
}

/// R13.
#[test]
fn two_addresses_of_one_node_are_one_node() {
    let (mut upstreams, _) = upstreams(&[1, 2, 3, 4]);
    for (n, found) in [(1, 9), (2, 5), (3, 9)] {
        upstreams.dial_succeeded(&address(n), node(found));
    }
    assert_eq!(upstreams.nodes(), [node(5), node(9)]);
    assert!(upstreams.contains(&node(9)) && !upstreams.contains(&node(1)));
}

#[test]
fn what_is_linked_or_being_dialled_is_not_due() {
    let (mut upstreams, cx) = upstreams(&[1, 2, 3]);
    upstreams.dial_succeeded(&address(1), node(1));
    upstreams.dial_begun(&address(2));
    let linked = |n: &NodeId| *n == node(1);
    assert_eq!(upstreams.due(cx.now, linked), [address(3)]);
    upstreams.dial_begun(&address(3));
    assert_eq!(upstreams.next_due(linked), None);
    assert_eq!(due(&upstreams, cx.now), [address(1)], "its link is gone");
    upstreams.dial_succeeded(&address(2), node(2));
    assert!(
        !upstreams
            .iter()
            .any(|u| u.is_dialing() && u.address() == &address(2))
    );
}

/// R17.
#[test]
fn each_failed_dial_doubles_the_backoff_and_is_reported() {
    let (mut upstreams, mut cx) = upstreams(&[1]);
    for failures in 0..12 {
        upstreams.dial_begun(&address(1));
        upstreams.dial_failed(&address(1), &mut cx);
        let wait = wait(&upstreams, &cx);
        let (base, cap) = (cx.config.backoff_base, cx.config.backoff_cap);
        let most = (base * (1 << failures)).min(cap);
        assert!(wait >= most / 10 && wait < most, "{failures}: {wait:?}");
        assert_eq!(events(&mut cx), [down(1, wait)]);
        assert!(due(&upstreams, cx.now + wait - NANOSECOND).is_empty());
        assert_eq!(due(&upstreams, cx.now + wait), [address(1)]);
    }
    assert_eq!(upstreams.iter().next().unwrap().failures(), 12);
    assert_eq!(cx.stats.backoffs, 12);
}

/// R19: no room for a dial is nobody's failure.
#[test]
fn a_postponed_dial_waits_without_failing() {
    let (mut upstreams, mut cx) = upstreams(&[1]);
    upstreams.dial_postponed(&address(1), cx.now, Duration::from_secs(2));
    assert_eq!(upstreams.next_due(|_| false), Some(at(12)));
    assert_eq!(upstreams.iter().next().unwrap().failures(), 0);
    assert_eq!(upstreams.backing_off(at(11)), 1);
    assert_eq!(upstreams.backing_off(at(12)), 0);
    assert_eq!(events(&mut cx), []);
}

/// Whoever has dialled: the link counts, and it is reported once for each address.
#[test]
fn an_upstream_is_reported_up_once_until_it_goes_down() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2, 3]);
    upstreams.dial_succeeded(&address(1), node(9));
    upstreams.dial_succeeded(&address(2), node(9));
    upstreams.report_up(node(9), &mut cx);
    upstreams.report_up(node(9), &mut cx);
    upstreams.report_up(node(5), &mut cx);
    assert_eq!(events(&mut cx), [up(1, node(9)), up(2, node(9))]);
    upstreams.dial_failed(&address(2), &mut cx);
    events(&mut cx);
    upstreams.report_up(node(9), &mut cx);
    assert_eq!(events(&mut cx), [up(2, node(9))]);
}

/// R20: who is found at an address for the first time has not been heard yet.
#[test]
fn another_node_at_an_address_is_new() {
    let (mut upstreams, mut cx) = synced();
    upstreams.report_up(node(1), &mut cx);
    upstreams.dial_succeeded(&address(1), node(1));
    assert!(upstreams.is_synced(&node(1)), "the same node");
    upstreams.report_up(node(1), &mut cx);
    assert_eq!(events(&mut cx), [up(1, node(1))]);
    upstreams.dial_succeeded(&address(1), node(2));
    assert!(!upstreams.is_synced(&node(2)));
    upstreams.report_up(node(2), &mut cx);
    assert_eq!(events(&mut cx), [up(1, node(2))]);
    assert_eq!(upstreams.nodes(), [node(2)]);
}

/// R20: an upstream not yet heard comes first.
#[test]
fn an_upstream_is_unsynced_until_an_exchange_has_completed() {
    let (mut upstreams, cx) = upstreams(&[1, 2]);
    assert_eq!(upstreams.unsynced().count(), 0, "nobody is known there");
    upstreams.dial_succeeded(&address(1), node(1));
    assert_eq!(upstreams.unsynced().collect::<Vec<_>>(), [&node(1)]);
    assert!(!upstreams.is_synced(&node(1)));
    assert!(upstreams.is_synced(&node(7)), "it is no upstream");
    upstreams.set_synced(node(1), false, cx.now);
    assert_eq!(upstreams.unsynced().count(), 0);
    assert!(upstreams.is_synced(&node(1)));
}

#[test]
fn the_last_news_is_when_an_exchange_has_brought_some() {
    let (mut upstreams, _) = synced();
    let last_news = |u: &Upstreams| u.iter().next().unwrap().last_news();
    assert_eq!(last_news(&upstreams), None);
    upstreams.set_synced(node(1), true, at(11));
    upstreams.set_synced(node(1), false, at(12));
    assert_eq!(last_news(&upstreams), Some(at(11)));
}

/// R17.
#[test]
fn a_link_that_fails_counts_and_the_upstream_is_to_be_heard_anew() {
    let (mut upstreams, mut cx) = synced();
    upstreams.link_gone(node(7), false, true, &mut cx);
    assert_eq!(events(&mut cx), [], "no upstream");
    upstreams.link_gone(node(1), false, true, &mut cx);
    assert_eq!(upstreams.iter().next().unwrap().failures(), 1);
    assert!(!upstreams.is_synced(&node(1)));
    let wait = wait(&upstreams, &cx);
    assert_eq!(events(&mut cx), [down(1, wait)]);
}

/// Two nodes of one key that replace each other do not dial in a tight loop.
#[test]
fn brief_links_that_close_in_an_orderly_way_double_the_wait_five_times() {
    let (mut upstreams, mut cx) = synced();
    for brief in 0..9_u32 {
        upstreams.link_gone(node(1), false, false, &mut cx);
        let wait = wait(&upstreams, &cx);
        let most = cx.config.backoff_base * (1 << brief.min(5));
        assert!(wait >= most / 2 && wait < most, "{brief}: {wait:?}");
        assert_eq!(events(&mut cx), [down(1, wait)]);
        cx.now = cx.now + wait;
    }
    assert_eq!(upstreams.iter().next().unwrap().failures(), 0);
    assert_eq!(cx.stats.backoffs, 0, "no failure");
    assert!(upstreams.is_synced(&node(1)));
}

/// R17: 30 s of a link make good what was before.
#[test]
fn a_link_that_has_lasted_resets_backoff_and_brief_closes() {
    let by_sweep: fn(&mut Upstreams, &mut Cx) = |upstreams, cx| {
        upstreams.lasted(node(1));
        upstreams.link_gone(node(1), false, false, cx);
    };
    let at_its_end: fn(&mut Upstreams, &mut Cx) = |upstreams, cx| {
        upstreams.link_gone(node(1), true, false, cx);
    };
    for lasted in [by_sweep, at_its_end] {
        let (mut upstreams, mut cx) = synced();
        for _ in 0..5 {
            upstreams.link_gone(node(1), false, false, &mut cx);
            upstreams.link_gone(node(1), false, true, &mut cx);
        }
        cx.now = at(1_000);
        lasted(&mut upstreams, &mut cx);
        assert_eq!(upstreams.iter().next().unwrap().failures(), 0);
        assert!(wait(&upstreams, &cx) < cx.config.backoff_base);
    }
}

/// R18: an upstream that has said when to come back is left alone until then.
#[test]
fn a_hold_outlasts_a_link_that_has_lasted() {
    let (mut upstreams, _) = synced();
    upstreams.hold(node(1), at(50));
    upstreams.hold(node(1), at(40));
    upstreams.lasted(node(1));
    assert_eq!(due(&upstreams, at(50) - NANOSECOND), []);
    assert_eq!(due(&upstreams, at(50)), [address(1)]);
}

/// R13: an upstream that turned out to be this node is heard, and left alone for five minutes.
#[test]
fn meeting_oneself_is_remembered_for_five_minutes() {
    let (mut upstreams, cx) = upstreams(&[1, 2]);
    assert!(!upstreams.met_oneself(cx.id, cx.now), "not of an upstream");
    upstreams.dial_succeeded(&address(1), cx.id);
    assert!(upstreams.met_oneself(cx.id, cx.now));
    assert_eq!(upstreams.unsynced().count(), 0);
    let end = cx.now + Duration::from_secs(300);
    assert_eq!(due(&upstreams, end - NANOSECOND), [address(2)]);
    assert_eq!(due(&upstreams, end), [address(1), address(2)]);
}
