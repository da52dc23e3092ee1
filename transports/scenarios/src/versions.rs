//! Nodes of another version, and of a later one (R23).

use bytes::{Bytes, BytesMut};
use peer_exchange::driver::{Ended, Filter};
use peer_exchange::wire::{self, Decoded, Message};
use peer_exchange::{CloseReason, NodeId, Notice, UpstreamState};

use crate::lab::{Kind, Plan, Running};

/// Which version of the protocol a node speaks, to whoever listens: inside it is always this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Speaks {
    /// This version.
    #[default]
    This,
    /// Version 2 and no other: it offers nothing else, and ignores what is of version 1. What is
    /// understood in every version is `Hello` and `Goodbye`.
    Another,
    /// This version and the next: with feature bits, fields and kinds that this one does not know.
    Later,
}

/// Fields 1000 to 1003: a varint, bytes, 32 and 64 bits.
const UNKNOWN: [u8; 30] = [
    0xc0, 0x3e, 0x7f, 0xca, 0x3e, 5, b'l', b'a', b't', b'e', b'r', 0xd5, 0x3e, 1, 2, 3, 4, 0xd9,
    0x3e, 1, 2, 3, 4, 5, 6, 7, 8, 0xc0, 0x3e, 0,
];
/// Kind 11; and an envelope without a kind, with a field that is none.
const OTHERS: [&[u8]; 2] = [b"\x5a\x04late", b"\x08\x02"];
const NEXT: u32 = wire::VERSION + 1;

impl Filter for Speaks {
    fn sent(&self, _: NodeId, message: Bytes) -> Vec<Bytes> {
        match self {
            Self::This => vec![message],
            Self::Another => vec![another(message, |hello| {
                (hello.min_version, hello.max_version) = (NEXT, NEXT);
            })],
            Self::Later => later(message),
        }
    }

    fn received(&self, _: NodeId, message: Bytes) -> Vec<Bytes> {
        match self {
            Self::This | Self::Later => vec![message],
            // It leaves the judgement to the other end.
            Self::Another => vec![another(message, |_| {})],
        }
    }
}

fn read(message: &Bytes) -> Message {
    match wire::decode(message.clone()) {
        Ok(Decoded::Message(message)) => message,
        other => panic!("a message of this version: {other:?}"),
    }
}

fn another(message: Bytes, change: impl FnOnce(&mut wire::Hello)) -> Bytes {
    match read(&message) {
        Message::Hello(mut hello) => {
            change(&mut hello);
            wire::encode(Message::Hello(hello))
        }
        Message::Goodbye(_) => message,
        _ => {
            // A kind that this version does not know.
            let mut other = BytesMut::from(message);
            other[0] = 15 << 3 | 2;
            other.freeze()
        }
    }
}

fn later(message: Bytes) -> Vec<Bytes> {
    match read(&message) {
        Message::Hello(mut hello) => {
            (hello.max_version, hello.features) = (NEXT, u64::MAX);
            vec![with_more_fields(&wire::encode(Message::Hello(hello)))]
        }
        // Nothing comes behind the last one.
        Message::Goodbye(_) => vec![with_more_fields(&message)],
        _ => {
            let mut all = vec![with_more_fields(&message)];
            all.extend(OTHERS.map(Bytes::from_static));
            all
        }
    }
}

/// More fields within and behind what is known.
fn with_more_fields(message: &Bytes) -> Bytes {
    // The tag of its kind.
    let (head, mut rest) = message.split_at(1);
    let length = prost::decode_length_delimiter(&mut rest).expect("one kind");
    assert_eq!(length, rest.len(), "and nothing else");
    let mut out = BytesMut::from(head);
    prost::encode_length_delimiter(length + UNKNOWN.len(), &mut out).expect("room");
    for part in [rest, &UNKNOWN, &UNKNOWN] {
        out.extend_from_slice(part);
    }
    out.freeze()
}

