//! The settings of one YAML file, as RKE2 and K3s see them: an ordered list of keys and values.

use crate::input::{self, InputError};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{DuplicateKeyPolicy, Spanned};
use std::fmt;
use std::path::Path;

/// What such a file should hold, for messages.
pub(super) const EXPECTED: &str =
    "a YAML mapping of RKE2 or K3s settings, such as `server: https://server1:9345`";

/// One key of a file, in file order; a repeated key is there twice.
pub(super) struct Setting {
    pub(super) key: String,
    /// Where the key stands, counted from 1.
    pub(super) line: u64,
    pub(super) value: Value,
}

/// A value: those programs turn every scalar into text for a flag, and a list into repeated flags.
pub(super) enum Value {
    Texts(Vec<String>),
    Mapping,
}

/// Reads the first document of a file, which is all that those programs read.
pub(super) fn read(path: &Path) -> Result<Vec<Setting>, InputError> {
    let text = input::read_text(path, EXPECTED)?;
    let options = serde_saphyr::options! {
        // As those programs do; a later value of a key wins.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        leading_zero_numbers_as_strings: true,
    };
    let mut bytes = text.as_bytes();
    let mut documents = serde_saphyr::read_with_options::<_, Settings>(&mut bytes, options);
    match documents.next() {
        None => Ok(Vec::new()),
        Some(Ok(settings)) => Ok(settings.0),
        Some(Err(error)) => Err(describe(path, &text, &error)),
    }
}

fn describe(path: &Path, text: &str, error: &serde_saphyr::Error) -> InputError {
    // The library's message may span lines with a picture; the first says what is wrong.
    let full = error.without_snippet().to_string();
    let what = full
        .lines()
        .next()
        .unwrap_or("not YAML")
        .trim_end_matches(':');
    let problem = format!("{what}; expected {EXPECTED}");
    // The parser may notice at the end of the file, one line behind the last.
    let last = (text.lines().count() as u64).max(1);
    match error.location() {
        Some(location) if location.line() > 0 => {
            InputError::line(path, location.line().min(last), problem)
        }
        _ => InputError::line(path, last, problem),
    }
}

struct Settings(Vec<Setting>);

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SettingsVisitor)
    }
}

struct SettingsVisitor;

impl<'de> Visitor<'de> for SettingsVisitor {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping of settings")
    }

    /// An empty file sets nothing.
    fn visit_unit<E>(self) -> Result<Settings, E> {
        Ok(Settings(Vec::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Settings, A::Error> {
        let mut settings = Vec::new();
        while let Some(key) = map.next_key::<Spanned<Value>>()? {
            let line = key.referenced.line();
            let value = map.next_value()?;
            if let Value::Texts(mut texts) = key.value
                && let (Some(key), true) = (texts.pop(), texts.is_empty())
            {
                settings.push(Setting { key, line, value });
            }
        }
        Ok(Settings(settings))
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Value {
    fn text(text: impl ToString) -> Self {
        Self::Texts(vec![text.to_string()])
    }
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar or a list of scalars")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::text(""))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(item) = list.next_element()? {
            if let Value::Texts(item) = item {
                texts.extend(item);
            }
        }
        Ok(Value::Texts(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Mapping)
    }
}
