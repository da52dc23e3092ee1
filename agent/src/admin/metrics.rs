//! `/metrics`: what the node has counted, in the text format of OpenMetrics.

use super::page::{Page, Value};
use super::{Desk, counts};
use crate::live::{Agent, unexpected};
use crate::usage;
use peer_exchange::driver::Stopped;
use peer_exchange::{Node, OwnAddressState, Stats, Traffic, UpstreamState};
use peer_exchange_tls::HandshakeStats;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::time::Duration;

/// The whole page.
pub(super) async fn text(desk: &Desk) -> Result<String, Stopped> {
    let agent = &desk.agent;
    let loops = unexpected(&agent.settings());
    let node = agent.handle.read(move |node| Seen::of(node, loops(node)));
    let (saved, save_failed) = agent.saves.counts();
    let sample = Sample {
        seen: node.await?,
        handshakes: handshakes(agent),
        saves: (saved, save_failed),
        uptime: agent.started.elapsed(),
        cpu: usage::cpu_time(),
        rss: usage::rss_bytes(),
        name: agent.settings().node_name.clone(),
        admin: desk.counts.seen(&desk.pages),
    };
    let mut registry = Registry::default();
    registry.register_collector(Box::new(sample));
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    Ok(text)
}

/// What was read off the node at one moment.
#[derive(Debug)]
struct Seen {
    stats: Stats,
    peers: usize,
    isolated: bool,
    /// Own addresses by their state.
    own_addresses: [(OwnAddressState, usize); 3],
    loops: usize,
    capacity: usize,
    pace: Duration,
    upstreams: Vec<Upstream>,
}

#[derive(Debug)]
struct Upstream {
    address: String,
    up: bool,
    failures: u8,
    since_news: Duration,
}

impl Seen {
    fn of(node: &Node, loops: usize) -> Self {
        let upstreams = node.upstreams().map(|u| Upstream {
            address: u.address.to_string(),
            up: matches!(u.state, UpstreamState::Up),
            failures: u.failures,
            // The node's time begins with the agent.
            since_news: node.now().saturating_since(u.last_news.unwrap_or_default()),
        });
        Self {
            stats: node.stats(),
            peers: node.peer_count(),
            isolated: node.is_isolated(),
            own_addresses: [
                OwnAddressState::Proven,
                OwnAddressState::Unproven,
                OwnAddressState::Unreachable,
            ]
            .map(|state| {
                let of = node.own_addresses().filter(|own| own.state == state);
                (state, of.count())
            }),
            loops,
            capacity: node.config().capacity,
            pace: node.pace(),
            upstreams: upstreams.collect(),
        }
    }
}

fn handshakes(agent: &Agent) -> Vec<(&'static str, HandshakeStats)> {
    let quic = agent.sockets.quic.as_ref().map(|t| ("quic", t.stats()));
    let tcp = agent.sockets.tcp.as_ref().map(|t| ("tcp", t.stats()));
    quic.into_iter().chain(tcp).collect()
}

#[derive(Debug)]
struct Sample {
    seen: Seen,
    handshakes: Vec<(&'static str, HandshakeStats)>,
    saves: (u64, u64),
    uptime: Duration,
    cpu: Duration,
    rss: Option<u64>,
    name: String,
    admin: counts::Seen,
}

impl Collector for Sample {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page::new(encoder);
        self.messages(&mut page)?;
        self.exchanges(&mut page)?;
        self.records(&mut page)?;
        self.liveness(&mut page)?;
        self.oddities(&mut page)?;
        self.cycles(&mut page)?;
        self.upstreams(&mut page)?;
        self.connections(&mut page)?;
        self.reached(&mut page)?;
        self.admin.encode(&mut page)?;
        self.process(&mut page)
    }
}

impl Sample {
    fn messages(&self, page: &mut Page<'_>) -> fmt::Result {
        let s = &self.seen.stats;
        let kinds = |traffic: fn(&Traffic) -> u64| {
            let sent = s.sent().map(move |(kind, t)| ("sent", kind, traffic(&t)));
            let received = s
                .received()
                .map(move |(kind, t)| ("received", kind, traffic(&t)));
            sent.chain(received).map(|(direction, kind, n)| {
                let labels = vec![
                    ("direction", direction.to_owned()),
                    ("kind", kind.name().to_owned()),
                ];
                (labels, Value::Counter(n))
            })
        };
        page.family(
            "messages",
            "Messages, without the transport's framing.",
            MetricType::Counter,
            kinds(|t| t.messages),
        )?;
        page.family(
            "bytes",
            "Encoded bytes of messages, without the transport's framing.",
            MetricType::Counter,
            kinds(|t| t.bytes),
        )?;
        page.counter(
            "unknown_messages",
            "Messages of a kind or version that this one does not know (R23).",
            s.unknown_messages,
        )
    }

