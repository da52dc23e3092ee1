//! `deploy/networkpolicy.yaml`: who may talk to whom, as a cluster would decide it.

use crate::kubernetes::{container_ports, only, pod_labels};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::collections::BTreeMap;

type Labels = BTreeMap<String, String>;

/// Another pod.
pub(crate) struct Other {
    pod: Labels,
    namespace: Labels,
    /// In the namespace of the policy.
    here: bool,
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let owned = |(k, v): &(&str, &str)| ((*k).to_owned(), (*v).to_owned());
    pairs.iter().map(owned).collect()
}

pub(crate) fn agent() -> Other {
    Other {
        pod: pod_labels(),
        namespace: Labels::new(),
        here: true,
    }
}

pub(crate) fn prometheus(namespace: &[(&str, &str)]) -> Other {
    Other {
        pod: labels(&[("app.kubernetes.io/name", "prometheus")]),
        namespace: labels(namespace),
        here: false,
    }
}

fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    assert!(selector.match_expressions.is_none());
    let mut wanted = selector.match_labels.iter().flatten();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
}

fn peer_matches(peer: &NetworkPolicyPeer, other: &Other) -> bool {
    assert!(peer.ip_block.is_none());
    let pod = |s: &LabelSelector| matches(s, &other.pod);
    let in_namespace = match &peer.namespace_selector {
        Some(selector) => matches(selector, &other.namespace),
        None => other.here,
    };
    in_namespace && peer.pod_selector.as_ref().is_none_or(pod)
}

fn allowed<'a>(
    rules: impl Iterator<
        Item = (
            &'a Option<Vec<NetworkPolicyPeer>>,
            &'a Option<Vec<NetworkPolicyPort>>,
        ),
    >,
    other: &Other,
    port: i32,
    protocol: &str,
) -> bool {
    let mut rules = rules;
    rules.any(|(peers, ports)| {
        let peer = peers
            .as_ref()
            .is_none_or(|peers| peers.iter().any(|p| peer_matches(p, other)));
        let port = ports.as_ref().is_none_or(|ports| {
            ports.iter().any(|p| {
                p.port == Some(IntOrString::Int(port)) && p.protocol.as_deref() == Some(protocol)
            })
        });
        peer && port
    })
}

fn spec() -> NetworkPolicySpec {
    only::<NetworkPolicy>().spec.expect("a spec")
}

fn may_come(other: &Other, port: i32, protocol: &str) -> bool {
    comes(spec(), other, port, protocol)
}

/// Whether a policy lets it in.
pub(crate) fn comes(spec: NetworkPolicySpec, other: &Other, port: i32, protocol: &str) -> bool {
    let rules = spec.ingress.expect("rules");
    allowed(
        rules.iter().map(|r| (&r.from, &r.ports)),
        other,
        port,
        protocol,
    )
}

fn may_go(other: &Other, port: i32, protocol: &str) -> bool {
    goes(spec(), other, port, protocol)
}

/// Whether a policy lets it out.
pub(crate) fn goes(spec: NetworkPolicySpec, other: &Other, port: i32, protocol: &str) -> bool {
    let rules = spec.egress.expect("rules");
    allowed(
        rules.iter().map(|r| (&r.to, &r.ports)),
        other,
        port,
        protocol,
    )
}

#[test]
fn it_is_about_the_agents_and_both_directions() {
    let spec = spec();
    let selected = spec.pod_selector.expect("a selector");
    assert_eq!(selected.match_labels, Some(pod_labels()));
    let types = spec.policy_types.expect("types");
    assert_eq!(types, ["Ingress", "Egress"]);
}

#[test]
fn agents_reach_one_another_over_quic_and_tcp() {
    let ports = container_ports();
    for name in ["quic", "tcp"] {
        let (port, protocol) = &ports[name];
        assert!(may_come(&agent(), *port, protocol), "{name}");
        assert!(may_go(&agent(), *port, protocol), "{name}");
    }
}

#[test]
fn names_can_be_resolved() {
    for protocol in ["UDP", "TCP"] {
        assert!(may_go(&prometheus(&[]), 53, protocol), "{protocol}");
    }
}

#[test]
fn strangers_reach_nothing_and_readers_the_admin_interface_alone() {
    let ports = container_ports();
    let (stranger, reader) = (prometheus(&[]), prometheus(&[("peerx-admin", "read")]));
    for (name, (port, protocol)) in &ports {
        assert!(!may_come(&stranger, *port, protocol), "{name}");
        assert_eq!(
            may_come(&reader, *port, protocol),
            name == "admin",
            "{name}"
        );
        assert!(!may_go(&stranger, *port, protocol), "{name}");
    }
}
