//! Lengths of time with their unit, as people write them.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Expected, Unexpected, Visitor};
use std::fmt;
use std::time::Duration;

/// `200ms`, `30s`, `10m`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Any kind, so that a bare number is told what is missing.
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time with its unit, such as \"200ms\", \"30s\" or \"10m\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
        parse(text, &self).map(Time)
    }
}

fn parse<E: Error>(text: &str, expected: &dyn Expected) -> Result<Duration, E> {
    humantime::parse_duration(text).map_err(|_| E::invalid_value(Unexpected::Str(text), expected))
}

/// After how long a silent node is down: a time, or `off`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Detection(pub(crate) Option<Duration>);

impl<'de> Deserialize<'de> for Detection {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DetectionVisitor)
    }
}

struct DetectionVisitor;

impl Visitor<'_> for DetectionVisitor {
    type Value = Detection;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time with its unit, such as \"3s\", or \"off\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Detection, E> {
        if text == "off" {
            return Ok(Detection(None));
        }
        parse(text, &self).map(|time| Detection(Some(time)))
    }
}
