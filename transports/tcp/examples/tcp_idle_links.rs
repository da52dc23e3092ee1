//! What an idle link over TCP costs: `cargo run --release --example tcp_idle_links -- 500`.

use kind::OverTcp;
use peer_exchange_scenarios::idle;

#[path = "../tests/kind/mod.rs"]
mod kind;

#[tokio::main]
async fn main() {
    let links = std::env::args().nth(1).and_then(|n| n.parse().ok());
    idle::measure::<OverTcp>(links.unwrap_or(500)).await;
}
