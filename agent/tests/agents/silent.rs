//! A thousand and three thousand silent connections a second, while a member joins.

use super::flood::{destination, tls};
use super::harness::{Agent, Lab, eventually};
use peer_exchange_scenarios::flood::{Flood, From, silent_tcp};
use quinn::crypto::rustls::QuicClientConfig;
use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

/// Of the time of the flood a newcomer has so much, in seconds.
const PATIENCE: f64 = 3.0;
/// Of so many newcomers one after another one needs no longer: on a machine that is busy with other
/// work a process may take that long to start.
const TRIES: usize = 4;
/// What the agent may have in memory meanwhile, in bytes.
const MEMORY: f64 = 100e6;

#[test]
fn a_member_joins_under_a_thousand_a_second_over_tcp() {
    joins("tcp", 1000, |to| Box::new(silent_tcp(to, From::Here)));
}

#[test]
fn a_member_joins_under_three_thousand_a_second_over_tcp() {
    joins("tcp", 3000, |to| Box::new(silent_tcp(to, From::Everywhere)));
}

#[test]
fn a_member_joins_under_a_thousand_a_second_over_quic() {
    joins("quic", 1000, |to| first_packets(to, 6000));
}

#[test]
fn a_member_joins_under_three_thousand_a_second_over_quic() {
    joins("quic", 3000, |to| first_packets(to, 18_000));
}

type Send = Box<dyn FnMut() -> bool + std::marker::Send>;

/// Starts a member over each transport in the midst of a flood over one.
fn joins(transport: &str, rate: u64, send: fn(SocketAddr) -> Send) {
    let lab = Lab::new();
    let mut target = lab.agent("target");
    target.start();
    let send = send(target.socket());
    let flood = Flood::start(rate, send);
    let turned_away =
        format!("handshakes_total{{transport=\"{transport}\",outcome=\"turned_away\"}}");
    eventually("some are turned away", || {
        flood.seconds() > 1.0 && target.metric(&turned_away) > 0.0
    });
    for newcomer in ["quic", "tcp"] {
        let mut took = Vec::new();
        while took.len() < TRIES && took.iter().all(|took| *took >= PATIENCE) {
            let name = format!("{newcomer}{}", took.len());
            took.push(join(&lab, &target, newcomer, &name, &flood));
        }
        let memory = target.metric("resident_memory_bytes");
        eprintln!(
            "{rate} a second over {transport}: joined over {newcomer} after {took:.2?} s, with {:.1} MB there",
            memory / 1e6
        );
        assert!(flood.goes_on(), "it ended first");
        assert!(
            took.iter().any(|took| *took < PATIENCE),
            "over {newcomer}: {took:.1?} s"
        );
        assert!(memory < MEMORY, "{memory} bytes");
    }
}

/// How long it took until it was linked, in seconds of the flood, the start of its process included.
fn join(lab: &Lab, target: &Agent, transport: &str, name: &str, flood: &Flood) -> f64 {
    let (begun, mark) = (flood.seconds(), target.mark());
    let mut newcomer = lab.agent(name);
    newcomer
        .set("transports", &format!("[{transport:?}]"))
        .ask(&[&format!("{transport}://{}", target.address())])
        .spawn();
    let mut took = 0.0;
    // By its log: what its pages say may be a second old.
    let known = format!("peer {name} (");
    eventually("it is linked", || {
        let linked = target.lines(mark, &[&known, "is known"]) > 0;
        took = flood.seconds() - begun;
        linked
    });
    newcomer.kill();
    took
}

/// Sends first packets of so many connections, made before it begins, and again from the first on when
/// those have long been given up, and reads nothing of what comes back. They come from a client that
/// dials a socket of ours.
fn first_packets(to: SocketAddr, count: usize) -> Send {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let packets = runtime.block_on(async {
        let config = QuicClientConfig::try_from(tls().client()).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(config));
        let client = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let sink = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let sink = sink.unwrap();
        let at = sink.local_addr().unwrap();
        let (mut seen, mut packets, mut datagram) = (HashSet::new(), Vec::new(), [0; 2048]);
        while packets.len() < count {
            let connecting = client.connect_with(config.clone(), at, "anything").unwrap();
            // Ends of earlier ones may come before it.
            loop {
                let (length, _) = sink.recv_from(&mut datagram).await.unwrap();
                if seen.insert(destination(&datagram)) {
                    packets.push(datagram[..length].to_vec());
                    break;
                }
            }
            drop(connecting);
        }
        packets
    });
    let out = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut next = (0..packets.len()).cycle();
    Box::new(move || {
        if let Some(next) = next.next() {
            // What the system has no room for is lost, as it is elsewhere.
            let _ = out.send_to(&packets[next], to);
        }
        true
    })
}
