use super::*;

/// The settings of a copy, so that no file has to be there; or all that is wrong with it.
fn read(text: &str) -> Result<Settings, String> {
    let all = check(Path::new("dir/peerx.toml"), text, Mode::Copied);
    let shown = |faults: Vec<InputError>| {
        let shown = input::listed(&faults);
        shown.replace("dir/peerx.toml", "peerx.toml")
    };
    all.map(|checked| checked.settings).map_err(shown)
}

/// The same of a file that has a token, on its last line but for tables.
fn with_token(text: &str) -> Result<Settings, String> {
    read(&format!(
        "{text}\n[authority]\ncertificates = \"a\"\ncertificate = \"b\"\n"
    ))
}

#[test]
fn the_smallest_file_is_complete() {
    let settings = read("token_file = \"t\"\nupstreams = [\"server2\"]\n").unwrap();
    assert_eq!(settings.upstreams[0].to_string(), "server2:7651");
    assert_eq!(settings.listen.addresses.len(), 2);
    assert_eq!(settings.admin, Some(addresses::ADMIN.parse().unwrap()));
    assert_eq!(settings.core.round, Config::default().round);
    assert!(!settings.node_name.is_empty());
}

#[test]
fn what_needs_a_restart_stays_as_it_is() {
    let old =
        with_token("upstreams = [\"a\"]\npace.lifetime = \"11m\"\nlabels.zone = \"a\"").unwrap();
    let new =
        with_token("upstreams = [\"b\"]\npace.lifetime = \"12m\"\nlabels.zone = \"b\"").unwrap();
    let now = old.changed_to(new.clone());
    assert_eq!((&now.upstreams, &now.labels), (&new.upstreams, &new.labels));
    assert_eq!(now.core.lifetime, Duration::from_secs(660));
    assert_eq!(now.needs_restart(&new), ["[pace], [limits]"]);
}

/// The file that documents every key is one that the agent reads, and what it shows as a default
/// is the default.
#[test]
fn the_documented_file_shows_every_key_with_its_default() {
    let text = include_str!("../../peerx.toml");
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("#: ") {
            Some(default) => format!("{default}\n"),
            None => format!("{line}\n"),
        })
        .collect();
    let given = read(&uncommented).unwrap();
    let default = read("token_file = \"/etc/peerx/token\"\nupstreams = [\"server2:7651\"]\nnode_name = \"server1\"\n").unwrap();
    assert_eq!(given.node_name, default.node_name);
    assert_eq!(given.listen.addresses, default.listen.addresses);
    assert_eq!(given.transports, default.transports);
    assert_eq!(given.advertise, default.advertise);
    assert_eq!(given.upstreams, default.upstreams);
    assert_eq!(given.members, default.members);
    assert_eq!(given.admin, default.admin);
    assert_eq!(given.on_stop, default.on_stop);
    assert_eq!(given.dns_interval, default.dns_interval);
    assert_eq!(given.labels, default.labels);
    assert_eq!(given.cycles, default.cycles);
    assert_eq!(given.libp2p, default.libp2p);
    assert_eq!(format!("{:?}", given.core), format!("{:?}", default.core));
    let half_open = peer_exchange_tcp::Options::default().half_open;
    assert_eq!(given.half_open, Some(half_open));
    // Every key that exists is in it: a file with one more is told all of them.
    for table in ["", "[libp2p]", "[dns]", "[pace]", "[limits]", "[log]"] {
        let error = read(&format!("{table}\nno_such_key = 1\n")).unwrap_err();
        let (_, keys) = error.split_once("knows `").unwrap();
        for key in keys.trim_end_matches('`').split("`, `") {
            let shown = |line: &str| {
                let line = line.trim_start_matches("#: ").trim_start_matches("# ");
                line.starts_with(&format!("{key} =")) || line.starts_with(&format!("[{key}]"))
            };
            assert!(
                text.lines().any(shown),
                "{key} of {table:?} is not documented"
            );
        }
    }
}

