//! Generates `src/wire/generated.rs` of the core from the schema beside this crate.
//!
//! The generated code is committed. `cargo run -p peer-exchange-proto` writes it anew, and this
//! package's test fails when the committed file differs. The package does not depend on the core,
//! so it can run while the core does not compile.

use std::path::{Path, PathBuf};

const FILES: [&str; 3] = [
    "peer_exchange/v1/message.proto",
    "peer_exchange/v1/record.proto",
    "peer_exchange/v1/snapshot.proto",
];

/// The committed file, as found from this package.
#[must_use]
pub fn committed_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/wire/generated.rs")
}

/// The generated code as text.
///
/// # Errors
/// When the schema does not compile, with its file and line.
pub fn generate() -> Result<String, Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let set = protox::compile(FILES.map(|f| root.join(f)), [root])?;
    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    let module = prost_build::Module::from_protobuf_package_name("peer_exchange.v1");
    let requests = set
        .file
        .into_iter()
        .map(|file| (module.clone(), file))
        .collect();
    let files = config.generate(requests)?;
    let code = files
        .get(&module)
        .ok_or("the schema has no package peer_exchange.v1")?;
    // The core is no_std: prost's output names `::core` and `::prost::alloc` throughout.
    Ok(code.clone())
}
