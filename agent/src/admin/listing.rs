//! A list that grows with the cluster: written once, and served whole or in parts out of the same bytes.

use super::body::Runs;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Serialize;

/// Digits of a node's ID.
const ID: usize = 64;
/// How an object ends whose last member is the list.
const END: &str = "]}";

/// Where an item stands: those with a name first, by name, then by ID.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    nameless: bool,
    name: Option<String>,
    node: String,
}

impl Place {
    pub(super) fn new(name: Option<&str>, node: &str) -> Self {
        Self {
            nameless: name.is_none(),
            name: name.map(str::to_owned),
            node: node.to_owned(),
        }
    }

    /// A word for a URL, which stands for this place also when nobody is there any more.
    fn cursor(&self) -> String {
        let mut text = self.node.clone();
        if let Some(name) = &self.name {
            text.push('=');
            text.push_str(name);
        }
        URL_SAFE_NO_PAD.encode(text)
    }

    fn of_cursor(cursor: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
        let (node, name) = text.split_at_checked(ID)?;
        let name = match name.strip_prefix('=') {
            None if name.is_empty() => None,
            name => Some(name?),
        };
        Some(Self::new(name, node))
    }
}

/// What is wanted of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Part {
    after: Option<Place>,
    limit: Option<usize>,
}

impl Part {
    /// Reads `limit=N&after=CURSOR`, each of which may be missing.
    ///
    /// # Errors
    /// What is wrong with it, for who asks.
    pub(super) fn of_query(query: Option<&str>) -> Result<Self, String> {
        let mut part = Self::default();
        for pair in query.unwrap_or_default().split('&') {
            match pair.split_once('=') {
                Some(("limit", limit)) => {
                    let limit = limit.parse().ok().filter(|limit| *limit > 0);
                    let wrong =
                        "`limit` is no number of items: expected 1 or more, such as ?limit=100\n";
                    part.limit = Some(limit.ok_or(wrong)?);
                }
                Some(("after", cursor)) => {
                    let wrong = "`after` is no cursor: take that of `next` in the answer before, or leave it out to begin\n";
                    part.after = Some(Place::of_cursor(cursor).ok_or(wrong)?);
                }
                // As for any other page.
                _ => {}
            }
        }
        Ok(part)
    }
}

/// The bytes of a list, and where each item ends.
#[derive(Debug)]
pub(super) struct Listing {
    path: &'static str,
    /// Up to the bracket that opens the list.
    head: Bytes,
    /// With commas between them.
    items: Bytes,
    /// Each item's place, and the end of its bytes.
    ends: Vec<(Place, usize)>,
}

impl Listing {
    /// `empty` is the object with nothing in its list, which is its last member. Items are sorted here,
    /// and one by one made what is `shown`, written and given up: all at once would be more than the page.
    pub(super) fn new<T, S: Serialize>(
        path: &'static str,
        empty: &impl Serialize,
        items: Vec<T>,
        place: impl Fn(&T) -> Place,
        shown: impl Fn(T) -> S,
    ) -> serde_json::Result<Self> {
        let mut head = serde_json::to_vec(empty)?;
        head.truncate(head.len().saturating_sub(END.len()));
        let mut items: Vec<_> = items.into_iter().map(|item| (place(&item), item)).collect();
        items.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(items.len());
        for (place, item) in items {
            if !bytes.is_empty() {
                bytes.push(b',');
            }
            serde_json::to_writer(&mut bytes, &shown(item))?;
            ends.push((place, bytes.len()));
        }
        bytes.shrink_to_fit();
        Ok(Self {
            path,
            head: head.into(),
            items: bytes.into(),
            ends,
        })
    }

