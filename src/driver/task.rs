//! The driver's task: inputs from links, dials, commands and the timer, one at a time.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU8, Ordering};
use core::time::Duration;

use bytes::Bytes;
use tokio::sync::{broadcast, mpsc};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::{self, timeout};

use crate::addr::Multiaddr;
use crate::driver::clock::{Asleep, WallClock};
use crate::driver::handle::{Command, Ended, Notice};
use crate::driver::link::{Link, LinkEnd, Report};
use crate::driver::race::staggered;
use crate::driver::transport::{Dial, DialError, Incoming, Transport};
use crate::effect::{CloseReason, Effect, Target};
use crate::id::{DialId, LinkId, NodeId};
use crate::input::Input;
use crate::limits::caps;
use crate::node::Node;
use crate::time::Instant;

/// Reports that wait for the driver, at most 64 KiB each; beyond it, links and listeners wait.
const REPORTS: usize = 128;
/// Reports taken in one go, before commands and the timer have their turn.
const BATCH: usize = 32;
/// A link that was told to close has this long to flush; then it is cut.
const CLOSING: Duration = Duration::from_secs(5);
/// At the end, what the transports have to release may take this long.
const RELEASE: Duration = Duration::from_secs(3);
/// Between attempts at a peer's addresses (RFC 8305, section 8).
const STAGGER: Duration = Duration::from_millis(250);

pub(super) struct Task {
    node: Node,
    transports: Arc<[Arc<dyn Transport>]>,
    notices: broadcast::Sender<Notice>,
    dial_timeout: Duration,
    /// The node's time when the driver started, and the runtime's.
    origin: (Instant, time::Instant),
    asleep: Asleep,
    wall: WallClock,
    /// What it said last: the runtime's clock has stood still for so long.
    slept: Duration,
    open: BTreeMap<LinkId, Open>,
    next_link: u64,
    links: JoinSet<()>,
    /// Links told to close, in the order of when they are cut.
    closing: VecDeque<(time::Instant, AbortHandle)>,
    dials: JoinSet<Found>,
    dialling: Vec<(Id, DialId, Target, Progress)>,
    reports: mpsc::Sender<Report>,
    wake: Option<Instant>,
    over: bool,
}

/// What has come of a dial: the link, and the number of the address that has led to it.
type Found = Result<(usize, Link), DialError>;

/// How far the attempts at the addresses of one dial are.
type Progress = Arc<[AtomicU8]>;

/// It was begun, and nothing has come of it yet.
const SILENT: u8 = 1;
const REFUSED: u8 = 2;
/// It has failed otherwise.
const FAILED: u8 = 3;

struct Open {
    node: NodeId,
    queue: mpsc::Sender<Bytes>,
    task: AbortHandle,
}

impl Task {
    pub(super) fn new(
        node: Node,
        transports: Vec<Arc<dyn Transport>>,
        notices: broadcast::Sender<Notice>,
        dial_timeout: Duration,
        asleep: Asleep,
        wall: WallClock,
    ) -> Self {
        // `run` makes the channel; until then it has no receiver.
        let (reports, _) = mpsc::channel(1);
        Self {
            origin: (node.now(), time::Instant::now()),
            asleep,
            wall,
            slept: Duration::ZERO,
            node,
            transports: transports.into(),
            notices,
            dial_timeout,
            open: BTreeMap::new(),
            next_link: 0,
            links: JoinSet::new(),
            closing: VecDeque::new(),
            dials: JoinSet::new(),
            dialling: Vec::new(),
            reports,
            wake: None,
            over: false,
        }
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let (sender, mut reports) = mpsc::channel(REPORTS);
        self.reports = sender;
        for transport in self.transports.iter() {
            transport.listen(Incoming::new(self.reports.clone()));
        }
        self.handle(Input::Wake);
        let mut batch = Vec::with_capacity(BATCH);
        let timer = time::sleep(Duration::ZERO);
        tokio::pin!(timer);
        while !self.over {
            let deadline = self.deadline();
            if let Some(at) = deadline.filter(|at| *at != timer.deadline()) {
                timer.as_mut().reset(at);
            }
            tokio::select! {
                command = commands.recv() => self.on_command(command),
                _ = reports.recv_many(&mut batch, BATCH) => {
                    for report in batch.drain(..) {
                        self.on_report(report);
                    }
                }
                Some(outcome) = self.dials.join_next_with_id() => self.on_dialled(outcome),
                Some(outcome) = self.links.join_next_with_id() => self.on_task_ended(outcome),
                () = timer.as_mut(), if deadline.is_some() => self.on_timer(),
            }
        }
        self.finish(reports).await;
        // Whoever has waited for the end sees this go.
        drop(commands);
    }

    fn now(&mut self) -> Instant {
        self.slept = self.slept.max((self.asleep)());
        let (node, started) = self.origin;
        node + started.elapsed() + self.slept
    }

