//! What a service says when it is asked where it is, and what of that is about itself.
//!
//! Spegel names itself: with one object (0.4 to 0.7.4), with an array of one (later), with a bare
//! multiaddr (up to 0.0.30). K3s and RKE2 name *others*, and so does an agent. Whatever the format, an
//! address is taken for one of the service beside this agent only if its ID or its machine is.

use crate::libp2p::{ADDRESSES, PeerId, Service};
use peer_exchange::Multiaddr;
use serde::Deserialize;
use std::net::IpAddr;

/// What is known of the service beside this agent.
pub(crate) struct Own<'a> {
    /// Its ID, as far as the configuration has one.
    pub(crate) ids: &'a [PeerId],
    /// Whether this is an address of this machine.
    pub(crate) is_here: &'a dyn Fn(IpAddr) -> bool,
    /// Loopback addresses are of use: an experiment on one machine.
    pub(crate) local: bool,
}

/// One service in an answer, as Spegel writes it.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "ID", default)]
    id: String,
    #[serde(rename = "Addrs", default)]
    addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Several(Vec<Entry>),
    Addresses(Vec<String>),
    Address(String),
    // Last: to serde, a list may be a struct without the names of its fields.
    One(Entry),
}

/// What of an entry could be used.
struct Named {
    id: Option<PeerId>,
    addresses: Vec<(Multiaddr, Service)>,
}

/// The addresses of the service beside this agent in an answer.
pub(super) fn read(text: &str, own: &Own<'_>) -> Result<Vec<Multiaddr>, String> {
    let entries = entries(text)?;
    if entries.is_empty() {
        return Err("the service does not name itself yet".into());
    }
    let count = entries.len();
    let mut unusable = None;
    let mut best: Option<Vec<Multiaddr>> = None;
    let mut others = 0;
    for entry in entries {
        let named = match usable(&entry, own) {
            Ok(named) => named,
            Err(problem) => {
                unusable = Some(problem);
                continue;
            }
        };
        let by_id = named.id.as_ref().is_some_and(|id| own.ids.contains(id));
        let here = |service: &Service| service.ip.is_some_and(own.is_here);
        let addresses = named.addresses.into_iter();
        let taken = addresses.filter(|(_, service)| by_id || here(service));
        let taken: Vec<_> = taken.map(|(address, _)| address).take(ADDRESSES).collect();
        if taken.is_empty() {
            others += 1;
        } else if by_id {
            return Ok(taken);
        } else if best.as_ref().is_none_or(|best| best.len() < taken.len()) {
            best = Some(taken);
        }
    }
    match (best, unusable) {
        (Some(best), _) => Ok(best),
        (None, Some(problem)) if others == 0 => Err(problem),
        (None, _) => Err(format!(
            "the answer names {count} {}, and none with an address of this machine or an ID in `libp2p.advertise`: it is about others",
            if count == 1 { "service" } else { "services" }
        )),
    }
}

fn entries(text: &str) -> Result<Vec<Entry>, String> {
    let text = text.trim();
    let answer = if text.starts_with('/') && !text.contains(char::is_whitespace) {
        Answer::Address(text.to_owned())
    } else {
        serde_json::from_str(text).map_err(|_| {
            "the answer is neither a peer nor a list of peers in a format of Spegel or K3s"
                .to_owned()
        })?
    };
    let alone = |address: String| {
        let (plain, id) = address.split_once("/p2p/").unwrap_or((&address, ""));
        Entry {
            id: id.to_owned(),
            addresses: vec![plain.to_owned()],
        }
    };
    Ok(match answer {
        // `{}` is no service that has not started yet.
        Answer::One(entry) if entry.id.is_empty() && entry.addresses.is_empty() => {
            return Err("the answer is an object without ID and Addrs".into());
        }
        Answer::One(entry) => vec![entry],
        Answer::Several(entries) => entries,
        Answer::Addresses(list) => list.into_iter().map(alone).collect(),
        Answer::Address(address) => vec![alone(address)],
    })
}

