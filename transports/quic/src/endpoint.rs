//! Sockets, configurations, and accepting connections.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use peer_exchange::contract;
use peer_exchange::driver::Incoming;
use peer_exchange_tls::{Permit, Tls};
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    AckFrequencyConfig, ClientConfig, Endpoint, EndpointConfig, ServerConfig, TransportConfig,
};
use quinn::{IdleTimeout, VarInt};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::runtime::Tracked;
use crate::{Options, Shared, connection};

/// Bytes that a peer may have on their way: two messages, each way.
const WINDOW: u32 = 2 * (contract::MESSAGE_BYTES as u32 + 4);
/// Bytes of signs of life that wait: of more the oldest go.
const DATAGRAMS: usize = 4 * 1024;
/// Bytes kept of a connection that has not been looked at yet.
const UNSEEN: u64 = 16 * 1024;
/// A connection that has ended takes memory for three probe time-outs (RFC 9000, section 10.2), which
/// are about a second each before a round trip is known (RFC 9002, section 6.2.2). It keeps its
/// memory counts for as long: otherwise a flood of first packets, each with its own end, knows no bound.
const DRAINING: Duration = Duration::from_secs(3);
/// Connections that may take memory before they are links, for each that may be half-open: that is as
/// many as may end in the time in which they drain, where each is given a second.
pub(crate) const DRAINED: usize = 4;

pub(crate) fn configs(tls: &Tls, options: &Options) -> io::Result<(ClientConfig, ServerConfig)> {
    let client = QuicClientConfig::try_from(tls.client()).map_err(io::Error::other)?;
    let mut client = ClientConfig::new(Arc::new(client));
    // The acceptor opens no stream. One end's signs of life keep both alive.
    let mut transport = transport(options, 0)?;
    transport.keep_alive_interval(Some(options.keep_alive));
    client.transport_config(Arc::new(transport));

    let server = QuicServerConfig::try_from(tls.server()).map_err(io::Error::other)?;
    let mut server = ServerConfig::with_crypto(Arc::new(server));
    server.transport_config(Arc::new(self::transport(options, 1)?));
    server.max_incoming(options.half_open);
    server.incoming_buffer_size(UNSEEN);
    server.incoming_buffer_size_total(UNSEEN * options.half_open as u64);
    Ok((client, server))
}

fn transport(options: &Options, streams: u32) -> io::Result<TransportConfig> {
    let idle = IdleTimeout::try_from(options.idle_timeout).map_err(io::Error::other)?;
    let mut transport = TransportConfig::default();
    // Each packet is acknowledged at once: what comes here is mostly one alone, and to wait 25 ms for
    // another would wake both ends once more for each.
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(0));
    transport
        .ack_frequency_config(Some(acks))
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .datagram_send_buffer_size(DATAGRAMS)
        .stream_receive_window(WINDOW.into())
        .receive_window(WINDOW.into())
        .send_window(WINDOW.into())
        .max_idle_timeout(Some(idle));
    Ok(transport)
}

pub(crate) fn bind(
    at: SocketAddr,
    server: Option<&ServerConfig>,
    runtime: &Arc<Tracked>,
) -> io::Result<Endpoint> {
    let socket = Socket::new(Domain::for_address(at), Type::DGRAM, Some(Protocol::UDP))?;
    if at.is_ipv6() {
        // Whatever the system's default: both families can be bound to one port.
        socket.set_only_v6(true)?;
    }
    socket.bind(&at.into())?;
    let config = EndpointConfig::default();
    Endpoint::new(config, server.cloned(), socket.into(), runtime.clone())
}

/// One that only dials, from the same host's address and another port.
pub(crate) fn like(other: &Endpoint, runtime: &Arc<Tracked>) -> io::Result<Endpoint> {
    let mut at = other.local_addr()?;
    at.set_port(0);
    bind(at, None, runtime)
}

/// To dial a family of addresses on which nothing listens, a socket of its own. Without IPv6 on
/// this host there is none.
pub(crate) fn add_missing_families(
    endpoints: &mut Vec<Endpoint>,
    runtime: &Arc<Tracked>,
) -> io::Result<()> {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    if of_family(endpoints, v4).is_none() {
        endpoints.push(bind(v4, None, runtime)?);
    }
    if of_family(endpoints, v6).is_none() {
        endpoints.extend(bind(v6, None, runtime));
    }
    Ok(())
}

pub(crate) fn of_family(endpoints: &[Endpoint], to: SocketAddr) -> Option<Endpoint> {
    let same = |own: SocketAddr| own.is_ipv4() == to.is_ipv4();
    let mut endpoints = endpoints.iter();
    endpoints.find(|e| e.local_addr().is_ok_and(same)).cloned()
}

/// Runs until the driver takes no more links. Handshakes under way end with it.
pub(crate) async fn accept(endpoint: Endpoint, shared: Arc<Shared>, incoming: Incoming) {
    let mut handshakes = JoinSet::new();
    let accepting = async {
        while let Some(newcomer) = endpoint.accept().await {
            while handshakes.try_join_next().is_some() {}
            let Some((newcomer, permit, memory)) = let_in(&shared, newcomer) else {
                continue;
            };
            let (shared, incoming) = (shared.clone(), incoming.clone());
            handshakes.spawn(async move {
                let handshake = connection::accept(&shared, newcomer);
                match shared.gate.admit(&permit, handshake).await {
                    Ok(link) => incoming.accept(link).await,
                    // Why it failed is counted; nobody here can do anything about it.
                    Err(_) => {
                        drop(permit);
                        sleep(DRAINING).await;
                        drop(memory);
                    }
                }
            });
        }
    };
    tokio::select! {
        () = accepting => {}
        () = incoming.closed() => {}
    }
}

/// Looks at the first packet of a connection. Before one is taken, and takes memory, the other end has
/// to show that its address is its own, wherever places are scarce; to tell it so takes none.
fn let_in(
    shared: &Shared,
    newcomer: quinn::Incoming,
) -> Option<(quinn::Incoming, Permit, OwnedSemaphorePermit)> {
    let from = newcomer.remote_address().ip();
    let is_shown = newcomer.remote_address_validated();
    let memory = shared.memory.clone().try_acquire_owned().ok();
    let is_scarce = memory.is_none() || shared.gate.is_crowded(from);
    if is_scarce && !is_shown && newcomer.may_retry() {
        shared.gate.turned_away();
        // An error gives the newcomer back, to be dropped.
        let _ = newcomer.retry();
        return None;
    }
    let permit = match &memory {
        Some(_) => shared.gate.enter(from),
        None => {
            shared.gate.turned_away();
            None
        }
    };
    match (permit, memory) {
        (Some(permit), Some(memory)) => {
            if is_shown {
                permit.heard();
            }
            Some((newcomer, permit, memory))
        }
        // Whoever has shown its address may know, and come again soon.
        _ if is_shown => {
            newcomer.refuse();
            None
        }
        _ => {
            newcomer.ignore();
            None
        }
    }
}
