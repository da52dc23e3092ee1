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
use crate::seal::{Accuser, Claim, Statement};
use crate::wire::{Accusation, Ask, Beat, Message, News, Records, Update};

/// Accusers that are named of each node that is down: so many convince.
const QUORUM: usize = 2;
/// So few are linked with one another.
const FEW: usize = 8;
/// Links over which an accusation goes on where tables are full.
const FLOODED: usize = 8;
/// Nodes whose accusers are told to whoever shows another table; two each fit into one message.
const DOWNS_TOLD: usize = contract::ACCUSATIONS / 2;

/// Whose word they are (R50).
impl Base {
    /// Whether a signature is checked to know whose word it is.
    pub(crate) fn is_checked(&self, said: &Accusation) -> bool {
        !self.sealer.is_off() && said.signature.is_some()
    }

    /// The accusation, if it is its accuser's word, as it goes on: where signatures mean nothing, none
    /// is carried.
    pub(crate) fn prove_accusation(&mut self, said: &Accusation) -> Option<Accusation> {
        let Accusation {
            subject, at, by, ..
        } = *said;
        let is_own = by == self.cx.id;
        let proven = match said.signature.as_ref() {
            _ if self.sealer.is_off() => {
                let signature = None;
                return Some(Accusation { signature, ..*said });
            }
            None => !is_own && self.may_be_unsigned(&by),
            Some(signature) => {
                self.cx.stats.signatures_checked += 1;
                let said = Statement::accusation(subject, at, &by);
                let claim = Claim {
                    by,
                    said,
                    signature,
                };
                self.sealer.verify(&[claim]) == [true]
            }
        };
        proven.then_some(*said)
    }

    /// Whether it has gone so far already.
    pub(crate) fn has_spread(&mut self, said: &Accusation, reach: u64) -> bool {
        let before = self.tree.served_accusation(said, self.cx.now);
        before.is_some_and(|before| before >= reach)
    }
}

