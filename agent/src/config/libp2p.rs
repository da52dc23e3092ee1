//! The libp2p service beside the agent: where it is, and where it says so.

use super::Libp2p;
use super::core::interval;
use super::judge::Judge;
use crate::input;
use crate::libp2p::learn::{Client, Source};
use crate::libp2p::{ADDRESSES, PeerId, Service};
use peer_exchange::Multiaddr;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;
use toml::Spanned;

/// Between questions to the libp2p service beside the agent.
const LEARN_INTERVAL: Duration = Duration::from_secs(30);

pub(super) fn libp2p(judge: &mut Judge<'_>) -> Libp2p {
    let keys = &judge.file.keys.libp2p;
    let mut advertise = Vec::new();
    let mut known = HashSet::new();
    let mut told = Told::default();
    for entry in keys.advertise.iter() {
        match Service::parse(entry.get_ref()) {
            Err(problem) => judge.fault_of(entry, format!("`libp2p.advertise`: {problem}")),
            Ok(address) => {
                check_address(judge, entry, &address);
                if known.insert(address.clone()) {
                    told.check(judge, entry, &address);
                    advertise.push(address);
                } else {
                    let text = entry.get_ref();
                    judge.warn_of(entry, format!("`libp2p.advertise` has \"{text}\" twice"));
                }
            }
        }
    }
    Libp2p {
        advertise,
        learn_from: source(judge),
        interval: interval(judge, "libp2p", keys.interval, LEARN_INTERVAL),
    }
}

/// What others are told of the service: one ID, and a few addresses.
#[derive(Default)]
struct Told {
    id: Option<PeerId>,
    addresses: usize,
}

impl Told {
    fn check(&mut self, judge: &mut Judge<'_>, entry: &Spanned<String>, address: &Multiaddr) {
        let Some(id) = Service::of(address).and_then(|service| service.id) else {
            return;
        };
        let text = entry.get_ref();
        let first = self.id.get_or_insert_with(|| id.clone());
        if *first != id {
            let problem = format!(
                "`libp2p.advertise`: \"{text}\" is another service than {first}: others are told of one beside each node, the first"
            );
            return judge.warn_of(entry, problem);
        }
        self.addresses += 1;
        if self.addresses > ADDRESSES {
            let problem = format!(
                "`libp2p.advertise`: \"{text}\" is beyond the {ADDRESSES} addresses of a service that others are told of"
            );
            judge.warn_of(entry, problem);
        }
    }
}

fn check_address(judge: &mut Judge<'_>, entry: &Spanned<String>, address: &Multiaddr) {
    let text = entry.get_ref();
    let Some(service) = Service::of(address) else {
        return;
    };
    if service
        .ip
        .is_some_and(|ip| ip.is_unspecified() || ip.is_multicast())
    {
        let problem = format!(
            "`libp2p.advertise`: \"{text}\" is no address of one machine; expected one that others can reach"
        );
        judge.fault_of(entry, problem);
    } else if service.ip.is_some_and(|ip| ip.is_loopback()) && !judge.file.keys.local {
        let problem = format!(
            "`libp2p.advertise`: \"{text}\" leads every machine to itself: nobody is told of it without `local = true`"
        );
        judge.warn_of(entry, problem);
    } else if service.id.is_none() {
        let problem = format!(
            "`libp2p.advertise`: \"{text}\" has no /p2p/ID at its end: only Spegel's array (/id) can tell others of it, not /spegel/v1/id, K3s or RKE2"
        );
        judge.warn_of(entry, problem);
    }
}

/// Where the service tells its addresses, and how it is asked.
fn source(judge: &mut Judge<'_>) -> Option<Source> {
    let keys = &judge.file.keys.libp2p;
    let files = [
        ("ca_file", &keys.ca_file),
        ("certificate_file", &keys.certificate_file),
        ("key_file", &keys.key_file),
    ];
    let Some(url) = &keys.learn_from else {
        for (key, file) in files {
            if let Some(file) = file {
                judge.warn_of(
                    file,
                    format!("`libp2p.{key}` is for `learn_from`, which is not set"),
                );
            }
        }
        return None;
    };
    let text = url.get_ref();
    let is_https = match Source::scheme(text) {
        Ok(is_https) => is_https,
        Err(why) => {
            let problem = format!(
                "`libp2p.learn_from` is \"{}\", {why}; expected a URL of this machine, such as http://127.0.0.1:5002/id",
                input::shown(text)
            );
            judge.fault_of(url, problem);
            return None;
        }
    };
    let path = |file: &Option<Spanned<PathBuf>>| file.as_ref().map(|f| judge.beside(f.get_ref()));
    let source = Source {
        url: text.clone(),
        authority: path(&keys.ca_file),
        certificate: path(&keys.certificate_file),
        key: path(&keys.key_file),
    };
    if is_https {
        check_https(judge, url, &source);
        return Some(source);
    }
    for (key, file) in files {
        if let Some(file) = file {
            judge.warn_of(
                file,
                format!("`libp2p.{key}` is for https, and `learn_from` is http"),
            );
        }
    }
    Some(Source::plain(text))
}

/// What https needs, and whether it is there.
fn check_https(judge: &mut Judge<'_>, url: &Spanned<String>, source: &Source) {
    if source.authority.is_none() {
        let problem = "`libp2p.learn_from` is https: set `ca_file` to the authority of its certificate, in PEM (of a K3s or RKE2 server: `curl -k https://SERVER:6443/cacerts`)";
        judge.fault_of(url, problem);
        return;
    }
    if source.certificate.is_some() != source.key.is_some() {
        let (there, lacks) = match source.key {
            None => ("certificate_file", "key_file"),
            Some(_) => ("key_file", "certificate_file"),
        };
        let problem = format!("`libp2p.{there}` needs `{lacks}`: a client certificate is both");
        let key = format!("libp2p.{there}");
        judge.fault(judge.file.error_at_key(&key, problem));
        return;
    }
    if !judge.has_files() {
        return;
    }
    if let Err((key, problem)) = Client::new(source) {
        let key = format!("libp2p.{key}");
        judge.fault(judge.file.error_at_key(&key, format!("`{key}`: {problem}")));
    }
}
