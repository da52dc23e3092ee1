//! Characters that are not seen where they stand: they turn the text around them, hide in a name, or
//! make two names look like one. What others, or files, call themselves is printed with them spelled out.

use std::io::{self, Write};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Whether it shows nothing of itself, beside spaces and what a terminal is controlled with: marks of
/// direction, joiners, spaces without width, tags, fillers.
fn is_hidden(c: char) -> bool {
    match c {
        '\0'..='~' => false,
        // Of these no category tells (Default_Ignorable_Code_Point, and the blank of Braille).
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' => {
            true
        }
        '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' => true,
        '\u{e0000}'..='\u{e0fff}' => true,
        c => matches!(
            c.general_category(),
            GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        ),
    }
}

/// Spelled as in JSON, where that is within a string the same text.
fn push(text: &mut String, c: char) {
    if !is_hidden(c) {
        return text.push(c);
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        text.push_str(&format!("\\u{unit:04x}"));
    }
}

/// The text with everything seen.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|c| push(&mut shown, c));
    shown
}

/// What is written through it is seen, as text or as JSON.
pub(crate) struct Visible<W> {
    inner: W,
    /// The start of a character that is not there as a whole yet.
    rest: Vec<u8>,
}

impl<W: Write> Visible<W> {
    pub(crate) fn new(inner: W) -> Self {
        let rest = Vec::new();
        Self { inner, rest }
    }
}

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.rest.is_empty() && bytes.is_ascii() {
            self.inner.write_all(bytes)?;
            return Ok(bytes.len());
        }
        self.rest.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.rest.len());
        let mut left = 0;
        for chunk in self.rest.utf8_chunks() {
            chunk.valid().chars().for_each(|c| push(&mut text, c));
            left = chunk.invalid().len();
            let is_begun =
                std::str::from_utf8(chunk.invalid()).is_err_and(|e| e.error_len().is_none());
            if !is_begun {
                left = 0;
                if !chunk.invalid().is_empty() {
                    text.push(char::REPLACEMENT_CHARACTER);
                }
            }
        }
        self.rest.drain(..self.rest.len() - left);
        // At once: a line of the log stays one.
        self.inner.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIDDEN: &str = "\u{202e}\u{2066}\u{200f}\u{61c}\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}\u{2028}\u{3164}\u{fe0f}\u{e0041}";

    fn written(parts: &[&[u8]]) -> String {
        let mut out = Visible::new(Vec::new());
        parts.iter().for_each(|part| out.write_all(part).unwrap());
        String::from_utf8(out.inner).unwrap()
    }

    #[test]
    fn what_turns_or_hides_is_spelled_out() {
        assert_eq!(shown("a\u{202e}b"), "a\\u202eb");
        assert_eq!(shown("\u{e0041}"), "\\udb40\\udc41");
        assert!(shown(HIDDEN).is_ascii());
        let seen = "server1 → Åse, 東京, \u{645}\u{631}, 🦀, \u{1b}[1m\n";
        assert_eq!(shown(seen), seen);
    }

    #[test]
    fn in_json_it_is_the_same_text() {
        let json = serde_json::to_string(HIDDEN).unwrap();
        let shown = written(&[json.as_bytes()]);
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), HIDDEN);
    }

    #[test]
    fn characters_may_come_in_parts() {
        let text = "a\u{202e}→b\u{e0041}".as_bytes();
        for at in 0..=text.len() {
            let shown = written(&[&text[..at], &text[at..]]);
            assert_eq!(shown, "a\\u202e→b\\udb40\\udc41", "{at}");
        }
        assert_eq!(written(&[b"a\xffb", b"\xe2\x80"]), "a\u{fffd}b");
    }
}