    fn exchanges(&self, page: &mut Page<'_>) -> fmt::Result {
        let s = &self.seen.stats;
        page.counters(
            "requests",
            "Own requests by outcome; begun is all, deferred those answered Busy (R14, R18).",
            "outcome",
            &[
                ("begun", s.requests_sent),
                ("answered", s.responses_received),
                ("timed_out", s.timeouts),
                ("deferred", s.deferred),
                ("late", s.late_responses),
            ],
        )?;
        page.counters(
            "requests_received",
            "Requests of others, and updates throttled, by what became of them (R10, R14, R18).",
            "outcome",
            &[
                ("answered", s.requests_answered),
                ("throttled", s.requests_throttled),
                ("crossed", s.requests_crossed),
                ("forwarded", s.requests_forwarded),
            ],
        )?;
        page.counter(
            "fetches",
            "Requests for certain records (R27).",
            s.fetches_sent,
        )?;
        page.counters(
            "faults",
            "What peers did wrong, by reason (R14, R18).",
            "reason",
            &s.faults().collect::<Vec<_>>(),
        )?;
        page.counter(
            "backoffs",
            "Failures after which somebody was left alone for a while (R17).",
            s.backoffs,
        )?;
        page.gauge(
            "backing_off",
            "Upstreams and peers that are left alone for a while (R17).",
            s.backing_off as f64,
        )?;
        page.gauge(
            "pace_seconds",
            "Between rounds of asking, at the moment (R16).",
            self.seen.pace.as_secs_f64(),
        )
    }

    fn records(&self, page: &mut Page<'_>) -> fmt::Result {
        let s = &self.seen.stats;
        page.gauge("peers", "Known live peers.", self.seen.peers as f64)?;
        page.gauge(
            "table_records",
            "Records in the table, the own one and tombstones included (R22).",
            s.records as f64,
        )?;
        page.gauge(
            "table_capacity",
            "Records that the table has room for (R22).",
            self.seen.capacity as f64,
        )?;
        page.gauge("table_bytes", "Memory of the table.", s.table_bytes as f64)?;
        page.counters(
            "records",
            "Records received, by what became of them (refused: R3, conflicting: R1).",
            "outcome",
            &[
                ("learned", s.records_learned),
                ("known", s.records_known),
                ("refused", s.records_refused),
                ("conflicting", s.records_conflicting),
                ("bad", s.records_bad),
                ("unproven", s.records_unproven),
                ("hearsay", s.records_hearsay),
            ],
        )?;
        page.counter(
            "signatures_checked",
            "Signatures of records that were checked, whether they were good or not.",
            s.signatures_checked,
        )?;
        page.counter(
            "unchecked_dropped",
            "Messages dropped since too much was waiting for its signatures to be checked.",
            s.unchecked_dropped,
        )?;
        page.counter(
            "records_evicted",
            "Records dropped to make room, or for which there was none (R22).",
            s.records_evicted,
        )?;
        page.counter(
            "records_expired",
            "Records whose life has ended (R2, R3).",
            s.records_expired,
        )?;
        page.counter(
            "renewals_applied",
            "Renewals of peers' records.",
            s.renewals_applied,
        )?;
        page.counter(
            "recoveries",
            "Times that this node took a higher version to keep its identity (R5, R6).",
            s.recoveries,
        )
    }

    fn liveness(&self, page: &mut Page<'_>) -> fmt::Result {
        let s = &self.seen.stats;
        let states = [
            ("up", s.peers_up),
            ("suspect", s.peers_suspect),
            ("down", s.peers_down),
            ("left", s.peers_left),
        ];
        page.gauges(
            "peers_by_state",
            "Peers that are remembered, by their state (R32, R35).",
            states.map(|(state, n)| (("state", state.to_owned()), n as f64)),
        )?;
        page.counters(
            "accusations",
            "Accusations of being silent: made here, counted here, false, of nodes that then spoke, and not counted, by those whom their subjects have named for false ones (R32, R33).",
            "outcome",
            &[
                ("made", s.accusations),
                ("counted", s.accusations_counted),
                ("false", s.accusations_false),
                ("not_counted", s.accusations_uncounted),
            ],
        )?;
        page.counter(
            "refutations",
            "Accusations of this node that it has refuted (R33).",
            s.refutations,
        )?;
        page.counter("downs", "Nodes that were taken for down (R32).", s.downs)?;
        page.counter(
            "repairs",
            "Exchanges since the fingerprints in beats differed (R31).",
            s.repairs,
        )?;
        page.gauge(
            "isolated",
            "1 while this node hears nobody (R34).",
            f64::from(u8::from(self.seen.isolated)),
        )?;
        page.histogram(
            "detection_seconds",
            "Of nodes that this one watches: from when they were heard last until they were down here (R32).",
            &s.detection,
        )
    }

