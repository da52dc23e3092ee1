//! Programs that check better than we do, where the machine has them.

use std::path::PathBuf;
use std::process::{Command, Output};

/// The output of a program, or `None` and a clear line where it is not installed.
pub(crate) fn run(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            let name = command.get_program().to_string_lossy().into_owned();
            eprintln!("SKIPPED: {name} is not on this machine: {error}");
            None
        }
    }
}

/// It has to have succeeded, and its output is shown if not.
pub(crate) fn expect_success(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy);
    assert!(output.status.success(), "{}{}", text[0], text[1]);
    text.concat()
}

/// promtool, which `.ci/run` unpacks from Debian's package and names in `PROMTOOL`.
pub(crate) fn promtool() -> PathBuf {
    std::env::var_os("PROMTOOL").map_or_else(|| "promtool".into(), PathBuf::from)
}
