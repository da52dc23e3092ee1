//! `deploy/` against the structure of the Kubernetes API, and its parts against one another.

use crate::{file, read, tools};
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, HTTPGetAction, Namespace, PodSpec, Secret, Service,
};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;
use std::process::Command;

/// A token for this test alone.
const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// As much of a kustomization as is used here, and nothing else.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Kustomization {
    api_version: String,
    kind: String,
    namespace: String,
    resources: Vec<String>,
    images: Vec<BTreeMap<String, String>>,
    config_map_generator: Vec<Generator>,
    secret_generator: Vec<Generator>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
pub(crate) struct Generator {
    pub(crate) name: String,
    pub(crate) files: Vec<String>,
}

fn kustomization() -> Kustomization {
    serde_saphyr::from_str(&read("deploy/kustomization.yaml")).expect("a kustomization")
}

/// Every document of these files.
pub(crate) fn documents() -> Vec<Value> {
    let resources = kustomization().resources.into_iter();
    let parse = |name: String| parsed(&format!("deploy/{name}"));
    resources.flat_map(parse).collect()
}

/// Every document of one file.
pub(crate) fn parsed(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&read(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// A document as the API has it. What does not come back from the API's type is a field that the
/// API does not know.
pub(crate) fn typed<T: DeserializeOwned + Serialize + k8s_openapi::Resource>(
    document: &Value,
) -> T {
    assert_eq!(document["apiVersion"], T::API_VERSION, "{document}");
    assert_eq!(document["kind"], T::KIND, "{document}");
    let typed: T = serde_json::from_value(document.clone()).expect("its type");
    let again = serde_json::to_value(&typed).expect("a value");
    assert_eq!(&again, document, "an unknown field");
    typed
}

pub(crate) fn all<T: DeserializeOwned + Serialize + k8s_openapi::Resource>(
    documents: &[Value],
) -> Vec<T> {
    let of_kind = documents.iter().filter(|d| d["kind"] == T::KIND);
    of_kind.map(typed).collect()
}

pub(crate) fn only<T: DeserializeOwned + Serialize + k8s_openapi::Resource + Debug>() -> T {
    let mut all = all(&documents());
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

pub(crate) fn pod() -> PodSpec {
    let template = only::<DaemonSet>().spec.expect("a spec").template;
    template.spec.expect("a pod")
}

pub(crate) fn container() -> Container {
    let mut containers = pod().containers;
    assert_eq!(containers.len(), 1);
    containers.remove(0)
}

/// The labels of the agents' pods.
pub(crate) fn pod_labels() -> BTreeMap<String, String> {
    let template = only::<DaemonSet>().spec.expect("a spec").template;
    template.metadata.and_then(|m| m.labels).expect("labels")
}

fn service(name: &str) -> Service {
    let named = |s: &Service| s.metadata.name.as_deref() == Some(name);
    let mut services = all::<Service>(&documents());
    services.retain(named);
    assert_eq!(services.len(), 1, "{name}");
    services.remove(0)
}

/// The agents' configuration, which `peerx check` takes as it is.
pub(crate) fn settings() -> toml::Table {
    read("deploy/peerx.toml").parse().expect("TOML")
}

pub(crate) fn port_of(address: &str) -> i32 {
    let (_, port) = address.rsplit_once(':').expect("a port");
    port.parse().expect("a number")
}

/// (number, protocol) of what the agent listens on, by name.
pub(crate) fn container_ports() -> BTreeMap<String, (i32, String)> {
    let ports = container().ports.expect("ports").into_iter();
    let entry = |p: k8s_openapi::api::core::v1::ContainerPort| {
        let protocol = p.protocol.expect("a protocol");
        (p.name.expect("a name"), (p.container_port, protocol))
    };
    ports.map(entry).collect()
}

#[test]
fn every_document_has_the_structure_of_the_api() {
    let documents = documents();
    for document in &documents {
        let name = match document["kind"].as_str().expect("a kind") {
            "Namespace" => typed::<Namespace>(document).metadata.name,
            "DaemonSet" => typed::<DaemonSet>(document).metadata.namespace,
            "Service" => typed::<Service>(document).metadata.namespace,
            "NetworkPolicy" => typed::<NetworkPolicy>(document).metadata.namespace,
            other => panic!("{other} is not checked"),
        };
        assert_eq!(name.as_deref(), Some("peerx"));
    }
    assert_eq!(documents.len(), 5);
    let kustomization = kustomization();
    assert_eq!(kustomization.kind, "Kustomization");
    assert_eq!(kustomization.api_version, "kustomize.config.k8s.io/v1beta1");
    assert_eq!(kustomization.namespace, "peerx");
}

#[test]
#[should_panic(expected = "an unknown field")]
fn a_field_that_the_api_does_not_know_is_found() {
    let mut document = documents()
        .into_iter()
        .find(|d| d["kind"] == "DaemonSet")
        .expect("one");
    document["spec"]["template"]["spec"]["hostNetwrok"] = true.into();
    typed::<DaemonSet>(&document);
}

#[test]
fn selectors_match_the_pods() {
    let labels = pod_labels();
    let spec = only::<DaemonSet>().spec.expect("a spec");
    assert_eq!(spec.selector.match_labels.as_ref(), Some(&labels));
    for service in all::<Service>(&documents()) {
        let selector = service.spec.expect("a spec").selector;
        assert_eq!(selector.as_ref(), Some(&labels));
    }
}

#[test]
fn ports_match_the_configuration() {
    let settings = settings();
    let upstream = settings["upstreams"][0].as_str().expect("an upstream");
    let admin = settings["admin"].as_str().expect("an address");
    assert!(admin.starts_with("0.0.0.0:"), "the kubelet has to reach it");
    // The configuration has no `listen`: the default.
    assert!(!settings.contains_key("listen"));
    let port = |name: &str, at: i32, protocol: &str| (name.to_owned(), (at, protocol.to_owned()));
    let expected = BTreeMap::from([
        port("quic", 7651, "UDP"),
        port("tcp", 7651, "TCP"),
        port("admin", port_of(admin), "TCP"),
    ]);
    assert_eq!(container_ports(), expected);
    assert_eq!(port_of(upstream), 7651);
    for service in all::<Service>(&documents()) {
        for port in service.spec.expect("a spec").ports.expect("ports") {
            let name = port.name.expect("a name");
            let (number, protocol) = &expected[&name];
            assert_eq!(port.target_port, Some(IntOrString::String(name)));
            assert_eq!(
                (port.port, port.protocol.as_ref()),
                (*number, Some(protocol))
            );
        }
    }
}

#[test]
fn the_upstream_is_the_headless_service() {
    let settings = settings();
    let upstream = settings["upstreams"][0].as_str().expect("an upstream");
    let (host, _) = upstream.rsplit_once(':').expect("a port");
    let spec = service(host).spec.expect("a spec");
    assert_eq!(spec.cluster_ip.as_deref(), Some("None"));
    assert_eq!(spec.publish_not_ready_addresses, Some(true));
    let protocols: BTreeSet<_> = spec.ports.iter().flatten().map(|p| &p.protocol).collect();
    assert_eq!(protocols.len(), 2, "UDP and TCP");
}

#[test]
fn probes_ask_what_the_agent_serves() {
    let agent = read("agent/src/admin/mod.rs");
    let container = container();
    let asked = |probe: Option<k8s_openapi::api::core::v1::Probe>| -> HTTPGetAction {
        probe.and_then(|p| p.http_get).expect("an HTTP probe")
    };
    for (probe, path) in [
        (container.startup_probe, "/healthz"),
        (container.liveness_probe, "/healthz"),
        (container.readiness_probe, "/readyz"),
    ] {
        let get = asked(probe);
        assert_eq!(get.path.as_deref(), Some(path));
        assert_eq!(get.port, IntOrString::String("admin".into()));
        assert!(agent.contains(&format!(".route(\"{path}\"")), "{path}");
    }
}

#[test]
fn paths_match_the_mounts() {
    let container = container();
    let settings = settings();
    let kustomization = kustomization();
    let volumes = pod().volumes.expect("volumes");
    let mount = |volume: &str| {
        let mounts = container.volume_mounts.iter().flatten();
        let found = mounts.into_iter().find(|m| m.name == volume);
        found.unwrap_or_else(|| panic!("{volume} is not mounted"))
    };
    let volume = |name: &str| volumes.iter().find(|v| v.name == name).expect("a volume");

    let args = container.args.as_ref().expect("arguments");
    let config = &kustomization.config_map_generator[0];
    let path = format!("{}/{}", mount("config").mount_path, config.files[0]);
    assert_eq!(args[..], ["run".into(), "--config".into(), path]);
    let source = volume("config").config_map.as_ref().expect("a ConfigMap");
    assert_eq!(source.name, config.name);

    let secret = &kustomization.secret_generator[0];
    // The file itself: beside it there is a link of that name.
    let path = format!("{}/..data/{}", mount("token").mount_path, secret.files[0]);
    assert_eq!(settings["token_file"].as_str(), Some(path.as_str()));
    let source = volume("token").secret.as_ref().expect("a Secret");
    assert_eq!(source.secret_name.as_ref(), Some(&secret.name));
    assert_eq!(source.default_mode, Some(0o440), "for the group alone");

    let state = mount("state");
    let path = format!("{}/state", state.mount_path);
    assert_eq!(settings["state_dir"].as_str(), Some(&*path));
    assert!(volume("state").empty_dir.is_some());
    assert_ne!(state.read_only, Some(true));
    assert!(mount("config").read_only == Some(true) && mount("token").read_only == Some(true));
}

/// What the pod security standard `restricted` asks for, and a read-only root besides.
#[test]
fn the_pod_may_nothing_that_it_does_not_need() {
    let pod = pod();
    assert_eq!(pod.automount_service_account_token, Some(false));
    assert!(pod.host_network.is_none() && pod.host_pid.is_none() && pod.host_ipc.is_none());
    let context = pod.security_context.expect("a context");
    assert_eq!(context.run_as_non_root, Some(true));
    assert!(context.run_as_user > Some(0) && context.fs_group == context.run_as_group);
    let profile = context.seccomp_profile.expect("a profile");
    assert_eq!(profile.type_, "RuntimeDefault");
    let container = container();
    let context = container.security_context.expect("a context");
    assert_eq!(context.allow_privilege_escalation, Some(false));
    assert_eq!(context.read_only_root_filesystem, Some(true));
    let drop = context.capabilities.and_then(|c| c.drop).expect("a list");
    assert_eq!(drop, ["ALL"]);
    let resources = container.resources.expect("resources");
    assert!(resources.requests.is_some_and(|r| r.contains_key("cpu")));
    assert!(resources.limits.is_some_and(|l| l.contains_key("memory")));
    let namespace = only::<Namespace>().metadata.labels.expect("labels");
    let enforced = &namespace["pod-security.kubernetes.io/enforce"];
    assert_eq!(enforced, "restricted");
}

#[test]
fn peerx_reads_the_configuration() {
    expect_sound("deploy/peerx.toml");
}

/// `peerx check` finds nothing wrong in it. What the service's name leads to, a file cannot say.
pub(crate) fn expect_sound(path: &str) {
    let checked = Command::new(env!("CARGO_BIN_EXE_peerx"))
        .args(["check", "--copied", "--json"])
        .arg(file(path))
        .output()
        .expect("peerx");
    let report: Value = serde_json::from_slice(&checked.stdout)
        .unwrap_or_else(|error| panic!("{error}: {checked:?}"));
    assert_eq!(report["verdict"], "UNDECIDED", "{report}");
    let service = serde_json::json!(["peerx-peers:7651"]);
    assert_eq!(report["unknown_upstreams"], service, "{report}");
    assert_eq!(checked.status.code(), Some(3));
}

/// What `kubectl apply -k deploy` would send, with so much more in `deploy/kustomization.yaml`; `None`
/// without that tool.
pub(crate) fn kustomized(more: &str) -> Option<Vec<Value>> {
    let dir = tempfile::tempdir().expect("a directory");
    copy(&file("deploy"), dir.path());
    std::fs::write(dir.path().join("token"), TOKEN).expect("a token");
    let kustomization = read("deploy/kustomization.yaml") + more;
    std::fs::write(dir.path().join("kustomization.yaml"), kustomization).expect("a file");
    let mut kubectl = Command::new("kubectl");
    let output = tools::run(kubectl.arg("kustomize").arg(dir.path()))?;
    let text = tools::expect_success(&output);
    Some(serde_saphyr::from_multiple(&text).expect("documents"))
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).expect("a directory");
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

#[test]
fn kustomize_puts_the_parts_together() {
    let Some(mut documents) = kustomized("") else {
        return;
    };
    assert_eq!(documents.len(), 7);
    for secret in documents.iter_mut().filter(|d| d["kind"] == "Secret") {
        // kustomize breaks long lines of base64; the API server takes them, a strict decoder does not.
        let token = secret["data"]["token"].as_str().expect("a token");
        secret["data"]["token"] = token.replace('\n', "").into();
    }
    let config = all::<ConfigMap>(&documents).remove(0).metadata.name;
    let secret = all::<Secret>(&documents).remove(0).metadata.name;
    let daemons = all::<DaemonSet>(&documents).remove(0);
    let pod = daemons.spec.and_then(|s| s.template.spec).expect("a pod");
    let volumes = pod.volumes.expect("volumes");
    let used = volumes.iter().find_map(|v| v.config_map.as_ref());
    assert_eq!(used.map(|c| &c.name), config.as_ref());
    let used = volumes.iter().find_map(|v| v.secret.as_ref());
    assert_eq!(used.and_then(|s| s.secret_name.as_ref()), secret.as_ref());
    let image = &kustomization().images[0];
    let expected = format!("{}:{}", image["newName"], image["newTag"]);
    assert_eq!(pod.containers[0].image, Some(expected));
    assert_eq!(image["newTag"], env!("CARGO_PKG_VERSION"));
}
