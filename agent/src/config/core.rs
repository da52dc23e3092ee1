//! What the node itself is told: its pace, its limits, and what its record holds.

use super::Settings;
use super::judge::Judge;
use super::time::{Detection, Time};
use peer_exchange::contract;
use peer_exchange::{Config, Identity, Instant, Node, NodeId, Signing};
use std::time::Duration;

/// Between resolutions of upstreams' names.
const DNS_INTERVAL: Duration = Duration::from_secs(60);
/// How often something outside may be asked.
const INTERVALS: std::ops::RangeInclusive<Duration> =
    Duration::from_secs(1)..=Duration::from_secs(86_400);

pub(super) fn dns_interval(judge: &mut Judge<'_>) -> Duration {
    interval(judge, "dns", judge.file.keys.dns.interval, DNS_INTERVAL)
}

/// How often something outside is asked.
pub(super) fn interval(
    judge: &mut Judge<'_>,
    table: &str,
    given: Option<Time>,
    default: Duration,
) -> Duration {
    let interval = given.map_or(default, |time| time.0);
    if !INTERVALS.contains(&interval) {
        let key = format!("{table}.interval");
        let problem = format!("`{key}` is out of range: 1 s to 1 day");
        judge.fault(judge.file.error_at_key(&key, problem));
    }
    interval
}

pub(super) fn half_open(judge: &mut Judge<'_>) -> Option<usize> {
    let given = judge.file.keys.limits.half_open;
    if given.is_some_and(|n| !(1..=65_536).contains(&n)) {
        let problem = "`half_open` is out of range: 1 to 65,536";
        judge.fault(judge.file.error_at_key("limits.half_open", problem));
    }
    given
}

/// The core's configuration: what the file says, and the core's defaults.
pub(super) fn core(judge: &mut Judge<'_>) -> Config {
    let mut config = Config::default();
    let file = judge.file;
    let (pace, limits) = (&file.keys.pace, &file.keys.limits);
    for (field, value) in [
        (&mut config.lifetime, pace.lifetime),
        (&mut config.round, pace.round),
        (&mut config.quiet_round, pace.quiet_round),
        (&mut config.start_jitter, pace.start_jitter),
        (&mut config.request_timeout, pace.request_timeout),
        (&mut config.backoff_base, pace.backoff_base),
        (&mut config.backoff_cap, pace.backoff_cap),
        (&mut config.link_idle, pace.link_idle),
        (&mut config.report_interval, pace.report_interval),
    ] {
        if let Some(value) = value {
            *field = value.0;
        }
    }
    config.burst = pace.burst.unwrap_or(config.burst);
    config.capacity = limits.capacity.unwrap_or(config.capacity);
    config.max_links = limits.max_links.unwrap_or(config.max_links);
    config.hop_limit = limits.hop_limit.unwrap_or(config.hop_limit);
    config.messages_per_second = limits
        .messages_per_second
        .unwrap_or(config.messages_per_second);
    config.bytes_per_second = limits.bytes_per_second.unwrap_or(config.bytes_per_second);
    config.local = file.keys.local;
    config.signing = file.keys.signing.into();
    if let Some(Detection(detection)) = file.keys.detection {
        config.detection = detection;
    }
    if let Some(name) = &file.keys.cluster {
        config.cluster.clone_from(name.get_ref());
    }
    if let Err(error) = config.check() {
        let tables = ["pace", "limits"].map(|table| format!("{table}.{}", error.field));
        let key = tables.iter().find(|key| file.has(key));
        let problem = format!("`{}` is out of range: {}", error.field, error.range);
        judge.fault(file.error_at_key(key.map_or(error.field, String::as_str), problem));
    }
    config
}

/// Whether the node takes what its record is told to hold, as it would at its start.
pub(super) fn check_record(judge: &mut Judge<'_>, settings: &Settings) {
    if judge.has_faults() {
        // It would be told what is known already.
        return;
    }
    let mut addresses = settings.named_addresses();
    let key = if addresses.is_empty() {
        "libp2p.advertise"
    } else {
        "advertise"
    };
    addresses.extend(settings.libp2p.advertise.iter().cloned());
    let (given, most) = (addresses.len(), contract::ADDRESSES);
    if given > most {
        let problem = format!(
            "{given} addresses, over all transports and with those of the libp2p service; a record has room for {most}"
        );
        judge.fault(judge.file.error_at_key(key, problem));
        return;
    }
    let identity = Identity::new(NodeId::new([1; 32]))
        .with_addresses(addresses)
        .with_metadata(settings.metadata());
    // Signed or not, a record holds the same.
    let config = settings.core.clone().with_signing(Signing::Off);
    if let Err(error) = Node::new(config, identity, [0; 32], Instant::ZERO) {
        let problem = format!("the addresses do not fit into the node's record: {error}");
        judge.fault(judge.file.error_at_key(key, problem));
    }
}
