//! `kubectl get nodes -o json` or `-o yaml`: the annotations that RKE2 and K3s write have the flags in force.

use super::env::Variable;
use super::words::Word;
use super::{Launch, Product, Text, command};
use crate::check::yaml;
use crate::input::InputError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// A Kubernetes object: a Node, a list of them, or something else.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::check) struct NodeObject {
    pub(in crate::check) kind: Option<String>,
    #[serde(rename = "apiVersion")]
    pub(in crate::check) api_version: Option<String>,
    #[serde(deserialize_with = "or_default")]
    metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    status: Status,
    #[serde(deserialize_with = "or_default")]
    pub(in crate::check) items: Vec<Self>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: Option<String>,
    #[serde(deserialize_with = "or_default")]
    annotations: Annotations,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Annotations {
    #[serde(rename = "k3s.io/node-args")]
    k3s_args: Option<String>,
    #[serde(rename = "k3s.io/node-env")]
    k3s_env: Option<String>,
    #[serde(rename = "rke2.io/node-args")]
    rke2_args: Option<String>,
    #[serde(rename = "rke2.io/node-env")]
    rke2_env: Option<String>,
    #[serde(rename = "k3s.io/hostname", alias = "rke2.io/hostname")]
    hostname: Option<String>,
    #[serde(rename = "k3s.io/internal-ip", alias = "rke2.io/internal-ip")]
    internal_ip: Option<String>,
    #[serde(rename = "k3s.io/external-ip", alias = "rke2.io/external-ip")]
    external_ip: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "or_default")]
    addresses: Vec<NodeAddress>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NodeAddress {
    address: Option<String>,
}

/// What is null is as good as missing.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The objects of a JSON text: one, several behind one another, or an array of them.
pub(in crate::check) fn from_json(path: &Path, text: &str) -> Result<Vec<NodeObject>, InputError> {
    let read = || -> serde_json::Result<Vec<NodeObject>> {
        if text.trim_start().starts_with('[') {
            return serde_json::from_str(text);
        }
        serde_json::Deserializer::from_str(text)
            .into_iter()
            .collect()
    };
    read().map_err(|error| {
        let what = if error.is_eof() {
            "the JSON ends too early"
        } else {
            "not the JSON of Kubernetes objects"
        };
        let problem = format!("{what}; expected what `kubectl get nodes -o json` prints");
        InputError::line(path, (error.line() as u64).max(1), problem)
    })
}

/// The object of a YAML document.
pub(in crate::check) fn from_yaml<T: DeserializeOwned>(
    path: &Path,
    text: &str,
    first_line: u64,
) -> Result<T, InputError> {
    yaml::document(path, text, first_line)
}

/// The lines on which the flags of one node after another stand.
pub(in crate::check) fn node_args_lines(text: &str) -> Vec<u64> {
    let is_key = |line: &str| {
        let line = line.trim_start().trim_start_matches(['"', '\'', '{', ',']);
        let rest = line
            .strip_prefix("k3s.io/")
            .or(line.strip_prefix("rke2.io/"));
        rest.is_some_and(|rest| rest.starts_with("node-args"))
    };
    let numbered = text.lines().zip(1..);
    numbered
        .filter(|(line, _)| is_key(line))
        .map(|(_, number)| number)
        .collect()
}

impl NodeObject {
    pub(in crate::check) fn name(&self) -> Option<&str> {
        self.metadata
            .name
            .as_deref()
            .filter(|name| !name.is_empty())
    }

    fn args(&self) -> Option<(&str, Product, &Option<String>)> {
        let annotations = &self.metadata.annotations;
        let rke2 = annotations.rke2_args.as_deref();
        let k3s = annotations.k3s_args.as_deref();
        rke2.map(|args| (args, Product::Rke2, &annotations.rke2_env))
            .or(k3s.map(|args| (args, Product::K3s, &annotations.k3s_env)))
    }

    /// Whether those programs have written down how they were started.
    pub(in crate::check) fn has_args(&self) -> bool {
        self.args().is_some()
    }

    /// Names and addresses of the node.
    pub(in crate::check) fn own(&self) -> impl Iterator<Item = &str> {
        let annotations = &self.metadata.annotations;
        let annotated = [
            &annotations.hostname,
            &annotations.internal_ip,
            &annotations.external_ip,
        ];
        let annotated = annotated
            .into_iter()
            .flatten()
            .flat_map(|text| text.split(','));
        let status = self
            .status
            .addresses
            .iter()
            .filter_map(|address| address.address.as_deref());
        annotated
            .chain(status)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// The flags and variables in force.
    pub(in crate::check) fn launch(
        &self,
        place: &Text<'_>,
        line: u64,
    ) -> Result<Option<Launch>, InputError> {
        let Some((args, mut product, env)) = self.args() else {
            return Ok(None);
        };
        let name = self.name().unwrap_or_default();
        let wrong = |what: &str, shape: &str| {
            let problem = format!("node {name}: the annotation `{what}` is no JSON {shape}");
            InputError::line(&place.file, line, problem)
        };
        let args: Vec<String> =
            serde_json::from_str(args).map_err(|_| wrong("node-args", "array of strings"))?;
        let env: BTreeMap<String, String> = match env.as_deref().map(str::trim) {
            None | Some("") => BTreeMap::new(),
            Some(env) => {
                serde_json::from_str(env).map_err(|_| wrong("node-env", "object of strings"))?
            }
        };
        let flags: Vec<Word> = args.into_iter().map(|text| Word { text, line }).collect();
        let mut settings = Vec::new();
        for (name, value) in env {
            // RKE2 is made of K3s, and annotates as it does.
            if Product::of(&name) == Product::Rke2 {
                product = Product::Rke2;
            }
            let variable = Variable { name, value, line };
            settings.extend(variable.setting(place, "annotation node-env"));
        }
        settings.extend(command::settings(&flags, place, "annotation node-args"));
        Ok(Some(Launch { product, settings }))
    }
}
