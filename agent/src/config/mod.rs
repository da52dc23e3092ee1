//! The configuration of an agent: read, checked, and complete.

mod file;
mod time;

use crate::address::{Endpoint, Transport};
use crate::input::InputError;
use crate::libp2p::Service;
use peer_exchange::{Config, Multiaddr};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use file::{Cycles, File, Log, LogFormat, OnStop};
use time::Time;

/// Where the agent listens when the file names nothing.
const LISTEN: [&str; 2] = ["0.0.0.0:7651", "[::]:7651"];
/// Where its admin interface is when the file names nothing.
const ADMIN: &str = "127.0.0.1:7652";
/// Between resolutions of upstreams' names.
const DNS_INTERVAL: Duration = Duration::from_secs(60);
/// Between questions to the libp2p service beside the agent.
const LEARN_INTERVAL: Duration = Duration::from_secs(30);
/// Bytes of a record's metadata, in which the name and the labels travel.
const METADATA: usize = 256;

/// Everything that an agent is told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) path: PathBuf,
    pub(crate) node_name: String,
    pub(crate) listen: Listen,
    pub(crate) transports: Vec<Transport>,
    pub(crate) advertise: Vec<Endpoint>,
    pub(crate) upstreams: Vec<Endpoint>,
    pub(crate) members: Option<Members>,
    pub(crate) key_file: PathBuf,
    pub(crate) state_dir: PathBuf,
    /// `None`: no admin interface.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) on_stop: OnStop,
    pub(crate) cycles: Cycles,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) libp2p: Libp2p,
    pub(crate) dns_interval: Duration,
    /// Without upstreams, which are resolved at run time.
    pub(crate) core: Config,
    pub(crate) half_open: Option<usize>,
    pub(crate) log: Log,
}

/// The libp2p service beside the agent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Libp2p {
    /// Its addresses, each with its peer ID.
    pub(crate) advertise: Vec<Multiaddr>,
    /// Where it tells them itself.
    pub(crate) learn_from: Option<String>,
    pub(crate) interval: Duration,
}

/// Where to listen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listen {
    pub(crate) addresses: Vec<SocketAddr>,
    /// The file names them: each has to work.
    pub(crate) explicit: bool,
}

/// Who may join, as the file says.
#[derive(Clone, PartialEq)]
pub(crate) enum Members {
    Token(String),
    TokenFile(PathBuf),
    Authority(file::Authority),
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // It is a secret.
            Self::Token(_) => f.write_str("Token(…)"),
            Self::TokenFile(path) => write!(f, "TokenFile({path:?})"),
            Self::Authority(authority) => write!(f, "{authority:?}"),
        }
    }
}

impl Settings {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// What is wrong, and on which line.
    pub(crate) fn read(path: &Path) -> Result<Self, InputError> {
        let file = File::read(path)?;
        let beside = |relative: &PathBuf| {
            path.parent()
                .map_or_else(|| relative.clone(), |parent| parent.join(relative))
        };
        let keys = &file.keys;
        let state_dir = match &keys.state_dir {
            Some(dir) => beside(dir),
            None => default_state_dir(),
        };
        let key_file = keys.key_file.as_ref().map(beside);
        let settings = Self {
            path: path.to_owned(),
            node_name: node_name(&file)?,
            listen: listen(&file)?,
            transports: transports(&file)?,
            advertise: endpoints(&file, "advertise", &keys.advertise)?,
            upstreams: endpoints(&file, "upstreams", &keys.upstreams)?,
            members: members(&file, &beside)?,
            key_file: key_file.unwrap_or_else(|| state_dir.join("node.key")),
            state_dir,
            admin: admin(&file)?,
            on_stop: keys.on_stop,
            cycles: keys.cycles,
            labels: keys.labels.clone(),
            libp2p: libp2p(&file)?,
            dns_interval: interval(&file, "dns", keys.dns.interval, DNS_INTERVAL)?,
            core: core(&file)?,
            half_open: half_open(&file)?,
            log: keys.log.clone(),
        };
        settings.check_metadata(&file)?;
        Ok(settings)
    }

    /// What the node's record carries beside its addresses: its name and labels.
    pub(crate) fn metadata(&self) -> Vec<u8> {
        crate::names::metadata(&self.node_name, &self.labels)
    }

    fn check_metadata(&self, file: &File) -> Result<(), InputError> {
        let odd = |text: &str| text.is_empty() || text.contains(['\n', '=']);
        if let Some(key) = self.labels.keys().find(|key| odd(key) || *key == "name") {
            let problem =
                format!("the label {key:?} needs another key: not `name`, no `=`, one line");
            return Err(file.error_at_key("labels", problem));
        }
        if self.labels.values().any(|value| value.contains('\n')) {
            return Err(file.error_at_key("labels", "a label is one line"));
        }
        let length = self.metadata().len();
        if length > METADATA {
            let problem = format!(
                "the node's name and labels take {length} bytes; they travel with its record, in {METADATA} at most"
            );
            return Err(file.error_at_key("labels", problem));
        }
        Ok(())
    }

