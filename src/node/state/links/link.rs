//! One link: what its other end can do, what is under way on it, and what waits for room (R14, R18).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use crate::id::{NodeId, RequestId};
use crate::limits::caps;
use crate::ring::Position;
use crate::time::{self, Instant};
use crate::wire::{self, Hello, Shows};

/// A link that has lasted so long resets the backoff of its node (R17).
const LASTED: Duration = Duration::from_secs(30);
/// Where messages are doubled, a request is answered twice, and each answer comes twice (R54).
const LATE_ANSWERS: u8 = 4;

/// What a message is for: answers always have room, pushes give way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    Answer,
    Ask,
    Push,
}

impl Class {
    fn room(self) -> usize {
        match self {
            Self::Answer => caps::IN_FLIGHT,
            Self::Ask => caps::IN_FLIGHT - 2,
            Self::Push => caps::IN_FLIGHT_PUSHED,
        }
    }
}

/// A link that has just come up.
pub(crate) struct NewLink {
    pub(crate) node: NodeId,
    pub(crate) remote: Option<SocketAddr>,
    /// This node has dialled it.
    pub(crate) dialled: bool,
    /// What is known of its round-trip time.
    pub(crate) round_trip: Option<Duration>,
    /// Beyond the cap: it is answered once, then goodbye.
    pub(crate) over_cap: bool,
    /// It was dialled since nothing came over the one before (R32).
    pub(crate) replaces: bool,
}

/// The request under way on a link (R14: one exchange, own and forwarded alike).
struct Outstanding {
    id: RequestId,
    sent_at: Instant,
    /// When the node turns to others.
    deadline: Instant,
    /// How it showed the own table; `None`: by its state alone.
    shown: Option<Shows>,
    /// The other end's request that crossed this one, and had to give way.
    crossed: Option<RequestId>,
}

/// A request that was answered.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Answered {
    /// How it showed the own table; `None`: by its state alone.
    pub(crate) shown: Option<Shows>,
    pub(crate) deadline: Instant,
    pub(crate) round_trip: Duration,
}

/// How the next request on a link shows the own table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Form {
    /// As briefly as the times allow.
    #[default]
    Usual,
    /// The tables differ, by about so many records where that can be told.
    Differs(Option<usize>),
    /// A sketch told nothing, or not all.
    Filter,
}

/// Requests in a row that were not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Silence {
    pub(crate) timeouts: u8,
    /// When the first of them was sent.
    pub(crate) since: Instant,
}

pub(crate) struct LinkState {
    node: NodeId,
    remote: Option<SocketAddr>,
    dialled: bool,
    /// Rises with every link of this node.
    order: u64,
    up_at: Instant,
    used_at: Instant,
    /// When a message came on it last, or since when it is up.
    heard_at: Instant,
    /// It has said more than Hello.
    spoken: bool,
    in_flight: u8,
    /// The peer's epoch, once its Hello has come.
    epoch: Option<u32>,
    /// The peer signs its records (R50).
    signs: bool,
    /// The peer takes requests to be dialled (R38).
    dials_back: bool,
    form: Form,
    /// Records that the peer has, as it has said last.
    count: u32,
    /// The own record was sent on it.
    introduced: bool,
    /// An exchange has come to its answer on it.
    exchanged: bool,
    /// The first records that both ends know of each other, as halves of their hashes (R42).
    common: ([u32; caps::TOLD_TO_ALL], u8),
    outstanding: Option<Outstanding>,
    /// The finished requests, the latest first, with how many more answers are taken, and how many of
    /// them there are.
    recent: ([(u32, u8); caps::RECENT_REQUESTS], u8),
    backlog: Option<Box<Backlog>>,
    round_trip: Option<Duration>,
    timeouts: u8,
    silent_since: Option<Instant>,
    over_cap: bool,
    /// It takes the place of the one before, which one of the two ends finds mute.
    replaces: bool,
    /// Until when the peer was told to wait, on this link: on another it may not have heard of it.
    wait_until: Option<Instant>,
}

/// What waits for a link to have room.
#[derive(Default)]
struct Backlog {
    /// Nodes whose records are to be sent as news, and the end of the part that it is for.
    news: Vec<NodeId>,
    until: Position,
}

