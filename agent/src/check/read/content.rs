//! What each kind of file says of the host that it belongs to.

use super::cloud;
use super::group::{ConfigFile, Environment, Group, Rank, Started, Unit};
use super::locate::{self, Located};
use super::recognise::{Kind, Reason, Shape, recognise, shape};
use super::{Reader, kubernetes};
use crate::address::HostKey;
use crate::check::model::HostsLine;
use crate::check::peerx;
use crate::check::places::{self, Level, Product, Text};
use crate::check::yaml::{self, Tree};
use crate::input::InputError;
use std::path::{Path, PathBuf};

/// What cloud-init and scripts write may itself be such a file, but not without end.
const MAX_NESTING: u8 = 3;

impl Reader {
    /// Takes a file of a host. `given`: by its own path, so that it is meant to be something.
    pub(super) fn content(
        &mut self,
        located: &Located,
        name: &str,
        kind: Kind,
        text: &Text<'_>,
        given: bool,
    ) -> Result<(), InputError> {
        match kind {
            Kind::Toml => self.toml(located, name, text, given),
            Kind::Yaml => self.yaml(located, name, text, given),
            kind => {
                self.lines(located, name, kind, text, 0);
                Ok(())
            }
        }
    }

    fn toml(
        &mut self,
        located: &Located,
        name: &str,
        text: &Text<'_>,
        given: bool,
    ) -> Result<(), InputError> {
        if !given && name != "peerx.toml" && !peerx::is_ours(text.text) {
            self.skip(
                &text.file,
                None,
                Reason::new("a TOML file of another program"),
            );
            return Ok(());
        }
        if text.file.as_ref() == Path::new("-") {
            self.skip(
                &text.file,
                None,
                Reason::instead("a TOML file", "give peerx's own files by their path"),
            );
            return Ok(());
        }
        let mut config = match peerx::read(&text.file, self.mode) {
            Ok((config, warnings)) => {
                self.warnings.extend(warnings);
                config
            }
            Err(problems) => {
                self.problems.extend(problems);
                return Ok(());
            }
        };
        let group = self.group(located);
        config.site = group.site();
        group.peerx.push(config);
        Ok(())
    }

    /// Kinds that are read line by line.
    fn lines(&mut self, located: &Located, name: &str, kind: Kind, text: &Text<'_>, nesting: u8) {
        let inside = located.inside.clone();
        let file = text.file.clone();
        match kind {
            Kind::Hostname => {
                let group = self.group(located);
                group.hostname = text.text.split_whitespace().next().map(str::to_owned);
                group.silent.push(file);
            }
            Kind::HostsFile => self.hosts_file(located, name, text),
            Kind::Unit => {
                let service = places::unit(text);
                let unit = located.base.clone().unwrap_or_else(|| name.to_owned());
                let drop_in = located.base.is_some();
                if !service.is_ours() && (!drop_in || Product::of(&unit) == Product::Unknown) {
                    let reason = Reason::new("a unit that starts neither RKE2 nor K3s");
                    return self.skip(&file, None, reason);
                }
                self.group(located).units.push(Unit {
                    inside,
                    name: unit,
                    drop_in,
                    file,
                    service,
                });
            }
            Kind::Variables => {
                let variables = places::variables(text.text);
                let ours = variables
                    .iter()
                    .any(|variable| Product::of(&variable.name) != Product::Unknown);
                let read =
                    Product::of(name) != Product::Unknown && !located.inside.starts_with(name);
                if !ours && !read {
                    let reason = Reason::new("variables of another program");
                    return self.skip(&file, None, reason);
                }
                self.group(located).environments.push(Environment {
                    inside,
                    file,
                    variables,
                });
            }
            Kind::OpenRc => {
                let launch = places::openrc(text);
                if launch.settings.is_empty() && launch.product == Product::Unknown {
                    let reason = Reason::new("a service that starts neither RKE2 nor K3s");
                    return self.skip(&file, None, reason);
                }
                self.group(located).started.push(Started {
                    rank: Rank::Service,
                    launch,
                    file,
                });
            }
            Kind::Script => self.script(located, text, nesting),
            _ => {}
        }
    }

    fn hosts_file(&mut self, located: &Located, name: &str, text: &Text<'_>) {
        if name != "hosts" || located.stem.is_some() {
            let reason = Reason::instead(
                "names and addresses, as in /etc/hosts",
                "give it with --hosts FILE, beside the hosts' own files",
            );
            return self.skip(&text.file, None, reason);
        }
        let lines = hosts_lines(text.text).map(|(_, line)| line);
        let group = self.group(located);
        group.hosts_file.extend(lines);
        group.silent.push(text.file.clone());
    }

