//! Graphs of who asks whom: at random, and of the shapes that networks of machines have.

use std::collections::{BTreeSet, VecDeque};

use crate::cluster::{Graph, Upstream};

/// SplitMix64 (Steele, Lea, Flood 2014).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// Each asks others once, itself never, and at most eight: as many as a record names.
fn graph(hosts: usize, mut asks: impl FnMut(usize) -> Vec<usize>) -> Graph {
    let upstreams = (0..hosts).map(|i| {
        let all: BTreeSet<usize> = asks(i).into_iter().filter(|j| *j != i).collect();
        all.into_iter().take(8).map(Upstream::Host).collect()
    });
    Graph {
        upstreams: upstreams.collect(),
        balanced: 0,
    }
}

/// 3 to 300 hosts with up to five upstreams each, often in several parts.
pub(crate) fn random(dice: &mut Dice) -> Graph {
    let hosts = 3 + dice.below(298);
    let parts = if dice.below(3) == 0 {
        1 + dice.below(4)
    } else {
        1
    };
    let most = 1 + dice.below(4);
    graph(hosts, |i| {
        let some = dice.below(most + 1) + usize::from(dice.below(4) > 0);
        let drawn = (0..some).map(|_| dice.below(hosts));
        drawn.filter(|j| j % parts == i % parts).collect()
    })
}

/// How many shapes there are.
pub(crate) const SHAPES: usize = 8;

/// 10 to 300 hosts in one of the shapes.
pub(crate) fn shaped(dice: &mut Dice, shape: usize) -> Graph {
    let hosts = 10 + dice.below(291);
    match shape % SHAPES {
        // Joined one by one, by way of somebody whom somebody else has named.
        0 => {
            let mut first: Vec<usize> = vec![0];
            graph(hosts, |i| {
                let known = dice.below(i.max(1));
                let it = if dice.below(2) == 0 {
                    known
                } else {
                    first[known]
                };
                first.truncate(i);
                first.push(it);
                vec![it]
            })
        }
        // A grid.
        1 => {
            let wide = (1..).take_while(|w| w * w <= hosts).last().unwrap_or(1);
            graph(hosts, |i| {
                let right = (i + 1) % wide != 0 && i + 1 < hosts;
                let below = i + wide < hosts;
                let right = right.then_some(i + 1);
                right.into_iter().chain(below.then_some(i + wide)).collect()
            })
        }
        // Leaves below spines, which are in a ring.
        2 => {
            let spines = 2 + dice.below(6);
            graph(hosts, |i| match i < spines {
                true => vec![(i + 1) % spines],
                false => (0..2).map(|_| dice.below(spines)).collect(),
            })
        }
        // Sites, each a ring, whose first hosts are in one, too.
        3 => {
            let site = 3 + dice.below(6);
            graph(hosts, |i| {
                let (first, end) = (i / site * site, (i / site * site + site).min(hosts));
                let next = if i + 1 < end { i + 1 } else { first };
                let other = (i == first).then_some((first + site) % hosts);
                [next].into_iter().chain(other).collect()
            })
        }
        // Each asks the nearest in the plane.
        4 => {
            let at: Vec<_> = (0..hosts)
                .map(|_| (dice.below(10_000), dice.below(10_000)))
                .collect();
            let apart = |i: usize, j: usize| {
                let (x, y) = (at[i].0.abs_diff(at[j].0), at[i].1.abs_diff(at[j].1));
                x * x + y * y
            };
            graph(hosts, |i| {
                let mut others: Vec<_> = (0..hosts).filter(|j| *j != i).collect();
                others.sort_by_key(|j| apart(i, *j));
                others.truncate(1 + dice.below(3));
                others
            })
        }
        // A tree that has grown at random.
        5 => graph(hosts, |i| {
            (i > 0).then(|| dice.below(i)).into_iter().collect()
        }),
        // A ring with shortcuts.
        6 => graph(hosts, |i| {
            let shortcut = (dice.below(5) == 0).then(|| dice.below(hosts));
            [(i + 1) % hosts].into_iter().chain(shortcut).collect()
        }),
        // A full mesh of a few, what asks them, and what asks that.
        _ => {
            let core = 3 + dice.below(5);
            let middle = (6 * core).min(hosts);
            graph(hosts, |i| {
                if i < core {
                    return (0..core).collect();
                }
                let above = if i < middle { 0..core } else { core..middle };
                vec![above.start + dice.below(above.len())]
            })
        }
    }
}

/// A ring, and others below it.
pub(crate) fn ring_and_more(dice: &mut Dice, ring: usize, more: usize) -> Graph {
    graph(ring + more, |i| match i {
        i if i < ring => vec![(i + 1) % ring],
        i if i == ring || dice.below(2) == 0 => vec![dice.below(ring)],
        i => vec![i - 1],
    })
}

/// Whom this host asks.
pub(crate) fn asked(graph: &Graph, host: usize) -> impl Iterator<Item = usize> + '_ {
    graph.upstreams[host].iter().filter_map(|u| match u {
        Upstream::Host(i) => Some(*i),
        _ => None,
    })
}

/// How many steps it is from one host to another, along upstreams.
pub(crate) fn steps(graph: &Graph, from: usize, to: usize) -> Option<usize> {
    let mut steps = vec![usize::MAX; graph.len()];
    steps[from] = 0;
    let mut reached = VecDeque::from([from]);
    while let Some(at) = reached.pop_front() {
        if at == to {
            return Some(steps[at]);
        }
        for next in asked(graph, at)
            .filter(|n| steps[*n] == usize::MAX)
            .collect::<Vec<_>>()
        {
            steps[next] = steps[at] + 1;
            reached.push_back(next);
        }
    }
    None
}
