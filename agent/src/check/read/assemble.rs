//! One host put together: its settings by place, in the programs' order of precedence.

use super::group::{ConfigFile, Environment, Group, Rank, Unit};
use super::recognise::Reason;
use crate::address::HostKey;
use crate::check::model::{self, HostConfig, Kind, Skipped, Upstream};
use crate::check::places::{
    Key, Level, Product, Setting, Text, Value, assemble_unit, server_url, shown_value, template,
};
use crate::input::InputError;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// What remains to be said beside the host.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) skipped: Vec<Skipped>,
    pub(super) warnings: Vec<String>,
}

/// Makes the host of a group that is one.
pub(super) fn assemble(mut group: Group, notes: &mut Notes) -> Result<HostConfig, InputError> {
    let files = group.files();
    let mut settings: Vec<Setting> = Vec::new();
    let (started, product) = started(&mut group, notes);
    let product = group.product.or(product);
    let mut missing = Vec::new();
    let chosen = choose(&mut group, &started, notes, &mut missing);
    for config in chosen {
        settings.extend(config.settings);
    }
    settings.extend(started);
    // Later places win; within one kind of place, the later setting.
    settings.sort_by_key(|setting| setting.level);
    let settings = merged(settings);
    let (upstream, unset) = upstream(&settings)?;
    warn_of_environment(upstream.as_ref(), notes);

    let site = group.site();
    let node_name = node_name(&group, &settings);
    let own = own(&group, node_name.as_deref(), &settings);
    Ok(HostConfig {
        kind: Kind::Rancher,
        product: product.or(by_port(upstream.as_ref())),
        file: files
            .first()
            .cloned()
            .unwrap_or_else(|| Path::new("").into()),
        file_names: group.names,
        site,
        node_name,
        own,
        advertised: Vec::new(),
        tls_sans: keys(&settings, Key::TlsSan).collect(),
        hosts_file: group.hosts_file,
        cluster_init: last(&settings, Key::ClusterInit).is_some_and(|text| is_true(&text)),
        upstreams: upstream.into_iter().collect(),
        unset,
        missing,
    })
}

/// By which the host calls itself: also the name beside a directory that is called after an address.
fn node_name(group: &Group, settings: &ByKey) -> Option<String> {
    let first = group.names.first();
    let address = first.is_some_and(|name| matches!(HostKey::new(name), HostKey::Ip(_)));
    let hostname = group.hostname.clone().filter(|_| address);
    last(settings, Key::NodeName).or(hostname)
}

/// Names and addresses that are certainly the host's own.
fn own(group: &Group, node_name: Option<&str>, settings: &ByKey) -> Vec<HostKey> {
    const ADDRESSES: [Key; 6] = [
        Key::NodeIp,
        Key::NodeExternalIp,
        Key::AdvertiseAddress,
        Key::BindAddress,
        Key::NodeInternalDns,
        Key::NodeExternalDns,
    ];
    let mut own = group.own.clone();
    let names = group.hostname.as_deref().into_iter().chain(node_name);
    own.extend(names.map(HostKey::new));
    own.extend(ADDRESSES.iter().flat_map(|key| keys(settings, *key)));
    own.retain(|key| !key.is_own_machine());
    let named = group.names.iter().map(|name| HostKey::new(name));
    let known: Vec<HostKey> = own.iter().cloned().chain(named).collect();
    for line in &group.hosts_file {
        // What it calls its own address, and the address of its own name.
        let local = line.ip.is_own_machine();
        if local || line.names.iter().any(|name| known.contains(name)) {
            let all = line.names.iter().chain([&line.ip]);
            own.extend(all.filter(|key| !is_local(key)).cloned());
        }
    }
    own
}

fn by_port(upstream: Option<&Upstream>) -> Product {
    match upstream.and_then(|upstream| upstream.address.port) {
        Some(9345) => Product::Rke2,
        Some(6443) => Product::K3s,
        _ => Product::Unknown,
    }
}

/// Every machine calls itself so.
fn is_local(key: &HostKey) -> bool {
    let name = match key {
        HostKey::Name(name) => name.as_str(),
        HostKey::Ip(_) => return key.is_own_machine(),
    };
    name.starts_with("localhost") || name.starts_with("ip6-") || name == "broadcasthost"
}

