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
    let upstreams = Upstreams::new(&[], &mut cx);
    cx.now = at(10);
    (upstreams, cx)
}

/// One at address 1, where node 1 was found, and an exchange with it has completed.
fn synced() -> (Upstreams, Cx) {
    let (mut upstreams, mut cx) = upstreams(&[1]);
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    upstreams.set_synced(node(1), false, cx.now);
    (upstreams, cx)
}

/// What is due where nobody is linked; looks aside.
fn due(upstreams: &Upstreams, now: Instant) -> Vec<Multiaddr> {
    let ready = upstreams
        .iter()
        .filter(|u| !u.is_dialing() && u.backoff.is_ready(now));
    ready.map(|u| u.address().clone()).collect()
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

/// R44.
#[test]
fn a_few_upstreams_are_dialled_at_once() {
    let (upstreams, _) = upstreams(&[1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(upstreams.iter().all(|u| u.retry_at() == at(0)));
    assert_eq!(upstreams.next_due(|_| false), Some(at(0)));
}

#[test]
fn an_address_configured_twice_is_one_upstream() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2, 1]);
    assert_eq!(upstreams.len(), 2);
    upstreams.replace([3, 3].map(address).into(), &[], &mut cx);
    assert_eq!(upstreams.len(), 1);
}

#[test]
fn another_configuration_keeps_the_state_of_what_stays() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2]);
    upstreams.dial_failed(&address(2), false, &mut cx);
    upstreams.replace([2, 3].map(address).into(), &[], &mut cx);
    let of: Vec<_> = upstreams.iter().collect();
    let addresses: Vec<_> = of.iter().map(|u| u.address().clone()).collect();
    assert_eq!(addresses, [2, 3].map(address));
    assert_eq!((of[0].failures(), of[1].failures()), (1, 0));
    assert_eq!(due(&upstreams, cx.now), [address(3)], "at once");
}

/// R13.
#[test]
fn two_addresses_of_one_node_are_one_node() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2, 3, 4]);
    for (n, found) in [(1, 9), (2, 5), (3, 9)] {
        upstreams.dial_succeeded(&address(n), node(found), &mut cx);
    }
    assert_eq!(upstreams.nodes(), [node(5), node(9)]);
    assert!(upstreams.contains(&node(9)) && !upstreams.contains(&node(1)));
}

#[test]
fn what_is_linked_or_being_dialled_is_not_due() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2, 3]);
    upstreams.dial_begun(&address(1), &mut cx);
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    upstreams.dial_begun(&address(2), &mut cx);
    let linked = |n: &NodeId| *n == node(1);
    assert_eq!(upstreams.take_due(&mut cx, linked, |_| false), [address(3)]);
    upstreams.dial_begun(&address(3), &mut cx);
    let look = upstreams.next_due(linked).unwrap();
    assert!(look > cx.now, "to see where the linked one leads: {look:?}");
    assert_eq!(due(&upstreams, cx.now), [address(1)], "its link is gone");
    upstreams.dial_succeeded(&address(2), node(2), &mut cx);
    assert!(
        !upstreams
            .iter()
            .any(|u| u.is_dialing() && u.address() == &address(2))
    );
}

/// R37: where nobody is linked the backoff decides, unless nobody at all is heard.
#[test]
fn what_is_linked_is_looked_at_and_what_is_not_is_dialled() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2]);
    cx.now = at(0);
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    upstreams.report_up(node(1), &mut cx);
    let linked = |n: &NodeId| *n == node(1);
    let mut looks = [Vec::new(), Vec::new()];
    while cx.now < at(70) {
        cx.now = upstreams.next_due(linked).unwrap().max(cx.now);
        for address in upstreams.take_due(&mut cx, linked, |_| false) {
            upstreams.dial_begun(&address, &mut cx);
            if address == self::address(1) {
                looks[0].push(cx.now);
                upstreams.dial_succeeded(&address, node(1), &mut cx);
            } else {
                looks[1].push(cx.now);
                upstreams.dial_failed(&address, false, &mut cx);
            }
        }
    }
    assert_eq!(looks[0].len(), 4, "{looks:?}");
    assert!(looks[1].len() > 4, "{looks:?}");
    assert!(upstreams.take_due(&mut cx, linked, |_| false).is_empty());
    upstreams.look_at_once(cx.now);
    assert_eq!(upstreams.next_due(linked), Some(cx.now));
    assert_eq!(
        upstreams.take_due(&mut cx, linked, |_| false),
        [1, 2].map(address)
    );
    let [first, ..] = upstreams.iter().collect::<Vec<_>>()[..] else {
        panic!()
    };
    assert_eq!(first.failures(), 0);
}

