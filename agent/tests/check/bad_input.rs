//! Bad input ends with exit code 2 and a message that says where, what, and what was expected.

use super::Tree;

/// Runs a check that must fail, and returns its message.
fn refused(tree: &Tree, args: &[&str]) -> String {
    let run = tree.check(args);
    assert_eq!(run.code, 2, "{}{}", run.stdout, run.stderr);
    assert_eq!(run.stdout, "");
    run.stderr
}

#[test]
fn broken_files_are_named_with_their_line() {
    for (file, content, start, expected) in [
        (
            "a.yaml",
            "token: x\nserver: [https://a:1\n",
            "a.yaml:2: ",
            "a YAML mapping",
        ),
        (
            "a.yaml",
            "token: x\n\n  bad: [}\n",
            "a.yaml:",
            "a YAML mapping",
        ),
        ("a.yaml", "- server\n", "a.yaml:1: ", "a YAML mapping"),
        ("a.yaml", "just words\n", "a.yaml:1: ", "a YAML mapping"),
        (
            "a.yaml",
            "token: x\nserver: server3:9345\n",
            "a.yaml:2: `server:` is \"server3:9345\", which is no URL",
            "https://HOST:PORT",
        ),
        (
            "a.yaml",
            "server: 7\n",
            "a.yaml:1: `server:` is \"7\", which is no URL",
            "https://HOST:PORT",
        ),
        (
            "a.yaml",
            "server: http://b:9345\n",
            "a.yaml:1: ",
            "https://HOST:PORT",
        ),
        (
            "a.yaml",
            "server: https://b:port\n",
            "a.yaml:1: ",
            "https://HOST:PORT",
        ),
        (
            "a.yaml",
            "x: 1\nserver:\n  url: https://b:9345\n",
            "a.yaml:2: `server:` is a mapping",
            "https://server1:9345",
        ),
        (
            "a.toml",
            "# x\nupstreams = [\n",
            "a.toml:2: ",
            "a peerx configuration",
        ),
        (
            "a.toml",
            "# x\nupstreams = 7\n",
            "a.toml:2: ",
            "a peerx configuration",
        ),
        (
            "a.toml",
            "upstreams = [\n  \"b:1\",\n  \"b:0\",\n]\ntoken = \"K10a7Zr_9QpXw-3LmTb5Vy\"\n",
            "a.toml:3: `upstreams` has \"b:0\"",
            "HOST:PORT",
        ),
        (
            "a.toml",
            "\nupstream = [\"b:1\"]\n",
            "a.toml:2: unknown key `upstream`",
            "did you mean `upstreams`?",
        ),
        (
            "a.toml",
            "advertise = [\"udp://b:1\"]\ntoken = \"K10a7Zr_9QpXw-3LmTb5Vy\"\n",
            "a.toml:1: `advertise` has",
            "quic://HOST:PORT",
        ),
        ("a.txt", "a b\n\na\n", "a.txt:3: only one name", "`FROM TO`"),
        ("a.txt", "a b\na b c\n", "a.txt:2: 3 words", "`FROM TO`"),
        ("a.txt", "# nothing\n", "a.txt: holds no edge", "`FROM TO`"),
    ] {
        let message = refused(&Tree::new(&[(file, content)]), &[file]);
        assert!(message.starts_with(start), "{message}");
        assert!(message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_line() {
    let tree = Tree::new(&[]);
    for name in ["a.yaml", "a.toml", "a.txt"] {
        std::fs::write(tree.path().join(name), b"a b\n\xff\xfe b\n").unwrap();
        let message = refused(&tree, &[name]);
        assert!(
            message.starts_with(&format!("{name}:2: not UTF-8")),
            "{message}"
        );
    }
}

#[test]
fn missing_files_empty_directories_and_no_arguments() {
    let tree = Tree::new(&[("empty/", ""), ("notes/README.md", "x"), ("deep/a/b/", "")]);
    let message = refused(&tree, &["missing.yaml"]);
    assert!(
        message.starts_with("missing.yaml: no such file or directory; expected"),
        "{message}"
    );
    for directory in ["empty", "notes", "deep"] {
        let message = refused(&tree, &[directory]);
        assert!(
            message.starts_with(&format!("{directory}: holds no configuration")),
            "{message}"
        );
        assert!(message.contains("NAME/config.yaml"), "{message}");
    }
    assert!(refused(&tree, &[]).contains("PATH"));
    assert!(refused(&tree, &["--format", "xml", "empty"]).contains("xml"));
}

#[test]
fn every_bad_file_is_reported_in_one_run() {
    let tree = Tree::new(&[
        ("hosts/a.yaml", "server: nonsense\n"),
        ("hosts/b.yaml", "server: https://a:9345\n"),
        ("hosts/c/config.yaml.d/1.yaml", "{\n"),
    ]);
    let message = refused(&tree, &["hosts", "gone"]);
    let starts = [
        "gone: ",
        "hosts/a.yaml:1: ",
        "hosts/c/config.yaml.d/1.yaml:1: ",
    ];
    assert_eq!(message.lines().count(), starts.len(), "{message}");
    for (line, start) in message.lines().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn aliases_that_multiply_are_refused_rather_than_expanded() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let item = format!("*a{}", level - 1);
        bomb += &format!("a{level}: &a{level} [{}]\n", [item.as_str(); 10].join(", "));
    }
    let message = refused(&Tree::new(&[("a.yaml", &bomb)]), &["a.yaml"]);
    assert!(message.starts_with("a.yaml:"), "{message}");
}

#[test]
fn what_is_no_text_or_without_end_is_refused_at_once() {
    let tree = Tree::new(&[]);
    // A gigabyte without a byte on the disk.
    let sparse = std::fs::File::create(tree.path().join("image")).unwrap();
    sparse.set_len(1 << 30).unwrap();
    std::fs::write(tree.path().join("line"), vec![b'a'; 1 << 20]).unwrap();
    let json = std::fs::File::create(tree.path().join("nodes.json")).unwrap();
    std::io::Write::write_all(&mut &json, b"{\"kind\": \"").unwrap();
    json.set_len(1 << 30).unwrap();
    for (name, said) in [
        ("image", "image: binary data"),
        ("line", "line: begins with a line of more than"),
        ("nodes.json", "nodes.json: binary data"),
        ("/dev/zero", "/dev/zero: binary data"),
    ] {
        let message = refused(&tree, &[name]);
        assert!(message.starts_with(said), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn links_and_junk_beside_a_host_are_named_and_do_no_harm() {
    use std::os::unix::fs::symlink;
    let tree = Tree::new(&[("c/a/config.yaml", "token: x\n"), ("c/a/x.bin", "\0\u{1}")]);
    let at = |path: &str| tree.path().join(path);
    symlink("round", at("c/round")).unwrap();
    symlink("gone", at("c/nowhere")).unwrap();
    symlink("..", at("c/a/up")).unwrap();
    let (code, report) = tree.report_on(&["c"]);
    assert_eq!(code, 0);
    assert_eq!(report["hosts"], serde_json::json!(["a"]));
    let skipped = report["skipped"].as_array().unwrap();
    for (file, reason) in [
        ("c/round", "a link that leads nowhere"),
        ("c/nowhere", "a link that leads nowhere"),
        ("c/a/x.bin", "binary data"),
    ] {
        let named = |one: &&serde_json::Value| one["file"] == file && one["reason"] == reason;
        assert!(skipped.iter().any(|one| named(&one)), "{file}: {skipped:?}");
    }
}
