//! Plays one input of a target, without the fuzzer: `play TARGET FILE`. Of `node_ops` and `snapshot` it
//! says what was reached.

use peer_exchange_fuzz::Reached;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (target, file) = (arguments.next(), arguments.next());
    let file = file.expect("a file is given");
    let bytes = std::fs::read(file).expect("a readable file");
    match target.as_deref() {
        Some("decode") => peer_exchange_fuzz::decode(&bytes),
        Some("round_trip") => peer_exchange_fuzz::round_trip(&bytes),
        Some("node_ops") => print(&peer_exchange_fuzz::reached_by(&bytes)),
        Some("snapshot") => print(&peer_exchange_fuzz::reached_by_snapshot(&bytes)),
        other => panic!("no such target: {other:?}"),
    }
}

fn print(reached: &Reached) {
    for (group, name, n) in reached.iter() {
        println!("{group}: {name} {n}");
    }
}
