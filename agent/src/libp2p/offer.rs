//! What is told of the services beside the members: of each member one, by its own word alone.
//!
//! Nothing binds a libp2p ID, or an address, to whoever announces it. So what one member says changes
//! nothing in what is told of another. Two that claim one ID are told of beside each other: whoever
//! connects has the ID proven, and finds out. Merged, the addresses of the one that lies would stand
//! before those of the true one, hide it from whoever asks from there, and have it taken for lost.

use super::{ADDRESSES, PeerId, Service};
use peer_exchange::addr::{Host, p2p_component};
use peer_exchange::{Multiaddr, Node};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// A service that somebody may be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// `None` where only its addresses are known.
    pub(crate) id: Option<PeerId>,
    /// `/ip4/…/tcp/…`, one at least.
    pub(crate) addresses: Vec<String>,
    /// Of these addresses.
    pub(super) ips: Vec<IpAddr>,
    pub(super) rank: Rank,
    /// It is beside this agent.
    pub(super) own: bool,
}

/// The live come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It is beside this agent; or where nobody is watched, the agent beside it is connected to this
    /// one.
    Surest,
    /// Those that are connected are no more live than others that are watched: else whoever connects to
    /// everybody would be told of by all.
    Live,
    /// Its agent could not be reached: perhaps its machine is down.
    Unreachable,
}

/// The services of all known nodes, this one's among them, in the order of their IDs and addresses,
/// each once.
pub(super) fn all(node: &Node, local: bool) -> Vec<Offer> {
    let watched = node.config().detection.is_some();
    let mut own = Claim::of(node.addresses(), Rank::Surest, local);
    own.iter_mut().for_each(|own| own.own = true);
    let own_id = own.as_ref().and_then(|own| own.id.clone());
    let others = node.peers().filter_map(|peer| {
        let rank = match (peer.linked, peer.reachable) {
            (true, _) if !watched => Rank::Surest,
            (true, _) | (_, true) => Rank::Live,
            (false, false) => Rank::Unreachable,
        };
        Claim::of(&peer.addresses, rank, local)
    });
    let claims: Vec<_> = own.into_iter().chain(others).collect();
    let mut offers = offers(claims);
    for offer in &mut offers {
        // Whoever else claims its ID.
        offer.own |= own_id.is_some() && offer.id == own_id;
    }
    offers
}

/// What a member has said of the service beside it.
struct Claim {
    id: Option<PeerId>,
    /// Each once.
    addresses: Vec<Claimed>,
    rank: Rank,
    /// It is this node's.
    own: bool,
}

struct Claimed {
    text: String,
    ip: Option<IpAddr>,
    /// Its node is reached at this IP address, too.
    home: bool,
}

impl Claim {
    /// Of several services the first with an ID counts, or else those addresses whose IDs nobody
    /// knows, as one service. Loopback addresses are of use to nobody else, unless this is `local`.
    fn of(record: &[Multiaddr], rank: Rank, local: bool) -> Option<Self> {
        let services: Vec<_> = record.iter().filter_map(Service::of).collect();
        let id = services.iter().find_map(|service| service.id.clone());
        let nodes = record.iter().filter(|at| p2p_component(at).is_none());
        let homes: Vec<_> = nodes.filter_map(ip).collect();
        let mut addresses: Vec<Claimed> = Vec::new();
        for service in services {
            let ip = service.ip.map(|ip| ip.to_canonical());
            let lost = !local && ip.is_some_and(|ip| ip.is_loopback());
            let known = addresses.iter().any(|a| a.text == service.address);
            if service.id == id && !lost && !known && addresses.len() < ADDRESSES {
                addresses.push(Claimed {
                    text: service.address,
                    ip,
                    home: ip.is_some_and(|ip| homes.contains(&ip)),
                });
            }
        }
        (!addresses.is_empty()).then_some(Self {
            id,
            addresses,
            rank,
            own: false,
        })
    }
}

fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.host() {
        Host::Ip(ip) => Some(ip.to_canonical()),
        _ => None,
    }
}

fn offers(mut claims: Vec<Claim>) -> Vec<Offer> {
    leave_out_shared(&mut claims);
    let offer = |claim: Claim| Offer {
        id: claim.id,
        ips: claim.addresses.iter().filter_map(|at| at.ip).collect(),
        addresses: claim.addresses.into_iter().map(|at| at.text).collect(),
        rank: claim.rank,
        own: claim.own,
    };
    let mut offers: Vec<_> = claims.into_iter().map(offer).collect();
    // The own one comes first, and is the one that stays.
    offers.sort_by(|a, b| (&a.id, &a.addresses, a.rank).cmp(&(&b.id, &b.addresses, b.rank)));
    offers.dedup_by(|a, b| (&a.id, &a.addresses) == (&b.id, &b.addresses));
    offers
}

