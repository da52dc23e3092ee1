//! Links between the documents lead somewhere, and whatever there is can be found by them.

use crate::{documents, file, files, read};

/// Targets of `[text](target)`.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
}

/// The anchor that GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

/// All documents: also those for contributors, and of single packages and folders.
fn all() -> Vec<(String, String)> {
    let folders = [
        "",
        "docs/decisions",
        "examples",
        "proto",
        "fuzz",
        "benches/peers",
    ];
    let packages = ["tls", "tcp", "quic", "memory"].map(|name| format!("transports/{name}"));
    let folders = folders.map(str::to_owned).into_iter().chain(packages);
    let others = folders.flat_map(|folder| files(&folder, ".md"));
    let others = others.filter(|path| path != "README.md");
    let others = others.map(|path| (path.clone(), read(&path)));
    documents().into_iter().chain(others).collect()
}

#[test]
fn every_link_to_a_file_or_a_heading_leads_there() {
    for (path, text) in all() {
        for target in targets(&text).filter(|t| !t.starts_with("http")) {
            let (to, heading) = target.split_once('#').unwrap_or((target, ""));
            let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
            let whole = match to {
                "" => path.clone(),
                to => format!("{dir}/{to}").trim_start_matches('/').to_owned(),
            };
            assert!(file(&whole).exists(), "{path}: {target}");
            let headings = || {
                let text = read(&whole);
                let lines = text.lines().filter(|line| line.starts_with('#'));
                lines.map(anchor).collect::<Vec<_>>()
            };
            let found = heading.is_empty() || headings().iter().any(|h| h == heading);
            assert!(found, "{path}: no heading for {target}");
        }
    }
}

#[test]
fn every_document_is_linked_from_the_readme() {
    let readme = read("README.md");
    for (path, _) in documents() {
        assert!(
            path == "README.md" || readme.contains(&format!("]({path})")),
            "{path}"
        );
    }
}

#[test]
fn every_example_and_every_decision_is_in_its_index() {
    let count = |index: &str, listed: Vec<String>| {
        let text = read(index);
        for path in &listed {
            let name = path.rsplit('/').next().expect("a name");
            assert!(
                path == index || text.contains(&format!("]({name})")),
                "{index}: {name}"
            );
        }
        listed.len()
    };
    assert!(count("examples/README.md", files("examples", ".rs")) >= 3);
    assert!(count("docs/decisions/README.md", files("docs/decisions", ".md")) >= 20);
}

#[test]
fn the_minimum_rust_versions_are_those_of_the_packages() {
    let version = |manifest: &str| {
        let text = read(manifest);
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("rust-version = \""));
        line.expect("a version").trim_end_matches('"').to_owned()
    };
    let (library, command) = (version("Cargo.toml"), version("agent/Cargo.toml"));
    let both = format!("{library} for the library and its transports, {command} for ");
    for path in ["README.md", "CONTRIBUTING.md"] {
        assert!(read(path).contains(&both), "{path}: {both}");
    }
    for name in ["tls", "tcp", "quic", "memory"] {
        let path = format!("transports/{name}/README.md");
        let said = format!("The minimum Rust version is {library}.");
        assert!(read(&path).contains(&said), "{path}: {said}");
    }
    let workflow = read(".github/workflows/ci.yml");
    assert!(
        workflow.contains(&format!(" {library} {command} ")),
        "the workflow installs both"
    );
}
