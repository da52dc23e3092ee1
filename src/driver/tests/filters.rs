//! What a filter sees, and what becomes of what it changes.

use alloc::string::String;

use super::*;
use crate::driver::link::Report;
use crate::id::LinkId;

/// Tags what it sees. `drop` it loses, and `twice` it doubles.
struct Tag(char);

impl Tag {
    fn see(&self, direction: char, message: &Bytes) -> Vec<Bytes> {
        let text = core::str::from_utf8(message).unwrap();
        let times = match text {
            "drop" => 0,
            "twice" => 2,
            _ => 1,
        };
        vec![alloc::format!("{text} {direction}{}", self.0).into(); times]
    }
}

impl Filter for Tag {
    fn sent(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        assert_eq!(peer, id(9));
        self.see('>', &message)
    }

    fn received(&self, peer: NodeId, message: Bytes) -> Vec<Bytes> {
        assert_eq!(peer, id(9));
        self.see('<', &message)
    }
}

/// What a link of an echo reports that is given these to send.
async fn reports(filters: &[char], sent: &[&'static str]) -> Vec<String> {
    let echo = Link::new(id(9), None, |inbox, mut outbox| async move {
        while let Some(message) = outbox.next().await {
            inbox.deliver(message).await;
        }
        LinkEnd::Orderly
    });
    let link = echo.filtered(filters.iter().map(|f| Arc::new(Tag(*f)) as Arc<dyn Filter>));
    let (queue, queued) = mpsc::channel(caps::IN_FLIGHT);
    for message in sent {
        queue
            .send(Bytes::from_static(message.as_bytes()))
            .await
            .unwrap();
    }
    drop(queue);
    let (sender, mut reports) = mpsc::channel(64);
    link.run(LinkId::new(1), sender, queued).await;
    let mut seen = Vec::new();
    while let Some(report) = reports.recv().await {
        seen.push(match report {
            Report::Message(_, message) => String::from_utf8(message.into()).unwrap(),
            Report::Sent(_) => "sent".into(),
            Report::Ended(..) => "ended".into(),
            Report::Accepted(_) => unreachable!(),
        });
    }
    seen
}

#[tokio::test]
async fn the_credit_of_a_message_returns_with_the_last_one_in_its_place() {
    let all = ["one", "drop", "twice", "drop"];
    assert_eq!(
        reports(&['a'], &all).await,
        [
            "one >a <a",
            "sent",
            "sent",
            "twice >a <a",
            "twice >a <a",
            "sent",
            "sent",
            "ended"
        ]
    );
    assert_eq!(reports(&[], &["drop"]).await, ["drop", "sent", "ended"]);
}

#[tokio::test]
async fn the_outermost_filter_is_next_to_the_node() {
    let seen = reports(&['i', 'o'], &["one"]).await;
    assert_eq!(seen, ["one >o >i <i <o", "sent", "ended"]);
}

/// Counts.
#[derive(Default)]
struct Counter {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Filter for Counter {
    fn sent(&self, _: NodeId, message: Bytes) -> Vec<Bytes> {
        self.sent.fetch_add(1, Ordering::Relaxed);
        vec![message]
    }

    fn received(&self, _: NodeId, message: Bytes) -> Vec<Bytes> {
        self.received.fetch_add(1, Ordering::Relaxed);
        vec![message]
    }
}

/// The one that listens and the one that dials.
#[tokio::test(start_paused = true)]
async fn every_message_of_either_end_is_seen() {
    let world = World::default();
    let counters = [(); 2].map(|()| Arc::new(Counter::default()));
    let filtered = |n: u8| {
        let counter = counters[usize::from(n) - 1].clone();
        Filtered::new(world.pipes(n, false), counter)
    };
    let one = driver_over(filtered(1), 1, &[]).spawn();
    let two = driver_over(filtered(2), 2, &[1]).spawn();
    let mut at_one = one.subscribe();
    seen(&mut at_one, peer_up(id(2))).await;
    // The first look where the upstream leads comes later: its link is closed, and what comes on it
    // is seen by the filter alone.
    sleep(Duration::from_millis(500)).await;
    for (node, counter) in [one, two].iter().zip(&counters) {
        let stats = node.stats().await.unwrap();
        assert!(stats.messages_sent > 2 && stats.messages_received > 2);
        let counted = [&counter.sent, &counter.received].map(|n| n.load(Ordering::Relaxed));
        assert_eq!(counted, [stats.messages_sent, stats.messages_received]);
    }
}

/// Hears nothing.
struct Deaf;

impl Filter for Deaf {
    fn received(&self, _: NodeId, _: Bytes) -> Vec<Bytes> {
        Vec::new()
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_filter_loses_is_lost() {
    let world = World::default();
    let one = driver_over(Filtered::new(world.pipes(1, false), Deaf), 1, &[]).spawn();
    let two = world.start(2, &[1]);
    sleep(Duration::from_secs(20)).await;
    assert_eq!(one.stats().await.unwrap().messages_received, 0);
    assert!(two.stats().await.unwrap().messages_received > 0);
    assert_eq!(one.peers().await.unwrap(), []);
}
