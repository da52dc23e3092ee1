//! Who stops, and who is cut off: how soon all others know, and how soon all is well again.

use super::report::{Crash, Partition};
use super::watch::Watch;
use peer_exchange::NodeId;
use peer_exchange_memory::{HostId, Network, Random};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Before anything fails: the links have to be those of a cluster at rest, and its nodes known for
/// long enough that what they say of each other counts (R32).
const SETTLE: Duration = Duration::from_secs(90);
/// Between the first time that all know and the next one that stops.
const BETWEEN: Duration = Duration::from_secs(2);

/// The time in which who is silent is found out: seconds, or not at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Detection(pub(super) Option<Duration>);

pub(super) fn detection(text: &str) -> Result<Detection, String> {
    if text == "off" {
        return Ok(Detection(None));
    }
    match text.parse::<f64>() {
        Ok(s) if (3.0..=60.0).contains(&s) => Ok(Detection(Some(Duration::from_secs_f64(s)))),
        _ => Err("expected seconds from 3 to 60, or off".into()),
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// So many random nodes stop, one after another: their machines lose power, and nobody is told.
pub(super) fn crash(net: &mut Network<Watch>, n: usize, seed: u64, limit: Duration) -> Crash {
    net.run_for(SETTLE);
    let mut random = Random::new(seed ^ 0x6372_6173_6820);
    let mut dead = BTreeMap::new();
    let (mut times, mut missing, mut false_downs) = (Vec::new(), 0, 0);
    for _ in 0..n {
        let Some((host, id)) = victim(net, &mut random) else {
            break;
        };
        let mut listed: BTreeSet<HostId> = running(net)
            .filter(|(h, node)| *h != host && node.peer(&id).is_some())
            .map(|(h, _)| h)
            .collect();
        net.observer_mut().downs.clear();
        let start = net.now();
        net.power_off(host);
        dead.insert(id, host);
        let (mut looked, mut known, all) = (0, 0, listed.len());
        net.run_until(start + limit, |net| {
            let new = &net.observer().downs[looked..];
            looked += new.len();
            known += new.iter().filter(|(_, _, node)| *node == id).count();
            known >= all
        });
        net.run_for(BETWEEN);
        for (at, by, node) in std::mem::take(&mut net.observer_mut().downs) {
            if node == id && listed.remove(&by) {
                times.push(at - start);
            }
            false_downs += u64::from(!dead.contains_key(&node));
        }
        missing += listed.len() as u64;
    }
    times.sort_unstable();
    let percent = |percent: usize| {
        let nth = (times.len() * percent).div_ceil(100).checked_sub(1)?;
        times.get(nth).copied().map(ms)
    };
    Crash {
        crashed: dead.len() as u64,
        pairs: times.len() as u64,
        median_ms: percent(50),
        p99_ms: percent(99),
        max_ms: percent(100),
        missing,
        false_downs,
    }
}

fn running(net: &Network<Watch>) -> impl Iterator<Item = (HostId, &peer_exchange::Node)> + use<'_> {
    let hosts = (0..net.host_count()).map(HostId);
    hosts.filter_map(|host| Some((host, net.node(host)?)))
}

fn victim(net: &Network<Watch>, random: &mut Random) -> Option<(HostId, NodeId)> {
    let all: Vec<_> = running(net).map(|(host, node)| (host, node.id())).collect();
    // Two at least remain: one alone can tell nobody anything.
    (all.len() > 2).then(|| all[random.below(all.len())])
}

/// Two random halves are apart for so long.
pub(super) fn partition(
    net: &mut Network<Watch>,
    time: Duration,
    seed: u64,
    limit: Duration,
) -> Partition {
    net.run_for(SETTLE);
    let mut random = Random::new(seed ^ 0x7061_7274_6974);
    let mut hosts: Vec<_> = running(net).map(|(host, _)| host).collect();
    for i in (1..hosts.len()).rev() {
        hosts.swap(i, random.below(i + 1));
    }
    let half = hosts.len() / 2;
    let other: BTreeSet<_> = hosts[..half].iter().copied().collect();
    let pairs = |n: usize| (n * n.saturating_sub(1)) as u64;
    let apart = pairs(half) + pairs(hosts.len() - half);
    let start = net.now();
    net.partition(|host| other.contains(&host));
    let down = net.run_until(start + time, |net| net.known_pairs() == apart);
    let down_ms = down.then(|| ms(net.now() - start));
    net.run_for((start + time).saturating_sub(net.now()));
    net.heal();
    let end = net.now();
    let healed = net.run_until(end + limit, Network::converged);
    Partition {
        down_ms,
        heal_ms: healed.then(|| ms(net.now() - end)),
    }
}
