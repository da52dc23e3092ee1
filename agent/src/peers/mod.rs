//! `peerx peers`: what a running agent knows.

mod text;

use crate::admin::views::{Loops, Peers, Status};
use serde::Serialize;
use serde::de::DeserializeOwned;
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

States: up; suspect (accused of being silent, not yet by enough); down (silent for those who watch
it: in no answer, and back by its own word alone); left (it said so).
Own addresses: proven (others have dialled it, and found this node); unreachable (nobody has that
tried); unproven (nobody has tried, or it is not decided). Those that nobody has configured are where
others see this node, and are told once they are proven.
Names: what nobody would see in one is spelled out (\\u202e); where several nodes have one name, the
start of the ID is beside it.")]
pub(crate) struct PeersArgs {
    /// The agent's admin interface
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7652")]
    admin: String,
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
/// An agent on the same machine answers within this time.
const PATIENCE: Duration = Duration::from_secs(5);
/// A full table of a million records is smaller.
const LARGEST: u64 = 1 << 30;

/// Asks and shows.
///
/// # Errors
/// A message for the user: nobody answers, or something else than an agent.
pub(crate) fn run(args: &PeersArgs, out: &mut dyn Write) -> Result<(), String> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent();
    let base = args.admin.trim_end_matches('/');
    if !args.watch {
        let view = View::ask(&agent, base)?;
        return show(&view, args.json, out);
    }
    let terminal = io::stdout().is_terminal() && !args.json;
    loop {
        let view = View::ask(&agent, base);
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
    fn ask(agent: &ureq::Agent, base: &str) -> Result<Self, String> {
        let status: Status = get(agent, base, "/v1/status")?;
        let peers: Peers = get(agent, base, "/v1/peers")?;
        let loops: Loops = get(agent, base, "/v1/loops")?;
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

fn get<T: DeserializeOwned>(agent: &ureq::Agent, base: &str, path: &str) -> Result<T, String> {
    let url = format!("{base}{path}");
    let answer = agent.get(&url).call().map_err(|error| match error {
        ureq::Error::StatusCode(code) => format!("{url} answered {code}: is a peerx agent there?"),
        error => format!(
            "no agent answers at {url}: {error}; start one with `peerx run`, or name its admin interface with --admin"
        ),
    })?;
    answer
        .into_body()
        .into_with_config()
        .limit(LARGEST)
        .read_json()
        .map_err(|error| format!("{url} is no peerx agent of this version: {error}"))
}
