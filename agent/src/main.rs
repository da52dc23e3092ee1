//! peerx
fn main() {}
