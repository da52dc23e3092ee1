//! Writes the generated wire types into the core.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = peer_exchange_proto::committed_path();
    std::fs::write(&path, peer_exchange_proto::generate()?)?;
    println!("wrote {}", path.display());
    Ok(())
}
