//! A stand-in for Spegel, as far as it looks for peers: what it asks, in which order and how often,
//! what it takes for an answer, and what it says of itself. No packet leaves for a peer: who listens
//! where is written down in one place.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Which Spegel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// 0.4 to 0.7.4: asks BASE/id, and parses one object.
    Released,
    /// After that: asks the URL as it is, and parses an array.
    Main,
}

/// Who listens where, for those that connect.
#[derive(Clone, Default)]
pub(super) struct World(Arc<Mutex<BTreeMap<(IpAddr, u16), String>>>);

impl World {
    pub(super) fn listen(&self, spegel: &Spegel) {
        let at = (spegel.ip, spegel.port);
        self.0.lock().unwrap().insert(at, spegel.id.clone());
    }

    /// The ID of whoever is there.
    fn connect(&self, at: (IpAddr, u16)) -> Result<String, String> {
        let found = self.0.lock().unwrap().get(&at).cloned();
        found.ok_or_else(|| format!("nobody listens on {at:?}"))
    }
}

#[derive(Clone)]
pub(super) struct Spegel {
    pub(super) version: Version,
    pub(super) id: String,
    pub(super) ip: IpAddr,
    /// Of its router.
    pub(super) port: u16,
    /// `--http-bootstrap-peer` or `--http-bootstrap-url`.
    pub(super) ask: String,
}

/// An entry of an answer.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Addrs", default)]
    addresses: Vec<String>,
}

/// A peer to connect to.
#[derive(Debug, PartialEq)]
pub(super) struct Info {
    pub(super) id: String,
    pub(super) addresses: Vec<(IpAddr, Option<u16>)>,
}

/// Only the first three entries are looked at.
const LIMIT: usize = 3;
/// Backoff of whoever is connected to nobody: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(10));
/// Both give up on an answer after this.
const PATIENCE: Duration = Duration::from_secs(10);

impl Spegel {
    /// One that draws a new ID at its start, as without a data directory.
    pub(super) fn new(version: Version, ip: IpAddr, ask: &str) -> Self {
        Self {
            version,
            id: new_id(),
            ip,
            port: 5001,
            ask: ask.to_owned(),
        }
    }

    /// What it answers to who asks it for `/id`.
    pub(super) fn own_answer(&self) -> String {
        let (id, ip, port) = (&self.id, self.ip, self.port);
        let object = format!(
            r#"{{"ID":"{id}","Addrs":["/ip4/{ip}/udp/{port}/quic-v1","/ip4/{ip}/tcp/{port}"]}}"#
        );
        match self.version {
            Version::Released => object,
            Version::Main => format!("[{object}]"),
        }
    }

    /// Asks once.
    pub(super) fn get(&self) -> Result<Vec<Info>, String> {
        let url = match self.version {
            Version::Released => format!("{}/id", self.ask),
            Version::Main => self.ask.clone(),
        };
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .build()
            .new_agent();
        let mut answer = agent.get(&url).call().map_err(|e| e.to_string())?;
        if answer.status() != 200 {
            return Err(format!("unexpected status {}", answer.status()));
        }
        let body = answer.body_mut().read_to_string();
        self.parse(&body.map_err(|e| e.to_string())?)
    }

    /// What it makes of an answer.
    pub(super) fn parse(&self, body: &str) -> Result<Vec<Info>, String> {
        let entries = match self.version {
            Version::Released => {
                let entry: Entry = serde_json::from_str(body).map_err(|e| e.to_string())?;
                if body.trim_start().starts_with('[') {
                    return Err("cannot unmarshal array into an object".into());
                }
                if entry.id.is_empty() {
                    return Err("an ID is required".into());
                }
                vec![entry]
            }
            Version::Main => {
                let mut entries: Vec<Entry> =
                    serde_json::from_str(body).map_err(|e| e.to_string())?;
                entries.truncate(LIMIT);
                entries
            }
        };
        // One that does not parse makes it do without all of them.
        let info = |entry: Entry| {
            check_id(&entry.id)?;
            let addresses: Result<_, String> =
                entry.addresses.iter().map(|text| multiaddr(text)).collect();
            Ok(Info {
                id: entry.id,
                addresses: addresses?,
            })
        };
        entries.into_iter().map(info).collect()
    }

    /// Asks, and connects to whom it is told of; the IDs of those.
    pub(super) fn bootstrap(&self, world: &World) -> Result<Vec<String>, String> {
        let mut connected = Vec::new();
        for info in self.get()? {
            // Only now does it look whether that is itself.
            if info.id == self.id {
                continue;
            }
            let at = |(ip, port): (IpAddr, Option<u16>)| (ip, port.unwrap_or(self.port));
            let addresses: Vec<_> = info.addresses.into_iter().map(at).collect();
            if addresses.contains(&(self.ip, self.port)) {
                continue;
            }
            let found = addresses
                .into_iter()
                .filter_map(|at| world.connect(at).ok());
            // Without an ID, whoever answers is right.
            let mut right = found.filter(|id| info.id.is_empty() || *id == info.id);
            connected.extend(right.next());
        }
        if connected.is_empty() {
            return Err("routing table is empty after bootstrapping".into());
        }
        Ok(connected)
    }

    /// Tries again and again, as it does while it is connected to nobody. After how many failures it
    /// was connected, and to whom.
    pub(super) fn run(&self, world: &World) -> (u32, Vec<String>) {
        let begun = Instant::now();
        let mut failures = 0;
        loop {
            match self.bootstrap(world) {
                Ok(connected) => return (failures, connected),
                Err(problem) => {
                    let limit = crate::harness::LIMIT;
                    assert!(begun.elapsed() < limit, "{:?}: {problem}", self.version);
                    failures += 1;
                    let wait = BACKOFF.0.saturating_mul(1 << (failures - 1).min(16));
                    sleep(wait.min(BACKOFF.1));
                }
            }
        }
    }
}

/// An Ed25519 key, as libp2p writes it.
pub(crate) fn new_id() -> String {
    let mut multihash = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    multihash.extend((0..32).map(|_| fastrand::u8(..)));
    bs58::encode(multihash).into_string()
}

/// An ID may be lacking; what is there has to be one.
fn check_id(id: &str) -> Result<(), String> {
    let bytes = bs58::decode(id).into_vec().map_err(|e| e.to_string())?;
    let is_multihash = bytes.len() > 2 && usize::from(bytes[1]) == bytes.len() - 2;
    if id.is_empty() || is_multihash {
        Ok(())
    } else {
        Err(format!("failed to parse peer ID {id:?}"))
    }
}

/// `/ip4/1.2.3.4`, with `/tcp/PORT` or without; other transports are of no use to it.
fn multiaddr(text: &str) -> Result<(IpAddr, Option<u16>), String> {
    let wrong = || format!("failed to parse multiaddr {text:?}");
    let parts: Vec<_> = text.split('/').collect();
    let (kind, ip, port) = match parts[..] {
        ["", kind, ip] => (kind, ip, None),
        ["", kind, ip, "tcp", port] => (kind, ip, Some(port.parse().map_err(|_| wrong())?)),
        _ => return Err(wrong()),
    };
    let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
    let fits = kind == if ip.is_ipv4() { "ip4" } else { "ip6" };
    fits.then_some((ip, port)).ok_or_else(wrong)
}
