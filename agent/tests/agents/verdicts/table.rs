//! Configurations with a fault, and without.

/// One configuration. `{ip}` in it is an address of this machine that nobody else uses.
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
    /// Files beside it.
    pub(super) files: &'static [(&'static str, Holds)],
    /// Parts of what is said of it; of a sound one, a part of each warning.
    pub(super) says: &'static [&'static str],
}

/// What a file holds. All but the open key are for their owner alone.
pub(super) enum Holds {
    Token,
    Authority,
    Certificate,
    Key,
    OpenKey,
    OtherKey,
    Text(&'static str),
    Directory,
}

use Holds::{Authority, Certificate, Directory, Key, OpenKey, OtherKey, Text, Token};

const fn case(
    name: &'static str,
    text: &'static str,
    files: &'static [(&'static str, Holds)],
    says: &'static [&'static str],
) -> Case {
    Case {
        name,
        text,
        files,
        says,
    }
}

/// A token beside the configuration, and nothing else.
const fn plain(name: &'static str, text: &'static str, says: &'static [&'static str]) -> Case {
    case(name, text, &[("token", Token)], says)
}

/// For a list that has no room for so many.
const SEVENTEEN: &str = "token_file = \"token\"\ntransports = \"tcp\"\nadvertise = [\"10.0.0.1\", \"10.0.0.2\", \"10.0.0.3\", \"10.0.0.4\", \"10.0.0.5\", \"10.0.0.6\", \"10.0.0.7\", \"10.0.0.8\", \"10.0.0.9\", \"10.0.0.10\", \"10.0.0.11\", \"10.0.0.12\", \"10.0.0.13\", \"10.0.0.14\", \"10.0.0.15\", \"10.0.0.16\", \"10.0.0.17\"]\n";