    fn deadline(&self) -> Option<time::Instant> {
        let (node, started) = self.origin;
        // A deadline beyond what the clock can show is as good as none.
        let wake = self
            .wake
            .map(|at| at.saturating_since(node).saturating_sub(self.slept))
            .and_then(|after| started.checked_add(after));
        let cut = self.closing.front().map(|(at, _)| *at);
        [wake, cut].into_iter().flatten().min()
    }

    fn on_timer(&mut self) {
        let now = time::Instant::now();
        while self.closing.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, task)) = self.closing.pop_front() {
                task.abort();
            }
        }
        self.handle(Input::Wake);
    }

    /// Gives the node one input and carries out what follows.
    fn handle(&mut self, input: Input) {
        // The inputs that can be refused are commands, which do not come this way.
        let now = self.see_time();
        let _ = self.node.handle(now, input);
        self.carry_out();
    }

    /// The time. What only the wall clock has seen is known before anything that comes after it.
    fn see_time(&mut self) -> Instant {
        let now = self.now();
        if let Some(since_origin) = self.wall.news(now) {
            let _ = self.node.handle(now, Input::WallTime { since_origin });
            self.carry_out();
        }
        now
    }

    fn carry_out(&mut self) {
        loop {
            match self.node.poll() {
                Effect::Send { link, bytes } => self.send(link, bytes),
                Effect::Dial { dial, target } => self.dial(dial, target),
                Effect::Close { link, reason } => self.close(link, reason),
                Effect::Event(event) => self.notify(Notice::Node(event)),
                Effect::WaitUntil(deadline) => {
                    self.wake = deadline;
                    break;
                }
            }
        }
    }

    fn notify(&self, notice: Notice) {
        // An error: nobody listens.
        let _ = self.notices.send(notice);
    }

    fn on_command(&mut self, command: Option<Command>) {
        match command {
            Some(Command::Read(read)) => {
                // Lifetimes are as of the node's last input, which may be long ago.
                self.handle(Input::Wake);
                read(&self.node);
            }
            Some(Command::Change(input, answer)) => {
                let now = self.see_time();
                let outcome = self.node.handle(now, input);
                self.carry_out();
                // Whoever asked may have gone.
                let _ = answer.send(outcome);
            }
            Some(Command::End(input)) => {
                self.handle(input);
                self.over = true;
            }
            None => {
                self.handle(Input::Shutdown);
                self.over = true;
            }
        }
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Accepted(link) => self.link_up(link, None),
            // What a link reports after its end was decided is late.
            Report::Message(link, bytes) if self.open.contains_key(&link) => {
                self.handle(Input::Message { link, bytes });
            }
            Report::Sent(link) if self.open.contains_key(&link) => {
                self.handle(Input::Sent { link });
            }
            Report::Ended(link, end) => self.link_down(link, end),
            Report::Message(..) | Report::Sent(_) => {}
        }
    }

    fn link_up(&mut self, link: Link, dial: Option<DialId>) {
        let id = LinkId::new(self.next_link);
        self.next_link += 1;
        let (node, remote) = (link.node, link.remote);
        // As many as the node has credits for.
        let (queue, queued) = mpsc::channel(caps::IN_FLIGHT);
        let run = link.run(id, self.reports.clone(), queued);
        let task = self.links.spawn(run);
        self.open.insert(id, Open { node, queue, task });
        self.notify(Notice::LinkUp {
            link: id,
            node,
            remote,
            dialled: dial.is_some(),
        });
        self.handle(Input::LinkUp {
            link: id,
            node,
            remote,
            dial,
        });
    }

    fn link_down(&mut self, link: LinkId, end: LinkEnd) {
        let (ended, orderly) = match end {
            LinkEnd::Orderly => (Ended::ByPeer, true),
            LinkEnd::Broken => (Ended::Broken, false),
        };
        if self.forget(link, ended).is_some() {
            self.handle(Input::LinkDown { link, orderly });
        }
    }

    /// Closes the queue: the link's task flushes what is in it and ends.
    fn close(&mut self, link: LinkId, reason: CloseReason) {
        if let Some(task) = self.forget(link, Ended::Closed(reason)) {
            if !task.is_finished() {
                self.closing
                    .push_back((time::Instant::now() + CLOSING, task));
            }
        }
    }

    fn forget(&mut self, link: LinkId, ended: Ended) -> Option<AbortHandle> {
        let Open { node, task, .. } = self.open.remove(&link)?;
        self.notify(Notice::LinkDown { link, node, ended });
        Some(task)
    }

    fn send(&self, link: LinkId, bytes: Bytes) {
        let Some(open) = self.open.get(&link) else {
            return;
        };
        match open.queue.try_send(bytes) {
            // It has ended, and the report of that is under way.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
            Err(mpsc::error::TrySendError::Full(_)) => {
                debug_assert!(false, "the node sends beyond its credits");
                open.task.abort();
            }
        }
    }

    fn dial(&mut self, dial: DialId, target: Target) {
        let progress: Progress = target
            .addresses()
            .iter()
            .map(|_| AtomicU8::new(0))
            .collect();
        let attempts = self.attempts(&target, &progress);
        let limit = self.dial_timeout;
        let dialled = self.dials.spawn(async move {
            match timeout(limit, staggered(attempts, STAGGER)).await {
                Ok(outcome) => outcome.unwrap_or(Err(DialError::GivenUp)),
                Err(_) => Err(DialError::TimedOut),
            }
        });
        self.dialling.push((dialled.id(), dial, target, progress));
    }

    fn attempts(
        &self,
        target: &Target,
        progress: &Progress,
    ) -> Vec<impl Future<Output = Found> + Send + use<>> {
        let (addresses, node) = (target.addresses(), target.node());
        let config = self.node.config();
        let attempt = |(nth, address): (usize, &Multiaddr)| {
            let mut dial = Dial::new(address.clone(), node, config);
            if matches!(target, Target::Back { .. }) {
                dial = dial.with_own_socket();
            }
            let (transports, progress) = (self.transports.clone(), progress.clone());
            async move {
                let now = |state: u8| progress[nth].store(state, Ordering::Relaxed);
                now(SILENT);
                let transport = transports.iter().find(|t| t.handles(&dial.address));
                let outcome = match transport {
                    Some(transport) => transport.dial(dial).await,
                    None => Err(DialError::Unsupported),
                };
                let outcome = outcome.and_then(|link| match node {
                    Some(expected) if expected != link.node => Err(DialError::OtherNode(link.node)),
                    _ => Ok(link),
                });
                match &outcome {
                    Ok(_) | Err(DialError::TimedOut) => {}
                    Err(error) if error.is_refused() => now(REFUSED),
                    Err(_) => now(FAILED),
                }
                outcome.map(|link| (nth, link))
            }
        };
        addresses.iter().enumerate().map(attempt).collect()
    }

    fn on_dialled(&mut self, outcome: Result<(Id, Found), JoinError>) {
        let (task, outcome) = match outcome {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err(DialError::GivenUp)),
        };
        let Some(i) = self.dialling.iter().position(|(id, ..)| *id == task) else {
            return;
        };
        let (_, dial, target, progress) = self.dialling.swap_remove(i);
        let all = |state| {
            progress
                .iter()
                .all(|at| at.load(Ordering::Relaxed) == state)
        };
        match outcome {
            Ok((nth, link)) => {
                self.reached(dial, &target, &progress, nth);
                self.link_up(link, Some(dial));
            }
            Err(error) => {
                let input = match error.is_refused() && all(REFUSED) {
                    true => Input::DialRefused { dial },
                    false => Input::DialFailed { dial },
                };
                let error = Arc::new(error);
                self.notify(Notice::DialFailed { target, error });
                self.handle(input);
            }
        }
    }

    /// One address has led to the node, and what was begun beside it has not.
    fn reached(&mut self, dial: DialId, target: &Target, progress: &Progress, nth: usize) {
        let addresses = target.addresses();
        let Some(at) = addresses.get(nth).cloned() else {
            return;
        };
        let others = addresses.iter().zip(progress.iter()).enumerate();
        let silent =
            others.filter(|(i, (_, state))| *i != nth && state.load(Ordering::Relaxed) == SILENT);
        let silent = silent.map(|(_, (address, _))| address.clone()).collect();
        self.handle(Input::Reached { dial, at, silent });
    }

    /// A task that has ended has reported so itself, unless it was cut or has panicked.
    fn on_task_ended(&mut self, outcome: Result<(Id, ()), JoinError>) {
        let task = match &outcome {
            Ok((id, ())) => *id,
            Err(error) => error.id(),
        };
        self.closing.retain(|(_, closing)| closing.id() != task);
        if outcome.is_err() {
            let link = self.open.iter().find(|(_, open)| open.task.id() == task);
            if let Some(link) = link.map(|(link, _)| *link) {
                self.link_down(link, LinkEnd::Broken);
            }
        }
    }

    /// The node is over and every link has been told: lets them flush, then cuts what is left.
    async fn finish(mut self, mut reports: mpsc::Receiver<Report>) {
        // Links that wait to deliver something wait no longer, and listeners stop.
        reports.close();
        while reports.recv().await.is_some() {}
        self.open.clear();
        self.dials.shutdown().await;
        let flushed = async { while self.links.join_next().await.is_some() {} };
        let _ = timeout(CLOSING, flushed).await;
        self.links.shutdown().await;
        let mut releasing = JoinSet::new();
        for transport in self.transports.iter() {
            releasing.spawn(transport.close());
        }
        let released = async { while releasing.join_next().await.is_some() {} };
        let _ = timeout(RELEASE, released).await;
    }
}