    /// `new`, but for what is in force only after a restart.
    pub(crate) fn changed_to(&self, new: Self) -> Self {
        let in_force = self.clone();
        Self {
            listen: in_force.listen,
            transports: in_force.transports,
            members: in_force.members,
            key_file: in_force.key_file,
            state_dir: in_force.state_dir,
            admin: in_force.admin,
            log: in_force.log,
            half_open: in_force.half_open,
            core: in_force.core,
            ..new
        }
    }

    /// Keys whose change is in force only after a restart.
    pub(crate) fn needs_restart(&self, new: &Self) -> Vec<&'static str> {
        let changed = [
            ("listen", self.listen != new.listen),
            ("transports", self.transports != new.transports),
            (
                "token, token_file, [authority]",
                self.members != new.members,
            ),
            ("key_file", self.key_file != new.key_file),
            ("state_dir", self.state_dir != new.state_dir),
            ("admin", self.admin != new.admin),
            ("local", self.core.local != new.core.local),
            ("[log]", self.log != new.log),
            ("half_open", self.half_open != new.half_open),
            (
                "[pace], [limits]",
                format!("{:?}", self.core) != format!("{:?}", new.core),
            ),
        ];
        let changed = changed.into_iter().filter(|(_, changed)| *changed);
        changed.map(|(key, _)| key).collect()
    }

    /// The transport of an entry that names none.
    pub(crate) fn default_transport(&self) -> Transport {
        self.transports.first().copied().unwrap_or(Transport::Quic)
    }
}

fn node_name(file: &File) -> Result<String, InputError> {
    let Some(name) = &file.keys.node_name else {
        let name = std::env::var("PEERX_NODE_NAME").ok();
        let name = name.filter(|name| !name.trim().is_empty());
        return Ok(name.unwrap_or_else(host_name));
    };
    let text = name.get_ref().trim();
    if text.is_empty() || text.len() > 128 || text.contains(char::is_control) {
        return Err(file.error(name, "`node_name` is one line of 1 to 128 bytes"));
    }
    Ok(text.to_owned())
}

fn host_name() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

fn listen(file: &File) -> Result<Listen, InputError> {
    let Some(entries) = &file.keys.listen else {
        let addresses = LISTEN.iter().filter_map(|text| text.parse().ok()).collect();
        return Ok(Listen {
            addresses,
            explicit: false,
        });
    };
    let mut addresses = Vec::new();
    for entry in entries {
        let address = entry.get_ref().parse().map_err(|_| {
            let text = entry.get_ref();
            let problem = format!(
                "`listen` has \"{text}\"; expected IP:PORT, such as 0.0.0.0:7651 or [::]:7651"
            );
            file.error(entry, problem)
        })?;
        addresses.push(address);
    }
    Ok(Listen {
        addresses,
        explicit: true,
    })
}

fn transports(file: &File) -> Result<Vec<Transport>, InputError> {
    match &file.keys.transports {
        None => Ok(vec![Transport::Quic, Transport::Tcp]),
        Some(list) if list.is_empty() => Err(file.error_at_key(
            "transports",
            "`transports` needs \"quic\" or \"tcp\" or both",
        )),
        Some(list) => {
            let mut list = list.clone();
            list.dedup();
            Ok(list)
        }
    }
}

fn endpoints(
    file: &File,
    key: &str,
    entries: &[toml::Spanned<String>],
) -> Result<Vec<Endpoint>, InputError> {
    let parse = |entry: &toml::Spanned<String>| {
        let endpoint = Endpoint::parse(key, entry.get_ref());
        let checked = endpoint.and_then(|endpoint| {
            // Whatever the transport: the host's name is what can be wrong with it.
            endpoint.multiaddr(Transport::Tcp).map(|_| endpoint)
        });
        checked.map_err(|problem| file.error(entry, problem))
    };
    entries.iter().map(parse).collect()
}

fn members(
    file: &File,
    beside: &dyn Fn(&PathBuf) -> PathBuf,
) -> Result<Option<Members>, InputError> {
    let keys = &file.keys;
    let mut all = Vec::new();
    if let Some(token) = &keys.token {
        all.push(Members::Token(token.get_ref().clone()));
    }
    if let Some(path) = &keys.token_file {
        all.push(Members::TokenFile(beside(path)));
    }
    if let Some(authority) = &keys.authority {
        all.push(Members::Authority(file::Authority {
            certificates: beside(&authority.certificates),
            certificate: beside(&authority.certificate),
        }));
    }
    if all.len() > 1 {
        let problem = "choose one of `token`, `token_file` and `[authority]`";
        return Err(InputError::file(&file.path, problem));
    }
    Ok(all.pop())
}

