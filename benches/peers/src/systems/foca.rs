//! foca: SWIM, with the configuration that it recommends for a LAN and its postcard codec.

use std::net::SocketAddrV4;
use std::num::NonZeroU32;
use std::time::Duration;

use ::foca::{
    Config, Foca as Node, Identity, NoCustomBroadcast, Notification, PostcardCodec, Runtime,
};
use bytes::Bytes;
use rand::rngs::SmallRng;
use serde::{Deserialize, Serialize};

use crate::cluster::{Cluster, NEW_PORT, PORT, address, node_at};
use crate::harness::{Out, System};

/// An identity: 38 bytes on the wire. The higher port is the newer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    id: [u8; 32],
    address: SocketAddrV4,
}

impl Identity for Member {
    type Addr = [u8; 32];

    fn renew(&self) -> Option<Self> {
        None
    }

    fn addr(&self) -> Self::Addr {
        self.id
    }

    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        self.address.port() > adversary.address.port()
    }
}

type Timer = ::foca::Timer<Member>;

/// What a node is told later.
pub enum Later {
    /// Its own timer.
    Timer(Timer),
    /// Its announcement may have been lost: foca leaves it to the program to try again.
    AnnounceAgain,
}

/// How long the program waits for an answer to its announcement: foca's own probe period.
const PATIENCE: Duration = Duration::from_secs(1);

/// All nodes.
pub struct Foca {
    cluster: Cluster,
    nodes: Vec<Node<Member, PostcardCodec, SmallRng, NoCustomBroadcast>>,
    /// Who has been told of a new port: nobody but one node has one.
    told: Vec<bool>,
}

struct Effects<'a> {
    node: usize,
    told: &'a mut bool,
    out: &'a mut Out<Foca>,
}

impl Runtime<Member> for Effects<'_> {
    fn notify(&mut self, notification: Notification<'_, Member>) {
        if let Notification::MemberUp(member) | Notification::Rename(_, member) = notification {
            *self.told |= member.address.port() == NEW_PORT;
        }
    }

    fn send_to(&mut self, to: Member, data: &[u8]) {
        let to = node_at(*to.address.ip());
        let data = Bytes::copy_from_slice(data);
        self.out.send(self.node, to, data.len(), data);
    }

    fn submit_after(&mut self, event: Timer, after: Duration) {
        self.out.after(self.node, after, Later::Timer(event));
    }
}

impl Foca {
    fn member(&self, node: usize, port: u16) -> Member {
        Member {
            id: self.cluster.ids[node],
            address: address(node, port),
        }
    }

    /// Else a line falls apart where an announcement is lost: the node above the gap has members,
    /// those below it, and asks nobody else.
    fn has_upstream(&self, node: usize) -> bool {
        let upstream = self.cluster.upstreams[node].map(|upstream| self.cluster.ids[upstream]);
        upstream.is_none_or(|id| {
            let mut members = self.nodes[node].iter_members();
            members.any(|member| member.id().id == id)
        })
    }

    /// What foca cannot take, a message from a member that it holds for dead say, it drops.
    fn with(
        &mut self,
        node: usize,
        out: &mut Out<Self>,
        act: impl FnOnce(
            &mut Node<Member, PostcardCodec, SmallRng, NoCustomBroadcast>,
            Effects<'_>,
        ) -> Result<(), ::foca::Error>,
    ) {
        let told = &mut self.told[node];
        let _ = act(&mut self.nodes[node], Effects { node, told, out });
    }
}

impl System for Foca {
    type Payload = Bytes;
    type Timer = Later;

    const NAME: &'static str = "foca 2.0.0";
    /// Twice the 65 s between its announcements to members that are down, the rarest period.
    const STEADY: Duration = Duration::from_secs(130);

    fn new(cluster: &Cluster) -> Self {
        let size = NonZeroU32::new(cluster.size() as u32).expect("a cluster has nodes");
        let mut foca = Self {
            cluster: cluster.clone(),
            nodes: Vec::new(),
            told: vec![false; cluster.size()],
        };
        foca.nodes = (0..cluster.size())
            .map(|node| {
                let member = foca.member(node, PORT);
                Node::new(
                    member,
                    Config::new_lan(size),
                    cluster.rng(node),
                    PostcardCodec,
                )
            })
            .collect();
        foca
    }

    fn start(&mut self, node: usize, out: &mut Out<Self>) {
        if let Some(upstream) = self.cluster.upstreams[node] {
            let upstream = self.member(upstream, PORT);
            self.with(node, out, |foca, effects| foca.announce(upstream, effects));
            out.after(node, PATIENCE, Later::AnnounceAgain);
        }
    }

    fn message(&mut self, node: usize, _: usize, data: Bytes, out: &mut Out<Self>) {
        self.with(node, out, |foca, effects| foca.handle_data(&data, effects));
    }

    fn timer(&mut self, node: usize, later: Later, out: &mut Out<Self>) {
        match later {
            Later::Timer(timer) => {
                self.with(node, out, |foca, effects| foca.handle_timer(timer, effects));
            }
            Later::AnnounceAgain if self.has_upstream(node) => {}
            Later::AnnounceAgain => self.start(node, out),
        }
    }

    fn change(&mut self, node: usize, out: &mut Out<Self>) {
        let member = self.member(node, NEW_PORT);
        self.with(node, out, |foca, effects| {
            foca.change_identity(member, effects)
        });
    }

    fn known(&self, node: usize) -> usize {
        self.nodes[node].num_members()
    }

    fn knows_change(&self, node: usize, _: usize) -> bool {
        self.told[node]
    }
}
