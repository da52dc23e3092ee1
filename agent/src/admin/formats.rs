//! Peers in the formats that existing clients ask for: Spegel's HTTP bootstrap, and the p2p
//! endpoints of K3s and RKE2. Byte for byte what those clients parse.

use super::{Desk, Down};
use crate::libp2p::offer::Offer;
use crate::libp2p::offers::Asker;
use crate::live::Agent;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;

/// A service, as Spegel reads it.
#[derive(Serialize)]
struct Entry {
    #[serde(rename = "ID", skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(rename = "Addrs")]
    addresses: Vec<String>,
}

impl Entry {
    fn of(offer: Offer) -> Self {
        Self {
            id: offer.id.map(|id| id.to_string()),
            addresses: offer.addresses,
        }
    }
}

type From = Extension<ConnectInfo<SocketAddr>>;

/// Spegel after 0.7.4: always 200 and a JSON array; an empty one makes it come again. An entry may
/// lack its ID.
pub(super) async fn spegel(State(desk): State<Arc<Desk>>, from: From) -> Result<Response, Down> {
    let agent = &desk.agent;
    let offers = agent
        .offers
        .choose(&agent.handle, &asker(agent, &from))
        .await?;
    let entries: Vec<_> = offers.into_iter().map(Entry::of).collect();
    Ok(Json(entries).into_response())
}

/// Spegel 0.4 to 0.7.4: one object with its ID, another one each time. With nobody to name, any
/// status but 200 makes it come again.
pub(super) async fn spegel_one(
    State(desk): State<Arc<Desk>>,
    from: From,
    method: Method,
) -> Result<Response, Down> {
    let agent = &desk.agent;
    let asker = asker(agent, &from);
    let turn = method == Method::GET;
    let next = agent.offers.next(&agent.handle, &asker, turn).await?;
    Ok(match next {
        Some(offer) => Json(Entry::of(offer)).into_response(),
        None => nobody(),
    })
}

/// K3s and RKE2: a JSON array for whoever accepts one, else the first address alone; 503 with
/// nothing to give. Each address ends with its ID.
pub(super) async fn rancher(
    State(desk): State<Arc<Desk>>,
    from: From,
    headers: HeaderMap,
) -> Result<Response, Down> {
    let agent = &desk.agent;
    let offers = agent
        .offers
        .choose(&agent.handle, &asker(agent, &from))
        .await?;
    let mut addresses = Vec::new();
    for offer in offers {
        let Some(id) = &offer.id else { continue };
        let with_id = |address: &String| format!("{address}/p2p/{id}");
        addresses.extend(offer.addresses.iter().map(with_id));
    }
    let Some(first) = addresses.first() else {
        return Ok(nobody());
    };
    if accepts_json(&headers) {
        return Ok(Json(addresses).into_response());
    }
    Ok(([(header::CONTENT_TYPE, "text/plain")], first.clone()).into_response())
}

fn nobody() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "no peers\n").into_response()
}

/// Whether JSON is named, and not with the weight 0, which means "not this" (RFC 9110, 12.4.2).
fn accepts_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let ranges = accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    let weighs = |parameter: &str| match parameter.split_once('=') {
        Some((name, weight)) if name.trim().eq_ignore_ascii_case("q") => {
            weight.trim().parse::<f32>().map_or(true, |q| q > 0.0)
        }
        _ => true,
    };
    ranges.into_iter().any(|range| {
        let mut parts = range.split(';');
        let kind = parts.next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json") && parts.all(weighs)
    })
}

fn asker(agent: &Agent, from: &From) -> Asker {
    let Extension(ConnectInfo(from)) = from;
    Asker {
        ip: from.ip().to_canonical(),
        here: agent.is_own(from.ip()),
        local: agent.settings().core.local,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_accepted_when_it_is_named_and_weighs_something() {
        for (values, accepted) in [
            (&["application/json"][..], true),
            (&["Application/JSON; charset=utf-8"], true),
            (&["text/plain, application/json;q=0.5"], true),
            (&["text/plain", "application/json"], true),
            (&["application/json; Q=0.001"], true),
            (&[], false),
            (&["*/*"], false),
            (&["text/plain"], false),
            (&["application/jsonl"], false),
            (&["application/json;q=0"], false),
            (&["application/json ; q = 0.000, */*"], false),
            (&["application/json;v=1;q=0.0"], false),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT, value.parse().unwrap());
            }
            assert_eq!(accepts_json(&headers), accepted, "{values:?}");
        }
    }
}
