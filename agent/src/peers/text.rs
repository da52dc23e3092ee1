//! For people.

use super::View;
use crate::admin::views::{Loop, OwnAddress, Peer, Peers, Upstream};
use crate::names::Namesakes;
use std::io::{self, Write};

pub(super) fn write(view: &View, out: &mut dyn Write) -> io::Result<()> {
    let status = &view.status;
    writeln!(
        out,
        "{} ({})  up {}, {} links, asks every {}",
        view.peers.name,
        short(&view.peers.node),
        seconds(status.uptime_s),
        status.links,
        pace(status.pace_s),
    )?;
    writeln!(out, "  listening on {}", status.listen.join(", "))?;
    if view.readiness != "ready" || status.standing != view.readiness {
        writeln!(out, "  {}", status.standing)?;
    }
    if !view.blocked_transports.is_empty() {
        writeln!(
            out,
            "  peers do not answer over {} that do over another transport: is it blocked on the way?",
            view.blocked_transports.join(", ")
        )?;
    }
    own_addresses(&view.own_addresses, out)?;
    let namesakes = namesakes(&view.peers);
    upstreams(&view.upstreams, &namesakes, out)?;
    loops(&view.loops, out)?;
    peers(&view.peers, &namesakes, out)
}

fn namesakes(view: &Peers) -> Namesakes {
    let others = view.peers.iter().filter_map(|peer| peer.name.clone());
    Namesakes::among(others.chain([view.name.clone()]))
}

fn own_addresses(own: &[OwnAddress], out: &mut dyn Write) -> io::Result<()> {
    if own.is_empty() {
        return writeln!(out, "\nNo address at which others could reach this node.");
    }
    writeln!(out, "\nOWN ADDRESS")?;
    let rows: Vec<_> = own
        .iter()
        .map(|own| {
            let mut state = format!("{} {}", own.state, seconds(own.since_s));
            for (what, by) in [
                ("reached by", &own.reached_by),
                ("missed by", &own.missed_by),
            ] {
                if !by.is_empty() {
                    let by: Vec<_> = by.iter().map(|name| shortened(name)).collect();
                    state += &format!(", {what} {}", by.join(" "));
                }
            }
            let told = match (own.configured, own.advertised) {
                (true, _) => "configured",
                (false, true) => "seen by others",
                (false, false) => "seen by others, not told",
            };
            [own.address.clone(), told.to_owned(), state]
        })
        .collect();
    table(&rows, out)
}

/// A name, or the start of an ID.
fn shortened(name: &str) -> &str {
    let is_id = name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if is_id { short(name) } else { name }
}

fn upstreams(upstreams: &[Upstream], namesakes: &Namesakes, out: &mut dyn Write) -> io::Result<()> {
    if upstreams.is_empty() {
        return writeln!(out, "\nNo upstreams.");
    }
    writeln!(out, "\nUPSTREAM")?;
    let rows: Vec<_> = upstreams
        .iter()
        .map(|upstream| {
            let who = match (&upstream.name, &upstream.node) {
                (Some(name), Some(node)) => namesakes.call(name, short(node)),
                (Some(name), None) => name.clone(),
                (None, Some(node)) => short(node).to_owned(),
                (None, None) => "-".to_owned(),
            };
            [upstream.address.clone(), who, state(upstream)]
        })
        .collect();
    table(&rows, out)
}

fn state(upstream: &Upstream) -> String {
    let mut text = match (upstream.state.as_str(), upstream.retry_in_s) {
        ("itself", _) if upstream.times_itself > 1 => {
            format!(
                "is this node itself, {} times in a row",
                upstream.times_itself
            )
        }
        ("itself", _) => "is this node itself".to_owned(),
        ("listed", _) => "known by its record, not dialled".to_owned(),
        ("waiting", Some(s)) => format!("down, tried again in {}", pace(s)),
        (state, _) => state.to_owned(),
    };
    if upstream.failures > 0 {
        text += &format!(", {} failures in a row", upstream.failures);
    }
    if let Some(s) = upstream.last_news_s {
        text += &format!(", news {} ago", seconds(s));
    }
    text
}

fn loops(loops: &[Loop], out: &mut dyn Write) -> io::Result<()> {
    for found in loops {
        let first = found.path.first().map_or("", String::as_str);
        let head = if found.present { "CYCLE" } else { "Past cycle" };
        writeln!(
            out,
            "\n{head}: {} → {first}   (an arrow reads \"asks\")",
            found.path.join(" → ")
        )?;
        writeln!(
            out,
            "  seen {} times, first {}, last {}",
            found.times, found.first_seen, found.last_seen
        )?;
        if found.present {
            writeln!(out, "  It does no harm here; {}.", found.advice)?;
        }
    }
    Ok(())
}

