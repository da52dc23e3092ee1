//! quinn's runtime, and a way to wait until its tasks are gone and their sockets with them.

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use tokio::sync::mpsc;

/// Tokio's, with a token in every task.
#[derive(Debug)]
pub(crate) struct Tracked {
    alive: mpsc::Sender<()>,
}

/// Resolves when every task and every endpoint of its runtime is gone.
#[derive(Debug)]
pub(crate) struct AllGone(mpsc::Receiver<()>);

impl Tracked {
    pub(crate) fn new() -> (Arc<Self>, AllGone) {
        let (alive, gone) = mpsc::channel(1);
        (Arc::new(Self { alive }), AllGone(gone))
    }
}

impl AllGone {
    pub(crate) async fn wait(mut self) {
        // Nothing is ever sent: this is the last sender going.
        let _ = self.0.recv().await;
    }
}

impl Runtime for Tracked {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let alive = self.alive.clone();
        TokioRuntime.spawn(Box::pin(async move {
            task.await;
            drop(alive);
        }));
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}
