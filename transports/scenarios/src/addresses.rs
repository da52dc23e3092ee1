//! IPv6, both families at once, and links that rest.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use peer_exchange::driver::Ended;
use peer_exchange::{CloseReason, Notice, RingKey, UpstreamState};

use crate::lab::{Kind, Plan, address, eventually};

/// False, and says so, where this machine has no IPv6.
fn has_ipv6(scenario: &str) -> bool {
    let socket = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0));
    if let Err(error) = &socket {
        eprintln!("{scenario}: skipped, there is no IPv6 here: {error}");
    }
    socket.is_ok()
}

/// Nothing here is IPv4.
pub async fn a_ring_over_ipv6_converges<K: Kind>() {
    if !has_ipv6("a_ring_over_ipv6_converges") {
        return;
    }
    let ring = [(); 3].map(|()| Plan::new().at(&[Ipv6Addr::LOCALHOST.into()]).start::<K>());
    for (node, next) in ring.iter().zip([1, 2, 0]) {
        let upstreams = vec![ring[next].address.clone()];
        node.handle.set_upstreams(upstreams).await.unwrap();
    }
    for node in &ring {
        let others: Vec<_> = ring
            .iter()
            .map(|n| n.node)
            .filter(|id| *id != node.node)
            .collect();
        node.knows(&others).await;
        eventually("the cycle is found", async || {
            !node.handle.loops().await.unwrap().is_empty()
        })
        .await;
        let links = node.handle.links().await.unwrap();
        assert!(
            links.iter().all(|l| l.remote.is_some_and(|r| r.is_ipv6())),
            "{links:?}"
        );
    }
}

/// It listens on both families, and those of one family each meet through it.
pub async fn a_node_of_both_families_joins_those_of_one<K: Kind>() {
    if !has_ipv6("a_node_of_both_families_joins_those_of_one") {
        return;
    }
    let (v4, v6): (IpAddr, IpAddr) = (Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into());
    let both = Plan::new().at(&[v4, v6]).start::<K>();
    let [on_v4, on_v6] = [v4, v6].map(|ip| {
        let sockets = K::sockets(&both.transport);
        let socket = sockets
            .iter()
            .find(|s| s.ip() == ip)
            .expect("it listens there");
        let upstream = address::<K>(*socket);
        Plan::new().at(&[ip]).upstream(&upstream).start::<K>()
    });
    both.knows(&[on_v4.node, on_v6.node]).await;
    on_v4.knows(&[both.node, on_v6.node]).await;
    on_v6.knows(&[both.node, on_v4.node]).await;
    // Their records tell both addresses.
    let peer = on_v4.handle.peer(both.node).await.unwrap().unwrap();
    assert_eq!(peer.addresses.len(), 2, "{:?}", peer.addresses);
}

/// A link that nobody uses closes, and opens again when there is something to ask.
pub async fn an_idle_link_closes_and_opens_again<K: Kind>() {
    let mut plans = [(); 6].map(|()| Plan::new());
    plans.sort_by_key(|plan| plan.key.node());
    // Of two links between two nodes its own stays (R23); it keeps those to the next two round the
    // ring (R46), so that the furthest is no standing one.
    let ring = RingKey::new("");
    let place = |plan: &Plan| ring.position(&plan.key.node()).get();
    let from = place(&plans[0]);
    plans[1..].sort_by_key(|plan| place(plan).wrapping_sub(from));
    let [mut smallest, hub, rest @ ..] = plans;
    smallest.config.max_links = 5;
    let hub = hub.start::<K>();
    let mut others: Vec<_> = rest
        .into_iter()
        .map(|plan| plan.upstream(&hub.address).start::<K>())
        .collect();
    let furthest = others[3].address.clone();
    smallest.config.link_idle = Duration::from_secs(1);
    let plan = smallest.upstream(&hub.address).upstream(&furthest);
    let mut one = plan.start::<K>();
    let upstreams = vec![hub.address.clone()];
    others.push(hub);
    let ids: Vec<_> = others.iter().map(|n| n.node).collect();
    one.knows(&ids).await;
    eventually("it has dialled its upstreams", async || {
        let known = one.handle.upstreams().await.unwrap();
        known.iter().all(|u| u.state == UpstreamState::Up)
    })
    .await;
    // From now on a link like others.
    one.handle.set_upstreams(upstreams).await.unwrap();
    let closed = one
        .notice(|n| match n {
            Notice::LinkDown {
                node,
                ended: Ended::Closed(CloseReason::Idle),
                ..
            } => Some(*node),
            _ => None,
        })
        .await;
    // It stays known, and no failure is counted.
    assert!(
        one.handle
            .peer(closed)
            .await
            .unwrap()
            .is_some_and(|p| p.reachable)
    );
    eventually("a link to it opens again", async || {
        one.handle.discover().await.unwrap();
        let links = one.handle.links().await.unwrap();
        links.iter().any(|l| l.node == closed)
    })
    .await;
}
