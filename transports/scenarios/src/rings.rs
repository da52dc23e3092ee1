//! The ring of three servers of which one restarts, or all.

use std::time::Duration;

use peer_exchange::NodeId;
use tokio::time::sleep;

use crate::lab::{Kind, Plan, Running, cycle, eventually, until};

/// server1 → server2 → server3 → server1, each with a plan of the same port.
struct Ring<K: Kind> {
    plans: [Plan; 3],
    nodes: [Running<K>; 3],
}

impl<K: Kind> Ring<K> {
    /// All know all and the cycle.
    async fn warm() -> Self {
        let mut plans = [(); 3].map(|()| Plan::new());
        let nodes = [0, 1, 2].map(|i| plans[i].start::<K>());
        let addresses = [0, 1, 2].map(|i| nodes[i].address.clone());
        for i in 0..3 {
            plans[i].listen = K::sockets(&nodes[i].transport).to_vec();
            plans[i].upstreams = vec![addresses[(i + 1) % 3].clone()];
            let upstreams = plans[i].upstreams.clone();
            nodes[i].handle.set_upstreams(upstreams).await.unwrap();
        }
        let mut ring = Self { plans, nodes };
        ring.settles(&[0, 1, 2]).await;
        // What they tell each other of the cycle's end and beginning is over.
        sleep(A_WHILE).await;
        ring
    }

    fn ids(&self) -> [NodeId; 3] {
        [0, 1, 2].map(|i| self.nodes[i].node)
    }

    /// Sent by these of its nodes since they were started.
    async fn messages(&self, nodes: &[usize]) -> u64 {
        let mut sent = 0;
        for i in nodes {
            sent += self.nodes[*i].handle.stats().await.unwrap().messages_sent;
        }
        sent
    }

    /// Every node knows the others and is told of the cycle, again.
    async fn settles(&mut self, nodes: &[usize]) {
        let ids = self.ids();
        for i in nodes {
            let node = &mut self.nodes[*i];
            node.knows(&others(ids, node.node)).await;
            let path = node.finds_a_loop().await;
            assert_eq!(path, cycle(ids));
        }
    }
}

fn others(ids: [NodeId; 3], own: NodeId) -> Vec<NodeId> {
    ids.into_iter().filter(|id| *id != own).collect()
}

/// A walk that does not end would go round many times.
const A_WHILE: Duration = Duration::from_millis(1_100);

/// It comes back without its state, to two that know all.
pub async fn a_cold_server_comes_back_to_a_warm_ring<K: Kind>() {
    let mut ring = Ring::<K>::warm().await;
    until("shutdown", ring.nodes[0].handle.shutdown()).await;
    let before = ring.messages(&[1, 2]).await;
    ring.nodes[0] = ring.plans[0].start();
    ring.settles(&[0]).await;
    sleep(A_WHILE).await;
    let messages = ring.messages(&[0, 1, 2]).await - before;
    assert!(messages <= 100, "{messages} messages");
    // Its record is accepted again, though its old one was newer (R5).
    let known = async || {
        let own = ring.nodes[0].handle.read(|n| n.sequence()).await.unwrap();
        for other in &ring.nodes[1..] {
            let peer = other.handle.peer(ring.nodes[0].node).await.unwrap();
            if peer.is_none_or(|p| p.sequence < own) {
                return false;
            }
        }
        true
    };
    eventually("its new record is known", known).await;
}

/// Every one from what it had saved, while no other runs.
pub async fn a_ring_restarts_from_its_snapshots<K: Kind>() {
    let mut ring = Ring::<K>::warm().await;
    // A sequence that has to be remembered: one that begins anew would have to recover (R5).
    let [one, two, three] = &ring.nodes;
    one.tells(&[two, three]).await;
    two.tells(&[one, three]).await;
    three.tells(&[one, two]).await;
    for (plan, node) in ring.plans.iter_mut().zip(&ring.nodes) {
        plan.snapshot = Some(node.handle.snapshot().await.unwrap());
    }
    for node in &ring.nodes {
        until("shutdown", node.handle.shutdown()).await;
    }
    ring.nodes = [0, 1, 2].map(|i| ring.plans[i].start());
    let ids = ring.ids();
    for node in &ring.nodes {
        // Before it has heard of anybody.
        node.knows(&others(ids, node.node)).await;
    }
    ring.settles(&[0, 1, 2]).await;
    sleep(A_WHILE).await;
    let messages = ring.messages(&[0, 1, 2]).await;
    assert!(messages <= 150, "{messages} messages");
    for node in &ring.nodes {
        let stats = node.handle.stats().await.unwrap();
        assert_eq!((stats.recoveries, stats.records_conflicting), (0, 0));
    }
    let [one, two, three] = &ring.nodes;
    two.tells(&[one, three]).await;
}
