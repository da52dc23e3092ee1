//! The new behaviour: three agents, `peerx run`, in the same ring.

use crate::harness::{self, Agent, Lab};
use crate::{SERVERS, Scene, Servers};

/// Peer IDs of the libp2p services beside the agents.
const SERVICES: [&str; SERVERS] = [
    "12D3KooWGGpS4fVQQEL1hYJSvdK16WpY2PLmyEmsJswiNcdazWAL",
    "12D3KooWH46vGd2B9FXDcosoW4YUByS3ipTQmom2i6RTaD4pXouC",
    "12D3KooWQ7gdf9VVJk9HPD9MxFjSwtC8o96SEAAGqnrYzR2Q8gcc",
];

pub(crate) struct New {
    agents: Vec<Agent>,
    _lab: Lab,
}

pub(crate) fn start(scene: Scene) -> New {
    let lab = Lab::new();
    let mut agents = lab.ring(SERVERS);
    for (i, agent) in agents.iter_mut().enumerate() {
        let service = format!("/ip4/10.0.0.{i}/tcp/5001/p2p/{}", SERVICES[i]);
        if scene.addresses {
            agent.set("libp2p.advertise", &format!("[{service:?}]"));
        }
    }
    for agent in &mut agents {
        agent.spawn();
    }
    for agent in &agents {
        harness::eventually("it answers", || agent.get("/healthz").is_some());
    }
    New { agents, _lab: lab }
}

impl Servers for New {
    fn urls(&self) -> Vec<String> {
        self.agents.iter().map(Agent::admin).collect()
    }

    fn processes(&self) -> Vec<u32> {
        let id = |agent: &Agent| agent.pid().as_raw_nonzero().get().unsigned_abs();
        self.agents.iter().map(id).collect()
    }

    fn messages(&self) -> u64 {
        let sent = |agent: &Agent| agent.metric_sum("messages_total{direction=\"sent\"");
        self.agents.iter().map(sent).sum::<f64>() as u64
    }
}
