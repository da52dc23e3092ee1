//! What a replay reaches, counted from outside: by what goes into a node, what comes out, and what it
//! shows of itself. Only where somebody asks for it: it costs more than the run.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use peer_exchange::wire::{Decoded, Message, Records, Request, Response, decode};
use peer_exchange::{
    CloseReason, Effect, Event, Input, Instant, LinkId, NodeId, PeerFault, PeerState, PeerView,
    RequestId, Sequence, Stats, Target, UsageError,
};

use super::host::Host;

/// How often what was reached: by group and name. A name is that of the code.
#[derive(Default)]
pub struct Reached {
    counts: BTreeMap<(&'static str, String), u64>,
    /// Answered in this instant, by subnet.
    answered: BTreeMap<[u8; 3], (Instant, u64)>,
    /// Requests of the node for certain records.
    fetches: Vec<RequestId>,
    /// Requests of others to which it has wanted something, or has promised something for later.
    wanted: Vec<RequestId>,
    later: Vec<RequestId>,
    /// Requests of its own that were answered so.
    to_give: Vec<RequestId>,
    to_come: Vec<RequestId>,
}

/// The name of the variant that this is.
pub fn variant(value: &impl Debug) -> String {
    let shown = format!("{value:?}");
    let end = shown.find(|c: char| !c.is_alphanumeric() && c != '_');
    shown[..end.unwrap_or(shown.len())].into()
}

impl Reached {
    /// All of it.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str, u64)> {
        self.counts
            .iter()
            .map(|((group, name), n)| (*group, name.as_str(), *n))
    }

    /// With what another has reached.
    pub fn add_all(&mut self, other: &Self) {
        for (group, name, n) in other.iter() {
            self.add(group, name, n);
        }
    }

    /// So many more.
    pub fn add(&mut self, group: &'static str, name: impl Into<String>, n: u64) {
        if n > 0 {
            *self.counts.entry((group, name.into())).or_default() += n;
        }
    }

    fn one(&mut self, group: &'static str, name: impl Into<String>) {
        self.add(group, name, 1);
    }

    /// Whatever a node has counted, at its end.
    pub fn stats(&mut self, stats: &Stats) {
        for (kind, traffic) in stats.received() {
            self.add("received", kind.name(), traffic.messages);
        }
        for (kind, traffic) in stats.sent() {
            self.add("sent", kind.name(), traffic.messages);
        }
        for (reason, n) in stats.faults() {
            self.add("blame", reason, n);
        }
        self.add("counter", "detection", stats.detection.count());
        for (name, n) in counters(stats) {
            self.add("counter", name, n);
        }
    }
}

/// The counters that are plain numbers, by their names in the code.
pub fn counters(stats: &Stats) -> Vec<(String, u64)> {
    let shown = format!("{stats:#?}");
    let field = |line: &str| {
        let (name, n) = line.strip_prefix("    ")?.split_once(": ")?;
        let is_outer = !name.starts_with(' ');
        let n = n.trim_end_matches(',').parse().ok()?;
        is_outer.then(|| (name.to_owned(), n))
    };
    shown.lines().filter_map(field).collect()
}

/// A message of one record: what became of that can be told from outside.
struct Single {
    node: NodeId,
    sequence: Sequence,
    is_tombstone: bool,
    /// What was known of its node.
    before: Option<PeerView>,
}

impl Single {
    fn of(message: &Message, host: &Host) -> Option<Self> {
        let pages: Vec<&Records> = match message {
            Message::Request(m) => vec![&m.records],
            Message::Response(m) => vec![&m.records, &m.renewed],
            Message::Update(m) => {
                let news = m.news.as_ref().map(|news| &news.records);
                news.into_iter().chain([&m.records]).collect()
            }
            _ => return None,
        };
        let mut records = pages.into_iter().flat_map(Records::iter);
        let record = records.next()?;
        if records.next().is_some() || record.node == host.id {
            return None;
        }
        Some(Self {
            node: record.node,
            sequence: record.sequence,
            is_tombstone: !record.body.starts_with(&[0x0a]),
            before: host.node.member(&record.node),
        })
    }