    /// A part of it; all of it, byte for byte the object as it is, when nothing says which.
    pub(super) fn part(&self, part: &Part) -> Runs {
        let first = match &part.after {
            Some(after) => self.ends.partition_point(|(place, _)| place <= after),
            None => 0,
        };
        let rest = self.ends.len() - first;
        let count = part.limit.map_or(rest, |limit| limit.min(rest));
        let end = first + count;
        let from = match first.checked_sub(1) {
            // Behind the comma, if something follows.
            Some(last) => (self.ends[last].1 + 1).min(self.items.len()),
            None => 0,
        };
        let to = match end.checked_sub(1) {
            Some(last) if count > 0 => self.ends[last].1,
            _ => from,
        };
        let tail = match part.limit.filter(|_| end < self.ends.len()) {
            Some(limit) => {
                let cursor = self.ends[end - 1].0.cursor();
                let path = self.path;
                Bytes::from(format!(
                    "],\"next\":\"{path}?limit={limit}&after={cursor}\"}}"
                ))
            }
            None => Bytes::from_static(END.as_bytes()),
        };
        Runs::new([self.head.clone(), self.items.slice(from..to), tail])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::body::Body;
    use serde_json::{Value, json};
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn id(n: usize) -> String {
        format!("{n:064x}")
    }

    /// Items with a name but for every third, last ones first.
    fn listing(numbers: &[usize]) -> Listing {
        let name = |n: usize| (!n.is_multiple_of(3)).then(|| format!("é{n:03}"));
        let items: Vec<_> = numbers.iter().rev().copied().collect();
        let place = |n: &usize| Place::new(name(*n).as_deref(), &id(*n));
        let empty = json!({"a": 1, "list": []});
        Listing::new("/v1/x", &empty, items, place, |n| n).unwrap()
    }

    fn read(runs: Runs) -> Value {
        let mut all = Vec::new();
        let mut runs = pin!(runs);
        let mut cx = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(frame))) = Pin::as_mut(&mut runs).poll_frame(&mut cx) {
            all.extend_from_slice(&frame.into_data().unwrap());
        }
        serde_json::from_slice(&all).unwrap()
    }

    /// Follows `next` from the beginning; `between` gives the list of each request.
    fn follow(limit: usize, mut between: impl FnMut(usize) -> Listing) -> Vec<u64> {
        let mut query = format!("limit={limit}");
        let mut seen = Vec::new();
        for turn in 0.. {
            let part = Part::of_query(Some(&query)).unwrap();
            let answer = read(between(turn).part(&part));
            assert_eq!(answer["a"], 1);
            let items = answer["list"].as_array().unwrap();
            assert!(items.len() <= limit);
            seen.extend(items.iter().map(|n| n.as_u64().unwrap()));
            let Some(next) = answer.get("next") else {
                break;
            };
            let next = next.as_str().unwrap().strip_prefix("/v1/x?").unwrap();
            query = next.to_owned();
        }
        seen
    }

    #[test]
    fn without_parameters_it_is_the_object_as_it_is() {
        let whole = read(listing(&[1, 2, 3, 4]).part(&Part::default()));
        assert_eq!(whole, json!({"a": 1, "list": [1, 2, 4, 3]}));
        let none = read(listing(&[]).part(&Part::default()));
        assert_eq!(none, json!({"a": 1, "list": []}));
    }

    #[test]
    fn parts_of_any_size_make_the_whole() {
        let numbers: Vec<_> = (0..20).collect();
        let whole = follow(100, |_| listing(&numbers));
        assert_eq!(whole.len(), 20);
        for limit in 1..=21 {
            assert_eq!(follow(limit, |_| listing(&numbers)), whole, "{limit}");
        }
    }

    #[test]
    fn whoever_stays_is_seen_once_though_others_come_and_go() {
        // After the first part the last one that it had is gone, and another has come before it.
        let seen = follow(3, |turn| match turn {
            0 => listing(&[2, 4, 5, 7, 8]),
            _ => listing(&[1, 2, 4, 7, 8]),
        });
        assert_eq!(seen, [2, 4, 5, 7, 8]);
        // Everything behind it is gone.
        assert_eq!(
            follow(2, |turn| listing([&[1, 2, 4], &[1, 2, 4][..2]][turn])),
            [1, 2]
        );
    }

    #[test]
    fn what_is_no_part_is_told() {
        for query in [
            "limit=0",
            "limit=x",
            "limit=-1",
            "after=x",
            "limit=1&after=",
        ] {
            assert!(Part::of_query(Some(query)).is_err(), "{query}");
        }
        assert_eq!(Part::of_query(Some("x=1&y")), Ok(Part::default()));
    }
}
