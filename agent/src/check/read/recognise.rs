//! What a file is, by what it holds. Its name only helps where the content does not tell.

use super::locate;
use crate::check::places::is_flag_name;
use crate::check::yaml::Tree;
use std::net::IpAddr;

/// Why something is no host, and what to give instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::check) struct Reason {
    pub(in crate::check) what: String,
    pub(in crate::check) instead: &'static str,
}

pub(super) const HOSTS_INSTEAD: &str = "give each host's own files (NAME/config.yaml, NAME/etc/…), its unit, or what `kubectl get nodes -o json` prints";

impl Reason {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            instead: HOSTS_INSTEAD,
        }
    }

    pub(super) fn instead(what: impl Into<String>, instead: &'static str) -> Self {
        Self {
            what: what.into(),
            instead,
        }
    }
}

/// A kind of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Hostname,
    HostsFile,
    Unit,
    OpenRc,
    Script,
    Variables,
    Toml,
    Edges,
    Yaml,
    Other(Reason),
}

/// Tells the kind of a text by its beginning, `head`. `given` by its own path, it may be an edge list.
pub(super) fn recognise(name: &str, head: &str, given: bool) -> Kind {
    let lower = name.to_ascii_lowercase();
    let extension = lower
        .rsplit_once('.')
        .map_or("", |(_, extension)| extension);
    let head = head.trim_start_matches('\u{feff}');
    let mut lines = content_lines(head).peekable();
    let first = lines.peek().copied().unwrap_or_default();
    if lower == "hostname"
        && content_lines(head).count() == 1
        && !first.contains(char::is_whitespace)
    {
        return Kind::Hostname;
    }
    match extension {
        "toml" => return Kind::Toml,
        "yaml" | "yml" | "json" => return Kind::Yaml,
        "md" | "rst" | "html" | "log" | "adoc" => {
            return Kind::Other(Reason::new("a text for people"));
        }
        _ => {}
    }
    if head.starts_with("#cloud-config") || first.starts_with(['{', '[']) && looks_like_json(first)
    {
        return Kind::Yaml;
    }
    if head.starts_with("#!") {
        let openrc = head
            .lines()
            .next()
            .is_some_and(|line| line.contains("openrc"));
        return if openrc { Kind::OpenRc } else { Kind::Script };
    }
    if content_lines(head).any(|line| matches!(line, "[Service]" | "[Unit]" | "[Install]")) {
        return Kind::Unit;
    }
    if head.contains("command_args=") {
        return Kind::OpenRc;
    }
    if first.is_empty() {
        return if given {
            Kind::Edges
        } else {
            Kind::Other(Reason::new("an empty file"))
        };
    }
    by_lines(
        extension,
        head,
        first,
        given,
        locate::is_generic(&locate::stem(&lower)),
    )
}

fn by_lines(extension: &str, head: &str, first: &str, given: bool, generic: bool) -> Kind {
    let all = |is: fn(&str) -> bool| content_lines(head).all(is);
    if all(is_assignment) {
        return Kind::Variables;
    }
    if all(|line| {
        line.split_whitespace()
            .next()
            .is_some_and(|word| word.parse::<IpAddr>().is_ok())
            && line.split_whitespace().nth(1).is_some()
    }) {
        return Kind::HostsFile;
    }
    if content_lines(head).any(|line| line.starts_with('[') && line.contains(']')) {
        let marks = ["ansible_", ":children]", ":vars]"];
        let inventory = marks.iter().any(|mark| head.contains(mark));
        let what = if inventory {
            "an Ansible inventory"
        } else {
            "an INI file"
        };
        return Kind::Other(Reason::new(what));
    }
    let people = extension == "txt";
    if matches!(extension, "sh" | "bash") || (!people || given || generic) && starts_something(head)
    {
        return Kind::Script;
    }
    let yaml = looks_like_yaml(head, first);
    // Of a text for people, every line has to look so.
    let pasted =
        || all(|line| line.contains(": ") || line.ends_with(':') || line.starts_with("- "));
    if yaml && (!people || pasted()) || given && (yaml || first.ends_with(':')) {
        return Kind::Yaml;
    }
    let two = first.split_whitespace().count() == 2
        || first
            .split_whitespace()
            .nth(2)
            .is_some_and(|word| word.starts_with('#'));
    match (two, given) {
        (true, true) => Kind::Edges,
        (true, false) if all(|line| line.split_whitespace().count() == 2) => {
            Kind::Other(Reason::instead(
                "an edge list, perhaps",
                "an edge list is given by its own path",
            ))
        }
        _ => Kind::Other(Reason::new(
            "not recognised: neither settings of RKE2, K3s or peerx, nor an edge list",
        )),
    }
}

/// Whether a command installs or starts one of those programs.
fn starts_something(head: &str) -> bool {
    const STARTS: [&str; 9] = [
        "get.k3s.io",
        "get.rke2.io",
        "sh -s",
        "k3s server",
        "k3s agent",
        "rke2 server",
        "rke2 agent",
        "INSTALL_K3S_EXEC",
        "K3S_URL=",
    ];
    STARTS.iter().any(|start| head.contains(start))
}

fn looks_like_yaml(head: &str, first: &str) -> bool {
    let is_key = |line: &str| {
        line.split_once(':').is_some_and(|(key, rest)| {
            let ends = rest.is_empty() || rest.starts_with(' ');
            ends && is_flag_name(key.trim_matches(['"', '\'']))
        })
    };
    let object = head.starts_with("apiVersion:") || head.contains("\napiVersion:");
    object || first.starts_with("---") || content_lines(head).any(is_key)
}

