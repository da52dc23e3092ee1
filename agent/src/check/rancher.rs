//! One host's RKE2 or K3s configuration: `config.yaml` and, in alphabetical order, `config.yaml.d/*.yaml`.
//! Later values replace earlier ones; a key that ends in `+` appends.

use super::model::{HostConfig, Kind, Upstream};
use super::yaml::{self, Setting, Value};
use crate::address::{Address, HostKey};
use crate::input::InputError;
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// The value of a key once every file was merged, and where its last part stands.
struct Merged {
    value: Value,
    file: Rc<Path>,
    line: u64,
}

/// Reads the host whose main file is `base`; the file or its `.d` directory may be missing, not both.
pub(super) fn read(base: &Path) -> Result<HostConfig, InputError> {
    let mut merged = HashMap::new();
    let files = files(base)?;
    for file in &files {
        for setting in yaml::read(file)? {
            merge(&mut merged, setting, file);
        }
    }
    Ok(HostConfig {
        kind: Kind::Rancher,
        file: files.first().cloned().unwrap_or_else(|| base.into()),
        file_name: host_name(base),
        node_name: last(&merged, "node-name").map(|(text, _)| text.to_owned()),
        ips: ["node-ip", "node-external-ip"]
            .iter()
            .flat_map(|key| keys(&merged, key))
            .collect(),
        advertised: Vec::new(),
        tls_sans: keys(&merged, "tls-san").collect(),
        cluster_init: last(&merged, "cluster-init").is_some_and(|(text, _)| is_true(text)),
        upstreams: upstream(&merged)?.into_iter().collect(),
    })
}

/// The directory whose files are merged over `base`.
pub(super) fn drop_in_directory(base: &Path) -> PathBuf {
    let mut name = base.as_os_str().to_owned();
    name.push(".d");
    name.into()
}

fn files(base: &Path) -> Result<Vec<Rc<Path>>, InputError> {
    let directory = drop_in_directory(base);
    let mut dropped: Vec<Rc<Path>> = Vec::new();
    match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(InputError::io(
                &directory,
                &error,
                "a directory of YAML files",
            ));
        }
        Ok(entries) => {
            for entry in entries {
                let path = entry
                    .map_err(|error| InputError::io(&directory, &error, yaml::EXPECTED))?
                    .path();
                if is_yaml(&path) && path.is_file() {
                    dropped.push(path.into());
                }
            }
        }
    }
    dropped.sort();
    if base.exists() || dropped.is_empty() {
        dropped.insert(0, base.into());
    }
    Ok(dropped)
}

/// The suffixes that those programs look for.
pub(super) fn is_yaml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|ext| ext.eq_ignore_ascii_case("yaml") || ext.eq_ignore_ascii_case("yml"))
}

fn merge(merged: &mut HashMap<String, Merged>, setting: Setting, file: &Rc<Path>) {
    let Setting {
        key,
        line,
        mut value,
    } = setting;
    let (key, append) = match key.strip_suffix('+') {
        Some(key) => (key.to_owned(), true),
        None => (key, false),
    };
    if let (
        true,
        Some(Merged {
            value: Value::Texts(old),
            ..
        }),
        Value::Texts(new),
    ) = (append, merged.get_mut(&key), &mut value)
    {
        // An empty scalar adds nothing to a list.
        old.append(new);
        old.retain(|text| !text.is_empty());
        value = Value::Texts(std::mem::take(old));
    }
    merged.insert(
        key,
        Merged {
            value,
            file: file.clone(),
            line,
        },
    );
}

/// A flag that may be given once: of a list, its last value counts. An empty value is none.
fn last<'a>(merged: &'a HashMap<String, Merged>, key: &str) -> Option<(&'a str, &'a Merged)> {
    let found = merged.get(key)?;
    let Value::Texts(texts) = &found.value else {
        return None;
    };
    texts
        .last()
        .map(|text| text.trim())
        .filter(|text| !text.is_empty())
        .map(|text| (text, found))
}

/// A flag that takes several values, as a list or separated by commas.
fn keys<'a>(
    merged: &'a HashMap<String, Merged>,
    key: &str,
) -> impl Iterator<Item = HostKey> + use<'a> {
    let texts = match merged.get(key).map(|found| &found.value) {
        Some(Value::Texts(texts)) => texts.as_slice(),
        _ => &[],
    };
    texts
        .iter()
        .flat_map(|text| text.split(','))
        .filter(|text| !text.trim().is_empty())
        .map(HostKey::new)
}

/// The spellings that the flag accepts.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

fn upstream(merged: &HashMap<String, Merged>) -> Result<Option<Upstream>, InputError> {
    if let Some(Merged {
        value: Value::Mapping,
        file,
        line,
    }) = merged.get("server")
    {
        let problem = "`server:` is a mapping; expected a URL, such as https://server1:9345";
        return Err(InputError::line(file, *line, problem));
    }
    let Some((text, Merged { file, line, .. })) = last(merged, "server") else {
        return Ok(None);
    };
    let address =
        Address::from_server_url(text).map_err(|problem| InputError::line(file, *line, problem))?;
    Ok(Some(Upstream {
        text: text.to_owned(),
        address,
        file: file.clone(),
        line: *line,
    }))
}

/// `server1` for `server1.yaml`, `server1/config.yaml` and `server1/etc/rancher/rke2/config.yaml`.
fn host_name(base: &Path) -> String {
    let absolute = std::path::absolute(base).unwrap_or_else(|_| base.to_owned());
    let stem = absolute.file_stem().unwrap_or_default().to_string_lossy();
    if stem != "config" {
        return stem.into_owned();
    }
    let directories = || {
        let names = absolute.ancestors().skip(1).filter_map(Path::file_name);
        names.map(|name| name.to_string_lossy())
    };
    let on_the_host = |name: &str| matches!(name, "rke2" | "k3s" | "rancher" | "etc");
    let named = directories()
        .find(|name| !on_the_host(name))
        .or_else(|| directories().next());
    named.unwrap_or(stem).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_after_its_file_or_directory() {
        for (path, name) in [
            ("/cluster/server1.yaml", "server1"),
            ("/cluster/server1/config.yaml", "server1"),
            (
                "/cluster/server1.example.com/config.yaml",
                "server1.example.com",
            ),
            ("/cluster/server1/etc/rancher/rke2/config.yaml", "server1"),
            ("/etc/rancher/k3s/config.yaml", "k3s"),
        ] {
            assert_eq!(host_name(Path::new(path)), name);
        }
    }
}