    /// What is not as it should be, and is nobody's end.
    fn oddities(&self, page: &mut Page<'_>) -> fmt::Result {
        let s = &self.seen.stats;
        page.counter(
            "accusers_named",
            "Nodes that this one has named for accusing it falsely twice within ten minutes (R33).",
            s.accusers_named,
        )?;
        page.counter(
            "clones_parted",
            "Links closed since another node with the same key was linked already (R36).",
            s.clones_parted,
        )?;
        page.counter(
            "clock_lost_milliseconds",
            "Time that only the wall clock has seen: a paused machine, or a clock that was set (R34).",
            s.time_lost_ms,
        )?;
        page.gauge(
            "transports_blocked",
            "Transports over which peers do not answer that do over another (R32).",
            s.transports_blocked as f64,
        )?;
        Ok(())
    }

    fn cycles(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counter(
            "loops_detected",
            "Cycles of upstreams found, each time (R13, R47).",
            self.seen.stats.loops,
        )?;
        page.gauge(
            "loops_present",
            "Cycles of upstreams that this node is on now, unless they are expected (R13, R47).",
            self.seen.loops as f64,
        )
    }

    fn upstreams(&self, page: &mut Page<'_>) -> fmt::Result {
        let all = &self.seen.upstreams;
        let label = |u: &Upstream| ("upstream", u.address.clone());
        page.gauges(
            "upstream_up",
            "1 while the upstream is connected.",
            all.iter().map(|u| (label(u), f64::from(u8::from(u.up)))),
        )?;
        page.gauges(
            "upstream_failures",
            "Failures to reach the upstream, in a row (R17).",
            all.iter().map(|u| (label(u), f64::from(u.failures))),
        )?;
        page.gauges(
            "upstream_last_news_seconds",
            "Since the upstream last brought news, or since the agent's start if it never has (R16).",
            all.iter().map(|u| (label(u), u.since_news.as_secs_f64())),
        )
    }

    fn connections(&self, page: &mut Page<'_>) -> fmt::Result {
        let s = &self.seen.stats;
        page.gauge("links", "Links to other nodes.", s.links as f64)?;
        page.counters(
            "dials",
            "Attempts to connect (R19).",
            "outcome",
            &[("begun", s.dials), ("failed", s.dial_failures)],
        )?;
        page.counter(
            "misbehaving",
            "Nodes refused for misbehaviour (R18).",
            s.misbehaving,
        )?;
        page.family(
            "handshakes",
            "Incoming connections by what became of them (R25).",
            MetricType::Counter,
            self.handshakes.iter().flat_map(|(transport, h)| {
                [
                    ("accepted", h.accepted),
                    ("failed", h.failed),
                    ("not_ours", h.not_ours),
                    ("wrong_token", h.wrong_token),
                    ("timed_out", h.timed_out),
                    ("turned_away", h.turned_away),
                ]
                .map(|(outcome, n)| {
                    let labels = vec![
                        ("transport", (*transport).to_owned()),
                        ("outcome", outcome.to_owned()),
                    ];
                    (labels, Value::Counter(n))
                })
            }),
        )?;
        page.gauges(
            "half_open",
            "Incoming connections that have not proven membership (R25).",
            self.handshakes
                .iter()
                .map(|(transport, h)| (("transport", (*transport).to_owned()), h.half_open as f64)),
        )
    }

    /// Whether others reach this node (R38).
    fn reached(&self, page: &mut Page<'_>) -> fmt::Result {
        let s = &self.seen.stats;
        page.gauges(
            "own_addresses",
            "Addresses of this node, those at which others see it included, by whether others reach it there (R38).",
            self.seen
                .own_addresses
                .iter()
                .map(|(state, n)| (("state", state.name().to_owned()), *n as f64)),
        )?;
        page.counters(
            "dial_backs",
            "Dials of peers that wanted to know whether they can be reached (R38).",
            "outcome",
            &[
                ("reached", s.dial_backs_reached),
                ("failed", s.dial_backs_failed),
                ("refused", s.dial_backs_refused),
            ],
        )
    }

    fn process(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counters(
            "state_saves",
            "Times that the state was written to disk.",
            "outcome",
            &[("done", self.saves.0), ("failed", self.saves.1)],
        )?;
        page.gauge(
            "uptime_seconds",
            "Since the agent's start.",
            self.uptime.as_secs_f64(),
        )?;
        page.float_counter(
            "cpu_seconds",
            "CPU time of the agent.",
            self.cpu.as_secs_f64(),
        )?;
        if let Some(rss) = self.rss {
            page.gauge(
                "resident_memory_bytes",
                "Resident memory of the agent.",
                rss as f64,
            )?;
        }
        page.family(
            "build_info",
            "Always 1.",
            MetricType::Gauge,
            [(
                vec![
                    ("version", env!("CARGO_PKG_VERSION").to_owned()),
                    ("node_name", self.name.clone()),
                ],
                Value::Gauge(1.0),
            )],
        )
    }
}
