//! `peerx token`: a new cluster token.

use peer_exchange_tls::Token;
use std::io::Write;

/// Make a cluster token: 256 random bits, to be the same on every node and known to nobody else.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  (umask 077; peerx token > /etc/peerx/token)")]
pub(crate) struct TokenArgs {}

/// Prints one.
///
/// # Errors
/// When the operating system has no randomness, or it cannot be printed.
pub(crate) fn run(_: &TokenArgs, out: &mut dyn Write) -> Result<(), String> {
    let token = Token::generate().map_err(|error| error.to_string())?;
    writeln!(out, "{}", token.reveal())
        .and_then(|()| out.flush())
        .map_err(|error| format!("cannot print the token: {error}"))
}
