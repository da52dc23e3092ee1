//! What the node is called, and what its record says of it.

use super::judge::Judge;
use crate::names;

/// Bytes of a record's metadata, in which the name and the labels travel.
const METADATA: usize = 256;
/// Bytes of a name.
const NAME: usize = 128;
/// Where the name may come from when the file has none, such as from a pod's specification.
const VARIABLE: &str = "PEERX_NODE_NAME";

pub(super) fn node_name(judge: &mut Judge<'_>) -> String {
    let is_name =
        |name: &str| !name.is_empty() && name.len() <= NAME && !name.contains(char::is_control);
    let Some(name) = &judge.file.keys.node_name else {
        let given = std::env::var(VARIABLE).unwrap_or_default();
        let given = given.trim();
        if given.is_empty() {
            return host_name();
        }
        if !is_name(given) {
            let problem = format!("${VARIABLE} is no name: one line of 1 to {NAME} bytes");
            judge.fault(judge.file.error_at_key("node_name", problem));
        }
        return given.to_owned();
    };
    let text = name.get_ref().trim();
    if !is_name(text) {
        judge.fault_of(
            name,
            format!("`node_name` is one line of 1 to {NAME} bytes"),
        );
    }
    text.to_owned()
}

fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

pub(super) fn check_metadata(judge: &mut Judge<'_>, name: &str) {
    let file = judge.file;
    let labels = &file.keys.labels;
    let odd = |text: &str| text.is_empty() || text.contains(['\n', '=']) || text == "name";
    for (key, value) in labels {
        let at = format!("labels.{key}");
        if odd(key) {
            let problem =
                format!("the label {key:?} needs another key: not `name`, no `=`, one line");
            judge.fault(file.error_at_key(&at, problem));
        }
        if value.contains('\n') {
            judge.fault(file.error_at_key(&at, format!("the label `{key}` is one line")));
        }
    }
    let length = names::metadata(name, labels).len();
    if length > METADATA {
        let key = if labels.is_empty() {
            "node_name"
        } else {
            "labels"
        };
        let problem = format!(
            "the node's name and labels take {length} bytes; they travel with its record, in {METADATA} at most"
        );
        judge.fault(file.error_at_key(key, problem));
    }
}
