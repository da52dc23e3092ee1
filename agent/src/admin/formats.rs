//! Peers in the formats that existing clients ask for: Spegel's HTTP bootstrap, and the p2p
//! endpoints of K3s and RKE2. Byte for byte what those clients parse.

use super::Down;
use crate::libp2p::offers::{Asker, Offer};
use crate::live::Agent;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use serde::Serialize;
use std::net::SocketAddr;
use std::sync::Arc;

/// An entry of `/id`.
#[derive(Serialize)]
struct Entry {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Addrs")]
    addresses: Vec<String>,
}

type From = Extension<ConnectInfo<SocketAddr>>;

/// Spegel: always 200 and a JSON array; an empty one makes it come again.
pub(super) async fn spegel(State(agent): State<Arc<Agent>>, from: From) -> Result<Response, Down> {
    let offers = offers(&agent, &from).await?;
    let entries = offers.into_iter().map(|offer| Entry {
        id: offer.id.to_string(),
        addresses: offer.addresses,
    });
    Ok(Json(entries.collect::<Vec<_>>()).into_response())
}

/// K3s and RKE2: a JSON array for whoever accepts one, else the first address alone; 503 with
/// nothing to give.
pub(super) async fn rancher(
    State(agent): State<Arc<Agent>>,
    from: From,
    headers: HeaderMap,
) -> Result<Response, Down> {
    let offers = offers(&agent, &from).await?;
    let addresses: Vec<_> = offers
        .iter()
        .flat_map(|offer| {
            let with_id = |address| format!("{address}/p2p/{}", offer.id);
            offer.addresses.iter().map(with_id)
        })
        .collect();
    let Some(first) = addresses.first() else {
        return Ok((StatusCode::SERVICE_UNAVAILABLE, "no peers\n").into_response());
    };
    if accepts_json(&headers) {
        return Ok(Json(addresses).into_response());
    }
    Ok(([(header::CONTENT_TYPE, "text/plain")], first.clone()).into_response())
}

fn accepts_json(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    let mut accepted = accepted.filter_map(|value| value.to_str().ok());
    accepted.any(|value| value.contains("application/json"))
}

async fn offers(agent: &Agent, from: &From) -> Result<Vec<Offer>, Down> {
    let Extension(ConnectInfo(from)) = from;
    let asker = Asker {
        ip: from.ip(),
        beside: if agent.is_own(from.ip()) {
            agent
                .beside()
                .into_iter()
                .map(|service| service.id)
                .collect()
        } else {
            Vec::new()
        },
    };
    Ok(agent.offers.choose(&agent.handle, asker).await?)
}
