//! A thousand and three thousand silent connections a second, and a member that joins.

mod kind;

use std::collections::HashSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use kind::OverQuic;
use peer_exchange_scenarios::flood::{self, Flood};
use peer_exchange_scenarios::{Kind, Plan, Running};
use quinn::Endpoint;
use quinn::crypto::rustls::QuicClientConfig;
use tokio::task;

/// First packets of so many connections. They come from a client that dials a socket of ours.
async fn first_packets(count: usize) -> Vec<Vec<u8>> {
    let config = QuicClientConfig::try_from(Plan::new().tls().client()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(config));
    let client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let sink = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        .await
        .unwrap();
    let to = sink.local_addr().unwrap();
    let (mut seen, mut packets) = (HashSet::new(), Vec::new());
    let mut datagram = [0; 2048];
    for _ in 0..count {
        let connecting = client.connect_with(config.clone(), to, "anything").unwrap();
        // Ends of earlier ones may come before it.
        let packet = loop {
            let (length, _) = sink.recv_from(&mut datagram).await.unwrap();
            let packet = &datagram[..length];
            // The destination connection ID (RFC 9000, section 17.2).
            let id = packet[6..6 + usize::from(packet[5])].to_vec();
            if seen.insert(id) {
                break packet.to_vec();
            }
        };
        packets.push(packet);
        drop(connecting);
    }
    packets
}

/// Sends them, and reads nothing of what comes back.
fn silent(target: &Running<OverQuic>, packets: Vec<Vec<u8>>, rate: u64) -> Flood {
    let to = OverQuic::socket(&target.transport);
    let out = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut packets = packets.into_iter();
    Flood::start(rate, move || match packets.next() {
        Some(packet) => {
            // What the system has no room for is lost, as it is elsewhere.
            let _ = out.send_to(&packet, to);
            true
        }
        None => false,
    })
}

async fn joins_under(rate: u64) {
    let packets = first_packets(7 * rate as usize).await;
    let target = Plan::new().start::<OverQuic>();
    let flood = silent(&target, packets, rate);
    let took = flood::joins(&target, &flood).await;
    eprintln!(
        "{rate} a second: joined after {took:.2} s, {:?}",
        target.stats()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_joins_under_a_thousand_a_second() {
    joins_under(1000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_joins_under_three_thousand_a_second() {
    joins_under(3000).await;
}

/// Clients that show their address, finish TLS, and then say nothing: more than any that spoofs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_joins_under_clients_that_show_their_address() {
    let target = Plan::new().start::<OverQuic>();
    let to = OverQuic::socket(&target.transport);
    let config = QuicClientConfig::try_from(Plan::new().tls().client()).unwrap();
    let config = quinn::ClientConfig::new(Arc::new(config));
    let client = Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let runtime = task::spawn(std::future::pending::<()>());
    let here = tokio::runtime::Handle::current();
    // What a machine that computes for both ends can do beside the rest.
    let flood = Flood::start(300, move || {
        let _there = here.enter();
        let connecting = client.connect_with(config.clone(), to, "anything").unwrap();
        task::spawn(async move {
            let connection = connecting.await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(connection);
        });
        true
    });
    let took = flood::joins(&target, &flood).await;
    eprintln!("joined after {took:.2} s, {:?}", target.stats());
    runtime.abort();
}
