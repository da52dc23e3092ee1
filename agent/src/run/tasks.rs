//! What an agent does beside its node: resolve upstreams, follow its own addresses, save its state.

use super::log::{Seldom, again};
use super::state::StateDir;
use super::upstreams::Upstreams;
use crate::libp2p::learn;
use crate::live::{self, Agent};
use crate::usage::scarce_descriptors;
use peer_exchange::Multiaddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};
use tracing_appender::non_blocking::ErrorCounter;

/// Upstreams that fail are not resolved more often than this.
const RESOLVE_GAP: Duration = Duration::from_secs(5);
/// What has changed is gathered this long before it is saved.
const SAVE_GAP: Duration = Duration::from_secs(5);
/// Lifetimes change without an event: the state is saved this often at least.
const SAVE_INTERVAL: Duration = Duration::from_secs(300);
/// Between two looks at how many files are open.
const DESCRIPTORS_INTERVAL: Duration = Duration::from_secs(10);
/// Between two looks at whether lines of the log were lost.
const LOST_INTERVAL: Duration = Duration::from_secs(10);
/// A lasting failure to save is told once in this time.
const REMINDER: Duration = Duration::from_secs(600);

/// Keeps the node's upstreams and its own addresses what they are.
pub(super) async fn follow_addresses(
    agent: Arc<Agent>,
    mut upstreams: Upstreams,
    mut known: (Vec<Multiaddr>, Vec<Multiaddr>),
) {
    let mut seldom = Seldom::new(agent.settings().core.report_interval);
    let mut listening = agent.sockets.listening(&agent.settings());
    loop {
        let settings = agent.settings();
        // Without a name, nothing but the own addresses can change.
        let _ = timeout(settings.dns_interval, agent.resolve.notified()).await;
        let settings = agent.settings();
        upstreams.replace(settings.upstreams.clone());
        let (found, failed) = upstreams.resolve().await;
        for failed in failed {
            let condition = format!("name {}", failed.name);
            if let Some(more) = seldom.due(&condition, Instant::now()) {
                warn!(
                    "upstream {}: the name does not resolve: {}{}",
                    failed.name,
                    failed.error,
                    again(more)
                );
            }
        }
        let own = agent.own_addresses(&settings);
        let every = agent.sockets.listening(&settings);
        if every != listening {
            // It fails when the node has stopped.
            let _ = agent.handle.set_listening(every.clone()).await;
            listening = every;
        }
        if found != known.0 {
            info!("upstreams: {}", peer_exchange::addr::join(&found));
            if let Err(error) = agent.handle.set_upstreams(found.clone()).await {
                warn!("the upstreams stay as they are: {error}");
            }
        }
        if own != known.1 {
            info!("own addresses: {}", peer_exchange::addr::join(&own));
            if let Err(error) = agent.handle.set_addresses(own.clone()).await {
                warn!("the own addresses stay as they are: {error}");
            }
        }
        known = (found, own);
        sleep(RESOLVE_GAP).await;
    }
}

/// Asks the libp2p service beside this agent for its addresses, which the own record then names.
pub(super) async fn learn_service(agent: Arc<Agent>) {
    let mut pace = learn::Pace::default();
    let mut seldom = Seldom::new(REMINDER);
    loop {
        let settings = agent.settings();
        let Some(source) = settings.libp2p.learn_from.clone() else {
            agent.set_learned(Vec::new());
            // A new configuration may name one.
            sleep(settings.libp2p.interval).await;
            continue;
        };
        let (ids, local) = (agent.ids(), settings.core.local);
        let ask = move || {
            let own = learn::Own {
                ids: &ids,
                is_here: &live::is_own,
                local,
            };
            learn::ask(&source, &own)
        };
        let asked = tokio::task::spawn_blocking(ask).await;
        match asked.unwrap_or_else(|died| Err(died.to_string())) {
            Ok(addresses) => {
                pace.succeeded();
                seldom.over("learn");
                agent.set_learned(addresses);
            }
            Err(problem) => {
                if pace.failed() {
                    agent.set_learned(Vec::new());
                }
                if let Some(more) = seldom.due("learn", Instant::now()) {
                    warn!(
                        "the service beside this node does not tell its addresses: {problem}{}",
                        again(more)
                    );
                }
            }
        }
        sleep(pace.wait(settings.libp2p.interval)).await;
    }
}

/// Says when the process runs out of file descriptors.
pub(super) async fn watch_descriptors() {
    let mut seldom = Seldom::new(REMINDER);
    let mut scarce = false;
    loop {
        sleep(DESCRIPTORS_INTERVAL).await;
        let Some((open, limit)) = scarce_descriptors() else {
            seldom.over("descriptors");
            if std::mem::take(&mut scarce) {
                info!("there are enough file descriptors again");
            }
            continue;
        };
        scarce = true;
        if let Some(more) = seldom.due("descriptors", Instant::now()) {
            warn!(
                "{open} of {limit} file descriptors are in use: connections fail; raise the limit (LimitNOFILE), or lower `limits.max_links`{}",
                again(more)
            );
        }
    }
}

/// Says that lines of the log were lost, once there is room for this one.
pub(super) async fn watch_log(lost: ErrorCounter) {
    let mut told = 0;
    loop {
        sleep(LOST_INTERVAL).await;
        let all = lost.dropped_lines();
        if all > told {
            warn!(
                "{} log lines were lost: standard error was stuck, the node was not",
                all - told
            );
            told = all;
        }
    }
}

/// Saves the state when it has changed, and now and then.
pub(super) async fn save_changes(agent: Arc<Agent>, state: Arc<StateDir>) {
    let mut seldom = Seldom::new(REMINDER);
    loop {
        let _ = timeout(SAVE_INTERVAL, agent.save.notified()).await;
        sleep(SAVE_GAP).await;
        let Ok(snapshot) = agent.handle.snapshot().await else {
            return;
        };
        save(&agent, &state, snapshot, &mut seldom).await;
    }
}

/// Saves one snapshot. A failure, such as a full disk, is a warning: the node goes on.
pub(super) async fn save(
    agent: &Agent,
    state: &Arc<StateDir>,
    snapshot: Vec<u8>,
    seldom: &mut Seldom,
) {
    let dir = Arc::clone(state);
    let outcome = tokio::task::spawn_blocking(move || dir.save(&snapshot)).await;
    let outcome = outcome.unwrap_or_else(|died| Err(std::io::Error::other(died)));
    agent.saves.count(&outcome);
    match outcome {
        Ok(()) => seldom.over("save"),
        Err(error) => {
            if let Some(more) = seldom.due("save", Instant::now()) {
                warn!(
                    "the state cannot be saved to {}: {error}; the node goes on without{}",
                    state.file().display(),
                    again(more)
                );
            }
        }
    }
}
