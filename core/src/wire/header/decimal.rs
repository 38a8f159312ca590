//! Numbers as decimal text, written without allocating.

/// The most that a number is long: a sign and 19 digits.
const LONGEST: usize = 20;

/// A number in decimal.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Decimal {
    text: [u8; LONGEST],
    start: usize,
}

impl Decimal {
    #[inline]
    pub(in crate::wire) fn new(value: i64) -> Self {
        let mut text = [b'0'; LONGEST];
        let mut start = LONGEST;
        let mut rest = value.unsigned_abs();
        // Two digits a step: divisions are what this costs.
        while rest >= 10 {
            let pair = rest % 100;
            rest /= 100;
            start -= 2;
            text[start] = b'0' + (pair / 10) as u8;
            text[start + 1] = b'0' + (pair % 10) as u8;
        }
        // What is left of an odd number of digits, or of zero.
        if rest > 0 || start == LONGEST {
            start -= 1;
            text[start] = b'0' + rest as u8;
        }
        if value < 0 {
            start -= 1;
            text[start] = b'-';
        }
        Self { text, start }
    }

    #[inline]
    pub(in crate::wire) fn as_bytes(&self) -> &[u8] {
        self.text.get(self.start..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Decimal;

    fn text(value: i64) -> String {
        String::from_utf8(Decimal::new(value).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn numbers_of_every_length_are_written_as_everybody_writes_them() {
        for length in 1..=19 {
            let least = 10_i64.pow(length - 1);
            for value in [0, least, least - 1, -least, 1 - least, i64::MAX, i64::MIN] {
                assert_eq!(text(value), value.to_string());
            }
        }
    }

    proptest! {
        #[test]
        fn any_number_is_written_as_everybody_writes_it(value: i64, shift in 0_u32..63) {
            prop_assert_eq!(text(value >> shift), (value >> shift).to_string());
        }
    }
}
