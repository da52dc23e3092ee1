//! Whom a libp2p service that asks is told of.

use super::PeerId;
use super::offer::{self, Offer, Rank};
use peer_exchange::Handle;
use peer_exchange::driver::Stopped;
use std::collections::HashMap;
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

/// An offer, by what it says.
type Which = (Option<PeerId>, Vec<String>);

/// All of them, walked for at most once a second.
#[derive(Default)]
pub(crate) struct Offers {
    /// Locked while somebody walks, so that all others wait for that walk.
    cached: Mutex<Option<(Instant, Arc<Vec<Offer>>)>>,
    /// Whom each asker was told of last, of those who are told of one at a time.
    told: std::sync::Mutex<HashMap<IpAddr, Which>>,
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
        // They are in this order.
        let comes =
            |offer: &Offer, last: &Which| (&offer.id, &offer.addresses) > (&last.0, &last.1);
        let mut after = of
            .iter()
            .skip_while(|o| last.is_some_and(|last| !comes(o, last)));
        let next = after.next().or(of.first()).map(|offer| (*offer).clone());
        if turn && let Some(next) = &next {
            if told.len() >= ASKERS && !told.contains_key(&asker.ip) {
                told.clear();
            }
            told.insert(asker.ip, (next.id.clone(), next.addresses.clone()));
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
        let offers = Arc::new(handle.read(move |node| offer::all(node, local)).await?);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libp2p::Service;
    use peer_exchange::{Config, Driver, Effect, Identity, Input, LinkId, Node, NodeId};
    use std::collections::BTreeSet;

    fn id(n: u8) -> PeerId {
        PeerId::from_multihash(&[0, 2, 1, n]).unwrap()
    }

    /// A node that has learned of peers 1 to `n` from a snapshot of theirs.
    fn node(n: u8) -> Node {
        node_of(Config::default(), n)
    }

    /// The same with this configuration, the first of them linked.
    fn node_of(config: Config, n: u8) -> Node {
        let identity = |who: u8| {
            Identity::new(NodeId::new([who; 32])).with_addresses(vec![
                Service::multiaddr(&format!("/ip4/10.0.0.{who}/tcp/5001"), Some(&id(who))).unwrap(),
            ])
        };
        let start = peer_exchange::Instant::ZERO;
        let mut node = Node::new(config.clone(), identity(100), [0; 32], start).unwrap();
        for who in 1..=n {
            let peer = Node::new(config.clone(), identity(who), [who; 32], start).unwrap();
            let link = LinkId::new(who.into());
            connect(&mut node, peer, link);
            if who > 1 {
                let now = node.now();
                let orderly = true;
                node.handle(now, Input::LinkDown { link, orderly }).unwrap();
            }
            while !matches!(node.poll(), Effect::WaitUntil(_)) {}
        }
        node
    }

    /// Lets both talk until they are done.
    fn connect(node: &mut Node, mut peer: Node, link: LinkId) {
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

    /// With whoever connects to everybody: where nobody is watched, it is all that is known to live.
    #[tokio::test]
    async fn who_is_connected_has_no_more_than_its_share() {
        for (detection, share) in [(Config::default().detection, 25..120), (None, 200..201)] {
            let mut config = Config::default();
            config.detection = detection;
            let handle = Driver::new(node_of(config, 20)).spawn();
            let offers = Offers::default();
            let mut first = 0;
            for _ in 0..200 {
                let chosen = offers.choose(&handle, &from("10.9.9.9")).await.unwrap();
                first += usize::from(chosen.iter().any(|offer| offer.id == Some(id(1))));
            }
            // Seven of twenty beside the own one.
            assert!(share.contains(&first), "{first}");
        }
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
