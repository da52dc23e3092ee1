//! What addresses in configurations point at, in a form that can be compared and dialled.

use crate::input;
use peer_exchange::Multiaddr;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The port of a peerx address that names none, UDP for QUIC and TCP.
pub(crate) const DEFAULT_PORT: u16 = 7651;

/// A host as configurations name it: an IP address, or a DNS name in lower case without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum HostKey {
    Ip(IpAddr),
    Name(String),
}

impl HostKey {
    /// Normalises any spelling of a host, so that two spellings of one host are equal.
    pub(crate) fn new(text: &str) -> Self {
        let text = text.trim();
        let bare = text
            .strip_prefix('[')
            .and_then(|text| text.strip_suffix(']'))
            .unwrap_or(text);
        match bare.parse::<IpAddr>() {
            Ok(ip) => Self::Ip(ip.to_canonical()),
            Err(_) => Self::Name(bare.trim_end_matches('.').to_ascii_lowercase()),
        }
    }

    /// Whether this is every address of a machine, and so none that others could ask.
    pub(crate) fn is_unspecified(&self) -> bool {
        matches!(self, Self::Ip(ip) if ip.is_unspecified())
    }

    /// Whether whoever connects to this reaches itself.
    pub(crate) fn is_own_machine(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback() || ip.is_unspecified(),
            Self::Name(name) => name == "localhost",
        }
    }
}

/// Host and port of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub(crate) host: HostKey,
    pub(crate) port: Option<u16>,
}

impl Address {
    fn from_authority(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            return Err("which has a user or a password in it".into());
        }
        let (host, port) = split_port(text)?;
        let port = match port {
            None => None,
            Some(port) => match port.parse() {
                Ok(0) | Err(_) => return Err(format!("whose port \"{port}\" is not 1 to 65535")),
                Ok(port) => Some(port),
            },
        };
        if host.is_empty() {
            return Err("which names no host".into());
        }
        let odd = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%'));
        if let Some(c) = host.chars().find(|&c| odd(c)) {
            return Err(format!("whose host has the character {c:?}"));
        }
        Ok(Self {
            host: HostKey::new(host),
            port,
        })
    }
}

/// What a peerx address is reached over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    Quic,
    Tcp,
}

impl Transport {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        }
    }

    /// The address of this socket over this transport.
    pub(crate) fn at(self, socket: SocketAddr) -> Multiaddr {
        match self {
            Self::Quic => Multiaddr::quic(socket),
            Self::Tcp => Multiaddr::tcp(socket),
        }
    }
}

/// An entry of peerx's `upstreams` or `advertise`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Endpoint {
    /// If the entry names one.
    pub(crate) transport: Option<Transport>,
    pub(crate) host: HostKey,
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads `HOST`, `HOST:PORT`, `quic://HOST:PORT` or `tcp://HOST:PORT` of the setting `key`.
    pub(crate) fn parse(key: &str, text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            let text = input::shown(text);
            format!(
                "`{key}` has \"{text}\", {why}; expected HOST:PORT, quic://HOST:PORT or tcp://HOST:PORT"
            )
        };
        if text.contains(char::is_control) {
            return Err(wrong("which has a control character"));
        }
        let (transport, authority) = match text.split_once("://") {
            Some(("quic", rest)) => (Some(Transport::Quic), rest),
            Some(("tcp", rest)) => (Some(Transport::Tcp), rest),
            Some(_) => return Err(wrong("whose transport is not known")),
            None => (None, text),
        };
        if authority.contains('%') {
            // A zone, as in fe80::1%eth0 (RFC 4007): it means something on one machine alone.
            return Err(wrong(
                "which names an interface of one machine; others cannot use it, nor a link-local address at all",
            ));
        }
        let Address { host, port } =
            Address::from_authority(authority).map_err(|why| wrong(&why))?;
        Ok(Self {
            transport,
            host,
            port: port.unwrap_or(DEFAULT_PORT),
        })
    }

    /// Where it leads, whatever the transport.
    pub(crate) fn address(&self) -> Address {
        Address {
            host: self.host.clone(),
            port: Some(self.port),
        }
    }

    /// Its multiaddr over `transport`.
    ///
    /// # Errors
    /// When the host's name has other characters than a name server knows.
    pub(crate) fn multiaddr(&self, transport: Transport) -> Result<Multiaddr, String> {
        let name = match &self.host {
            HostKey::Ip(ip) => return Ok(transport.at(SocketAddr::new(*ip, self.port))),
            HostKey::Name(name) => name,
        };
        let rest = match transport {
            Transport::Quic => format!("udp/{}/quic-v1", self.port),
            Transport::Tcp => format!("tcp/{}", self.port),
        };
        format!("/dns/{name}/{rest}")
            .parse()
            .map_err(|error| format!("\"{name}\": {error}"))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(transport) = self.transport {
            write!(f, "{}://", transport.name())?;
        }
        match &self.host {
            HostKey::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            HostKey::Ip(ip) => write!(f, "{ip}:{}", self.port),
            HostKey::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Host, without brackets, and port.
fn split_port(text: &str) -> Result<(&str, Option<&str>), String> {
    if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest
            .split_once(']')
            .ok_or("whose bracket is never closed")?;
        let port = match after.strip_prefix(':') {
            Some(port) => Some(port),
            None if after.is_empty() => None,
            None => return Err(format!("which has {after:?} behind the bracket")),
        };
        return Ok((host, port));
    }
    match text.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err("whose IPv6 address needs brackets, such as [fd00::1]".into())
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_host_are_equal() {
        for (a, b) in [
            ("Server1.Example.COM.", "server1.example.com"),
            ("[fd00:0::1]", "fd00::1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(HostKey::new(a), HostKey::new(b));
        }
        assert_ne!(HostKey::new("10.0.0.1"), HostKey::new("10.0.0.2"));
    }

    #[test]
    fn peerx_addresses() {
        for (text, transport, port) in [
            ("a:1", None, 1),
            ("quic://a:1", Some(Transport::Quic), 1),
            ("tcp://a:1", Some(Transport::Tcp), 1),
            ("a", None, DEFAULT_PORT),
            ("tcp://a", Some(Transport::Tcp), DEFAULT_PORT),
        ] {
            let endpoint = Endpoint::parse("upstreams", text).unwrap();
            let host = HostKey::new("a");
            assert_eq!(
                endpoint,
                Endpoint {
                    transport,
                    host,
                    port
                }
            );
        }
        for (text, why) in [
            ("", "names no host"),
            ("udp://a:1", "not known"),
            ("a:0", "port \"0\""),
            ("fd00::1:7000", "needs brackets"),
        ] {
            let message = Endpoint::parse("upstreams", text).unwrap_err();
            assert!(
                message.contains(why) && message.contains("`upstreams`"),
                "{message}"
            );
        }
    }

    #[test]
    fn endpoints_become_multiaddrs() {
        for (text, transport, expected) in [
            ("server1", Transport::Quic, "/dns/server1/udp/7651/quic-v1"),
            ("10.0.0.1:7", Transport::Tcp, "/ip4/10.0.0.1/tcp/7"),
            ("[fd00::1]:7", Transport::Quic, "/ip6/fd00::1/udp/7/quic-v1"),
        ] {
            let endpoint = Endpoint::parse("upstreams", text).unwrap();
            assert_eq!(endpoint.multiaddr(transport).unwrap().to_string(), expected);
        }
        let odd = Endpoint::parse("upstreams", "\u{e9}t\u{e9}:1").unwrap();
        assert!(odd.multiaddr(Transport::Tcp).is_err());
    }
}
