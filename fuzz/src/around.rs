//! What happens around a node and is no message: its transports, its clocks, and whoever dials it.

use std::time::Duration;

use peer_exchange::wire::{self, DialBack, Message};
use peer_exchange::{DialId, Input, Target};

use super::host::Link;
use super::node_ops::World;
use super::ops::{MANY, any_link, up};
use super::source::Source;

/// The wall clock is read: mostly it has gone as the other one, or has run ahead (R34).
pub fn wall_time(world: &mut World, at: usize, source: &mut Source<'_>) {
    let host = &mut world.hosts[at];
    let ahead = match source.u8() % 8 {
        0..=2 => Duration::ZERO,
        3 => Duration::from_secs(u64::from(source.u8())),
        4 | 5 => Duration::from_secs(60 * u64::from(source.u8())),
        6 => Duration::from_secs(86_400 * u64::from(source.u8())),
        _ => {
            // It was set back.
            host.wall = Duration::from_secs(u64::from(source.u8()));
            Duration::ZERO
        }
    };
    host.wall = (host.wall + ahead).min(Duration::from_secs(1 << 33));
    let since_origin = host.clock.saturating_since(peer_exchange::Instant::ZERO) + host.wall;
    world.give(at, Input::WallTime { since_origin });
}

fn any_dial(world: &World, at: usize, source: &mut Source<'_>) -> Option<DialId> {
    let dials: Vec<_> = world.hosts[at].dials.keys().copied().collect();
    source.pick(&dials)
}

/// One of several addresses has led to the node, the others are silent; then its link is there.
pub fn reached(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some(dial) = any_dial(world, at, source) else {
        return;
    };
    let Some(target) = world.hosts[at].dials.get(&dial).cloned() else {
        return;
    };
    let mut silent = target.addresses().to_vec();
    let found = silent.remove(source.below(silent.len()));
    let input = Input::Reached {
        dial,
        at: found.clone(),
        silent,
    };
    world.give(at, input);
    let Some(node) = target.node().filter(|_| source.u8() < 224) else {
        return;
    };
    let host = &mut world.hosts[at];
    host.dials.remove(&dial);
    let link = host.next();
    host.links.insert(link, Link::new(node, None));
    world.give(at, up(link, node, found.socket_addr(), Some(dial)));
    let hello = world.cast.hello(1);
    world.message(at, link, wire::encode(Message::Hello(hello)));
}

/// The host of a dial's target answers that nobody listens there.
pub fn refused(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some(dial) = any_dial(world, at, source) else {
        return;
    };
    world.hosts[at].dials.remove(&dial);
    world.give(at, Input::DialRefused { dial });
}

/// All dials are in vain, and those that follow, for a while (R53).
pub fn nobody_there(world: &mut World, at: usize, source: &mut Source<'_>) {
    let rounds = 1 + source.below(16);
    if world.hosts[at].node.upstreams().count() > MANY {
        return;
    }
    for _ in 0..rounds {
        while let Some((dial, _)) = world.hosts[at].dials.pop_first() {
            world.give_quickly(at, Input::DialFailed { dial });
            world.spent(10);
        }
        let clock = world.hosts[at].clock;
        world.give_at(at, clock + Duration::from_secs(2), Input::Wake);
    }
}

/// A linked node tells what came of dialling this one, and has dialled it or not (R38).
pub fn tried(world: &mut World, at: usize, source: &mut Source<'_>) {
    let Some(link) = any_link(world, at, source) else {
        return;
    };
    let Some(node) = world.hosts[at].links.get(&link).map(|l| l.node) else {
        return;
    };
    let own: Vec<_> = world.hosts[at].node.own_addresses().collect();
    let Some(own) = own.get(source.below(own.len())) else {
        return;
    };
    if source.flag() {
        let new = world.hosts[at].next();
        world.hosts[at].links.insert(new, Link::new(node, None));
        world.give(at, up(new, node, None, None));
    }
    let tried = DialBack::Tried {
        at: own.address.clone(),
        reached: source.flag(),
    };
    world.message(at, link, wire::encode(Message::DialBack(tried)));
}

/// Whoever is dialled is there, all of them, and says hello.
pub fn all_there(world: &mut World, at: usize, source: &mut Source<'_>) {
    for _ in 0..1 + source.below(8) {
        let Some((dial, target)) = world.hosts[at].dials.pop_first() else {
            return;
        };
        let node = match target {
            Target::Upstream(_) => world.cast.node(source),
            other => match other.node() {
                Some(node) => node,
                None => return,
            },
        };
        let link = world.hosts[at].next();
        world.up(at, link, Link::new(node, None), Some(dial));
        let hello = world.cast.hello(1);
        world.message(at, link, wire::encode(Message::Hello(hello)));
    }
}
