//! The core without std: a static library with its own panic handler and allocator, as a firmware
//! would have them. That it links at all is the proof: a second panic handler or allocator, from a
//! std that somebody pulled in, is an error.
//!
//! It stands outside the workspace because cargo unites features: inside, a package that uses
//! `bytes` or `prost` with std would lend std to this build, and the check would prove nothing.
//!
//! ```sh
//! cargo build --manifest-path tests/no_std/Cargo.toml --release
//! ```
#![no_std]

extern crate alloc;

mod heap;

use core::time::Duration;

use peer_exchange::{Config, Effect, Identity, Input, Instant, Multiaddr, Node, NodeId};

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// Runs a node for a virtual minute, and returns how many dials it wants: it has one upstream, at
/// which nobody answers.
#[unsafe(no_mangle)]
pub extern "C" fn peer_exchange_no_std_demo() -> u32 {
    run().unwrap_or(0)
}

fn run() -> Option<u32> {
    let upstream: Multiaddr = "/ip4/10.0.0.2/tcp/4000".parse().ok()?;
    let own: Multiaddr = "/ip4/10.0.0.1/tcp/4000".parse().ok()?;
    let mut config = Config::default();
    config.upstreams.push(upstream);
    let identity = Identity::new(NodeId::new([1; 32])).with_addresses(alloc::vec![own]).with_metadata(alloc::vec::Vec::new());
    let mut now = Instant::ZERO;
    let end = now + Duration::from_secs(60);
    let mut node = Node::new(config, identity, [7; 32], now).ok()?;
    let mut dials = 0;
    while now < end {
        match node.poll() {
            Effect::Dial { dial, .. } => {
                dials += 1;
                node.handle(now, Input::DialFailed { dial }).ok()?;
            }
            Effect::WaitUntil(deadline) => {
                now = deadline?;
                node.handle(now, Input::Wake).ok()?;
            }
            Effect::Send { .. } | Effect::Close { .. } | Effect::Event(_) => {}
        }
    }
    Some(dials)
}
