//! What nodes do over a transport.

use peer_exchange::driver::{DialError, Ended};
use peer_exchange::{CloseReason, Event, Multiaddr, NodeId, Notice};

use crate::lab::{Kind, Plan, Running, cycle, eventually, until};

/// Each has the other's record, and there is one link.
pub async fn two_nodes_learn_each_other<K: Kind>() {
    let one = Plan::new().start::<K>();
    let two = Plan::new().upstream(&one.address).start::<K>();
    one.knows(&[two.node]).await;
    two.knows(&[one.node]).await;
    let peer = one.handle.peer(two.node).await.unwrap().unwrap();
    assert_eq!(peer.addresses, [two.address]);
    assert_eq!(two.handle.links().await.unwrap().len(), 1);
    assert_eq!(one.stats().accepted, 1);
}

/// server1 → server2 → server3 → server1.
pub async fn a_ring_of_three_converges_and_names_its_cycle<K: Kind>() {
    let mut ring = [(); 3].map(|()| Plan::new().start::<K>());
    let addresses = [0, 1, 2].map(|i| ring[i].address.clone());
    for (node, next) in ring.iter().zip([1, 2, 0]) {
        let upstreams = vec![addresses[next].clone()];
        node.handle.set_upstreams(upstreams).await.unwrap();
    }
    let ids = [0, 1, 2].map(|i| ring[i].node);
    for node in &mut ring {
        let others: Vec<_> = ids.into_iter().filter(|id| *id != node.node).collect();
        node.knows(&others).await;
        assert_eq!(node.finds_a_loop().await, cycle(ids));
    }
}

/// Everybody knows everybody.
pub async fn a_line_of_twelve_converges<K: Kind>() {
    let mut line: Vec<Running<K>> = Vec::new();
    for i in 0..12 {
        let plan = match i {
            0 => Plan::new(),
            _ => Plan::new().upstream(&line[i - 1].address),
        };
        line.push(plan.start());
    }
    let ids: Vec<_> = line.iter().map(|n| n.node).collect();
    for node in &line {
        let others: Vec<_> = ids.iter().copied().filter(|id| *id != node.node).collect();
        node.knows(&others).await;
    }
}

/// A cycle of one.
pub async fn a_node_that_connects_to_itself_says_so<K: Kind>() {
    let mut node = Plan::new().start::<K>();
    let own = vec![node.address.clone()];
    node.handle.set_upstreams(own).await.unwrap();
    assert_eq!(node.finds_a_loop().await, [node.node]);
    assert_eq!(node.handle.links().await.unwrap(), []);
}

/// The same key, another port.
pub async fn a_restart_with_a_new_port_is_noticed<K: Kind>() {
    let one = Plan::new().start::<K>();
    let mut plan = Plan::new().upstream(&one.address);
    let two = plan.start::<K>();
    one.knows(&[two.node]).await;
    plan.snapshot = Some(two.handle.snapshot().await.unwrap());
    until("shutdown", two.handle.shutdown()).await;
    let again = plan.start::<K>();
    assert_ne!(again.address, two.address);
    eventually("the new address is known", async || {
        let peer = one.handle.peer(again.node).await.unwrap();
        peer.is_some_and(|p| p.addresses == [again.address.clone()])
    })
    .await;
}

/// When `shutdown` has returned, the port is free.
pub async fn a_restart_on_the_same_port_works_at_once<K: Kind>() {
    let mut plan = Plan::new();
    let one = plan.start::<K>();
    let two = Plan::new().upstream(&one.address).start::<K>();
    one.knows(&[two.node]).await;
    plan.listen = K::sockets(&one.transport).to_vec();
    plan.snapshot = Some(one.handle.snapshot().await.unwrap());
    until("shutdown", one.handle.shutdown()).await;
    let again = plan.start::<K>();
    eventually("the link is back", async || {
        !again.handle.links().await.unwrap().is_empty()
    })
    .await;
    let peer = two.handle.peer(again.node).await.unwrap();
    assert!(peer.is_some());
}

