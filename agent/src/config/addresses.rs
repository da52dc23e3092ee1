//! Where the node listens, where it is found, and whom it asks.

use super::judge::Judge;
use super::suggest;
use super::values::Texts;
use super::{Listen, Settings};
use crate::address::{Endpoint, HostKey, Transport};
use peer_exchange::Multiaddr;
use peer_exchange::limits::caps;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use toml::Spanned;

/// Where the agent listens when the file names nothing.
const LISTEN: [&str; 2] = ["0.0.0.0:7651", "[::]:7651"];
/// Where its admin interface is when the file names nothing.
pub(super) const ADMIN: &str = "127.0.0.1:7652";

pub(super) fn transports(judge: &mut Judge<'_>) -> Vec<Transport> {
    const BOTH: [Transport; 2] = [Transport::Quic, Transport::Tcp];
    let Some(given) = &judge.file.keys.transports else {
        return BOTH.to_vec();
    };
    let mut transports = Vec::new();
    for text in given.iter() {
        match BOTH.into_iter().find(|t| t.name() == text.get_ref()) {
            Some(transport) if transports.contains(&transport) => {
                judge.warn_of(
                    text,
                    format!("`transports` has \"{}\" twice", transport.name()),
                );
            }
            Some(transport) => transports.push(transport),
            None => {
                let known = BOTH.map(Transport::name);
                judge.fault_of(text, suggest::told("value", text.get_ref(), &known));
            }
        }
    }
    if given.is_empty() {
        let problem = "`transports` needs \"quic\" or \"tcp\" or both";
        judge.fault(judge.file.error_at_key("transports", problem));
    }
    transports
}

pub(super) fn listen(judge: &mut Judge<'_>) -> Listen {
    let Some(entries) = &judge.file.keys.listen else {
        let addresses = LISTEN.iter().filter_map(|text| text.parse().ok()).collect();
        return Listen {
            addresses,
            explicit: false,
        };
    };
    let mut addresses = Vec::new();
    for entry in entries.iter() {
        let text = entry.get_ref();
        let expected = "expected IP:PORT, such as 0.0.0.0:7651 or [::]:7651";
        let wrong = match text.parse() {
            Err(_) if text.contains('%') => Some(ZONE.to_owned()),
            Err(_) => Some("which is no address with a port".to_owned()),
            Ok(at) => {
                let wrong = unfit(at).map(str::to_owned).or_else(|| {
                    let taken = addresses.iter().find(|other| overlap(at, **other))?;
                    Some(format!("which {taken} before it takes as well"))
                });
                addresses.push(at);
                wrong
            }
        };
        if let Some(why) = wrong {
            judge.fault_of(entry, format!("`listen` has \"{text}\", {why}; {expected}"));
        }
    }
    Listen {
        addresses,
        explicit: true,
    }
}

pub(super) fn admin(
    judge: &mut Judge<'_>,
    listen: &Listen,
    transports: &[Transport],
) -> Option<SocketAddr> {
    let Some(entry) = &judge.file.keys.admin else {
        return ADMIN.parse().ok();
    };
    let text = entry.get_ref();
    if text == "off" {
        return None;
    }
    let expected = format!("expected IP:PORT, such as {ADMIN}, or \"off\"");
    let Ok(at) = text.parse::<SocketAddr>() else {
        judge.fault_of(entry, format!("`admin` is \"{text}\"; {expected}"));
        return None;
    };
    let taken = listen.addresses.iter().find(|other| overlap(at, **other));
    if let Some(why) = unfit(at) {
        judge.fault_of(entry, format!("`admin` is \"{text}\", {why}; {expected}"));
    } else if let Some(taken) = taken.filter(|_| transports.contains(&Transport::Tcp)) {
        let problem =
            format!("`admin` is \"{text}\", where the node listens over TCP ({taken}); {expected}");
        judge.fault_of(entry, problem);
    }
    Some(at)
}

/// A link-local address is one of an interface, which the system knows by number.
const ZONE: &str = "which needs the number of its interface, such as [fe80::1%2]:7651";

/// Why no machine can listen there.
fn unfit(at: SocketAddr) -> Option<&'static str> {
    let ip = at.ip();
    if let SocketAddr::V6(v6) = at
        && v6.ip().is_unicast_link_local()
        && v6.scope_id() == 0
    {
        return Some(ZONE);
    }
    if ip.to_canonical() != ip {
        Some("an IPv4 address in the form of IPv6")
    } else if ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some("which is no address of one machine")
    } else {
        None
    }
}

/// Whether listening on one leaves no room for the other.
fn overlap(a: SocketAddr, b: SocketAddr) -> bool {
    let every = a.ip().is_unspecified() || b.ip().is_unspecified();
    // Port 0 is any that is free.
    a.port() == b.port()
        && a.port() != 0
        && a.is_ipv4() == b.is_ipv4()
        && (a.ip() == b.ip() || every)
}

