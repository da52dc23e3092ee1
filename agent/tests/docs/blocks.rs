//! Commands in the ```console blocks of a document, with what they are shown to print.

use crate::documents;

/// One command.
#[derive(Debug, PartialEq)]
pub(crate) struct Shown {
    pub(crate) document: String,
    pub(crate) line: usize,
    /// The block is marked `console run`: it is run, and its output compared.
    pub(crate) run: bool,
    pub(crate) command: String,
    /// What is shown below it.
    pub(crate) output: Vec<String>,
}

impl Shown {
    /// Where it stands, for messages.
    pub(crate) fn at(&self) -> String {
        format!("{}:{}: $ {}", self.document, self.line, self.command)
    }
}

/// All of them.
pub(crate) fn commands() -> Vec<Shown> {
    let documents = documents();
    let of = |(path, text): &(String, String)| in_document(path, text);
    documents.iter().flat_map(of).collect()
}

fn in_document(path: &str, text: &str) -> Vec<Shown> {
    let mut commands: Vec<Shown> = Vec::new();
    // The words behind the fence of the block that we are in.
    let mut block: Option<Vec<&str>> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if let Some(fence) = line.trim_start().strip_prefix("```") {
            block = match block {
                None => Some(fence.split_whitespace().collect()),
                Some(_) => None,
            };
            continue;
        }
        let Some(words) = block.as_ref().filter(|w| w.first() == Some(&"console")) else {
            continue;
        };
        // Blocks of a list are indented.
        let line = line.strip_prefix("   ").unwrap_or(line);
        match line.strip_prefix("$ ") {
            Some(command) => commands.push(Shown {
                document: path.to_owned(),
                line: number + 1,
                run: words[1..] == ["run"],
                command: command.to_owned(),
                output: Vec::new(),
            }),
            None => {
                let last = commands.last_mut().expect("a command before its output");
                last.output.push(line.to_owned());
            }
        }
    }
    assert!(block.is_none(), "{path}: a block is not closed");
    commands
}

#[test]
fn commands_and_their_output_are_found() {
    let text = "# T\n```console run\n$ a b\nout\n\nput\n$ c\n```\n```sh\n$ no\n```\n";
    let found = in_document("x.md", text);
    let shown = |line, command: &str, output: &[&str]| Shown {
        document: "x.md".into(),
        line,
        run: true,
        command: command.into(),
        output: output.iter().map(|l| (*l).to_owned()).collect(),
    };
    assert_eq!(
        found,
        [shown(3, "a b", &["out", "", "put"]), shown(7, "c", &[])]
    );
}
