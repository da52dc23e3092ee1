//! Who asks whom: the built-in topologies, and edge lists.

use crate::edges::EdgeList;
use crate::input::InputError;
use peer_exchange::limits::caps;
use peer_exchange_memory::Random;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A topology as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    Ring,
    Line,
    Star,
    Tree,
    Full,
    Random(usize),
    File(PathBuf),
}

impl FromStr for Topology {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "ring" => Self::Ring,
            "line" => Self::Line,
            "star" => Self::Star,
            "tree" => Self::Tree,
            "full" => Self::Full,
            _ => match text.strip_prefix("random:") {
                Some(k) => Self::Random(parse_degree(k)?),
                None if text == "random" => return Err(parse_degree("").unwrap_err()),
                None => Self::File(text.into()),
            },
        })
    }
}

fn parse_degree(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(k) if (1..=caps::UPSTREAMS).contains(&k) => Ok(k),
        _ => Err(format!(
            "expected random:K with K from 1 to {}, such as random:3",
            caps::UPSTREAMS
        )),
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ring => f.write_str("ring"),
            Self::Line => f.write_str("line"),
            Self::Star => f.write_str("star"),
            Self::Tree => f.write_str("tree"),
            Self::Full => f.write_str("full"),
            Self::Random(k) => write!(f, "random:{k}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// Nodes by name, and whom each of them asks.
pub(crate) struct Graph {
    pub(crate) names: Vec<String>,
    pub(crate) upstreams: Vec<Vec<usize>>,
}

/// Why a graph cannot be made.
#[derive(Debug)]
pub(crate) enum GraphError {
    Input(InputError),
    Bad(String),
}

impl fmt::Display for GraphError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(error) => error.fmt(f),
            Self::Bad(problem) => f.write_str(problem),
        }
    }
}

impl Graph {
    /// Builds a topology of `nodes` nodes; an edge list has its own number.
    pub(crate) fn build(
        topology: &Topology,
        nodes: Option<usize>,
        default_nodes: usize,
        seed: u64,
    ) -> Result<Self, GraphError> {
        if let Topology::File(path) = topology {
            // A mistyped name, more likely than a file that is missing.
            if path.components().count() == 1 && path.extension().is_none() && !path.exists() {
                return Err(GraphError::Bad(format!(
                    "{}: no such topology, and no such file; expected ring, line, star, tree, full, random:K, or a file with an edge list",
                    crate::input::shown(&path.to_string_lossy())
                )));
            }
            if nodes.is_some() {
                let problem = "--nodes goes with the built-in topologies; an edge list has its own";
                return Err(GraphError::Bad(problem.into()));
            }
            return Self::from_edges(&EdgeList::read(path).map_err(GraphError::Input)?);
        }
        let n = nodes.unwrap_or(default_nodes);
        if n == 0 {
            return Err(GraphError::Bad("--nodes: expected at least 1".into()));
        }
        let mut random = Random::new(seed ^ 0x746f_706f);
        let upstreams = (0..n).map(|i| upstreams(topology, i, n, &mut random));
        let graph = Self {
            names: (0..n).map(|i| format!("n{i}")).collect(),
            upstreams: upstreams.collect::<Result<_, _>>()?,
        };
        graph.check()
    }

    fn from_edges(list: &EdgeList) -> Result<Self, GraphError> {
        let mut upstreams = vec![Vec::new(); list.names.len()];
        for (from, to) in &list.edges {
            upstreams[*from as usize].push(*to as usize);
        }
        for ups in &mut upstreams {
            ups.sort_unstable();
            ups.dedup();
        }
        Self {
            names: list.names.iter().map(ToString::to_string).collect(),
            upstreams,
        }
        .check()
    }

