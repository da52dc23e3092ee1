//! Graphs for the unit tests of the algorithms.

/// Small random graphs of every density, the same ones each time: node count and sorted edges.
pub(super) fn graphs(count: u64) -> impl Iterator<Item = (usize, Vec<(u32, u32)>)> {
    (0..count).map(|seed| {
        let mut state = seed;
        let nodes = 2 + (random(&mut state) % 5) as u32;
        let density = 1 + random(&mut state) % 9;
        let pairs = (0..nodes).flat_map(|a| (0..nodes).map(move |b| (a, b)));
        let edges = pairs
            .filter(|(a, b)| a != b && random(&mut state) % 10 < density)
            .collect();
        (nodes as usize, edges)
    })
}

/// SplitMix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Whether each node asks the next, and the last the first.
pub(super) fn is_cycle(cycle: &[u32], edges: &[(u32, u32)]) -> bool {
    let next = cycle.iter().cycle().skip(1);
    cycle
        .iter()
        .zip(next)
        .all(|(&from, &to)| edges.contains(&(from, to)))
}
