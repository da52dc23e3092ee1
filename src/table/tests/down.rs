//! Nodes that are down come back by themselves alone (R3, R35).

use super::*;
use crate::seal::Accuser;

fn by(n: u64) -> Accuser {
    Accuser {
        node: node(n),
        signature: None,
    }
}

fn sequence(version: u64, beat: u32) -> Sequence {
    Sequence { version, beat }
}

/// R3, R35: a node that is down is in no count, and comes back by a higher beat or version.
#[test]
fn what_is_down_comes_back_by_a_higher_sequence_alone() {
    let mut w = writer(20);
    for n in 0..4 {
        w.put(n, 1, 0, 900);
    }
    let (before, live) = (w.table.fingerprint(), w.table.live());
    assert!(w.table.take_down(&node(2), sequence(1, 0), &[by(3)], w.now));
    let down = w.table.down(&node(2)).expect("it is down");
    assert_eq!((down.since, &down.by[..]), (w.now, &[by(3)][..]));
    assert_eq!(
        down.last.entry().body(),
        body(2),
        "what it said is still there"
    );
    w.table.check();
    assert_eq!((w.table.live(), w.table.down_count()), (live - 1, 1));
    assert_ne!(w.table.fingerprint(), before);
    assert_eq!(w.table.certificate(&node(2)), None, "it has not expired");
    let body = body(2);
    let mut put = |sequence| {
        let record = WireRecord {
            node: node(2),
            sequence,
            remaining_s: 900,
            body: &body,
            signature: None,
        };
        w.table
            .merge(w.now, record, Some(&relay(1)), &|_| false, Word::Own)
    };
    assert_eq!(put(sequence(1, 0)), Merged::Down);
    assert!(matches!(put(sequence(1, 1)), Merged::New(_)));
    assert_eq!(w.table.down_count(), 0);
    w.table.check();
}

/// R3: what is down until its record would have ended leaves its certificate then.
#[test]
fn what_stays_down_leaves_a_certificate_in_the_end() {
    let mut w = writer(20);
    w.put(2, 1, 0, 900);
    w.table.take_down(&node(2), sequence(1, 4), &[], w.now);
    w.table.expire_downs(w.now + Duration::from_secs(899));
    assert_eq!((w.table.down_count(), w.table.certificate_count()), (1, 0));
    w.table.expire_downs(w.now + Duration::from_secs(900));
    assert_eq!(w.table.certificate(&node(2)), Some(sequence(1, 4)));
}
