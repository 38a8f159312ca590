//! Ids as bytes and as hexadecimal text, without allocating (`UtilAll.bytes2string`, `string2bytes`).

use core::fmt;
use core::ops::Deref;

use super::id::IdError;

/// The bytes of an id with an IPv4 address.
pub(super) const SHORT: usize = 16;
/// The bytes of an id with an IPv6 address.
pub(super) const LONG: usize = 28;

/// The bytes of an id: 16 or 28.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum IdBytes {
    Short([u8; SHORT]),
    Long([u8; LONG]),
}

impl IdBytes {
    pub(super) const fn as_slice(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(bytes) => bytes,
        }
    }

    /// Reads 32 or 56 hexadecimal digits, upper or lower case.
    pub(super) fn parse(text: &str) -> Result<Self, IdError> {
        let digits = text.as_bytes();
        if digits.len() == 2 * SHORT {
            parse_digits(digits).map(Self::Short)
        } else if digits.len() == 2 * LONG {
            parse_digits(digits).map(Self::Long)
        } else {
            Err(IdError::Length { length: digits.len() })
        }
    }

    pub(super) fn to_hex(self) -> HexId {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let bytes = self.as_slice();
        let mut digits = [0; 2 * LONG];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        HexId { digits, length: 2 * bytes.len() }
    }
}

fn parse_digits<const N: usize>(digits: &[u8]) -> Result<[u8; N], IdError> {
    let mut bytes = [0; N];
    for (index, (byte, pair)) in bytes.iter_mut().zip(digits.chunks_exact(2)).enumerate() {
        for (place, &digit) in pair.iter().enumerate() {
            let value = char::from(digit).to_digit(16).ok_or(IdError::Digit { at: 2 * index + place })?;
            *byte = *byte << 4 | value as u8;
        }
    }
    Ok(bytes)
}

/// An id as text: 32 or 56 upper-case hexadecimal digits, held without allocating.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HexId {
    digits: [u8; 2 * LONG],
    length: usize,
}

impl HexId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        // Only digits are ever written into the array.
        self.digits.get(..self.length).and_then(|digits| str::from_utf8(digits).ok()).unwrap_or_default()
    }
}

impl AsRef<str> for HexId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl Deref for HexId {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for HexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for HexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
