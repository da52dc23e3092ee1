//! Whom a libp2p service may be told of, from what the node knows.

use super::{PeerId, Service};
use peer_exchange::driver::Stopped;
use peer_exchange::{Handle, Node};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// One walk through the table serves everybody who asks within this time.
const FRESH: Duration = Duration::from_secs(1);
/// Services that one answer names. Spegel uses three.
const NAMED: usize = 8;

/// A service that somebody may be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) id: PeerId,
    /// `/ip4/…/tcp/…`, one at least.
    pub(crate) addresses: Vec<String>,
    ips: Vec<IpAddr>,
    rank: Rank,
}

/// The live come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// The agent beside it is connected to this one.
    Linked,
    Reachable,
    /// Its agent could not be reached: perhaps its machine is down.
    Unreachable,
}

/// All of them, walked for at most once a second.
#[derive(Default)]
pub(crate) struct Offers {
    /// Locked while somebody walks, so that all others wait for that walk.
    cached: Mutex<Option<(Instant, Arc<Vec<Offer>>)>>,
}

impl Offers {
    /// What to tell whoever asks from there: the live first, otherwise in random order, and never
    /// the asker itself.
    pub(crate) async fn choose(
        &self,
        handle: &Handle,
        asker: Asker,
    ) -> Result<Vec<Offer>, Stopped> {
        let all = self.all(handle).await?;
        let mut chosen: Vec<_> = all.iter().filter(|o| !asker.is(o)).cloned().collect();
        fastrand::shuffle(&mut chosen);
        chosen.sort_by_key(|offer| offer.rank);
        chosen.truncate(NAMED);
        Ok(chosen)
    }

    async fn all(&self, handle: &Handle) -> Result<Arc<Vec<Offer>>, Stopped> {
        let mut cached = self.cached.lock().await;
        if let Some((at, offers)) = cached.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(offers));
        }
        let offers = Arc::new(handle.read(walk).await?);
        *cached = Some((Instant::now(), Arc::clone(&offers)));
        Ok(offers)
    }
}

/// Who asks.
pub(crate) struct Asker {
    /// From where.
    pub(crate) ip: IpAddr,
    /// The service beside this agent asks from this machine.
    pub(crate) beside: Vec<PeerId>,
}

impl Asker {
    fn is(&self, offer: &Offer) -> bool {
        offer.ips.contains(&self.ip.to_canonical()) || self.beside.contains(&offer.id)
    }
}

/// The services of all known nodes, this one's among them.
fn walk(node: &Node) -> Vec<Offer> {
    let mut offers = BTreeMap::new();
    for peer in node.peers() {
        let rank = match (peer.linked, peer.reachable) {
            (true, _) => Rank::Linked,
            (false, true) => Rank::Reachable,
            (false, false) => Rank::Unreachable,
        };
        let services = peer.addresses.iter().filter_map(Service::of);
        services.for_each(|service| add(&mut offers, service, rank));
    }
    let own = node.addresses().iter().filter_map(Service::of);
    own.for_each(|service| add(&mut offers, service, Rank::Linked));
    offers.into_values().collect()
}

fn add(offers: &mut BTreeMap<PeerId, Offer>, service: Service, rank: Rank) {
    // A loopback address is of no use to anybody else.
    if service.ip.is_some_and(|ip| ip.to_canonical().is_loopback()) {
        return;
    }
    let offer = offers.entry(service.id.clone()).or_insert_with(|| Offer {
        id: service.id,
        addresses: Vec::new(),
        ips: Vec::new(),
        rank,
    });
    if !offer.addresses.contains(&service.address) {
        offer.addresses.push(service.address);
    }
    offer.ips.extend(service.ip.map(|ip| ip.to_canonical()));
    offer.rank = offer.rank.min(rank);
}

#[cfg(test)]
mod tests {
    use super::*;
    use peer_exchange::{Config, Driver, Identity, Input, LinkId, NodeId};

    fn id(n: u8) -> PeerId {
        PeerId::from_multihash(&[0, 2, 1, n]).unwrap()
    }

    /// A node that has learned of peers 1 to `n` from a snapshot of theirs.
    fn node(n: u8) -> Node {
        let identity = |who: u8| Identity {
            node: NodeId::new([who; 32]),
            addresses: vec![
                Service::multiaddr(&format!("/ip4/10.0.0.{who}/tcp/5001"), &id(who)).unwrap(),
            ],
            metadata: Vec::new(),
        };
        let start = peer_exchange::Instant::ZERO;
        let mut node = Node::new(Config::default(), identity(100), [0; 32], start).unwrap();
        for who in 1..=n {
            let peer = Node::new(Config::default(), identity(who), [who; 32], start).unwrap();
            let link = LinkId(who.into());
            connect(&mut node, peer, link);
        }
        node
    }

    /// Lets both talk until they are done, and ends the link.
    fn connect(node: &mut Node, mut peer: Node, link: LinkId) {
        use peer_exchange::Effect;
        let now = peer_exchange::Instant::from_millis(1_000);
        let up = |other: NodeId| Input::LinkUp {
            link,
            node: other,
            remote: None,
            dial: None,
        };
        node.handle(now, up(peer.id())).unwrap();
        peer.handle(now, up(node.id())).unwrap();
        for _ in 0..20 {
            let carry = |from: &mut Node, to: &mut Node| {
                loop {
                    match from.poll() {
                        Effect::Send { bytes, .. } => {
                            to.handle(now, Input::Message { link, bytes }).unwrap();
                            from.handle(now, Input::Sent { link }).unwrap();
                        }
                        Effect::WaitUntil(_) => break,
                        _ => {}
                    }
                }
            };
            carry(node, &mut peer);
            carry(&mut peer, node);
            peer.handle(now, Input::Discover).unwrap();
        }
        let orderly = true;
        node.handle(now, Input::LinkDown { link, orderly }).unwrap();
        while !matches!(node.poll(), Effect::WaitUntil(_)) {}
    }

    fn from(ip: &str, beside: &[PeerId]) -> Asker {
        Asker {
            ip: ip.parse().unwrap(),
            beside: beside.to_vec(),
        }
    }

    #[tokio::test]
    async fn the_asker_is_left_out_and_the_choice_is_spread() {
        let node = node(20);
        assert_eq!(node.peer_count(), 20);
        let handle = Driver::new(node).spawn();
        let offers = Offers::default();
        let mut first = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let chosen = offers.choose(&handle, from("10.0.0.3", &[])).await.unwrap();
            assert_eq!(chosen.len(), NAMED);
            assert!(chosen.iter().all(|o| o.id != id(3)));
            // The own service, beside this agent, is the one that is surely alive.
            assert_eq!(chosen[0].id, id(100));
            first.insert(chosen[1].id.clone());
        }
        assert!(first.len() > 10, "always the same: {first:?}");
        let own = offers.choose(&handle, from("127.0.0.1", &[id(100)])).await;
        assert!(own.unwrap().iter().all(|o| o.id != id(100)));
    }

    #[tokio::test]
    async fn many_askers_cost_one_walk() {
        let handle = Driver::new(node(3)).spawn();
        let offers = Arc::new(Offers::default());
        let first = offers.all(&handle).await.unwrap();
        let askers = (0..1000).map(|_| {
            let (offers, handle) = (Arc::clone(&offers), handle.clone());
            tokio::spawn(async move { offers.all(&handle).await.unwrap() })
        });
        for asker in askers.collect::<Vec<_>>() {
            // The very same list, not one like it.
            assert!(Arc::ptr_eq(&asker.await.unwrap(), &first));
        }
    }
}
