//! A cluster with an enemy in it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use peer_exchange::wire::{self, Message};
use peer_exchange::{CloseReason, Config, Defence, Disarmed, Effect, Event, Node, NodeId, Signing};
use peer_exchange_memory::{Faults, HostId, Network, Observer, Setup};

pub(crate) const SEED: u64 = 11;
/// Those that keep to the protocol.
pub(crate) const HONEST: usize = 40;
pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What the honest ones have done.
#[derive(Default)]
pub(crate) struct Seen {
    honest: usize,
    /// Dials of each address outside of the cluster.
    pub(crate) dials: BTreeMap<IpAddr, Vec<Duration>>,
    pub(crate) blamed: BTreeMap<&'static str, u64>,
    /// Links closed for misbehaviour.
    pub(crate) banned: Vec<(Duration, HostId)>,
    pub(crate) downs: Vec<(Duration, HostId, NodeId)>,
    pub(crate) loops: usize,
    ids: Vec<NodeId>,
    /// Honest ones that were blamed, pushed out or taken for gone by others: when, whom, by whom.
    pub(crate) wronged: Vec<(Duration, NodeId, HostId)>,
}

impl Observer for Seen {
    fn effect(&mut self, now: Duration, host: HostId, effect: &Effect, _: &Node) {
        if host.0 >= self.honest {
            return;
        }
        match effect {
            Effect::Dial { target, .. } => {
                let at = target.addresses().iter().filter_map(|a| a.socket_addr());
                at.for_each(|at| self.dials.entry(at.ip()).or_default().push(now));
            }
            Effect::Close { reason, .. } if *reason == CloseReason::Misbehaviour => {
                self.banned.push((now, host));
            }
            _ => {}
        }
    }

    fn event(&mut self, now: Duration, host: HostId, event: &Event) {
        if host.0 >= self.honest {
            return;
        }
        match event {
            Event::Blamed { node, .. }
            | Event::PeerDown { node }
            | Event::PeerLeft { node }
            | Event::PeerEvicted { node }
                if self.ids.contains(node) =>
            {
                self.wronged.push((now, *node, host));
            }
            Event::Blamed { fault, .. } => *self.blamed.entry(fault.reason()).or_default() += 1,
            Event::PeerDown { node } => self.downs.push((now, host, *node)),
            Event::LoopDetected { .. } => self.loops += 1,
            _ => {}
        }
    }
}

/// The default configuration without this defence.
pub(crate) fn without(defence: Defence) -> Config {
    let mut config = Config::default();
    config.disarmed = Disarmed::of(defence);
    config
}

pub(crate) struct World {
    pub(crate) net: Network<Seen>,
    pub(crate) honest: usize,
    pub(crate) signing: Signing,
}

impl World {
    /// So many honest nodes, each asking the next, and so many enemies that are linked with all of
    /// them; converged and at rest.
    pub(crate) fn new(honest: usize, enemies: usize, config: Config) -> Self {
        let faults = Faults {
            latency: Duration::from_millis(1),
            ..Faults::default()
        };
        let seen = || Seen {
            honest,
            ids: (0..honest).map(|host| HostId(host).node_id(SEED)).collect(),
            ..Seen::default()
        };
        let signing = config.signing;
        let setup = Setup {
            seed: SEED,
            faults,
            config,
        };
        let mut net = Network::with_observer(setup, seen());
        for host in 0..honest {
            net.add_host(&[HostId((host + 1) % honest)]);
        }
        let all: Vec<_> = (0..honest).map(HostId).collect();
        for _ in 0..enemies {
            net.add_host(&all);
        }
        net.start_all();
        net.run_for(Duration::from_secs(90));
        *net.observer_mut() = seen();
        Self {
            net,
            honest,
            signing,
        }
    }

    pub(crate) fn enemy(&self) -> HostId {
        HostId(self.honest)
    }

    pub(crate) fn id(&self, host: usize) -> NodeId {
        HostId(host).node_id(SEED)
    }

    pub(crate) fn node(&self, host: usize) -> &Node {
        self.net.node(HostId(host)).expect("it runs")
    }

    /// The enemy says this to the host, if they are linked.
    pub(crate) fn say(&mut self, to: usize, message: Message) -> bool {
        self.net
            .say(self.enemy(), HostId(to), wire::encode(message))
    }

    /// To everybody that it is linked with.
    pub(crate) fn say_to_all(&mut self, message: &Message) -> usize {
        let all = 0..self.honest;
        all.filter(|to| self.say(*to, message.clone())).count()
    }

    /// Of how many pairs of honest ones the first has the second.
    pub(crate) fn known(&self) -> usize {
        let has = |i: usize, j: usize| i != j && self.node(i).peer(&self.id(j)).is_some();
        let all = 0..self.honest;
        all.map(|i| (0..self.honest).filter(|j| has(i, *j)).count())
            .sum()
    }

    /// The host with this ID.
    pub(crate) fn host_of(&self, id: &NodeId) -> HostId {
        self.net.host_of(id).expect("a host of this world")
    }
}
