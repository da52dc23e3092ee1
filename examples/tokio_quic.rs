//! Embedding on tokio, over QUIC: three nodes on this machine, each asking the next.
//!
//! `cargo run --features tokio --example tokio_quic`

use std::error::Error;
use std::net::Ipv4Addr;

use peer_exchange::driver::Notices;
use peer_exchange::{Config, Driver, Event, Handle, Identity, Instant, Multiaddr, Node, Notice};
use peer_exchange_quic::{Options, Quic};
use peer_exchange_tls::{Membership, NodeKey, Tls, Token, random_seed};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Whoever knows the token is a member. A real cluster keeps it in a file.
    let membership = Membership::token(Token::generate()?);

    let mut transports = Vec::new();
    for _ in 0..3 {
        // A real node keeps its key: `NodeKey::load_or_create`.
        let key = NodeKey::generate()?;
        let tls = Tls::new(&key, &membership)?;
        let listen = [(Ipv4Addr::LOCALHOST, 0).into()];
        transports.push((key, Quic::bind(&listen, tls, Options::default())?));
    }
    let addresses: Vec<_> = transports
        .iter()
        .map(|(_, quic)| Multiaddr::quic(quic.local_addresses()[0]))
        .collect();

    let mut nodes = Vec::new();
    for (i, (key, quic)) in transports.into_iter().enumerate() {
        let own = addresses[i].clone();
        let upstream = addresses[(i + 1) % addresses.len()].clone();
        nodes.push(start(&key, own, upstream, quic)?);
    }

    // Their upstreams form a circle: each of them finds it, and everybody finds everybody.
    for (node, notices) in &mut nodes {
        while node.loops().await?.is_empty() || node.peers().await?.len() < 2 {
            match notices.next().await {
                Some(Notice::Node(Event::PeerUp { node: peer })) => {
                    println!("{:?} knows {peer:?}", node.node());
                }
                Some(Notice::Node(Event::LoopDetected { path })) => {
                    println!("{:?} is on a cycle: {path:?}", node.node());
                }
                Some(_) => {}
                None => return Err("the node has stopped".into()),
            }
        }
    }
    for (node, _) in &nodes {
        println!(
            "{:?}: {} peers, {} links",
            node.node(),
            node.peers().await?.len(),
            node.links().await?.len(),
        );
    }
    for (node, _) in nodes {
        node.leave().await;
    }
    Ok(())
}

fn start(
    key: &NodeKey,
    own: Multiaddr,
    upstream: Multiaddr,
    quic: Quic,
) -> Result<(Handle, Notices), Box<dyn Error>> {
    let mut config = Config::default();
    config.upstreams = vec![upstream];
    // Loopback addresses are good for one machine only, so they have to be asked for.
    config.local = true;
    let identity = Identity::new(key.node()).with_addresses(vec![own]);
    let node = Node::new(config, identity, random_seed()?, Instant::ZERO)?;
    let driver = Driver::new(node).with_transport(quic);
    // Before it starts, so that nothing is missed.
    let notices = driver.handle().subscribe();
    Ok((driver.spawn(), notices))
}
