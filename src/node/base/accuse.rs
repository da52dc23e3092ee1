//! Accusations on their way: over the same tree as news, but round those that are in doubt (R32, R46).

use alloc::vec::Vec;

use crate::contract;
use crate::effect::Event;
use crate::id::{LinkId, NodeId};
use crate::node::base::Base;
use crate::node::base::tree::Target;
use crate::node::state::links::Class;
use crate::record::Sequence;
use crate::ring::{Position, pieces};
use crate::wire::{Accusation, Ask, Beat, Message, News, Records, Update};

/// Accusers that are named of each node that is down: so many convince.
const QUORUM: usize = 2;
/// Nodes whose accusers are told to whoever shows another table; two each fit into one message.
const DOWNS_TOLD: usize = contract::ACCUSATIONS / 2;

impl Base {
    /// Passes an accusation on to the part of the ring within `reach`. What it does not reach is
    /// made up for by beats (R31): nothing waits for room.
    pub(crate) fn spread_accusation(&mut self, said: &Accusation, reach: u64) {
        let before = self.tree.serve_accusation(said, reach, self.cx.now);
        if before.is_some_and(|before| before >= reach) {
            return;
        }
        let all = self.targets(reach, Some(said.subject));
        let (doubted, mut sure): (Vec<Target>, Vec<Target>) =
            all.into_iter().partition(|(_, link)| {
                let node = self.links.node(*link);
                node.is_some_and(|n| self.standing.is_doubted(&n, self.cx.now))
            });
        if sure.is_empty() {
            sure.clone_from(&doubted);
        }
        // Whoever does not answer gets no part of the ring to pass it on to.
        for (_, link) in doubted.into_iter().chain(self.target(&said.subject, reach)) {
            self.tell_accused(link, &[*said]);
        }
        let own = self.table.position();
        let distances: Vec<_> = sure.iter().map(|(d, _)| *d).collect();
        let next = self.table.next_ranks().first().map(|(d, _)| *d);
        let gap = distances.first().copied().filter(|d| Some(*d) != next);
        let ends: Vec<_> = pieces(&distances, reach).collect();
        let last = ends.len().saturating_sub(1);
        for (i, ((_, link), end)) in sure.into_iter().zip(ends).enumerate() {
            let until = match gap {
                // Nobody can be told who stands before the first: the last one serves that part.
                Some(first) if i == last && reach == u64::MAX => own.ahead(first),
                _ => own.until(end),
            };
            if before.is_none_or(|before| before < end) {
                self.send_accusations(link, &[*said], until);
            }
        }
    }

    fn target(&self, node: &NodeId, reach: u64) -> Option<Target> {
        let distance = self.table.distance(node);
        let link = self.links.of(node)?;
        (distance <= reach).then_some((distance, link))
    }

    /// Tells the other end, which is to tell nobody.
    fn tell_accused(&mut self, link: LinkId, said: &[Accusation]) {
        if let Some(node) = self.links.node(link) {
            let nobody_else = self.table.position_of(&node).ahead(1);
            self.send_accusations(link, said, nobody_else);
        }
    }

    fn send_accusations(&mut self, link: LinkId, said: &[Accusation], until: Position) {
        let update = Update {
            news: Some(News {
                records: Records::default(),
                accusations: said.to_vec(),
                until,
            }),
            ..Update::default()
        };
        self.send(link, Message::Update(update), Class::Ask);
    }

    /// Tells whoever has sent records of nodes that are down here who has accused them: it knows
    /// more, or the nodes themselves do (R31, R33).
    pub(crate) fn send_downs(&mut self, link: LinkId, nodes: &[NodeId]) {
        let mut said = Vec::new();
        for node in nodes {
            let Some(down) = self.table.down(node) else {
                continue;
            };
            said.extend(down.by.iter().take(QUORUM).map(|by| Accusation {
                subject: *node,
                at: down.at,
                by: *by,
            }));
        }
        for said in said.chunks(contract::ACCUSATIONS) {
            self.tell_accused(link, said);
        }
    }

    /// A node is down for this one, too. Whether it was not before.
    pub(crate) fn take_down(&mut self, node: NodeId, at: Sequence, by: &[NodeId]) -> bool {
        let Some(entry) = self.table.take_down(&node, at, by) else {
            return false;
        };
        self.cx.stats.downs += 1;
        self.cx.event(Event::PeerDown { node });
        self.add_hint(node, entry.addresses(self.cx.config.local));
        true
    }
}

/// Beats and asks.
impl Base {
    pub(crate) fn send_beat(&mut self, link: LinkId) {
        // What a table lacks that had to choose says nothing.
        let comparable = (!self.table.is_crowded()).then(|| self.table.fingerprint());
        let beat = Beat::new(comparable);
        self.send(link, Message::Beat(beat), Class::Answer);
    }

    /// Asks this node whether it is there, if there is a link. `watch`: beats are wanted.
    pub(crate) fn send_ask(&mut self, node: &NodeId, watch: bool, accused: Option<Sequence>) {
        if let Some(link) = self.links.of(node) {
            let ask = Ask { watch, accused };
            self.send(link, Message::Ask(ask), Class::Answer);
        }
    }

    /// Says who is down here, and asks on this link for the whole of what differs (R31). [Whoever
    /// missed it would not push what this node has known before (R15), and so never hear of it.]
    pub(crate) fn ask_for_repair(&mut self, link: LinkId) {
        let downs = self.table.latest_downs(DOWNS_TOLD);
        self.send_downs(link, &downs);
        if let Some(state) = self.links.get_mut(link) {
            state.ask_in_full();
        }
        if self.ask(link) {
            self.cx.stats.repairs += 1;
        }
    }
}
