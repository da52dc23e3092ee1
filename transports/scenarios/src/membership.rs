//! Who is let in over a transport, and what everybody else is told: nothing.

use peer_exchange::driver::{Dial, DialError};
use peer_exchange::{Config, Notice, Transport};
use peer_exchange_tls::{Membership, NodeKey, Token};

use crate::authority::Authority;
use crate::lab::{Kind, Plan, Running, eventually, until};

/// Both stay alone, and the acceptor counts it.
pub async fn a_wrong_token_is_refused_and_told_nothing<K: Kind>() {
    let one = Plan::new().start::<K>();
    let other = Token::generate().unwrap();
    let outsider = Plan::new().token(other).upstream(&one.address);
    let outsider = outsider.start::<K>();
    assert_refused(&one, outsider).await;
    assert!(one.stats().wrong_token > 0);
}

/// Names do not matter, nor what signed the authority.
pub async fn members_of_one_authority_meet<K: Kind>() {
    let authority = Authority::new();
    let one = plan(authority.member()).start::<K>();
    let two = plan(authority.member()).upstream(&one.address).start::<K>();
    one.knows(&[two.node]).await;
    two.knows(&[one.node]).await;
}

/// In both directions: neither takes the other's certificate.
pub async fn another_authority_is_refused<K: Kind>() {
    let one = plan(Authority::new().member()).start::<K>();
    let outsider = plan(Authority::new().member()).upstream(&one.address);
    assert_refused(&one, outsider.start()).await;
}

/// The authority's own, but too late. The acceptor is the one that has to see it.
pub async fn a_certificate_out_of_its_time_is_refused<K: Kind>() {
    let authority = Authority::new();
    let one = plan(authority.member()).start::<K>();
    let former = plan(authority.former_member()).upstream(&one.address);
    assert_refused(&one, former.start()).await;
}

/// Whichever of the two dials, once the list is there; who is not in it is a member as before.
pub async fn a_revoked_certificate_is_refused<K: Kind>() {
    let authority = Authority::new();
    let listed = |(key, membership): (NodeKey, Membership)| {
        let list = authority.revocation_list(&[7]);
        let membership = membership.with_revocation_lists(list.as_bytes());
        plan((key, membership.expect("a list")))
    };
    let (one, revoked) = (listed(authority.member()), authority.numbered_member(7));
    let one = one.start::<K>();
    let outsider = plan(revoked.clone()).upstream(&one.address);
    assert_refused(&one, outsider.start()).await;
    let outsider = plan(revoked).start::<K>();
    let other = listed(authority.member()).upstream(&one.address);
    let other = other.upstream(&outsider.address).start::<K>();
    other.knows(&[one.node]).await;
    outsider.assert_untold().await;
}

/// A raw key is no certificate.
pub async fn a_token_does_not_open_an_authority<K: Kind>() {
    let one = plan(Authority::new().member()).start::<K>();
    let outsider = Plan::new().upstream(&one.address).start::<K>();
    assert_refused(&one, outsider).await;
}

/// A peer's address may have changed hands: the dialler does not even prove itself.
pub async fn another_node_at_the_address_is_told_nothing<K: Kind>() {
    let one = Plan::new().start::<K>();
    let dialler = K::bind(&Plan::new()).unwrap();
    let mut config = Config::default();
    config.local = true;
    let expected = NodeKey::generate().unwrap().node();
    let dial = Dial::new(one.address.clone(), Some(expected), &config);
    match until("the dial", dialler.dial(dial)).await {
        Err(DialError::OtherNode(found)) => assert_eq!(found, one.node),
        other => panic!("{other:?}"),
    }
    eventually("the acceptor gives up", async || one.stats().half_open == 0).await;
    assert_eq!((one.stats().accepted, one.stats().wrong_token), (0, 0));
    one.assert_untold().await;
}

/// And does not go with a token.
pub async fn the_insecure_mode_needs_nothing<K: Kind>() {
    let open = || Plan::new().member(Membership::insecure());
    let one = open().start::<K>();
    let two = open().upstream(&one.address).start::<K>();
    one.knows(&[two.node]).await;
    let closed = Plan::new().start::<K>();
    assert_refused(&closed, open().upstream(&closed.address).start()).await;
}

fn plan((key, membership): (NodeKey, Membership)) -> Plan {
    let mut plan = Plan::new().member(membership);
    plan.key = key;
    plan
}

/// The outsider has dialled `one`.
async fn assert_refused<K: Kind>(one: &Running<K>, mut outsider: Running<K>) {
    let error = outsider
        .notice(|n| match n {
            Notice::DialFailed { error, .. } => Some(error.clone()),
            _ => None,
        })
        .await;
    assert!(matches!(*error, DialError::Unauthenticated(_)), "{error:?}");
    eventually("it is counted", async || {
        let stats = one.stats();
        stats.failed + stats.not_ours + stats.wrong_token > 0
    })
    .await;
    assert_eq!(one.stats().accepted, 0);
    one.assert_untold().await;
    outsider.assert_untold().await;
}
