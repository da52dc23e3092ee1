use super::*;
use crate::node::testing::{at, cx, events, node};
use alloc::vec;

const IP: [u8; 4] = [192, 0, 2, 1];

fn tcp(ip: [u8; 4]) -> Multiaddr {
    Multiaddr::tcp((ip, 7_000).into())
}

fn quic(ip: [u8; 4]) -> Multiaddr {
    Multiaddr::quic((ip, 7_000).into())
}

/// Listens at every address, over both transports.
fn listening(cx: &Cx) -> OwnAddresses {
    let any = [0; 4];
    OwnAddresses::new(Vec::new(), vec![quic(any), tcp(any)], cx)
}

fn link(n: u32) -> LinkId {
    LinkId::new(n.into())
}

/// Node `n`, which this one has dialled or not, sees it there.
fn seen(own: &mut OwnAddresses, n: u32, ip: [u8; 4], dialled: bool, cx: &mut Cx) {
    let at = Some((ip, 50_000).into());
    own.seen(link(n), node(n), at, (dialled, true), cx);
}

/// All that is asked now.
fn asks(own: &mut OwnAddresses, cx: &mut Cx) -> Vec<Ask> {
    core::iter::from_fn(|| own.next_ask(cx)).take(50).collect()
}

/// Node `n`, which was asked, has dialled, and says so.
fn answers(own: &mut OwnAddresses, n: u32, at: &Multiaddr, reached: bool, cx: &mut Cx) {
    if reached {
        own.came(node(n), cx);
    }
    own.tried((link(n), node(n)), at, reached, cx);
}

/// R38: what was seen is announced when it is proven, both transports together.
#[test]
fn what_others_see_is_advertised_once_they_have_dialled_it() {
    let mut cx = cx(at(100));
    let mut own = listening(&cx);
    seen(&mut own, 1, IP, true, &mut cx);
    assert_eq!(own.advertised(cx.now), []);
    let expected = [
        Ask::Back(link(1), Protocol::Quic, 7_000),
        Ask::Back(link(1), Protocol::Tcp, 7_000),
    ];
    assert_eq!(asks(&mut own, &mut cx), expected);
    answers(&mut own, 1, &tcp(IP), true, &mut cx);
    assert_eq!(own.advertised(cx.now), [], "the other is on its way");
    answers(&mut own, 1, &quic(IP), true, &mut cx);
    assert_eq!(own.advertised(cx.now), [quic(IP), tcp(IP)]);
    let reached = |address| Event::OwnAddressReached { address };
    assert_eq!(events(&mut cx), [reached(tcp(IP)), reached(quic(IP))]);
    assert_eq!(asks(&mut own, &mut cx), [], "enough");
}

/// R38: one transport that is blocked does not hold up the other.
#[test]
fn an_answer_that_does_not_come_is_not_waited_for() {
    let mut cx = cx(at(100));
    let mut own = listening(&cx);
    seen(&mut own, 1, IP, true, &mut cx);
    asks(&mut own, &mut cx);
    answers(&mut own, 1, &tcp(IP), true, &mut cx);
    cx.now = at(102);
    assert_eq!(own.advertised(cx.now), [tcp(IP)]);
}

/// R38: what nobody can be dialled at is no candidate, nor what has no socket.
#[test]
fn not_every_address_is_a_candidate() {
    let mut cx = cx(at(100));
    let mut own = listening(&cx);
    for ip in [[127, 0, 0, 1], [0; 4], [224, 0, 0, 1], [169, 254, 1, 1]] {
        seen(&mut own, 1, ip, true, &mut cx);
    }
    let v6 = Some("[2001:db8::1]:5".parse().unwrap());
    own.seen(link(2), node(2), v6, (true, true), &mut cx);
    assert_eq!(own.len(), 0);
    seen(&mut own, 3, IP, true, &mut cx);
    assert_eq!(own.len(), 2);
    cx.config.local = true;
    seen(&mut own, 4, [127, 0, 0, 1], true, &mut cx);
    assert_eq!(own.len(), 4);
}

/// R38: whoever says that it has dialled has to have come, before or after.
#[test]
fn a_claim_without_a_link_proves_nothing() {
    let mut cx = cx(at(100));
    let mut own = listening(&cx);
    seen(&mut own, 1, IP, true, &mut cx);
    asks(&mut own, &mut cx);
    for address in [tcp(IP), quic(IP)] {
        own.tried((link(1), node(1)), &address, true, &mut cx);
    }
    own.came(node(2), &mut cx);
    cx.now = at(105);
    assert_eq!(own.advertised(cx.now), []);
    own.came(node(1), &mut cx);
    assert_eq!(own.advertised(cx.now).len(), 2);
}

/// R38: only whoever was asked is believed.
#[test]
fn what_nobody_has_asked_for_says_nothing() {
    let mut cx = cx(at(100));
    let mut own = OwnAddresses::new(vec![tcp(IP)], Vec::new(), &cx);
    for n in 1..6 {
        seen(&mut own, n, IP, true, &mut cx);
        answers(&mut own, n, &tcp(IP), false, &mut cx);
        answers(&mut own, n, &tcp([192, 0, 2, 9]), true, &mut cx);
    }
    let entry = own.iter().next().unwrap();
    assert_eq!(
        (entry.state(), entry.missed_by().len()),
        (State::Unproven, 0)
    );
}

