//! Addresses: binary multiaddrs, and which of them are worth dialling (R7).

mod subnet;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::str::FromStr;

use bytes::Bytes;

use crate::contract;

pub(crate) use self::subnet::Subnet;

/// Codes of the multiaddr components that this crate reads.
/// Source: <https://github.com/multiformats/multicodec/blob/master/table.csv>
mod code {
    pub(super) const IP4: u64 = 0x04;
    pub(super) const TCP: u64 = 0x06;
    pub(super) const IP6: u64 = 0x29;
    pub(super) const DNS: u64 = 0x35;
    pub(super) const DNS4: u64 = 0x36;
    pub(super) const DNS6: u64 = 0x37;
    pub(super) const UDP: u64 = 0x0111;
    pub(super) const P2P: u64 = 0x01a5;
    pub(super) const QUIC_V1: u64 = 0x01cd;
}

/// A network address in the binary form of
/// [multiaddr](https://github.com/multiformats/multiaddr), at most 255 bytes.
///
/// It starts with `/ip4`, `/ip6`, `/dns`, `/dns4` or `/dns6`, which is checked; the components
/// after it are kept as they are, known or not. The text form covers `/tcp`, `/udp`, `/quic-v1`
/// and shows anything else as `/0x…`, in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Multiaddr(Bytes);

/// Where a [`Multiaddr`] leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Host<'a> {
    /// An IP address.
    Ip(IpAddr),
    /// A name that the transport resolves.
    Dns(&'a str),
}

/// Which protocol a [`Multiaddr`] names after its host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Protocol {
    /// `/tcp/PORT`
    Tcp,
    /// `/udp/PORT`, with `/quic-v1` after it
    Quic,
    /// `/udp/PORT` with something else after it, or nothing
    Udp,
}

/// Bytes or text that are no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Longer than 255 bytes.
    #[error("an address has at most {} bytes", contract::ADDRESS_BYTES)]
    TooLong,
    /// It starts with something else than an IP address or a name.
    #[error("an address starts with /ip4, /ip6, /dns, /dns4 or /dns6")]
    NoHost,
    /// It ends in the middle of a component.
    #[error("the address ends in the middle of a component")]
    Truncated,
    /// The name is empty or no ASCII host name.
    #[error("a host name has 1 to 253 letters, digits, dots and hyphens")]
    BadName,
    /// The text names a component that this crate cannot write.
    #[error(
        "cannot read this part of the address: expected /ip4/1.2.3.4/tcp/PORT, /ip6/…, /dns/NAME/udp/PORT/quic-v1"
    )]
    BadText,
}

impl Multiaddr {
    /// The address in these bytes.
    ///
    /// # Errors
    /// See [`AddressError`].
    pub fn from_bytes(bytes: Bytes) -> Result<Self, AddressError> {
        check(&bytes)?;
        Ok(Self(bytes))
    }

    /// `/ip4/…/tcp/PORT` or `/ip6/…/tcp/PORT`.
    #[must_use]
    pub fn tcp(socket: SocketAddr) -> Self {
        Self::from_socket(socket, code::TCP)
    }

    /// `/ip4/…/udp/PORT/quic-v1` or `/ip6/…/udp/PORT/quic-v1`.
    #[must_use]
    pub fn quic(socket: SocketAddr) -> Self {
        let mut out = Self::from_socket(socket, code::UDP).0.to_vec();
        put_varint(&mut out, code::QUIC_V1);
        Self(out.into())
    }

    fn from_socket(socket: SocketAddr, transport: u64) -> Self {
        let mut out = Vec::with_capacity(24);
        match socket.ip() {
            IpAddr::V4(ip) => {
                put_varint(&mut out, code::IP4);
                out.extend_from_slice(&ip.octets());
            }
            IpAddr::V6(ip) => {
                put_varint(&mut out, code::IP6);
                out.extend_from_slice(&ip.octets());
            }
        }
        put_varint(&mut out, transport);
        out.extend_from_slice(&socket.port().to_be_bytes());
        Self(out.into())
    }

