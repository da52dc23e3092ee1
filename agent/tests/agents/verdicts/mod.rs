//! `peerx check FILE` and `peerx run --config FILE` judge a file alike: the same verdict, in the same
//! words, and the same warnings.

mod table;

use super::harness::{Lab, PEERX, eventually, loopback, peerx, private};
use peer_exchange_scenarios::Authority;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use table::{Case, FAULTY, Holds, SOUND};

/// A case on disk, and what both commands say of it.
struct Bench {
    lab: Lab,
    authority: Authority,
    /// Of one member: its key, and its certificate.
    member: (String, String),
    /// A key of somebody else's.
    other_key: String,
}

impl Bench {
    fn new() -> Self {
        let authority = Authority::new();
        let (member, other) = (authority.member_pem(), authority.member_pem());
        Self {
            lab: Lab::new(),
            authority,
            member,
            other_key: other.0,
        }
    }

    /// Writes the files of a case into a directory of its own; where its configuration is.
    fn lay_out(&self, case: &Case) -> PathBuf {
        let dir = self.lab.path(case.name);
        std::fs::create_dir(&dir).unwrap();
        for (name, holds) in case.files {
            let path = dir.join(name);
            let content = match holds {
                Holds::Token => std::fs::read_to_string(self.lab.token_file()).unwrap(),
                Holds::Authority => self.authority.pem(),
                Holds::Certificate => self.member.1.clone(),
                Holds::Key | Holds::OpenKey => self.member.0.clone(),
                Holds::OtherKey => self.other_key.clone(),
                Holds::Text(text) => (*text).to_owned(),
                Holds::Directory => {
                    std::fs::create_dir(&path).unwrap();
                    continue;
                }
            };
            std::fs::write(&path, content).unwrap();
            if !matches!(holds, Holds::OpenKey) {
                private(&path);
            }
        }
        let config = dir.join("peerx.toml");
        let ip = loopback::next().to_string();
        std::fs::write(&config, case.text.replace("{ip}", &ip)).unwrap();
        private(&config);
        config
    }
}

/// A command of peerx on this file, with a state directory of its own.
fn command(config: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PEERX);
    command
        .args(arguments)
        .arg(config)
        .env_remove("PEERX_NODE_NAME")
        .env("STATE_DIRECTORY", config.with_file_name("state"))
        .stdin(Stdio::null());
    command
}

/// Exit code, and what it says.
fn judged(config: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = command(config, arguments).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), said)
}

#[test]
fn what_run_refuses_check_refuses_in_the_same_words() {
    let bench = Bench::new();
    for case in FAULTY {
        let config = bench.lay_out(case);
        let run = judged(&config, &["run", "--config"]);
        let check = judged(&config, &["check"]);
        assert_eq!(run, check, "{}", case.name);
        let (code, said) = check;
        assert_eq!(code, Some(2), "{}: {said}", case.name);
        for part in case.says {
            assert!(said.contains(part), "{}: no {part:?} in {said}", case.name);
        }
        assert!(!said.contains("panicked"), "{said}");
        assert!(!said.contains("hunter2"), "a secret is shown: {said}");
        // Before anything is opened: nothing has been made.
        let made = config.with_file_name("state").join("lock");
        assert!(!made.exists(), "{}", case.name);
    }
    assert!(FAULTY.len() >= 30, "{} faulty files", FAULTY.len());
    let gone = bench.lab.path("gone.toml");
    let run = judged(&gone, &["run", "--config"]);
    assert_eq!(run, judged(&gone, &["check"]));
    assert!(run.1.contains("no such file"), "{}", run.1);
}

/// Warnings about this file in the log of a run.
fn warned(log: &str, config: &Path) -> BTreeSet<String> {
    let config = config.display().to_string();
    let lines = log.lines().filter_map(|line| line.split_once(" WARN "));
    let texts = lines.map(|(_, text)| text.trim().to_owned());
    texts.filter(|text| text.starts_with(&config)).collect()
}

