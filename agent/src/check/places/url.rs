//! The one URL that `server` takes, and values shown without what may be secret in them.

use crate::address::{Address, HostKey};

/// Reads the value of `server`, written as `spelled`; those programs accept nothing but one https URL.
pub(in crate::check) fn parse(spelled: &str, text: &str) -> Result<Address, String> {
    address(text).map_err(|why| {
        let shown = shown(text);
        format!(
            "`{spelled}` is \"{shown}\", {why}; expected https://HOST:PORT, such as https://server1:9345 (RKE2) or https://server1:6443 (K3s)"
        )
    })
}

fn address(text: &str) -> Result<Address, String> {
    if text.contains(char::is_control) {
        return Err("which has a control character".into());
    }
    if let Some(mark) = template(text) {
        return Err(format!(
            "a template that is not filled in (`{mark}`): give the file as it is on the host"
        ));
    }
    if text.matches("://").count() > 1 || text.contains([',', ';', ' ']) {
        return Err("which names several; it takes one URL, of one host, or of a balancer in front of others".into());
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err("which is no URL".into());
    };
    if !scheme.eq_ignore_ascii_case("https") {
        return Err("whose scheme is not https".into());
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A password may itself have a slash.
    if rest.contains('@') {
        return Err("which has user information before the `@`: those programs take a host and a port alone, and the token is a setting of its own".into());
    }
    host_and_port(authority)
}

fn host_and_port(authority: &str) -> Result<Address, String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest
                .split_once(']')
                .ok_or("whose bracket is never closed")?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err("which has something behind the bracket".into()),
            }
        }
        None => match authority.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("whose IPv6 address needs brackets, such as [fd00::1]".into());
            }
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    if host.is_empty() {
        return Err("which names no host".into());
    }
    let odd = |c: char| !(c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '%'));
    if let Some(c) = host.chars().find(|&c| odd(c)) {
        return Err(format!("whose host has the character {c:?}"));
    }
    let port = match port.map(str::parse::<u16>) {
        None => None,
        Some(Ok(port)) if port > 0 => Some(port),
        Some(_) => return Err("whose port is not 1 to 65535".into()),
    };
    Ok(Address {
        host: HostKey::new(host),
        port,
    })
}

/// What a program that fills in templates would have replaced.
pub(in crate::check) fn template(text: &str) -> Option<&'static str> {
    const MARKS: [(&str, &str); 8] = [
        ("{{", "{{ … }}"),
        ("{%", "{% … %}"),
        ("${", "${…}"),
        ("$(", "$(…)"),
        ("<%", "<% … %>"),
        ("$", "$…"),
        ("<", "<…>"),
        ("@@", "@@…@@"),
    ];
    let found = MARKS.iter().find(|(mark, _)| text.contains(mark));
    let specifier = || {
        // A zone of an IPv6 address stands in brackets.
        text.contains('%') && !text.contains('[')
    };
    found
        .map(|(_, shown)| *shown)
        .or(specifier().then_some("%…"))
}

/// A value without what may be secret: user information, a path or query, something that looks like a token.
pub(in crate::check) fn shown(text: &str) -> String {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() { '?' } else { c })
        .collect();
    let parts: Vec<String> = clean
        .split(',')
        .map(|part| shown_part(part.trim()))
        .collect();
    parts.join(",")
}

fn shown_part(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return if is_secret(text) || text.contains('@') {
            "…".into()
        } else {
            text.into()
        };
    };
    // A password may itself have a slash.
    let (user, rest) = match rest.rsplit_once('@') {
        Some((_, rest)) => ("…@", rest),
        None => ("", rest),
    };
    let (host, after) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let name = if is_secret(name) { "…" } else { name };
    let port = match port {
        // What is no number may be a password whose `@` is missing.
        Some(port) if port.chars().all(|c| c.is_ascii_digit()) => format!(":{port}"),
        Some(_) => ":…".into(),
        None => String::new(),
    };
    let path = if matches!(after, "" | "/") {
        after
    } else {
        "/…"
    };
    let scheme = if is_secret(scheme) { "…" } else { scheme };
    format!("{scheme}://{user}{name}{port}{path}")
}

/// Whether this may be a token: `K10…::server:…`, or a long run without the dots and dashes of names.
pub(in crate::check) fn is_secret(text: &str) -> bool {
    const RUN: usize = 20;
    let long = |run: &str| {
        run.len() >= RUN && run.contains(|c: char| c.is_ascii_digit() || c.is_ascii_uppercase())
    };
    let mut runs =
        text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '=' | '_')));
    text.contains("::server:")
        || text.contains("::node:")
        || text.starts_with("K10") && text.len() > RUN
        || runs.any(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_urls() {
        let good = parse("server:", "HTTPS://[fd00::1]:9345/").unwrap();
        assert_eq!(good.host, HostKey::new("fd00::1"));
        assert_eq!(good.port, Some(9345));
        assert_eq!(parse("server:", "https://lb").unwrap().port, None);
        for (text, why) in [
            ("server1:9345", "no URL"),
            ("", "no URL"),
            ("http://server1:9345", "scheme is not https"),
            ("https://:9345", "names no host"),
            ("https://server1:99999", "port is not 1 to 65535"),
            ("https://server1:", "port is not 1 to 65535"),
            ("https://fd00::1:9345", "needs brackets"),
            ("https://ser!ver:9345", "character '!'"),
            ("https://[fd00::1", "never closed"),
            ("https://a:1,https://b:1", "takes one URL"),
            ("https://10.0.0.1,fd00::1:6443", "takes one URL"),
            ("https://a:1 https://b:1", "takes one URL"),
            ("https://me:pw@a:1", "user information"),
            ("https://{{ first }}:9345", "{{ … }}"),
            ("https://${FIRST}:9345", "${…}"),
            ("https://%i:9345", "%…"),
            ("https://<server>:9345", "<…>"),
            ("https://a/\u{1b}[2J", "control character"),
        ] {
            let message = parse("server:", text).unwrap_err();
            assert!(
                message.contains(why) && message.contains("https://HOST:PORT"),
                "{message}"
            );
        }
    }

    #[test]
    fn what_may_be_secret_is_not_shown() {
        for (text, expected) in [
            ("https://server1:9345/", "https://server1:9345/"),
            ("https://me:pass@server1:9345", "https://…@server1:9345"),
            ("https://me:pa/ss@server1:9345", "https://…@server1:9345"),
            (
                "https://server1:9345/K10abc::server:pw",
                "https://server1:9345/…",
            ),
            (
                "https://a:1?token=pw,https://b:2",
                "https://a:1/…,https://b:2",
            ),
            ("https://admin:password", "https://admin:…"),
            ("K10aaaaaaaaaaaaaaaaaaaaaa::server:pw", "…"),
            ("server3:9345", "server3:9345"),
            ("b0a1c2d3e4f5061728394a5b6c7d8e9f", "…"),
            (
                "ip-10-0-0-12.eu-west-1.compute.internal",
                "ip-10-0-0-12.eu-west-1.compute.internal",
            ),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