#[test]
fn nodes_watch_each_other_unless_that_is_off() {
    let detection = |text| with_token(text).unwrap().core.detection;
    let second = std::time::Duration::from_secs(1);
    assert_eq!(detection(""), Some(3 * second));
    assert_eq!(detection("detection = \"1m\""), Some(60 * second));
    assert_eq!(detection("detection = \"off\""), None);
    let (now, new) = (with_token(""), with_token("detection = \"off\""));
    assert_eq!(now.unwrap().needs_restart(&new.unwrap()), ["detection"]);
}

#[test]
fn a_bad_value_names_its_line_and_what_was_expected() {
    for (text, start, expected) in [
        (
            "listen = [\"x\"]",
            "peerx.toml:1: `listen` has \"x\"",
            "IP:PORT",
        ),
        ("\nadmin = \"localhost\"", "peerx.toml:2: `admin` is", "off"),
        (
            "upstreams = [\n\"a b\"]",
            "peerx.toml:2: `upstreams` has",
            "HOST:PORT",
        ),
        ("transports = []", "peerx.toml:1: ", "quic"),
        (
            "transports = [\"udp\"]",
            "peerx.toml:1: unknown value `udp`",
            "quic",
        ),
        (
            "[pace]\nlifetime = \"9m\"",
            "peerx.toml:2: `lifetime` is out of range",
            "10 min",
        ),
        (
            "[limits]\n\ncapacity = 1",
            "peerx.toml:3: `capacity` is out of range",
            "2 to",
        ),
        ("[limits]\nhalf_open = 0", "peerx.toml:2: ", "65,536"),
        (
            "\ndetection = \"2s\"",
            "peerx.toml:2: `detection` is out of range",
            "3 to 60 s",
        ),
        (
            "detection = \"61s\"",
            "peerx.toml:1: `detection`",
            "3 to 60 s",
        ),
        ("detection = 3", "peerx.toml:1: ", "\"off\""),
        ("detection = \"never\"", "peerx.toml:1: ", "\"off\""),
        (
            "[libp2p]\ninterval = \"9s\"\n[dns]\ninterval = \"0s\"",
            "peerx.toml:4: ",
            "1 s",
        ),
        ("token_file = \"b\"", "peerx.toml: choose one", "token_file"),
        ("[labels]\nname = \"x\"", "peerx.toml:2: ", "another key"),
        (
            "[libp2p]\nadvertise = \"/ip4/10.0.0.1/udp/1\"",
            "peerx.toml:2: `libp2p.advertise`",
            "/tcp/PORT",
        ),
        (
            "[libp2p]\nlearn_from = \"x\"",
            "peerx.toml:2: `libp2p.learn_from`",
            "http://",
        ),
        ("node_name = \" \"", "peerx.toml:1: ", "one line"),
    ] {
        let error = with_token(text).unwrap_err();
        assert!(error.starts_with(start), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_record_has_room_for_the_labels() {
    let long = "x".repeat(300);
    let error = with_token(&format!("\n[labels]\nzone = \"{long}\"\n")).unwrap_err();
    assert!(
        error.starts_with("peerx.toml:2: the node's name and labels"),
        "{error}"
    );
}

#[test]
fn every_fault_is_told_and_in_the_order_of_the_file() {
    let error =
        read("listen = \"x\"\nadmin = \"y\"\nupstreams = [\"a:0\", \"b\",\n\"c:d\"]").unwrap_err();
    let lines: Vec<_> = error
        .lines()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    let expected = [
        "peerx.toml",
        "peerx.toml:1",
        "peerx.toml:2",
        "peerx.toml:3",
        "peerx.toml:4",
    ];
    assert_eq!(lines, expected, "{error}");
}

#[test]
fn paths_are_relative_to_the_file() {
    let settings = read("token_file = \"token\"\nstate_dir = \"state\"\n").unwrap();
    let dir = settings.path.parent().unwrap();
    assert_eq!(
        settings.members,
        Some(Members::TokenFile(dir.join("token")))
    );
    assert_eq!(settings.key_file, dir.join("state/node.key"));
}