/// R44: of many, those that are not among the first are dialled only where no live node is listed, or
/// when nobody is heard.
#[test]
fn of_many_most_are_dialled_only_where_nobody_is_known() {
    let addresses: Vec<_> = (1..=100).collect();
    let (mut upstreams, mut cx) = upstreams(&addresses);
    let first = upstreams.take_due(&mut cx, |_| false, |_| true);
    assert_eq!(first.len(), 6, "at the ranks +1 to +32");
    assert_eq!(upstreams.iter().filter(|u| u.is_spared()).count(), 94);
    first.iter().for_each(|a| upstreams.dial_begun(a, &mut cx));
    assert!(upstreams.take_due(&mut cx, |_| false, |_| false).is_empty());
    cx.now = at(10 + 600);
    let rest = upstreams.take_due(&mut cx, |_| false, |_| false);
    assert_eq!(rest.len(), 94, "nobody is listed there any more");
    let again = upstreams.take_due(&mut cx, |_| false, |_| true);
    assert!(again.is_empty());
    upstreams.look_at_once(cx.now);
    let urgent = upstreams.take_due(&mut cx, |_| false, |_| true);
    assert_eq!(urgent.len(), 94, "nobody is heard");
}

/// R19, R37: with very many upstreams the looks leave dials for others.
#[test]
fn looks_are_budgeted() {
    let addresses: Vec<_> = (1..=200).collect();
    let (mut upstreams, mut cx) = upstreams(&addresses);
    let mut looks = 0;
    for n in addresses {
        upstreams.dial_succeeded(&address(n), node(u32::from(n)), &mut cx);
    }
    let end = cx.now + Duration::from_secs(20);
    while cx.now < end {
        for address in upstreams.take_due(&mut cx, |_| true, |_| false) {
            looks += 1;
            upstreams.dial_begun(&address, &mut cx);
            upstreams.dial_succeeded(&address, node(1), &mut cx);
        }
        let next = upstreams.next_due(|_| true).unwrap();
        assert!(next > cx.now, "it is put off");
        cx.now = next;
    }
    assert!((40..=43).contains(&looks), "{looks}");
}

/// R37: what a look fails to reach is still there where it is linked.
#[test]
fn a_failed_look_takes_nobody_down() {
    let (mut upstreams, mut cx) = synced();
    upstreams.report_up(node(1), &mut cx);
    events(&mut cx);
    upstreams.dial_begun(&address(1), &mut cx);
    upstreams.dial_failed(&address(1), true, &mut cx);
    assert_eq!(events(&mut cx), []);
    let upstream = upstreams.iter().next().unwrap();
    assert_eq!((upstream.failures(), upstream.is_dialing()), (0, false));
    assert!(upstreams.is_synced(&node(1)));
}

/// R37: whether a second link to who answers there is of use.
#[test]
fn what_was_found_is_known_or_new() {
    let (mut upstreams, mut cx) = upstreams(&[1]);
    let mut find = |upstreams: &mut Upstreams, n| {
        let known = upstreams.dial_succeeded(&address(1), node(n), &mut cx);
        upstreams.report_up(node(n), &mut cx);
        known
    };
    assert!(!find(&mut upstreams, 1));
    assert!(find(&mut upstreams, 1));
    assert!(!find(&mut upstreams, 2), "another one");
    assert!(find(&mut upstreams, 2));
}

/// R37: a balancer that was away is looked at again as after a start.
#[test]
fn looks_begin_anew_when_an_address_leads_somewhere_again() {
    let (mut upstreams, mut cx) = synced();
    upstreams.report_up(node(1), &mut cx);
    let next = |upstreams: &Upstreams| upstreams.next_due(|_| true).unwrap();
    cx.now = at(1_000);
    upstreams.dial_begun(&address(1), &mut cx);
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    assert!(next(&upstreams) > at(1_400), "it was there all the time");
    upstreams.link_gone(node(1), true, true, &mut cx);
    cx.now = at(1_100);
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    assert!(next(&upstreams) <= at(1_101));
    upstreams.report_up(node(1), &mut cx);
    upstreams.dial_succeeded(&address(1), node(2), &mut cx);
    let second = next(&upstreams);
    upstreams.report_up(node(2), &mut cx);
    cx.now = at(1_101);
    upstreams.dial_begun(&address(1), &mut cx);
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    assert!(
        next(&upstreams) > second,
        "not for another node at each look"
    );
}

