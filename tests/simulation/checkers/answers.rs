//! R9: a request is answered in the call that brought it, or dropped for a stated reason.

use std::collections::HashMap;

use peer_exchange::wire::Message;
use peer_exchange::{Event, Input, LinkId, RequestId};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

#[derive(Default)]
pub(crate) struct Answers {
    /// The request that a host has just taken and not answered yet.
    open: HashMap<HostId, (LinkId, RequestId)>,
    /// Crossed requests that each host has counted (R14).
    crossed: HashMap<HostId, u64>,
}

impl Checker for Answers {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        let open = self.open.get(&step.host).copied();
        match &step.what {
            What::Received {
                link,
                message: Message::Request(m),
                ..
            } => {
                let now = step.facts.stats().requests_crossed;
                let before = self.crossed.insert(step.host, now).unwrap_or_default();
                // It crossed this node's own, which proceeds.
                if now == before {
                    self.open.insert(step.host, (*link, m.id));
                }
            }
            What::Started => {
                self.crossed.remove(&step.host);
                self.open.remove(&step.host);
            }
            What::Sent {
                link,
                message: Message::Response(m),
                ..
            } if open == Some((*link, m.id)) => {
                self.open.remove(&step.host);
            }
            What::Event(Event::Blamed { link, .. }) if open.is_some_and(|(l, _)| l == *link) => {
                self.open.remove(&step.host);
            }
            // Only to hand out what the call has put in the queue.
            What::Input(Input::Sent { .. }) | What::Sent { .. } | What::Event(_) => {}
            What::Closed { .. } => {}
            _ => {
                let waiting = self.open.remove(&step.host);
                complaints.expect(waiting.is_none(), "R9", || {
                    format!("{waiting:?} is not answered at once")
                });
            }
        }
    }
}

mod bites {
    use super::Answers;
    use crate::forge::{Stage, bites, request, response, silent};
    use crate::step::What;
    use peer_exchange::wire::Message;

    #[test]
    fn at_an_answer_that_waits() {
        let mut stage = Stage::<Answers>::new();
        silent(&stage.receives(0, 1, &Message::Request(request(1))));
        bites(&stage.see(0, What::Waits), "R9");
    }

    #[test]
    fn at_the_answer_to_another_request() {
        let mut stage = Stage::<Answers>::new();
        silent(&stage.receives(0, 1, &Message::Request(request(1))));
        silent(&stage.sends(0, 1, &Message::Response(response(2))));
        bites(&stage.see(0, What::Waits), "R9");
    }

    #[test]
    fn not_at_an_answer_at_once_nor_at_a_crossed_request() {
        let mut stage = Stage::<Answers>::new();
        silent(&stage.receives(0, 1, &Message::Request(request(1))));
        silent(&stage.sends(0, 1, &Message::Response(response(1))));
        silent(&stage.see(0, What::Waits));
        stage.nodes[0].stats.requests_crossed = 1;
        silent(&stage.receives(0, 1, &Message::Request(request(2))));
        silent(&stage.see(0, What::Waits));
    }
}
