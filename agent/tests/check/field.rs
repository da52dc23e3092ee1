//! Clusters of the kinds that people run, each with the exit code, what is printed and what is not: `field/*.txt`.

use super::Tree;
use std::path::Path;
use std::process::{Command, Stdio};

/// `== name | arguments | exit code | printed | not printed | what it is`, and files behind `-- path`.
struct Case {
    name: String,
    args: String,
    code: i32,
    printed: String,
    not_printed: String,
    tree: Tree,
}

fn cases(text: &str) -> Vec<Case> {
    let case = |text: &str| {
        let (head, files) = text.split_once('\n').unwrap_or((text, ""));
        let [name, args, code, printed, not_printed, _] = head.split(" | ").collect::<Vec<_>>()[..]
        else {
            panic!("not six parts: {head}");
        };
        let tree = Tree::new(&[]);
        for file in format!("\n{files}").split("\n-- ").skip(1) {
            let (path, content) = file.split_once('\n').unwrap_or((file, ""));
            let end = if content.is_empty() || content.ends_with('\n') {
                ""
            } else {
                "\n"
            };
            tree.write(path, &format!("{content}{end}"));
        }
        Case {
            name: name.into(),
            args: args.into(),
            code: code.parse().expect("an exit code"),
            printed: printed.into(),
            not_printed: not_printed.into(),
            tree,
        }
    };
    format!("\n{text}")
        .split("\n== ")
        .skip(1)
        .map(case)
        .collect()
}

/// What is wrong with the answer, if anything.
fn fault(case: &Case) -> Option<String> {
    let (args, input) = case.args.split_once(" < ").unwrap_or((&case.args, ""));
    let stdin = match input {
        "" => Stdio::null(),
        file => std::fs::File::open(case.tree.path().join(file))
            .expect(file)
            .into(),
    };
    let output = Command::new(env!("CARGO_BIN_EXE_peerx"))
        .arg("check")
        .args(args.split_whitespace())
        .current_dir(case.tree.path())
        .stdin(stdin)
        .output()
        .expect("peerx");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let right = output.status.code() == Some(case.code)
        && said.contains(&case.printed)
        && !said.contains(&case.not_printed);
    (!right).then(|| format!("{}: exit {:?}\n{said}", case.name, output.status.code()))
}

#[test]
fn every_cluster_gets_its_verdict() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/check/field");
    let (mut faults, mut count) = (Vec::new(), 0);
    for file in std::fs::read_dir(directory).expect("field/") {
        let text = std::fs::read_to_string(file.expect("a file").path()).expect("text");
        let cases = cases(&text);
        count += cases.len();
        faults.extend(cases.iter().filter_map(fault));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count >= 150, "{count} cases");
}
