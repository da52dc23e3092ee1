//! Watching a simulation: what the bytes are, walks, askers, cycles.

use super::report::ByKind;
use bytes::Bytes;
use peer_exchange::wire::{self, Carries, Decoded, Kind, Message, Outline};
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
    fn kind(&mut self, message: Outline) -> &mut u64 {
        let kinds = &mut self.by_kind;
        match (message.kind, message.carries) {
            (Kind::Request | Kind::Response, Carries::Names) => &mut kinds.fetches,
            (Kind::Request, Carries::Filter) => &mut kinds.filters,
            (Kind::Request, Carries::Sketch) => &mut kinds.sketches,
            (_, Carries::News) => &mut kinds.records,
            (Kind::Request | Kind::Response | Kind::Update, _) if message.records > 0 => {
                &mut kinds.records
            }
            (Kind::Request, _) => &mut kinds.requests,
            (Kind::Response, _) => &mut kinds.unchanged,
            _ => &mut kinds.other,
        }
    }

    /// How far a request has come that is passed on for another node.
    fn walked(&mut self, from: HostId, bytes: &Bytes) {
        let Ok(Decoded::Message(Message::Request(request))) = wire::decode(bytes.clone()) else {
            return;
        };
        let Some(walk) = request.walk else {
            return;
        };
        self.max_hops = self.max_hops.max(walk.path().len());
        let passed_on = (from, walk.origin(), request.id);
        let times = self.forwards.entry(passed_on).or_default();
        *times += 1;
        self.max_forwards = self.max_forwards.max(*times);
    }
}

impl Observer for Watch {
    fn sent(&mut self, now: Duration, from: HostId, to: HostId, bytes: &Bytes) {
        let Some(message) = Outline::of(bytes) else {
            return;
        };
        *self.kind(message) += bytes.len() as u64;
        self.records += message.records as u64;
        self.news += u64::from(message.carries == Carries::News);
        if message.kind != Kind::Request {
            return;
        }
        self.askers.entry(to).or_default().add(now, from);
        if message.walks {
            self.walked(from, bytes);
        } else if message.carries != Carries::Names {
            self.max_hops = self.max_hops.max(1);
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