    /// Its binary form.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The same, without a copy.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0
    }

    /// Where it leads.
    #[must_use]
    pub fn host(&self) -> Host<'_> {
        // Checked at construction: the fallback is never taken.
        host(&self.0).unwrap_or(Host::Dns(""))
    }

    /// Its protocol and port, if the component after the host is `/tcp` or `/udp`.
    #[must_use]
    pub fn port(&self) -> Option<(Protocol, u16)> {
        parse_port(&self.0)
    }

    /// Its socket address, if it starts with an IP address and a port.
    #[must_use]
    pub fn socket_addr(&self) -> Option<SocketAddr> {
        match (self.host(), self.port()?) {
            (Host::Ip(ip), (_, port)) => Some(SocketAddr::new(ip, port)),
            _ => None,
        }
    }
}

/// Whether an address from the network may be dialled or reported (R7): not unspecified,
/// multicast, link-local, broadcast or port 0, and loopback only in `local` mode.
pub(crate) fn is_usable(address: &[u8], local: bool) -> bool {
    let Ok((host, _)) = parse_host(address) else {
        return false;
    };
    if matches!(parse_port(address), Some((_, 0))) {
        return false;
    }
    match host {
        Host::Dns(name) => local || !name.eq_ignore_ascii_case("localhost"),
        Host::Ip(ip) => is_usable_ip(ip, local),
    }
}

/// Whether others can dial this address, `local` as above.
pub(crate) fn is_usable_ip(ip: IpAddr, local: bool) -> bool {
    let ip = ip.to_canonical();
    let link_local = match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.segments()[0] & 0xffc0 == 0xfe80,
    };
    !(ip.is_unspecified() || ip.is_multicast() || link_local) && (local || !ip.is_loopback())
}

/// Checks what R7 asks of an address.
pub(crate) fn check(bytes: &[u8]) -> Result<(), AddressError> {
    if bytes.len() > contract::ADDRESS_BYTES {
        return Err(AddressError::TooLong);
    }
    parse_host(bytes).map(|_| ())
}

/// Where a binary multiaddr leads.
pub(crate) fn host(bytes: &[u8]) -> Option<Host<'_>> {
    parse_host(bytes).ok().map(|(host, _)| host)
}

fn parse_host(bytes: &[u8]) -> Result<(Host<'_>, &[u8]), AddressError> {
    let (code, rest) = take_varint(bytes).ok_or(AddressError::NoHost)?;
    match code {
        code::IP4 => {
            let (ip, rest) = rest
                .split_first_chunk::<4>()
                .ok_or(AddressError::Truncated)?;
            Ok((Host::Ip(Ipv4Addr::from(*ip).into()), rest))
        }
        code::IP6 => {
            let (ip, rest) = rest
                .split_first_chunk::<16>()
                .ok_or(AddressError::Truncated)?;
            Ok((Host::Ip(Ipv6Addr::from(*ip).into()), rest))
        }
        code::DNS | code::DNS4 | code::DNS6 => {
            let (len, rest) = take_varint(rest).ok_or(AddressError::Truncated)?;
            let len = usize::try_from(len).map_err(|_| AddressError::Truncated)?;
            let (name, rest) = rest.split_at_checked(len).ok_or(AddressError::Truncated)?;
            let name = core::str::from_utf8(name).map_err(|_| AddressError::BadName)?;
            if is_host_name(name) {
                Ok((Host::Dns(name), rest))
            } else {
                Err(AddressError::BadName)
            }
        }
        _ => Err(AddressError::NoHost),
    }
}

fn parse_port(bytes: &[u8]) -> Option<(Protocol, u16)> {
    let (_, rest) = parse_host(bytes).ok()?;
    let (code, rest) = take_varint(rest)?;
    let (port, rest) = rest.split_first_chunk::<2>()?;
    let protocol = match code {
        code::TCP => Protocol::Tcp,
        code::UDP if take_varint(rest).is_some_and(|(c, _)| c == code::QUIC_V1) => Protocol::Quic,
        code::UDP => Protocol::Udp,
        _ => return None,
    };
    Some((protocol, u16::from_be_bytes(*port)))
}

fn is_host_name(name: &str) -> bool {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    (1..=253).contains(&name.len()) && name.bytes().all(letter)
}

fn put_varint(out: &mut Vec<u8>, value: u64) {
    prost::encoding::encode_varint(value, out);
}

