//! What is missing where an upstream leads to no host for certain, and which option tells.

use super::advice::listed;
use super::model::{Cluster, Why};
use crate::address::HostKey;
use std::collections::BTreeMap;

/// One upstream that is not decided, with all who ask it for the same reason.
pub(super) struct Undecided<'a> {
    /// As written.
    pub(super) text: &'a str,
    pub(super) host: &'a HostKey,
    pub(super) why: &'a Why,
    pub(super) askers: Vec<u32>,
}

/// All of them, by what is written.
pub(super) fn undecided(cluster: &Cluster) -> Vec<Undecided<'_>> {
    let mut found: BTreeMap<(&str, String), Undecided<'_>> = BTreeMap::new();
    for open in &cluster.open {
        let Some(upstream) = cluster.upstream(open.host, open.upstream) else {
            continue;
        };
        let text = upstream.setting.text.as_str();
        let entry = found
            .entry((text, format!("{:?}", open.why)))
            .or_insert_with(|| Undecided {
                text,
                host: &upstream.address.host,
                why: &open.why,
                askers: Vec::new(),
            });
        if entry.askers.last() != Some(&open.host) {
            entry.askers.push(open.host);
        }
    }
    found.into_values().collect()
}

/// What each of them needs, a sentence each.
pub(super) fn hints(cluster: &Cluster) -> Vec<String> {
    const HINTS: usize = 20;
    let found = undecided(cluster);
    let hint = |one: &Undecided<'_>| format!("{}: {}", one.text, one.hint(cluster));
    found.iter().take(HINTS).map(hint).collect()
}

impl Undecided<'_> {
    /// Whether several hosts are known to which it may lead.
    pub(super) fn is_known_in_part(&self) -> bool {
        !matches!(self.why, Why::Nobody)
    }

    /// Whether it is drawn with the hosts to which it may lead.
    pub(super) fn may_be_several(&self) -> bool {
        matches!(
            self.why,
            Why::Several | Why::InCertificates | Why::Behind(_)
        )
    }

    /// Why it is not decided.
    pub(super) fn reason(&self, cluster: &Cluster) -> String {
        let behind = || {
            let name = shown(self.host);
            let of = cluster
                .balancers
                .iter()
                .find(|balancer| balancer.name == name);
            of.map_or(String::new(), |balancer| listed(cluster, &balancer.behind))
        };
        match self.why {
            Why::Nobody if self.host.is_own_machine() => {
                "A program of the host itself, perhaps a balancer.".into()
            }
            Why::Nobody => {
                let nobody = match self.host {
                    HostKey::Ip(_) => "No host given says that this address is its own.",
                    HostKey::Name(_) => "No host given is called so.",
                };
                let several = match self.askers[..] {
                    [_, _, ..] => {
                        " A balancer in front of those who ask it would be a possible cycle of any two of them."
                    }
                    _ => "",
                };
                format!("{nobody}{several}")
            }
            Why::Several => format!("It may be any of {}.", behind()),
            Why::InCertificates => {
                format!(
                    "It is in the certificates (`tls-san`) of {}: a balancer or virtual address, perhaps.",
                    behind()
                )
            }
            Why::OneCertificate(host, doubt) => {
                format!(
                    "Only {} has it in its certificate (`tls-san`), {doubt}.",
                    cluster.name(*host)
                )
            }
            Why::Label(host) => {
                format!(
                    "{} has the same first label, which is no proof: hosts of several domains may share it.",
                    cluster.name(*host)
                )
            }
            Why::Behind(name) => {
                format!("{name}, which --vip puts behind it, is none of the hosts given.")
            }
        }
    }

    /// The options that decide it.
    pub(super) fn hint(&self, cluster: &Cluster) -> String {
        const NAMED: usize = 3;
        let name = shown(self.host);
        let all = cluster
            .hosts
            .iter()
            .map(|host| &*host.name)
            .filter(|name| !name.contains(' '));
        let mut some: Vec<&str> = all.take(NAMED).collect();
        if cluster.hosts.len() > NAMED {
            some.push("…");
        }
        let line = match self.host {
            HostKey::Ip(ip) => format!("{ip} NAME"),
            HostKey::Name(name) => format!("ADDRESS NAME {name}"),
        };
        if let Why::Behind(missing) = self.why {
            return format!(
                "give the configuration of {missing} as well, or --outside {missing} if it asks none of these"
            );
        }
        format!(
            "if it is one of the hosts given, --hosts FILE with the line `{line}`; if it is a balancer or virtual address, --vip {name}={}; if it is another host, give its configuration as well, or --outside {name} if it asks none of these",
            some.join(",")
        )
    }
}

fn shown(key: &HostKey) -> String {
    match key {
        HostKey::Ip(ip) => ip.to_string(),
        HostKey::Name(name) => name.clone(),
    }
}
