//! What is shown is what is printed, numbers apart.

use crate::blocks::commands;
use crate::stage::Stage;

/// A line without what differs from run to run: numbers and IDs become `#`, unless they belong to a
/// name such as `server1`; spaces become one space.
fn plain(line: &str) -> String {
    line.split_whitespace()
        .map(plain_word)
        .collect::<Vec<_>>()
        .join(" ")
}

fn plain_word(word: &str) -> String {
    if word.len() > 6 && word.chars().all(|c| c.is_ascii_hexdigit() || c == '…') {
        return "#".to_owned();
    }
    let mut out = String::new();
    let mut before = ' ';
    for c in word.chars() {
        let named = before.is_alphabetic();
        match c.is_ascii_digit() {
            true if named => out.push(c),
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(c),
        }
        // The digits of a name go on as its letters do.
        before = if named && c.is_ascii_digit() {
            before
        } else {
            c
        };
    }
    out
}

/// A JSON array in an order of its own: the agent's is random.
fn sorted(line: &str) -> String {
    match serde_json::from_str::<Vec<serde_json::Value>>(line) {
        Err(_) => line.to_owned(),
        Ok(mut list) => {
            list.sort_by_key(ToString::to_string);
            serde_json::Value::from(list).to_string()
        }
    }
}

/// `…` alone on a line stands for lines that are not shown.
fn same(shown: &[String], printed: &[String]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return printed.is_empty();
    };
    if first.trim() == "…" {
        return (0..=printed.len()).any(|skip| same(rest, &printed[skip..]));
    }
    printed.split_first().is_some_and(|(line, printed)| {
        plain(&sorted(first)) == plain(&sorted(line)) && same(rest, printed)
    })
}

#[test]
fn what_is_shown_is_what_is_printed() {
    let stage = Stage::new();
    let mut count = 0;
    for shown in commands().into_iter().filter(|shown| shown.run) {
        count += 1;
        let printed = stage.run(&shown.command);
        assert!(
            same(&shown.output, &printed),
            "{}\nit prints:\n{}",
            shown.at(),
            printed.join("\n")
        );
    }
    assert!(count >= 5, "{count} commands are run");
}

#[test]
fn numbers_may_differ_and_words_may_not() {
    assert_eq!(plain("a  12.3 ms, 7 peers"), plain("a 4.56 ms, 10 peers"));
    assert_eq!(plain("node 0a1b2c3d4e"), plain("node ffffffffff"));
    assert_ne!(plain("7 peers"), plain("7 links"));
    assert_ne!(plain("server1"), plain("server2"));
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(same(&lines("a\n…\nd"), &lines("a\nb\nc\nd")));
    assert!(!same(&lines("a\n…\nd"), &lines("a\nb\nc")));
    assert!(!same(&lines("a"), &lines("a\nb")));
}
