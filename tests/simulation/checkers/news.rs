//! R46: news does not circle.

use std::collections::HashMap;
use std::time::Duration;

use peer_exchange::wire::Message;
use peer_exchange::{NodeId, RingKey, Sequence};
use peer_exchange_memory::HostId;

use super::{Checker, Complaints};
use crate::step::{Step, What};
use crate::world::World;

/// One node sends one item to another so often at most while it is remembered: once down the tree,
/// once more for each larger part that it is given, or where another was lost.
const TIMES: u32 = 4;
const REMEMBERED: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(crate) struct Once {
    sent: HashMap<(HostId, NodeId, NodeId, Sequence), (Duration, u32)>,
}

impl Checker for Once {
    fn see(&mut self, step: &Step<'_>, _: &World, complaints: &mut Complaints) {
        let What::Sent { to, message, .. } = &step.what else {
            return;
        };
        let Message::Update(update) = message else {
            return;
        };
        let Some(news) = &update.news else { return };
        let receiver = RingKey::new("").position(to).get();
        if news.until.get().wrapping_sub(receiver) == 1 {
            // Told to that node alone, as an answer (R33): it goes no further.
            return;
        }
        for record in news.records.iter() {
            let key = (step.host, *to, record.node, record.sequence);
            let (since, times) = self.sent.entry(key).or_insert((step.now, 0));
            if step.now >= *since + REMEMBERED {
                (*since, *times) = (step.now, 0);
            }
            *times += 1;
            complaints.expect(*times <= TIMES, "R46", || {
                format!("{:?} is sent {times} times to {to:?}", record.node)
            });
        }
    }
}

mod bites {
    use super::{Once, TIMES};
    use crate::forge::{Stage, bites, rumour, seq, silent};

    #[test]
    fn at_news_that_comes_again_and_again() {
        let mut stage = Stage::<Once>::new();
        let news = rumour(0, seq(1, 0), 50);
        for _ in 0..TIMES {
            silent(&stage.sends(1, 2, &news));
        }
        bites(&stage.sends(1, 2, &news), "R46");
    }

    #[test]
    fn not_at_other_news_to_another_or_later() {
        let mut stage = Stage::<Once>::new();
        for beat in 0..3 * TIMES {
            silent(&stage.sends(1, 2, &rumour(0, seq(1, beat), 50)));
            silent(&stage.sends(1, 3, &rumour(0, seq(1, beat), 50)));
        }
        for round in 0..3 * TIMES {
            let stage = stage.at(u64::from(round) * 10);
            silent(&stage.sends(1, 0, &rumour(2, seq(1, 0), 50)));
        }
    }
}
