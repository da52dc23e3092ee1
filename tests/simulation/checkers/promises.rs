//! R40, R41: records for a request are what its answer has wanted, or what was promised to whoever
//! has asked; and nobody is promised anything twice for one request.

use std::collections::HashMap;

use peer_exchange::wire::{Message, Request};
use peer_exchange::{LinkId, RequestId};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

/// What may be sent for a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// Of the node's own, so many records that were wanted.
    Wanted(usize),
    /// Of another's, what comes after its answer.
    Later,
}

type Place = (HostId, u32, LinkId, RequestId);

#[derive(Default)]
pub(crate) struct Promises(HashMap<Place, Due>);

impl Checker for Promises {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        let place = |link: LinkId, id| (step.host, step.life, link, id);
        match &step.what {
            What::Received {
                link,
                message: Message::Response(m),
                ..
            } if !m.wants.is_empty() => {
                let wanted = Due::Wanted(m.wants.len());
                self.0.insert(place(*link, m.id), wanted);
            }
            What::Sent {
                link,
                message: Message::Response(m),
                ..
            } if m.busy.is_none() && !m.same => {
                self.0.insert(place(*link, m.id), Due::Later);
            }
            What::Sent {
                link,
                message: Message::Update(m),
                to,
            } => {
                let Some(id) = m.request else { return };
                let due = self.0.get(&place(*link, id)).copied();
                complaints.expect(due.is_some(), "R41", || {
                    format!("{to:?} is told for {id:?}, which it has not asked")
                });
                if let Some(Due::Wanted(most)) = due {
                    self.0.remove(&place(*link, id));
                    let n = m.records.len();
                    // Two of a thousand may be at one place.
                    complaints.expect(n <= most + most / 100 + 1, "R40", || {
                        format!("{to:?} wanted {most} and is sent {n}")
                    });
                }
            }
            What::Sent {
                message: Message::Request(Request { records, .. }),
                to,
                ..
            } => {
                let echo = records.iter().any(|r| r.node == *to);
                complaints.expect(!echo, "R40", || format!("{to:?} is sent its own record"));
            }
            _ => {}
        }
    }
}

mod bites {
    use super::Promises;
    use crate::forge::{Stage, bites, body, page, request, response, seq, silent};
    use peer_exchange::RequestId;
    use peer_exchange::wire::{Message, Records, Update};

    fn told(number: u32, records: Records) -> Message {
        Message::Update(Update {
            request: Some(RequestId::new(number)),
            records,
            ..Update::default()
        })
    }

    fn one() -> Records {
        page(2, seq(1, 0), 50, &body(1))
    }

    #[test]
    fn at_records_for_what_nobody_has_asked() {
        let mut stage = Stage::<Promises>::new();
        silent(&stage.sends(0, 1, &Message::Response(response(1))));
        silent(&stage.sends(0, 1, &told(1, one())));
        bites(&stage.sends(0, 1, &told(2, one())), "R41");
    }

    #[test]
    fn at_an_asker_that_is_sent_its_own_record() {
        let mut stage = Stage::<Promises>::new();
        let mut asks = request(1);
        asks.records = one();
        silent(&stage.sends(0, 1, &Message::Request(asks.clone())));
        bites(&stage.sends(0, 2, &Message::Request(asks)), "R40");
    }
}