fn take_varint(mut bytes: &[u8]) -> Option<(u64, &[u8])> {
    let value = prost::encoding::decode_varint(&mut bytes).ok()?;
    Some((value, bytes))
}

impl fmt::Display for Multiaddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok((host, mut rest)) = parse_host(&self.0) else {
            return Ok(());
        };
        match (host, self.0[0]) {
            (Host::Ip(IpAddr::V4(ip)), _) => write!(f, "/ip4/{ip}")?,
            (Host::Ip(IpAddr::V6(ip)), _) => write!(f, "/ip6/{ip}")?,
            (Host::Dns(name), 0x36) => write!(f, "/dns4/{name}")?,
            (Host::Dns(name), 0x37) => write!(f, "/dns6/{name}")?,
            (Host::Dns(name), _) => write!(f, "/dns/{name}")?,
        }
        while let Some((code, after)) = take_varint(rest) {
            match (code, after.split_first_chunk::<2>()) {
                (code::TCP, Some((port, tail))) => {
                    write!(f, "/tcp/{}", u16::from_be_bytes(*port))?;
                    rest = tail;
                }
                (code::UDP, Some((port, tail))) => {
                    write!(f, "/udp/{}", u16::from_be_bytes(*port))?;
                    rest = tail;
                }
                (code::QUIC_V1, _) => {
                    f.write_str("/quic-v1")?;
                    rest = after;
                }
                _ => break,
            }
        }
        if !rest.is_empty() {
            f.write_str("/0x")?;
            rest.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Multiaddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Multiaddr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text
            .strip_prefix('/')
            .ok_or(AddressError::NoHost)?
            .split('/');
        let mut out = Vec::new();
        while let Some(name) = parts.next() {
            put_component(&mut out, name, &mut parts)?;
        }
        Self::from_bytes(out.into())
    }
}

fn put_component<'a>(
    out: &mut Vec<u8>,
    name: &str,
    parts: &mut impl Iterator<Item = &'a str>,
) -> Result<(), AddressError> {
    let mut value = || parts.next().ok_or(AddressError::Truncated);
    match name {
        "ip4" => {
            let ip: Ipv4Addr = value()?.parse().map_err(|_| AddressError::BadText)?;
            put_varint(out, code::IP4);
            out.extend_from_slice(&ip.octets());
        }
        "ip6" => {
            let ip: Ipv6Addr = value()?.parse().map_err(|_| AddressError::BadText)?;
            put_varint(out, code::IP6);
            out.extend_from_slice(&ip.octets());
        }
        "dns" | "dns4" | "dns6" => {
            let host = value()?;
            put_varint(
                out,
                match name {
                    "dns4" => code::DNS4,
                    "dns6" => code::DNS6,
                    _ => code::DNS,
                },
            );
            put_varint(out, host.len() as u64);
            out.extend_from_slice(host.as_bytes());
        }
        "tcp" | "udp" => {
            let port: u16 = value()?.parse().map_err(|_| AddressError::BadText)?;
            put_varint(out, if name == "tcp" { code::TCP } else { code::UDP });
            out.extend_from_slice(&port.to_be_bytes());
        }
        "quic-v1" => put_varint(out, code::QUIC_V1),
        _ => return put_opaque(out, name),
    }
    Ok(())
}

/// The `0x…` that `Display` writes for components that this crate does not know.
fn put_opaque(out: &mut Vec<u8>, name: &str) -> Result<(), AddressError> {
    let digits = name
        .strip_prefix("0x")
        .ok_or(AddressError::BadText)?
        .as_bytes();
    if digits.len() % 2 != 0 {
        return Err(AddressError::BadText);
    }
    for pair in digits.chunks_exact(2) {
        let high = (pair[0] as char)
            .to_digit(16)
            .ok_or(AddressError::BadText)?;
        let low = (pair[1] as char)
            .to_digit(16)
            .ok_or(AddressError::BadText)?;
        out.push((high << 4 | low) as u8);
    }
    Ok(())
}

