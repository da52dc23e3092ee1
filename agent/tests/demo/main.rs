//! `peerx demo`, run as people run it: judged by its exit code and what it prints.

mod bad_input;
mod descriptors;
mod json;
mod story;

use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// It gives up after a minute itself.
const LIMIT: Duration = Duration::from_secs(120);

const TRANSPORTS: [&str; 3] = ["quic", "tcp", "memory"];

/// What one run printed, and its exit code.
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

fn demo(arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerx"));
    run(command.arg("demo").args(arguments))
}

/// Runs it, not for ever.
fn run(command: &mut Command) -> Run {
    let command = command.stdin(Stdio::null());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    // What it prints fits into the pipe.
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("{command:?} has not ended after {LIMIT:?}");
        }
        sleep(Duration::from_millis(10));
    };
    let (mut stdout, mut stderr) = (String::new(), String::new());
    child.stdout.unwrap().read_to_string(&mut stdout).unwrap();
    child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
    Run {
        code: status.code().expect("no signal has ended it"),
        stdout,
        stderr,
    }
}
