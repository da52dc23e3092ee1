//! One node driven by hand, in a time of the test's own, at its public interface.

use std::time::Duration;

use bytes::Bytes;
use peer_exchange::wire::{self, Decoded, Message, Records, Refusals, Request, Response, Update};
use peer_exchange::{
    CloseReason, Config, DialId, Effect, Event, Identity, Input, Instant, LinkId, Node, NodeId,
    Target, UsageError,
};

use super::build::{address, hello, id, response};

/// A node with everything that it has put out.
pub(crate) struct Rig {
    pub(crate) node: Node,
    pub(crate) now: Instant,
    /// Decoded, in order, until taken.
    pub(crate) sent: Vec<(LinkId, Message)>,
    pub(crate) dials: Vec<(DialId, Target)>,
    pub(crate) closed: Vec<(LinkId, CloseReason)>,
    pub(crate) events: Vec<Event>,
    /// The node's next deadline.
    pub(crate) wake: Option<Instant>,
    /// Whether each message is reported sent at once.
    pub(crate) credits: bool,
    /// Whether each request is answered at once, with nothing new.
    pub(crate) answers: bool,
    /// Whether the invariants are checked after every input.
    pub(crate) checks: bool,
    links: u64,
}

pub(crate) const SEED: [u8; 32] = [7; 32];

pub(crate) fn identity(n: u32) -> Identity {
    Identity::new(id(n)).with_addresses(vec![address(n)])
}

impl Rig {
    /// Node `n` with its one address.
    pub(crate) fn new(n: u32, config: Config) -> Self {
        Self::of(Node::new(config, identity(n), SEED, Instant::ZERO).unwrap())
    }

    pub(crate) fn of(node: Node) -> Self {
        let mut rig = Self {
            now: node.now(),
            node,
            sent: Vec::new(),
            dials: Vec::new(),
            closed: Vec::new(),
            events: Vec::new(),
            wake: None,
            credits: true,
            answers: false,
            checks: true,
            links: 0,
        };
        rig.input(Input::Wake);
        rig
    }

    pub(crate) fn try_input(&mut self, input: Input) -> Result<(), UsageError> {
        let taken = self.node.handle(self.now, input);
        self.drain();
        if self.checks {
            self.check();
        }
        taken
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.try_input(input).unwrap();
    }

    pub(crate) fn check(&self) {
        self.node.check_invariants();
    }

    fn drain(&mut self) {
        loop {
            match self.node.poll() {
                Effect::Send { link, bytes } => self.on_send(link, bytes),
                Effect::Dial { dial, target } => self.dials.push((dial, target)),
                Effect::Close { link, reason } => self.closed.push((link, reason)),
                Effect::Event(event) => self.events.push(event),
                Effect::WaitUntil(at) => {
                    self.wake = at;
                    if !self.answer_one() {
                        return;
                    }
                }
            }
        }
    }

    /// Answers the first request that was sent, if that is wanted.
    fn answer_one(&mut self) -> bool {
        let is_request = |(_, m): &(LinkId, Message)| matches!(m, Message::Request(_));
        let Some(at) = self
            .sent
            .iter()
            .position(is_request)
            .filter(|_| self.answers)
        else {
            return false;
        };
        if let (link, Message::Request(request)) = self.sent.remove(at) {
            let bytes = wire::encode(Message::Response(response(request.id)));
            let input = Input::Message { link, bytes };
            self.node.handle(self.now, input).unwrap();
        }
        true
    }

    /// Lets time pass while every request is answered at once.
    pub(crate) fn pass_answering(&mut self, seconds: u64) {
        self.answers = true;
        self.pass_s(seconds);
        self.answers = false;
    }

    fn on_send(&mut self, link: LinkId, bytes: Bytes) {
        assert!(bytes.len() <= 65_536, "sent {} bytes", bytes.len());
        match wire::decode(bytes) {
            Ok(Decoded::Message(message)) => self.sent.push((link, message)),
            other => panic!("the node sent what is no message: {other:?}"),
        }
        if self.credits {
            self.node.handle(self.now, Input::Sent { link }).unwrap();
        }
    }

