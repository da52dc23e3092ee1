//! The settings of RKE2 and K3s that matter here, under each of their names.

/// What such a setting is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::check) enum Key {
    Server,
    NodeName,
    NodeIp,
    NodeExternalIp,
    AdvertiseAddress,
    BindAddress,
    NodeInternalDns,
    NodeExternalDns,
    TlsSan,
    ClusterInit,
    ConfigFile,
}

/// (setting, long name, short name, the environment variable behind `K3S_` and `RKE2_`)
const KEYS: [(Key, &str, &str, &str); 11] = [
    (Key::Server, "server", "s", "URL"),
    (Key::NodeName, "node-name", "", "NODE_NAME"),
    (Key::NodeIp, "node-ip", "i", ""),
    (Key::NodeExternalIp, "node-external-ip", "", ""),
    (Key::AdvertiseAddress, "advertise-address", "", ""),
    (Key::BindAddress, "bind-address", "", ""),
    (Key::NodeInternalDns, "node-internal-dns", "", ""),
    (Key::NodeExternalDns, "node-external-dns", "", ""),
    (Key::TlsSan, "tls-san", "", ""),
    (Key::ClusterInit, "cluster-init", "", "CLUSTER_INIT"),
    (Key::ConfigFile, "config", "c", "CONFIG_FILE"),
];

impl Key {
    /// By the name of a flag, with or without its dashes.
    pub(in crate::check) fn of_flag(name: &str) -> Option<Self> {
        let name = name.trim_start_matches('-');
        let of = KEYS
            .iter()
            .find(|(_, long, short, _)| !name.is_empty() && (name == *long || name == *short));
        of.map(|(key, ..)| *key)
    }

    /// By the name of an environment variable.
    pub(in crate::check) fn of_variable(name: &str) -> Option<Self> {
        let rest = name
            .strip_prefix("K3S_")
            .or_else(|| name.strip_prefix("RKE2_"))?;
        let of = KEYS
            .iter()
            .find(|(.., variable)| !variable.is_empty() && *variable == rest);
        of.map(|(key, ..)| *key)
    }

    /// Without an argument of its own.
    pub(in crate::check) fn is_switch(self) -> bool {
        self == Self::ClusterInit
    }
}

/// Flags of `rke2 server`, `rke2 agent`, `k3s server` and `k3s agent`: a mapping with one of them is such a
/// configuration. A dash at the end stands for whatever follows.
const FLAGS: &[&str] = &[
    "advertise-",
    "agent-token",
    "audit-policy-file",
    "bind-address",
    "cloud-controller-",
    "cloud-provider-",
    "cluster-cidr",
    "cluster-dns",
    "cluster-domain",
    "cluster-init",
    "cluster-reset",
    "cni",
    "config",
    "container-runtime-",
    "control-plane-",
    "data-dir",
    "datastore-",
    "debug",
    "default-local-storage-path",
    "default-runtime",
    "disable",
    "disable-",
    "docker",
    "egress-selector-mode",
    "embedded-registry",
    "enable-",
    "etcd-",
    "flannel-",
    "helm-job-image",
    "https-listen-port",
    "image-credential-provider-",
    "ingress-controller",
    "kine-tls",
    "kube-apiserver-",
    "kube-cloud-controller-",
    "kube-controller-manager-",
    "kube-proxy-",
    "kube-scheduler-",
    "kubelet-",
    "kubelet-arg",
    "lb-server-port",
    "multus",
    "multus-",
    "no-deploy",
    "node-",
    "nonroot-devices",
    "pause-image",
    "pod-security-",
    "prefer-bundled-bin",
    "private-registry",
    "profile",
    "protect-kernel-defaults",
    "resolv-conf",
    "rootless",
    "runtime-image",
    "secrets-encryption",
    "secrets-encryption-",
    "selinux",
    "server",
    "service-cidr",
    "service-node-port-range",
    "servicelb-namespace",
    "snapshotter",
    "supervisor-metrics",
    "system-default-registry",
    "tls-san",
    "tls-san-security",
    "token",
    "token-file",
    "vpn-auth",
    "vpn-auth-file",
    "with-node-id",
    "write-kubeconfig",
    "write-kubeconfig-",
    "agent-token-file",
    "airgap-extra-registry",
    "alsologtostderr",
    "v",
    "vmodule",
    "log",
    "s",
    "t",
    "c",
    "d",
    "i",
    "o",
    "l",
];

/// Whether a key of a mapping is a flag of those programs.
pub(in crate::check) fn is_flag_name(key: &str) -> bool {
    let key = key.strip_suffix('+').unwrap_or(key);
    FLAGS.iter().any(|flag| {
        key == *flag && !key.ends_with('-')
            || flag.ends_with('-') && key.starts_with(flag) && key.len() > flag.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_a_setting_is_that_setting() {
        assert_eq!(Key::of_flag("--server"), Some(Key::Server));
        assert_eq!(Key::of_flag("-s"), Some(Key::Server));
        assert_eq!(Key::of_flag("i"), Some(Key::NodeIp));
        assert_eq!(Key::of_flag("token"), None);
        assert_eq!(Key::of_flag("--"), None);
        assert_eq!(Key::of_variable("RKE2_URL"), Some(Key::Server));
        assert_eq!(Key::of_variable("K3S_TOKEN"), None);
        assert_eq!(Key::of_variable("K3S_"), None);
    }

    #[test]
    fn flags_of_the_programs_are_told_from_other_keys() {
        for flag in [
            "server",
            "tls-san+",
            "etcd-snapshot-retention",
            "write-kubeconfig-mode",
        ] {
            assert!(is_flag_name(flag), "{flag}");
        }
        for other in ["mirrors", "services", "all", "etcd-", "image", "hosts"] {
            assert!(!is_flag_name(other), "{other}");
        }
    }
}
