//! One real node with everything that a careful embedder would keep beside it, and the checks of
//! what comes out of it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use peer_exchange::contract;
use peer_exchange::limits::caps;
use peer_exchange::wire::{self, Decoded, Message};
use peer_exchange::{
    Config, DialId, Effect, Identity, Input, Instant, LinkId, Node, NodeId, RequestId, Sequence,
    Signing, StartError, Target, UsageError,
};

use super::checks;
use super::parts::{LooseSeal, address, place};
use super::reached::{self, Before, Reached};
use super::source::Source;

/// A link as the embedder sees it.
pub struct Link {
    pub node: NodeId,
    /// Its number at the other real node, if it leads there.
    pub other: Option<LinkId>,
    /// Handed over by the node, no credit returned yet.
    pub queue: VecDeque<Bytes>,
    /// On its way to the node.
    pub inbox: VecDeque<Bytes>,
    /// The other end has closed it.
    pub closed: Option<bool>,
    /// The node's last request on it.
    pub asked: Option<RequestId>,
    greeted: bool,
}

impl Link {
    pub fn new(node: NodeId, other: Option<LinkId>) -> Self {
        Self {
            node,
            other,
            queue: VecDeque::new(),
            inbox: VecDeque::new(),
            closed: None,
            asked: None,
            greeted: false,
        }
    }
}

/// A real node and its surroundings.
pub struct Host {
    pub node: Node,
    pub id: NodeId,
    pub config: Config,
    pub seed: [u8; 32],
    /// What the node has been told, never less than before.
    pub clock: Instant,
    pub deadline: Option<Instant>,
    pub links: BTreeMap<LinkId, Link>,
    pub dials: BTreeMap<DialId, Target>,
    pub next_link: u64,
    /// Leaving or shutting down has been asked for.
    pub over: bool,
    /// Peers by the events alone, with the newest sequence seen of each.
    pub known: BTreeMap<NodeId, Sequence>,
    /// How far the wall clock is ahead of `clock`.
    pub wall: Duration,
    /// What was reached, if somebody wants to know.
    pub reached: Option<Box<Reached>>,
    last_dial: u64,
    sent: u64,
}

impl Host {
    pub fn new(id: NodeId, number: u8, source: &mut Source<'_>) -> Self {
        let config = config(source);
        let seed = [number.wrapping_add(source.u8()); 32];
        let now = Instant::from_millis(u64::from(source.u16()));
        let identity = identity(id, number, source);
        let node = Node::new(config.clone(), identity, seed, now);
        let node = node.expect("configuration and identity are in range");
        Self {
            node,
            id,
            config,
            seed,
            clock: now,
            deadline: Some(now),
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            next_link: 0,
            over: false,
            known: BTreeMap::new(),
            wall: Duration::ZERO,
            reached: None,
            last_dial: 0,
            sent: 0,
        }
    }

    /// Gives the node an input at `at`, and says whether it took it.
    pub fn give(&mut self, at: Instant, input: Input) -> bool {
        let is_final = matches!(input, Input::Leave | Input::Shutdown);
        let open = match &input {
            Input::LinkUp { link, .. } => self.links.contains_key(link).then_some(*link),
            _ => None,
        };
        let sequence = self.node.sequence();
        let before = self.reached.is_some().then(|| Before::of(self, &input));
        let result = self.node.handle(at, input);
        if !self.over {
            self.clock = self.clock.max(at);
            assert_eq!(self.node.now(), self.clock, "time runs backwards");
        }
        assert!(self.node.sequence() >= sequence, "the own sequence falls");
        match &result {
            Ok(()) => self.over |= is_final,
            Err(UsageError::Left) => assert!(self.over, "it has not left"),
            Err(UsageError::LinkInUse) => assert!(open.is_some(), "the link was not in use"),
            Err(UsageError::OwnRecord(_) | UsageError::TooManyUpstreams) => {}
            Err(error) => panic!("it was polled and used well: {error}"),
        }
        if let (Some(before), Some(mut reached)) = (before, self.reached.take()) {
            before.after(self, &result, &mut reached);
            self.reached = Some(reached);
        }
        result.is_ok()
    }

    /// Takes the next effect, checks it and keeps the books. `None`: there is none left.
    pub fn poll(&mut self) -> Option<Effect> {
        let effect = self.node.poll();
        if let Some(mut reached) = self.reached.take() {
            reached::effect(&effect, self, &mut reached);
            self.reached = Some(reached);
        }
        match &effect {
            Effect::Send { link, bytes } => self.on_send(*link, bytes),
            Effect::Dial { dial, target } => {
                assert!(!self.over, "it dials though it has left");
                assert!(dial.get() > self.last_dial, "{dial:?} is not new");
                self.last_dial = dial.get();
                checks::target(target, self);
                self.dials.insert(*dial, target.clone());
                // The node gives up a dial whose outcome it never hears; how many it counts is
                // among its invariants.
                if self.dials.len() > 2 * caps::DIALS {
                    self.dials.pop_first();
                }
            }
            Effect::Close { link, .. } => {
                assert!(self.links.contains_key(link), "{link:?} is not open");
            }
            Effect::Event(event) => checks::event(event, self),
            Effect::WaitUntil(deadline) => {
                assert_eq!(deadline.is_none(), self.over, "waits until {deadline:?}");
                self.deadline = *deadline;
                return None;
            }
        }
        Some(effect)
    }

