//! Whom a libp2p service may be told of, from what the node knows.

use super::{PeerId, Service};
use peer_exchange::driver::Stopped;
use peer_exchange::{Handle, Node};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// One walk through the table serves everybody who asks within this time.
const FRESH: Duration = Duration::from_secs(1);
/// Services that one answer names. Spegel uses three.
const NAMED: usize = 8;

/// Askers whose last answer is remembered; with more, some are told the same one again.
const ASKERS: usize = 1024;

/// A service that somebody may be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// `None` where only its address is known.
    pub(crate) id: Option<PeerId>,
    /// `/ip4/…/tcp/…`, one at least.
    pub(crate) addresses: Vec<String>,
    ips: Vec<IpAddr>,
    rank: Rank,
    /// It is beside this agent.
    own: bool,
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
    /// Whom each asker was told of last, of those who are told of one at a time.
    told: std::sync::Mutex<HashMap<IpAddr, PeerId>>,
}

impl Offers {
    /// What to tell whoever asks from there: the live first, otherwise in random order, those with
    /// an ID before those without, and never the asker itself.
    pub(crate) async fn choose(
        &self,
        handle: &Handle,
        asker: &Asker,
    ) -> Result<Vec<Offer>, Stopped> {
        let all = self.all(handle, asker.local).await?;
        let others = all.iter().filter(|offer| !asker.is(offer));
        let mut others: Vec<_> = others
            .map(|offer| ((offer.rank, offer.id.is_none(), fastrand::u64(..)), offer))
            .collect();
        // The first few alone have to be in order, and be copied.
        if others.len() > NAMED {
            others.select_nth_unstable_by_key(NAMED, |(key, _)| *key);
            others.truncate(NAMED);
        }
        others.sort_unstable_by_key(|(key, _)| *key);
        Ok(others.into_iter().map(|(_, offer)| offer.clone()).collect())
    }

    /// One with an ID, the next one for this asker among those that live; of the others when none
    /// does. `turn`: it counts as told.
    pub(crate) async fn next(
        &self,
        handle: &Handle,
        asker: &Asker,
        turn: bool,
    ) -> Result<Option<Offer>, Stopped> {
        let all = self.all(handle, asker.local).await?;
        let others = all.iter().filter(|o| o.id.is_some() && !asker.is(o));
        let (live, lost): (Vec<_>, Vec<_>) = others.partition(|o| o.rank != Rank::Unreachable);
        let of = if live.is_empty() { lost } else { live };
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let last = told.get(&asker.ip);
        // They are in the order of their IDs.
        let next = of.iter().find(|offer| offer.id.as_ref() > last);
        let next = next.or(of.first()).map(|offer| (*offer).clone());
        if turn && let Some(id) = next.as_ref().and_then(|offer| offer.id.clone()) {
            if told.len() >= ASKERS && !told.contains_key(&asker.ip) {
                told.clear();
            }
            told.insert(asker.ip, id);
        }
        Ok(next)
    }

    async fn all(&self, handle: &Handle, local: bool) -> Result<Arc<Vec<Offer>>, Stopped> {
        let mut cached = self.cached.lock().await;
        if let Some((at, offers)) = cached.as_ref()
            && at.elapsed() < FRESH
        {
            return Ok(Arc::clone(offers));
        }
        let offers = Arc::new(handle.read(move |node| walk(node, local)).await?);
        *cached = Some((Instant::now(), Arc::clone(&offers)));
        Ok(offers)
    }
}

/// Who asks.
pub(crate) struct Asker {
    /// From where.
    pub(crate) ip: IpAddr,
    /// From this machine: the service beside this agent.
    pub(crate) here: bool,
    /// Loopback addresses are of use: an experiment on one machine.
    pub(crate) local: bool,
}

impl Asker {
    fn is(&self, offer: &Offer) -> bool {
        offer.ips.contains(&self.ip.to_canonical()) || (self.here && offer.own)
    }
}

