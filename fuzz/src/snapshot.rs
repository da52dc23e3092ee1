//! The target `snapshot`.

use std::time::Duration;

use peer_exchange::{Config, Effect, Identity, Input, Instant, Node, NodeId, StartError};

use super::node_ops::{World, run, run_watched};
use super::parts::place;
use super::reached::{Reached, variant};
use super::source::Source;

/// Bytes that somebody else may have written as a snapshot, or the snapshot of a node to which
/// anything may have happened.
pub fn snapshot(data: &[u8]) {
    // Bytes that are no snapshot are refused, and that is all.
    let _ = read(data, run);
}

/// What is reached on the way.
pub fn reached_by_snapshot(data: &[u8]) -> Reached {
    let mut reached = Reached::default();
    match read(data, run_watched) {
        Ok(Some(mut world)) => reached = world.reached(),
        Ok(None) => reached.add("snapshot", "restored", 1),
        Err(StartError::Snapshot(error)) => reached.add("snapshot", variant(&error), 1),
        Err(error) => panic!("configuration and identity are in range: {error}"),
    }
    reached
}

fn read(data: &[u8], run: fn(&[u8]) -> World) -> Result<Option<World>, StartError> {
    let mut source = Source::new(data);
    let elapsed = source.maybe(|s| Duration::from_secs(u64::from(s.u16())));
    if source.u8() % 4 == 0 {
        let mut world = run(&source.rest());
        (0..world.hosts.len()).for_each(|at| world.restart(at, elapsed, &mut Source::new(&[])));
        world.settle(4);
        return Ok(Some(world));
    }
    let mut config = Config::default();
    config.capacity = [256, 2, 5, 1024][source.below(4)];
    let now = Instant::from_millis(u64::from(source.u16()));
    let bytes = source.rest();
    restore(config, now, &bytes, elapsed)?;
    Ok(None)
}

fn restore(
    config: Config,
    now: Instant,
    bytes: &[u8],
    elapsed: Option<Duration>,
) -> Result<(), StartError> {
    let identity = Identity::new(NodeId::new([0x40; 32])).with_addresses(vec![place(0)]);
    let mut node = Node::restore(config, identity, [7; 32], now, bytes, elapsed)?;
    node.check_invariants();
    // It is a node like any other, and goes on from snapshot to snapshot.
    for _ in 0..4 {
        let deadline = loop {
            if let Effect::WaitUntil(deadline) = node.poll() {
                break deadline.expect("it has not left");
            }
        };
        node.handle(deadline, Input::Wake).expect("it was polled");
        node.check_invariants();
    }
    assert!(
        elapsed.is_some() || node.peer_count() == 0,
        "it raises the dead"
    );
    Ok(())
}