#[rustfmt::skip]
pub(super) const FAULTY: &[Case] = &[
    // Who may join.
    case("nobody", "upstreams = [\"a\"]\n", &[], &["peerx.toml: nobody could join", "`peerx token > FILE`", "[authority]"]),
    plain("two-ways", "token = \"hunter2\"\ntoken_file = \"token\"\n", &["choose one of"]),
    case("weak", "\ntoken = \"hunter2\"\n", &[], &["peerx.toml:2: `token`: the token is too weak", "128 random bits"]),
    case("no-token-file", "token_file = \"gone\"\n", &[], &["peerx.toml:1: `token_file`", "gone: no such file"]),
    case("weak-file", "token_file = \"token\"\n", &[("token", Text("hunter2\n"))], &["peerx.toml:1: `token_file`", "too weak"]),
    case("empty-file", "token_file = \"token\"\n", &[("token", Text("\n"))], &["too weak"]),
    case("spaced-file", "token_file = \"token\"\n", &[("token", Text("one two three four five six seven hunter2"))], &["one word"]),
    case("directory", "token_file = \"token\"\n", &[("token", Directory)], &["cannot be read"]),
    case("number", "token = 1234567890\n", &[], &["peerx.toml:1: ", "a string in quotes"]),
    case("no-authority", "[authority]\ncertificates = \"ca.pem\"\ncertificate = \"node.pem\"\n", &[], &["peerx.toml:2: `[authority]`", "ca.pem: no such file", "node.pem: no such file"]),
    case("no-pem", "key_file = \"key\"\n[authority]\ncertificates = \"ca.pem\"\ncertificate = \"node.pem\"\n", &[("ca.pem", Text("x")), ("node.pem", Certificate), ("key", Key)], &["peerx.toml:2: `[authority]`: no certificate in PEM"]),
    case("no-key", "[authority]\ncertificates = \"ca.pem\"\ncertificate = \"node.pem\"\n", &[("ca.pem", Authority), ("node.pem", Certificate)], &["node.key: no such file or directory; expected the key of the node's certificate"]),
    case("other-key", "key_file = \"key\"\n[authority]\ncertificates = \"ca.pem\"\ncertificate = \"node.pem\"\n", &[("ca.pem", Authority), ("node.pem", Certificate), ("key", OtherKey)], &["peerx.toml:4: the node's certificate is not for its key"]),
    case("open-key", "key_file = \"key\"\ntoken_file = \"token\"\n", &[("token", Token), ("key", OpenKey)], &["peerx.toml:1: key file", "can be read by others", "chmod 600"]),
    case("torn-key", "key_file = \"key\"\ntoken_file = \"token\"\n", &[("token", Token), ("key", Text("torn"))], &["peerx.toml:1: `key_file`", "no Ed25519 key"]),
    plain("no-key-dir", "token_file = \"token\"\nkey_file = \"gone/key\"\n", &["peerx.toml:2: `key_file`", "no such directory"]),
    plain("state-file", "token_file = \"token\"\nstate_dir = \"token\"\n", &["peerx.toml:2: `state_dir`", "is no directory"]),
    plain("state-in-file", "token_file = \"token\"\nstate_dir = \"token/a/b\"\n", &["`state_dir`", "token is no directory"]),
    // Addresses.
    plain("listen-name", "token_file = \"token\"\nlisten = [\"server1:7651\"]\n", &["peerx.toml:2: `listen` has \"server1:7651\"", "IP:PORT"]),
    plain("listen-twice", "token_file = \"token\"\nlisten = [\"127.0.0.1:7651\",\n\"127.0.0.1:7651\"]\n", &["peerx.toml:3: `listen`", "before it takes as well"]),
    plain("listen-all", "token_file = \"token\"\nlisten = [\"127.0.0.1:7651\", \"0.0.0.0:7651\"]\n", &["`listen` has \"0.0.0.0:7651\""]),
    plain("listen-mapped", "token_file = \"token\"\nlisten = \"[::ffff:127.0.0.1]:7651\"\n", &["in the form of IPv6"]),
    plain("listen-link", "token_file = \"token\"\nlisten = \"[fe80::1]:7651\"\n", &["the number of its interface"]),
    plain("listen-group", "token_file = \"token\"\nlisten = \"224.0.0.1:7651\"\n", &["no address of one machine"]),
    // The admin interface, and who may read it.
    plain("admin-odd-name", "token_file = \"token\"\nadmin_names = [\"a:80\"]\n", &["peerx.toml:2: `admin_names` has \"a:80\"", "without a port"]),
    plain("admin-half-tls", "token_file = \"token\"\nadmin_key_file = \"x\"\n", &["peerx.toml:2: `admin_key_file` needs `admin_certificate_file`"]),
    case("admin-open-token", "token_file = \"token\"\nadmin = \"0.0.0.0:7652\"\nadmin_token_file = \"other\"\n", &[("token", Token), ("other", Text("K10a7Zr_9QpXw-3LmTb5Vy"))], &["peerx.toml:3: `admin_token_file` without TLS", "or let `admin` be on loopback"]),
    plain("admin-no-token", "token_file = \"token\"\nadmin_token_file = \"gone\"\n", &["peerx.toml:2: `admin_token_file`", "gone: no such file"]),
    plain("admin-cluster-token", "token_file = \"token\"\nadmin_token_file = \"token\"\n", &["peerx.toml:2: `admin_token_file`", "the cluster's token", "`peerx token > FILE`"]),
    case("admin-weak-token", "token_file = \"token\"\nadmin_token_file = \"weak\"\n", &[("token", Token), ("weak", Text("hunter2"))], &["peerx.toml:2: `admin_token_file`", "too weak"]),
    case("admin-other-key", "token_file = \"token\"\nadmin_certificate_file = \"node.pem\"\nadmin_key_file = \"key\"\n", &[("token", Token), ("node.pem", Certificate), ("key", OtherKey)], &["peerx.toml:2: `admin_certificate_file`", "not for the key in `admin_key_file`"]),
    case("admin-no-key", "token_file = \"token\"\nadmin_certificate_file = \"node.pem\"\nadmin_key_file = \"token\"\n", &[("token", Token), ("node.pem", Certificate)], &["peerx.toml:3: `admin_key_file`", "no private key in PEM"]),
    plain("admin-name", "token_file = \"token\"\nadmin = \"localhost:7652\"\n", &["peerx.toml:2: `admin` is \"localhost:7652\"", "\"off\""]),
    plain("admin-no-port", "token_file = \"token\"\nadmin = \"0.0.0.0\"\n", &["`admin` is \"0.0.0.0\""]),
    plain("admin-taken", "token_file = \"token\"\nlisten = \"127.0.0.1:7651\"\nadmin = \"127.0.0.1:7651\"\n", &["peerx.toml:3: `admin`", "listens over TCP"]),
    plain("upstream-port", "token_file = \"token\"\nupstreams = [\n\"a:0\", \"b:x\",\n\"udp://c\"]\n", &["peerx.toml:3: `upstreams` has \"a:0\"", "\"b:x\"", "peerx.toml:4: `upstreams` has \"udp://c\""]),
    plain("upstream-ipv6", "token_file = \"token\"\nupstreams = \"fd00::1:7651\"\n", &["needs brackets"]),
    plain("upstream-secret", "token_file = \"token\"\nupstreams = \"tcp://me:hunter2@a\"\n", &["`upstreams` has \"tcp://…@a\", which has a user or a password"]),
    plain("advertise-all", "token_file = \"token\"\nadvertise = \"0.0.0.0:7651\"\n", &["every address of a machine"]),
    plain("advertise-itself", "token_file = \"token\"\nadvertise = \"127.0.0.1:7651\"\n", &["peerx.toml:2: `advertise` has 127.0.0.1:7651", "leads every machine to itself", "such as 10.0.0.1:7651", "`local = true`"]),
    plain("advertise-link", "token_file = \"token\"\nadvertise = \"[fe80::1]:7651\"\n", &["peerx.toml:2: `advertise` has", "on one link alone", "such as 10.0.0.1:7651"]),
    plain("advertise-zone", "token_file = \"token\"\nadvertise = \"[fe80::1%eth0]:7651\"\n", &["peerx.toml:2: `advertise` has \"[fe80::1%eth0]:7651\"", "an interface of one machine"]),
    plain("upstream-zone", "token_file = \"token\"\nupstreams = \"tcp://[fe80::1%2]:7651\"\n", &["peerx.toml:2: `upstreams` has", "an interface of one machine"]),
    plain("listen-zone", "token_file = \"token\"\nlisten = \"[fe80::1%eth0]:7651\"\n", &["the number of its interface, such as [fe80::1%2]:7651"]),
    plain("upstream-all", "token_file = \"token\"\nupstreams = \"0.0.0.0\"\n", &["peerx.toml:2: `upstreams` has 0.0.0.0:7651", "every address of a machine"]),
    plain("upstream-link", "token_file = \"token\"\nupstreams = \"[fe80::1]:7651\"\n", &["on one link alone"]),
    plain("advertise-many", SEVENTEEN, &["peerx.toml:3: 17 addresses", "room for 16"]),
    plain("transports", "token_file = \"token\"\ntransports = []\n", &["\"quic\" or \"tcp\" or both"]),
    plain("transport", "token_file = \"token\"\ntransports = \"udp\"\n", &["unknown value `udp`"]),
    // Names, kinds and ranges.
    plain("unknown", "token_file = \"token\"\nname = \"a\"\n", &["peerx.toml:2: unknown key `name`: did you mean `node_name`?"]),
    plain("kind", "token_file = \"token\"\nupstreams = 7\n", &["peerx.toml:2: ", "a list of strings"]),
    plain("syntax", "token_file = \"token\"\nupstreams = [\n", &["a peerx configuration"]),
    plain("long-name", "token_file = \"token\"\nnode_name = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n", &["1 to 128 bytes"]),
    plain("labels", "token_file = \"token\"\n[labels]\nzone = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"\n", &["peerx.toml:2: the node's name and labels", "256 at most"]),
    plain("level", "token_file = \"token\"\n[log]\nlevel = \"loud\"\n", &["peerx.toml:3: `log.level` has \"loud\"", "debug"]),
    plain("lifetime", "token_file = \"token\"\n[pace]\nlifetime = \"5m\"\n", &["peerx.toml:3: `lifetime` is out of range: 10 min to 7 days"]),
    plain("no-unit", "token_file = \"token\"\n[pace]\nround = 200\n", &["peerx.toml:3: ", "200ms"]),
    plain("capacity", "token_file = \"token\"\n[limits]\ncapacity = 1\n", &["peerx.toml:3: `capacity` is out of range: 2 to"]),
    plain("interval", "token_file = \"token\"\n[dns]\ninterval = \"1s\"\n[libp2p]\ninterval = \"0s\"\n", &["peerx.toml:5: `libp2p.interval`", "1 s to 1 day"]),
    plain("on-stop", "token_file = \"token\"\non_stop = \"drop\"\n", &["unknown value `drop`", "`leave`, `pause`"]),
    // The service beside the agent.
    plain("service", "token_file = \"token\"\nlibp2p.advertise = [\"/ip4/10.0.0.1/udp/5001\"]\n", &["peerx.toml:2: `libp2p.advertise`", "/tcp/PORT"]),
    plain("service-id", "token_file = \"token\"\nlibp2p.advertise = \"/ip4/10.0.0.1/tcp/5001/p2p/me\"\n", &["no libp2p peer ID"]),
    plain("learn", "token_file = \"token\"\nlibp2p.learn_from = \"127.0.0.1:5002/id\"\n", &["peerx.toml:2: `libp2p.learn_from`", "http://127.0.0.1:5002/id"]),
    plain("learn-secret", "token_file = \"token\"\nlibp2p.learn_from = \"http://me:hunter2@127.0.0.1:5002/id\"\n", &["\"http://…@127.0.0.1:5002/id\""]),
    plain("learn-https", "token_file = \"token\"\nlibp2p.learn_from = \"https://127.0.0.1:6443/v1-k3s/p2p\"\n", &["set `ca_file`", "/cacerts"]),
    plain("learn-no-ca", "token_file = \"token\"\n[libp2p]\nlearn_from = \"https://127.0.0.1:6443/v1-k3s/p2p\"\nca_file = \"gone.pem\"\n", &["peerx.toml:4: `libp2p.ca_file`", "gone.pem: no such file or directory"]),
    case("learn-half", "token_file = \"token\"\n[libp2p]\nlearn_from = \"https://127.0.0.1:6443/v1-k3s/p2p\"\nca_file = \"ca.pem\"\ncertificate_file = \"node.pem\"\n", &[("token", Token), ("ca.pem", Authority), ("node.pem", Certificate)], &["peerx.toml:5: `libp2p.certificate_file` needs `key_file`"]),
    case("learn-other", "token_file = \"token\"\n[libp2p]\nlearn_from = \"https://127.0.0.1:6443/v1-k3s/p2p\"\nca_file = \"ca.pem\"\ncertificate_file = \"node.pem\"\nkey_file = \"key\"\n", &[("token", Token), ("ca.pem", Authority), ("node.pem", Certificate), ("key", OtherKey)], &["peerx.toml:5: `libp2p.certificate_file`: it is not for `key_file`"]),
];

#[rustfmt::skip]
pub(super) const SOUND: &[Case] = &[
    plain("smallest", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"{ip}:7652\"\n", &[]),
    case("inline", "token = \"K10a7Zr_9QpXw-3LmTb5Vy\"\nlisten = [\"{ip}:7651\"]\nadmin = \"off\"\n", &[], &[]),
    plain("one-string", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"{ip}:7652\"\nupstreams = \"127.0.0.1:9\"\nadvertise = \"10.0.0.1\"\ntransports = \"tcp\"\n", &[]),
    plain("nowhere", "token_file = \"token\"\nlisten = []\nadmin = \"off\"\nupstreams = \"127.0.0.1:9\"\n", &[]),
    case("certified", "key_file = \"key\"\nlisten = \"{ip}:7651\"\nadmin = \"{ip}:7652\"\n[authority]\ncertificates = \"ca.pem\"\ncertificate = \"node.pem\"\n", &[("ca.pem", Authority), ("node.pem", Certificate), ("key", Key)], &[]),
    plain("own-key", "token_file = \"token\"\nkey_file = \"new.key\"\nlisten = \"{ip}:7651\"\nadmin = \"{ip}:7652\"\n", &[]),
    plain("whole", "token_file = \"token\"\nnode_name = \"a\"\nlisten = \"{ip}:0\"\nadmin = \"{ip}:0\"\non_stop = \"pause\"\ncycles = \"expected\"\nlocal = true\nlabels.zone = \"b\"\nlog.level = \"info,peer_exchange=debug\"\npace.lifetime = \"1h\"\nlimits.half_open = 8\ndns.interval = \"5s\"\n", &[]),
    plain("readable", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"0.0.0.0:0\"\n", &["peerx.toml:3: the admin interface on 0.0.0.0:0 can be read from other machines"]),
    case("admin-open-key", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"{ip}:7652\"\nadmin_certificate_file = \"node.pem\"\nadmin_key_file = \"key\"\n", &[("token", Token), ("node.pem", Certificate), ("key", OpenKey)], &["peerx.toml:5: everybody on this machine can read the key in"]),
    plain("admin-idle-files", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"off\"\nadmin_key_file = \"gone\"\n", &["peerx.toml:4: `admin_key_file` is of no use while `admin` is \"off\""]),
    plain("admin-ip-name", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"{ip}:7652\"\nadmin_names = \"10.0.0.1\"\n", &["peerx.toml:4: `admin_names` has \"10.0.0.1\": an IP address is always answered to"]),
    plain("twice", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"off\"\ntransports = [\"tcp\", \"quic\", \"tcp\"]\nupstreams = [\"127.0.0.1:9\", \"127.0.0.1:9\"]\n", &["peerx.toml:4: `transports` has \"tcp\" twice", "peerx.toml:5: `upstreams` has 127.0.0.1:9 twice"]),
    plain("itself", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"off\"\nlocal = true\nadvertise = \"127.0.0.1:7651\"\n", &[]),
    plain("no-id", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"off\"\n[libp2p]\nadvertise = \"/ip4/10.0.0.1/tcp/5001\"\n", &["peerx.toml:5: `libp2p.advertise`: \"/ip4/10.0.0.1/tcp/5001\" has no /p2p/ID"]),
    plain("two-services", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"off\"\n[libp2p]\nadvertise = [\"/ip4/10.0.0.1/tcp/5001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\", \"/ip4/10.0.0.2/tcp/5001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\", \"/ip4/10.0.0.3/tcp/5001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\", \"/ip4/10.0.0.4/tcp/5001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\", \"/ip4/10.0.0.5/tcp/5001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\",\n\"/ip4/10.0.0.1/tcp/5001/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5\"]\n", &["peerx.toml:5: `libp2p.advertise`: \"/ip4/10.0.0.5/tcp/5001/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA\" is beyond the 4 addresses", "peerx.toml:6: `libp2p.advertise`: \"/ip4/10.0.0.1/tcp/5001/p2p/12D3KooWGC6TvWhfapngX6wvJHMYvKpDMXPb3ZnCZ6dMoaMtimQ5\" is another service than 12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"]),
    case("https", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"off\"\n[libp2p]\nlearn_from = \"https://127.0.0.1:9/id\"\nca_file = \"ca.pem\"\ncertificate_file = \"node.pem\"\nkey_file = \"key\"\n", &[("token", Token), ("ca.pem", Authority), ("node.pem", Certificate), ("key", Key)], &[]),
    plain("idle-files", "token_file = \"token\"\nlisten = \"{ip}:7651\"\nadmin = \"off\"\n[libp2p]\nlearn_from = \"http://127.0.0.1:9/id\"\nca_file = \"ca.pem\"\n", &["peerx.toml:6: `libp2p.ca_file` is for https"]),
];
