//! What an idle link over QUIC costs: `cargo run --release --example quic_idle_links -- 500`.

use kind::{Over, Tuned};
use peer_exchange_quic::Options;
use peer_exchange_scenarios::idle;

#[path = "../tests/kind/mod.rs"]
mod kind;

/// As an agent that is told nothing else.
struct Default;

impl Tuned for Default {
    fn options() -> Options {
        Options::default()
    }
}

#[tokio::main]
async fn main() {
    let links = std::env::args().nth(1).and_then(|n| n.parse().ok());
    idle::measure::<Over<Default>>(links.unwrap_or(500)).await;
}
