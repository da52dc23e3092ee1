//! `deploy/spegel/`: Spegel in the agents' pods, put together with `deploy/` as kustomize would.

use crate::kubernetes::{
    Generator, documents, kustomized, parsed, pod_labels, port_of, settings, typed,
};
use crate::policy::{agent, comes, goes, prometheus};
use crate::{kubernetes, read};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{Container, Namespace, PodSpec};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// As much of a component as is used here, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Component {
    api_version: String,
    kind: String,
    resources: Vec<String>,
    patches: Vec<BTreeMap<String, String>>,
    images: Vec<BTreeMap<String, String>>,
    config_map_generator: Vec<Generator>,
}

fn component() -> Component {
    serde_saphyr::from_str(&read("deploy/spegel/kustomization.yaml")).expect("a component")
}

/// By what the items of a list are told apart in a patch (strategic merge).
const KEYS: [&str; 3] = ["name", "mountPath", "containerPort"];

/// Puts a patch into a document, as the API's types say of the lists that are used here.
fn merge(into: &mut Value, patch: &Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(patch)) if patch.iter().all(Value::is_object) => {
            for item in patch {
                let key = KEYS.iter().find(|key| item.get(key).is_some());
                let key = key.unwrap_or_else(|| panic!("nothing names {item}"));
                match into.iter_mut().find(|old| old[key] == item[key]) {
                    Some(old) => merge(old, item),
                    None => into.push(item.clone()),
                }
            }
        }
        (into, patch) => into.clone_from(patch),
    }
}

/// A document of `deploy/` with its patch.
fn patched(kind: &str) -> Value {
    let patches = component().patches;
    let files = patches
        .iter()
        .map(|patch| format!("deploy/spegel/{}", patch["path"]));
    let mut patches = files.flat_map(|path| parsed(&path));
    let patch = patches
        .find(|patch| patch["kind"] == kind)
        .expect("a patch");
    let of_kind =
        |d: &Value| d["kind"] == kind && d["metadata"]["name"] == patch["metadata"]["name"];
    let mut document = documents()
        .into_iter()
        .find(of_kind)
        .expect("what is patched");
    merge(&mut document, &patch);
    document
}

fn pod() -> PodSpec {
    let daemons: DaemonSet = typed(&patched("DaemonSet"));
    daemons.spec.and_then(|s| s.template.spec).expect("a pod")
}

fn container(name: &str) -> Container {
    let found = pod().containers.into_iter().find(|c| c.name == name);
    found.unwrap_or_else(|| panic!("no container {name}"))
}

/// The value of an argument `--NAME=VALUE`.
fn argument(container: &Container, name: &str) -> String {
    let arguments = container.args.iter().flatten();
    let mut values = arguments.filter_map(|a| a.strip_prefix(&format!("--{name}=")));
    values
        .next()
        .unwrap_or_else(|| panic!("no --{name}"))
        .to_owned()
}

/// The agents' configuration beside Spegel.
fn own_settings() -> toml::Table {
    read("deploy/spegel/peerx.toml").parse().expect("TOML")
}

fn policy() -> NetworkPolicySpec {
    let resources = component().resources;
    let mut documents = resources
        .iter()
        .flat_map(|name| parsed(&format!("deploy/spegel/{name}")));
    let policy: NetworkPolicy = typed(&documents.next().expect("one"));
    assert!(documents.next().is_none());
    assert_eq!(policy.metadata.namespace.as_deref(), Some("peerx"));
    policy.spec.expect("a spec")
}

#[test]
fn agent_and_spegel_ask_each_other_where_the_other_answers() {
    let component = component();
    assert_eq!(
        (component.kind.as_str(), component.api_version.as_str()),
        ("Component", "kustomize.config.k8s.io/v1alpha1")
    );
    let spegel = container("spegel");
    assert_eq!(argument(&spegel, "bootstrap-kind"), "http");
    // Released ones ask BASE/id.
    let admin = port_of(own_settings()["admin"].as_str().expect("an address"));
    let base = argument(&spegel, "http-bootstrap-peer");
    assert_eq!(base, format!("http://127.0.0.1:{admin}/spegel/v1"));
    assert!(read("agent/src/admin/mod.rs").contains("\"/spegel/v1/id\""));
    let own = argument(&spegel, "http-bootstrap-addr");
    let learn = own_settings()["libp2p"]["learn_from"]
        .as_str()
        .map(str::to_owned);
    assert_eq!(learn, Some(format!("http://{own}/id")));
    assert!(own.starts_with("127.0.0.1:"), "nobody else is to ask it");
    // In one network: the address that Spegel names is one of the agent's.
    assert!(pod().host_network.is_none());
}

#[test]
fn the_configuration_is_that_of_deploy_and_libp2p() {
    let mut own = own_settings();
    assert!(own.remove("libp2p").is_some());
    assert_eq!(own, settings());
    kubernetes::expect_sound("deploy/spegel/peerx.toml");
}

