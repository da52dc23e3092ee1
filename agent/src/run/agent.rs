//! A running agent: what its tasks and its admin interface share.

use super::sockets::Sockets;
use crate::config::Settings;
use crate::names;
use peer_exchange::{Handle, NodeId, Target};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::Notify;

/// What its tasks and its admin interface share.
pub(crate) struct Agent {
    pub(crate) handle: Handle,
    pub(crate) node: NodeId,
    pub(crate) started: Instant,
    pub(crate) sockets: Sockets,
    pub(crate) saves: Saves,
    settings: RwLock<Arc<Settings>>,
    /// The upstreams are to be resolved before their time.
    pub(super) resolve: Notify,
    /// There is something new to save.
    pub(super) save: Notify,
}

/// How saving the state went.
#[derive(Default)]
pub(crate) struct Saves {
    done: AtomicU64,
    failed: AtomicU64,
}

impl Saves {
    pub(super) fn count(&self, outcome: &std::io::Result<()>) {
        let counter = if outcome.is_ok() {
            &self.done
        } else {
            &self.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// (done, failed)
    pub(crate) fn counts(&self) -> (u64, u64) {
        (
            self.done.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }
}

impl Agent {
    pub(super) fn new(handle: Handle, settings: Settings, sockets: Sockets) -> Self {
        Self {
            node: handle.node(),
            handle,
            started: Instant::now(),
            sockets,
            saves: Saves::default(),
            settings: RwLock::new(Arc::new(settings)),
            resolve: Notify::new(),
            save: Notify::new(),
        }
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        // A panic elsewhere leaves them whole.
        self.settings
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) fn set_settings(&self, settings: Settings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// What a node is called: by the name in its record, or by its ID.
    pub(crate) async fn name(&self, node: &NodeId) -> String {
        if *node == self.node {
            return self.settings().node_name.clone();
        }
        let peer = self.handle.peer(*node).await.ok().flatten();
        peer.and_then(|peer| names::name(&peer.metadata))
            .unwrap_or_else(|| format!("{node:?}"))
    }

    /// An upstream does not answer: perhaps its name stands for another address by now.
    pub(super) fn resolve_soon(&self, target: &Target) {
        if matches!(target, Target::Upstream(_)) {
            self.resolve.notify_one();
        }
    }

    /// The table has changed.
    pub(super) fn changed(&self) {
        self.save.notify_one();
    }
}