/// It dials a member, and a member dials it. Both times it is told why, nobody's table changes, and
/// it is left alone for as long as the backoff ever lasts.
pub async fn a_node_of_another_version_is_told_so_and_left_alone<K: Kind>() {
    let one = Plan::new().start::<K>();
    let mut plan = Plan::new().upstream(&one.address);
    plan.speaks = Speaks::Another;
    let mut other = plan.start::<K>();
    let two = Plan::new().upstream(&one.address).start::<K>();
    let plan = Plan::new().upstream(&one.address).upstream(&other.address);
    let mut three = plan.start::<K>();

    // Whom it has dialled, and who has dialled it.
    for _ in 0..2 {
        assert_eq!(down(&mut other).await.1, CloseReason::Goodbye);
    }
    left_alone(&other, one.node).await;
    loop {
        let (node, reason) = down(&mut three).await;
        if node == other.node {
            assert_eq!(reason, CloseReason::Version);
            break;
        }
    }
    left_alone(&three, other.node).await;

    let ids = [one.node, two.node, three.node];
    for member in [&one, &two, &three] {
        let others: Vec<_> = ids.into_iter().filter(|id| *id != member.node).collect();
        member.knows(&others).await;
    }
    // They go on.
    two.tells(&[&one, &three]).await;
    for member in [&one, &two, &three] {
        assert_eq!(member.handle.peer(other.node).await.unwrap(), None);
        assert_nothing_wrong(member).await;
    }
    assert_eq!(other.handle.peers().await.unwrap(), []);
    assert_eq!(other.handle.links().await.unwrap(), []);
    // One dial each, and no second.
    assert_eq!(other.handle.stats().await.unwrap().dials, 1);
    assert_eq!(other.stats().accepted, 1);
}

/// In the middle of a line, which becomes a ring: whatever is said passes through it.
pub async fn a_node_of_a_later_version_is_a_member_like_others<K: Kind>() {
    let mut one = Plan::new().start::<K>();
    let mut plan = Plan::new().upstream(&one.address);
    plan.speaks = Speaks::Later;
    let mut later = plan.start::<K>();
    let mut two = Plan::new().upstream(&later.address).start::<K>();
    one.knows(&[later.node, two.node]).await;
    later.knows(&[one.node, two.node]).await;
    two.knows(&[one.node, later.node]).await;
    later.tells(&[&one, &two]).await;
    one.tells(&[&later, &two]).await;

    let upstreams = vec![two.address.clone()];
    one.handle.set_upstreams(upstreams).await.unwrap();
    for node in [&mut one, &mut later, &mut two] {
        node.finds_a_loop().await;
    }
    for node in [&one, &two] {
        let stats = node.handle.stats().await.unwrap();
        assert!(stats.unknown_messages > 0, "{stats:?}");
        let links = node.handle.links().await.unwrap();
        assert!(links.iter().any(|l| l.node == later.node), "{links:?}");
    }
    for node in [&one, &later, &two] {
        assert_nothing_wrong(node).await;
    }
}

/// How long it waits before it dials this upstream again.
async fn left_alone<K: Kind>(node: &Running<K>, upstream: NodeId) {
    let (now, cap, upstreams) = node
        .handle
        .read(|n| {
            (
                n.now(),
                n.config().backoff_cap,
                n.upstreams().collect::<Vec<_>>(),
            )
        })
        .await
        .unwrap();
    let upstream = upstreams.iter().find(|u| u.node == Some(upstream));
    match upstream.map(|u| u.state) {
        Some(UpstreamState::Waiting(at)) if at.saturating_since(now) > cap / 2 => {}
        _ => panic!("{upstreams:?} at {now:?}"),
    }
}

async fn down<K: Kind>(node: &mut Running<K>) -> (NodeId, CloseReason) {
    node.notice(|n| match n {
        Notice::LinkDown {
            node,
            ended: Ended::Closed(reason),
            ..
        } => Some((*node, *reason)),
        _ => None,
    })
    .await
}

async fn assert_nothing_wrong<K: Kind>(node: &Running<K>) {
    let stats = node.handle.stats().await.unwrap();
    let wrong = stats.faults().map(|(_, n)| n).sum::<u64>();
    assert_eq!(
        (wrong, stats.bad_messages, stats.misbehaving),
        (0, 0, 0),
        "{stats:?}"
    );
}