    /// By what was counted since, named as in `table::merge::Merged`.
    fn became(&self, host: &Host, since: &Stats, now: &Stats) -> Option<&'static str> {
        let rose = |of: fn(&Stats) -> u64| of(now) > of(since);
        let known = self.before.as_ref();
        let after = host.node.member(&self.node);
        let is_alive = |peer: &PeerView| peer.state.is_live();
        Some(if rose(|s| s.records_learned) {
            let was_alive = known.is_some_and(is_alive);
            match (was_alive, after.as_ref().is_some_and(is_alive)) {
                (true, false) if self.is_tombstone => "Left",
                (true, _) => "Newer",
                (false, _) => "New",
            }
        } else if rose(|s| s.renewals_applied) {
            "Renewed"
        } else if rose(|s| s.records_refused) {
            match known.map(|peer| peer.state) {
                Some(PeerState::Down) => "Down",
                _ => "Refused",
            }
        } else if rose(|s| s.records_known) {
            match known {
                Some(peer) if peer.sequence > self.sequence => "Stale",
                Some(peer) if peer.sequence.version == self.sequence.version => "Known",
                _ => "Dying",
            }
        } else if rose(|s| s.records_conflicting) {
            "Conflict"
        } else if rose(|s| s.records_bad) {
            "Bad"
        } else if rose(|s| s.records_unproven) {
            "Unproven"
        } else if rose(|s| s.records_hearsay) {
            "Hearsay"
        } else if rose(|s| s.records_evicted) {
            "Full"
        } else {
            return None;
        })
    }
}

/// How things were before an input.
pub struct Before {
    input: String,
    link: Option<(LinkId, NodeId, Option<SocketAddr>)>,
    message: Option<Message>,
    single: Option<Single>,
    stats: Stats,
}

impl Before {
    pub fn of(host: &Host, input: &Input) -> Self {
        let mut before = Self {
            input: variant(input),
            link: None,
            message: None,
            single: None,
            stats: host.node.stats(),
        };
        if let Input::Message { link, bytes } = input {
            let mut links = host.node.links();
            let view = links.find(|view| view.link == *link);
            before.link = view.map(|view| (view.link, view.node, view.remote));
            before.message = message(bytes);
            let single = before.message.as_ref();
            before.single = single.and_then(|message| Single::of(message, host));
        }
        before
    }

    /// What the input has led to.
    pub fn after(self, host: &Host, result: &Result<(), UsageError>, reached: &mut Reached) {
        reached.one("input", self.input.clone());
        if let Err(error) = result {
            reached.one("misuse", variant(error));
        }
        let now = host.node.stats();
        self.full(host, &now, reached);
        for peer in host.node.members() {
            reached.one("peer", variant(&peer.state));
        }
        for (what, size, _) in host.node.sizes() {
            reached.add("kept", what, size as u64);
        }
        let Some(message) = &self.message else {
            return;
        };
        if let Some(became) = self
            .single
            .as_ref()
            .and_then(|s| s.became(host, &self.stats, &now))
        {
            reached.one("record", became);
        }
        let was_read = now.messages_received > self.stats.messages_received;
        if self.link.is_none() || !was_read {
            return;
        }
        if now.requests_throttled > self.stats.requests_throttled {
            reached.one("throttled", message.kind().name());
        }
        self.received(host, message, &now, reached);
    }

    /// For what there was no room.
    fn full(&self, host: &Host, now: &Stats, reached: &mut Reached) {
        let sizes = host.node.sizes();
        let is_at_cap = |of: &str| sizes.iter().any(|(what, n, cap)| *what == of && n == cap);
        if now.records_evicted > self.stats.records_evicted {
            let name = match (is_at_cap("tombstones"), is_at_cap("living")) {
                (true, _) => "graves",
                (false, true) => "places",
                (false, false) => "bytes",
            };
            reached.one("full", name);
        }
    }

    fn received(&self, host: &Host, message: &Message, now: &Stats, reached: &mut Reached) {
        match message {
            Message::Goodbye(m) => reached.one("goodbye received", variant(&m.reason)),
            Message::Request(m) => self.request(host, m, now, reached),
            Message::Response(m) => self.response(m, now, reached),
            Message::Update(m) => {
                let request = m.request.unwrap_or(RequestId::new(0));
                if reached.wanted.contains(&request) && !m.records.is_empty() {
                    reached.one("exchange", "what it wanted has come");
                }
                if reached.to_come.contains(&request) {
                    reached.one("exchange", "what was promised has come");
                }
            }
            _ => {}
        }
    }

    fn request(&self, host: &Host, request: &Request, now: &Stats, reached: &mut Reached) {
        if now.requests_answered == self.stats.requests_answered {
            return;
        }
        reached.one("admission", "Admitted");
        reached.one("shown to it", variant(&request.shows));
        if let Some((_, _, Some(remote))) = self.link {
            let IpAddr::V4(ip) = remote.ip() else { return };
            let [a, b, c, _] = ip.octets();
            let entry = reached.answered.entry([a, b, c]).or_default();
            if entry.0 != host.clock {
                *entry = (host.clock, 0);
            }
            entry.1 += 1;
            let config = &host.config;
            let share =
                (80 * u64::from(config.messages_per_second)).max(4 * config.capacity as u64);
            if entry.1 > share {
                reached.one("admission", "beyond its subnet's share");
            }
        }
    }