#[test]
fn what_check_finds_sound_runs_with_the_same_warnings() {
    let bench = Bench::new();
    for case in SOUND {
        let config = bench.lay_out(case);
        let output = command(&config, &["check", "--json"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let report = serde_json::from_slice::<serde_json::Value>(&output.stdout);
        let report = report.unwrap_or_else(|e| panic!("{}: {e}: {said}", case.name));
        let warnings = report["warnings"].as_array().unwrap().iter();
        let warnings: BTreeSet<_> = warnings.map(|w| w.as_str().unwrap().to_owned()).collect();
        for part in case.says {
            assert!(
                warnings.iter().any(|warning| warning.contains(part)),
                "{}: no {part:?} in {warnings:?}",
                case.name
            );
        }
        assert_eq!(
            warnings.len(),
            case.says.len(),
            "{}: {warnings:?}",
            case.name
        );

        let log = config.with_file_name("log");
        let mut run = command(&config, &["run", "--config"]);
        run.stderr(std::fs::File::create(&log).unwrap());
        let mut child = run.spawn().unwrap();
        let text = || std::fs::read_to_string(&log).unwrap();
        eventually(&format!("{} runs", case.name), || {
            assert_eq!(child.try_wait().unwrap(), None, "{}: {}", case.name, text());
            text().contains(" is node ")
        });
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{}: {}", case.name, text());
        assert_eq!(warned(&text(), &config), warnings, "{}", case.name);
    }
    assert!(SOUND.len() >= 10, "{} sound files", SOUND.len());
}

/// Files of other machines name files of other machines.
#[test]
fn of_copies_only_what_is_in_them_is_judged() {
    let lab = Lab::new();
    let write = |name: &str, text: &str| {
        let path = lab.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let elsewhere = "token_file = \"/etc/peerx/not-here\"\n";
    let good = write(
        "cluster/a/peerx.toml",
        &format!("{elsewhere}upstreams = \"b\"\n"),
    );
    let other = write("cluster/b/peerx.toml", elsewhere);
    let code = |arguments: &[&str]| {
        let output = peerx(&[&["check"], arguments].concat());
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let dir = lab.path("cluster").display().to_string();
    for copies in [&[&*dir][..], &[&*good, &*other], &["--copied", &*good]] {
        let (code, said) = code(copies);
        assert_ne!(code, Some(2), "{copies:?}: {said}");
    }
    let (alone, said) = code(&[&good]);
    assert_eq!(alone, Some(2));
    assert!(said.contains("/etc/peerx/not-here: no such file"), "{said}");
    let bad = write(
        "cluster/c/peerx.toml",
        &format!("{elsewhere}listen = \"x\"\n"),
    );
    let (copies, said) = code(&[&dir]);
    assert_eq!(copies, Some(2));
    assert!(said.starts_with(&format!("{bad}:2: `listen`")), "{said}");
}

/// `--insecure` needs no token, and takes nothing else that is wrong.
#[test]
fn insecure_excuses_the_token_alone() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    agent
        .set_text("token_file", "missing")
        .argument("--insecure");
    agent.start();
    agent.stop();
    let ended = agent.set("transports", "[]").run();
    assert_eq!(ended.code, Some(2));
    assert!(ended.log.contains("`transports` needs"), "{}", ended.log);
}

/// What a signal brings in is judged as at the start.
#[test]
fn a_reload_is_judged_as_a_start_is() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    agent.start();
    let mark = agent.mark();
    agent
        .set("upstreams", "[\"a:0\"]")
        .set_text("log.level", "loud");
    agent.write_config();
    agent.signal(Signal::HUP);
    for part in [
        "the configuration stays as it is",
        "`upstreams` has \"a:0\"",
        "`log.level` has \"loud\"",
    ] {
        agent.eventually_logs(mark, part);
    }
    agent.assert_runs();
    let mark = agent.mark();
    agent
        .unset("log.level")
        .set("upstreams", "[\"127.0.0.1:9\", \"127.0.0.1:9\"]");
    agent.write_config();
    agent.signal(Signal::HUP);
    agent.eventually_logs(mark, "`upstreams` has 127.0.0.1:9 twice");
    agent.eventually_logs(mark, "was read again");
}
