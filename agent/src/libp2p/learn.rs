//! Learning the addresses of the service beside this agent from the service itself.

use super::{PeerId, Service};
use peer_exchange::Multiaddr;
use serde::Deserialize;
use std::time::Duration;

/// The service answers within this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const LONGEST: u64 = 64 * 1024;
/// Addresses that are taken of one answer: a record has room for 16 in all.
const ADDRESSES: usize = 4;
/// Backoff after a first failure, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(300));
/// After so many failures in a row the service is taken to be gone.
const GONE: u32 = 3;

/// An entry of Spegel's `/id`.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Addrs", default)]
    addresses: Vec<String>,
}

/// Either Spegel's format or that of K3s and RKE2.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Spegel(Vec<Entry>),
    Rancher(Vec<String>),
}

/// Asks the service for its own addresses. Blocks.
///
/// # Errors
/// Why there are none, for the log.
pub(crate) fn ask(url: &str) -> Result<Vec<Multiaddr>, String> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent();
    let answer = agent
        .get(url)
        .header("Accept", "application/json")
        .call()
        .map_err(|error| format!("{url}: {error}"))?;
    let text = answer.into_body().into_with_config().limit(LONGEST);
    let text = text
        .read_to_string()
        .map_err(|error| format!("{url}: {error}"))?;
    read(&text).map_err(|problem| format!("{url}: {problem}"))
}

/// The service's addresses in its answer: it is the first entry, and the only one.
fn read(text: &str) -> Result<Vec<Multiaddr>, String> {
    let answer: Answer = serde_json::from_str(text)
        .map_err(|_| "the answer is no list of peers in Spegel's or K3s's format".to_owned())?;
    let addresses = match answer {
        Answer::Rancher(list) => {
            let first = list.first().ok_or("the service names no address yet")?;
            vec![Service::parse(first)?]
        }
        Answer::Spegel(list) => {
            let first = list.first().ok_or("the service does not name itself yet")?;
            let id: PeerId = first.id.parse()?;
            // An address of another kind is no reason to do without the good ones.
            let good = first.addresses.iter().filter_map(|address| {
                let plain = address.split("/p2p/").next().unwrap_or_default();
                Service::multiaddr(plain, &id).ok()
            });
            good.collect()
        }
    };
    let usable = |address: &Multiaddr| {
        let ip = Service::of(address).and_then(|service| service.ip);
        !ip.is_some_and(|ip| ip.is_loopback() || ip.is_unspecified())
    };
    let mut addresses: Vec<_> = addresses.into_iter().filter(usable).collect();
    addresses.truncate(ADDRESSES);
    if addresses.is_empty() {
        return Err("the service names no TCP address that others could reach".into());
    }
    Ok(addresses)
}

/// How long to wait before asking again, and what to believe meanwhile.
#[derive(Default)]
pub(crate) struct Pace {
    failures: u32,
}

impl Pace {
    pub(crate) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Counts a failure; true when the service is to be taken for gone.
    pub(crate) fn failed(&mut self) -> bool {
        self.failures = self.failures.saturating_add(1);
        self.failures >= GONE
    }

    /// Until the next try: the interval, or a jittered backoff after failures.
    pub(crate) fn wait(&self, interval: Duration) -> Duration {
        let (base, cap) = BACKOFF;
        let wait = match self.failures {
            0 => interval,
            n => cap.min(base.saturating_mul(1 << (n - 1).min(16))),
        };
        // Agents that were started at once do not ask at once for ever.
        wait.mul_f64(0.75 + 0.5 * fastrand::f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

    fn texts(text: &str) -> Result<Vec<String>, String> {
        Ok(read(text)?.iter().map(super::super::shown).collect())
    }

    #[test]
    fn both_formats_are_understood() {
        let expected = vec![format!("/ip4/10.1.2.3/tcp/5001/p2p/{ID}")];
        for text in [
            format!(r#"[{{"ID":"{ID}","Addrs":["/ip4/10.1.2.3/tcp/5001"]}}]"#),
            format!(
                r#"[{{"ID":"{ID}","Addrs":["/ip4/127.0.0.1/tcp/5001","/ip4/10.1.2.3/udp/1/quic-v1","/ip4/10.1.2.3/tcp/5001/p2p/{ID}"]}}]"#
            ),
            format!(r#"["/ip4/10.1.2.3/tcp/5001/p2p/{ID}"]"#),
        ] {
            assert_eq!(texts(&text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn other_answers_are_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "null",
            r#"[{"Addrs":["/ip4/10.1.2.3/tcp/5001"]}]"#,
            r#"[{"ID":"nobody","Addrs":["/ip4/10.1.2.3/tcp/5001"]}]"#,
            r#"["/ip4/10.1.2.3/tcp/5001"]"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let loopback = format!(r#"[{{"ID":"{ID}","Addrs":["/ip4/127.0.0.1/tcp/5001"]}}]"#);
        assert!(read(&loopback).is_err());
    }

    #[test]
    fn it_is_asked_gently() {
        let interval = Duration::from_secs(30);
        let mut pace = Pace::default();
        assert!(pace.wait(interval) >= interval.mul_f64(0.75));
        assert!(!pace.failed() && !pace.failed() && pace.failed());
        for _ in 0..100 {
            pace.failed();
            let wait = pace.wait(interval);
            assert!(wait >= BACKOFF.0 && wait <= BACKOFF.1.mul_f64(1.25));
        }
        assert!(pace.wait(interval) >= BACKOFF.1.mul_f64(0.75));
        pace.succeeded();
        assert!(pace.wait(interval) <= interval.mul_f64(1.25));
    }
}
