//! An agent that runs out of file descriptors says so, and when it does no more.

use super::harness::{Agent, Lab, eventually};
use rustix::process::{Resource, Rlimit, prlimit};

/// How many files it has open.
fn open(agent: &Agent) -> u64 {
    let files = format!("/proc/{}/fd", agent.pid().as_raw_nonzero());
    std::fs::read_dir(files).unwrap().count() as u64
}

fn limit(agent: &Agent, current: u64) {
    let limit = Rlimit {
        current: Some(current),
        maximum: Some(4_096),
    };
    prlimit(Some(agent.pid()), Resource::Nofile, limit).unwrap();
}

#[test]
fn running_out_of_file_descriptors_is_said_and_taken_back() {
    let lab = Lab::new();
    let mut agent = lab.agent("server1");
    agent.start();
    assert_eq!(agent.get("/healthz"), Some((200, "ok\n".into())));
    let mark = agent.mark();
    // Enough for who asks, and for little else.
    limit(&agent, open(&agent) + 10);
    eventually("it says so where it is asked", || {
        let answer = agent.get("/healthz");
        answer.is_some_and(|(code, body)| {
            code == 200 && body.contains("file descriptors are in use: raise the limit")
        })
    });
    agent.eventually_logs(mark, "file descriptors are in use: connections fail");
    assert_eq!(agent.lines(mark, &["file descriptors are in use"]), 1);
    limit(&agent, 4_096);
    eventually("it takes it back", || {
        agent.get("/healthz") == Some((200, "ok\n".into()))
    });
    agent.eventually_logs(mark, "there are enough file descriptors again");
    assert_eq!(agent.stop().code, Some(0));
}
