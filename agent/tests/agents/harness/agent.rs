//! One agent: its configuration, its process, what it says.

use super::loopback::{ADMIN_PORT, PORT};
use super::{LIMIT, PEERX, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// An answer takes no longer, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// An agent, running or not. It is killed when dropped.
pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) ip: Ipv4Addr,
    pub(crate) dir: PathBuf,
    /// Keys, dotted, and their values in TOML.
    keys: BTreeMap<String, String>,
    arguments: Vec<String>,
    /// What the command is run by, such as `ip netns exec NAME`.
    pub(crate) runner: Vec<String>,
    /// Where its log goes, once, if not to a file.
    pub(crate) log_to: Option<Stdio>,
    child: Option<Child>,
    client: ureq::Agent,
}

/// A place in a log.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mark(usize);

/// How a process has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) log: String,
}

impl Agent {
    pub(super) fn new(name: &str, dir: PathBuf, ip: Ipv4Addr) -> Self {
        let client = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            // Nothing is left behind in an agent whose open files are counted.
            .max_idle_connections(0)
            .build()
            .new_agent();
        let mut agent = Self {
            name: name.to_owned(),
            ip,
            dir,
            keys: BTreeMap::new(),
            arguments: Vec::new(),
            runner: Vec::new(),
            log_to: None,
            child: None,
            client,
        };
        agent.set_text("node_name", name);
        agent.set("listen", &format!("[\"{ip}:{PORT}\"]"));
        agent.set_text("admin", &format!("{ip}:{ADMIN_PORT}"));
        agent.set_text("state_dir", "state");
        agent.set("local", "true");
        agent
    }

