//! Accusations: many in one message are of few nodes, and so an ID goes once.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::contract;
use crate::id::NodeId;
use crate::record::Sequence;
use crate::wire::generated as pb;
use crate::wire::message::Accusation;

/// Numbers of one accusation: two places, version, beat.
const NUMBERS: usize = 4;

pub(crate) fn encode(said: &[Accusation]) -> Option<pb::Accusations> {
    let (mut nodes, mut numbers) = (Vec::<NodeId>::new(), Vec::new());
    let mut place = |node: NodeId| {
        let known = nodes.iter().position(|known| *known == node);
        known.unwrap_or_else(|| {
            nodes.push(node);
            nodes.len() - 1
        }) as u64
    };
    for said in said {
        let places = [place(said.subject), place(said.by)];
        let Sequence { version, beat } = said.at;
        numbers.extend(places.into_iter().chain([version, u64::from(beat)]));
    }
    let are_signed = said.iter().any(|said| said.signature.is_some());
    let signature = |said: &Accusation| {
        let bytes = said.signature.as_ref();
        bytes.map_or_else(Bytes::new, |s| Bytes::copy_from_slice(s))
    };
    let signatures = said.iter().filter(|_| are_signed).map(signature).collect();
    let nodes = nodes.iter().flat_map(NodeId::as_bytes).copied().collect();
    (!said.is_empty()).then_some(pb::Accusations {
        nodes,
        said: numbers,
        signatures,
    })
}

/// `None`: too many, or of nodes that are not named.
pub(crate) fn decode(m: &pb::Accusations) -> Option<Vec<Accusation>> {
    const MOST: usize = 2 * contract::ACCUSATIONS * NodeId::LEN;
    let count = m.said.len() / NUMBERS;
    if count > contract::ACCUSATIONS || m.signatures.len() > count || m.nodes.len() > MOST {
        return None;
    }
    if m.said.len() % NUMBERS != 0 || m.nodes.len() % NodeId::LEN != 0 {
        return None;
    }
    let node = |place: u64| {
        let start = usize::try_from(place).ok()?.checked_mul(NodeId::LEN)?;
        NodeId::from_slice(m.nodes.get(start..)?.get(..NodeId::LEN)?)
    };
    let one = |(i, said): (usize, &[u64])| {
        let &[subject, by, version, beat] = said else {
            return None;
        };
        Some(Accusation {
            subject: node(subject)?,
            at: Sequence {
                version,
                beat: u32::try_from(beat).ok()?,
            },
            by: node(by)?,
            // One of another length is of a kind that this version cannot check.
            signature: m.signatures.get(i).and_then(|s| s.as_ref().try_into().ok()),
        })
    };
    let all = m.said.chunks_exact(NUMBERS).enumerate();
    all.map(one).collect()
}
