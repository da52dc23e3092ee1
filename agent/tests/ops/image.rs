//! `deploy/Dockerfile` against the DaemonSet that runs its image.

use crate::kubernetes::{container_ports, pod};
use crate::read;
use std::collections::BTreeSet;

fn instruction(name: &str) -> Vec<String> {
    let text = read("deploy/Dockerfile").replace("\\\n", " ");
    // Of the last stage, which is the image.
    let last = text.rsplit("\nFROM ").next().unwrap_or_default();
    let lines = last.lines().filter_map(|line| line.strip_prefix(name));
    lines.map(|rest| rest.trim().to_owned()).collect()
}

#[test]
fn its_user_is_that_of_the_pod_and_not_root() {
    let context = pod().security_context.expect("a context");
    let user = context.run_as_user.expect("a user");
    let group = context.run_as_group.expect("a group");
    assert_eq!(instruction("USER"), [format!("{user}:{group}")]);
}

#[test]
fn its_ports_are_those_of_the_pod() {
    let exposed = instruction("EXPOSE").remove(0);
    let exposed: BTreeSet<_> = exposed.split(' ').map(str::to_owned).collect();
    let ports = container_ports();
    let shown = ports
        .values()
        .map(|(n, protocol)| format!("{n}/{}", protocol.to_lowercase()));
    assert_eq!(exposed, shown.collect());
}

#[test]
fn it_starts_the_command_that_it_has_copied() {
    assert_eq!(instruction("ENTRYPOINT"), ["[\"/usr/bin/peerx\"]"]);
    let copied = instruction("COPY").remove(0);
    let profile = "/src/target/release/peerx";
    assert_eq!(copied, format!("--from=build {profile} /usr/bin/peerx"));
}
