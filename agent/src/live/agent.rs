//! A running agent: what its tasks and its admin interface share.

use super::sockets::{self, Sockets};
use crate::config::{Access, Settings};
use crate::libp2p::offers::Offers;
use crate::libp2p::{PeerId, Service};
use crate::names::{self, Namesakes};
use peer_exchange::{Handle, Multiaddr, NodeId, Target};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::time::sleep;

/// A name that is not known is looked for again so often, so long apart: two seconds in all.
const LOOKS: u32 = 10;
const LOOK: Duration = Duration::from_millis(200);

/// What its tasks and its admin interface share.
pub(crate) struct Agent {
    pub(crate) handle: Handle,
    pub(crate) node: NodeId,
    pub(crate) started: Instant,
    pub(crate) sockets: Sockets,
    pub(crate) saves: Saves,
    pub(crate) offers: Offers,
    settings: RwLock<Arc<Settings>>,
    access: RwLock<Arc<Access>>,
    /// The addresses of the service beside this agent, as it told them last.
    learned: RwLock<Vec<Multiaddr>>,
    /// The upstreams are to be resolved before their time.
    pub(crate) resolve: Notify,
    /// There is something new to save.
    pub(crate) save: Notify,
}

/// How saving the state went.
#[derive(Default)]
pub(crate) struct Saves {
    done: AtomicU64,
    failed: AtomicU64,
}

impl Saves {
    pub(crate) fn count(&self, outcome: &std::io::Result<()>) {
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
    pub(crate) fn new(
        handle: Handle,
        settings: Settings,
        access: Access,
        sockets: Sockets,
    ) -> Self {
        Self {
            node: handle.node(),
            handle,
            started: Instant::now(),
            sockets,
            saves: Saves::default(),
            offers: Offers::default(),
            settings: RwLock::new(Arc::new(settings)),
            access: RwLock::new(Arc::new(access)),
            learned: RwLock::default(),
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

    pub(crate) fn set_settings(&self, settings: Settings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }

    /// What the admin interface shows and asks for, as it is now.
    pub(crate) fn access(&self) -> Arc<Access> {
        self.access
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_access(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
    }

    /// The service beside this agent has told other addresses, or none any more.
    pub(crate) fn set_learned(&self, addresses: Vec<Multiaddr>) {
        let mut learned = self.learned.write().unwrap_or_else(PoisonError::into_inner);
        if *learned != addresses {
            *learned = addresses;
            self.resolve.notify_one();
        }
    }

    /// Everything that the own record names from the start: this node's addresses as far as they
    /// are configured, and those of the libp2p service beside it.
    pub(crate) fn own_addresses(&self, settings: &Settings) -> Vec<Multiaddr> {
        let mut own = self.sockets.advertised(settings);
        let learned = self.learned.read().unwrap_or_else(PoisonError::into_inner);
        // What the service says itself counts more, and the first ID that is named alone: it may have
        // another than the file says since it has started again.
        own.extend(learned.iter().chain(&settings.libp2p.advertise).cloned());
        own.truncate(peer_exchange::contract::ADDRESSES);
        own
    }

    /// The IDs that the configuration gives the libp2p service beside this agent.
    pub(crate) fn ids(&self) -> Vec<PeerId> {
        let settings = self.settings();
        let services = settings.libp2p.advertise.iter().filter_map(Service::of);
        services.filter_map(|service| service.id).collect()
    }

    /// Whether whoever is there is on this machine.
    pub(crate) fn is_own(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_loopback() || sockets::is_own(ip)
    }

    /// What nodes call themselves, once their records are known: a cycle may be found, and an
    /// upstream be connected, a moment before that.
    pub(crate) async fn names_soon(&self, nodes: &[NodeId]) -> Vec<String> {
        let mut look = 0;
        loop {
            let mut names = Vec::new();
            for node in nodes {
                names.push(self.known_name(node).await.ok_or(node));
            }
            if look == LOOKS || names.iter().all(Result::is_ok) {
                let namesakes = self.namesakes().await;
                let shown = |(name, node): (Result<String, _>, &NodeId)| match name {
                    Ok(name) => namesakes.call(&name, &format!("{node:?}")),
                    Err(id) => format!("{id:?}"),
                };
                return names.into_iter().zip(nodes).map(shown).collect();
            }
            look += 1;
            sleep(LOOK).await;
        }
    }

    /// Who has the name of another, of all that are known.
    async fn namesakes(&self) -> Namesakes {
        let own = self.settings().node_name.clone();
        let read = self
            .handle
            .read(move |node| Namesakes::known_to(node, &own));
        read.await.unwrap_or_default()
    }

    async fn known_name(&self, node: &NodeId) -> Option<String> {
        if *node == self.node {
            return Some(self.settings().node_name.clone());
        }
        let peer = self.handle.peer(*node).await.ok().flatten();
        peer.and_then(|peer| names::name(&peer.metadata))
    }

    /// An upstream does not answer: perhaps its name stands for another address by now.
    pub(crate) fn resolve_soon(&self, target: &Target) {
        if matches!(target, Target::Upstream(_)) {
            self.resolve.notify_one();
        }
    }

    /// The table has changed.
    pub(crate) fn changed(&self) {
        self.save.notify_one();
    }
}
