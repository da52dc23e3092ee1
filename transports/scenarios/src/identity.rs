//! One key on two machines.

use std::time::Duration;

use peer_exchange::{Config, Event, Instant, Node, Notice, Stats, UpstreamState};

use crate::lab::{Kind, Plan, Running, eventually, until};

/// Taken at once (R6).
const AT_ONCE: u64 = 3;

/// Both have the same upstream, where each takes the other's place again and again.
pub async fn two_nodes_of_one_key_say_so_and_disturb_nobody<K: Kind>() {
    let hub = Plan::new().start::<K>();
    let other = Plan::new().upstream(&hub.address).start::<K>();
    let mut plan = Plan::new().upstream(&hub.address);
    // They come back soon, so that the test is short.
    plan.config.backoff_base = Duration::from_millis(50);
    let mut twins = [(); 2].map(|()| plan.start::<K>());
    assert_ne!(twins[0].address, twins[1].address);
    // The one that is behind when both have raised their versions as often as they may; the other
    // is not challenged again in these ten minutes.
    let says_so =
        |n: &Notice| matches!(n, Notice::Node(Event::DuplicateIdentity { .. })).then_some(());
    let [one, two] = &mut twins;
    let behind = tokio::select! {
        () = one.notice(says_so) => 0,
        () = two.notice(says_so) => 1,
    };
    for twin in &twins {
        // It never storms.
        let (stats, since) = state(twin).await;
        let periods = since.as_secs() / 600;
        let most = AT_ONCE + periods;
        assert!(
            stats.recoveries <= most,
            "{} in {since:?}",
            stats.recoveries
        );
    }
    assert_bounded(&hub).await;
    // The others are well.
    let upstream = &other.handle.upstreams().await.unwrap()[0];
    assert_eq!(upstream.state, UpstreamState::Up);
    hub.knows(&[other.node, twins[0].node]).await;
    other.knows(&[hub.node, twins[0].node]).await;
    other.tells(&[&hub]).await;
    // With that one gone, the other is known, and stays. (It may not raise its version again for
    // ten minutes, so that with the other gone it could take as long.)
    let [one, two] = twins;
    let (one, gone) = if behind == 0 { (two, one) } else { (one, two) };
    until("shutdown", gone.handle.shutdown()).await;
    eventually("the other is who it is", async || {
        let peer = hub.handle.peer(one.node).await.unwrap();
        peer.is_some_and(|p| p.linked && p.addresses == [one.address.clone()])
    })
    .await;
}

/// Each of the two dials no faster than it begins rounds (R16, R17), and says on each link what one
/// says who has come up.
async fn assert_bounded<K: Kind>(hub: &Running<K>) {
    let (stats, since) = state(hub).await;
    let config = Config::default();
    let rounds = u64::from(config.burst) + (since.as_nanos() / config.round.as_nanos()) as u64;
    let links = hub.stats().accepted;
    assert!(links <= 2 * rounds, "{links} links in {since:?}");
    let messages = stats.messages_sent + stats.messages_received;
    assert!(
        messages <= 100 + 20 * links,
        "{messages} messages on {links} links"
    );
}

/// What it has counted, and for how long.
async fn state<K: Kind>(node: &Running<K>) -> (Stats, Duration) {
    let state = |n: &Node| (n.stats(), n.now().saturating_since(Instant::ZERO));
    node.handle.read(state).await.unwrap()
}