/// R38: where many say where they see this node, a single one does not decide.
#[test]
fn one_liar_among_many_adds_no_address() {
    let mut cx = cx(at(100));
    let mut own = listening(&cx);
    for n in 1..6 {
        seen(&mut own, n, IP, true, &mut cx);
    }
    let victim = [198, 51, 100, 1];
    seen(&mut own, 9, victim, true, &mut cx);
    for _ in 0..10 {
        for ask in asks(&mut own, &mut cx) {
            let Ask::Back(at, protocol, _) = ask else {
                continue;
            };
            let n = at.get() as u32;
            let ip = if n == 9 { victim } else { IP };
            let address = if protocol == Protocol::Quic {
                quic(ip)
            } else {
                tcp(ip)
            };
            answers(&mut own, n, &address, true, &mut cx);
        }
    }
    assert_eq!(own.advertised(cx.now), [quic(IP), tcp(IP)]);
}

/// R38: what others have dialled may be a balancer's, and is not looked at where links that this
/// node has dialled tell more.
#[test]
fn what_a_balancer_shows_gives_way_to_what_is_seen_of_this_nodes_links() {
    let mut cx = cx(at(100));
    let mut own = listening(&cx);
    let balancer = [198, 51, 100, 1];
    seen(&mut own, 1, balancer, false, &mut cx);
    seen(&mut own, 2, IP, true, &mut cx);
    let links: Vec<_> = asks(&mut own, &mut cx).into_iter().collect();
    assert_eq!(links.len(), 2);
    assert!(
        links
            .iter()
            .all(|a| matches!(a, Ask::Back(l, ..) if *l == link(2)))
    );
}

/// R38: what is configured is announced at once and whatever comes of it, last where nobody reaches it.
#[test]
fn what_is_configured_is_advertised_and_tried() {
    let mut cx = cx(at(100));
    let other = [198, 51, 100, 7];
    let mut own = OwnAddresses::new(vec![tcp(other), tcp(IP)], Vec::new(), &cx);
    assert_eq!(own.advertised(cx.now), [tcp(other), tcp(IP)]);
    for n in 1..4 {
        seen(&mut own, n, IP, true, &mut cx);
    }
    assert_eq!(asks(&mut own, &mut cx), [], "most are dialled anyway");
    let mut listed = Vec::new();
    for _ in 0..20 {
        cx.now = cx.now + Duration::from_secs(10);
        own.expire(&mut cx);
        for ask in asks(&mut own, &mut cx) {
            match ask {
                Ask::Back(l, ..) => answers(&mut own, l.get() as u32, &tcp(IP), true, &mut cx),
                Ask::Listed(l) => {
                    listed.push(l);
                    answers(&mut own, l.get() as u32, &tcp(other), false, &mut cx);
                }
            }
        }
    }
    assert!(listed.len() >= 2, "{listed:?}");
    assert_eq!(own.advertised(cx.now), [tcp(IP), tcp(other)]);
    let states: Vec<_> = own.iter().map(Entry::state).collect();
    assert_eq!(states, [State::Unreachable, State::Proven]);
    let told = events(&mut cx);
    assert!(told.contains(&Event::OwnAddressUnreachable {
        address: tcp(other)
    }));
    assert_eq!(told.len(), 2, "{told:?}");
}

/// R38: whoever has dialled this node knows where.
#[test]
fn a_link_that_others_have_dialled_proves_what_is_configured() {
    let mut cx = cx(at(100));
    let mut own = OwnAddresses::new(vec![tcp(IP)], Vec::new(), &cx);
    let seen = Some((IP, 7_000).into());
    own.seen(link(1), node(1), seen, (true, true), &mut cx);
    assert_eq!(events(&mut cx), [], "this node has dialled");
    own.seen(link(2), node(2), seen, (false, true), &mut cx);
    assert_eq!(events(&mut cx).len(), 1);
}

/// R38: an address that this machine has no more is announced no more.
#[test]
fn what_nobody_sees_any_more_is_tried_and_goes() {
    let mut cx = cx(at(100));
    let mut own = OwnAddresses::new(Vec::new(), vec![tcp([0; 4])], &cx);
    for n in 1..4 {
        seen(&mut own, n, IP, true, &mut cx);
    }
    let moved = [198, 51, 100, 7];
    for second in 0..600 {
        cx.now = at(100 + second);
        if second == 60 {
            (1..4).for_each(|n| own.link_gone(link(n)));
            (1..4).for_each(|n| seen(&mut own, n, moved, true, &mut cx));
        }
        let there = if second < 60 { IP } else { moved };
        for ask in asks(&mut own, &mut cx) {
            match ask {
                Ask::Back(l, ..) => answers(&mut own, l.get() as u32, &tcp(there), true, &mut cx),
                Ask::Listed(l) => answers(&mut own, l.get() as u32, &tcp(IP), false, &mut cx),
            }
        }
        let expected = match second {
            0..60 => vec![tcp(IP)],
            60..190 => continue,
            _ => vec![tcp(moved)],
        };
        assert_eq!(own.advertised(cx.now), expected, "{second}");
    }
}

/// R22.
#[test]
fn candidates_and_sightings_are_bounded() {
    let mut cx = cx(at(100));
    let mut own = listening(&cx);
    for n in 0..2_000 {
        seen(&mut own, n, [198, 51, 100, n as u8], n % 2 == 0, &mut cx);
        own.came(node(n), &mut cx);
    }
    assert_eq!(own.sighting_count(), caps::SIGHTINGS);
    assert_eq!(own.len(), caps::CANDIDATES);
    assert!(own.came.len() <= caps::SIGHTINGS);
    (0..2_000).for_each(|n| own.link_gone(link(n)));
    seen(&mut own, 5, IP, true, &mut cx);
    assert!(
        own.iter().any(|e| *e.address() == tcp(IP)),
        "old ones gave way"
    );
    own.configure(vec![tcp(IP)], cx.now);
    own.listen(Vec::new());
    assert_eq!(own.len(), 1);
}
