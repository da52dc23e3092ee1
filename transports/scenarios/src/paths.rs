//! Ways that are blocked, and peers that vanish without a word.

use std::net::SocketAddr;
use std::time::Duration;

use peer_exchange::{Config, Event, NodeId, Notice};
use tokio::time::sleep;

use crate::lab::{Kind, Plan, Running, address, eventually};
use crate::plug::Plug;

/// Whoever is silent is found out in this time, twice.
const WATCHED: Duration = Duration::from_secs(6);

/// One node, and another that reaches it through a plug.
async fn apart<K: Kind>(config: &Config) -> (Running<K>, Running<K>, Plug) {
    let one = Plan::new().with(config.clone()).start::<K>();
    let plug = Plug::before(K::socket(&one.transport)).await;
    let way = address::<K>(plug.socket());
    let two = Plan::new().with(config.clone()).upstream(&way).start::<K>();
    one.knows(&[two.node]).await;
    two.knows(&[one.node]).await;
    (one, two, plug)
}

fn local(local: bool) -> Config {
    let mut config = Plan::new().config;
    config.local = local;
    config
}

async fn remotes<K: Kind>(node: &Running<K>) -> Vec<SocketAddr> {
    let links = node.handle.links().await.expect("the node runs");
    links.iter().filter_map(|link| link.remote).collect()
}

/// How many it has taken for down.
async fn downs<K: Kind>(node: &Running<K>) -> u64 {
    node.handle.stats().await.expect("the node runs").downs
}

async fn is<K: Kind>(node: &mut Running<K>, wanted: Event) {
    node.notice(|n| matches!(n, Notice::Node(event) if *event == wanted).then_some(()))
        .await;
}

/// R32: where the way of a link is blocked, and another one is not, the link moves there; nobody is
/// down.
pub async fn a_link_moves_from_a_blocked_way_to_an_open_one<K: Kind>() {
    let (one, two, plug) = apart::<K>(&local(true)).await;
    eventually("it is linked", async || !remotes(&two).await.is_empty()).await;
    plug.set_open(false);
    let through = plug.socket();
    sleep(WATCHED).await;
    eventually("it is linked otherwise", async || {
        let remotes = remotes(&two).await;
        !remotes.is_empty() && !remotes.contains(&through)
    })
    .await;
    assert_eq!((downs(&one).await, downs(&two).await), (0, 0));
    one.tells(&[&two]).await;
    two.tells(&[&one]).await;
}

/// R32, R35: with no other way, each has the other as down, long before a transport would say so of
/// a connection that is open at one end only; and as up again, once it is heard.
pub async fn whoever_vanishes_is_down_and_comes_back<K: Kind>() {
    // They dial nobody on this machine (R7): there is no way but the plug.
    let (mut one, mut two, plug) = apart::<K>(&local(false)).await;
    let ids: [NodeId; 2] = [one.node, two.node];
    plug.set_open(false);
    is(&mut one, Event::PeerDown { node: ids[1] }).await;
    is(&mut two, Event::PeerDown { node: ids[0] }).await;
    plug.set_open(true);
    is(&mut one, Event::PeerUp { node: ids[1] }).await;
    is(&mut two, Event::PeerUp { node: ids[0] }).await;
    one.tells(&[&two]).await;
    two.tells(&[&one]).await;
}
