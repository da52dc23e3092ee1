//! `peerx peers`: what a running agent knows.

mod text;

use crate::admin::views::{Loops, Peers, Status};
use crate::ask::{AdminArgs, Client};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::thread::sleep;
use std::time::Duration;

/// Show what a running agent knows: its peers and their states, its upstreams, cycles among them, and
/// whether others reach it.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit codes: 0 fine; 2 no agent answers.

Examples:
  peerx peers
  peerx peers --watch
  peerx peers --json | jq -r '.peers[] | select(.state == \"down\") | .name, .since'
  peerx peers --admin http://127.0.0.1:7652 --json | jq -r '.peers[].addresses[0]'
  peerx peers --admin https://server2:7652 --admin-ca-file ca.pem --admin-token-file token

States: up; suspect (accused of being silent, not yet by enough); down (silent for those who watch
it: in no answer, and back by its own word alone); left (it said so).
Own addresses: proven (others have dialled it, and found this node); unreachable (nobody has that
tried); unproven (nobody has tried, or it is not decided). Those that nobody has configured are where
others see this node, and are told once they are proven.
Names: what nobody would see in one is spelled out (\\u202e); where several nodes have one name, the
start of the ID is beside it.")]
pub(crate) struct PeersArgs {
    #[command(flatten)]
    admin: AdminArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Show it again every second, until interrupted
    #[arg(long)]
    watch: bool,
}

/// Everything at one moment: the JSON of this command.
#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    peers: Peers,
    blocked_transports: Vec<String>,
    own_addresses: Vec<crate::admin::views::OwnAddress>,
    upstreams: Vec<crate::admin::views::Upstream>,
    loops: Vec<crate::admin::views::Loop>,
    readiness: String,
    #[serde(skip)]
    status: StatusLine,
}

/// What the text says about the agent itself.
struct StatusLine {
    standing: String,
    uptime_s: u64,
    listen: Vec<String>,
    links: usize,
    pace_s: f64,
}

/// How often `--watch` looks.
const WATCH: Duration = Duration::from_secs(1);

/// Asks and shows.
///
/// # Errors
/// A message for the user: nobody answers, or something else than an agent.
pub(crate) fn run(args: &PeersArgs, out: &mut dyn Write) -> Result<(), String> {
    let client = Client::new(&args.admin)?;
    if !args.watch {
        let view = View::ask(&client)?;
        return show(&view, args.json, out);
    }
    let terminal = io::stdout().is_terminal() && !args.json;
    loop {
        let view = View::ask(&client);
        if terminal {
            // Home, and clear what is below: no flicker.
            let _ = write!(out, "\x1b[H\x1b[J");
        }
        match view {
            Ok(view) => show(&view, args.json, out)?,
            Err(problem) if terminal => {
                let _ = writeln!(out, "{problem}").and_then(|()| out.flush());
            }
            Err(problem) => return Err(problem),
        }
        sleep(WATCH);
    }
}

fn show(view: &View, json: bool, out: &mut dyn Write) -> Result<(), String> {
    let written = if json {
        serde_json::to_writer(&mut *out, view)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out))
    } else {
        text::write(view, out)
    };
    match written.and_then(|()| out.flush()) {
        // A reader that has seen enough, such as `head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(|error| format!("cannot print: {error}")),
    }
}

impl View {
    fn ask(client: &Client) -> Result<Self, String> {
        let status: Status = client.get("/v1/status")?;
        let peers: Peers = client.get("/v1/peers")?;
        let loops: Loops = client.get("/v1/loops")?;
        Ok(Self {
            peers,
            blocked_transports: status.blocked_transports,
            own_addresses: status.own_addresses,
            upstreams: status.upstreams,
            loops: loops.loops,
            readiness: status.readiness,
            status: StatusLine {
                standing: status.standing,
                uptime_s: status.uptime_s,
                listen: status.listen,
                links: status.links.len(),
                pace_s: status.pace_s,
            },
        })
    }
}
