//! `peerx run`: the agent.

mod events;
mod flaps;
mod log;
mod membership;
mod moment;
mod start;
mod state;
mod tasks;
mod upstreams;

use crate::config::{self, Checked, Mode, OnStop};
use crate::input::{self, InputError};
use crate::live::Agent;
use start::Started;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{self, SignalKind};
use tokio::time::timeout;
use tracing::{info, warn};
use tracing_appender::non_blocking::ErrorCounter;

/// At the end, saving the state may take this long.
const SAVE_PATIENCE: Duration = Duration::from_secs(10);

/// Run the agent: find this node's peers, and serve what it knows.
///
/// Listens on QUIC and TCP, joins its upstreams, keeps its table across restarts, and serves HTTP on loopback:
/// /healthz, /readyz, /metrics, /v1/peers, /v1/loops, /v1/topology, /v1/status; and peers for Spegel, K3s and RKE2: /spegel/v1/id,
/// /id, /v1-k3s/p2p, /v1-rke2/p2p. It is asked by IP address, as localhost or by its own names (`admin_names` adds others); with
/// `admin_certificate_file` and `admin_key_file` over TLS, and with `admin_token_file` by who shows that token.
/// `peerx check FILE` refuses what this refuses, and starts nothing.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The smallest configuration is two lines:
  token_file = \"/etc/peerx/token\"      # `peerx token` makes one; the same on every node
  upstreams = [\"server2\"]

SIGHUP reads the configuration again, and the lists of revoked certificates. Key, token and state are
files: a symbolic link or a FIFO in their place is refused. FILE may be a link, and no FIFO. SIGTERM and
SIGINT say goodbye to the peers and end it.

Exit codes: 0 ended by a signal; 2 bad configuration, or it cannot start.

Example:
  peerx token > token && peerx run --config peerx.toml")]
pub(crate) struct RunArgs {
    /// The configuration; agent/peerx.toml documents every key
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Everybody who can reach a port is a member: for experiments on one machine only
    #[arg(long)]
    insecure: bool,
}

/// Why it does not run.
#[derive(Debug)]
pub(crate) enum RunError {
    /// What is wrong with its configuration, as `peerx check` says it.
    Configuration(Vec<InputError>),
    /// What cannot be opened.
    Start(String),
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(faults) => f.write_str(&input::listed(faults)),
            Self::Start(problem) => write!(f, "peerx: {problem}"),
        }
    }
}

/// Runs until a signal ends it.
///
/// # Errors
/// A message for the user: bad configuration, or something cannot be opened.
pub(crate) fn run(args: &RunArgs) -> Result<(), RunError> {
    let mode = if args.insecure {
        Mode::Insecure
    } else {
        Mode::Here
    };
    let checked = config::read(&args.config, mode).map_err(RunError::Configuration)?;
    start(checked, mode).map_err(RunError::Start)
}

fn start(checked: Checked, mode: Mode) -> Result<(), String> {
    let writer = log::start(&checked.settings.log)?;
    if mode == Mode::Insecure {
        warn!(
            "--insecure: EVERYBODY who can reach a port of this node is a member, can read and disturb. Never outside an experiment."
        );
    }
    for warning in &checked.warnings {
        warn!("{warning}");
    }
    // The node and its links have a thread of their own: whoever asks, resolves or logs holds up no
    // beat. With two for everything each packet woke the second in vain: at 20 nodes over QUIC an
    // idle agent took 0.226 % of a core instead of 0.203.
    let node = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("node")
        .enable_all()
        .build()
        .map_err(cannot_start)?;
    let rest = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot_start)?;
    let outcome = rest.block_on(live(checked, mode, writer.lost(), node.handle()));
    // What a disk or a name server still holds up is not waited for.
    rest.shutdown_background();
    node.shutdown_background();
    outcome
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn cannot_start(error: std::io::Error) -> String {
    format!("cannot start the runtime: {error}")
}

/// Runs all but the node and its links, which have `node`.
async fn live(
    checked: Checked,
    mode: Mode,
    lost: ErrorCounter,
    node: &Handle,
) -> Result<(), String> {
    // Before anything that takes time, so that no signal ends it unheard.
    let mut signals = Signals::listen()?;
    let Started {
        agent,
        state,
        mut tasks,
    } = start::start(checked, node).await?;
    tasks.spawn(tasks::watch_log(lost));
    loop {
        tokio::select! {
            () = agent.handle.stopped() => {
                return Err("the node has stopped by itself, which is a bug".into());
            }
            signal = signals.next() => match signal {
                Signal::Reload => reload(&agent, mode).await,
                Signal::End(what) => {
                    info!("{what}: saying goodbye");
                    break;
                }
            },
        }
    }
    let snapshot = agent.handle.snapshot().await;
    let save = async {
        let Ok(snapshot) = snapshot else { return };
        let mut always = log::Seldom::new(Duration::ZERO);
        let saved = tasks::save(&agent, &state, snapshot, &mut always);
        if timeout(SAVE_PATIENCE, saved).await.is_err() {
            let file = state.file();
            warn!(
                "the state is not saved: nothing can be written to {}",
                file.display()
            );
        }
    };
    // A disk that is stuck keeps nobody from being told.
    let goodbye = async {
        match agent.settings().on_stop {
            OnStop::Leave => agent.handle.leave().await,
            OnStop::Pause => agent.handle.shutdown().await,
        }
    };
    tokio::join!(save, goodbye);
    info!("done");
    Ok(())
}

enum Signal {
    Reload,
    End(&'static str),
}

struct Signals {
    hup: unix::Signal,
    term: unix::Signal,
    int: unix::Signal,
}

impl Signals {
    fn listen() -> Result<Self, String> {
        let on = |kind| {
            unix::signal(kind).map_err(|error| format!("cannot listen for signals: {error}"))
        };
        Ok(Self {
            hup: on(SignalKind::hangup())?,
            term: on(SignalKind::terminate())?,
            int: on(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.hup.recv() => Signal::Reload,
            _ = self.term.recv() => Signal::End("SIGTERM"),
            _ = self.int.recv() => Signal::End("SIGINT"),
        }
    }
}

/// Reads the configuration again: upstreams, own addresses, name and labels change at once.
async fn reload(agent: &Agent, mode: Mode) {
    let old = agent.settings();
    let Checked {
        settings: new,
        membership,
        access,
        warnings,
        ..
    } = match config::read(&old.path, mode) {
        Ok(checked) => checked,
        Err(faults) => {
            for fault in faults {
                warn!("the configuration stays as it is: {fault}");
            }
            return;
        }
    };
    for warning in warnings {
        warn!("{warning}");
    }
    let restart = old.needs_restart(&new);
    if !restart.is_empty() {
        warn!(
            "changed, but in force only after a restart: {}",
            restart.join(", ")
        );
    }
    if new.metadata() != old.metadata()
        && let Err(error) = agent.handle.set_metadata(new.metadata()).await
    {
        warn!("the name and labels stay as they are: {error}");
    }
    if let Some(membership) = &membership
        && let Err(error) = agent.sockets.tls.take_revocation_lists(membership)
    {
        warn!("the revocation lists stay as they are: {error}");
    }
    agent.set_access(access);
    // What is not in force is named again the next time.
    agent.set_settings(old.changed_to(new));
    agent.resolve.notify_one();
    info!("the configuration was read again");
}