/// An entry without what nobody else could reach. An address of another kind is no reason to do
/// without the good ones.
fn usable(entry: &Entry, own: &Own<'_>) -> Result<Named, String> {
    let id = match entry.id.as_str() {
        "" => None,
        id => Some(id.parse::<PeerId>()?),
    };
    let addresses = entry.addresses.iter().filter_map(|address| {
        let plain = address.split("/p2p/").next().unwrap_or_default();
        let address = Service::multiaddr(plain, id.as_ref()).ok()?;
        let service = Service::of(&address)?;
        let lost = service
            .ip
            .is_some_and(|ip| ip.is_unspecified() || (ip.is_loopback() && !own.local));
        (!lost).then_some((address, service))
    });
    let addresses: Vec<_> = addresses.collect();
    if addresses.is_empty() {
        return Err("the service names no TCP address that others could reach".into());
    }
    Ok(Named { id, addresses })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::libp2p::shown;

    const ID: &str = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const OTHER: &str = "12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5";

    /// On the machine 10.1.2.3, without an ID in the configuration.
    fn here(text: &str) -> Result<Vec<String>, String> {
        texts(text, &[])
    }

    fn texts(text: &str, ids: &[PeerId]) -> Result<Vec<String>, String> {
        let own = Own {
            ids,
            is_here: &|ip| ip.is_loopback() || ip == IpAddr::from([10, 1, 2, 3]),
            local: false,
        };
        Ok(read(text, &own)?.iter().map(shown).collect())
    }

    #[test]
    fn every_format_of_the_field_is_understood() {
        let expected = vec![format!("/ip4/10.1.2.3/tcp/5001/p2p/{ID}")];
        for text in [
            // Spegel 0.4 to 0.7.4, later ones, and up to 0.0.30.
            format!(r#"{{"ID":"{ID}","Addrs":["/ip4/10.1.2.3/tcp/5001"]}}"#),
            format!(r#"[{{"ID":"{ID}","Addrs":["/ip4/10.1.2.3/tcp/5001"]}}]"#),
            format!("/ip4/10.1.2.3/tcp/5001/p2p/{ID}\n"),
            format!(
                r#"{{"ID":"{ID}","Addrs":["/ip4/127.0.0.1/tcp/5001","/ip4/10.1.2.3/udp/1/quic-v1","/ip4/10.1.2.3/tcp/5001/p2p/{ID}"]}}"#
            ),
            format!(r#"["/ip4/10.1.2.3/tcp/5001/p2p/{ID}"]"#),
            format!(r#""/ip4/10.1.2.3/tcp/5001/p2p/{ID}""#),
        ] {
            assert_eq!(here(&text).as_ref(), Ok(&expected), "{text}");
        }
        let unnamed = r#"[{"Addrs":["/ip4/10.1.2.3/tcp/5001"]}]"#;
        assert_eq!(here(unnamed), Ok(vec!["/ip4/10.1.2.3/tcp/5001".to_owned()]));
    }

    #[test]
    fn others_are_never_taken_for_oneself() {
        for text in [
            format!(r#"{{"ID":"{OTHER}","Addrs":["/ip4/10.1.2.4/tcp/5001"]}}"#),
            format!(r#"[{{"ID":"{OTHER}","Addrs":["/ip4/10.1.2.4/tcp/5001"]}}]"#),
            format!(r#"["/ip4/10.1.2.4/tcp/5001/p2p/{OTHER}","/ip4/10.1.2.5/tcp/5001/p2p/{ID}"]"#),
            format!("/dns/server1/tcp/5001/p2p/{OTHER}"),
        ] {
            let problem = here(&text).unwrap_err();
            assert!(problem.contains("about others"), "{text}: {problem}");
        }
        // Among others, the one of this machine, wherever it stands.
        let among = format!(
            r#"[{{"ID":"{OTHER}","Addrs":["/ip4/10.1.2.4/tcp/5001"]}},{{"ID":"{ID}","Addrs":["/ip4/10.1.2.3/tcp/5001","/ip4/10.9.9.9/tcp/5001"]}}]"#
        );
        let own = vec![format!("/ip4/10.1.2.3/tcp/5001/p2p/{ID}")];
        assert_eq!(here(&among), Ok(own));
    }

    #[test]
    fn a_known_id_is_believed_wherever_it_is() {
        let ids = [ID.parse().unwrap()];
        let text = format!(
            r#"[{{"ID":"{OTHER}","Addrs":["/ip4/10.1.2.3/tcp/5001"]}},{{"ID":"{ID}","Addrs":["/ip4/10.9.9.9/tcp/5001"]}}]"#
        );
        let expected = vec![format!("/ip4/10.9.9.9/tcp/5001/p2p/{ID}")];
        assert_eq!(texts(&text, &ids), Ok(expected));
    }

    #[test]
    fn other_answers_are_refused() {
        for text in [
            "",
            "[]",
            "{}",
            "null",
            "ok",
            r#"[{"ID":"nobody","Addrs":["/ip4/10.1.2.3/tcp/5001"]}]"#,
            r#"{"ID":"","Addrs":["/ip4/10.1.2.3"]}"#,
        ] {
            assert!(here(text).is_err(), "{text}");
        }
        let loopback = format!(r#"[{{"ID":"{ID}","Addrs":["/ip4/127.0.0.1/tcp/5001"]}}]"#);
        assert!(here(&loopback).is_err());
    }
}
