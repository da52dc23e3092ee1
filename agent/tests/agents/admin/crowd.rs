//! An agent that knows many: its state says so.

use crate::harness::Agent;
use bytes::Bytes;
use peer_exchange::wire::{self, Message, RecordsBuilder, Update, WireRecord};
use peer_exchange::{
    Config, Effect, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId, Sequence, Signing,
};
use peer_exchange_tls::NodeKey;
use std::time::{SystemTime, UNIX_EPOCH};

/// As many as fit in a message.
const PAGE: u32 = 150;
const LINK: LinkId = LinkId::new(1);

/// Gives an agent that has not run the state of one that has met so many.
pub(super) fn gathers(agent: &mut Agent, peers: u32) {
    agent
        .set_text("signing", "off")
        .set_text("detection", "off");
    let dir = agent.dir.join("state");
    std::fs::create_dir(&dir).unwrap();
    let key = NodeKey::load_or_create(dir.join("node.key")).unwrap();
    let mut file = b"peerx state\x01".to_vec();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    file.extend_from_slice(&(now.as_millis() as u64).to_be_bytes());
    // Of another start of the machine: the wall clock counts.
    file.extend_from_slice(&[0; 24]);
    file.extend_from_slice(&snapshot(&key, peers));
    let sum = crc32fast::hash(&file);
    file.extend_from_slice(&sum.to_be_bytes());
    std::fs::write(agent.state(), file).unwrap();
}

fn snapshot(key: &NodeKey, peers: u32) -> Vec<u8> {
    let mut config = Config::default()
        .with_signing(Signing::Off)
        .with_local(true);
    config.messages_per_second = 100_000;
    config.bytes_per_second = 1 << 30;
    let identity = Identity::new(key.node())
        .with_addresses(vec![address(0)])
        .with_seal(key.seal());
    let now = Instant::from_millis(1_000);
    let mut node = Node::new(config, identity, [7; 32], now).unwrap();
    let node_1 = id(1);
    let up = Input::LinkUp {
        link: LINK,
        node: node_1,
        remote: None,
        dial: None,
    };
    input(&mut node, now, up);
    for first in (1..=peers).step_by(PAGE as usize) {
        let bytes = update(first, PAGE.min(peers + 1 - first));
        input(&mut node, now, Input::Message { link: LINK, bytes });
    }
    assert_eq!(node.peer_count(), peers as usize);
    node.snapshot(now)
}

fn input(node: &mut Node, now: Instant, input: Input) {
    node.handle(now, input).unwrap();
    loop {
        match node.poll() {
            Effect::Send { link, .. } => node.handle(now, Input::Sent { link }).unwrap(),
            Effect::Dial { dial, .. } => node.handle(now, Input::DialFailed { dial }).unwrap(),
            Effect::WaitUntil(_) => break,
            Effect::Close { .. } | Effect::Event(_) => {}
        }
    }
}

fn id(n: u32) -> NodeId {
    let mut bytes = [0x5a; 32];
    bytes[..4].copy_from_slice(&n.wrapping_mul(0x9e37_79b1).to_be_bytes());
    NodeId::new(bytes)
}

/// Of this machine, where nobody listens.
fn address(n: u32) -> Multiaddr {
    let [_, b, c, d] = n.to_be_bytes();
    Multiaddr::tcp(([127, b, c, d], 9).into())
}

/// Records with a name and labels, as agents have them; every seventh without.
fn update(first: u32, n: u32) -> Bytes {
    let mut page = RecordsBuilder::with_capacity(n as usize);
    for i in first..first + n {
        let mut body = vec![0x0a, 8];
        body.extend_from_slice(address(i).as_bytes());
        if !i.is_multiple_of(7) {
            let metadata = format!("name=server{i:05}\nzone={}", "z".repeat(100));
            body.extend_from_slice(&[0x12, metadata.len() as u8]);
            body.extend_from_slice(metadata.as_bytes());
        }
        let record = WireRecord {
            node: id(i),
            sequence: Sequence {
                version: 1,
                beat: 0,
            },
            remaining_s: 80_000,
            body: &body,
            signature: None,
        };
        assert!(
            page.push(record, 64 * 1024 - 256),
            "{i} is too much for a message"
        );
    }
    let update = Update {
        records: page.finish(),
        ..Update::default()
    };
    wire::encode(Message::Update(update))
}
