//! Which of what was read is a host: files of all hosts together, copies that `--config` names, directories that hold
//! nothing.

use super::group::{ConfigFile, Group, Rank};
use super::recognise::Reason;
use super::walk::absolute;
use super::{Owner, Reader};
use crate::check::places::{Key, Value};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

impl Reader {
    pub(super) fn sort_out(&mut self) {
        self.name_by_directory();
        self.absorb_files();
        self.join_nodes();
        self.set_common_aside();
        self.tell_apart();
        self.miss_directories();
    }

    /// `server1/server.yaml` and `server2/server.yaml` are named after their directories.
    fn name_by_directory(&mut self) {
        let mut dirs_of: HashMap<String, Vec<PathBuf>> = HashMap::new();
        let mut files_in: HashMap<PathBuf, usize> = HashMap::new();
        for ((root, stem), group) in &self.groups {
            if let Some(stem) = stem
                .as_ref()
                .filter(|_| root.is_absolute() && group.is_host())
            {
                dirs_of.entry(stem.clone()).or_default().push(root.clone());
                *files_in.entry(root.clone()).or_default() += 1;
            }
        }
        for (stem, dirs) in dirs_of {
            if dirs.len() < 2 || dirs.iter().any(|dir| files_in[dir] > 1) {
                continue;
            }
            for dir in dirs {
                self.move_group(&(dir.clone(), Some(stem.clone())), (dir, None));
            }
        }
    }

    /// Gives what one group has to another, which may be new.
    fn move_group(&mut self, from: &Owner, to: Owner) {
        let Some(mut group) = self.groups.shift_remove(from) else {
            return;
        };
        let located = super::Located {
            root: to.0.clone(),
            stem: to.1.clone(),
            inside: PathBuf::new(),
            base: None,
        };
        for config in &mut group.configs {
            // As the one configuration of its host.
            if config.base.is_none() && config.inside.components().count() == 1 {
                config.inside = PathBuf::from("config.yaml");
            }
        }
        let target = self
            .groups
            .entry(to)
            .or_insert_with(|| Group::new(&located));
        target.absorb(group);
    }

    /// Units and scripts beside a host's `config.yaml` are that host's, as are files that its `--config` names.
    fn absorb_files(&mut self) {
        let owners: Vec<Owner> = self.groups.keys().cloned().collect();
        let configs = |group: &Group| !group.configs.is_empty() || !group.peerx.is_empty();
        let named_configs: HashSet<PathBuf> = self
            .groups
            .iter()
            .filter(|((_, stem), group)| stem.is_some() && configs(group))
            .map(|((root, _), _)| root.clone())
            .collect();
        for owner in &owners {
            let (root, stem) = owner;
            let dir = (root.clone(), None);
            let Some(group) = self.groups.get(owner) else {
                continue;
            };
            let host = self.groups.get(&dir).is_some_and(configs);
            if stem.is_some()
                && root.is_absolute()
                && host
                && !configs(group)
                && !named_configs.contains(root)
            {
                self.move_group(owner, dir);
            }
        }
        let mut holders: HashMap<PathBuf, Owner> = HashMap::new();
        for (owner, group) in self.groups.iter().filter(|((_, stem), _)| stem.is_some()) {
            holders.extend(
                group
                    .configs
                    .iter()
                    .map(|config| (absolute(&config.file), owner.clone())),
            );
        }
        for owner in owners.into_iter().filter(|_| !holders.is_empty()) {
            let Some(group) = self.groups.get(&owner) else {
                continue;
            };
            let wanted: Vec<String> = config_paths(group).collect();
            for path in wanted {
                let full = owner.0.join(path.trim_start_matches('/'));
                if let Some(other) = holders.get(&full).filter(|other| **other != owner).cloned() {
                    let inside = PathBuf::from(path.trim_start_matches('/'));
                    if let Some(group) = self.groups.get_mut(&other) {
                        group
                            .configs
                            .iter_mut()
                            .for_each(|config| config.inside.clone_from(&inside));
                    }
                    let moved = self.groups.shift_remove(&other);
                    if let (Some(moved), Some(group)) = (moved, self.groups.get_mut(&owner)) {
                        group.absorb(moved);
                    }
                }
            }
        }
    }

    /// A node of `kubectl get nodes` and the copy of its files are one host.
    fn join_nodes(&mut self) {
        let is_node = |group: &Group| {
            group
                .started
                .iter()
                .any(|started| started.rank == Rank::Node)
        };
        let nodes: Vec<Owner> = self
            .groups
            .iter()
            .filter(|(_, group)| is_node(group))
            .map(|(owner, _)| owner.clone())
            .collect();
        if nodes.len() == self.groups.len() {
            return;
        }
        let mut by_name: HashMap<String, Vec<Owner>> = HashMap::new();
        for (owner, group) in self.groups.iter().filter(|(_, group)| !is_node(group)) {
            for name in &group.names {
                by_name
                    .entry(name.to_ascii_lowercase())
                    .or_default()
                    .push(owner.clone());
            }
        }
        for node in nodes {
            let name = self.groups[&node].names[0].to_ascii_lowercase();
            if let Some([owner]) = by_name.get(&name).map(Vec::as_slice) {
                let moved = self.groups.shift_remove(&node);
                if let (Some(moved), Some(group)) = (moved, self.groups.get_mut(owner)) {
                    group.absorb(moved);
                }
            }
        }
    }