    fn script(&mut self, located: &Located, text: &Text<'_>, nesting: u8) {
        let script = places::script(text);
        let mut known = false;
        for written in script.files {
            let part = Text {
                text: &written.text,
                file: text.file.clone(),
                first_line: text.line(written.line),
                exact: text.exact && written.exact,
            };
            known |= self.written(located, &written.path, &part, nesting + 1);
        }
        match script.launch {
            Some(launch) => {
                let file = text.file.clone();
                self.group(located).started.push(Started {
                    rank: Rank::Script,
                    launch,
                    file,
                });
            }
            None if !known => {
                self.skip(
                    &text.file,
                    None,
                    Reason::new("a script that starts neither RKE2 nor K3s"),
                );
            }
            None => {}
        }
    }

    /// A file that a script or cloud-init writes on the host. False if it says nothing.
    fn written(&mut self, located: &Located, path: &str, text: &Text<'_>, nesting: u8) -> bool {
        if nesting > MAX_NESTING {
            return false;
        }
        let path = Path::new(path);
        let on_host = locate::locate(&Path::new("/").join(path));
        let inside: PathBuf = path.strip_prefix("/").unwrap_or(path).to_owned();
        let below = Located {
            inside,
            base: on_host.base,
            ..located.clone()
        };
        let name = locate::file_name(path);
        let head = text.text;
        let kind = recognise(&name, head, false);
        let known = path.to_string_lossy().contains("/rancher/")
            || Product::of(&path.to_string_lossy()) != Product::Unknown;
        match kind {
            Kind::Yaml => match yaml::tree(&text.file, text.text, text.first_line) {
                Ok(tree)
                    if shape(&tree, text.text) == Shape::Settings
                        && (known || path.extension().is_some()) =>
                {
                    self.settings(&below, &tree, text);
                    true
                }
                Ok(_) => false,
                Err(problem) => {
                    if known {
                        self.problems.push(problem);
                    }
                    known
                }
            },
            Kind::Unit | Kind::Variables | Kind::OpenRc | Kind::Hostname | Kind::Script
                if known || name == "hostname" =>
            {
                let before = self.skipped.len();
                self.lines(&below, &name, kind, text, nesting);
                self.skipped.len() == before
            }
            _ => false,
        }
    }

    fn yaml(
        &mut self,
        located: &Located,
        name: &str,
        text: &Text<'_>,
        given: bool,
    ) -> Result<(), InputError> {
        if kubernetes::is_objects(text.text) {
            return self.objects(text);
        }
        let (first_line, document) = yaml::documents(text.text)[0];
        let lone = located.stem.is_none();
        let tree = match yaml::tree(&text.file, document, first_line) {
            Ok(tree) => tree,
            // A template of something else is no host; what could be one is not passed over.
            Err(problem)
                if given || lone || located.base.is_some() || mentions_settings(text.text) =>
            {
                return Err(problem);
            }
            Err(_) => {
                self.skip(
                    &text.file,
                    None,
                    Reason::new("not valid YAML, and no settings of RKE2 or K3s"),
                );
                return Ok(());
            }
        };
        if name == "config.yml" && located.base.is_none() {
            let reason = Reason::instead(
                "read by nobody",
                "RKE2 and K3s read config.yaml only: rename it if the host is to have these settings",
            );
            self.skip(&text.file, None, reason);
            return Ok(());
        }
        self.shaped(located, name, &tree, text, given)
    }

    /// A document, by its shape.
    fn shaped(
        &mut self,
        located: &Located,
        name: &str,
        tree: &Tree,
        text: &Text<'_>,
        given: bool,
    ) -> Result<(), InputError> {
        let map = matches!(tree, Tree::Map(_));
        let rancher = located.inside.starts_with("etc/rancher") && name != "registries.yaml";
        let own = name == "config.yaml" || located.base.is_some() || rancher;
        match shape(tree, text.text) {
            Shape::Settings => self.settings(located, tree, text),
            Shape::Empty if own || located.stem.is_some() => self.settings(located, tree, text),
            Shape::Empty => self.skip(&text.file, None, Reason::new("an empty file")),
            Shape::Compose => self.compose(located, tree, text),
            Shape::CloudInit => self.cloud(located, tree, text),
            Shape::Other(reason) if own && map && reason.what.starts_with("YAML without") => {
                self.settings(located, tree, text);
            }
            Shape::Other(_) if own => {
                let problem = format!("no mapping of settings; expected {}", yaml::EXPECTED);
                return Err(InputError::line(&text.file, 1, problem));
            }
            Shape::Other(reason) => {
                let line = (!map).then_some(1);
                let instead = if given && !map {
                    EXPECTED_SETTINGS
                } else {
                    reason.instead
                };
                self.skip(&text.file, line, Reason { instead, ..reason });
            }
        }
        Ok(())
    }

