//! Cycles of upstreams: which are there, and what to do about them.

use crate::config::{Cycles, Settings};
use crate::topology::canonical;
use peer_exchange::Node;

/// How many cycles are there now that nobody expects, as far as the node knows.
pub(crate) fn unexpected(settings: &Settings) -> impl Fn(&Node) -> usize + use<> {
    let expected = settings.cycles == Cycles::Expected;
    move |node| match expected {
        true => 0,
        false => node.loops().filter(|l| l.present).count(),
    }
}

/// Names and IDs of a cycle, from the smallest name on.
pub(crate) fn from_smallest_name(mut pairs: Vec<(String, String)>) -> (Vec<String>, Vec<String>) {
    let names = pairs.iter().map(|(name, _)| name.clone()).collect();
    let first = canonical(names).into_iter().next();
    let at = pairs
        .iter()
        .position(|(name, _)| Some(name) == first.as_ref());
    pairs.rotate_left(at.unwrap_or(0));
    pairs.into_iter().unzip()
}

/// What to change so that a cycle is none.
pub(crate) fn advice(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => format!("remove {one}'s own address from its upstreams"),
        [first, others @ ..] => {
            let shown = match others {
                [one] => one.clone(),
                [more @ .., last] if others.len() <= 8 => {
                    format!("{} and {last}", more.join(", "))
                }
                _ => format!("the other {}", others.len()),
            };
            format!("to end it, point {shown} at {first}, and let {first} ask none of them")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_a_star() {
        let names = |n: usize| (1..=n).map(|i| format!("server{i}")).collect::<Vec<_>>();
        assert_eq!(
            advice(&names(3)),
            "to end it, point server2 and server3 at server1, and let server1 ask none of them"
        );
        assert_eq!(
            advice(&names(2)),
            "to end it, point server2 at server1, and let server1 ask none of them"
        );
        assert!(advice(&names(40)).contains("the other 39"));
        assert!(advice(&names(1)).contains("own address"));
    }
}