impl Base {
    /// Passes an accusation on to the part of the ring within `reach`. What it does not reach is
    /// made up for by beats (R31): nothing waits for room.
    pub(crate) fn spread_accusation(&mut self, said: &Accusation, reach: u64) {
        let before = self.tree.serve_accusation(said, reach, self.cx.now);
        if before.is_some_and(|before| before >= reach) {
            return;
        }
        if self.table.is_crowded() {
            return self.flood_accusation(said);
        }
        let all = self.targets(reach, Some(said.subject));
        let (doubted, mut sure): (Vec<Target>, Vec<Target>) =
            all.into_iter().partition(|target| self.is_doubted(*target));
        if !doubted.is_empty() {
            // Other links serve their parts.
            let others = self.links_within(reach, Some(said.subject));
            let others = others
                .into_iter()
                .filter(|target| !self.is_doubted(*target));
            let nth =
                |(nth, target): (usize, Target)| (nth + 1).is_power_of_two().then_some(target);
            sure = others.enumerate().filter_map(nth).collect();
        }
        if sure.is_empty() {
            sure.clone_from(&doubted);
        }
        // Whoever does not answer gets no part of the ring to pass it on to.
        for (_, link) in doubted.into_iter().chain(self.target(&said.subject, reach)) {
            self.tell_accused_later(link, said);
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
                self.outbox.add(link, said, until, self.cx.now);
            }
        }
    }

    /// Where nobody knows the whole ring, it goes to a few at random, and from each of them, once.
    /// [Over the ring of those that are known, one in fifty that listed the subject never heard.]
    fn flood_accusation(&mut self, said: &Accusation) {
        let mut told: Vec<LinkId> = self.links.of(&said.subject).into_iter().collect();
        for _ in 0..FLOODED {
            let (standing, now) = (&self.standing, self.cx.now);
            let other = self.links.random(&mut self.cx.choices, |id, link| {
                !told.contains(&id)
                    && !link.is_over_cap()
                    && !standing.is_doubted(&link.node(), now)
            });
            told.extend(other);
        }
        for link in told {
            if let Some(node) = self.links.node(link) {
                let all_of_it = self.table.position_of(&node);
                self.outbox.add(link, said, all_of_it, self.cx.now);
            }
        }
    }

    fn is_doubted(&self, (_, link): Target) -> bool {
        let node = self.links.node(link);
        node.is_some_and(|n| self.standing.is_doubted(&n, self.cx.now))
    }

    fn target(&self, node: &NodeId, reach: u64) -> Option<Target> {
        let distance = self.table.distance(node);
        let link = self.links.of(node)?;
        (distance <= reach).then_some((distance, link))
    }

    /// Tells the other end, which is to tell nobody.
    pub(crate) fn tell_accused(&mut self, link: LinkId, said: &[Accusation]) {
        if let Some(node) = self.links.node(link) {
            let nobody_else = self.table.position_of(&node).ahead(1);
            self.send_accusations(link, said, nobody_else);
        }
    }

    /// The same, with what else is to be said over this link.
    pub(crate) fn tell_accused_later(&mut self, link: LinkId, said: &Accusation) {
        if let Some(node) = self.links.node(link) {
            let nobody_else = self.table.position_of(&node).ahead(1);
            self.outbox.add(link, said, nobody_else, self.cx.now);
        }
    }

    /// Where all are linked, it is said again to each of them. [Of three, one message that was lost
    /// was half of all that is needed: 3.3 s at 5 % loss.] And where nobody would find out otherwise.
    pub(crate) fn say_again(&mut self, said: &Accusation) {
        if self.table.is_crowded() {
            return self.flood_accusation(said);
        }
        if self.table.others() > FEW {
            return;
        }
        let others = self.links.iter().filter(|(_, l)| l.node() != said.subject);
        for link in others.map(|(id, _)| id).collect::<Vec<_>>() {
            self.tell_accused_later(link, said);
        }
    }

    /// Says what is to be said by now. What finds no room waits for the next time.
    pub(crate) fn send_waiting_accusations(&mut self) {
        let now = self.cx.now;
        while let Some(link) = self.outbox.due(now) {
            for (until, all) in self.outbox.take(link, now) {
                if !self.send_accusations(link, &all, until) {
                    for said in &all {
                        self.outbox.add(link, said, until, now);
                    }
                }
            }
        }
    }

    fn send_accusations(&mut self, link: LinkId, said: &[Accusation], until: Position) -> bool {
        let update = Update {
            news: Some(News {
                records: Records::default(),
                accusations: said.to_vec(),
                until,
            }),
            ..Update::default()
        };
        self.send(link, Message::Update(update), Class::Ask)
    }

    /// Tells whoever has sent records of nodes that are down here who has accused them: it knows
    /// more, or the nodes themselves do (R31, R33).
    pub(crate) fn send_downs(&mut self, link: LinkId, nodes: &[NodeId]) {
        for node in nodes {
            let Some(down) = self.table.down(node) else {
                continue;
            };
            let by = down.by.iter().take(QUORUM);
            let said = by.map(|by| Accusation {
                subject: *node,
                at: down.at,
                by: by.node,
                signature: by.signature.as_deref().copied(),
            });
            for said in said.collect::<Vec<_>>() {
                self.tell_accused_later(link, &said);
            }
        }
    }

    /// A node is down for this one, too. Whether it was not before.
    pub(crate) fn take_down(&mut self, node: NodeId, at: Sequence, by: &[Accuser]) -> bool {
        let Some(entry) = self.table.lookup(&node) else {
            return false;
        };
        let (addresses, worth) = self.hint_of(entry, true);
        if !self.table.take_down(&node, at, by, self.cx.now) {
            return false;
        }
        self.cx.stats.downs += 1;
        self.cx.event(Event::PeerDown { node });
        self.keep_hint(node, addresses, worth);
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

    /// Asks this node whether it is there, if there is a link.
    pub(crate) fn send_ask(&mut self, node: &NodeId, ask: Ask) {
        if let Some(link) = self.links.of(node) {
            self.send_ask_on(link, ask);
        }
    }

    pub(crate) fn send_ask_on(&mut self, link: LinkId, ask: Ask) {
        self.send(link, Message::Ask(ask), Class::Answer);
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