    fn check(self) -> Result<Self, GraphError> {
        let over = self
            .upstreams
            .iter()
            .position(|ups| ups.len() > caps::UPSTREAMS);
        match over {
            None => Ok(self),
            Some(i) => Err(GraphError::Bad(format!(
                "{} has {} upstreams, a node has at most {}",
                self.names[i],
                self.upstreams[i].len(),
                caps::UPSTREAMS
            ))),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn edges(&self) -> usize {
        self.upstreams.iter().map(Vec::len).sum()
    }
}

fn upstreams(
    topology: &Topology,
    i: usize,
    n: usize,
    random: &mut Random,
) -> Result<Vec<usize>, GraphError> {
    Ok(match topology {
        Topology::Ring => vec![(i + 1) % n],
        Topology::Line => (i + 1 < n).then_some(i + 1).into_iter().collect(),
        Topology::Star => (i > 0).then_some(0).into_iter().collect(),
        Topology::Tree => (i > 0).then(|| random.below(i)).into_iter().collect(),
        Topology::Full => (0..n).filter(|j| *j != i).collect(),
        Topology::Random(k) if *k >= n => {
            let problem = format!("random:{k}: expected more than {k} nodes, there are {n}");
            return Err(GraphError::Bad(problem));
        }
        Topology::Random(k) => random_upstreams(i, n, *k, random),
        Topology::File(_) => Vec::new(),
    })
}

/// The first among the earlier nodes, so that all are weakly connected; the others anywhere.
fn random_upstreams(i: usize, n: usize, k: usize, random: &mut Random) -> Vec<usize> {
    let mut chosen: Vec<usize> = (i > 0).then(|| random.below(i)).into_iter().collect();
    while chosen.len() < k {
        let other = random.below(n);
        if other != i && !chosen.contains(&other) {
            chosen.push(other);
        }
    }
    chosen
}

/// Turns a cycle of names so that the smallest comes first; `n2` is smaller than `n10`.
pub(crate) fn canonical(mut names: Vec<String>) -> Vec<String> {
    let first = (0..names.len()).min_by(|a, b| natural(&names[*a]).cmp(&natural(&names[*b])));
    names.rotate_left(first.unwrap_or(0));
    names
}

/// Text with a number at its end sorts by the number.
pub(crate) fn natural(name: &str) -> (&str, u64, &str) {
    let text = name.trim_end_matches(|c: char| c.is_ascii_digit());
    (text, name[text.len()..].parse().unwrap_or(0), name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(topology: &str, n: usize) -> Result<Graph, GraphError> {
        Graph::build(&topology.parse().unwrap(), Some(n), 3, 1)
    }

    #[test]
    fn the_built_in_shapes() {
        let ups = |t, n| build(t, n).map(|g| g.upstreams).unwrap();
        assert_eq!(ups("ring", 3), [[1], [2], [0]]);
        assert_eq!(ups("ring", 1), [[0]]);
        assert_eq!(ups("line", 3), [vec![1], vec![2], vec![]]);
        assert_eq!(ups("star", 3), [vec![], vec![0], vec![0]]);
        assert_eq!(ups("full", 3), [vec![1, 2], vec![0, 2], vec![0, 1]]);
        assert!(
            ups("tree", 50)
                .iter()
                .enumerate()
                .skip(1)
                .all(|(i, u)| u.len() == 1 && u[0] < i)
        );
        let random = ups("random:3", 50);
        assert!(
            random
                .iter()
                .enumerate()
                .all(|(i, u)| u.len() == 3 && !u.contains(&i))
        );
    }

    #[test]
    fn refuses_what_cannot_be() {
        assert!(build("ring", 0).is_err());
        assert!(build("random:3", 3).is_err());
        for text in ["random:0", "random:x", "random:", "random"] {
            assert!(text.parse::<Topology>().is_err(), "{text}");
        }
    }

    #[test]
    fn cycles_begin_with_the_smallest_name() {
        let names = |t: &str| t.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(canonical(names("n10 n2 n11")), names("n2 n11 n10"));
        assert_eq!(canonical(names("b c a")), names("a b c"));
    }
}