impl LinkState {
    /// The `order`-th link of this node.
    pub(crate) fn new(new: NewLink, order: u64, now: Instant) -> Self {
        Self {
            node: new.node,
            remote: new.remote,
            dialled: new.dialled,
            order,
            up_at: now,
            used_at: now,
            heard_at: now,
            spoken: false,
            in_flight: 0,
            epoch: None,
            signs: false,
            dials_back: false,
            form: Form::Usual,
            count: 0,
            introduced: false,
            exchanged: false,
            common: ([0; caps::TOLD_TO_ALL], 0),
            outstanding: None,
            recent: ([(0, 0); caps::RECENT_REQUESTS], 0),
            backlog: None,
            round_trip: new.round_trip,
            timeouts: 0,
            silent_since: None,
            over_cap: new.over_cap,
            replaces: new.replaces,
            wait_until: None,
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// Its node and network address: by these it is limited (R18).
    pub(crate) fn source(&self) -> (NodeId, Option<SocketAddr>) {
        (self.node, self.remote)
    }

    pub(crate) fn is_dialled(&self) -> bool {
        self.dialled
    }

    pub(crate) fn order(&self) -> u64 {
        self.order
    }

    pub(crate) fn replaces(&self) -> bool {
        self.replaces
    }

    pub(crate) fn up_at(&self) -> Instant {
        self.up_at
    }

    pub(crate) fn age(&self, now: Instant) -> Duration {
        now.saturating_since(self.up_at)
    }

    /// It has been up for long enough to say that its node can be reached.
    pub(crate) fn has_lasted(&self, now: Instant) -> bool {
        self.age(now) >= LASTED
    }

    pub(crate) fn unused_for(&self, now: Instant) -> Duration {
        now.saturating_since(self.used_at)
    }

    /// When something has come on it last.
    pub(crate) fn heard_at(&self) -> Instant {
        self.heard_at
    }

    pub(crate) fn message_came(&mut self, now: Instant) {
        self.heard_at = now;
    }

    /// Something other than a Hello has come on it.
    pub(crate) fn spoke(&mut self) {
        self.spoken = true;
    }

    pub(crate) fn has_spoken(&self) -> bool {
        self.spoken
    }

    pub(crate) fn is_introduced(&self) -> bool {
        self.introduced
    }

    pub(crate) fn is_over_cap(&self) -> bool {
        self.over_cap
    }

    /// It stays, though there was no room for it.
    pub(crate) fn let_in(&mut self) {
        self.over_cap = false;
    }

    /// The mean round-trip time of exchanges on it.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Requests in a row that got no answer.
    pub(crate) fn timeouts(&self) -> u8 {
        self.timeouts
    }
}

/// Greeting.
impl LinkState {
    pub(crate) fn greeted(&mut self, hello: &Hello) {
        self.epoch = Some(hello.epoch);
        self.signs = hello.features & wire::SIGNS != 0;
        self.dials_back = hello.features & wire::NO_DIAL_BACKS == 0;
        self.replaces |= hello.features & wire::REPLACES != 0;
    }

    /// The other end's epoch, once its Hello has come.
    pub(crate) fn epoch(&self) -> Option<u32> {
        self.epoch
    }

    pub(crate) fn dials_back(&self) -> bool {
        self.dials_back
    }

    pub(crate) fn signs(&self) -> bool {
        self.signs
    }
}

/// Room: a few messages at most are with the transport.
impl LinkState {
    /// Takes the place of one message, if there is one for its class.
    pub(crate) fn take_room(&mut self, class: Class, now: Instant) -> bool {
        if usize::from(self.in_flight) >= class.room() {
            return false;
        }
        self.in_flight += 1;
        self.used_at = now;
        true
    }

    /// The transport has taken one message.
    pub(crate) fn give_room(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// Whether there is room for what is not asked for.
    fn has_room(&self) -> bool {
        usize::from(self.in_flight) < Class::Push.room()
    }

    /// News about these nodes, as much as may wait. The other end, which stands `at` its place on
    /// the ring, is to pass all of it on until the furthest end.
    pub(crate) fn await_room(&mut self, about: Vec<NodeId>, at: Position, until: Position) {
        let backlog = self.backlog.get_or_insert_default();
        backlog.until = if backlog.news.is_empty() {
            until
        } else {
            at.further(backlog.until, until)
        };
        for node in about {
            let room = backlog.news.len() < caps::WAITING_NEWS;
            if room && !backlog.news.contains(&node) {
                backlog.news.push(node);
            }
        }
    }

    /// The news that has waited, if there is room.
    pub(crate) fn take_news(&mut self) -> Option<(Vec<NodeId>, Position)> {
        if !self.has_room() {
            return None;
        }
        let backlog = self.backlog.as_mut()?;
        let news = core::mem::take(&mut backlog.news);
        let until = backlog.until;
        self.drop_empty_backlog();
        (!news.is_empty()).then_some((news, until))
    }

    /// Most links never have anything that waits.
    fn drop_empty_backlog(&mut self) {
        let nothing = |b: &mut Box<Backlog>| b.news.is_empty();
        drop(self.backlog.take_if(nothing));
    }
}

/// Requests and their answers (R14).
impl LinkState {
    /// No request of this node is under way on it.
    pub(crate) fn is_idle(&self) -> bool {
        self.outstanding.is_none()
    }

    /// The next request is to be of this form.
    pub(crate) fn set_form(&mut self, form: Form) {
        self.form = form;
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// A request was sent that shows the own table so.
    pub(crate) fn asked(
        &mut self,
        id: RequestId,
        shown: Option<Shows>,
        now: Instant,
        deadline: Instant,
    ) {
        self.outstanding = Some(Outstanding {
            id,
            sent_at: now,
            deadline,
            shown,
            crossed: None,
        });
    }

    /// Whether the other end's request, which crosses the one under way, gives way to it. Once: if
    /// another comes, the one under way has not arrived.
    pub(crate) fn goes_before(&mut self, other: RequestId) -> bool {
        let ours = self.outstanding.as_mut();
        ours.is_some_and(|o| *o.crossed.get_or_insert(other) == other)
    }

    /// Whether this is the request under way.
    pub(crate) fn awaits(&self, id: RequestId) -> bool {
        self.outstanding.as_ref().is_some_and(|o| o.id == id)
    }

    /// Takes the request off if this is the ID of the one under way.
    pub(crate) fn answered(&mut self, id: RequestId, now: Instant) -> Option<Answered> {
        let asked = self.outstanding.take_if(|o| o.id == id)?;
        self.finish(id);
        self.exchanged = true;
        self.form = Form::Usual;
        let round_trip = now.saturating_since(asked.sent_at);
        self.round_trip = Some(time::smoothed(self.round_trip, round_trip));
        self.heard();
        Some(Answered {
            shown: asked.shown,
            deadline: asked.deadline,
            round_trip,
        })
    }

    /// The request under way has got no answer in time.
    pub(crate) fn timed_out(&mut self) -> Option<Silence> {
        let asked = self.outstanding.take()?;
        self.finish(asked.id);
        self.timeouts = self.timeouts.saturating_add(1);
        Some(Silence {
            timeouts: self.timeouts,
            since: *self.silent_since.get_or_insert(asked.sent_at),
        })
    }

    /// Gives the request under way up, and says when it would have timed out.
    pub(crate) fn give_up(&mut self) -> Option<Instant> {
        let asked = self.outstanding.take()?;
        self.finish(asked.id);
        Some(asked.deadline)
    }

    /// When the request under way times out.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.outstanding.as_ref().map(|o| o.deadline)
    }

    /// Remembers a finished request: its answer may yet come again.
    pub(crate) fn finish(&mut self, id: RequestId) {
        let (requests, n) = &mut self.recent;
        requests.rotate_right(1);
        requests[0] = (id.get(), LATE_ANSWERS);
        *n = (*n + 1).min(requests.len() as u8);
    }

    /// Whether this answers a finished request late or again: a few times each (R14, R54).
    pub(crate) fn take_recent(&mut self, id: RequestId) -> bool {
        let (requests, n) = &mut self.recent;
        let finished = &mut requests[..usize::from(*n)];
        let Some(at) = finished.iter().position(|(of, _)| *of == id.get()) else {
            return false;
        };
        finished[at].1 -= 1;
        if finished[at].1 == 0 {
            finished[at..].rotate_left(1);
            *n -= 1;
        }
        true
    }

    /// For how long no message has come.
    pub(crate) fn mute_for(&self, now: Instant) -> Duration {
        now.saturating_since(self.heard_at)
    }

    /// The other end has answered something.
    pub(crate) fn heard(&mut self) {
        self.timeouts = 0;
        self.silent_since = None;
    }

    /// The other end was told to wait until then.
    pub(crate) fn told_to_wait(&mut self, until: Instant) {
        self.wait_until = Some(until);
    }

    /// The other end was told to wait, and the time is not over.
    pub(crate) fn must_wait(&self, now: Instant) -> bool {
        self.wait_until.is_some_and(|until| now < until)
    }
}

mod known;
#[cfg(test)]
mod tests;
