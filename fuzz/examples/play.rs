//! Plays one input of a target, without the fuzzer: `play TARGET FILE`.

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (target, file) = (arguments.next(), arguments.next());
    let file = file.expect("a file is given");
    let bytes = std::fs::read(file).expect("a readable file");
    match target.as_deref() {
        Some("decode") => peer_exchange_fuzz::decode(&bytes),
        Some("round_trip") => peer_exchange_fuzz::round_trip(&bytes),
        Some("node_ops") => peer_exchange_fuzz::node_ops(&bytes),
        Some("snapshot") => peer_exchange_fuzz::snapshot(&bytes),
        other => panic!("no such target: {other:?}"),
    }
}
