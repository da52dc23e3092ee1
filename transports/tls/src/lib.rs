//! Identity and membership of peer-exchange, shared by its TCP and QUIC transports.
//!
//! - [`NodeKey`]: a node's Ed25519 key, in a file that only its owner can read. The node ID is the
//!   public key. Its [`seal`](NodeKey::seal) signs the node's records.
//! - [`Membership`]: who may join: whoever knows the [`Token`], or has a certificate of the
//!   cluster's authority.
//! - [`Tls`]: the rustls configurations made of both: TLS 1.3 in both directions, no resumption.
//! - [`Handshake`]: what follows on a TLS or QUIC connection before it is a link.
//! - [`carry`]: frames on a stream, for the life of a link; [`carry_beside`]: what has another way goes
//!   by that.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod carry;
mod file;
mod gate;
mod handshake;
mod key;
mod membership;
mod places;
mod proof;
mod resolve;
mod seal;
mod tls;
mod token;
mod verify;

pub use carry::{Patience, carry, carry_beside, wind_up};
pub use file::{Links, open_file, read_secret};
pub use gate::{Gate, HandshakeStats, Permit};
pub use handshake::{Handshake, HandshakeError, Role};
pub use key::{KeyError, NodeKey, random_seed};
pub use membership::{Membership, MembershipError};
pub use resolve::resolve;
pub use tls::{ALPN, Tls, TlsError};
pub use token::{Token, TokenError};
// Its types are part of this crate's interface.
pub use rustls;
