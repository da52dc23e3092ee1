//! The checkers: each watches every transition for one group of rules, and complains.

pub(crate) mod answers;
pub(crate) mod authorship;
pub(crate) mod caps;
pub(crate) mod conduct;
pub(crate) mod cursors;
pub(crate) mod cycles;
pub(crate) mod death;
pub(crate) mod exchanges;
pub(crate) mod leaving;
pub(crate) mod lifetimes;
pub(crate) mod news;
pub(crate) mod recovery;
pub(crate) mod signed;
pub(crate) mod walks;

use std::collections::BTreeMap;
use std::time::Duration;

use peer_exchange::{Effect, Input, LinkId, Node, NodeId};
use peer_exchange_memory::{HostId, Observer};

use crate::step::{Facts, Step, What};
use crate::world::World;

/// What checkers say, each with the rule that is broken.
#[derive(Default)]
pub(crate) struct Complaints(pub(crate) Vec<String>);

impl Complaints {
    /// Complains unless `ok`.
    pub(crate) fn expect(&mut self, ok: bool, rule: &str, what: impl FnOnce() -> String) {
        if !ok {
            self.0.push(format!("{rule}: {}", what()));
        }
    }
}

/// Watches for one group of rules.
pub(crate) trait Checker {
    /// Sees one transition.
    fn see(&mut self, step: &Step<'_>, world: &World, complaints: &mut Complaints);
}

/// All checkers, as one observer: it decodes each message once, knows which link leads to whom,
/// and panics at the first complaint, so that a failing test stands where the rule broke.
pub(crate) struct Checkers {
    pub(crate) world: World,
    all: Vec<Box<dyn Checker>>,
    links: BTreeMap<(HostId, LinkId), NodeId>,
    lives: BTreeMap<HostId, u32>,
    /// Transitions seen.
    pub(crate) seen: u64,
}

impl Checkers {
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            all: vec![
                Box::<conduct::Conduct>::default(),
                Box::<authorship::Authorship>::default(),
                Box::<signed::Signed>::default(),
                Box::<lifetimes::Lifetimes>::default(),
                Box::<death::Death>::default(),
                Box::<leaving::Leaving>::default(),
                Box::<recovery::Recovery>::default(),
                Box::<answers::Answers>::default(),
                Box::<walks::Walks>::default(),
                Box::<cycles::Cycles>::default(),
                Box::<exchanges::Exchanges>::default(),
                Box::<cursors::Cursors>::default(),
                Box::<news::Once>::default(),
                Box::<caps::Caps>::default(),
            ],
            links: BTreeMap::new(),
            lives: BTreeMap::new(),
            seen: 0,
        }
    }

    fn show(&mut self, now: Duration, host: HostId, what: What<'_>, facts: &dyn Facts) {
        self.seen += 1;
        let life = self.lives.get(&host).copied().unwrap_or_default();
        let step = Step {
            now,
            host,
            life,
            what,
            facts,
        };
        self.world.note(&step);
        let mut complaints = Complaints::default();
        for checker in &mut self.all {
            checker.see(&step, &self.world, &mut complaints);
        }
        let said = complaints.0;
        assert!(
            said.is_empty(),
            "at {now:?}, {host:?} ({:?}), {:?}: {said:#?}",
            facts.id(),
            step.what
        );
    }
}

impl Observer for Checkers {
    fn started(&mut self, now: Duration, host: HostId, node: &Node) {
        *self.lives.entry(host).or_default() += 1;
        self.links.retain(|(h, _), _| *h != host);
        let upstreams: Vec<_> = node.upstreams().map(|u| u.address).collect();
        self.world.configure(node.id(), &upstreams);
        self.show(now, host, What::Started, node);
    }

    fn handled(&mut self, now: Duration, host: HostId, input: &Input, node: &Node) {
        match input {
            Input::LinkUp { link, node, .. } => {
                self.links.insert((host, *link), *node);
            }
            Input::LinkDown { link, .. } => {
                self.links.remove(&(host, *link));
            }
            Input::Message { link, bytes } => {
                // On a link that the node has closed, a message is ignored.
                if let Some(from) = self.links.get(&(host, *link)).copied() {
                    let (link, message) = (*link, World::decode(bytes));
                    let message = &message;
                    self.show(
                        now,
                        host,
                        What::Received {
                            link,
                            from,
                            message,
                        },
                        node,
                    );
                }
                return;
            }
            _ => {}
        }
        self.show(now, host, What::Input(input), node);
    }

    fn effect(&mut self, now: Duration, host: HostId, effect: &Effect, node: &Node) {
        match effect {
            Effect::Send { link, bytes } => {
                let to = self.links.get(&(host, *link)).copied();
                let to = to.expect("a node sends only on links that are up");
                let (link, message) = (*link, World::decode(bytes));
                let message = &message;
                self.show(now, host, What::Sent { link, to, message }, node);
            }
            Effect::Close { link, .. } => {
                self.show(now, host, What::Closed { link: *link }, node);
                self.links.remove(&(host, *link));
            }
            Effect::Event(event) => self.show(now, host, What::Event(event), node),
            Effect::WaitUntil(_) => self.show(now, host, What::Waits, node),
            Effect::Dial { .. } => {}
        }
    }
}
