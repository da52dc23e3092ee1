//! The committed wire types are those of the schema.

#[test]
fn committed_code_is_what_the_schema_generates() {
    let generated = peer_exchange_proto::generate().expect("the schema compiles");
    let committed = std::fs::read_to_string(peer_exchange_proto::committed_path())
        .expect("src/wire/generated.rs is committed");
    assert!(
        generated == committed,
        "src/wire/generated.rs is stale: run `cargo run -p peer-exchange-proto`"
    );
}