#[test]
fn ports_paths_and_volumes_fit() {
    let pod = pod();
    let spegel = container("spegel");
    let ports = spegel.ports.as_ref().expect("ports");
    let number = |name: &str| {
        let port = ports.iter().find(|p| p.name.as_deref() == Some(name));
        port.expect("a port").container_port
    };
    for (argument_name, port) in [
        ("registry-addr", "registry"),
        ("router-addr", "router-tcp"),
        ("metrics-addr", "metrics"),
    ] {
        assert_eq!(port_of(&argument(&spegel, argument_name)), number(port));
    }
    for probe in [&spegel.startup_probe, &spegel.readiness_probe] {
        let get = probe
            .as_ref()
            .and_then(|p| p.http_get.as_ref())
            .expect("a probe");
        assert_eq!(get.port, IntOrString::String("registry".into()));
    }
    // containerd asks the port of the host that leads to the registry's.
    let host_port = ports
        .iter()
        .find_map(|p| p.host_port)
        .expect("a port of the host");
    let configuration = &pod.init_containers.as_ref().expect("one")[0];
    let target = format!("http://$(NODE_IP):{host_port}");
    assert!(configuration.args.iter().flatten().any(|a| *a == target));
    // What is named is mounted, and what is mounted is there.
    let volumes: BTreeSet<_> = pod
        .volumes
        .iter()
        .flatten()
        .map(|v| v.name.as_str())
        .collect();
    let all = pod
        .containers
        .iter()
        .chain(pod.init_containers.iter().flatten());
    for container in all {
        for mount in container.volume_mounts.iter().flatten() {
            assert!(volumes.contains(&*mount.name), "{}", mount.name);
        }
    }
    let mounted: BTreeSet<_> = spegel
        .volume_mounts
        .iter()
        .flatten()
        .map(|m| m.mount_path.clone())
        .collect();
    let named = ["containerd-sock", "containerd-content-path"].map(|name| argument(&spegel, name));
    assert_eq!(mounted, named.into());
    let generator = &component().config_map_generator[0];
    let config = pod.volumes.iter().flatten().find(|v| v.name == "config");
    let config = config
        .and_then(|v| v.config_map.as_ref())
        .expect("a ConfigMap");
    assert_eq!(
        (&config.name, &generator.files[..]),
        (&generator.name, &["peerx.toml".to_owned()][..])
    );
}

/// Root is Spegel's, for the files of the host; the agent is what it was.
#[test]
fn spegel_may_what_it_needs_and_the_agent_no_more_than_before() {
    let namespace: Namespace = typed(&patched("Namespace"));
    let labels = namespace.metadata.labels.expect("labels");
    assert_eq!(labels["pod-security.kubernetes.io/enforce"], "privileged");
    assert_eq!(container("peerx"), crate::kubernetes::container());
    let context = container("spegel").security_context.expect("a context");
    assert_eq!(
        (context.run_as_user, context.run_as_non_root),
        (Some(0), Some(false))
    );
    assert_eq!(context.privileged, None);
    assert_eq!(
        context.capabilities.and_then(|c| c.drop),
        Some(vec!["ALL".to_owned()])
    );
}

#[test]
fn spegels_reach_one_another_and_strangers_the_registry_alone() {
    assert_eq!(
        policy().pod_selector.expect("a selector").match_labels,
        Some(pod_labels())
    );
    for port in [5000, 5001] {
        assert!(comes(policy(), &agent(), port, "TCP") && goes(policy(), &agent(), port, "TCP"));
    }
    let (stranger, reader) = (prometheus(&[]), prometheus(&[("peerx-admin", "read")]));
    let open = |other, port| comes(policy(), other, port, "TCP");
    let ports = [5000, 5001, 5002, 7651, 7652, 9090];
    let reached: Vec<_> = ports
        .into_iter()
        .filter(|port| open(&stranger, *port))
        .collect();
    assert_eq!(reached, [5000]);
    let reached: Vec<_> = ports
        .into_iter()
        .filter(|port| open(&reader, *port))
        .collect();
    assert_eq!(reached, [5000, 9090]);
}

/// The two lines of the guide, and what kustomize makes of them.
#[test]
fn kustomize_puts_spegel_beside_the_agent() {
    let lines = "components:\n  - spegel\n";
    for path in ["docs/kubernetes.md", "deploy/spegel/kustomization.yaml"] {
        let text = read(path);
        let words: Vec<_> = text
            .split_whitespace()
            .filter(|word| *word != "#")
            .collect();
        assert!(words.join(" ").contains("components: - spegel"), "{path}");
    }
    let Some(documents) = kustomized(lines) else {
        return;
    };
    assert_eq!(documents.len(), 9);
    let daemons = documents
        .iter()
        .find(|d| d["kind"] == "DaemonSet")
        .expect("one");
    let made: DaemonSet = typed(daemons);
    let mut made = made.spec.and_then(|s| s.template.spec).expect("a pod");
    let ours = pod();
    // What it adds are the images, and hashes of what the names stand for.
    let image = &component().images[0];
    let expected = format!("{}:{}", image["newName"], image["newTag"]);
    assert_eq!(
        made.containers
            .iter()
            .filter(|c| c.image.as_ref() == Some(&expected))
            .count(),
        1
    );
    made.containers.sort_by(|a, b| a.name.cmp(&b.name));
    for (made, ours) in made.containers.iter_mut().zip(&ours.containers) {
        made.image.clone_from(&ours.image);
        assert_eq!(made, ours);
    }
    let config = made
        .volumes
        .iter()
        .flatten()
        .find_map(|v| v.config_map.as_ref());
    let name = &config.expect("a ConfigMap").name;
    assert!(
        documents
            .iter()
            .any(|d| d["metadata"]["name"].as_str() == Some(name)),
        "{name}"
    );
    assert!(name.starts_with("peerx-spegel-config-"), "{name}");
}
