//! Members in trouble: a disk or a log that is stuck for a while, and one that crashes all the time.
//! They harm nobody else, and flood nobody's log.

use super::harness::{Agent, Lab, Mark, all_know_all, eventually, start, succeeds};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Whoever is to be found out is, in this time, several times over.
const WATCHED: Duration = Duration::from_secs(15);

/// None of these is down for another, nor hears nobody.
fn nobody_was_down(agents: &[Agent], since: &[Mark]) {
    for (agent, mark) in agents.iter().zip(since) {
        let log = agent.log_since(*mark);
        for other in agents {
            let line = format!("peer {} is down", other.name);
            assert!(!log.contains(&line), "{}: {log}", agent.name);
        }
        assert!(!log.contains("nobody is heard"), "{}: {log}", agent.name);
    }
}

/// A disk of its own for what an agent keeps, which can be made to stand still.
struct Disk {
    at: String,
    is_stuck: bool,
}

impl Disk {
    /// `None`, with a line that says why, where that is not permitted.
    fn of(agent: &Agent) -> Option<Self> {
        let at = agent.dir.join("state");
        fs::create_dir(&at).unwrap();
        let (at, image) = (
            at.display().to_string(),
            agent.dir.join("disk").display().to_string(),
        );
        File::create(&image).unwrap().set_len(8 << 20).unwrap();
        let made = succeeds("mkfs.ext4", &["-q", "-F", &image])
            && succeeds("mount", &["-o", "loop", &image, &at]);
        if !made {
            eprintln!("skipped: no disk can be mounted here from a file");
            return None;
        }
        let disk = Self {
            at,
            is_stuck: false,
        };
        assert!(succeeds("chmod", &["700", &disk.at]));
        Some(disk)
    }

    fn stick(&mut self) {
        assert!(succeeds("fsfreeze", &["--freeze", &self.at]));
        self.is_stuck = true;
    }

    fn free(&mut self) {
        if std::mem::take(&mut self.is_stuck) {
            assert!(succeeds("fsfreeze", &["--unfreeze", &self.at]));
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.free();
        // It is gone when the agent is.
        succeeds("umount", &["--lazy", &self.at]);
    }
}

/// Its disk takes nothing for a while: it is as alive as before, and leaves when it is told to.
#[test]
fn a_disk_that_is_stuck_holds_up_nothing_else() {
    let lab = Lab::new();
    let mut ring = lab.ring(3);
    let Some(mut disk) = Disk::of(&ring[1]) else {
        return;
    };
    start(&mut ring);
    let saves = |agent: &Agent| agent.metric("state_saves_total{outcome=\"done\"}");
    eventually("all have saved", || ring.iter().all(|a| saves(a) >= 1.0));
    // What has changed is gathered for five seconds: let that pass.
    sleep(Duration::from_secs(6));
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    disk.stick();
    let before: Vec<_> = ring.iter().map(saves).collect();
    let mut newcomer = lab.agent("server4");
    let upstream = ring[0].address();
    newcomer.ask(&[&upstream]).start();
    ring.push(newcomer);
    all_know_all(&ring);
    eventually("another has saved that", || saves(&ring[0]) > before[0]);
    sleep(WATCHED);
    assert_eq!(saves(&ring[1]), before[1], "it was not stuck");
    nobody_was_down(&ring[..3], &marks);
    all_know_all(&ring);
    // The disk is back, and so is what could not be saved.
    disk.free();
    eventually("it is saved", || saves(&ring[1]) > before[1]);
    // Stuck again, to the end: nobody waits for the disk, but the system with what it was told to write.
    disk.stick();
    let mark = ring[0].mark();
    let own = ring[1].mark();
    let begun = Instant::now();
    ring[1].signal(Signal::TERM);
    ring[0].eventually_logs(mark, "has left");
    ring[1].eventually_logs(own, "nothing can be written");
    ring[1].eventually_logs(own, "done");
    eprintln!(
        "with a stuck disk it was done after {:.1?}",
        begun.elapsed()
    );
    disk.free();
    assert_eq!(ring[1].wait().code(), Some(0));
    assert_eq!(ring[0].lines(mark, &["peer server2 ", "has left"]), 1);
}

/// Nobody reads its log any more: as with one that is written to a disk that is stuck.
#[test]
fn a_log_that_is_stuck_holds_up_nothing_else() {
    let lab = Lab::new();
    let mut ring = lab.ring(4);
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    ring[1].log_to = Some(writer.try_clone().unwrap().into());
    start(&mut ring);
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    // It ends when the reader is gone.
    let filler = std::thread::spawn(move || while writer.write_all(&[b'.'; 4096]).is_ok() {});
    sleep(Duration::from_secs(1));
    assert!(!filler.is_finished());
    let mut last = ring.pop().unwrap();
    for _ in 0..3 {
        last.kill();
        eventually("it is down", || {
            ring.iter().all(|agent| agent.peers().len() == 2)
        });
        last.start();
        eventually("it is up", || {
            ring.iter().all(|agent| agent.peers().len() == 3)
        });
    }
    sleep(WATCHED);
    nobody_was_down(&ring, &marks);
    ring.push(last);
    all_know_all(&ring);
    // Once somebody reads again, what was said meanwhile is there.
    let all = std::thread::spawn(move || {
        let mut all = Vec::new();
        let mut part = [0; 65_536];
        while !String::from_utf8_lossy(&all).contains("is up again") {
            let n = reader.read(&mut part).unwrap();
            all.extend(part[..n].iter().filter(|b| **b != b'.'));
        }
    });
    eventually("what was said is there", || all.is_finished());
    all.join().unwrap();
    filler.join().unwrap();
}

/// Two that join and crash every five seconds, of which one has forgotten who it was each time.
#[test]
fn whoever_crashes_all_the_time_harms_nobody() {
    const TIMES: u32 = 8;
    let lab = Lab::new();
    let mut ring = lab.ring(4);
    start(&mut ring);
    let names: BTreeSet<_> = ring.iter().map(|agent| agent.name.clone()).collect();
    let upstream = ring[0].address();
    let mut crashing = [lab.agent("remembers"), lab.agent("forgets")];
    let marks: Vec<_> = ring.iter().map(Agent::mark).collect();
    let begun = Instant::now();
    for _ in 0..TIMES {
        for agent in &mut crashing {
            agent.ask(&[&upstream]).spawn();
        }
        sleep(Duration::from_secs(5));
        for agent in &mut crashing {
            agent.kill();
        }
        fs::remove_dir_all(crashing[1].dir.join("state")).unwrap();
    }
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    sleep(Duration::from_secs(5));
    nobody_was_down(&ring, &marks);
    for (agent, mark) in ring.iter().zip(&marks) {
        let log = agent.log_since(*mark);
        let lines = log.lines().count() as f64 / minutes;
        eprintln!("{}: {lines:.0} lines a minute", agent.name);
        assert!(lines < 60.0, "{log}");
        // One for each life and two for each death and return would be more.
        let remembers = log.lines().filter(|line| line.contains("peer remembers "));
        assert!(remembers.count() <= 2 * TIMES as usize, "{log}");
        assert!(!log.contains("panicked"), "{log}");
        let mut others = names.clone();
        others.remove(&agent.name);
        agent.eventually_knows(&others);
    }
}
