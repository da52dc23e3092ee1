//! From settings to a running agent.

use super::state::{StateDir, Unusable};
use super::upstreams::{Over, Upstreams};
use super::{events, membership, tasks};
use crate::admin;
use crate::config::{Checked, Settings};
use crate::libp2p;
use crate::live::Agent;
use crate::live::{OtherWays, Sockets};
use peer_exchange::{Config, Driver, Identity, Instant, Multiaddr, Node, StartError};
use peer_exchange_tls::random_seed;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tracing::{info, warn};
use zeroize::Zeroizing;

/// What runs.
pub(super) struct Started {
    pub(super) agent: Arc<Agent>,
    pub(super) state: Arc<StateDir>,
    /// They end when this is dropped.
    pub(super) tasks: JoinSet<()>,
}

/// Opens everything and starts the node, which runs there with its links.
///
/// # Errors
/// A message for the user.
pub(super) async fn start(checked: Checked, node_runtime: &Handle) -> Result<Started, String> {
    let state = Arc::new(StateDir::open(&checked.settings.state_dir)?);
    warn_if_open(&state, &checked.settings);
    let (key, tls) = membership::load(&checked)?;
    let (settings, access) = (checked.settings, checked.access);
    let sockets = {
        let _there = node_runtime.enter();
        Sockets::open(&settings, &tls)?
    };
    let admin = admin::bind(settings.admin).await?;

    let listening = sockets.bound.iter().map(|(_, at)| *at).collect();
    let ways = OtherWays::default();
    let over = Over {
        transports: settings.transports.clone(),
        ways: ways.clone(),
    };
    let mut upstreams = Upstreams::new(settings.upstreams.clone(), over, listening);
    // Names that do not resolve are told, and tried again, by the task that follows them.
    let (found, _) = upstreams.resolve().await;
    let mut own = sockets.advertised(&settings);
    own.extend(settings.libp2p.advertise.iter().cloned());
    own.truncate(peer_exchange::contract::ADDRESSES);
    let mut config = settings.core.clone();
    config.upstreams.clone_from(&found);
    let identity = Identity::new(key.node())
        .with_addresses(own.clone())
        .with_listening(sockets.listening(&settings))
        .with_metadata(settings.metadata())
        .with_seal(key.seal());
    let node = restore(&state, config, identity)?;
    introduce(&settings, &node, &sockets);

    let driver = Driver::new(node).with_transport(sockets.transport(ways));
    let handle = driver.handle();
    let notices = handle.subscribe();
    let agent = Arc::new(Agent::new(handle, settings, access, sockets));
    let mut running = JoinSet::new();
    running.spawn(events::tell(Arc::clone(&agent), notices));
    {
        let _there = node_runtime.enter();
        driver.spawn();
    }
    running.spawn(tasks::follow_addresses(
        Arc::clone(&agent),
        upstreams,
        (found, own),
    ));
    running.spawn(tasks::learn_service(Arc::clone(&agent)));
    running.spawn(tasks::watch_descriptors());
    running.spawn(tasks::save_changes(Arc::clone(&agent), Arc::clone(&state)));
    if let Some(listener) = admin {
        running.spawn(admin::serve(listener, Arc::clone(&agent)));
    }
    Ok(Started {
        agent,
        state,
        tasks: running,
    })
}

/// Whoever can write there chooses what the next start finds.
fn warn_if_open(state: &StateDir, settings: &Settings) {
    if let Some(mode) = state.open_to_others() {
        let dir = settings.state_dir.display();
        let may = if mode & 0o022 == 0 {
            "look into"
        } else {
            "change"
        };
        warn!(
            "others on this machine can {may} the state directory {dir} (mode {mode:04o}), where this node's key and table are: run chmod 700 {dir}"
        );
    }
}

/// The node, with what an earlier run has left if that is whole.
fn restore(state: &StateDir, config: Config, identity: Identity) -> Result<Node, String> {
    let seed = Zeroizing::new(random_seed().map_err(|error| error.to_string())?);
    let now = Instant::ZERO;
    let damaged = match state.load() {
        Err(Unusable::Missing) => None,
        Err(Unusable::Damaged(what)) => Some(what),
        Ok(saved) => {
            let node = Node::restore(
                config.clone(),
                identity.clone(),
                *seed,
                now,
                &saved.snapshot,
                saved.elapsed,
            );
            match node {
                Ok(node) => {
                    info!("{} peers are known from the last run", node.peer_count());
                    return Ok(node);
                }
                Err(StartError::Snapshot(error)) => Some(error.to_string()),
                Err(error) => return Err(error.to_string()),
            }
        }
    };
    if let Some(what) = damaged {
        let file = state.file();
        match state.put_aside() {
            Ok(aside) => warn!(
                "the state in {} cannot be used: {what}; it is kept as {}, and the node starts without it",
                file.display(),
                aside.display()
            ),
            Err(error) => warn!(
                "the state in {} cannot be used: {what}, nor put aside: {error}; the node starts without it",
                file.display()
            ),
        }
    }
    Node::new(config, identity, *seed, now).map_err(|error| error.to_string())
}

fn shown(addresses: &[Multiaddr]) -> String {
    let shown: Vec<_> = addresses.iter().map(libp2p::shown).collect();
    shown.join(", ")
}

fn introduce(settings: &Settings, node: &Node, sockets: &Sockets) {
    info!("{} is node {}", settings.node_name, node.id());
    for (transport, at) in &sockets.bound {
        info!("listening on {}://{at}", transport.name());
    }
    match node.addresses() {
        [] if sockets.listening(settings).is_empty() => warn!(
            "no address that others could reach: this node asks, and nobody is told of it; set `advertise`"
        ),
        [] => info!("others are told of an address once they see and reach this node there"),
        all => info!("others are told {}", shown(all)),
    }
    let upstreams: Vec<_> = node.upstreams().map(|u| u.address).collect();
    match upstreams.as_slice() {
        [] => info!("no upstreams: waiting for others to ask"),
        all => info!("upstreams: {}", peer_exchange::addr::join(all)),
    }
}