/// R17.
#[test]
fn each_failed_dial_doubles_the_backoff_and_is_reported() {
    let (mut upstreams, mut cx) = upstreams(&[1]);
    for failures in 0..12 {
        upstreams.dial_begun(&address(1), &mut cx);
        upstreams.dial_failed(&address(1), false, &mut cx);
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
    upstreams.dial_succeeded(&address(1), node(9), &mut cx);
    upstreams.dial_succeeded(&address(2), node(9), &mut cx);
    upstreams.report_up(node(9), &mut cx);
    upstreams.report_up(node(9), &mut cx);
    upstreams.report_up(node(5), &mut cx);
    assert_eq!(events(&mut cx), [up(1, node(9)), up(2, node(9))]);
    upstreams.dial_failed(&address(2), false, &mut cx);
    events(&mut cx);
    upstreams.report_up(node(9), &mut cx);
    assert_eq!(events(&mut cx), [up(2, node(9))]);
}

/// R20: who is found at an address for the first time has not been heard yet.
#[test]
fn another_node_at_an_address_is_new() {
    let (mut upstreams, mut cx) = synced();
    upstreams.report_up(node(1), &mut cx);
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    assert!(upstreams.is_synced(&node(1)), "the same node");
    upstreams.report_up(node(1), &mut cx);
    assert_eq!(events(&mut cx), [up(1, node(1))]);
    upstreams.dial_succeeded(&address(1), node(2), &mut cx);
    assert!(!upstreams.is_synced(&node(2)));
    upstreams.report_up(node(2), &mut cx);
    assert_eq!(events(&mut cx), [up(1, node(2))]);
    assert_eq!(upstreams.nodes(), [node(2)]);
}

/// R20: an upstream not yet heard comes first.
#[test]
fn an_upstream_is_unsynced_until_an_exchange_has_completed() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2]);
    assert_eq!(upstreams.unsynced().count(), 0, "nobody is known there");
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
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

/// R37: another try within a second, backing off to 30 s, and never the end of it.
#[test]
fn after_meeting_itself_a_node_tries_again_soon() {
    let (mut upstreams, mut cx) = upstreams(&[1]);
    for times in 0..12_u32 {
        upstreams.dial_begun(&address(1), &mut cx);
        upstreams.met_itself(&address(1), false, &mut cx);
        let upstream = upstreams.iter().next().unwrap();
        assert_eq!(u32::from(upstream.times_itself()), times + 1);
        let wait = wait(&upstreams, &cx);
        let most = Duration::from_secs((1 << times.min(5)).min(30));
        assert!(wait >= most / 2 && wait < most, "{times}: {wait:?}");
        cx.now = cx.now + wait;
        assert_eq!(
            upstreams.take_due(&mut cx, |_| false, |_| false),
            [address(1)]
        );
    }
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    assert_eq!(upstreams.iter().next().unwrap().times_itself(), 0);
}

/// R37: five in a row are reported, once in an interval, unless some upstream leads elsewhere.
#[test]
fn an_address_that_leads_to_this_node_alone_is_reported() {
    let (mut upstreams, mut cx) = upstreams(&[1, 2]);
    let report = || Event::UpstreamIsItself {
        address: address(1),
    };
    let meet = |upstreams: &mut Upstreams, cx: &mut Cx, now, own| {
        cx.now = now;
        let certain = upstreams.met_itself(&address(1), own, cx);
        (certain, events(cx))
    };
    for _ in 0..4 {
        assert_eq!(
            meet(&mut upstreams, &mut cx, at(20), false),
            (false, Vec::new())
        );
    }
    assert_eq!(
        meet(&mut upstreams, &mut cx, at(20), false),
        (true, [report()].into())
    );
    assert_eq!(
        meet(&mut upstreams, &mut cx, at(619), false),
        (true, Vec::new())
    );
    assert_eq!(
        meet(&mut upstreams, &mut cx, at(620), false),
        (true, [report()].into())
    );
    upstreams.dial_succeeded(&address(2), node(2), &mut cx);
    assert_eq!(
        meet(&mut upstreams, &mut cx, at(2_000), false),
        (false, Vec::new())
    );
    // Its own address is itself, at once.
    assert!(meet(&mut upstreams, &mut cx, at(2_000), true).0);
}

/// R37: silent, or itself, for ten seconds.
#[test]
fn an_address_is_silent_ten_seconds_after_it_led_elsewhere() {
    let (mut upstreams, mut cx) = upstreams(&[1]);
    let silent = |upstreams: &Upstreams, now| upstreams.iter().all(|u| u.is_silent(now));
    assert!(!silent(&upstreams, at(10) - NANOSECOND) && silent(&upstreams, at(10)));
    upstreams.met_itself(&address(1), false, &mut cx);
    assert!(silent(&upstreams, at(10)), "that is nobody");
    cx.now = at(30);
    upstreams.dial_succeeded(&address(1), node(1), &mut cx);
    assert!(!silent(&upstreams, at(39)));
    cx.now = at(100);
    upstreams.link_gone(node(1), true, true, &mut cx);
    assert!(!silent(&upstreams, at(109)) && silent(&upstreams, at(110)));
}