/// Its downstream says so, whichever of the two dials first.
pub async fn an_upstream_that_restarts_is_up_again<K: Kind>() {
    let mut plan = Plan::new();
    let mut one = plan.start::<K>();
    let mut two = Plan::new().upstream(&one.address).start::<K>();
    assert_eq!(upstream_up(&mut two).await, one.node);
    one.knows(&[two.node]).await;
    plan.listen = K::sockets(&one.transport).to_vec();
    for _ in 0..2 {
        plan.snapshot = Some(one.handle.snapshot().await.unwrap());
        until("shutdown", one.handle.shutdown()).await;
        two.notice(|n| match n {
            Notice::Node(Event::UpstreamDown { .. }) => Some(()),
            _ => None,
        })
        .await;
        one = plan.start::<K>();
        assert_eq!(upstream_up(&mut two).await, one.node);
    }
}

/// The other end hears it before the connection ends.
pub async fn shutdown_says_goodbye<K: Kind>() {
    let mut one = Plan::new().start::<K>();
    let two = Plan::new().upstream(&one.address).start::<K>();
    one.knows(&[two.node]).await;
    until("shutdown", two.handle.shutdown()).await;
    let ended = link_down(&mut one).await;
    assert_eq!(ended, Ended::Closed(CloseReason::Goodbye));
    // Its record stays.
    assert!(one.handle.peer(two.node).await.unwrap().is_some());
    assert!(two.handle.peers().await.is_err());
}

/// Those without a link to it included.
pub async fn leaving_is_told_to_everybody<K: Kind>() {
    let mut one = Plan::new().start::<K>();
    let two = Plan::new().upstream(&one.address).start::<K>();
    let mut three = Plan::new().upstream(&one.address).start::<K>();
    three.knows(&[one.node, two.node]).await;
    one.knows(&[two.node]).await;
    until("leaving", two.handle.leave()).await;
    for node in [&mut one, &mut three] {
        node.notice(|n| match n {
            Notice::Node(Event::PeerLeft { node }) if *node == two.node => Some(()),
            _ => None,
        })
        .await;
        assert_eq!(node.handle.peer(two.node).await.unwrap(), None);
    }
}

/// Its links break, without a goodbye.
pub async fn a_crash_is_noticed<K: Kind>() {
    let mut one = Plan::new().start::<K>();
    let plan = Plan::new().upstream(&one.address);
    // A runtime of its own, which takes all of its tasks along.
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let two = runtime.block_on(async { plan.start::<K>() });
        let _ = sender.send(two.node);
        let _ = stopped.recv();
        runtime.shutdown_background();
        // Not dropped here: a worker that is still up would take it for the order to say goodbye.
        two
    });
    let two = receiver.await.unwrap();
    one.knows(&[two]).await;
    drop(stop);
    let _crashed = thread.join().unwrap();
    let ended = link_down(&mut one).await;
    // Whoever notices first: the transport, or the node whose requests get no answer.
    let unresponsive = Ended::Closed(CloseReason::Unresponsive);
    assert!([Ended::Broken, unresponsive].contains(&ended), "{ended:?}");
}

/// The name server's answer is a candidate.
pub async fn an_upstream_by_name_is_found<K: Kind>() {
    let one = Plan::new().start::<K>();
    let port = K::socket(&one.transport).port();
    let name: Multiaddr = format!("/dns4/localhost{}", K::suffix(port))
        .parse()
        .unwrap();
    let two = Plan::new().upstream(&name).start::<K>();
    two.knows(&[one.node]).await;
}

/// It says why.
pub async fn no_answer_is_a_failed_dial<K: Kind>() {
    let name: Multiaddr = format!("/dns/does-not-exist.invalid{}", K::suffix(1))
        .parse()
        .unwrap();
    let mut node = Plan::new().upstream(&name).start::<K>();
    let error = node
        .notice(|n| match n {
            Notice::DialFailed { error, .. } => Some(error.clone()),
            _ => None,
        })
        .await;
    assert!(
        matches!(*error, DialError::Io(_) | DialError::NoAddress),
        "{error}"
    );
}

async fn upstream_up<K: Kind>(node: &mut Running<K>) -> NodeId {
    node.notice(|n| match n {
        Notice::Node(Event::UpstreamUp { node, .. }) => Some(*node),
        _ => None,
    })
    .await
}

async fn link_down<K: Kind>(node: &mut Running<K>) -> Ended {
    node.notice(|n| match n {
        Notice::LinkDown { ended, .. } => Some(*ended),
        _ => None,
    })
    .await
}
