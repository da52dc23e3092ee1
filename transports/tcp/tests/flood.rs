//! A thousand and three thousand silent connections a second, and a member that joins.

mod kind;

use kind::OverTcp;
use peer_exchange_scenarios::flood::{self, Flood, From};
use peer_exchange_scenarios::{Kind, Plan};

async fn joins_under(rate: u64, from: From) {
    let target = Plan::new().start::<OverTcp>();
    let to = OverTcp::socket(&target.transport);
    let flood = Flood::start(rate, flood::silent_tcp(to, from));
    let took = flood::joins(&target, &flood).await;
    eprintln!(
        "{rate} a second from {from:?}: joined after {took:.2} s, {:?}",
        target.stats()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_joins_under_a_thousand_a_second() {
    joins_under(1000, From::Here).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_joins_under_three_thousand_a_second() {
    joins_under(3000, From::Here).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_joins_under_three_thousand_a_second_from_everywhere() {
    joins_under(3000, From::Everywhere).await;
}
