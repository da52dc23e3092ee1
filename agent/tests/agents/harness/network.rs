//! Network namespaces: nodes on two switches that are joined by a link.

use super::Agent;
use super::agent::names;
use super::loopback::PORT;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Places of rules: what is blocked, before the addresses of the node itself.
const BLOCKED: &str = "100";
const LOCAL: &str = "200";

/// Namespaces `…-1` to `…-N` with one address each, and one for the switches. All are deleted when
/// this is dropped; nothing else of the machine is touched.
pub(crate) struct Network {
    prefix: String,
    nodes: usize,
}

/// The first half of the nodes is on this one.
const SWITCHES: [&str; 2] = ["left", "right"];
/// The link between the two.
const TRUNK: &str = "trunk";

impl Network {
    /// `None`, with a line that says why, where that is not permitted.
    pub(crate) fn new(nodes: usize) -> Option<Self> {
        static NETWORKS: AtomicU32 = AtomicU32::new(0);
        let n = NETWORKS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("peerx-{}-{n}", std::process::id());
        let network = Self { prefix, nodes };
        let switches = network.switches();
        let made = ip(&["netns", "add", &switches]);
        if !made.as_ref().is_ok_and(|output| output.status.success()) {
            let why = made.map_or_else(
                |error| error.to_string(),
                |output| String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            );
            eprintln!("skipped: no network namespaces here: {why}");
            return None;
        }
        for switch in SWITCHES {
            must(&["-n", &switches, "link", "add", switch, "type", "bridge"]);
            must(&["-n", &switches, "link", "set", switch, "up"]);
        }
        must(&[
            "-n", &switches, "link", "add", TRUNK, "type", "veth", "peer", "name", "other",
        ]);
        must(&[
            "-n",
            &switches,
            "link",
            "set",
            TRUNK,
            "master",
            SWITCHES[0],
            "up",
        ]);
        must(&[
            "-n",
            &switches,
            "link",
            "set",
            "other",
            "master",
            SWITCHES[1],
            "up",
        ]);
        for node in 1..=nodes {
            network.add(node, &switches);
        }
        Some(network)
    }

    fn add(&self, node: usize, switches: &str) {
        let name = self.name(node);
        let port = format!("port{node}");
        let switch = SWITCHES[usize::from(node > self.nodes / 2)];
        let address = format!("{}/24", Self::address(node));
        must(&["netns", "add", &name]);
        must(&[
            "link", "add", "eth0", "netns", &name, "type", "veth", "peer", "name", &port, "netns",
            switches,
        ]);
        must(&["-n", switches, "link", "set", &port, "master", switch, "up"]);
        must(&["-n", &name, "addr", "add", &address, "dev", "eth0"]);
        must(&["-n", &name, "link", "set", "eth0", "up"]);
        must(&["-n", &name, "link", "set", "lo", "up"]);
    }

    fn switches(&self) -> String {
        format!("{}-sw", self.prefix)
    }

    fn name(&self, node: usize) -> String {
        format!("{}-{node}", self.prefix)
    }

    /// The address of a node, counted from 1.
    pub(crate) fn address(node: usize) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, u8::try_from(node).unwrap())
    }

    /// Lets an agent live there, with its ports as usual.
    pub(crate) fn host(&self, node: usize, agent: &mut Agent) {
        let words = ["ip", "netns", "exec", &self.name(node)];
        agent.runner = words.map(str::to_owned).to_vec();
        agent.ip = Self::address(node);
        for key in ["listen", "admin", "local"] {
            agent.unset(key);
        }
    }

    /// Runs a command there.
    pub(crate) fn run(&self, node: usize, words: &[&str]) -> Output {
        let name = self.name(node);
        ip(&[&["netns", "exec", &name], words].concat()).unwrap()
    }

    /// Names of the peers that the agent there knows, by `peerx peers`.
    pub(crate) fn peers(&self, node: usize) -> BTreeSet<String> {
        let output = self.run(node, &[super::PEERX, "peers", "--json"]);
        match serde_json::from_slice(&output.stdout) {
            Ok(peers) if output.status.success() => names(&peers),
            _ => BTreeSet::new(),
        }
    }

    /// Lets packets be blocked by [`block`](Self::block). `false`, with a line that says why, where
    /// the kernel cannot. What is blocked does not arrive, and nobody is told: a rule of the
    /// routing of the receiver drops it, which needs no firewall.
    pub(crate) fn can_block(&self) -> bool {
        for node in 1..=self.nodes {
            let name = self.name(node);
            let steps: [&[&str]; 3] = [
                // Also for connections that are there already.
                &[
                    "netns",
                    "exec",
                    &name,
                    "sysctl",
                    "-qw",
                    "net.ipv4.ip_early_demux=0",
                ],
                // The table of the own addresses is asked before all rules, unless it is moved.
                &["-n", &name, "rule", "add", "pref", LOCAL, "lookup", "local"],
                &["-n", &name, "rule", "del", "pref", "0"],
            ];
            for step in steps {
                let output = ip(step).unwrap();
                if !output.status.success() {
                    let why = String::from_utf8_lossy(&output.stderr);
                    eprintln!("skipped: no rules of routing here: {}", why.trim());
                    return false;
                }
            }
        }
        true
    }

    /// From now on nothing of this protocol (`udp`, `tcp`) arrives at `to` from `from`.
    pub(crate) fn block(&self, protocol: &str, from: usize, to: usize) {
        self.rule("add", protocol, from, to);
    }

    pub(crate) fn unblock(&self, protocol: &str, from: usize, to: usize) {
        self.rule("del", protocol, from, to);
    }

    fn rule(&self, what: &str, protocol: &str, from: usize, to: usize) {
        let (name, from) = (self.name(to), Self::address(from).to_string());
        must(&[
            "-n",
            &name,
            "rule",
            what,
            "pref",
            BLOCKED,
            "iif",
            "eth0",
            "from",
            &from,
            "ipproto",
            protocol,
            "blackhole",
        ]);
    }

    /// The hosts to which a connection over TCP is there, each once for each.
    pub(crate) fn tcp_connections(&self, node: usize) -> Vec<String> {
        let filter = format!("( sport = :{PORT} or dport = :{PORT} )");
        let words = ["ss", "-Htn", "state", "established", &filter];
        let said = self.run(node, &words).stdout;
        let said = String::from_utf8(said).unwrap();
        let remote = |line: &str| line.split_whitespace().nth(3).map(str::to_owned);
        said.lines().filter_map(remote).collect()
    }

    /// Cuts one node off, or lets it in again.
    pub(crate) fn port(&self, node: usize, state: &str) {
        let port = format!("port{node}");
        must(&["-n", &self.switches(), "link", "set", &port, state]);
    }

    /// Cuts the link between the two halves, or mends it.
    pub(crate) fn trunk(&self, state: &str) {
        must(&["-n", &self.switches(), "link", "set", TRUNK, state]);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for node in 1..=self.nodes {
            let _ = ip(&["netns", "del", &self.name(node)]);
        }
        let _ = ip(&["netns", "del", &self.switches()]);
    }
}

fn ip(words: &[&str]) -> std::io::Result<Output> {
    Command::new("ip").args(words).stdin(Stdio::null()).output()
}

fn must(words: &[&str]) {
    let output = ip(words).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {}: {said}", words.join(" "));
}