    fn settings(&mut self, located: &Located, tree: &Tree, text: &Text<'_>) {
        let level = if located.base.is_some() {
            Level::DropIn
        } else {
            Level::Config
        };
        let settings = places::config_settings(tree, text, level);
        let product = Product::of(&located.inside.to_string_lossy());
        let config = ConfigFile {
            inside: located.inside.clone(),
            base: located.base.clone(),
            file: text.file.clone(),
            settings,
        };
        let group = self.group(located);
        group.product = group.product.or(product);
        group.configs.push(config);
    }

    fn compose(&mut self, at: &Located, tree: &Tree, text: &Text<'_>) {
        let (hosts, others) = places::services(tree, text);
        if hosts.is_empty() {
            return self.skip(
                &text.file,
                None,
                Reason::new("a compose file without a service of RKE2 or K3s"),
            );
        }
        if !others.is_empty() {
            let what = format!(
                "of this compose file, services that are neither RKE2 nor K3s: {}",
                others.join(", ")
            );
            self.skip(&text.file, None, Reason::new(what));
        }
        let lone = hosts.len() == 1;
        let machine = Group::new(at).names;
        for service in hosts {
            let located = Located {
                root: text.file.to_path_buf(),
                stem: Some(service.name.clone()),
                inside: PathBuf::new(),
                base: None,
            };
            let group = self.group(&located);
            group.names = vec![service.name];
            group.site = Some(at.root.clone());
            if lone {
                // A machine of its own, called as its directory is.
                group.names.extend(machine.iter().cloned());
                let shown =
                    usize::from(locate::is_generic(&group.names[0]) && group.names.len() > 1);
                group.names.swap(0, shown);
            }
            group
                .own
                .extend(service.own.iter().map(|name| HostKey::new(name)));
            let (launch, file) = (service.launch, text.file.clone());
            group.started.push(Started {
                rank: Rank::Service,
                launch,
                file,
            });
        }
    }

    fn cloud(&mut self, located: &Located, tree: &Tree, text: &Text<'_>) {
        let (parts, faults) = cloud::parts(tree, text.text);
        for (line, fault) in faults {
            self.problems
                .push(InputError::line(&text.file, line, fault));
        }
        let mut known = false;
        for part in parts {
            let below = Text {
                text: &part.text,
                file: text.file.clone(),
                first_line: part.line,
                exact: part.exact,
            };
            known |= match &part.path {
                Some(path) => self.written(located, path, &below, 1),
                None => {
                    let before = self.skipped.len();
                    self.script(located, &below, 1);
                    let said = self.skipped.len() == before;
                    self.skipped.truncate(before);
                    said
                }
            };
        }
        if !known {
            return self.skip(
                &text.file,
                None,
                Reason::new("a cloud-config without settings of RKE2 or K3s"),
            );
        }
        let group = self.group(located);
        for name in cloud::names(tree).filter(|name| places::template(name).is_none()) {
            group.own.push(HostKey::new(name));
            group.hostname.get_or_insert_with(|| name.to_owned());
        }
    }
}

const EXPECTED_SETTINGS: &str =
    "expected a YAML mapping of RKE2 or K3s settings, such as `server: https://server1:9345`";

/// Whether a text that is no YAML was meant to be settings.
fn mentions_settings(text: &str) -> bool {
    let server = |line: &str| {
        [
            "server:",
            "s:",
            "token:",
            "tls-san:",
            "node-name:",
            "node-ip:",
        ]
        .iter()
        .any(|key| line.starts_with(key))
    };
    text.lines().any(server)
}

/// The lines of a file like `/etc/hosts`, with their numbers.
pub(in crate::check) fn hosts_lines(text: &str) -> impl Iterator<Item = (u64, HostsLine)> {
    text.lines().zip(1..).filter_map(|(line, number)| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let ip = HostKey::new(words.next()?);
        let names: Vec<HostKey> = words.map(HostKey::new).collect();
        let good = matches!(ip, HostKey::Ip(_)) && !names.is_empty();
        good.then_some((number, HostsLine { ip, names }))
    })
}
