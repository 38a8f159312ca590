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
    pub(super) fn parse(digits: &[u8]) -> Result<Self, IdError> {
        if digits.len() == 2 * SHORT {
            parse_digits(digits).map(Self::Short)
        } else if digits.len() == 2 * LONG {
            parse_digits(digits).map(Self::Long)
        } else {
            Err(IdError::Length { length: digits.len() })
        }
    }

    pub(super) fn to_hex(self) -> HexId {
        let bytes = self.as_slice();
        let mut digits = [0; 2 * LONG];
        let pairs = digits.as_chunks_mut::<2>().0;
        for (at, byte) in bytes.iter().enumerate() {
            pairs[at] = PAIRS[usize::from(*byte)];
        }
        HexId { digits, length: 2 * bytes.len() }
    }
}

fn parse_digits<const N: usize>(digits: &[u8]) -> Result<[u8; N], IdError> {
    let mut bytes = [0; N];
    let mut wrong = 0;
    for (byte, pair) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| VALUES[usize::from(digit)]);
        *byte = high << 4 | low;
        wrong |= high | low;
    }
    if wrong & NO_DIGIT != 0 {
        let at = digits.iter().position(|digit| !digit.is_ascii_hexdigit()).unwrap_or_default();
        return Err(IdError::Digit { at });
    }
    Ok(bytes)
}

/// The two digits of each byte.
const PAIRS: [[u8; 2]; 256] = {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < pairs.len() {
        pairs[byte] = [DIGITS[byte >> 4], DIGITS[byte & 15]];
        byte += 1;
    }
    pairs
};

/// What stands in [`VALUES`] for a character that is no digit: a bit that no value has.
const NO_DIGIT: u8 = 0x10;

/// The value of each hexadecimal digit.
const VALUES: [u8; 256] = {
    let mut values = [NO_DIGIT; 256];
    let mut digit = 0;
    while digit < values.len() {
        if let Some(value) = (digit as u8 as char).to_digit(16) {
            values[digit] = value as u8;
        }
        digit += 1;
    }
    values
};

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
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The digits, as bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
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