fn looks_like_json(first: &str) -> bool {
    let rest = first[1..].trim_start();
    rest.is_empty() || rest.starts_with(['"', '{', '}', ']'])
}

/// Lines that are neither blank nor a comment.
fn content_lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';']))
}

fn is_assignment(line: &str) -> bool {
    let line = line.strip_prefix("export ").unwrap_or(line);
    let Some((name, value)) = line.split_once('=') else {
        return false;
    };
    let name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // A command may follow a variable.
    let rest = match value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        Some(quote) => value[1..].split_once(quote).map_or("", |(_, rest)| rest),
        None => value
            .split_once(char::is_whitespace)
            .map_or("", |(_, rest)| rest),
    };
    let rest = rest.trim();
    name && (rest.is_empty() || rest.starts_with('#')) && !value.contains("$(")
}

/// What the first document of a YAML file is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Settings of RKE2 or K3s.
    Settings,
    /// Nothing at all.
    Empty,
    Compose,
    CloudInit,
    Other(Reason),
}

/// Tells the shape of a document.
pub(super) fn shape(tree: &Tree, text: &str) -> Shape {
    let has = |key: &str| tree.get(key).is_some();
    let is_map = |key: &str| matches!(tree.get(key), Some(Tree::Map(_)));
    let other = |what: &str| Shape::Other(Reason::new(what));
    match tree {
        Tree::Null => return Shape::Empty,
        Tree::Text(_) => return other("text without a key"),
        Tree::List(items) => {
            let plays = items.iter().any(|item| {
                item.value.get("hosts").is_some()
                    || item.value.get("tasks").is_some()
                    || item.value.get("import_playbook").is_some()
            });
            return other(if plays {
                "an Ansible playbook"
            } else {
                "a list"
            });
        }
        Tree::Map(entries) if entries.is_empty() => return Shape::Empty,
        Tree::Map(_) => {}
    }
    if text
        .trim_start_matches('\u{feff}')
        .starts_with("#cloud-config")
        || has("write_files")
        || has("runcmd")
    {
        return Shape::CloudInit;
    }
    if is_map("services") {
        return Shape::Compose;
    }
    let inventory = |tree: &Tree| tree.get("hosts").is_some() || tree.get("children").is_some();
    if tree.entries().iter().any(|entry| inventory(&entry.value)) {
        return other("an Ansible inventory");
    }
    if is_map("machine") || is_map("cluster") && has("version") {
        return other("a machine configuration (Talos)");
    }
    if has("nodes") && !tree.entries().iter().any(|entry| entry.key == "server") {
        return other("a cluster file of RKE 1 or of another installer");
    }
    let registries = tree
        .entries()
        .iter()
        .all(|entry| matches!(entry.key.as_str(), "mirrors" | "configs" | "auths"));
    if registries {
        return other("a list of mirrors of image sources");
    }
    if tree.entries().iter().any(|entry| is_flag_name(&entry.key)) {
        return Shape::Settings;
    }
    other("YAML without a setting of RKE2 or K3s")
}

/// Whether a name marks what no program reads: copies of editors and packages, and samples.
pub(super) fn is_copy(name: &str) -> bool {
    const ENDS: [&str; 15] = [
        "~",
        ".bak",
        ".orig",
        ".old",
        ".save",
        ".rpmsave",
        ".rpmnew",
        ".rpmorig",
        ".dpkg-old",
        ".dpkg-dist",
        ".dpkg-new",
        ".swp",
        ".disabled",
        ".example",
        ".sample",
    ];
    let name = name.to_ascii_lowercase();
    ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_texts() {
        for (name, text, kind) in [
            ("hostname", "server1\n", Kind::Hostname),
            (
                "hosts",
                "# x\n10.0.0.1 a b\n::1 localhost\n",
                Kind::HostsFile,
            ),
            (
                "k3s",
                "# x\nK3S_URL=https://a:1\nexport B='c d'\n",
                Kind::Variables,
            ),
            ("x", "A=b k3s server\n", Kind::Script),
            ("x.service", "[Unit]\nX=y\n", Kind::Unit),
            ("k3s", "#!/sbin/openrc-run\n", Kind::OpenRc),
            (
                "run",
                "curl -sfL https://get.k3s.io | sh -s - server\n",
                Kind::Script,
            ),
            ("x", "server: https://a:1\n", Kind::Yaml),
            ("x", "{\"kind\": \"List\"}", Kind::Yaml),
            ("x.toml", "", Kind::Toml),
            ("x", "a b\n# c\n", Kind::Edges),
        ] {
            assert_eq!(recognise(name, text, true), kind, "{name}: {text}");
        }
        for (name, text, what) in [
            ("hosts", "[server]\na ansible_host=1\n", "inventory"),
            ("x.ini", "[a]\nb=c\n", "INI"),
            (
                "README.md",
                "curl https://get.k3s.io | sh -s - server\n",
                "people",
            ),
            ("notes", "some words here\n", "not recognised"),
        ] {
            let Kind::Other(reason) = recognise(name, text, false) else {
                panic!("{name}")
            };
            assert!(reason.what.contains(what), "{reason:?}");
        }
    }
}