    /// Sets a key, such as `pace.lifetime`, to a value in TOML.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> &mut Self {
        self.keys.insert(key.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn set_text(&mut self, key: &str, value: &str) -> &mut Self {
        self.set(key, &format!("{value:?}"))
    }

    pub(crate) fn unset(&mut self, key: &str) -> &mut Self {
        self.keys.remove(key);
        self
    }

    /// Sets its upstreams.
    pub(crate) fn ask(&mut self, upstreams: &[&str]) -> &mut Self {
        self.set("upstreams", &format!("{upstreams:?}"))
    }

    /// It tries again soon whom it cannot reach.
    pub(crate) fn impatient(&mut self) -> &mut Self {
        self.set_text("pace.backoff_cap", "2s")
    }

    pub(crate) fn argument(&mut self, argument: &str) -> &mut Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Where it is asked, over its first transport.
    pub(crate) fn address(&self) -> String {
        format!("{}:{PORT}", self.ip)
    }

    /// Where it listens.
    pub(crate) fn socket(&self) -> std::net::SocketAddr {
        (self.ip, PORT).into()
    }

    pub(crate) fn admin(&self) -> String {
        format!("http://{}:{ADMIN_PORT}", self.ip)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.dir.join("peerx.toml")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.join("state/state")
    }

    pub(crate) fn write_config(&self) {
        let lines = self.keys.iter().map(|(k, v)| format!("{k} = {v}\n"));
        fs::write(self.config(), lines.collect::<String>()).unwrap();
    }

    /// Starts it, and does not wait.
    pub(crate) fn spawn(&mut self) {
        assert!(self.child.is_none(), "{} runs", self.name);
        self.write_config();
        let log = self.dir.join("log");
        let log = OpenOptions::new().create(true).append(true).open(log);
        let mut words = self.runner.iter().map(String::as_str).chain([PEERX]);
        let mut command = Command::new(words.next().unwrap());
        command
            .args(words)
            .args(["run", "--config"])
            .arg(self.config())
            .args(&self.arguments)
            .env_remove("PEERX_NODE_NAME")
            .env("STATE_DIRECTORY", self.dir.join("state"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(self.log_to.take().unwrap_or_else(|| log.unwrap().into()));
        self.child = Some(command.spawn().unwrap());
    }

    /// Starts it, and waits until it answers.
    pub(crate) fn start(&mut self) {
        self.spawn();
        eventually("the agent answers", || {
            self.assert_runs();
            self.get("/healthz").is_some_and(|(code, _)| code == 200)
        });
    }

    /// Runs it until it ends by itself, which it is expected to do.
    pub(crate) fn run(&mut self) -> Ended {
        let mark = self.mark();
        self.spawn();
        let status = self.wait();
        Ended {
            code: status.code(),
            log: self.log_since(mark),
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        let child = self.child.as_ref().expect("it runs");
        Pid::from_child(child)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Ends it as an operator does.
    pub(crate) fn stop(&mut self) -> Ended {
        let mark = self.mark();
        self.signal(Signal::TERM);
        let status = self.wait();
        Ended {
            code: status.code(),
            log: self.log_since(mark),
        }
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("it runs");
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < LIMIT, "{} does not end", self.name);
            std::thread::sleep(Duration::from_millis(10));
        };
        self.child = None;
        status
    }

    pub(crate) fn assert_runs(&mut self) {
        let child = self.child.as_mut().expect("it was started");
        if let Some(status) = child.try_wait().unwrap() {
            panic!("{} has ended: {status}", self.name);
        }
    }

    /// The end of its log now.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.log().len())
    }

    pub(crate) fn log(&self) -> String {
        match File::open(self.dir.join("log")) {
            Ok(file) => std::io::read_to_string(file).unwrap(),
            Err(_) => String::new(),
        }
    }

    pub(crate) fn log_since(&self, mark: Mark) -> String {
        self.log().split_off(mark.0)
    }

    pub(crate) fn eventually_logs(&self, since: Mark, part: &str) {
        eventually(&format!("{} logs {part:?}", self.name), || {
            self.log_since(since).contains(part)
        });
    }

    /// Lines that have all of these parts.
    pub(crate) fn lines(&self, since: Mark, parts: &[&str]) -> usize {
        let log = self.log_since(since);
        let lines = log.lines();
        lines
            .filter(|line| parts.iter().all(|part| line.contains(part)))
            .count()
    }

    /// Status and body; `None` when nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, String)> {
        let url = format!("{}{path}", self.admin());
        let answer = self.client.get(&url).call().ok()?;
        let status = answer.status().as_u16();
        let body = answer.into_body().read_to_string().ok()?;
        Some((status, body))
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path).unwrap_or_else(|| {
            panic!("{} does not answer at {}{path}", self.name, self.admin());
        });
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Names of the peers it knows; nobody while it does not answer.
    pub(crate) fn peers(&self) -> BTreeSet<String> {
        let Some((200, body)) = self.get("/v1/peers") else {
            return BTreeSet::new();
        };
        names(&serde_json::from_str(&body).unwrap())
    }

    pub(crate) fn eventually_knows(&self, expected: &BTreeSet<String>) {
        let mut last = BTreeSet::new();
        let begun = Instant::now();
        while last != *expected {
            let lacks: Vec<_> = expected.difference(&last).collect();
            let more: Vec<_> = last.difference(expected).collect();
            assert!(
                begun.elapsed() < LIMIT,
                "{} knows {} peers; of those expected it lacks {lacks:?}, and it has {more:?} as well",
                self.name,
                last.len()
            );
            std::thread::sleep(Duration::from_millis(50));
            last = self.peers();
        }
    }

    /// A sample of `/metrics` by its name and labels as written there, without the prefix.
    pub(crate) fn metric(&self, sample: &str) -> f64 {
        let (_, page) = self.get("/metrics").expect("it answers");
        let sample = format!("peer_exchange_{sample} ");
        let line = page.lines().find_map(|line| line.strip_prefix(&sample));
        let line = line.unwrap_or_else(|| panic!("{sample} is not in {page}"));
        line.parse().unwrap()
    }

    /// The sum of all samples of a family.
    pub(crate) fn metric_sum(&self, family: &str) -> f64 {
        let (_, page) = self.get("/metrics").expect("it answers");
        let family = format!("peer_exchange_{family}");
        let samples = page.lines().filter(|line| line.starts_with(&family));
        let values = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        values.sum()
    }
}

/// Names of the live ones in the answer of `/v1/peers`.
pub(crate) fn names(peers: &Value) -> BTreeSet<String> {
    let peers = peers["peers"].as_array().unwrap();
    let name = |peer: &Value| peer["name"].as_str().unwrap_or("?").to_owned();
    let live = |peer: &&Value| peer["state"] == "up" || peer["state"] == "suspect";
    peers.iter().filter(live).map(name).collect()
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(30)..];
            eprintln!("--- the log of {}:\n{}", self.name, last.join("\n"));
        }
    }
}
