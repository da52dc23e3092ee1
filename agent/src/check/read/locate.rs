//! Which host a file belongs to, by its path: `server1/etc/rancher/rke2/config.yaml`, `server1/config.yaml`,
//! `server1.yaml`, `config-server1.yaml`, `root@server1/…`.

use std::path::{Component, Path, PathBuf};

/// Directories on a host below which its configuration lies.
const ON_THE_HOST: &[&[&str]] = &[
    &["etc", "rancher", "rke2"],
    &["etc", "rancher", "k3s"],
    &["rancher", "rke2"],
    &["rancher", "k3s"],
    &["etc", "rancher"],
    &["rke2"],
    &["k3s"],
    &["etc", "peerx"],
    &["usr", "local", "lib", "systemd", "system"],
    &["usr", "lib", "systemd", "system"],
    &["lib", "systemd", "system"],
    &["run", "systemd", "system"],
    &["etc", "systemd", "system"],
    &["systemd", "system"],
    &["systemd"],
    &["etc", "default"],
    &["etc", "sysconfig"],
    &["etc", "conf.d"],
    &["etc", "init.d"],
    &["default"],
    &["sysconfig"],
    &["conf.d"],
    &["init.d"],
    &["usr", "local", "bin"],
    &["etc"],
];
/// What may remain above them, and is no host's name.
const SYSTEM: [&str; 5] = ["etc", "opt", "usr", "srv", "var"];
/// Words beside a host's name in names of files and directories.
const BESIDE: &[&str] = &[
    "config",
    "configs",
    "conf",
    "cfg",
    "configuration",
    "install",
    "setup",
    "join",
    "cloud-init",
    "cloud-config",
    "cloudinit",
    "cloudconfig",
    "user-data",
    "userdata",
    "backup",
    "etc",
    "unit",
    "env",
];
const PRODUCTS: [&str; 3] = ["rke2", "k3s", "rancher"];
/// Names of files that say nothing about whose they are.
const GENERIC: &[&str] = &[
    "config",
    "rke2",
    "k3s",
    "peerx",
    "rke2-server",
    "rke2-agent",
    "k3s-server",
    "k3s-agent",
    "install",
    "setup",
    "user-data",
    "userdata",
    "cloud-init",
    "cloud-config",
    "hostname",
    "hosts",
    "env",
    "environment",
    "compose",
    "docker-compose",
    "run",
    "start",
    "join",
    "bootstrap",
    "init",
    "command",
    "cmd",
];
const SUFFIXES: [&str; 12] = [
    "yaml", "yml", "json", "toml", "service", "env", "conf", "sh", "bash", "cfg", "txt", "j2",
];

/// Where a file lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    /// The host's directory.
    pub(super) root: PathBuf,
    /// What the file's own name says, where the directory holds several hosts.
    pub(super) stem: Option<String>,
    /// The path on the host, as far as it is known.
    pub(super) inside: PathBuf,
    /// The file over which this one is laid: `config.yaml` for `config.yaml.d/x.yaml`.
    pub(super) base: Option<String>,
}

/// Finds the host of a file, given by its absolute path.
pub(super) fn locate(path: &Path) -> Located {
    let name = file_name(path);
    let parent = path.parent().unwrap_or(Path::new("/"));
    if let Some(base) = drop_in_base(parent) {
        let mut located = locate(&base);
        located.base = Some(file_name(&base));
        located.inside = located
            .inside
            .with_file_name(format!("{}.d", file_name(&base)))
            .join(name);
        return located;
    }
    let root = host_directory(parent);
    let inside = path.strip_prefix(&root).unwrap_or(path).to_owned();
    let stem = stem(&name);
    let own = root == parent && !is_generic(&stem);
    Located {
        root,
        stem: own.then_some(stem),
        inside,
        base: None,
    }
}

/// The host's directory above one that lies on a host.
fn host_directory(directory: &Path) -> PathBuf {
    let names: Vec<String> = directory
        .components()
        .filter(|component| matches!(component, Component::Normal(_)))
        .map(|component| component.as_os_str().to_string_lossy().into_owned())
        .collect();
    let ends = |chain: &&&[&str]| {
        names.len() >= chain.len()
            && names[names.len() - chain.len()..]
                .iter()
                .zip(**chain)
                .all(|(a, b)| a == b)
    };
    let Some(chain) = ON_THE_HOST.iter().find(ends) else {
        return directory.to_owned();
    };
    let mut kept = names.len() - chain.len();
    while kept > 0 && SYSTEM.contains(&names[kept - 1].as_str()) {
        kept -= 1;
    }
    let up = names.len() - kept;
    let root = directory.ancestors().nth(up);
    root.unwrap_or(directory).to_owned()
}

/// `config.yaml` for the directory `config.yaml.d`, `k3s.service` for `k3s.service.d`.
pub(super) fn drop_in_base(directory: &Path) -> Option<PathBuf> {
    let base = directory.with_extension("");
    let kind = base.extension()?.to_str()?.to_ascii_lowercase();
    let is_drop_in = directory.extension().is_some_and(|ext| ext == "d");
    (is_drop_in && matches!(kind.as_str(), "yaml" | "yml" | "service")).then_some(base)
}