/// Leaves out addresses that several services claim, such as that of a bridge which every machine
/// has: Spegel takes a peer that has one of its own addresses for itself. One at which the node
/// beside the service is reached as well stays: else whoever claims it, too, would take it away.
fn leave_out_shared(claims: &mut [Claim]) {
    let mut by: HashMap<&str, &Option<PeerId>> = HashMap::new();
    let mut shared = HashSet::new();
    for claim in &*claims {
        for address in &claim.addresses {
            if *by.entry(&address.text).or_insert(&claim.id) != &claim.id {
                shared.insert(address.text.clone());
            }
        }
    }
    let stays = |at: &Claimed| at.home || !shared.contains(&at.text);
    for claim in claims {
        if claim.addresses.iter().any(stays) {
            claim.addresses.retain(stays);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> PeerId {
        PeerId::from_multihash(&[0, 2, 1, n]).unwrap()
    }

    fn service(ip: &str, id: Option<PeerId>) -> Multiaddr {
        Service::multiaddr(&format!("/ip4/{ip}/tcp/5001"), id.as_ref()).unwrap()
    }

    fn node(ip: &str) -> Multiaddr {
        format!("/ip4/{ip}/tcp/7651").parse().unwrap()
    }

    /// What is told of members with these records.
    fn told(records: &[&[Multiaddr]]) -> Vec<Offer> {
        let claims = records.iter();
        offers(
            claims
                .filter_map(|record| Claim::of(record, Rank::Live, false))
                .collect(),
        )
    }

    /// IDs, and addresses without what all have in common.
    fn shown(offers: &[Offer]) -> Vec<(Option<PeerId>, String)> {
        let short = |address: &String| address["/ip4/".len()..].replace("/tcp/5001", "");
        let one = |offer: &Offer| {
            let addresses: Vec<_> = offer.addresses.iter().map(short).collect();
            (offer.id.clone(), addresses.join(" "))
        };
        offers.iter().map(one).collect()
    }

    #[test]
    fn a_member_has_one_service_however_many_it_announces() {
        let honest = [service("10.0.0.1", Some(id(100)))];
        let many: Vec<_> = (0..16)
            .map(|n| service(&format!("10.0.1.{n}"), Some(id(n))))
            .collect();
        let expected = [
            (Some(id(0)), "10.0.1.0".to_owned()),
            (Some(id(100)), "10.0.0.1".to_owned()),
        ];
        assert_eq!(shown(&told(&[&honest, &many])), expected);
        // Nor has it many without IDs, or at many addresses.
        for one in [None, Some(id(7))] {
            let many: Vec<_> = (0..16)
                .map(|n| service(&format!("10.0.1.{n}"), one.clone()))
                .collect();
            let offers = told(&[&honest, &many]);
            assert_eq!(offers.len(), 2, "{offers:?}");
            let other = offers.iter().find(|offer| offer.id == one).unwrap();
            assert_eq!(other.addresses.len(), ADDRESSES);
        }
    }

    #[test]
    fn a_service_with_an_id_counts_more_than_one_without() {
        let record = [
            service("10.0.0.1", None),
            service("10.0.0.1", Some(id(1))),
            service("10.0.0.2", Some(id(1))),
        ];
        let expected = [(Some(id(1)), "10.0.0.1 10.0.0.2".to_owned())];
        assert_eq!(shown(&told(&[&record])), expected);
    }

    /// It names the ID of another as its own, at addresses of its choice, that of an asker among them.
    #[test]
    fn who_claims_the_id_of_another_takes_nothing_from_it() {
        let honest = [node("10.0.0.1"), service("10.0.0.1", Some(id(1)))];
        let alone = told(&[&honest]);
        for liar in ["10.0.0.0", "10.0.0.9"] {
            // Wherever it sorts.
            let lies = [
                node("10.0.0.1"),
                service(liar, Some(id(1))),
                service("10.0.0.3", Some(id(1))),
            ];
            let offers = told(&[&lies, &honest]);
            assert_eq!(offers.len(), 2, "{offers:?}");
            assert!(offers.contains(&alone[0]), "{offers:?}");
        }
        // What is word for word the same is told once.
        assert_eq!(told(&[&honest, &honest]), alone);
    }

    #[test]
    fn who_claims_the_addresses_of_another_takes_none_away() {
        let bridge = "172.17.0.1";
        let named = [
            node("10.0.0.1"),
            service(bridge, Some(id(1))),
            service("10.0.0.1", Some(id(1))),
        ];
        let unnamed = [service("10.0.0.2", None)];
        let other = [node("10.0.0.3"), service(bridge, Some(id(3)))];
        let lies = ["10.0.0.1", "10.0.0.2", bridge].map(|ip| service(ip, Some(id(9))));
        let told = shown(&told(&[&named, &unnamed, &other, &lies]));
        for offer in [
            // The bridge, which others have as well, is left out, and not the address that is its own.
            (Some(id(1)), "10.0.0.1".to_owned()),
            (None, "10.0.0.2".to_owned()),
        ] {
            assert!(told.contains(&offer), "{offer:?} of {told:?}");
        }
    }

    #[test]
    fn addresses_that_say_nothing_of_their_own_are_left_out() {
        let two = ["10.0.0.2", "127.0.0.1", "172.17.0.1"].map(|ip| service(ip, Some(id(2))));
        let offers = told(&[
            &[service("10.0.0.1", None)],
            &two,
            &[service("127.0.0.1", Some(id(3)))],
            // A bridge that every machine has.
            &[service("172.17.0.1", Some(id(4)))],
        ]);
        let expected = [
            (None, "10.0.0.1".to_owned()),
            (Some(id(2)), "10.0.0.2".to_owned()),
            // It has no other.
            (Some(id(4)), "172.17.0.1".to_owned()),
        ];
        assert_eq!(shown(&offers), expected);
    }
}
