//! Watching a simulation: what the bytes are, walks, askers, cycles.

use super::report::ByKind;
use bytes::Bytes;
use peer_exchange::wire::{self, Content, Decoded, Message};
use peer_exchange::{Event, NodeId, RequestId};
use peer_exchange_memory::{HostId, Observer};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

/// The window in which askers are counted.
const WINDOW: Duration = Duration::from_millis(200);

#[derive(Default)]
pub(super) struct Watch {
    pub(super) by_kind: ByKind,
    /// Records in all messages, copies counted.
    pub(super) records: u64,
    /// Messages with news on its way through the cluster.
    pub(super) news: u64,
    pub(super) max_hops: usize,
    pub(super) max_forwards: u64,
    forwards: HashMap<(HostId, NodeId, RequestId), u64>,
    askers: HashMap<HostId, Askers>,
    pub(super) cycles: BTreeSet<Vec<NodeId>>,
    /// Who was taken for down: when, by whom.
    pub(super) downs: Vec<(Duration, HostId, NodeId)>,
}

/// Who sent one node a request lately.
#[derive(Default)]
struct Askers {
    recent: VecDeque<(Duration, HostId)>,
    requests: HashMap<HostId, u32>,
    most: usize,
}

impl Watch {
    /// The most distinct askers that each node had within the window.
    pub(super) fn askers(&self) -> Vec<usize> {
        self.askers.values().map(|a| a.most).collect()
    }

    pub(super) fn max_askers(&self) -> usize {
        self.askers.values().map(|a| a.most).max().unwrap_or(0)
    }
}

impl Watch {
    /// The count that a message belongs to, by what takes most of it.
    fn kind(&mut self, message: &Message) -> &mut u64 {
        let (delta, otherwise) = match message {
            Message::Request(m) if m.is_fetch() => (None, &mut self.by_kind.fetches),
            Message::Request(m) => (m.push.as_ref(), &mut self.by_kind.requests),
            Message::Response(m) => (m.delta.as_ref(), &mut self.by_kind.unchanged),
            Message::Update(m) if m.news.is_some() => {
                let records = m.news.as_ref().map_or(0, |n| n.records.len() as u64);
                self.records += records;
                self.news += 1;
                return &mut self.by_kind.records;
            }
            Message::Update(m) => (m.delta.as_ref(), &mut self.by_kind.other),
            Message::Hello(_)
            | Message::Goodbye(_)
            | Message::Beat(_)
            | Message::Ask(_)
            | Message::DialBack(_) => (None, &mut self.by_kind.other),
        };
        match delta.map(|d| &d.content) {
            Some(Content::Records(records)) if !records.is_empty() => {
                self.records += records.len() as u64;
                &mut self.by_kind.records
            }
            Some(Content::Announced(_) | Content::Nodes(_)) => &mut self.by_kind.announcements,
            Some(Content::Sketch(_)) => &mut self.by_kind.sketches,
            _ => otherwise,
        }
    }
}

impl Observer for Watch {
    fn sent(&mut self, now: Duration, from: HostId, to: HostId, bytes: &Bytes) {
        let Ok(Decoded::Message(message)) = wire::decode(bytes.clone()) else {
            return;
        };
        *self.kind(&message) += bytes.len() as u64;
        let Message::Request(request) = message else {
            return;
        };
        self.askers.entry(to).or_default().add(now, from);
        let hops = request.walk.as_ref().map_or(1, |walk| walk.path.len());
        if !request.is_fetch() {
            self.max_hops = self.max_hops.max(hops);
        }
        if let Some(walk) = request.walk {
            let times = self
                .forwards
                .entry((from, walk.origin, request.id))
                .or_default();
            *times += 1;
            self.max_forwards = self.max_forwards.max(*times);
        }
    }

    fn event(&mut self, now: Duration, host: HostId, event: &Event) {
        match event {
            Event::LoopDetected { path } => {
                self.cycles.insert(path.clone());
            }
            Event::PeerDown { node } => self.downs.push((now, host, *node)),
            _ => {}
        }
    }
}

impl Askers {
    fn add(&mut self, now: Duration, from: HostId) {
        while let Some((at, host)) = self.recent.front().copied() {
            if now.saturating_sub(at) < WINDOW {
                break;
            }
            self.recent.pop_front();
            if let Some(n) = self.requests.get_mut(&host) {
                *n -= 1;
                if *n == 0 {
                    self.requests.remove(&host);
                }
            }
        }
        self.recent.push_back((now, from));
        *self.requests.entry(from).or_default() += 1;
        self.most = self.most.max(self.requests.len());
    }
}
