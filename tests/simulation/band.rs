//! Seeds: a fixed band by default, others from the environment, and a command for each failure.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// Seeds from `PEERX_SEED`: one number, or a range `a..b`.
fn from_environment() -> Option<std::ops::Range<u64>> {
    let text = std::env::var("PEERX_SEED").ok()?;
    let number = |t: &str| {
        t.trim()
            .parse::<u64>()
            .expect("PEERX_SEED is `n` or `a..b`")
    };
    Some(match text.split_once("..") {
        Some((from, to)) => number(from)..number(to),
        None => number(&text)..number(&text) + 1,
    })
}

/// Runs `test` for each seed: of the environment, or `0..cases`.
pub(crate) fn seeds(name: &str, cases: u64, mut test: impl FnMut(u64)) {
    for seed in from_environment().unwrap_or(0..cases) {
        let again = Reproduce { name, seed };
        test(seed);
        std::mem::forget(again);
    }
}

/// One generated case for each seed, shrunk if it fails.
pub(crate) fn property<S: Strategy>(
    name: &str,
    cases: u64,
    strategy: &S,
    mut test: impl FnMut(u64, S::Value),
) {
    seeds(name, cases, |seed| {
        let config = Config {
            cases: 1,
            failure_persistence: None,
            rng_seed: RngSeed::Fixed(seed),
            max_shrink_iters: 200,
            ..Config::default()
        };
        let test = std::cell::RefCell::new(&mut test);
        let outcome = TestRunner::new(config).run(strategy, |value| {
            (*test.borrow_mut())(seed, value);
            Ok::<_, TestCaseError>(())
        });
        if let Err(failed) = outcome {
            panic!("{failed}");
        }
    });
}

/// Prints, when a test panics, the command that does it again.
struct Reproduce<'a> {
    name: &'a str,
    seed: u64,
}

impl Drop for Reproduce<'_> {
    fn drop(&mut self) {
        let Self { name, seed } = self;
        eprintln!("again: PEERX_SEED={seed} cargo test --test simulation {name}");
    }
}
