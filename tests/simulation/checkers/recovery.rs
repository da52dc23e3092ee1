//! R5, R6 and R47: a node takes a higher version only because of what it was told of itself, three
//! times at once and then once in ten minutes, or for its upstreams alone, once in ten minutes; and
//! an asker is told what is above it.

use std::collections::HashMap;
use std::time::Duration;

use peer_exchange::wire::Message;
use peer_exchange::{Input, LinkId, RequestId, Sequence};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What, records};
use crate::world::World;

const PERIOD: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(crate) struct Recovery {
    own: HashMap<(HostId, u32), Sequence>,
    /// The highest that a node was told of itself.
    told: HashMap<(HostId, u32), Sequence>,
    /// When it has taken a higher version without being told of itself.
    named: HashMap<(HostId, u32), Vec<Duration>>,
    /// When it has recovered, in this life.
    at: HashMap<(HostId, u32), Vec<Duration>>,
    /// What an asker was when it asked in brief: it shows a hash of that.
    briefly: HashMap<RequestId, Sequence>,
    /// What an asker has shown of itself, and whether in brief.
    shown: HashMap<(HostId, LinkId, RequestId), (Sequence, bool)>,
}

impl Checker for Recovery {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        let me = (step.host, step.life);
        match &step.what {
            What::Received {
                link,
                from,
                message,
            } => {
                self.hears(step, message);
                if let Message::Request(m) = message {
                    if !m.is_fetch() {
                        let brief = m.state.and_then(|_| self.briefly.get(&m.id));
                        let mut own = m.records.iter().filter(|r| r.node == *from);
                        let own = own.next().map_or(m.own.0, |r| r.sequence);
                        let shown = brief.map_or((own, false), |own| (*own, true));
                        self.shown.insert((step.host, *link, m.id), shown);
                    }
                }
            }
            What::Sent { link, to, message } => {
                if let Message::Request(m) = message {
                    if m.state.is_some() {
                        self.briefly.insert(m.id, step.facts.sequence());
                    }
                }
                let Message::Response(m) = message else {
                    return;
                };
                let same = m.same;
                let shown = self.shown.get(&(step.host, *link, m.id));
                // Where the tables differ, the whole request is to follow a brief one.
                let shown = shown
                    .filter(|(_, brief)| same || !brief)
                    .map(|(own, _)| own);
                let above = step.facts.held(to).map(|(sequence, _)| sequence);
                if let (Some(shown), Some(above), None) = (shown, above, &m.busy) {
                    let said = m.refusals.iter().any(|(node, s)| node == *to && s >= above);
                    complaints.expect(above <= *shown || said, "R5", || {
                        format!("{to:?} shows {shown:?} and is not told of {above:?}")
                    });
                }
                return;
            }
            _ => {}
        }
        let sequence = step.facts.sequence();
        let Some(before) = self.own.insert(me, sequence) else {
            return;
        };
        complaints.expect(sequence >= before, "R1", || {
            format!("the own sequence falls from {before:?} to {sequence:?}")
        });
        let wanted = matches!(
            step.what,
            What::Input(Input::SetAddresses(_) | Input::SetMetadata(_) | Input::Leave)
        );
        if sequence.version == before.version || wanted {
            return;
        }
        // Of its version an earlier life may have said something else, however often it has beaten since.
        let told = self.told.get(&me);
        let told = told.is_some_and(|told| told.version >= before.version);
        if told {
            self.recovers(step, complaints);
            return;
        }
        let now = step.facts.now().as_duration();
        let named = self.named.entry(me).or_default();
        named.retain(|at| *at + PERIOD > now);
        named.push(now);
        // The first record of a life, and those for its upstreams alone.
        complaints.expect(named.len() <= 2, "R5", || {
            format!("version {} without a reason", sequence.version)
        });
    }
}

