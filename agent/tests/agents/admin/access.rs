//! TLS and a token: who has neither reads nothing but the probes.

use super::{PATIENCE, answer, say, status};
use crate::harness::{Agent, Lab, PEERX, eventually, peerx, private};
use peer_exchange_scenarios::Authority;
use peer_exchange_tls::rustls::crypto::ring;
use rustix::process::Signal;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// An agent with a certificate and a token, and what its clients need.
struct Guarded {
    agent: Agent,
    authority: Authority,
    ca_file: PathBuf,
    token_file: PathBuf,
}

fn new_token(file: &PathBuf) -> String {
    let token = peerx(&["token"]).stdout;
    std::fs::write(file, &token).unwrap();
    private(file);
    String::from_utf8(token).unwrap().trim().to_owned()
}

impl Guarded {
    fn new(lab: &Lab) -> Self {
        let mut agent = lab.agent("guarded");
        let authority = Authority::new();
        let [ca_file, token_file] = ["ca.pem", "token"].map(|name| agent.dir.join(name));
        std::fs::write(&ca_file, authority.pem()).unwrap();
        agent
            .set_text("admin_certificate_file", "admin.pem")
            .set_text("admin_key_file", "admin.key")
            .set_text("admin_token_file", "token");
        new_token(&token_file);
        let guarded = Self {
            agent,
            authority,
            ca_file,
            token_file,
        };
        guarded.renew();
        guarded
    }

    /// A new certificate, and its key.
    fn renew(&self) {
        let (key, certificate) = self.authority.server_pem(&self.agent.ip.to_string());
        let file = |name: &str| self.agent.dir.join(name);
        std::fs::write(file("admin.pem"), certificate).unwrap();
        std::fs::write(file("admin.key"), key).unwrap();
        private(&file("admin.key"));
    }

    fn url(&self) -> String {
        self.agent.admin().replace("http:", "https:")
    }

    fn client(&self, authority: &Authority) -> ureq::Agent {
        let root = Certificate::from_pem(authority.pem().as_bytes()).unwrap();
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(RootCerts::from([root]))
            .build();
        ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .max_idle_connections(0)
            .tls_config(tls)
            .build()
            .new_agent()
    }

    /// The status, as one who shows this; `None` when there is no answer.
    fn get(&self, path: &str, authorization: Option<&str>) -> Option<u16> {
        let client = self.client(&self.authority);
        let mut request = client.get(format!("{}{path}", self.url()));
        if let Some(value) = authorization {
            request = request.header("Authorization", value);
        }
        let answer = request.call().ok()?;
        let status = answer.status().as_u16();
        let wants = answer.headers().get("www-authenticate");
        assert_eq!(status == 401, wants.is_some());
        Some(status)
    }

    fn start(&mut self) {
        self.agent.spawn();
        eventually("the agent answers", || {
            self.agent.assert_runs();
            self.get("/healthz", None) == Some(200)
        });
    }

    fn peers(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(PEERX);
        command.args(["peers", "--json"]).args(arguments);
        command.envs(environment.iter().copied()).output().unwrap()
    }
}

#[test]
fn without_the_token_only_probes_are_answered() {
    let lab = Lab::new();
    let mut guarded = Guarded::new(&lab);
    guarded.start();
    let token = std::fs::read_to_string(&guarded.token_file).unwrap();
    let good = format!("Bearer {}", token.trim());
    let cut = &good[..good.len() - 1];
    let longer = format!("{good}0");
    let basic = good.replace("Bearer", "Basic");
    for path in [
        "/",
        "/metrics",
        "/v1/peers",
        "/v1/status",
        "/id",
        "/spegel/v1/id",
        "/v1-k3s/p2p",
        "/nothing",
    ] {
        for wrong in [
            None,
            Some(cut),
            Some(&longer),
            Some(&basic),
            Some(token.trim()),
        ] {
            assert_eq!(guarded.get(path, wrong), Some(401), "{path} {wrong:?}");
        }
        assert_ne!(guarded.get(path, Some(&good)), Some(401), "{path}");
    }
    assert_eq!(guarded.get("/metrics", Some(&good)), Some(200));
    assert_eq!(
        guarded.get("/readyz", None).map(|code| code != 401),
        Some(true)
    );
    // Whoever shows it has found the right one, under whatever name.
    let client = guarded.client(&guarded.authority);
    let request = client.get(format!("{}/metrics", guarded.url()));
    let named = request
        .header("Host", "evil.example")
        .header("Authorization", &good);
    assert_eq!(named.call().unwrap().status(), 200);
    // It is what its certificate says, and speaks nothing else.
    let stranger = guarded.client(&Authority::new());
    assert!(
        stranger
            .get(format!("{}/healthz", guarded.url()))
            .call()
            .is_err()
    );
    assert!(guarded.agent.get("/healthz").is_none());
    assert!(
        guarded
            .agent
            .log()
            .contains(&format!("admin interface on {}", guarded.url()))
    );
}

