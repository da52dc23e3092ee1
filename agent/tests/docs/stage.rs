//! The cluster that the documents show: its configuration files, and three agents that run.

use crate::harness::{self, Agent, Lab, PEERX, eventually};
use std::path::Path;
use std::process::Command;

/// A directory as the documents assume it, and `server1` to `server3`: server2 asks server1, server3
/// asks server2, and then server1 was pointed at server3.
pub(crate) struct Stage {
    lab: Lab,
    agents: Vec<Agent>,
}

/// Peer IDs of the registries beside the agents.
const REGISTRIES: [&str; 3] = [
    "12D3KooWGGpS4fVQQEL1hYJSvdK16WpY2PLmyEmsJswiNcdazWAL",
    "12D3KooWH46vGd2B9FXDcosoW4YUByS3ipTQmom2i6RTaD4pXouC",
    "12D3KooWQ7gdf9VVJk9HPD9MxFjSwtC8o96SEAAGqnrYzR2Q8gcc",
];

impl Stage {
    pub(crate) fn new() -> Self {
        let lab = Lab::new();
        rancher(&lab.path("cluster"));
        let mut agents: Vec<_> = (1..=3).map(|i| lab.agent(&format!("server{i}"))).collect();
        for i in 0..3 {
            let upstream = agents[(i + 2) % 3].address();
            let registry = format!("/ip4/10.0.0.{}/tcp/5001/p2p/{}", i + 1, REGISTRIES[i]);
            agents[i]
                .ask(&[&upstream])
                .set("libp2p.advertise", &format!("[{registry:?}]"));
        }
        harness::start(&mut agents);
        let says = |path: &str, what: &str, times: usize| {
            eventually(what, || {
                let page = agents[0].get(path);
                page.is_some_and(|(_, body)| body.matches(what).count() >= times)
            });
        };
        says("/v1/loops", "\"present\":true", 1);
        says("/id", "\"ID\"", 2);
        Self { lab, agents }
    }

    /// Runs a command line in that directory, with `peerx` on its path, at the first agent.
    pub(crate) fn run(&self, command: &str) -> Vec<String> {
        let admin = self.agents[0].admin();
        let command = command
            .replace("http://127.0.0.1:7652", &admin)
            .replace("peerx peers", &format!("peerx peers --admin {admin}"));
        let beside = Path::new(PEERX).parent().expect("its directory");
        let path = std::env::var("PATH").unwrap_or_default();
        let output = Command::new("bash")
            .args(["-c", &command])
            .current_dir(self.lab.path(""))
            .env("PATH", format!("{}:{path}", beside.display()))
            .output()
            .expect("bash");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}

/// `cluster/`: a directory for each server, as copied from their hosts.
fn rancher(cluster: &Path) {
    for (host, text) in [
        ("server1", "server: https://server3:9345\n"),
        ("server2", "server: https://server1:9345\n"),
        ("server3", "server: https://server2:9345\n"),
    ] {
        let host = cluster.join(host);
        std::fs::create_dir_all(&host).expect("a directory");
        std::fs::write(host.join("config.yaml"), text).expect("a file");
    }
}