impl Recovery {
    fn hears(&mut self, step: &Step<'_>, message: &Message) {
        let id = step.facts.id();
        let refusals = match message {
            Message::Response(m) => Some(&m.refusals),
            Message::Update(m) => Some(&m.refusals),
            _ => None,
        };
        let refused = refusals.into_iter().flat_map(|r| r.iter());
        let refused = refused.filter(|(node, _)| *node == id).map(|(_, s)| s);
        let named = records(message).filter(|r| r.node == id);
        let accused = match message {
            Message::Update(m) => m.news.as_ref().map(|news| news.accusations.as_slice()),
            _ => None,
        };
        let accused = accused.unwrap_or_default().iter();
        let accused = accused.filter(|a| a.subject == id).map(|a| a.at);
        let asked = match message {
            Message::Ask(m) => m.accused,
            _ => None,
        };
        let named = named.map(|r| r.sequence);
        let all = refused.chain(named).chain(accused).chain(asked);
        if let Some(highest) = all.max() {
            let told = self.told.entry((step.host, step.life)).or_default();
            *told = highest.max(*told);
        }
    }

    fn recovers(&mut self, step: &Step<'_>, complaints: &mut Complaints) {
        let at = self.at.entry((step.host, step.life)).or_default();
        // By its own clock, which may jump ahead of the network's.
        at.push(step.facts.now().as_duration());
        let last = at[at.len() - 1];
        for (i, first) in at.iter().enumerate() {
            let most = 3.0 + (last - *first).as_secs_f64() / PERIOD.as_secs_f64();
            let n = at.len() - i;
            complaints.expect(n as f64 <= most + 1e-6, "R6", || {
                format!("{n} recoveries in {:?}", last - *first)
            });
        }
    }
}

mod bites {
    use super::Recovery;
    use crate::forge::{Stage, bites, id, request, response, rumour, seq, silent};
    use crate::step::What;
    use peer_exchange::wire::{Message, RefusalsBuilder, Request};
    use peer_exchange::{Input, Instant};

    #[test]
    fn at_a_version_without_a_reason() {
        let mut stage = Stage::<Recovery>::new();
        for version in 2..=3 {
            stage.nodes[0].sequence = seq(version, 0);
            silent(&stage.see(0, What::Input(&Input::Wake)));
        }
        stage.nodes[0].sequence = seq(4, 0);
        bites(&stage.see(0, What::Input(&Input::Wake)), "R5");
    }

    #[test]
    fn at_a_sequence_that_falls() {
        let mut stage = Stage::<Recovery>::new();
        stage.nodes[0].sequence = seq(0, 9);
        bites(&stage.see(0, What::Input(&Input::Wake)), "R1");
    }

    #[test]
    fn at_the_fourth_recovery_at_once() {
        let mut stage = Stage::<Recovery>::new();
        for version in 2..=4 {
            stage.nodes[0].sequence = seq(version, 0);
            silent(&stage.receives(0, 1, &rumour(0, seq(version - 1, 0), 50)));
        }
        stage.nodes[0].sequence = seq(5, 0);
        bites(&stage.receives(0, 1, &rumour(0, seq(4, 0), 50)), "R6");
    }

    #[test]
    fn at_a_table_that_is_called_the_same_with_more_about_the_asker() {
        let mut stage = Stage::<Recovery>::new();
        let held = (seq(5, 0), Instant::from_millis(50_000));
        stage.nodes[1].held.insert(id(0), held);
        let asked = Message::Request(Request {
            state: Some(1),
            ..request(3)
        });
        silent(&stage.sends(0, 1, &asked));
        silent(&stage.receives(1, 0, &asked));
        let mut answer = response(3);
        answer.count = 9;
        silent(&stage.sends(1, 0, &Message::Response(answer.clone())));
        answer.same = true;
        bites(&stage.sends(1, 0, &Message::Response(answer)), "R5");
    }

    #[test]
    fn at_an_answer_that_hides_what_is_above_the_asker() {
        let mut stage = Stage::<Recovery>::new();
        let held = (seq(5, 0), Instant::from_millis(50_000));
        stage.nodes[1].held.insert(id(0), held);
        silent(&stage.receives(1, 0, &Message::Request(request(3))));
        let mut answer = response(3);
        bites(&stage.sends(1, 0, &Message::Response(answer.clone())), "R5");
        let mut about = RefusalsBuilder::default();
        about.push(&id(0), seq(5, 0));
        answer.refusals = about.finish();
        silent(&stage.sends(1, 0, &Message::Response(answer)));
    }
}