/// A libp2p peer ID that the address ends with (`/p2p/…`), as its raw multihash.
///
/// Clients such as Spegel and K3s want it; the protocol itself does not.
#[must_use]
pub fn p2p_component(address: &Multiaddr) -> Option<&[u8]> {
    let (_, rest) = parse_host(&address.0).ok()?;
    let (_, rest) = take_varint(rest)?;
    let mut rest = rest.get(2..)?;
    while let Some((code, after)) = take_varint(rest) {
        match code {
            code::QUIC_V1 => rest = after,
            code::P2P => {
                let (len, id) = take_varint(after)?;
                // Nothing may follow it.
                return (usize::try_from(len) == Ok(id.len())).then_some(id);
            }
            _ => return None,
        }
    }
    None
}

/// The text of an address list, for logs: `/ip4/…, /dns/…`.
#[must_use]
pub fn join(addresses: &[Multiaddr]) -> String {
    let mut out = String::new();
    for (i, address) in addresses.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(out, "{comma}{address}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn text_and_binary_agree() {
        for text in [
            "/ip4/10.1.2.3/tcp/5001",
            "/ip6/2001:db8::1/udp/4433/quic-v1",
            "/dns/seed.example.org/tcp/1",
            "/dns4/a/udp/9",
            "/ip4/1.2.3.4/tcp/1/0xa50300",
        ] {
            let address: Multiaddr = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(Multiaddr::from_bytes(address.0.clone()), Ok(address));
        }
        let quic = Multiaddr::quic("1.2.3.4:5".parse().unwrap());
        assert_eq!(quic.port(), Some((Protocol::Quic, 5)));
        assert_eq!(quic.socket_addr(), Some("1.2.3.4:5".parse().unwrap()));
        // The worked example of the multiaddr specification's /ip4 and /tcp.
        let tcp = Multiaddr::tcp("127.0.0.1:4001".parse().unwrap());
        assert_eq!(tcp.as_bytes(), [4, 127, 0, 0, 1, 6, 0x0f, 0xa1]);
    }

    #[test]
    fn refuses_what_has_no_host() {
        let bad = |bytes: &'static [u8]| Multiaddr::from_bytes(Bytes::from_static(bytes));
        assert_eq!(bad(&[]), Err(AddressError::NoHost));
        assert_eq!(bad(&[6, 0, 80]), Err(AddressError::NoHost));
        assert_eq!(bad(&[4, 1, 2]), Err(AddressError::Truncated));
        assert_eq!(bad(&[0x35, 200, 1, b'a']), Err(AddressError::Truncated));
        assert_eq!(bad(&[0x35, 1, b' ']), Err(AddressError::BadName));
        assert_eq!(bad(&[0x35, 0]), Err(AddressError::BadName));
        let long = Bytes::from(alloc::vec![4; 256]);
        assert_eq!(Multiaddr::from_bytes(long), Err(AddressError::TooLong));
        assert!("/tcp/80".parse::<Multiaddr>().is_err());
        assert!("ip4/1.1.1.1".parse::<Multiaddr>().is_err());
    }

    #[test]
    fn usable_addresses_follow_r7() {
        let usable = |t: &str, local| is_usable(t.parse::<Multiaddr>().unwrap().as_bytes(), local);
        for text in [
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/224.0.0.1/tcp/1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip4/255.255.255.255/tcp/1",
            "/ip6/::/tcp/1",
            "/ip6/ff02::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip6/::ffff:0.0.0.0/tcp/1",
            "/ip4/10.0.0.1/tcp/0",
        ] {
            assert!(!usable(text, true), "{text}");
        }
        for text in [
            "/ip4/127.0.0.1/tcp/1",
            "/ip6/::1/tcp/1",
            "/dns/localhost/tcp/1",
        ] {
            assert!(usable(text, true) && !usable(text, false), "{text}");
        }
        assert!(usable("/ip4/10.0.0.1/tcp/1", false));
        assert!(usable("/dns/a.example/udp/1/quic-v1", false));
    }

    #[test]
    fn finds_a_peer_id() {
        let mut bytes = Multiaddr::tcp("10.0.0.1:1".parse().unwrap())
            .as_bytes()
            .to_vec();
        bytes.extend_from_slice(&[0xa5, 0x03, 3, 9, 8, 7]);
        let address = Multiaddr::from_bytes(bytes.into()).unwrap();
        assert_eq!(p2p_component(&address), Some(&[9, 8, 7][..]));
    }
}