    fn response(&self, response: &Response, now: &Stats, reached: &mut Reached) {
        if reached.fetches.contains(&response.id) && now.unsolicited == self.stats.unsolicited {
            let late = now.late_responses > self.stats.late_responses;
            let name = if late { "a late fetch" } else { "a fetch" };
            reached.one("exchange", name);
        }
        if now.responses_received == self.stats.responses_received {
            return;
        }
        let (id, busy) = (response.id, response.busy.is_some());
        for (is_so, name) in [
            (busy, "busy"),
            (response.same, "the same"),
            (response.cut && !busy, "cut"),
            (!response.strata.is_empty(), "an estimate"),
            (!response.nodes.is_empty(), "names"),
            (!response.records.is_empty(), "records"),
            (!response.renewed.is_empty(), "renewals"),
            (!response.refusals.is_empty(), "refusals"),
        ] {
            reached.add("answer", name, u64::from(is_so));
        }
        if !response.wants.is_empty() {
            reached.to_give.push(id);
        }
        if response.later {
            reached.to_come.push(id);
        }
    }
}

fn message(bytes: &Bytes) -> Option<Message> {
    match decode(bytes.clone()) {
        Ok(Decoded::Message(message)) => Some(message),
        _ => None,
    }
}

/// What a node does.
pub fn effect(effect: &Effect, host: &Host, reached: &mut Reached) {
    match effect {
        Effect::Send { bytes, .. } => {
            if let Some(message) = message(bytes) {
                said(&message, host, reached);
            }
        }
        Effect::Dial { target, .. } => dial(target, reached),
        Effect::Close { reason, .. } => close(*reason, reached),
        Effect::Event(event) => tell(event, reached),
        Effect::WaitUntil(_) => {}
    }
}

fn dial(target: &Target, reached: &mut Reached) {
    reached.one("dial", variant(target));
}

fn close(reason: CloseReason, reached: &mut Reached) {
    reached.one("close", variant(&reason));
}

fn tell(event: &Event, reached: &mut Reached) {
    reached.one("event", variant(event));
    match event {
        Event::OtherCluster { what, .. } => reached.one("mismatch", variant(what)),
        Event::Blamed {
            fault: PeerFault::OwnRecord(error),
            ..
        } => reached.one("own record", variant(error)),
        _ => {}
    }
}

fn said(message: &Message, host: &Host, reached: &mut Reached) {
    match message {
        Message::Goodbye(m) => reached.one("goodbye sent", variant(&m.reason)),
        Message::Request(m) => {
            if m.is_fetch() {
                reached.fetches.push(m.id);
            }
            let what = if m.state.is_some() { "brief" } else { "whole" };
            let what = if m.is_fetch() { "fetch" } else { what };
            reached.one("asked", what);
            if m.walk.is_some() {
                reached.one("asked", "for another");
            }
            if m.state.is_none() && !m.is_fetch() {
                reached.one("shown by it", variant(&m.shows));
            }
        }
        Message::Response(m) => answered(m, host, reached),
        Message::Update(m) => {
            let request = m.request.unwrap_or(RequestId::new(0));
            if reached.to_give.contains(&request) {
                reached.one("exchange", "what was wanted is given");
            }
            if reached.later.contains(&request) {
                reached.one("exchange", "what it promised is told");
            }
            if m.same_key.is_some() {
                reached.one("exchange", "two of one key are told");
            }
        }
        Message::Hello(_) | Message::Beat(_) | Message::Ask(_) | Message::DialBack(_) => {}
    }
}

fn answered(response: &Response, host: &Host, reached: &mut Reached) {
    match &response.busy {
        // Where it knows nobody, its sample is empty as well.
        Some((_, sample)) if !sample.is_empty() => reached.one("admission", "OverLimit"),
        Some(_) if host.node.peer_count() > 2 => reached.one("admission", "MustWait"),
        _ => {}
    }
    for (is_so, name) in [
        (response.busy.is_some(), "busy"),
        (response.same, "the same"),
        (response.cut, "cut"),
        (!response.strata.is_empty(), "an estimate"),
        (!response.nodes.is_empty(), "names"),
        (!response.records.is_empty(), "records"),
        (!response.renewed.is_empty(), "renewals"),
        (!response.refusals.is_empty(), "refusals"),
    ] {
        reached.add("answered", name, u64::from(is_so));
    }
    if !response.wants.is_empty() {
        reached.wanted.push(response.id);
    }
    if response.later {
        reached.later.push(response.id);
    }
}
