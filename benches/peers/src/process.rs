//! Each case in a process of its own, bounded in CPU time and memory.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::case::Case;
use crate::measure::{Outcome, measure};

/// A case and what came of it.
pub type Measured = (Case, Outcome);

/// What a child process does: it measures one case, and prints the outcome as JSON.
///
/// # Errors
/// When a limit cannot be set.
pub fn child(case: &Case) -> io::Result<String> {
    // Nobody waits for it any more when the command is gone.
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    // The measurement stops by itself; these stop what does not.
    limit(Resource::Cpu, case.cpu_seconds + 30)?;
    limit(Resource::As, case.memory_gb * 1_000_000_000)?;
    Ok(serde_json::to_string(&measure(case))?)
}

fn limit(resource: Resource, most: u64) -> io::Result<()> {
    let most = Some(most);
    setrlimit(
        resource,
        Rlimit {
            current: most,
            maximum: most,
        },
    )?;
    Ok(())
}

/// Measures all cases, so many at a time, and says each when it is done.
pub fn measure_all(
    cases: Vec<Case>,
    jobs: usize,
    done: impl Fn(&Measured) + Sync,
) -> Vec<Measured> {
    let waiting = Mutex::new((cases, false));
    let measured = Mutex::new(Vec::new());
    let worker = || {
        while let Some(case) = next(&waiting) {
            let outcome = spawn(&case);
            if case.is_heavy() {
                lock(&waiting).1 = false;
            }
            let row = (case, outcome);
            done(&row);
            lock(&measured).push(row);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(worker);
        }
    });
    measured
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The next case; a heavy one only when none is under way.
fn next(waiting: &Mutex<(Vec<Case>, bool)>) -> Option<Case> {
    let (cases, heavy) = &mut *lock(waiting);
    let at = cases.iter().position(|case| !(case.is_heavy() && *heavy))?;
    let case = cases.remove(at);
    *heavy |= case.is_heavy();
    Some(case)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Measures a case in a process of its own. That it dies is an outcome, too.
fn spawn(case: &Case) -> Outcome {
    let failed = |why: String| Outcome {
        stopped: Some(why),
        ..Outcome::default()
    };
    let run = || -> io::Result<(String, String, std::process::ExitStatus)> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("one")
            .args(arguments(case))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (mut out, mut err) = (String::new(), String::new());
        if let Some(stdout) = &mut child.stdout {
            stdout.read_to_string(&mut out)?;
        }
        if let Some(stderr) = &mut child.stderr {
            stderr.read_to_string(&mut err)?;
        }
        Ok((out, err, child.wait()?))
    };
    match run() {
        Ok((out, err, status)) => serde_json::from_str(&out).unwrap_or_else(|_| {
            let why = err
                .lines()
                .find(|line| !line.trim().is_empty())
                .unwrap_or("");
            failed(format!("ended with {status}: {why}"))
        }),
        Err(error) => failed(format!("could not be started: {error}")),
    }
}

fn arguments(case: &Case) -> Vec<String> {
    let mut arguments = vec![
        value(&case.candidate),
        value(&case.topology),
        case.size.to_string(),
    ];
    for (name, value) in [
        ("--loss", case.loss.to_string()),
        ("--seed", case.seed.to_string()),
        ("--cpu-seconds", case.cpu_seconds.to_string()),
        ("--memory-gb", case.memory_gb.to_string()),
    ] {
        arguments.extend([name.to_owned(), value]);
    }
    if case.streams {
        arguments.push("--streams".to_owned());
    }
    arguments
}

fn value(value: &impl clap::ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
