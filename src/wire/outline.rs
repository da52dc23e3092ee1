//! A message as it looks from outside, for tools that count many of them.

use bytes::Bytes;
use prost::Message as _;
use prost::encoding::decode_varint;

use super::generated as pb;
use super::generated::envelope::Kind as Is;
use crate::wire::Kind;

/// What can be told of a message without unpacking its records. Nothing of it has been checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outline {
    /// Its kind.
    pub kind: Kind,
    /// How many records it says to have.
    pub records: usize,
    /// What else it is about.
    pub carries: Carries,
    /// Whether it is a request that is passed on for another node.
    pub walks: bool,
}

/// What a message is about beside records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carries {
    /// Nothing of these.
    Nothing,
    /// A request's filter of what its sender has.
    Filter,
    /// A request's sketch of it.
    Sketch,
    /// Names of records: a fetch, or an answer to one whose table is full.
    Names,
    /// News on its way through the cluster, or accusations.
    News,
}

impl Outline {
    /// That of these bytes, if they are a message of a known kind.
    #[must_use]
    pub fn of(bytes: &Bytes) -> Option<Self> {
        let message = pb::Envelope::decode(bytes.clone()).ok()?.kind?;
        let walks = matches!(&message, Is::Request(m) if !m.path.is_empty());
        let (kind, records, carries) = match message {
            Is::Hello(_) => (Kind::Hello, 0, Carries::Nothing),
            Is::Request(m) => (Kind::Request, len(&m.records), asks(&m)),
            Is::Response(m) => {
                let names = m.nodes.is_some_and(|nodes| !nodes.prefixes.is_empty());
                let carries = if names {
                    Carries::Names
                } else {
                    Carries::Nothing
                };
                (Kind::Response, len(&m.records), carries)
            }
            Is::Update(m) => {
                let news = m.news.as_deref().map_or(0, len);
                let carries = match (&m.news, &m.accusations) {
                    (None, None) => Carries::Nothing,
                    _ => Carries::News,
                };
                (Kind::Update, news + len(&m.records), carries)
            }
            Is::Goodbye(_) => (Kind::Goodbye, 0, Carries::Nothing),
            Is::Beat(_) => (Kind::Beat, 0, Carries::Nothing),
            Is::Ask(_) => (Kind::Ask, 0, Carries::Nothing),
            Is::DialBack(_) => (Kind::DialBack, 0, Carries::Nothing),
        };
        Some(Self {
            kind,
            records,
            carries,
            walks,
        })
    }
}

fn asks(request: &pb::Request) -> Carries {
    if !request.fetch.is_empty() {
        Carries::Names
    } else if !request.filter.is_empty() {
        Carries::Filter
    } else if request.sketch.is_some() {
        Carries::Sketch
    } else {
        Carries::Nothing
    }
}

/// How many records a page says to have.
fn len(mut page: &[u8]) -> usize {
    decode_varint(&mut page).map_or(0, |count| usize::try_from(count).unwrap_or(0))
}