    /// A file above or beside the hosts that names nobody is common to them, and is no host.
    fn set_common_aside(&mut self) {
        let mut above: HashSet<PathBuf> = HashSet::new();
        for ((root, stem), group) in self.groups.iter().filter(|(_, group)| group.is_host()) {
            if stem.is_some() && (!group.configs.is_empty() || !group.peerx.is_empty()) {
                above.insert(root.clone());
            }
            above.extend(root.ancestors().skip(1).map(Path::to_owned));
        }
        let common: Vec<Owner> = self
            .groups
            .iter()
            .filter(|((root, stem), group)| {
                stem.is_none() && above.contains(root) && group.is_host()
            })
            .map(|(owner, _)| owner.clone())
            .collect();
        for owner in common {
            let group = &self.groups[&owner];
            if says_whose_it_is(group) {
                continue;
            }
            let (asks, files) = (names_an_upstream(group), group.files());
            let shown = files.first().map(|file| file.display().to_string());
            let shown = shown.unwrap_or_default();
            if asks && !group.configs.is_empty() {
                let name = group.names.first().cloned().unwrap_or_default();
                self.warnings.push(format!("{shown} lies above the files of other hosts, and names an upstream: taken for a host of its own, {name}"));
                continue;
            }
            if asks {
                self.warnings.push(format!("{shown} lies above the files of other hosts: taken for common to them, and its upstream for nobody's"));
            }
            for file in files {
                let reason = Reason::new("common to the hosts beside it, so no host");
                self.skip(&file, None, reason);
            }
            self.groups.shift_remove(&owner);
        }
    }

    /// Where all directories are called the same, such as `server1/files` and `server2/files`, the ones above them
    /// have the names.
    fn tell_apart(&mut self) {
        let hosts = || {
            self.groups.iter().filter(|((root, stem), group)| {
                stem.is_none() && root.is_absolute() && group.is_host()
            })
        };
        let names: HashSet<&str> = hosts().map(|(_, group)| group.names[0].as_str()).collect();
        if names.len() != 1 || hosts().count() < 2 {
            return;
        }
        for ((root, _), group) in &mut self.groups {
            if let Some(above) = root.parent().and_then(Path::file_name)
                && group.is_host()
                && !group.by_file
            {
                let mut names = super::locate::names(&above.to_string_lossy());
                names.append(&mut group.names);
                group.names = names;
            }
        }
    }

    /// Perhaps a host whose files were not copied: its absence could hide a cycle.
    fn miss_directories(&mut self) {
        let hosts = || {
            self.groups
                .iter()
                .filter(|((root, _), group)| root.is_absolute() && group.is_host())
        };
        let beside: HashSet<&Path> = hosts()
            .filter(|((_, stem), _)| stem.is_none())
            .filter_map(|((root, _), _)| root.parent())
            .chain(
                hosts()
                    .filter(|((_, stem), _)| stem.is_some())
                    .map(|((root, _), _)| root.as_path()),
            )
            .collect();
        let above: HashSet<&Path> = hosts()
            .flat_map(|((root, _), _)| root.ancestors())
            .collect();
        let roots: HashSet<&Path> = hosts()
            .filter(|((_, stem), _)| stem.is_none())
            .map(|((root, _), _)| root.as_path())
            .collect();
        let mut warnings = Vec::new();
        for directory in &self.directories {
            let full = absolute(directory);
            let is_drop_in = super::locate::drop_in_base(&full).is_some();
            let silent = full.parent().is_some_and(|parent| beside.contains(parent))
                && !above.contains(full.as_path());
            if silent && !is_drop_in && !full.ancestors().any(|above| roots.contains(above)) {
                warnings.push(format!(
                    "{}: holds no configuration of a host, so none was read from it",
                    directory.display()
                ));
            }
        }
        self.warnings.append(&mut warnings);
    }
}

/// Whether the files tell of one host, not of all.
fn says_whose_it_is(group: &Group) -> bool {
    let own = |key| {
        matches!(
            key,
            Key::NodeName | Key::NodeIp | Key::NodeExternalIp | Key::AdvertiseAddress
        )
    };
    let mut settings = group.configs.iter().flat_map(|config| &config.settings);
    let in_place = |config: &ConfigFile| config.inside.starts_with("etc");
    settings.any(|setting| own(setting.key))
        || group.hostname.is_some()
        || !group.peerx.is_empty()
        || group.configs.iter().any(in_place)
}

fn names_an_upstream(group: &Group) -> bool {
    let configs = group.configs.iter().flat_map(|config| &config.settings);
    let started = group
        .started
        .iter()
        .flat_map(|started| &started.launch.settings);
    let mut keys = configs.chain(started).map(|setting| setting.key);
    let mut variables = group.environments.iter().flat_map(|file| &file.variables);
    keys.any(|key| key == Key::Server)
        || variables.any(|variable| Key::of_variable(&variable.name) == Some(Key::Server))
}

/// What `--config` names on this host.
fn config_paths(group: &Group) -> impl Iterator<Item = String> {
    let started = group
        .started
        .iter()
        .flat_map(|started| &started.launch.settings);
    let flags = started.filter(|setting| setting.key == Key::ConfigFile);
    let texts = flags.filter_map(|setting| match &setting.value {
        Value::Texts(texts) => texts.last().cloned(),
        Value::Mapping => None,
    });
    let variables = group.environments.iter().flat_map(|file| &file.variables);
    let named =
        variables.filter(|variable| Key::of_variable(&variable.name) == Some(Key::ConfigFile));
    let units = group
        .units
        .iter()
        .flat_map(|unit| unit.service.config_files());
    texts
        .chain(named.map(|variable| variable.value.clone()))
        .chain(units)
}
