//! Files of an agent in whose place somebody has put something else, and a state directory that is open
//! to others.

use super::harness::{Lab, Mark, succeeds};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

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