#[test]
fn probes_are_answered_beside_300_handshakes_that_do_not_end() {
    let lab = Lab::new();
    let mut guarded = Guarded::new(&lab);
    guarded.start();
    let silent: Vec<_> = (0..300).map(|_| say(&guarded.agent, "")).collect();
    let cut: Vec<_> = (0..300)
        .map(|_| say(&guarded.agent, "\x16\x03\x01\x02\x00\x01"))
        .collect();
    assert_eq!(guarded.get("/healthz", None), Some(200));
    drop((silent, cut));
}

#[test]
fn the_command_shows_the_token_from_options_or_the_environment() {
    let lab = Lab::new();
    let mut guarded = Guarded::new(&lab);
    guarded.start();
    let url = guarded.url();
    let [ca, token] = [&guarded.ca_file, &guarded.token_file].map(|file| file.to_str().unwrap());
    let asked = guarded.peers(
        &[
            "--admin",
            &url,
            "--admin-ca-file",
            ca,
            "--admin-token-file",
            token,
        ],
        &[],
    );
    assert_eq!(asked.status.code(), Some(0), "{asked:?}");
    let environment = [
        ("PEERX_ADMIN", url.as_str()),
        ("PEERX_ADMIN_CA_FILE", ca),
        ("PEERX_ADMIN_TOKEN_FILE", token),
    ];
    let asked = guarded.peers(&[], &environment);
    let view: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(view["name"], "guarded");
    let other = guarded.agent.dir.join("other");
    new_token(&other);
    for (environment, says) in [
        (&environment[..1], "--admin-ca-file"),
        (
            &environment[..2],
            "answered 401: it asks for another token: --admin-token-file",
        ),
        (
            &[
                environment[0],
                environment[1],
                ("PEERX_ADMIN_TOKEN_FILE", other.to_str().unwrap()),
            ],
            "answered 401",
        ),
        (
            &[
                environment[0],
                environment[1],
                ("PEERX_ADMIN_TOKEN_FILE", "gone"),
            ],
            "no such file",
        ),
    ] {
        let asked = guarded.peers(&[], environment);
        let said = String::from_utf8_lossy(&asked.stderr);
        assert_eq!(asked.status.code(), Some(2), "{said}");
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_new_token_and_a_new_certificate_are_in_force_after_a_reload() {
    let lab = Lab::new();
    let mut guarded = Guarded::new(&lab);
    guarded.start();
    let show = |token: &str| format!("Bearer {}", token.trim());
    let old = show(&std::fs::read_to_string(&guarded.token_file).unwrap());
    assert_eq!(guarded.get("/metrics", Some(&old)), Some(200));
    let new = show(&new_token(&guarded.token_file));
    guarded.authority = Authority::new();
    guarded.renew();
    guarded.agent.signal(Signal::HUP);
    eventually("the new ones are in force", || {
        guarded.get("/metrics", Some(&new)) == Some(200)
    });
    assert_eq!(guarded.get("/metrics", Some(&old)), Some(401));
    // What cannot be used changes nothing.
    let mark = guarded.agent.mark();
    std::fs::write(&guarded.token_file, "short").unwrap();
    guarded.agent.signal(Signal::HUP);
    guarded
        .agent
        .eventually_logs(mark, "the configuration stays as it is");
    assert_eq!(guarded.get("/metrics", Some(&new)), Some(200));
}

/// On loopback nothing goes over a wire: a token keeps out the other users of the machine.
#[test]
fn on_loopback_a_token_needs_no_tls() {
    let lab = Lab::new();
    let mut agent = lab.agent("local");
    let file = agent.dir.join("token");
    let token = new_token(&file);
    agent.set_text("admin_token_file", "token");
    agent.start();
    let asked = |header: &str| {
        let request =
            format!("GET /v1/status HTTP/1.1\r\nHost: a\r\n{header}Connection: close\r\n\r\n");
        status(&answer(&agent, &request).0)
    };
    assert_eq!(asked(""), 401);
    assert_eq!(asked(&format!("Authorization: Bearer {token}\r\n")), 200);
    let shown = peerx(&[
        "peers",
        "--admin",
        &agent.admin(),
        "--admin-token-file",
        file.to_str().unwrap(),
    ]);
    assert_eq!(shown.status.code(), Some(0), "{shown:?}");
}
