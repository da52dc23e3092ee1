//! One link: what a transport hands over, and the two ends by which the driver and it talk.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::{self, Vec};
use core::fmt;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::contract;
use crate::driver::filter::{Filter, Filters};
use crate::driver::future::BoxFuture;
use crate::id::{LinkId, NodeId};

type Run = dyn FnOnce(Inbox, Outbox) -> BoxFuture<LinkEnd> + Send;

/// An authenticated connection that has not been started. Dropping it cuts it.
pub struct Link {
    pub(super) node: NodeId,
    pub(super) remote: Option<SocketAddr>,
    run: Box<Run>,
    filters: Filters,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({:?} at {:?})", self.node, self.remote)
    }
}

/// How a link has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LinkEnd {
    /// The other end has closed it as one should, or this end has.
    Orderly,
    /// It broke.
    Broken,
}

impl Link {
    /// A link to `node`, whose ID is proven.
    ///
    /// `run` carries it until its end: it gives every whole message to [`Inbox::deliver`] and
    /// sends what [`Outbox::next`] gives. When that gives `None`, it flushes, closes and returns,
    /// within five seconds; after them it is cut.
    pub fn new<F>(
        node: NodeId,
        remote: Option<SocketAddr>,
        run: impl FnOnce(Inbox, Outbox) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = LinkEnd> + Send + 'static,
    {
        let run =
            Box::new(move |inbox, outbox| -> BoxFuture<LinkEnd> { Box::pin(run(inbox, outbox)) });
        Self {
            node,
            remote,
            run,
            filters: Filters::default(),
        }
    }

    /// Behind these too.
    pub(super) fn filtered(mut self, filters: impl IntoIterator<Item = Arc<dyn Filter>>) -> Self {
        self.filters.0.extend(filters);
        self
    }

    /// The node at the other end.
    #[must_use]
    pub const fn node(&self) -> NodeId {
        self.node
    }

    /// Its network address when the link came up.
    #[must_use]
    pub const fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Runs the link and reports its end as the last thing.
    pub(super) async fn run(
        self,
        link: LinkId,
        reports: mpsc::Sender<Report>,
        queue: mpsc::Receiver<Bytes>,
    ) {
        let inbox = Inbox {
            link,
            reports: reports.clone(),
            peer: self.node,
            filters: self.filters.clone(),
            delivered: Arc::default(),
        };
        let outbox = Outbox {
            link,
            reports: reports.clone(),
            queue,
            taken: false,
            peer: self.node,
            filters: self.filters,
            ready: Vec::new().into_iter(),
        };
        let end = (self.run)(inbox, outbox).await;
        let _ = reports.send(Report::Ended(link, end)).await;
    }
}

/// What reaches the driver from links and listeners, through its one bounded channel.
#[derive(Debug)]
pub(super) enum Report {
    Accepted(Link),
    Message(LinkId, Bytes),
    Sent(LinkId),
    Ended(LinkId, LinkEnd),
}

/// Where a link delivers what it receives.
#[derive(Clone, Debug)]
pub struct Inbox {
    link: LinkId,
    reports: mpsc::Sender<Report>,
    peer: NodeId,
    filters: Filters,
    delivered: Arc<AtomicU64>,
}

impl Inbox {
    /// Delivers one message. Waits while the driver is busy, and with it the peer. `false`: the
    /// driver is gone, and nothing needs to be read any more.
    pub async fn deliver(&self, message: Bytes) -> bool {
        if self.filters.is_empty() {
            return self.report(message).await;
        }
        for message in self.filters.received(self.peer, message) {
            if !self.report(message).await {
                return false;
            }
        }
        true
    }

    /// The same for one that came by a datagram: dropped where it is no
    /// [sign of life](crate::contract::is_sign_of_life), and before the first message of the link.
    pub async fn deliver_datagram(&self, message: Bytes) -> bool {
        if self.delivered() > 0 && contract::is_sign_of_life(&message) {
            return self.deliver(message).await;
        }
        !self.reports.is_closed()
    }

    /// How many messages of this link have been delivered.
    #[must_use]
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    async fn report(&self, message: Bytes) -> bool {
        let report = Report::Message(self.link, message);
        let taken = self.reports.send(report).await.is_ok();
        self.delivered.fetch_add(1, Ordering::Release);
        taken
    }
}

/// What a link has to send.
#[derive(Debug)]
pub struct Outbox {
    link: LinkId,
    reports: mpsc::Sender<Report>,
    queue: mpsc::Receiver<Bytes>,
    taken: bool,
    peer: NodeId,
    filters: Filters,
    /// What goes out in place of the message that was taken.
    ready: vec::IntoIter<Bytes>,
}

impl Outbox {
    /// The next message; `None` when the link is to be flushed and closed. Asking for it says
    /// that the one before has been sent, and returns its credit. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(message) = self.ready.next() {
                return Some(message);
            }
            if self.taken {
                // A driver that is gone needs no credit.
                let _ = self.reports.send(Report::Sent(self.link)).await;
                self.taken = false;
            }
            let message = self.queue.recv().await?;
            self.taken = true;
            if self.filters.is_empty() {
                return Some(message);
            }
            self.ready = self.filters.sent(self.peer, message).into_iter();
        }
    }
}
