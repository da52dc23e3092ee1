//! Wrong arguments: exit code 2, nothing on standard output, and what to do on standard error.

use super::demo;

fn refused(arguments: &[&str], parts: &[&str]) {
    let run = demo(arguments);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{arguments:?}");
    for part in parts {
        assert!(run.stderr.contains(part), "{part:?} in {}", run.stderr);
    }
}

#[test]
fn transports() {
    refused(
        &["--transport", "udp"],
        &["--transport", "'udp'", "quic, tcp, memory"],
    );
    refused(&["--transport"], &["--transport"]);
}

#[test]
fn numbers() {
    refused(&["--nodes", "0"], &["--nodes", "at least 1"]);
    refused(&["--nodes", "501"], &["501 nodes", "500", "peerx sim"]);
    refused(&["--nodes", "-1"], &["-1"]);
    refused(&["--seconds", "soon"], &["--seconds", "soon"]);
}

#[test]
fn topologies() {
    refused(&["--topology", "random:0"], &["random:K"]);
    refused(&["--topology", "random:3"], &["more than 3 nodes"]);
    refused(
        &["--topology", "rnig"],
        &["rnig: no such topology, and no such file", "ring, line"],
    );
    refused(&["--topology", "gone.txt"], &["gone.txt: no such file"]);
    refused(
        &["--topology", "gone.txt", "--nodes", "3"],
        &["--nodes goes with the built-in topologies"],
    );
}

#[test]
fn unknown_flags() {
    refused(&["--insecure"], &["--insecure"]);
}
