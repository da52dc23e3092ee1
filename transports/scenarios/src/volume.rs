//! Messages of full size.

use std::sync::Arc;

use peer_exchange::{
    Config, Effect, Identity, Input, Instant, LinkId, Multiaddr, Node, NodeId, Seal, Signature,
    Signing,
};
use peer_exchange_tls::{NodeKey, random_seed};

use crate::lab::{Kind, Plan, eventually};

/// Its records fill several messages of 64 KiB.
const PEERS: u16 = 1_200;
const METADATA: [u8; 256] = [7; 256];
/// So many records go along with a request, without being announced first.
const GROUP: u16 = 6;

/// A node with a large table, and another that learns all of it over one link.
pub async fn a_large_table_arrives_whole<K: Kind>() {
    let mut plan = Plan::new();
    let own = Identity::new(plan.key.node()).with_seal(Trusting::new(&plan.key));
    plan.snapshot = Some(large_table(own, PEERS, &METADATA, plan.config.signing));
    let one = plan.start::<K>();
    assert_eq!(one.handle.peers().await.unwrap().len(), PEERS.into());
    let two = Plan::new().upstream(&one.address).start::<K>();
    eventually("everybody is known", async || {
        two.handle.peers().await.unwrap().len() == usize::from(PEERS) + 1
    })
    .await;
    let stats = two.handle.stats().await.unwrap();
    assert!(
        stats.bytes_received > 4 * 64 * 1024,
        "{}",
        stats.bytes_received
    );
    let peers = two.handle.peers().await.unwrap();
    let whole = peers.iter().filter(|p| p.metadata == METADATA).count();
    assert_eq!(whole, PEERS.into());
}

/// Signs, and checks nothing: a table is sooner made like that, and who gets it checks it.
struct Trusting(Arc<dyn Seal>);

impl Trusting {
    fn new(key: &NodeKey) -> Arc<Self> {
        Arc::new(Self(key.seal()))
    }
}

impl Seal for Trusting {
    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message)
    }

    fn verify(&self, _: &NodeId, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// The snapshot of a node that has met so many others, each with a long record, signed or not.
pub(crate) fn large_table(own: Identity, peers: u16, metadata: &[u8], signing: Signing) -> Vec<u8> {
    let mut node = start(own, metadata, signing);
    let peer = |n: u16| {
        let [high, low] = n.to_be_bytes();
        let mut id = [1; 32];
        (id[0], id[1]) = (high, low);
        // Link-local: nobody dials it (R7), so that all there is to do is to pass it on.
        let socket = ([169, 254, high, low], 7).into();
        let identity = if signing == Signing::Off {
            Identity::new(NodeId::new(id))
        } else {
            let key = NodeKey::generate().expect("randomness");
            Identity::new(key.node()).with_seal(Trusting::new(&key))
        };
        let addresses = vec![Multiaddr::tcp(socket)];
        start(identity.with_addresses(addresses), metadata, signing)
    };
    // In groups, of which it meets the first: whomever it meets learns all it knows.
    for first in (0..peers).step_by(GROUP.into()) {
        let mut group = peer(first);
        for n in first + 1..peers.min(first + GROUP) {
            meet(&mut group, &mut peer(n), LinkId::new(n.into()));
        }
        meet(&mut node, &mut group, LinkId::new(first.into()));
    }
    assert_eq!(node.peer_count(), peers.into());
    node.snapshot(node.now())
}

fn start(identity: Identity, metadata: &[u8], signing: Signing) -> Node {
    let identity = identity.with_metadata(metadata.to_vec());
    let config = Config::default().with_signing(signing);
    let seed = random_seed().expect("randomness");
    Node::new(config, identity, seed, Instant::ZERO).expect("a valid configuration")
}

/// Links the two, lets them tell each other what they know, and cuts the link.
fn meet(one: &mut Node, two: &mut Node, link: LinkId) {
    let now = Instant::from_millis(1_000);
    let ids = [one.id(), two.id()];
    for (node, other) in [(&mut *one, ids[1]), (&mut *two, ids[0])] {
        let up = Input::LinkUp {
            link,
            node: other,
            remote: None,
            dial: None,
        };
        node.handle(now, up).expect("a new link");
    }
    two.handle(now, Input::Discover).expect("it runs");
    one.handle(now, Input::Discover).expect("it runs");
    while pass(one, two, link) | pass(two, one, link) {}
    for node in [one, two] {
        let down = Input::LinkDown {
            link,
            orderly: true,
        };
        node.handle(now, down).expect("it runs");
    }
}

fn pass(from: &mut Node, to: &mut Node, link: LinkId) -> bool {
    let mut passed = false;
    loop {
        match from.poll() {
            Effect::Send { bytes, .. } => {
                passed = true;
                let now = from.now();
                from.handle(now, Input::Sent { link }).expect("it runs");
                to.handle(now, Input::Message { link, bytes })
                    .expect("it runs");
            }
            // Signatures are still to be checked.
            Effect::WaitUntil(Some(at)) if at <= from.now() => {
                passed = true;
                from.handle(at, Input::Wake).expect("it runs");
            }
            Effect::WaitUntil(_) => return passed,
            Effect::Dial { .. } | Effect::Close { .. } | Effect::Event(_) => {}
        }
    }
}
