//! From the upstreams of the configuration to addresses: names are resolved, again and again.

use crate::address::{Endpoint, HostKey, Transport};
use crate::live::{self, OtherWays};
use peer_exchange::Multiaddr;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Addresses that one name may stand for.
const ANSWERS: usize = 64;
/// Upstreams in all: the core's cap.
const UPSTREAMS: usize = peer_exchange::limits::caps::UPSTREAMS;
/// A name server that takes longer has not answered.
const PATIENCE: Duration = Duration::from_secs(5);
/// Look-ups at once.
const AT_ONCE: usize = 16;

/// Resolves upstreams, and remembers what names stood for.
#[derive(Default)]
pub(super) struct Upstreams {
    endpoints: Vec<Endpoint>,
    over: Over,
    /// Where this node listens.
    own: Vec<SocketAddr>,
    /// The last answer for each (name, port).
    answers: HashMap<(String, u16), Vec<IpAddr>>,
}

/// How upstreams are reached whose entry does not say it.
#[derive(Default)]
pub(super) struct Over {
    /// The most preferred first.
    pub(super) transports: Vec<Transport>,
    /// Told which addresses may be tried over another one, too.
    pub(super) ways: OtherWays,
}

impl Over {
    /// The transport of an entry; and another, if the entry names none.
    fn of(&self, endpoint: &Endpoint) -> [Option<Transport>; 2] {
        match endpoint.transport {
            Some(_) => [endpoint.transport, None],
            None => [
                self.transports.first().copied(),
                self.transports.get(1).copied(),
            ],
        }
    }
}

/// A name that could not be resolved.
pub(super) struct Failed {
    pub(super) name: String,
    pub(super) error: io::Error,
}

impl Upstreams {
    pub(super) fn new(endpoints: Vec<Endpoint>, over: Over, own: Vec<SocketAddr>) -> Self {
        Self {
            endpoints,
            over,
            own,
            answers: HashMap::new(),
        }
    }

    /// Other upstreams from now on. What is known of names stays.
    pub(super) fn replace(&mut self, endpoints: Vec<Endpoint>) {
        self.endpoints = endpoints;
    }

    /// What the upstreams stand for now. A name that does not resolve keeps its last answer; one
    /// that has never resolved stays a name, so that it is seen to fail.
    pub(super) async fn resolve(&mut self) -> (Vec<Multiaddr>, Vec<Failed>) {
        let names: BTreeSet<_> = self.names().collect();
        self.answers.retain(|name, _| names.contains(name));
        let mut failed = Vec::new();
        let mut names = names.into_iter();
        let mut lookups = JoinSet::new();
        loop {
            while lookups.len() < AT_ONCE {
                let Some(name) = names.next() else { break };
                lookups.spawn(async move {
                    let answer = look_up(&name).await;
                    (name, answer)
                });
            }
            match lookups.join_next().await {
                None => break,
                Some(Ok((name, Ok(answer)))) => {
                    self.answers.insert(name, answer);
                }
                Some(Ok(((name, _), Err(error)))) => failed.push(Failed { name, error }),
                // A look-up that has died is one that failed; the next round asks again.
                Some(Err(_)) => {}
            }
        }
        (self.addresses(), failed)
    }

    fn names(&self) -> impl Iterator<Item = (String, u16)> + '_ {
        self.endpoints.iter().filter_map(|e| match &e.host {
            HostKey::Name(name) => Some((name.clone(), e.port)),
            HostKey::Ip(_) => None,
        })
    }

    fn addresses(&self) -> Vec<Multiaddr> {
        let mut all = Vec::new();
        let mut others = BTreeMap::new();
        for endpoint in &self.endpoints {
            let [default, other] = self.over.of(endpoint);
            let first = self.over(endpoint, default);
            if let Some(other) = other {
                let others_of = self.over(endpoint, Some(other));
                others.extend(first.iter().cloned().zip(others_of));
            }
            all.extend(first);
        }
        let mut known = BTreeSet::new();
        all.retain(|address| known.insert(address.clone()));
        all.truncate(UPSTREAMS);
        others.retain(|address, _| known.contains(address));
        self.over.ways.set(others);
        all
    }

    /// All addresses of an entry over this transport.
    fn over(&self, endpoint: &Endpoint, transport: Option<Transport>) -> Vec<Multiaddr> {
        let transport = transport.unwrap_or(Transport::Quic);
        match self.answer(endpoint) {
            Some(ips) => {
                let at = |ip| transport.at(SocketAddr::new(ip, endpoint.port));
                ips.into_iter().map(at).collect()
            }
            None => endpoint.multiaddr(transport).into_iter().collect(),
        }
    }

    /// What a name stands for, this node itself left out if there are others: the addresses of a
    /// headless service are all of its members.
    fn answer(&self, endpoint: &Endpoint) -> Option<Vec<IpAddr>> {
        let HostKey::Name(name) = &endpoint.host else {
            return None;
        };
        let ips = self.answers.get(&(name.clone(), endpoint.port))?;
        let listens = |at: &SocketAddr, ip: &IpAddr| {
            let every = at.ip().is_unspecified() && at.is_ipv4() == ip.is_ipv4();
            at.port() == endpoint.port && (at.ip() == *ip || (every && live::is_own(*ip)))
        };
        let own = |ip: &IpAddr| self.own.iter().any(|at| listens(at, ip));
        let others: Vec<_> = ips.iter().copied().filter(|ip| !own(ip)).collect();
        // With nobody else, the name is this node's: asking itself is worth a report.
        Some(if others.is_empty() {
            ips.clone()
        } else {
            others
        })
    }
}