/// The services of all known nodes, this one's among them, in the order of their IDs.
fn walk(node: &Node, local: bool) -> Vec<Offer> {
    let mut found = Found::default();
    let own = node.addresses().iter().filter_map(Service::of);
    own.for_each(|service| found.add(service, Rank::Linked, true));
    for peer in node.peers() {
        let rank = match (peer.linked, peer.reachable) {
            (true, _) => Rank::Linked,
            (false, true) => Rank::Reachable,
            (false, false) => Rank::Unreachable,
        };
        let services = peer.addresses.iter().filter_map(Service::of);
        services.for_each(|service| found.add(service, rank, false));
    }
    found.offers(local)
}

/// Services by ID, and those that are known by their address alone.
#[derive(Default)]
struct Found {
    by_id: BTreeMap<PeerId, Offer>,
    alone: BTreeMap<String, Offer>,
}

impl Found {
    fn add(&mut self, service: Service, rank: Rank, own: bool) {
        let new = Offer {
            id: service.id.clone(),
            addresses: Vec::new(),
            ips: Vec::new(),
            rank,
            own,
        };
        let offer = match service.id {
            Some(id) => self.by_id.entry(id).or_insert(new),
            None => self.alone.entry(service.address.clone()).or_insert(new),
        };
        if !offer.addresses.contains(&service.address) {
            offer.addresses.push(service.address);
        }
        offer.ips.extend(service.ip.map(|ip| ip.to_canonical()));
        offer.rank = offer.rank.min(rank);
        offer.own |= own;
    }

    fn offers(mut self, local: bool) -> Vec<Offer> {
        let mut claims: BTreeMap<String, usize> = BTreeMap::new();
        for address in self.by_id.values().flat_map(|offer| &offer.addresses) {
            *claims.entry(address.clone()).or_default() += 1;
        }
        // What is known with its ID need not be told of without.
        self.alone
            .retain(|address, _| !claims.contains_key(address));
        let all = self.by_id.into_values().chain(self.alone.into_values());
        let all = all.filter_map(|offer| offer.reachable(local));
        all.map(|offer| offer.without_shared(&claims)).collect()
    }
}

impl Offer {
    /// Without loopback addresses, which are of use to nobody else; `None` without any other.
    fn reachable(mut self, local: bool) -> Option<Self> {
        if !local {
            self.addresses.retain(|address| !is_loopback(address));
        }
        (!self.addresses.is_empty()).then_some(self)
    }

    /// Without addresses that several services claim, such as that of a bridge which every machine
    /// has: Spegel takes a peer that has one of its own addresses for itself.
    fn without_shared(mut self, claims: &BTreeMap<String, usize>) -> Self {
        let own = |address: &String| claims.get(address).is_none_or(|claims| *claims < 2);
        if self.addresses.iter().any(own) {
            self.addresses.retain(own);
        }
        self
    }
}

