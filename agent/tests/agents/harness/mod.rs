//! Starting agents, asking them, and waiting for what they do.

mod agent;
pub(crate) mod loopback;
pub(crate) mod network;
pub(crate) mod relay;

pub(crate) use agent::{Agent, Ended, Mark};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Nothing here takes longer on a busy machine, or it fails.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// The command under test.
pub(crate) const PEERX: &str = env!("CARGO_BIN_EXE_peerx");

/// A directory, and a token for whoever lives there.
pub(crate) struct Lab {
    dir: TempDir,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let token = peerx(&["token"]);
        assert!(token.status.success());
        let lab = Self { dir };
        std::fs::write(lab.token_file(), token.stdout).unwrap();
        private(&lab.token_file());
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.path("token")
    }

    /// An agent that has not been started, on an address of its own.
    pub(crate) fn agent(&self, name: &str) -> Agent {
        let dir = self.path(name);
        std::fs::create_dir(&dir).unwrap();
        let mut agent = Agent::new(name, dir, loopback::next());
        agent.set_text("token_file", &self.token_file().display().to_string());
        agent
    }

    /// Agents `server1` to `serverN`, each of which asks the next, the last one the first.
    pub(crate) fn ring(&self, n: usize) -> Vec<Agent> {
        self.ring_named(n, "server")
    }

    /// The same with other names, each with its number behind it.
    pub(crate) fn ring_named(&self, n: usize, name: &str) -> Vec<Agent> {
        let mut ring: Vec<_> = (1..=n).map(|i| self.agent(&format!("{name}{i}"))).collect();
        for i in 0..n {
            let next = ring[(i + 1) % n].address();
            ring[i].ask(&[&next]);
        }
        ring
    }
}

/// For its owner alone.
pub(crate) fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs a command of peerx that ends by itself.
pub(crate) fn peerx(arguments: &[&str]) -> Output {
    let mut command = Command::new(PEERX);
    command.args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

/// Starts them all, and waits until each knows all others.
pub(crate) fn start(agents: &mut [Agent]) {
    for agent in agents.iter_mut() {
        agent.spawn();
    }
    all_know_all(agents);
}

/// Waits until each knows all others.
pub(crate) fn all_know_all(agents: &[Agent]) {
    let names: BTreeSet<_> = agents.iter().map(|a| a.name.clone()).collect();
    for agent in agents {
        let mut others = names.clone();
        others.remove(&agent.name);
        agent.eventually_knows(&others);
    }
}

/// Waits until this holds, not for ever.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}");
        sleep(LOOK);
    }
}

/// Whether a command is there and works.
pub(crate) fn succeeds(command: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(command);
    command.args(arguments).stdin(Stdio::null());
    let output = command.output();
    output.is_ok_and(|output| output.status.success())
}
