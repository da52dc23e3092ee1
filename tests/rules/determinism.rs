//! The same inputs and seed give the same effects, byte for byte.

use peer_exchange::wire::{self, Message};
use peer_exchange::{Effect, Input, Instant, LinkId, Node};

use crate::support::build::*;
use crate::support::rig::{below, identity};

/// Everything that comes out of a run with this seed, as text.
fn run(seed: [u8; 32]) -> Vec<String> {
    let mut node = Node::new(below(9), identity(1), seed, Instant::ZERO).unwrap();
    let mut out = Vec::new();
    for step in 0..2_000_u64 {
        // New links all the time: those that get no answers are given up.
        let link = LinkId::new(step / 231 * 7 + step % 7);
        let input = match step % 11 {
            0 => Input::LinkUp {
                link,
                node: id(50 + (step % 7) as u32),
                remote: None,
                dial: None,
            },
            1 => Input::Message {
                link,
                bytes: wire::encode(hello(step as u32 % 3)),
            },
            2 | 3 => Input::Message {
                link,
                bytes: wire::encode(push(&[rec(100 + step as u32).life(60)])),
            },
            4 | 5 => Input::Message {
                link,
                bytes: wire::encode(Message::Request(request(step as u32))),
            },
            6 => Input::Discover,
            _ => Input::Wake,
        };
        // Misuse is part of it: some links are used twice, some never come up.
        out.push(format!(
            "{:?}",
            node.handle(Instant::from_millis(step * 50), input)
        ));
        loop {
            let effect = node.poll();
            out.push(format!("{effect:?}"));
            match effect {
                Effect::WaitUntil(_) => break,
                Effect::Send { link, .. } => {
                    let now = Instant::from_millis(step * 50);
                    node.handle(now, Input::Sent { link }).unwrap();
                }
                Effect::Dial { dial, .. } => {
                    let now = Instant::from_millis(step * 50);
                    node.handle(now, Input::DialFailed { dial }).unwrap();
                }
                _ => {}
            }
        }
    }
    node.check_invariants();
    out
}

#[test]
fn the_same_seed_gives_the_same_run_and_another_does_not() {
    let (first, second) = (run([3; 32]), run([3; 32]));
    assert!(first.len() > 5_000);
    let differs = first.iter().zip(&second).position(|(a, b)| a != b);
    assert_eq!((differs, first.len()), (None, second.len()));
    assert_ne!(first, run([4; 32]));
}
