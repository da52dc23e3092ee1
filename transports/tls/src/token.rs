//! The cluster token: a secret that all members know.

use std::fmt;
use std::str::FromStr;

use ring::hkdf;
use ring::hmac;
use zeroize::{Zeroize, Zeroizing};

use crate::key::{KeyError, random_seed};

/// The secret that makes a node a member.
///
/// An acceptor can test guesses at the token against a dialler's proof without asking anybody, so
/// a token must not be guessable at any speed: [`generate`](Self::generate) one.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It can hold fewer than 128 bits of randomness.
    #[error(
        "the token is too weak: at least 128 random bits are needed (32 hexadecimal digits, or 22 letters and digits)"
    )]
    Weak,
    /// Longer than 1,024 bytes, or with white space or control characters inside.
    #[error("a token is one word of at most 1,024 printable ASCII characters")]
    Malformed,
}

/// Fewer different characters than a random text of 22 has, but for one in a million.
const DIFFERENT: usize = 8;

impl Token {
    /// A new token of 256 random bits, in 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub fn generate() -> Result<Self, KeyError> {
        let seed = Zeroizing::new(random_seed()?);
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in *seed {
            for digit in [byte >> 4, byte & 15] {
                text.extend(char::from_digit(digit.into(), 16));
            }
        }
        Ok(Self(text))
    }

    /// The token as text. It is a secret.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The token of the insecure mode, which everybody knows.
    pub(crate) fn well_known() -> Self {
        Self(Zeroizing::new("insecure".to_owned()))
    }

    /// The key of the proofs: HKDF (RFC 5869) of the token, so that it is good for nothing else.
    pub(crate) fn proof_key(&self) -> hmac::Key {
        const INFO: &[&[u8]] = &[b"proof of membership"];
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"peer-exchange/1");
        let key = salt.extract(self.0.as_bytes());
        key.expand(INFO, hmac::HMAC_SHA256)
            .expect("the algorithm gives keys of its own length")
            .into()
    }
}

impl FromStr for Token {
    type Err = TokenError;

    /// White space around it is ignored, such as a file's last line break.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim_ascii();
        if text.len() > 1024 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(TokenError::Malformed);
        }
        // Hundredths of a bit that a random character of this alphabet has, at most.
        let bits = if text.bytes().all(|b| b.is_ascii_digit()) {
            332
        } else if text.bytes().all(|b| b.is_ascii_hexdigit()) {
            400
        } else {
            600
        };
        let mut different: Vec<_> = text.bytes().collect();
        different.sort_unstable();
        different.dedup();
        let enough = text.len() * bits >= 12_800 && different.len() >= DIFFERENT;
        different.zeroize();
        if enough {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(TokenError::Weak)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_token_has_256_bits_and_reads_again() {
        let token = Token::generate().unwrap();
        assert_eq!(token.reveal().len(), 64);
        let again: Token = format!("{}\n", token.reveal()).parse().unwrap();
        assert_eq!(again.reveal(), token.reveal());
        assert_ne!(Token::generate().unwrap().reveal(), token.reveal());
    }

    #[test]
    fn weak_tokens_are_refused() {
        let weak = [
            "",
            "secret",
            "correct-horse-battery",
            // 31 hexadecimal digits.
            "0123456789abcdef0123456789abcde",
            // 38 decimal digits.
            "01234567890123456789012345678901234567",
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ];
        for text in weak {
            assert_eq!(
                text.parse::<Token>().map(|_| ()),
                Err(TokenError::Weak),
                "{text}"
            );
        }
        for text in ["one two three four five six seven eight", &"x1".repeat(600)] {
            let refused = text.parse::<Token>().map(|_| ());
            assert_eq!(refused, Err(TokenError::Malformed), "{text}");
        }
    }

    #[test]
    fn strong_tokens_of_other_alphabets_are_taken() {
        for text in ["0123456789abcdef0123456789abcdef", "K10a7Zr_9QpXw-3LmTb5Vy"] {
            assert!(text.parse::<Token>().is_ok(), "{text}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let token = Token::generate().unwrap();
        assert_eq!(format!("{token:?}"), "Token(…)");
    }
}