/// Flags and environment of everything that starts the program, in rising order.
fn started(group: &mut Group, notes: &mut Notes) -> (Vec<Setting>, Product) {
    let mut started = std::mem::take(&mut group.started);
    started.sort_by_key(|started| started.rank);
    let mut product = Product::Unknown;
    let (mut settings, mut forced) = (Vec::new(), Vec::new());
    for one in started {
        product = product.or(one.launch.product);
        match one.rank {
            Rank::Node => forced.extend(one.launch.settings),
            _ => settings.extend(one.launch.settings),
        }
    }
    let environments = std::mem::take(&mut group.environments);
    let mut units = std::mem::take(&mut group.units);
    // Of units of one name the one in /etc counts, and a server before an agent.
    units.sort_by(|a, b| unit_order(a).cmp(&unit_order(b)));
    let mut used = vec![false; environments.len()];
    let mut from_units = Vec::new();
    for same in units.chunk_by(|a, b| a.name == b.name) {
        let (drop_ins, mains): (Vec<&Unit>, Vec<&Unit>) =
            same.iter().partition(|unit| unit.drop_in);
        let parts: Vec<_> = mains
            .last()
            .into_iter()
            .chain(&drop_ins)
            .map(|unit| &unit.service)
            .collect();
        let name = same[0].name.trim_end_matches(".service");
        let used = std::cell::RefCell::new(&mut used);
        let launch = assemble_unit(name, &parts, &|path| {
            let index = environments
                .iter()
                .position(|file| is_at(&file.inside, path))?;
            used.borrow_mut()[index] = true;
            let found = &environments[index];
            Some((found.file.clone(), found.variables.clone()))
        });
        product = launch.product.or(product);
        from_units.extend(launch.settings);
    }
    let exact = units.iter().any(|unit| unit.service.has_environment_file());
    for (environment, used) in environments.iter().zip(used).filter(|(_, used)| !used) {
        if exact && !used && !is_openrc(environment) {
            notes.skipped.push(skipped(
                &environment.file,
                Reason::new("variables that the unit of this host does not read"),
            ));
            continue;
        }
        product = product.or(of_variables(environment));
        settings.extend(environment_settings(environment));
    }
    settings.extend(from_units);
    settings.extend(forced);
    (settings, product)
}

fn unit_order(unit: &Unit) -> (bool, &str, bool, bool, &Path) {
    let (agent, etc) = (unit.name.contains("agent"), unit.inside.starts_with("etc"));
    (!agent, &unit.name, unit.drop_in, etc, &unit.inside)
}

fn is_openrc(environment: &Environment) -> bool {
    environment.inside.ends_with("rancher/k3s/k3s.env")
        || environment.inside.starts_with("etc/conf.d")
}

fn of_variables(environment: &Environment) -> Product {
    let products = environment
        .variables
        .iter()
        .map(|variable| Product::of(&variable.name));
    products.fold(Product::Unknown, Product::or)
}

fn environment_settings(environment: &Environment) -> Vec<Setting> {
    let place = Text::whole("", environment.file.clone());
    let variables = environment.variables.iter();
    variables
        .filter_map(|variable| variable.setting(&place, "environment file"))
        .collect()
}

/// Whether a file of the copy is the one at `path` on the host; of a copy without directories the name has to do.
fn is_at(inside: &Path, path: &str) -> bool {
    let path = Path::new(path.trim_start_matches('/'));
    inside == path
        || inside.parent() == Some(Path::new("")) && inside.file_name() == path.file_name()
}

/// The configuration file that the program reads, and its drop-ins, in their order.
fn choose(
    group: &mut Group,
    started: &[Setting],
    notes: &mut Notes,
    missing: &mut Vec<String>,
) -> Vec<ConfigFile> {
    let configs = std::mem::take(&mut group.configs);
    let mut settings = started.iter().rev();
    let named = settings.find(|setting| setting.key == Key::ConfigFile);
    let path = named.and_then(|setting| match &setting.value {
        Value::Texts(texts) => texts.last().cloned(),
        Value::Mapping => None,
    });
    let base = main_file(&configs, path.as_deref(), group.by_file);
    if let (Some(path), None, Some(setting)) = (&path, &base, named) {
        let at = format!("{}:{}", setting.file.display(), setting.line);
        missing.push(format!("{path}, which {at} names by `{}`", setting.spelled));
    }
    let name = base.as_deref().and_then(Path::file_name);
    let name = name.map(|name| name.to_string_lossy().into_owned());
    let (mut kept, others): (Vec<_>, Vec<_>) =
        configs.into_iter().partition(|config| match &config.base {
            None => Some(&config.inside) == base.as_ref(),
            Some(over) => name.as_ref().unwrap_or(over) == over,
        });
    for config in others {
        let what = match path {
            None => "not the file that this host reads: no `--config` names it",
            Some(_) => "not the file that this host reads: `--config` names another",
        };
        notes.skipped.push(skipped(&config.file, Reason::new(what)));
    }
    let order = |config: &ConfigFile| {
        (
            config.base.is_some(),
            config.inside.file_name().map(ToOwned::to_owned),
        )
    };
    kept.sort_by_key(order);
    kept
}

/// The file over which drop-ins are laid: the one at `path`, if there is one, else `config.yaml`.
fn main_file(configs: &[ConfigFile], path: Option<&str>, by_file: bool) -> Option<PathBuf> {
    let name = |config: &ConfigFile| config.inside.file_name().map(ToOwned::to_owned);
    let wanted = |config: &&ConfigFile| match path {
        Some(path) => {
            is_at(&config.inside, path) || name(config).as_deref() == Path::new(path).file_name()
        }
        None => by_file || name(config).is_some_and(|name| name == "config.yaml"),
    };
    let mut mains = configs.iter().filter(|config| config.base.is_none());
    // A file of another name, which `--config` names somewhere that was not copied.
    let other = || {
        let alone = configs.iter().all(|config| config.base.is_none());
        configs.first().filter(|_| alone && path.is_none())
    };
    let chosen = mains.find(wanted).or_else(other);
    chosen.map(|config| config.inside.clone())
}