fn is_loopback(address: &str) -> bool {
    let ip = address
        .split('/')
        .nth(2)
        .and_then(|host| host.parse::<IpAddr>().ok());
    ip.is_some_and(|ip| ip.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use peer_exchange::{Config, Driver, Identity, Input, LinkId, NodeId};
    use std::collections::BTreeSet;

    fn id(n: u8) -> PeerId {
        PeerId::from_multihash(&[0, 2, 1, n]).unwrap()
    }

    /// A node that has learned of peers 1 to `n` from a snapshot of theirs.
    fn node(n: u8) -> Node {
        let identity = |who: u8| {
            Identity::new(NodeId::new([who; 32])).with_addresses(vec![
                Service::multiaddr(&format!("/ip4/10.0.0.{who}/tcp/5001"), Some(&id(who))).unwrap(),
            ])
        };
        let start = peer_exchange::Instant::ZERO;
        let mut node = Node::new(Config::default(), identity(100), [0; 32], start).unwrap();
        for who in 1..=n {
            let peer = Node::new(Config::default(), identity(who), [who; 32], start).unwrap();
            let link = LinkId::new(who.into());
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

    fn from(ip: &str) -> Asker {
        Asker {
            ip: ip.parse().unwrap(),
            here: ip == "127.0.0.1",
            local: false,
        }
    }

    #[tokio::test]
    async fn the_asker_is_left_out_and_the_choice_is_spread() {
        let node = node(20);
        assert_eq!(node.peer_count(), 20);
        let handle = Driver::new(node).spawn();
        let offers = Offers::default();
        let mut first = BTreeSet::new();
        for _ in 0..200 {
            let chosen = offers.choose(&handle, &from("10.0.0.3")).await.unwrap();
            assert_eq!(chosen.len(), NAMED);
            assert!(chosen.iter().all(|o| o.id != Some(id(3))));
            // The own service, beside this agent, is the one that is surely alive.
            assert_eq!(chosen[0].id, Some(id(100)));
            first.insert(chosen[1].id.clone());
        }
        assert!(first.len() > 10, "always the same: {first:?}");
        let own = offers.choose(&handle, &from("127.0.0.1")).await;
        assert!(own.unwrap().iter().all(|o| o.id != Some(id(100))));
    }

    #[tokio::test]
    async fn one_at_a_time_is_another_one_each_time() {
        let handle = Driver::new(node(5)).spawn();
        let offers = Offers::default();
        let next = async |ip: &str, turn| {
            let next = offers.next(&handle, &from(ip), turn).await.unwrap();
            next.unwrap().id.unwrap()
        };
        let mut told = Vec::new();
        for _ in 0..10 {
            // Another asker has a turn of its own, and a look is no turn.
            next("10.0.0.4", true).await;
            let look = next("10.0.0.3", false).await;
            told.push(next("10.0.0.3", true).await);
            assert_eq!(told.last(), Some(&look));
        }
        let everybody = [1, 2, 4, 5, 100].map(id);
        let first: BTreeSet<_> = told[..5].iter().cloned().collect();
        assert_eq!(first, everybody.into());
        assert_eq!(told[..5], told[5..]);
    }

    #[test]
    fn addresses_that_say_nothing_of_their_own_are_left_out() {
        let service = |address: &str, id: Option<PeerId>| Service {
            id,
            address: format!("{address}/tcp/5001"),
            ip: address.rsplit('/').next().unwrap().parse().ok(),
        };
        let mut found = Found::default();
        for (address, id) in [
            ("/ip4/10.0.0.1", None),
            ("/ip4/10.0.0.2", None),
            ("/ip4/10.0.0.2", Some(id(2))),
            ("/ip4/127.0.0.1", Some(id(2))),
            ("/ip4/127.0.0.1", Some(id(3))),
            // A bridge that every machine has.
            ("/ip4/172.17.0.1", Some(id(2))),
            ("/ip4/172.17.0.1", Some(id(4))),
        ] {
            found.add(service(address, id), Rank::Reachable, false);
        }
        let offers = found.offers(false);
        let shown: Vec<_> = offers
            .iter()
            .map(|o| (o.id.clone(), o.addresses.join(" ")))
            .collect();
        let expected = [
            (Some(id(2)), "/ip4/10.0.0.2/tcp/5001".to_owned()),
            // It has no other.
            (Some(id(4)), "/ip4/172.17.0.1/tcp/5001".to_owned()),
            (None, "/ip4/10.0.0.1/tcp/5001".to_owned()),
        ];
        assert_eq!(shown, expected);
    }

    #[tokio::test]
    async fn many_askers_cost_one_walk() {
        let handle = Driver::new(node(3)).spawn();
        let offers = Arc::new(Offers::default());
        let first = offers.all(&handle, false).await.unwrap();
        let askers = (0..1000).map(|_| {
            let (offers, handle) = (Arc::clone(&offers), handle.clone());
            tokio::spawn(async move { offers.all(&handle, false).await.unwrap() })
        });
        for asker in askers.collect::<Vec<_>>() {
            // The very same list, not one like it.
            assert!(Arc::ptr_eq(&asker.await.unwrap(), &first));
        }
    }
}
