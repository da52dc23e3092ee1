//! Who may ask what.
//!
//! Probes are answered to everybody: they say nothing that is worth hiding, and have to work when
//! nothing else does. With a token, whoever shows it is trusted, under whatever name it has found this
//! agent. Without one, a page that a browser has loaded from elsewhere could read this agent once its
//! own name leads here (DNS rebinding); the browser then sends that name as `Host`, and nothing that
//! could be told from another client's. An IP address cannot be made to lead elsewhere.

use super::Desk;
use super::body::Held;
use super::counts::Refusal;
use super::pages::busy;
use crate::address::HostKey;
use crate::config::Settings;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// Lets through what may pass, as long as few others are being answered.
pub(super) async fn guard(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    if matches!(request.uri().path(), "/healthz" | "/readyz") {
        return next.run(request).await;
    }
    let access = desk.agent.access();
    if let Some(token) = &access.token {
        if !shows(request.headers(), token.reveal()) {
            desk.counts.refused(Refusal::Token);
            return unauthorised();
        }
    } else if let Err(refused) = addressed(&request, &desk.agent.settings()) {
        desk.counts.refused(Refusal::Host);
        return refused.into_response();
    }
    let Ok(place) = Arc::clone(&desk.answering).try_acquire_owned() else {
        desk.counts.refused(Refusal::Busy);
        return busy();
    };
    let answer = next.run(request).await;
    answer.map(|body| Body::new(Held::new(body, place)))
}

/// Whether a request shows the token (RFC 6750, 2.1).
fn shows(headers: &HeaderMap, token: &str) -> bool {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return false;
    };
    let shown = value.as_bytes().split_at_checked(b"Bearer ".len());
    shown.is_some_and(|(scheme, shown)| {
        scheme.eq_ignore_ascii_case(b"Bearer ")
            && bool::from(shown.trim_ascii().ct_eq(token.as_bytes()))
    })
}

fn unauthorised() -> Response {
    let wants = (
        WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"peerx\""),
    );
    let why = "this needs the token of `admin_token_file`, as `Authorization: Bearer TOKEN` (`peerx peers --admin-token-file FILE`)\n";
    (StatusCode::UNAUTHORIZED, [wants], why).into_response()
}

/// Whether a request is for this agent, by a name that is its own.
fn addressed(request: &Request, settings: &Settings) -> Result<(), (StatusCode, String)> {
    let name = match asked_for(request.uri(), request.headers()) {
        Ok(Some(name)) => name,
        // An old client or a balancer's check: no browser.
        Ok(None) if request.version() < Version::HTTP_11 => return Ok(()),
        _ => {
            let why = "one Host header, please: the IP address or the name by which this agent was found (RFC 9112, 3.2)\n";
            return Err((StatusCode::BAD_REQUEST, why.to_owned()));
        }
    };
    if is_own(&name, settings) {
        return Ok(());
    }
    let HostKey::Name(name) = name else {
        return Ok(());
    };
    let why = format!(
        "this agent does not answer to the name {name:?}: ask it by an IP address, as localhost or {:?}, or set `admin_names = [{name:?}]` in its configuration and reload it (SIGHUP)\n",
        settings.node_name
    );
    Err((StatusCode::MISDIRECTED_REQUEST, why))
}

/// The host of a request, without its port. An empty one is an error, and so is more than one.
fn asked_for(uri: &Uri, headers: &HeaderMap) -> Result<Option<HostKey>, ()> {
    let mut hosts = headers.get_all(HOST).iter();
    let (host, more) = (hosts.next(), hosts.next());
    if more.is_some() {
        return Err(());
    }
    // In a request's target it counts more (RFC 9112, 3.2.2).
    let authority = match (uri.authority(), host) {
        (Some(authority), _) => Some(authority.as_str()),
        (None, Some(host)) => Some(host.to_str().map_err(|_| ())?),
        (None, None) => None,
    };
    match authority.map(|authority| HostKey::new(without_port(authority))) {
        Some(HostKey::Name(name)) if name.is_empty() => Err(()),
        host => Ok(host),
    }
}

fn without_port(authority: &str) -> &str {
    let digits = |port: &str| port.bytes().all(|b| b.is_ascii_digit());
    match authority.rsplit_once(':') {
        Some((host, port)) if digits(port) && (!host.contains(':') || host.ends_with(']')) => host,
        _ => authority,
    }
}

/// IP addresses, `localhost`, the names of the node and of its machine, those that it advertises, and
/// what the configuration adds.
fn is_own(host: &HostKey, settings: &Settings) -> bool {
    let HostKey::Name(name) = host else {
        return true;
    };
    let machine = rustix::system::uname();
    let machine = machine.nodename().to_string_lossy();
    // A name of one word has no owner elsewhere.
    let short = machine.split('.').next().unwrap_or_default();
    let own = ["localhost", &machine, short, &settings.node_name];
    own.iter().any(|own| own.eq_ignore_ascii_case(name))
        || settings.admin_names.contains(name)
        || settings.advertise.iter().any(|told| told.host == *host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_no_part_of_a_name() {
        for (authority, host) in [
            ("a", "a"),
            ("a:80", "a"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("::1", "::1"),
            ("a:b", "a:b"),
        ] {
            assert_eq!(without_port(authority), host);
        }
    }

    #[test]
    fn the_token_is_shown_whole_and_as_a_bearer() {
        let shown = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, value.parse().unwrap());
            shows(&headers, "secret")
        };
        assert!(shown("Bearer secret") && shown("bearer  secret "));
        for wrong in [
            "secret",
            "Basic secret",
            "Bearer secre",
            "Bearer secret1",
            "Bearer ",
            "",
        ] {
            assert!(!shown(wrong), "{wrong}");
        }
        assert!(!shows(&HeaderMap::new(), "secret"));
    }

    #[test]
    fn the_target_counts_more_than_the_header() {
        let mut headers = HeaderMap::new();
        let host = |target: &str, headers: &HeaderMap| asked_for(&target.parse().unwrap(), headers);
        assert_eq!(host("/", &headers), Ok(None));
        headers.append(HOST, "127.0.0.1:7652".parse().unwrap());
        assert_eq!(host("/", &headers), Ok(Some(HostKey::new("127.0.0.1"))));
        assert_eq!(
            host("http://Evil.example./", &headers),
            Ok(Some(HostKey::new("evil.example")))
        );
        headers.append(HOST, "a".parse().unwrap());
        assert_eq!(host("/", &headers), Err(()));
    }
}
