//! What is signed, as proto/README.md has it.

use peer_exchange::bytes::Bytes;
use peer_exchange::wire::{self, Content, Decoded, Message};
use peer_exchange::{
    Config, Effect, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId, Signing,
};
use peer_exchange_tls::NodeKey;

use crate::support::build::{body, id, request};

/// The private key of RFC 8410, section 10.3.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
    -----END PRIVATE KEY-----\n";

const CONTRACT: &str = include_str!("../../proto/README.md");

fn address() -> Multiaddr {
    "/ip4/192.0.2.1/tcp/4000".parse().unwrap()
}

/// The bytes of the table in the contract.
fn signed(node: &NodeId, version: u64, beat: u32, body: &[u8]) -> Vec<u8> {
    statement("record", node, version, beat, body)
}

fn statement(kind: &str, node: &NodeId, version: u64, beat: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("peer-exchange v1 {kind}\x04prod").into_bytes();
    bytes.extend_from_slice(node.as_bytes());
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&beat.to_be_bytes());
    bytes.extend_from_slice(body);
    bytes
}

fn sent(node: &mut Node) -> Vec<Message> {
    let mut sent = Vec::new();
    loop {
        match node.poll() {
            Effect::Send { bytes, .. } => {
                let Ok(Decoded::Message(message)) = wire::decode(bytes) else {
                    panic!("no message");
                };
                sent.push(message);
            }
            Effect::WaitUntil(_) => return sent,
            _ => {}
        }
    }
}

fn give(node: &mut Node, bytes: Bytes) {
    let link = LinkId::new(1);
    node.handle(node.now(), Input::Message { link, bytes })
        .unwrap();
}

/// R50: what a node sends of itself is signed over these bytes, a leaving too.
#[test]
fn a_node_signs_what_the_contract_says() {
    let key = NodeKey::from_pem(KEY.as_bytes()).unwrap();
    let identity = Identity::new(key.node())
        .with_addresses(vec![address()])
        .with_seal(key.seal());
    let config = Config::default()
        .with_cluster("prod".into())
        .with_signing(Signing::Require);
    let mut node = Node::new(config, identity, [7; 32], Instant::ZERO).unwrap();
    let (link, remote) = (LinkId::new(1), None);
    let up = Input::LinkUp {
        link,
        node: id(2),
        remote,
        dial: None,
    };
    node.handle(Instant::ZERO, up).unwrap();
    sent(&mut node);
    give(&mut node, wire::encode(Message::Request(request(1))));
    let mut found = sent(&mut node);
    node.handle(Instant::ZERO, Input::Leave).unwrap();
    found.extend(sent(&mut node));
    let mut bodies = Vec::new();
    for message in found {
        let page = match message {
            Message::Response(r) => r.delta.map(|d| d.content),
            Message::Update(u) => u.news.map(|news| Content::Records(news.records)),
            _ => None,
        };
        let Some(Content::Records(page)) = page else {
            continue;
        };
        for record in page.iter() {
            let (version, beat) = (record.sequence.version, record.sequence.beat);
            let bytes = signed(&key.node(), version, beat, record.body);
            assert_eq!(record.signature, Some(&key.seal().sign(&bytes)));
            bodies.push(record.body.to_vec());
        }
    }
    assert_eq!(bodies.len(), 2, "a record and a leaving");
    assert!(!bodies[0].is_empty() && bodies[1].is_empty());
}

/// R50: the example of the contract.
#[test]
fn the_example_is_the_one_that_is_shown() {
    let key = NodeKey::from_pem(KEY.as_bytes()).unwrap();
    let body = body(&[address()]);
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let shown: String = CONTRACT.split_whitespace().collect();
    assert!(CONTRACT.contains(&hex(&body)));
    let signature = hex(&key.seal().sign(&signed(&key.node(), 7, 3, &body)));
    assert!(shown.contains(&signature), "{signature}");

    let subject = NodeId::new([0x11; 32]);
    let accused = statement("accusation", &subject, 7, 3, key.node().as_bytes());
    let signature = hex(&key.seal().sign(&accused));
    assert!(shown.contains(&signature), "{signature}");
}
