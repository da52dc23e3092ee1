//! Files of an agent in whose place somebody has put something else, and a state directory that is open
//! to others.

use super::harness::{LIMIT, Lab, Mark, PEERX, succeeds};
use rustix::process::Signal;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

fn fifo(path: &Path) {
    assert!(succeeds(
        "mkfifo",
        &["-m", "600", &path.display().to_string()]
    ));
}

/// What is put there, and how it is named.
type Trap = (fn(&Path, &Path), &'static str);

const TRAPS: [Trap; 2] = [
    (|real, at| symlink(real, at).unwrap(), "symbolic link"),
    (|_, at| fifo(at), "a FIFO"),
];

#[test]
fn a_link_or_a_fifo_is_no_token_file() {
    let lab = Lab::new();
    for (n, (trap, named)) in TRAPS.iter().enumerate() {
        let mut agent = lab.agent(&format!("token-{n}"));
        let token = agent.dir.join("trap");
        trap(&lab.token_file(), &token);
        agent.set_text("token_file", &token.display().to_string());
        let ended = agent.run();
        assert_eq!(ended.code, Some(2), "{}", ended.log);
        assert!(
            ended.log.contains("`token_file`") && ended.log.contains(named),
            "{}",
            ended.log
        );
    }
}

#[test]
fn a_link_or_a_fifo_is_no_key_file() {
    let lab = Lab::new();
    let mut first = lab.agent("first");
    first.start();
    first.stop();
    let real = first.dir.join("state/node.key");
    for (n, (trap, named)) in TRAPS.iter().enumerate() {
        let mut agent = lab.agent(&format!("key-{n}"));
        let key = agent.dir.join("state/node.key");
        fs::create_dir(agent.dir.join("state")).unwrap();
        trap(&real, &key);
        let ended = agent.run();
        assert_eq!(ended.code, Some(2), "{}", ended.log);
        assert!(
            ended.log.contains("node.key") && ended.log.contains(named),
            "{}",
            ended.log
        );
    }
}

/// It is put aside like any that cannot be used, and what it leads to is neither read nor written.
#[test]
fn a_link_or_a_fifo_is_no_state_file() {
    let lab = Lab::new();
    for (n, (trap, named)) in TRAPS.iter().enumerate() {
        let mut agent = lab.agent(&format!("state-{n}"));
        let other = agent.dir.join("other");
        fs::write(&other, "somebody's").unwrap();
        fs::create_dir(agent.dir.join("state")).unwrap();
        for file in ["state", "state.new"] {
            trap(&other, &agent.dir.join("state").join(file));
        }
        agent.start();
        assert_eq!(
            agent.lines(Mark::default(), &["WARN", "cannot be used", named]),
            1
        );
        let ended = agent.stop();
        assert_eq!(ended.code, Some(0), "{}", ended.log);
        assert_eq!(fs::read_to_string(&other).unwrap(), "somebody's");
        let state = agent.state();
        assert!(
            fs::symlink_metadata(&state).unwrap().is_file(),
            "{}",
            agent.log()
        );
        assert!(fs::read(&state).unwrap().starts_with(b"peerx state"));
    }
}

/// What it says, whether it ends by itself, and how.
fn said(arguments: &[&str], config: &Path) -> (Option<i32>, String) {
    let mut command = Command::new(PEERX);
    command.args(arguments).arg(config);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    let mut status = None;
    while status.is_none() && begun.elapsed() < LIMIT {
        sleep(Duration::from_millis(20));
        status = child.try_wait().unwrap();
    }
    let _ = child.kill();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    (status.and_then(|status| status.code()), text)
}

#[test]
fn a_fifo_or_a_device_is_no_configuration() {
    let lab = Lab::new();
    let pipe = lab.path("pipe.toml");
    fifo(&pipe);
    let link = lab.path("link.toml");
    symlink(&pipe, &link).unwrap();
    let device = lab.path("device.toml");
    symlink("/dev/zero", &device).unwrap();
    for (config, named) in [(&pipe, "a FIFO"), (&link, "a FIFO"), (&device, "a device")] {
        for arguments in [&["run", "--config"][..], &["check"]] {
            let (code, text) = said(arguments, config);
            assert_eq!(code, Some(2), "{arguments:?} {named}: {text}");
            assert!(text.contains(named) && text.contains(".toml: "), "{text}");
        }
    }
}

/// Nor does one hold up an agent that is to read its configuration again.
#[test]
fn a_fifo_that_takes_the_place_of_a_configuration_changes_nothing() {
    let lab = Lab::new();
    let mut agent = lab.agent("reloaded");
    agent.start();
    let mark = agent.mark();
    fs::remove_file(agent.config()).unwrap();
    fifo(&agent.config());
    agent.signal(Signal::HUP);
    agent.eventually_logs(mark, "the configuration stays as it is");
    // As one that leads to a file, as in a volume of Kubernetes, it is read.
    fs::remove_file(agent.config()).unwrap();
    let elsewhere = agent.dir.join("elsewhere");
    agent.set("labels.zone", "\"b\"");
    agent.write_config();
    fs::rename(agent.config(), &elsewhere).unwrap();
    symlink(&elsewhere, agent.config()).unwrap();
    let mark = agent.mark();
    agent.signal(Signal::HUP);
    agent.eventually_logs(mark, "the configuration was read again");
}

#[test]
fn a_state_directory_that_is_open_to_others_is_warned_of() {
    let lab = Lab::new();
    for (mode, said) in [
        (0o700, None),
        (0o755, Some("can look into the state directory")),
        (0o777, Some("can change the state directory")),
    ] {
        let mut agent = lab.agent(&format!("mode-{mode:o}"));
        let state = agent.dir.join("state");
        fs::create_dir(&state).unwrap();
        fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
        agent.start();
        let expected = usize::from(said.is_some());
        let said = said.unwrap_or("the state directory");
        let lines = agent.lines(Mark::default(), &["WARN", said, "chmod 700"]);
        assert_eq!(lines, expected, "{mode:o}: {}", agent.log());
    }
}
