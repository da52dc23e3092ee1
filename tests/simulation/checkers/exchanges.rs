//! R14: at most one unanswered exchange per link and direction, and no answer without a request.

use std::collections::{BTreeSet, HashMap};

use peer_exchange::wire::Message;
use peer_exchange::{LinkId, RequestId};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

type End = (HostId, u32, LinkId);

#[derive(Default)]
pub(crate) struct Exchanges {
    /// The exchange under way.
    open: HashMap<End, RequestId>,
    /// All that was asked on a link, fetches included.
    asked: HashMap<(End, RequestId), ()>,
    /// Requests taken and not answered, copies counted.
    unanswered: HashMap<(End, RequestId), u32>,
    /// The other end's requests that have come while one was under way.
    crossed: HashMap<End, BTreeSet<RequestId>>,
    /// Exchanges that another has followed on the same link without an answer.
    given_up: HashMap<(HostId, u32), u64>,
}

impl Checker for Exchanges {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        let me = (step.host, step.life);
        match &step.what {
            What::Sent {
                link,
                message: Message::Request(m),
                ..
            } => {
                let end = (step.host, step.life, *link);
                self.asked.insert((end, m.id), ());
                if m.is_fetch() {
                    return;
                }
                self.crossed.remove(&end);
                if self.open.insert(end, m.id).is_some() {
                    // Only a time-out allows it, and each allows one.
                    let given_up = self.given_up.entry(me).or_default();
                    *given_up += 1;
                    let ok = *given_up <= step.facts.stats().timeouts;
                    complaints.expect(ok, "R14", || {
                        format!("{:?} while another is under way on {link:?}", m.id)
                    });
                }
            }
            What::Received {
                link,
                message: Message::Response(m),
                ..
            } => {
                let end = (step.host, step.life, *link);
                let asked = self.asked.contains_key(&(end, m.id));
                complaints.expect(asked, "R14", || format!("{:?} was never asked", m.id));
                if self.open.get(&end) == Some(&m.id) {
                    self.open.remove(&end);
                }
            }
            What::Received {
                link,
                message: Message::Request(m),
                ..
            } => {
                let end = (step.host, step.life, *link);
                *self.unanswered.entry((end, m.id)).or_default() += 1;
                if !m.is_fetch() && self.open.contains_key(&end) {
                    self.crossed.entry(end).or_default().insert(m.id);
                }
            }
            What::Sent {
                link,
                to,
                message: Message::Response(m),
            } => {
                let end = (step.host, step.life, *link);
                let left = self.unanswered.get_mut(&(end, m.id)).filter(|n| **n > 0);
                complaints.expect(left.is_some(), "R14", || {
                    format!("{:?} is answered and was not asked", m.id)
                });
                if let Some(left) = left {
                    *left -= 1;
                }
                // An answer to the smaller ID's request gives way to it, as does one to the second
                // that crosses.
                let crossed = self.crossed.get(&end);
                let second = crossed.is_some_and(|c| c.len() > 1 && c.contains(&m.id));
                if *to < step.facts.id() || second {
                    self.open.remove(&end);
                }
            }
            What::Closed { link } => {
                self.open.remove(&(step.host, step.life, *link));
            }
            _ => {}
        }
    }
}

mod bites {
    use super::Exchanges;
    use crate::forge::{Stage, bites, request, response, silent};
    use peer_exchange::wire::Message;

    fn ask(number: u32) -> Message {
        Message::Request(request(number))
    }

    fn answer(number: u32) -> Message {
        Message::Response(response(number))
    }

    #[test]
    fn at_a_second_exchange_on_a_link() {
        let mut stage = Stage::<Exchanges>::new();
        silent(&stage.sends(0, 1, &ask(1)));
        bites(&stage.sends(0, 1, &ask(2)), "R14");
    }

    #[test]
    fn not_after_a_time_out_or_an_answer() {
        let mut stage = Stage::<Exchanges>::new();
        silent(&stage.sends(0, 1, &ask(1)));
        stage.nodes[0].stats.timeouts = 1;
        silent(&stage.sends(0, 1, &ask(2)));
        silent(&stage.receives(0, 1, &answer(2)));
        silent(&stage.sends(0, 1, &ask(3)));
        bites(&stage.sends(0, 1, &ask(4)), "R14");
    }

    #[test]
    fn not_after_an_answer_to_the_second_that_crosses() {
        for (ids, gives_way) in [([7, 8], true), ([7, 7], false)] {
            let mut stage = Stage::<Exchanges>::new();
            silent(&stage.sends(0, 1, &ask(1)));
            for id in ids {
                silent(&stage.receives(0, 1, &ask(id)));
            }
            silent(&stage.sends(0, 1, &answer(ids[1])));
            let next = stage.sends(0, 1, &ask(2));
            if gives_way {
                silent(&next);
            } else {
                bites(&next, "R14");
            }
        }
    }

    #[test]
    fn at_answers_without_a_request() {
        let mut stage = Stage::<Exchanges>::new();
        bites(&stage.sends(0, 1, &answer(1)), "R14");
        bites(&stage.receives(0, 1, &answer(1)), "R14");
        silent(&stage.receives(0, 1, &ask(2)));
        silent(&stage.sends(0, 1, &answer(2)));
        bites(&stage.sends(0, 1, &answer(2)), "R14");
    }
}
