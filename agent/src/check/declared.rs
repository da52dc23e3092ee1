//! What the command line tells of names and addresses: `--hosts`, `--vip`, `--outside`.

use super::model::HostsLine;
use super::read::hosts_lines;
use crate::address::HostKey;
use crate::input::{self, InputError};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

const EXPECTED_HOSTS: &str = "lines like those of /etc/hosts: `10.0.0.1 server1 server1.example`";

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) hosts: Vec<HostsLine>,
    pub(super) vips: HashMap<HostKey, Vip>,
    pub(super) outside: HashMap<HostKey, String>,
}

/// A balancer, or an address that moves between hosts.
#[derive(Debug)]
pub(super) struct Vip {
    /// As given.
    pub(super) name: String,
    pub(super) behind: Vec<String>,
}

impl Declared {
    /// Reads the options.
    pub(super) fn read(
        hosts: &[PathBuf],
        vips: &[String],
        outside: &[String],
    ) -> Result<Self, Vec<InputError>> {
        let mut declared = Self::default();
        let mut problems = Vec::new();
        for path in hosts {
            match read_hosts(path) {
                Ok(lines) => declared.hosts.extend(lines),
                Err(problem) => problems.push(problem),
            }
        }
        for text in vips {
            match vip(text) {
                Ok((key, vip)) => declared
                    .vips
                    .entry(key)
                    .or_insert_with(|| Vip {
                        name: vip.name.clone(),
                        behind: Vec::new(),
                    })
                    .behind
                    .extend(vip.behind),
                Err(problem) => problems.push(InputError::file(Path::new("--vip"), problem)),
            }
        }
        for text in outside
            .iter()
            .flat_map(|text| text.split(','))
            .filter(|text| !text.trim().is_empty())
        {
            let key = host_key(text);
            let vip = declared.vips.contains_key(&key);
            if vip {
                let problem = format!("{text} is given by --vip as well; expected one of the two");
                problems.push(InputError::file(Path::new("--outside"), problem));
            }
            declared.outside.insert(key, text.trim().to_owned());
        }
        if problems.is_empty() {
            Ok(declared)
        } else {
            Err(problems)
        }
    }

    /// What was declared and nobody asks: a name that is misspelt, perhaps.
    pub(super) fn unused(&self, used: &HashSet<HostKey>) -> Vec<String> {
        let vips = self.vips.iter().map(|(key, vip)| (key, "--vip", &vip.name));
        let outside = self
            .outside
            .iter()
            .map(|(key, name)| (key, "--outside", name));
        let unused = vips.chain(outside).filter(|(key, ..)| !used.contains(key));
        let mut warnings: Vec<String> = unused
            .map(|(_, option, name)| format!("{option} {name}: no upstream names it"))
            .collect();
        warnings.sort();
        warnings
    }
}

fn read_hosts(path: &Path) -> Result<Vec<HostsLine>, InputError> {
    let text = input::read_text(path, EXPECTED_HOSTS)?;
    let mut lines = Vec::new();
    let mut good = hosts_lines(&text).peekable();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some((_, line)) = good.next_if(|(found, _)| *found == number) {
            lines.push(line);
        } else if !line.split('#').next().unwrap_or_default().trim().is_empty() {
            let problem = format!("not an address and a name; expected {EXPECTED_HOSTS}");
            return Err(InputError::line(path, number, problem));
        }
    }
    Ok(lines)
}

/// `NAME=HOST,HOST`.
fn vip(text: &str) -> Result<(HostKey, Vip), String> {
    let (name, hosts) = text.split_once('=').unwrap_or((text, ""));
    let behind: Vec<String> = hosts
        .split(',')
        .map(|host| host.trim().to_owned())
        .filter(|host| !host.is_empty())
        .collect();
    if name.trim().is_empty() || behind.is_empty() {
        return Err(format!(
            "\"{text}\"; expected NAME=HOST,HOST: the balancer's name or address, and the hosts behind it"
        ));
    }
    let name = name.trim().to_owned();
    Ok((host_key(&name), Vip { name, behind }))
}

/// A host as people name it on the command line: a name, an address, or a whole URL.
pub(super) fn host_key(text: &str) -> HostKey {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split('/').next().unwrap_or_default();
    let bracketed = text
        .split_once(']')
        .map(|(host, _)| host.trim_start_matches('['));
    if let Some(host) = bracketed {
        return HostKey::new(host);
    }
    match text.split_once(':') {
        Some((host, port)) if !port.contains(':') => HostKey::new(host),
        _ => HostKey::new(text),
    }
}