fn peers(view: &Peers, namesakes: &Namesakes, out: &mut dyn Write) -> io::Result<()> {
    let peers = &view.peers;
    if peers.is_empty() {
        return writeln!(out, "\nNo peers are known.");
    }
    writeln!(out, "\nPEER ({})", counts(peers))?;
    let rows: Vec<_> = peers
        .iter()
        .map(|peer| {
            [
                called(peer, namesakes),
                short(&peer.node).to_owned(),
                peer_state(peer, view, namesakes),
                peer.addresses.join(" "),
                format!(
                    "known {}, {} left",
                    seconds(peer.age_s),
                    seconds(peer.lifetime_left_s)
                ),
                learned_from(peer),
                way(peer).to_owned(),
            ]
        })
        .collect();
    table(&rows, out)
}

/// How many are live, and how many of the others there are.
fn counts(peers: &[Peer]) -> String {
    let of = |state: &str| peers.iter().filter(|p| p.state == state).count();
    let mut text = format!("{} known", of("up") + of("suspect"));
    for state in ["suspect", "down", "left"] {
        match of(state) {
            0 => {}
            n if state == "suspect" => text += &format!(", {n} of them suspect"),
            n => text += &format!(", {n} {state}"),
        }
    }
    text
}

/// Beside its ID; who else has the name is said all the same.
fn called(peer: &Peer, namesakes: &Namesakes) -> String {
    match &peer.name {
        None => "-".to_owned(),
        Some(name) => match namesakes.several(name) {
            None => name.clone(),
            Some(n) => format!("{name} (one of {n})"),
        },
    }
}

/// The state, since when, and by whose word.
fn peer_state(peer: &Peer, view: &Peers, namesakes: &Namesakes) -> String {
    let mut text = format!("{} {}", peer.state, seconds(peer.since_s));
    let by = peer.accused_by.iter().map(|id| {
        let known = view.peers.iter().find(|p| p.node == *id);
        let name = match known {
            _ if *id == view.node => Some(view.name.as_str()),
            peer => peer.and_then(|p| p.name.as_deref()),
        };
        match name {
            Some(name) => namesakes.call(name, short(id)),
            None => short(id).to_owned(),
        }
    });
    let by: Vec<_> = by.collect();
    match by.split_last() {
        None => {}
        Some((only, [])) => text += &format!(", says {only}"),
        Some((last, others)) => text += &format!(", say {} and {last}", others.join(", ")),
    }
    text
}

/// What this node has seen of the way to it.
fn way(peer: &Peer) -> &'static str {
    match (peer.linked, peer.reachable, peer.link_lost) {
        (true, ..) => "connected",
        (_, false, _) => "unreachable",
        (_, _, true) => "connection lost",
        _ => "",
    }
}

fn learned_from(peer: &Peer) -> String {
    match peer.learned_from.as_str() {
        "itself" => "from itself".to_owned(),
        "snapshot" => "from the last run".to_owned(),
        "forgotten" => String::new(),
        node => format!("from {}", short(node)),
    }
}

/// Columns as wide as their widest cell.
fn table<const N: usize>(rows: &[[String; N]], out: &mut dyn Write) -> io::Result<()> {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in rows {
        let cells = row.iter().zip(widths);
        let line: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "  {}", line.join("  ").trim_end())?;
    }
    Ok(())
}

/// The start of a node ID, as logs show it.
fn short(node: &str) -> &str {
    node.get(..8).unwrap_or(node)
}

fn seconds(s: u64) -> String {
    match s {
        s if s >= 86_400 => format!("{}d {}h", s / 86_400, s % 86_400 / 3_600),
        s if s >= 3_600 => format!("{}h {}m", s / 3_600, s % 3_600 / 60),
        s if s >= 60 => format!("{}m {}s", s / 60, s % 60),
        s => format!("{s}s"),
    }
}

fn pace(s: f64) -> String {
    if s < 1.0 {
        format!("{:.0}ms", s * 1e3)
    } else {
        seconds(s.round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_for_readers() {
        assert_eq!(seconds(59), "59s");
        assert_eq!(seconds(61), "1m 1s");
        assert_eq!(seconds(90_000), "1d 1h");
        assert_eq!(pace(0.2), "200ms");
        assert_eq!(pace(60.4), "1m 0s");
    }

    #[test]
    fn columns_line_up() {
        let rows = [["a", "b"], ["long", "c"]].map(|row| row.map(str::to_owned));
        let mut out = Vec::new();
        table(&rows, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  a     b\n  long  c\n");
    }
}
