//! What keeps a connection alive, and for how long one is thought to be (R31).

mod kind;

use std::time::Duration;

use kind::{Over, Tuned};
use peer_exchange::driver::Ended;
use peer_exchange::{Config, Notice};
use peer_exchange_quic::Options;
use peer_exchange_scenarios::{Plan, Running};
use tokio::time::{sleep, timeout};

/// The longest that [`Config::detection`] may be.
const LONGEST: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(3);

/// No sign of life of its own, and little patience.
struct Mute;

impl Tuned for Mute {
    fn options() -> Options {
        let mut options = Options::default();
        options.keep_alive = Duration::from_secs(3_600);
        options.idle_timeout = IDLE;
        options
    }
}

async fn two(detection: Option<Duration>) -> [Running<Over<Mute>>; 2] {
    let config = Plan::new().config.with_detection(detection);
    let one = Plan::new().with(config.clone()).start();
    let plan = Plan::new().with(config).upstream(&one.address);
    let two: Running<Over<Mute>> = plan.start();
    one.knows(&[two.node]).await;
    two.knows(&[one.node]).await;
    [one, two]
}

/// Whether a link breaks within this time. Others end in order: an upstream is looked at (R37).
async fn breaks(node: &mut Running<Over<Mute>>, within: Duration) -> bool {
    let broken = node.notice(|n| {
        matches!(
            n,
            Notice::LinkDown {
                ended: Ended::Broken,
                ..
            }
        )
        .then_some(())
    });
    timeout(within, broken).await.is_ok()
}

/// Beats take the place of keep-alives where nodes watch each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beats_keep_a_watched_link_alive() {
    let [mut one, two] = two(Some(Duration::from_secs(3))).await;
    assert!(!breaks(&mut one, 5 * IDLE).await);
    assert_eq!(two.handle.links().await.unwrap().len(), 1);
}

/// Beats and asks go by datagrams, in both directions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signs_of_life_come_by_datagrams() {
    let nodes = two(Some(Duration::from_secs(3))).await;
    let come = async {
        while nodes.iter().any(|node| node.transport.signs_of_life() < 3) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(5 * IDLE, come).await.expect("a beat each second");
}

/// The check above bites. At first the nodes talk of their addresses and look at each other's (R37,
/// R38), which keeps the link alive too: that is over after some seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_beats_and_keep_alives_a_link_ends() {
    let [mut one, _two] = two(None).await;
    assert!(breaks(&mut one, 20 * IDLE).await);
}

/// A connection is thought to be alive for longer than a silent node is.
#[test]
fn a_connection_is_given_up_later_than_a_node() {
    let options = Options::default();
    assert!(options.idle_timeout > LONGEST);
    assert!(2 * options.keep_alive < options.idle_timeout);
    let longer = Config::default().with_detection(Some(LONGEST + Duration::from_secs(1)));
    assert!(longer.check().is_err());
}