fn skipped(file: &Rc<Path>, reason: Reason) -> Skipped {
    Skipped {
        path: file.to_path_buf(),
        line: None,
        what: reason.what,
        instead: reason.instead,
    }
}

type ByKey = HashMap<Key, Vec<Setting>>;

/// The settings of each key, in rising order, with what they append to in them.
fn merged(settings: Vec<Setting>) -> ByKey {
    let mut by_key = ByKey::new();
    for mut setting in settings {
        let same = by_key.entry(setting.key).or_default();
        if setting.append
            && let (Some(before), Value::Texts(new)) = (same.last(), &mut setting.value)
            && let Value::Texts(old) = &before.value
        {
            // An empty scalar adds nothing to a list.
            let mut all = old.clone();
            all.append(new);
            all.retain(|text| !text.is_empty());
            *new = all;
        }
        same.push(setting);
    }
    by_key
}

fn text(setting: &Setting) -> Option<&str> {
    match &setting.value {
        Value::Texts(texts) => texts
            .last()
            .map(|text| text.trim())
            .filter(|text| !text.is_empty()),
        Value::Mapping => None,
    }
}

/// A flag that may be given once: of a list, its last value counts. What was not filled in is none.
fn last(settings: &ByKey, key: Key) -> Option<String> {
    let setting = settings.get(&key)?.last()?;
    text(setting)
        .filter(|text| template(text).is_none())
        .map(str::to_owned)
}

/// A flag that takes several values: from all kinds of places, and of one kind, the last that replaces.
fn keys(settings: &ByKey, key: Key) -> impl Iterator<Item = HostKey> + use<> {
    let all = settings.get(&key).map_or(&[][..], Vec::as_slice);
    let class = |setting: &Setting| matches!(setting.level, Level::Config | Level::DropIn);
    let mut values: Vec<&Setting> = Vec::new();
    for setting in all {
        if class(setting) {
            values.retain(|before| !class(before));
        }
        values.push(setting);
    }
    let mut found = Vec::new();
    for setting in values {
        let Value::Texts(texts) = &setting.value else {
            continue;
        };
        let parts = texts.iter().flat_map(|text| text.split(','));
        let parts = parts.filter(|text| !text.trim().is_empty() && template(text).is_none());
        found.extend(parts.map(HostKey::new).filter(|key| !key.is_own_machine()));
    }
    found.into_iter()
}

/// The spellings that the flag accepts.
fn is_true(text: &str) -> bool {
    matches!(text, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// Whom the host asks, and the places that say so; or those that say that it asks nobody.
fn upstream(settings: &ByKey) -> Result<(Option<Upstream>, Vec<model::Setting>), InputError> {
    let all = settings.get(&Key::Server).map_or(&[][..], Vec::as_slice);
    let described = |setting: &Setting| model::Setting {
        level: Some(setting.level),
        source: setting.source,
        spelled: setting.spelled.clone(),
        text: shown_value(text(setting).unwrap_or_default()),
        file: setting.file.clone(),
        line: setting.line,
    };
    let Some((winner, before)) = all.split_last() else {
        return Ok((None, Vec::new()));
    };
    let fault = |problem: String| InputError::line(&winner.file, winner.line, problem);
    let spelled = match winner.level {
        Level::Config | Level::DropIn => format!("{}:", winner.spelled),
        _ => winner.spelled.clone(),
    };
    if winner.value == Value::Mapping {
        let problem =
            format!("`{spelled}` is a mapping; expected a URL, such as https://server1:9345");
        return Err(fault(problem));
    }
    let overridden: Vec<_> = before.iter().rev().map(described).collect();
    let Some(url) = text(winner) else {
        let unset = [described(winner)].into_iter().chain(overridden).collect();
        return Ok((None, unset));
    };
    let address = server_url(&spelled, url).map_err(fault)?;
    let upstream = Upstream {
        address,
        setting: described(winner),
        overridden,
    };
    Ok((Some(upstream), Vec::new()))
}

/// Releases have differed in whether the environment or the file counts.
fn warn_of_environment(upstream: Option<&Upstream>, notes: &mut Notes) {
    let Some(upstream) = upstream else { return };
    let winner = &upstream.setting;
    let file =
        |setting: &&model::Setting| matches!(setting.level, Some(Level::Config | Level::DropIn));
    if winner.level != Some(Level::Environment) {
        return;
    }
    if let Some(other) = upstream.overridden.iter().find(file)
        && other.text != winner.text
        && !other.text.is_empty()
    {
        let (spelled, written) = (&winner.spelled, other.written(&other.text));
        notes.warnings.push(format!(
            "{}:{}: `{spelled}` counts before `{written}` of {}:{}; set one of them only, so that there is no doubt",
            winner.file.display(), winner.line, other.file.display(), other.line
        ));
    }
}
