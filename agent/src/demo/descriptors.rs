//! Sockets are file descriptors, of which a process has a limited number.

use super::network::Over;
use rustix::process::{Resource, getrlimit, setrlimit};

/// Standard streams, the runtime's own, and handshakes under way.
const RESERVE: u64 = 64;
/// Links of a node with which a demonstration still goes well. Each end of a TCP link is a socket
/// of this process.
const FEW_LINKS: u64 = 16;

/// What the nodes may use.
pub(super) struct Descriptors {
    pub(super) links_per_node: usize,
}

impl Descriptors {
    /// Raises the limit as far as the system lets everybody.
    ///
    /// # Errors
    /// A message for the user: what to do when it does not suffice.
    pub(super) fn enough_for(nodes: usize, over: Over) -> Result<Self, String> {
        let mut limit = getrlimit(Resource::Nofile);
        if limit.current != limit.maximum {
            limit.current = limit.maximum;
            // An error leaves what there was.
            let _ = setrlimit(Resource::Nofile, limit);
        }
        let limit = getrlimit(Resource::Nofile).current;
        // None: there is no limit.
        Self::within(limit.unwrap_or(u64::MAX), nodes, over)
    }

    fn within(limit: u64, nodes: usize, over: Over) -> Result<Self, String> {
        let n = nodes as u64;
        let needed = match over {
            // One to listen and dial, one to dial the other family of addresses.
            Over::Quic => RESERVE + 2 * n,
            Over::Tcp => RESERVE + (1 + FEW_LINKS) * n,
        };
        if limit < needed {
            let other = match over {
                Over::Quic => "memory",
                Over::Tcp => "quic",
            };
            return Err(format!(
                "{nodes} nodes need {needed} file descriptors, and the limit of this process is \
                 {limit}: raise it (`ulimit -n {needed}`; the hard limit may be root's to raise), \
                 or take fewer nodes, or `--transport {other}`, which needs fewer"
            ));
        }
        let links_per_node = match over {
            Over::Quic => usize::MAX,
            Over::Tcp => {
                let links = (limit - RESERVE - n) / n.max(1);
                links.try_into().unwrap_or(usize::MAX)
            }
        };
        Ok(Self { links_per_node })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_limit_of_1024() {
        let links = |nodes, over| Descriptors::within(1024, nodes, over).map(|d| d.links_per_node);
        assert_eq!(links(50, Over::Tcp), Ok(18));
        assert_eq!(links(480, Over::Quic), Ok(usize::MAX));
        let problem = links(200, Over::Tcp).unwrap_err();
        assert!(problem.contains("ulimit -n 3464"), "{problem}");
        assert!(problem.contains("--transport quic"), "{problem}");
        let problem = links(500, Over::Quic).unwrap_err();
        assert!(problem.contains("--transport memory"), "{problem}");
    }
}
