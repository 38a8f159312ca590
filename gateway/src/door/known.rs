//! Visitors who are known by what they show: a secret, or a certificate.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::visitor::{Rights, Visitor};

/// What is kept of a secret or a certificate.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Of 64 hexadecimal digits, with colons between them or not.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: Vec<u8> = text.bytes().filter(|one| *one != b':').collect();
        let value = |digit: u8| char::from(digit).to_digit(16);
        let mut print = [0; 32];
        if digits.len() != 2 * print.len() {
            return None;
        }
        for (byte, pair) in print.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::try_from(value(pair[0])? << 4 | value(pair[1])?).ok()?;
        }
        Some(Self(print))
    }

    /// Takes as long whatever is different.
    fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// Who is known, each by something that is his alone.
#[derive(Default)]
pub(crate) struct Known(Vec<(Fingerprint, Visitor)>);

impl Known {
    /// Knows one more. Fails with the name of who is known by the same.
    pub(crate) fn add(&mut self, print: Fingerprint, name: &str, rights: Rights) -> Result<(), String> {
        if let Some((_, other)) = self.0.iter().find(|(known, _)| known.is(&print)) {
            return Err(other.name.to_string());
        }
        self.0.push((print, Visitor::new(name, rights)));
        Ok(())
    }

    /// Looks at all, whichever it is: how long that takes says nothing.
    pub(crate) fn find(&self, shown: &[u8]) -> Option<&Visitor> {
        let shown = Fingerprint::of(shown);
        let mut found = None;
        for (print, visitor) in &self.0 {
            if print.is(&shown) {
                found = Some(visitor);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_people_write_it() {
        let print = Fingerprint::of(b"a certificate");
        let digits: Vec<String> = print.0.iter().map(|byte| format!("{byte:02X}")).collect();
        for text in [digits.join(":"), digits.concat().to_lowercase()] {
            assert!(Fingerprint::parse(&text).is_some_and(|parsed| parsed.is(&print)), "{text}");
        }
        let signs = digits.concat().replacen(|_: char| true, "+", 1);
        for text in [&digits[1..].concat(), "", &"g".repeat(64), &"\u{e4}".repeat(32), &signs] {
            assert!(Fingerprint::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn two_are_not_known_by_the_same() {
        let mut known = Known::default();
        known.add(Fingerprint::of(b"one"), "first", Rights::default()).unwrap();
        known.add(Fingerprint::of(b"two"), "second", Rights::default()).unwrap();
        assert_eq!(known.add(Fingerprint::of(b"one"), "third", Rights::default()), Err("first".to_owned()));
        assert_eq!(known.find(b"two").map(|visitor| &*visitor.name), Some("second"));
        assert!(known.find(b"three").is_none());
    }
}