fn admin(file: &File) -> Result<Option<SocketAddr>, InputError> {
    let Some(entry) = &file.keys.admin else {
        return Ok(ADMIN.parse().ok());
    };
    match entry.get_ref().as_str() {
        "off" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            let problem =
                format!("`admin` is \"{text}\"; expected IP:PORT, such as {ADMIN}, or \"off\"");
            file.error(entry, problem)
        }),
    }
}

/// How often something outside is asked.
fn interval(
    file: &File,
    table: &str,
    given: Option<Time>,
    default: Duration,
) -> Result<Duration, InputError> {
    let interval = given.map_or(default, |time| time.0);
    if (Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&interval) {
        return Ok(interval);
    }
    let problem = format!("`{table}.interval` is out of range: 1 s to 1 day");
    Err(file.error_at_key(&format!("{table}.interval"), problem))
}

fn libp2p(file: &File) -> Result<Libp2p, InputError> {
    let keys = &file.keys.libp2p;
    let advertise = keys.advertise.iter().map(|entry| {
        Service::parse(entry.get_ref())
            .map_err(|problem| file.error(entry, format!("`libp2p.advertise`: {problem}")))
    });
    if let Some(url) = &keys.learn_from
        && !url.get_ref().starts_with("http://")
    {
        let problem = format!(
            "`libp2p.learn_from` is \"{}\"; expected a URL of this machine, such as http://127.0.0.1:5000/id",
            url.get_ref()
        );
        return Err(file.error(url, problem));
    }
    Ok(Libp2p {
        advertise: advertise.collect::<Result<_, _>>()?,
        learn_from: keys.learn_from.as_ref().map(|url| url.get_ref().clone()),
        interval: interval(file, "libp2p", keys.interval, LEARN_INTERVAL)?,
    })
}

fn half_open(file: &File) -> Result<Option<usize>, InputError> {
    match file.keys.limits.half_open {
        Some(n) if !(1..=65_536).contains(&n) => {
            Err(file.error_at_key("half_open", "`half_open` is out of range: 1 to 65,536"))
        }
        n => Ok(n),
    }
}

/// The core's configuration: what the file says, and the core's defaults.
fn core(file: &File) -> Result<Config, InputError> {
    let mut config = Config::default();
    let (pace, limits) = (&file.keys.pace, &file.keys.limits);
    for (field, value) in [
        (&mut config.lifetime, pace.lifetime),
        (&mut config.round, pace.round),
        (&mut config.quiet_round, pace.quiet_round),
        (&mut config.start_jitter, pace.start_jitter),
        (&mut config.request_timeout, pace.request_timeout),
        (&mut config.backoff_base, pace.backoff_base),
        (&mut config.backoff_cap, pace.backoff_cap),
        (&mut config.link_idle, pace.link_idle),
        (&mut config.renewal_batch, pace.renewal_batch),
        (&mut config.trace_interval, pace.trace_interval),
        (&mut config.report_interval, pace.report_interval),
    ] {
        if let Some(value) = value {
            *field = value.0;
        }
    }
    // A record that lives shortly is renewed often, which has to get around in time.
    if pace.renewal_batch.is_none() {
        config.renewal_batch = config.renewal_batch.min(config.lifetime / 30);
    }
    if pace.quiet_round.is_none() {
        let quiet = config.quiet_round.min(config.lifetime / 10);
        config.quiet_round = quiet.max(config.round);
    }
    config.burst = pace.burst.unwrap_or(config.burst);
    config.capacity = limits.capacity.unwrap_or(config.capacity);
    config.max_links = limits.max_links.unwrap_or(config.max_links);
    config.hop_limit = limits.hop_limit.unwrap_or(config.hop_limit);
    config.messages_per_second = limits
        .messages_per_second
        .unwrap_or(config.messages_per_second);
    config.bytes_per_second = limits.bytes_per_second.unwrap_or(config.bytes_per_second);
    config.local = file.keys.local;
    config.check().map_err(|error| {
        let problem = format!("`{}` is out of range: {}", error.field, error.range);
        file.error_at_key(error.field, problem)
    })?;
    Ok(config)
}

/// Where state is kept when the file does not say: what systemd gives, or what is usual.
fn default_state_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("STATE_DIRECTORY") {
        return dir.into();
    }
    if rustix::process::geteuid().is_root() {
        return "/var/lib/peerx".into();
    }
    let home = |name| std::env::var_os(name).map(PathBuf::from);
    home("XDG_STATE_HOME")
        .or_else(|| home("HOME").map(|home| home.join(".local/state")))
        .map_or_else(|| "/var/lib/peerx".into(), |dir| dir.join("peerx"))
}

/// Reads a secret that may end with a line break.
pub(crate) fn read_secret(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(4096)
        .read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests;
