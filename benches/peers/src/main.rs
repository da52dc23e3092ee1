//! x
use clap::Parser;
#[derive(Parser)]
struct Args { #[command(flatten)] case: peers::case::Case }
fn main() {
    let out = peers::measure::measure(&Args::parse().case);
    println!("{}", serde_json::to_string(&out).unwrap());
}