pub(super) fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// A file's name without what says which kind of file it is.
pub(super) fn stem(name: &str) -> String {
    let mut stem = name;
    while let Some((rest, suffix)) = stem.rsplit_once('.') {
        if rest.is_empty() || !SUFFIXES.contains(&suffix.to_ascii_lowercase().as_str()) {
            break;
        }
        stem = rest;
    }
    stem.to_owned()
}

/// Whether this says nothing about whose file it is.
pub(super) fn is_generic(stem: &str) -> bool {
    let stem = stem.to_ascii_lowercase().replace('_', "-");
    GENERIC.contains(&stem.as_str()) || stripped(&stem, &[BESIDE, &PRODUCTS]).is_none()
}

/// The names by which a host may be asked, from the name of its file or directory; the first is the one to show.
pub(super) fn names(text: &str) -> Vec<String> {
    let host = text.rsplit('@').next().unwrap_or(text);
    let mut names = Vec::new();
    for words in [&[BESIDE][..], &[BESIDE, &PRODUCTS][..]] {
        names.extend(stripped(host, words));
    }
    names.push(host.to_owned());
    let mut seen = Vec::new();
    names.retain(|name| {
        let new = !name.is_empty() && !seen.contains(name);
        seen.push(name.clone());
        new
    });
    names
}

/// A name without such words at its beginning and end; nothing when nothing remains. A bare number is no name.
fn stripped(name: &str, words: &[&[&str]]) -> Option<String> {
    let mut rest = name;
    let words = || words.iter().flat_map(|words| words.iter());
    loop {
        let lower = rest.to_ascii_lowercase();
        if words().any(|word| lower == *word) {
            return None;
        }
        let separator = |c: char| matches!(c, '-' | '_' | '.');
        let behind = words().find_map(|word| {
            let after = lower.strip_prefix(word)?;
            after
                .starts_with(separator)
                .then(|| &rest[word.len() + 1..])
        });
        let before = || {
            words().find_map(|word| {
                let before = lower.strip_suffix(word)?;
                before
                    .ends_with(separator)
                    .then(|| &rest[..before.len() - 1])
            })
        };
        let is_name = |text: &&str| {
            text.contains(|c: char| c.is_alphabetic()) || text.parse::<std::net::IpAddr>().is_ok()
        };
        match behind.or_else(before).filter(is_name) {
            Some(shorter) => rest = shorter,
            None => return Some(rest.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_after_its_file_or_directory() {
        for (path, root, stem, inside) in [
            ("/c/server1.yaml", "/c", Some("server1"), "server1.yaml"),
            ("/c/server1/config.yaml", "/c/server1", None, "config.yaml"),
            (
                "/c/s.example.com/config.yaml",
                "/c/s.example.com",
                None,
                "config.yaml",
            ),
            (
                "/c/s/etc/rancher/rke2/config.yaml",
                "/c/s",
                None,
                "etc/rancher/rke2/config.yaml",
            ),
            (
                "/c/s/etc/rancher/k3s/server.yaml",
                "/c/s",
                None,
                "etc/rancher/k3s/server.yaml",
            ),
            ("/c/s/rke2/config.yaml", "/c/s", None, "rke2/config.yaml"),
            ("/c/s/k3s.service.env", "/c/s", None, "k3s.service.env"),
            ("/c/s/opt/k3s/x.yaml", "/c/s", None, "opt/k3s/x.yaml"),
            (
                "/etc/rancher/k3s/config.yaml",
                "/",
                None,
                "etc/rancher/k3s/config.yaml",
            ),
            (
                "/c/s/etc/systemd/system/k3s.service.d/a.conf",
                "/c/s",
                None,
                "etc/systemd/system/k3s.service.d/a.conf",
            ),
            ("/c/a.yaml.d/x.yaml", "/c", Some("a"), "a.yaml.d/x.yaml"),
        ] {
            let found = locate(Path::new(path));
            let expected = (
                PathBuf::from(root),
                stem.map(str::to_owned),
                PathBuf::from(inside),
            );
            assert_eq!((found.root, found.stem, found.inside), expected, "{path}");
        }
    }

    #[test]
    fn names_without_what_stands_beside_them() {
        for (text, expected) in [
            ("server1", vec!["server1"]),
            ("config-server1", vec!["server1", "config-server1"]),
            ("server1-config", vec!["server1", "server1-config"]),
            (
                "server1_k3s_config",
                vec!["server1_k3s", "server1", "server1_k3s_config"],
            ),
            (
                "rke2-config-cp.1.example",
                vec!["rke2-config-cp.1.example", "cp.1.example"],
            ),
            ("root@server1", vec!["server1"]),
            ("k3s-1", vec!["k3s-1"]),
            ("config.10.0.0.1", vec!["10.0.0.1", "config.10.0.0.1"]),
        ] {
            assert_eq!(names(text), expected);
        }
        for generic in ["config", "rke2-config", "k3s_server", "install"] {
            assert!(is_generic(generic), "{generic}");
        }
        assert!(!is_generic("server"));
    }
}