    /// Lets time pass, waking the node whenever it wants.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut again = 0;
        while let Some(at) = self.wake.filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.input(Input::Wake);
            // Checks of signatures go on at once (R50), no more than fit into what may wait.
            again = if self.wake == Some(at) { again + 1 } else { 0 };
            assert!(again < 10_000, "woken in vain at {at:?}: {:?}", self.node);
        }
        self.now = end;
        self.input(Input::Wake);
    }

    pub(crate) fn pass_s(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub(crate) fn next_link(&mut self) -> LinkId {
        self.links += 1;
        LinkId::new(self.links)
    }

    /// An incoming link from node `n`, which does not say Hello.
    pub(crate) fn mute_link(&mut self, n: u32) -> LinkId {
        let link = self.next_link();
        let remote = Some(address(n).socket_addr().unwrap());
        self.input(Input::LinkUp {
            link,
            node: id(n),
            remote,
            dial: None,
        });
        link
    }

    /// An incoming link from node `n`, which has said Hello.
    pub(crate) fn link(&mut self, n: u32) -> LinkId {
        let link = self.mute_link(n);
        self.message(link, hello(u64::from(n) + 1));
        link
    }

    /// A link that this node has dialled, to whoever is given.
    pub(crate) fn land(&mut self, dial: DialId, node: NodeId, epoch: u64) -> LinkId {
        let link = self.next_link();
        self.input(Input::LinkUp {
            link,
            node,
            remote: None,
            dial: Some(dial),
        });
        self.message(link, hello(epoch));
        link
    }

    /// A link that this node has dialled, to itself.
    pub(crate) fn meet_itself(&mut self, dial: DialId) -> LinkId {
        let (link, own) = (self.next_link(), self.node.id());
        self.input(Input::LinkUp {
            link,
            node: own,
            remote: None,
            dial: Some(dial),
        });
        // Its own Hello comes back.
        for message in self.take(link) {
            self.message(link, message);
        }
        link
    }

    /// The first upstream is dialled, and is node `n`.
    pub(crate) fn upstream(&mut self, n: u32) -> LinkId {
        self.pass(Duration::from_millis(50));
        let at = self
            .dials
            .iter()
            .position(|(_, target)| matches!(target, Target::Upstream(_)));
        let (dial, _) = self.dials.remove(at.expect("an upstream is dialled"));
        self.land(dial, id(n), u64::from(n) + 1)
    }

    pub(crate) fn message(&mut self, link: LinkId, message: Message) {
        self.raw(link, wire::encode(message));
    }

    pub(crate) fn raw(&mut self, link: LinkId, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        self.input(Input::Message { link, bytes });
    }

    /// What was sent on this link and not yet taken.
    pub(crate) fn take(&mut self, link: LinkId) -> Vec<Message> {
        let (mine, rest) = std::mem::take(&mut self.sent)
            .into_iter()
            .partition(|(l, _)| *l == link);
        self.sent = rest;
        mine.into_iter().map(|(_, m): (LinkId, _)| m).collect()
    }

    pub(crate) fn take_requests(&mut self, link: LinkId) -> Vec<Request> {
        let all = self.take(link).into_iter();
        all.filter_map(|m| match m {
            Message::Request(r) => Some(r),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn take_responses(&mut self, link: LinkId) -> Vec<Response> {
        let all = self.take(link).into_iter();
        all.filter_map(|m| match m {
            Message::Response(r) => Some(r),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn take_updates(&mut self, link: LinkId) -> Vec<Update> {
        let all = self.take(link).into_iter();
        all.filter_map(|m| match m {
            Message::Update(u) => Some(u),
            _ => None,
        })
        .collect()
    }

    /// The answer to this request, which comes at once (R9).
    pub(crate) fn ask(&mut self, link: LinkId, request: Request) -> Response {
        self.take(link);
        let id = request.id;
        self.message(link, Message::Request(request));
        let mut answers = self.take_responses(link);
        answers.retain(|r| r.id == id);
        assert_eq!(answers.len(), 1, "one answer to one request");
        answers.remove(0)
    }

    /// Makes the node ask now, and returns its request on this link.
    pub(crate) fn asked(&mut self, link: LinkId) -> Request {
        self.take(link);
        for _ in 0..50 {
            self.input(Input::Discover);
            if let Some(request) = self.take_requests(link).pop() {
                return request;
            }
            self.fail_dials();
            self.pass(Duration::from_millis(200));
        }
        let (up, stats) = (self.is_up(link), self.node.stats());
        panic!(
            "no request on {link:?}, up: {up}, {:?} {stats:?}",
            self.closed
        );
    }

    /// Whoever is being dialled is not there.
    pub(crate) fn fail_dials(&mut self) {
        for (dial, _) in std::mem::take(&mut self.dials) {
            self.input(Input::DialFailed { dial });
        }
    }

    pub(crate) fn knows(&self, n: u32) -> bool {
        self.node.peer(&id(n)).is_some()
    }

    pub(crate) fn is_up(&self, link: LinkId) -> bool {
        self.node.links().any(|l| l.link == link)
    }

    pub(crate) fn why_closed(&self, link: LinkId) -> Option<CloseReason> {
        let found = self.closed.iter().find(|(l, _)| *l == link);
        found.map(|(_, reason)| *reason)
    }

    /// Events for which `is_it` holds, since the last call.
    pub(crate) fn take_events(&mut self, is_it: impl Fn(&Event) -> bool) -> Vec<Event> {
        std::mem::take(&mut self.events)
            .into_iter()
            .filter(is_it)
            .collect()
    }
}

/// The records that a message carries.
pub(crate) fn records_in(message: &Message) -> Option<&Records> {
    let delta = match message {
        Message::Request(r) => r.push.as_ref(),
        Message::Response(r) => r.delta.as_ref(),
        Message::Update(u) => match &u.news {
            Some(news) => return Some(&news.records),
            None => u.delta.as_ref(),
        },
        _ => None,
    };
    match &delta?.content {
        wire::Content::Records(records) => Some(records),
        _ => None,
    }
}

/// What this message refuses.
pub(crate) fn refused_in(message: &Message) -> Option<&Refusals> {
    match message {
        Message::Response(r) => Some(&r.refusals),
        Message::Update(u) => Some(&u.refusals),
        _ => None,
    }
}

/// The default configuration with some values changed, and without beats: what a test looks for is
/// what it has caused.
pub(crate) fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = Config::default().with_detection(None);
    change(&mut config);
    config
}

/// A configuration whose first upstream is at the address of node `n`.
pub(crate) fn below(n: u32) -> Config {
    config(|c| c.upstreams = vec![address(n)])
}

/// With the default detection time.
pub(crate) fn watchful() -> Config {
    config(|c| c.detection = Some(Duration::from_secs(3)))
}
