//! What an upstream setting points at, in a form that can be compared.

use std::net::IpAddr;

/// A host as configurations name it: an IP address, or a DNS name in lower case without a final dot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum HostKey {
    Ip(IpAddr),
    Name(String),
}

impl HostKey {
    /// Normalises any spelling of a host, so that two spellings of one host are equal.
    pub(super) fn new(text: &str) -> Self {
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

    /// Whether whoever connects to this reaches itself.
    pub(super) fn is_own_machine(&self) -> bool {
        match self {
            Self::Ip(ip) => ip.is_loopback() || ip.is_unspecified(),
            Self::Name(name) => name == "localhost",
        }
    }
}

/// Host and port of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: HostKey,
    pub(super) port: Option<u16>,
}

impl Address {
    /// Reads RKE2's and K3s's `server:`, for which those programs accept nothing but https URLs.
    pub(super) fn from_server_url(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "`server:` is \"{text}\", {why}; expected https://HOST:PORT, such as https://server1:9345 (RKE2) or https://server1:6443 (K3s)"
            )
        };
        if text.contains(char::is_control) {
            return Err(wrong("which has a control character").replace(char::is_control, "?"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(wrong("which is no URL"));
        };
        if !scheme.eq_ignore_ascii_case("https") {
            return Err(wrong("whose scheme is not https"));
        }
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        Self::from_authority(authority).map_err(|why| wrong(&why))
    }

    /// Reads an entry of peerx's `upstreams` or `advertise`: `host:port`, with a transport or not.
    pub(super) fn from_peerx(key: &str, text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!(
                "`{key}` has \"{text}\", {why}; expected HOST:PORT, quic://HOST:PORT or tcp://HOST:PORT"
            )
        };
        if text.contains(char::is_control) {
            return Err(wrong("which has a control character").replace(char::is_control, "?"));
        }
        let authority = match text.split_once("://") {
            Some(("quic" | "tcp", rest)) => rest,
            Some(_) => return Err(wrong("whose transport is not known")),
            None => text,
        };
        match Self::from_authority(authority) {
            Ok(Self { port: None, .. }) => Err(wrong("which has no port")),
            Ok(address) => Ok(address),
            Err(why) => Err(wrong(&why)),
        }
    }

    fn from_authority(text: &str) -> Result<Self, String> {
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
    fn server_urls() {
        let good = Address::from_server_url("HTTPS://[fd00::1]:9345/").unwrap();
        assert_eq!(
            good,
            Address {
                host: HostKey::new("fd00::1"),
                port: Some(9345)
            }
        );
        assert_eq!(Address::from_server_url("https://lb").unwrap().port, None);
        for (text, why) in [
            ("server1:9345", "no URL"),
            ("", "no URL"),
            ("http://server1:9345", "scheme is not https"),
            ("https://:9345", "names no host"),
            ("https://server1:99999", "port \"99999\""),
            ("https://server1:", "port \"\""),
            ("https://fd00::1:9345", "needs brackets"),
            ("https://ser ver:9345", "character ' '"),
            ("https://[fd00::1", "never closed"),
            (
                "https://a/\u{1b}[2J",
                "\"https://a/?[2J\", which has a control character",
            ),
        ] {
            let message = Address::from_server_url(text).unwrap_err();
            assert!(
                message.contains(why) && message.contains("https://HOST:PORT"),
                "{message}"
            );
        }
    }

    #[test]
    fn peerx_addresses() {
        for text in ["a:1", "quic://a:1", "tcp://a:1"] {
            let address = Address::from_peerx("upstreams", text).unwrap();
            assert_eq!(
                address,
                Address {
                    host: HostKey::new("a"),
                    port: Some(1)
                }
            );
        }
        for (text, why) in [
            ("a", "no port"),
            ("udp://a:1", "not known"),
            ("a:0", "port \"0\""),
        ] {
            let message = Address::from_peerx("upstreams", text).unwrap_err();
            assert!(
                message.contains(why) && message.contains("`upstreams`"),
                "{message}"
            );
        }
    }
}