async fn look_up((name, port): &(String, u16)) -> io::Result<Vec<IpAddr>> {
    let answers = timeout(PATIENCE, lookup_host((name.as_str(), *port)))
        .await
        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    // Sorted, so that the order of a name server's answers, which changes, changes nothing.
    let ips: BTreeSet<_> = answers.map(|at| at.ip().to_canonical()).collect();
    if ips.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no address"));
    }
    Ok(ips.into_iter().take(ANSWERS).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstreams(entries: &[&str], own: &[&str]) -> Upstreams {
        let endpoints = entries
            .iter()
            .map(|e| Endpoint::parse("upstreams", e).unwrap());
        Upstreams::new(
            endpoints.collect(),
            Over {
                transports: vec![Transport::Quic, Transport::Tcp],
                ways: OtherWays::default(),
            },
            own.iter().map(|at| at.parse().unwrap()).collect(),
        )
    }

    fn texts(addresses: &[Multiaddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn addresses_need_no_name_server() {
        let mut upstreams = upstreams(&["10.0.0.1:7", "tcp://[fd00::1]:8", "10.0.0.1:7"], &[]);
        let (addresses, failed) = upstreams.resolve().await;
        let expected = ["/ip4/10.0.0.1/udp/7/quic-v1", "/ip6/fd00::1/tcp/8"];
        assert_eq!(texts(&addresses), expected);
        assert!(failed.is_empty());
        // Only what names no transport is tried over the other.
        let other = |i: usize| upstreams.over.ways.of(&addresses[i]);
        assert_eq!(texts(other(0).as_slice()), ["/ip4/10.0.0.1/tcp/7"]);
        assert_eq!(other(1), None);
    }

    #[tokio::test]
    async fn a_name_that_has_never_resolved_stays_a_name() {
        // RFC 6761: this one never resolves.
        let mut upstreams = upstreams(&["tcp://nobody.invalid:7"], &[]);
        let (addresses, failed) = upstreams.resolve().await;
        assert_eq!(texts(&addresses), ["/dns/nobody.invalid/tcp/7"]);
        assert_eq!(failed[0].name, "nobody.invalid");
    }

    #[test]
    fn a_name_gives_all_its_addresses_but_the_own() {
        let mut upstreams = upstreams(&["peers.example:7"], &["0.0.0.0:7"]);
        let name = ("peers.example".to_owned(), 7);
        let ips = |texts: &[&str]| texts.iter().map(|t| t.parse().unwrap()).collect::<Vec<_>>();
        let all = ips(&["127.0.0.1", "192.0.2.7", "192.0.2.8"]);
        upstreams.answers.insert(name.clone(), all);
        let others = [
            "/ip4/192.0.2.7/udp/7/quic-v1",
            "/ip4/192.0.2.8/udp/7/quic-v1",
        ];
        assert_eq!(texts(&upstreams.addresses()), others);
        // Alone under its name, the node asks itself, which is to be seen.
        upstreams.answers.insert(name.clone(), ips(&["127.0.0.1"]));
        let itself = ["/ip4/127.0.0.1/udp/7/quic-v1"];
        assert_eq!(texts(&upstreams.addresses()), itself);
        // Another port of this machine is another program.
        upstreams.own = vec!["0.0.0.0:8".parse().unwrap()];
        upstreams
            .answers
            .insert(name, ips(&["127.0.0.1", "192.0.2.7"]));
        assert_eq!(upstreams.addresses().len(), 2);
        // One of several addresses of this machine, of which the others are other nodes.
        upstreams.own = vec!["127.0.0.1:7".parse().unwrap()];
        assert_eq!(texts(&upstreams.addresses()), others[..1]);
    }

    #[tokio::test]
    async fn a_name_that_resolves_no_more_keeps_its_answer() {
        let mut upstreams = upstreams(&["nobody.invalid:7"], &[]);
        let name = ("nobody.invalid".to_owned(), 7);
        upstreams
            .answers
            .insert(name, vec!["192.0.2.7".parse().unwrap()]);
        let (addresses, failed) = upstreams.resolve().await;
        assert_eq!(texts(&addresses), ["/ip4/192.0.2.7/udp/7/quic-v1"]);
        assert_eq!(failed.len(), 1);
    }
}