pub(super) fn upstreams(judge: &mut Judge<'_>) -> Vec<Endpoint> {
    let upstreams = endpoints(judge, "upstreams", &judge.file.keys.upstreams);
    if upstreams.len() > caps::UPSTREAMS {
        let (given, most) = (upstreams.len(), caps::UPSTREAMS);
        let problem = format!("`upstreams` has {given} entries; a node asks {most} at most");
        judge.fault(judge.file.error_at_key("upstreams", problem));
    }
    upstreams
}

pub(super) fn advertise(judge: &mut Judge<'_>) -> Vec<Endpoint> {
    endpoints(judge, "advertise", &judge.file.keys.advertise)
}

/// What is wrong with an address for others to dial.
fn check_endpoint(judge: &mut Judge<'_>, key: &str, entry: &Spanned<String>, endpoint: &Endpoint) {
    if let Some(why) = never_dialled(&endpoint.host) {
        let expected = match key {
            "advertise" => ADVERTISE,
            _ => "expected one that others can reach",
        };
        judge.fault_of(entry, format!("`{key}` has {endpoint}, {why}; {expected}"));
    } else if key == "advertise" && endpoint.host.is_own_machine() && !judge.file.keys.local {
        let problem = format!(
            "`advertise` has {endpoint}, which leads every machine to itself; {ADVERTISE}, or set `local = true` where all nodes are on this machine"
        );
        judge.fault_of(entry, problem);
    }
}

/// What to write in place of an address that leads nobody here.
const ADVERTISE: &str = "expected one at which other machines reach this node, such as 10.0.0.1:7651 or server1.example:7651; without `advertise` it is found out";

/// Why no node connects to a host, whoever names it.
fn never_dialled(host: &HostKey) -> Option<&'static str> {
    if host.is_unspecified() {
        return Some("which is every address of a machine");
    }
    let HostKey::Ip(ip) = host else { return None };
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    if ip.is_multicast() || *ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some("which is no address of one machine")
    } else if link_local {
        Some("which is of use on one link alone")
    } else {
        None
    }
}

/// The entries of a list, each with its fault or none.
fn endpoints(judge: &mut Judge<'_>, key: &str, entries: &Texts) -> Vec<Endpoint> {
    let mut known = HashSet::new();
    let mut endpoints = Vec::new();
    for entry in entries.iter() {
        let parsed = Endpoint::parse(key, entry.get_ref()).and_then(|endpoint| {
            // Whatever the transport: the host's name is what can be wrong with it.
            endpoint.multiaddr(Transport::Tcp).map(|_| endpoint)
        });
        match parsed {
            Ok(endpoint) => {
                if !known.insert(endpoint.clone()) {
                    judge.warn_of(entry, format!("`{key}` has {endpoint} twice"));
                }
                check_endpoint(judge, key, entry, &endpoint);
                endpoints.push(endpoint);
            }
            Err(problem) => judge.fault_of(entry, problem),
        }
    }
    endpoints
}

impl Settings {
    /// The node's addresses that the file names.
    pub(crate) fn named_addresses(&self) -> Vec<Multiaddr> {
        let endpoints = self.advertise.iter();
        endpoints.flat_map(|e| over(e, &self.transports)).collect()
    }
}

/// An `advertise` entry over every transport that it may mean.
fn over(endpoint: &Endpoint, transports: &[Transport]) -> Vec<Multiaddr> {
    let transports = match &endpoint.transport {
        Some(transport) => std::slice::from_ref(transport),
        None => transports,
    };
    // Names that make no address are refused above.
    let addresses = transports.iter().map(|t| endpoint.multiaddr(*t));
    addresses.filter_map(Result::ok).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_without_a_transport_means_all() {
        let both = [Transport::Quic, Transport::Tcp];
        let texts = |text: &str| -> Vec<String> {
            let endpoint = Endpoint::parse("advertise", text).unwrap();
            let over = over(&endpoint, &both);
            over.iter().map(ToString::to_string).collect()
        };
        assert_eq!(
            texts("10.0.0.1:7"),
            ["/ip4/10.0.0.1/udp/7/quic-v1", "/ip4/10.0.0.1/tcp/7"]
        );
        assert_eq!(texts("tcp://a:7"), ["/dns/a/tcp/7"]);
    }

    #[test]
    fn two_sockets_overlap_where_the_system_would_refuse_the_second() {
        let overlap = |a: &str, b: &str| overlap(a.parse().unwrap(), b.parse().unwrap());
        assert!(overlap("0.0.0.0:1", "10.0.0.1:1"));
        assert!(overlap("10.0.0.1:1", "10.0.0.1:1"));
        assert!(!overlap("0.0.0.0:1", "[::]:1"));
        assert!(!overlap("10.0.0.1:1", "10.0.0.2:1"));
        assert!(!overlap("10.0.0.1:0", "10.0.0.1:0"));
    }
}
