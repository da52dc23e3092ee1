//! A node is killed and brought back, and each of the others says when it knew.

use super::status::{Told, What};
use super::story::{Story, millis};
use anstyle::{AnsiColor, Style};
use peer_exchange::Event;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// Much longer than the detection time, and than it takes to come back.
const PATIENCE: Duration = Duration::from_secs(20);

/// A part of the JSON of `peerx demo`.
#[derive(Serialize)]
pub(super) struct Crash {
    /// The one that was killed.
    node: String,
    /// Until it was down for all others, and from its return until it was up for them; none if not
    /// for all.
    down_ms: Option<f64>,
    up_ms: Option<f64>,
    /// The same for each.
    others: Vec<Other>,
}

#[derive(Serialize)]
struct Other {
    node: String,
    down_ms: Option<f64>,
    up_ms: Option<f64>,
}

impl Story<'_> {
    /// Kills the last node and brings it back.
    pub(super) fn crash(
        &self,
        told: &Receiver<Told>,
        out: &mut dyn Write,
    ) -> io::Result<Option<Crash>> {
        let Some((victim, others)) = self.graph.names.split_last().filter(|(_, o)| !o.is_empty())
        else {
            return Ok(None);
        };
        self.say(
            out,
            &format!("\n{victim} is killed. Who notices, and when?"),
        )?;
        // What was told before is no answer.
        while told.try_recv().is_ok() {}
        if let Err(why) = self.cluster.kill() {
            self.say(out, &why)?;
            return Ok(None);
        }
        let down = self.answers(told, false, out)?;
        self.say(out, &format!("{victim} is back."))?;
        let up = match self.cluster.revive() {
            Ok(()) => self.answers(told, true, out)?,
            Err(why) => {
                self.say(out, &why)?;
                vec![None; others.len()]
            }
        };
        let last = |times: &[Option<f64>]| {
            let all: Option<Vec<f64>> = times.iter().copied().collect();
            all.map(|all| all.into_iter().fold(0.0, f64::max))
        };
        let times = others.iter().zip(down.iter().zip(&up));
        Ok(Some(Crash {
            node: victim.clone(),
            down_ms: last(&down),
            up_ms: last(&up),
            others: times
                .map(|(node, (down_ms, up_ms))| Other {
                    node: node.clone(),
                    down_ms: *down_ms,
                    up_ms: *up_ms,
                })
                .collect(),
        }))
    }

    /// When each of the others has the last node as down, or as up again.
    fn answers(
        &self,
        told: &Receiver<Told>,
        up: bool,
        out: &mut dyn Write,
    ) -> io::Result<Vec<Option<f64>>> {
        let (others, start) = (self.graph.len() - 1, self.start.elapsed());
        let end = Instant::now() + PATIENCE;
        let id = self.cluster.ids()[others];
        let mut times = vec![None; others];
        while times.contains(&None) {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(Told { at, node, what }) = told.recv_timeout(left) else {
                break;
            };
            let is_it = match what {
                What::Event(Event::PeerDown { node }) => !up && node == id,
                What::Event(Event::PeerUp { node }) => up && node == id,
                _ => false,
            };
            let Some(time) = times.get_mut(node).filter(|t| is_it && t.is_none()) else {
                continue;
            };
            *time = Some(millis(at.saturating_sub(start)));
            if self.graph.is_told_by_name() {
                let (name, victim) = (&self.graph.names[node], &self.graph.names[others]);
                let what = if up { "up again" } else { "down" };
                self.say_at(
                    out,
                    at,
                    Style::new(),
                    &format!("{name} has {victim} as {what}"),
                )?;
            }
        }
        let known: Vec<f64> = times.iter().flatten().copied().collect();
        let last = known.iter().copied().fold(0.0, f64::max);
        let what = if up { "up again" } else { "down" };
        let line = format!(
            "{} of {others} have it as {what}, the last after {:.0} ms",
            known.len(),
            last
        );
        let style = match known.len() == others {
            true => AnsiColor::Green.on_default().bold(),
            false => AnsiColor::Yellow.on_default().bold(),
        };
        self.say_at(out, self.start.elapsed(), style, &line)?;
        Ok(times)
    }
}