    fn on_send(&mut self, id: LinkId, bytes: &Bytes) {
        assert!(
            bytes.len() <= contract::MESSAGE_BYTES,
            "{} bytes",
            bytes.len()
        );
        let message = match wire::decode(bytes.clone()) {
            Ok(Decoded::Message(message)) => message,
            other => panic!("it sends what is no message: {other:?}"),
        };
        self.sent += 1;
        let link = self.links.get_mut(&id);
        let link = link.unwrap_or_else(|| panic!("it sends on {id:?}, which is not open"));
        assert_eq!(
            link.greeted,
            !matches!(message, Message::Hello(_)),
            "one hello, and first"
        );
        link.greeted = true;
        if let Message::Request(request) = &message {
            link.asked = Some(request.id);
        }
        link.queue.push_back(bytes.clone());
        let outstanding = link.queue.len();
        assert!(
            outstanding <= caps::IN_FLIGHT,
            "{outstanding} messages outstanding"
        );
    }

    /// What holds whenever the node has been polled dry.
    pub fn check(&mut self) {
        self.node.check_invariants();
        assert_eq!(self.node.stats().messages_sent, self.sent);
        checks::views(self);
    }

    /// What is in the first so many collections of the node.
    pub fn things(&self, collections: usize) -> usize {
        let sizes = self.node.sizes();
        let things = sizes.iter().filter(|(what, _, _)| !what.contains("bytes"));
        things.take(collections).map(|(_, size, _)| size).sum()
    }

    /// The credit for the oldest message.
    pub fn take_sent(&mut self, link: LinkId) -> Option<Bytes> {
        self.links.get_mut(&link)?.queue.pop_front()
    }

    pub fn link_ids(&self) -> Vec<LinkId> {
        self.links.keys().copied().collect()
    }

    /// A number for a new link: now and then one that was used before, which is misuse.
    pub fn new_link(&mut self, source: &mut Source<'_>) -> LinkId {
        if source.u8() == 255 {
            return LinkId::new(u64::from(source.u8()));
        }
        self.next()
    }

    /// One that was never used.
    pub fn next(&mut self) -> LinkId {
        self.next_link += 1;
        LinkId::new(self.next_link + 1_000)
    }

    /// Adds what the node has counted to what was reached.
    pub fn tell_stats(&mut self) {
        if let Some(reached) = &mut self.reached {
            reached.stats(&self.node.stats());
        }
    }

    /// The node dies, and another goes on from its snapshot.
    pub fn restart(
        &mut self,
        number: u8,
        elapsed: Option<Duration>,
        source: &mut Source<'_>,
    ) -> Result<(), StartError> {
        self.tell_stats();
        let snapshot = self.node.snapshot(self.clock);
        let before: BTreeSet<_> = self.known.keys().copied().collect();
        self.seed = [self.seed[0].wrapping_add(1); 32];
        let identity = identity(self.id, number, source);
        let config = self.config.clone();
        let (seed, now) = (self.seed, self.clock);
        let old = self.node.sequence();
        self.node = Node::restore(config, identity, seed, now, &snapshot, elapsed)?;
        let now = self.node.sequence();
        assert!(now >= old, "it forgets its own sequence: {now:?} < {old:?}");
        self.links.clear();
        self.dials.clear();
        self.known.clear();
        (self.over, self.last_dial, self.sent) = (false, 0, 0);
        while self.poll().is_some() {}
        self.check();
        let after: BTreeSet<_> = self.known.keys().copied().collect();
        assert!(after.is_subset(&before), "it knows more than before");
        assert!(elapsed.is_some() || after.is_empty(), "it raises the dead");
        Ok(())
    }
}

fn identity(node: NodeId, number: u8, source: &mut Source<'_>) -> Identity {
    let addresses = match source.u8() {
        255 => vec![],
        _ => vec![place(number)],
    };
    Identity::new(node)
        .with_addresses(addresses)
        .with_metadata(source.bytes(8).to_vec())
        .with_seal(Arc::new(LooseSeal))
}

/// Small tables and few links, so that the caps are met.
fn config(source: &mut Source<'_>) -> Config {
    let millis = Duration::from_millis;
    let mut config = Config::default();
    config.capacity = [256, 2, 3, 5, 16, 64, 100, 1024][source.below(8)];
    config.max_links = 4 + source.below(8);
    config.lifetime = Duration::from_secs([86_400, 600, 3600, 604_800][source.below(4)]);
    config.round = millis([200, 10, 1000, 10_000][source.below(4)]);
    config.quiet_round = config.round * (1 + u32::from(source.u8()));
    config.burst = [40, 0, 1, 1000][source.below(4)];
    config.hop_limit = [16, 0, 1, 64][source.below(4)];
    config.request_timeout = millis([3000, 100, 500, 60_000][source.below(4)]);
    config.start_jitter = millis([0, 50][source.below(2)]);
    config.backoff_base = millis([500, 10][source.below(2)]);
    config.backoff_cap = millis([60_000, 600, 3_600_000][source.below(3)]);
    config.link_idle = millis([90_000, 1000][source.below(2)]);
    config.report_interval = millis([600_000, 1000][source.below(2)]);
    // One byte for both, so that older entries of the corpus mean what they meant.
    let flags = source.u8();
    config.local = flags & 1 == 1;
    config.signing = match flags >> 1 & 3 {
        2 => Signing::Accept,
        3 => Signing::Require,
        _ => Signing::Off,
    };
    config.detection = match flags >> 3 & 3 {
        2 => None,
        3 => Some(Duration::from_secs(60)),
        _ => Some(Duration::from_secs(3)),
    };
    if flags >> 5 & 3 == 3 {
        config.cluster = "c".into();
    }
    if flags >> 7 == 1 {
        config.address_policy = Some(|_, address| address != &place(7));
    }
    config.messages_per_second = [50, 1, 100_000][source.below(3)];
    config.bytes_per_second = [256 * 1024, 1024][source.below(2)];
    config.upstreams = (0..source.below(5)).map(|_| address(source)).collect();
    config
}
