//! What the admin interface has refused, and how often it made its pages.

use super::page::Page;
use super::pages::Pages;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Why a request or a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// 503: too many answers are on their way.
    Busy,
    /// 421: by a name that is not this agent's.
    Host,
    /// 401: without the token.
    Token,
    /// Closed for a newer one before it had asked.
    Crowded,
    /// Closed: its client has not taken an answer in time.
    Unread,
}

impl Refusal {
    const ALL: [Self; 5] = [
        Self::Busy,
        Self::Host,
        Self::Token,
        Self::Crowded,
        Self::Unread,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Host => "host",
            Self::Token => "token",
            Self::Crowded => "crowded",
            Self::Unread => "unread",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Counts([AtomicU64; Refusal::ALL.len()]);

impl Counts {
    pub(super) fn refused(&self, why: Refusal) {
        self.0[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// As they are now.
    pub(super) fn seen(&self, pages: &Pages) -> Seen {
        Seen {
            renderings: pages.times(),
            refused: Refusal::ALL.map(|why| {
                let n = self.0[why as usize].load(Ordering::Relaxed);
                (why.name(), n)
            }),
        }
    }
}

#[derive(Debug)]
pub(super) struct Seen {
    renderings: [(&'static str, u64); 5],
    refused: [(&'static str, u64); Refusal::ALL.len()],
}

impl Seen {
    /// The families of `/metrics`.
    pub(super) fn encode(&self, page: &mut Page<'_>) -> fmt::Result {
        page.counters(
            "admin_renderings",
            "Times that a page of the admin interface was made: once a second at most.",
            "page",
            &self.renderings,
        )?;
        page.counters(
            "admin_refused",
            "Requests of the admin interface that were refused, and connections closed, by reason.",
            "reason",
            &self.refused,
        )
    }
}
