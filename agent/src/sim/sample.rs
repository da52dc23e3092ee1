//! Who is known by how many, and how a leaver is forgotten: what counts where tables are too small
//! for all.

use super::report::{InDegree, Leave};
use super::watch::Watch;
use peer_exchange::{Input, Node, NodeId};
use peer_exchange_memory::{HostId, Network};
use std::collections::HashMap;
use std::time::Duration;

/// In how many other tables each node is.
pub(super) fn in_degrees(net: &Network<Watch>) -> Vec<u32> {
    let hosts = || (0..net.host_count()).map(HostId);
    let nodes = || hosts().filter_map(|host| net.node(host));
    if net.converged() {
        let others = |of: &Node| of.peer_count() as u32;
        return nodes().map(others).collect();
    }
    let index: HashMap<NodeId, usize> = nodes().map(|n| n.id()).zip(0..).collect();
    let mut degrees = vec![0; index.len()];
    for peer in nodes().flat_map(|node| node.peers()) {
        if let Some(i) = index.get(&peer.node) {
            degrees[*i] += 1;
        }
    }
    degrees
}

pub(super) fn summary(degrees: &[u32]) -> InDegree {
    let mut sorted = degrees.to_vec();
    sorted.sort_unstable();
    let n = sorted.len() as f64;
    let at = |part: f64| {
        let i = ((n - 1.0) * part).round() as usize;
        sorted.get(i).copied().unwrap_or_default()
    };
    let mean = sorted.iter().map(|d| f64::from(*d)).sum::<f64>() / n.max(1.0);
    let square = |d: &u32| (f64::from(*d) - mean).powi(2);
    let variance = sorted.iter().map(square).sum::<f64>() / n.max(1.0);
    let others = (n - 1.0).max(1.0);
    InDegree {
        min: at(0.0),
        percent_1: at(0.01),
        median: at(0.5),
        percent_99: at(0.99),
        max: at(1.0),
        mean,
        deviation: variance.sqrt(),
        deviation_at_random: (mean * (1.0 - mean / others)).max(0.0).sqrt(),
    }
}

/// One node says goodbye; who still knows it is counted until nobody does.
pub(super) fn leave(net: &mut Network<Watch>, seed: u64, limit: Duration) -> Leave {
    let n = net.host_count();
    let from = seed as usize + n / 2;
    let mut hosts = (0..n).map(|i| HostId((from + i) % n));
    let host = hosts.find(|h| net.node(*h).is_some()).unwrap_or(HostId(0));
    let id = net.node(host).map(|node| node.id());
    let known = |net: &Network<Watch>| {
        let nodes = (0..net.host_count()).filter_map(|i| net.node(HostId(i)));
        let knows = nodes.filter(|n| id.is_some_and(|id| n.peer(&id).is_some()));
        knows.count() as u64
    };
    let (known_by, start, messages) = (known(net), net.now(), net.messages());
    net.input(host, Input::Leave);
    let mut leave = Leave {
        known_by,
        messages: 0,
        half_ms: None,
        tenth_left_ms: None,
        all_ms: None,
    };
    // Looked at ever more seldom: one look goes through all nodes.
    let mut step = Duration::from_millis(1);
    while net.now() < start + limit && leave.all_ms.is_none() {
        net.run_for(step);
        step = (step * 21 / 20).max(step + Duration::from_micros(100));
        let (left, ms) = (known(net), (net.now() - start).as_secs_f64() * 1e3);
        let mark = |slot: &mut Option<f64>, most: u64| {
            if left <= most && slot.is_none() {
                *slot = Some(ms);
            }
        };
        mark(&mut leave.half_ms, known_by / 2);
        mark(&mut leave.tenth_left_ms, known_by / 10);
        mark(&mut leave.all_ms, 0);
    }
    leave.messages = net.messages() - messages;
    leave
}
