//! What somebody may have meant by a word that does not exist.

/// A message of serde's about an unknown key or choice, with the likeliest valid one first.
pub(super) fn unknown(message: &str) -> Option<String> {
    let what = if message.starts_with("unknown field") {
        "key"
    } else if message.starts_with("unknown variant") {
        "value"
    } else {
        return None;
    };
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next()?;
    let valid: Vec<_> = names.collect();
    Some(told(what, unknown, &valid))
}

/// That `unknown` does not exist, what was probably meant, and what there is.
pub(super) fn told(what: &str, unknown: &str, valid: &[&str]) -> String {
    let hint = match likeliest(unknown, valid) {
        Some(name) => format!("did you mean `{name}`? "),
        None => String::new(),
    };
    let all = valid.join("`, `");
    format!("unknown {what} `{unknown}`: {hint}Here peerx knows `{all}`")
}

/// Names that contain the word, or are contained in it, before those that are spelt alike: `name`
/// stands for `node_name`, though `cycles` takes fewer changes.
fn likeliest<'a>(unknown: &str, valid: &[&'a str]) -> Option<&'a str> {
    /// Of shorter words nearly every name has the letters.
    const WORD: usize = 3;
    let word = unknown.to_lowercase().replace(['-', ' '], "_");
    let distance = |name: &str| strsim::damerau_levenshtein(&word, name);
    let contains = |name: &str| {
        (word.len() >= WORD && name.contains(&word)) || (name.len() >= WORD && word.contains(name))
    };
    let alike = |name: &&&str| distance(name) <= name.len().max(word.len()) / 2;
    let related = valid.iter().filter(|name| contains(name));
    let nearest = |names: &mut dyn Iterator<Item = &'_ &'a str>| {
        names.min_by_key(|name| (distance(name), **name)).copied()
    };
    let close = valid.iter().filter(|name| distance(name) <= 1);
    nearest(&mut close.into_iter())
        .or_else(|| nearest(&mut related.into_iter()))
        .or_else(|| nearest(&mut valid.iter().filter(alike)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_contains_the_word_is_preferred() {
        let root = [
            "node_name",
            "cycles",
            "local",
            "labels",
            "token",
            "token_file",
        ];
        for (unknown, meant) in [
            ("name", Some("node_name")),
            ("node-name", Some("node_name")),
            ("Node_Name", Some("node_name")),
            ("token_files", Some("token_file")),
            ("tokn", Some("token")),
            ("file", Some("token_file")),
            ("label", Some("labels")),
            ("xylophone", None),
        ] {
            assert_eq!(likeliest(unknown, &root), meant, "{unknown}");
        }
    }

    #[test]
    fn other_messages_are_left_alone() {
        assert_eq!(unknown("invalid type: integer `1`"), None);
        let told = unknown("unknown variant `udp`, expected `quic` or `tcp`").unwrap();
        assert!(told.starts_with("unknown value `udp`: "), "{told}");
        assert!(told.ends_with("knows `quic`, `tcp`"), "{told}");
    }
}
