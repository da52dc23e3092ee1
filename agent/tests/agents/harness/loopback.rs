//! Addresses of this machine that nobody else uses: with one for each agent, ports need no hunting.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where agents listen by default.
pub(super) const PORT: u16 = 7651;
pub(super) const ADMIN_PORT: u16 = 7652;

/// An address in 127.0.0.0/8, other ones in every process of these tests.
pub(crate) fn next() -> Ipv4Addr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let n = TAKEN.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id().wrapping_mul(256);
        let [_, high, mid, low] = process.wrapping_add(n).to_be_bytes();
        let address = Ipv4Addr::new(127, high | 128, mid, low);
        if is_free(address) {
            return address;
        }
    }
}

fn is_free(address: Ipv4Addr) -> bool {
    // Not the ends of a network, which some programs take for broadcast.
    !matches!(address.octets()[3], 0 | 255)
        && TcpListener::bind((address, PORT)).is_ok()
        && TcpListener::bind((address, ADMIN_PORT)).is_ok()
        && UdpSocket::bind((address, PORT)).is_ok()
}
