//! What has to hold of a node's effects and views. Written from the rules, without a look at how
//! the node does it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use peer_exchange::addr::Host as Place;
use peer_exchange::contract;
use peer_exchange::{Event, Multiaddr, NodeId, Target, UpstreamState};

use super::host::Host;

/// R7: what may be dialled and reported.
pub fn is_usable(address: &Multiaddr, local: bool) -> bool {
    if address.port().is_some_and(|(_, port)| port == 0) {
        return false;
    }
    let ip = match address.host() {
        Place::Dns(name) => return local || !name.eq_ignore_ascii_case("localhost"),
        Place::Ip(ip) => ip.to_canonical(),
        other => panic!("an unknown kind of place: {other:?}"),
    };
    let link_local = match ip {
        IpAddr::V4(ip) => ip.octets()[..2] == [169, 254] || ip.octets() == [255; 4],
        IpAddr::V6(ip) => ip.segments()[0] >> 6 == 0xfe80 >> 6,
    };
    !ip.is_unspecified() && !ip.is_multicast() && !link_local && (local || !ip.is_loopback())
}

pub fn target(target: &Target, host: &Host) {
    let addresses = target.addresses();
    let Some(node) = target.node() else {
        // What the embedder has configured is dialled, whatever it is.
        let mut upstreams = host.node.upstreams();
        assert!(
            upstreams.any(|u| u.address == addresses[0]),
            "{addresses:?}"
        );
        return;
    };
    assert_ne!(node, host.id, "it dials itself");
    assert!(!addresses.is_empty(), "nowhere to dial");
    assert!(addresses.len() <= contract::ADDRESSES);
    let bad = addresses.iter().find(|a| !is_usable(a, host.config.local));
    assert_eq!(bad, None, "it dials what must not be dialled");
}

/// Keeps the list of peers by the events alone: it has to agree with the views.
pub fn event(event: &Event, host: &mut Host) {
    match event {
        Event::PeerUp { node } => {
            assert_ne!(*node, host.id, "a peer of itself");
            let before = host.known.insert(*node, Default::default());
            assert_eq!(before, None, "{node:?} was up already");
        }
        Event::PeerChanged { node } => {
            assert!(host.known.contains_key(node), "{node:?} was not up");
        }
        Event::PeerExpired { node }
        | Event::PeerLeft { node }
        | Event::PeerEvicted { node }
        | Event::PeerDown { node } => {
            assert!(host.known.remove(node).is_some(), "{node:?} was not up");
        }
        Event::LoopDetected { path } => cycle(path, host.id),
        Event::Blamed { link, node, .. } => {
            assert_eq!(host.links.get(link).map(|l| l.node), Some(*node));
        }
        Event::Conflict { node, .. } | Event::Throttled { node, .. } => {
            assert_ne!(*node, host.id);
        }
        _ => {}
    }
}

/// R13: distinct nodes, the smallest first, this one among them.
fn cycle(path: &[NodeId], id: NodeId) {
    assert!((1..=contract::HOPS).contains(&path.len()), "{path:?}");
    let distinct: BTreeSet<_> = path.iter().collect();
    assert_eq!(distinct.len(), path.len(), "{path:?}");
    assert_eq!(distinct.first(), path.iter().min().as_ref(), "{path:?}");
    assert_eq!(path.first(), path.iter().min(), "{path:?}");
    assert!(path.contains(&id), "{path:?} without {id:?}");
}

/// The views agree with the events, with the embedder's books, and with R1, R2 and R7.
pub fn views(host: &mut Host) {
    let node = &host.node;
    let mut seen = BTreeSet::new();
    for peer in node.peers() {
        let bad = peer
            .addresses
            .iter()
            .find(|a| !is_usable(a, host.config.local));
        assert_eq!(bad, None, "it reports what must not be reported");
        assert!(peer.lifetime_left <= peer.lifetime, "{peer:?}");
        assert!(peer.lifetime <= contract::LIFETIME, "{peer:?}");
        assert!(peer.metadata.len() <= contract::METADATA_BYTES, "{peer:?}");
        let known = host.known.get_mut(&peer.node);
        let known = known.unwrap_or_else(|| panic!("no event has told of {:?}", peer.node));
        assert!(*known <= peer.sequence, "{known:?} to {:?}", peer.sequence);
        *known = peer.sequence;
        seen.insert(peer.node);
    }
    assert_eq!(node.peer_count(), seen.len());
    assert_eq!(host.known.len(), seen.len(), "events tell of more peers");
    if !host.over {
        let mut waiting = node.upstreams().filter_map(|u| match u.state {
            UpstreamState::Waiting(at) => Some(at.max(host.clock)),
            _ => None,
        });
        let forgotten = waiting.find(|at| host.deadline.is_none_or(|deadline| deadline > *at));
        assert_eq!(forgotten, None, "an upstream waits, and the node sleeps on");
        let links: Vec<_> = node.links().map(|l| (l.link, l.node)).collect();
        // A link to this node's own ID waits for its Hello, and is none of another node (R36).
        let others = host.links.iter().filter(|(_, link)| link.node != host.id);
        let books = others.map(|(id, link)| (*id, link.node));
        assert_eq!(links, books.collect::<Vec<_>>(), "the links differ");
    }
}
