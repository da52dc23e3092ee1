//! Links between the documents lead somewhere.

use crate::{documents, file, read};

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

#[test]
fn every_link_to_a_file_or_a_heading_leads_there() {
    for (path, text) in documents() {
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
