//! Numbers as decimal text, written where they go: by way of a text of their own they would be copied from bytes that
//! were written one by one, which stalls a processor.

use super::writer::Writer;

/// How many characters `value` is long.
#[inline]
pub(in crate::wire) const fn decimal_length(value: i64) -> usize {
    let digits = match value.unsigned_abs() {
        0 => 1,
        value => value.ilog10() as usize + 1,
    };
    digits + (value < 0) as usize
}

impl Writer<'_> {
    /// Writes a number.
    #[inline]
    pub(in crate::wire) fn put_decimal(&mut self, value: i64) {
        match value {
            0..=9 => self.put(&[b'0' + value as u8]),
            _ => self.put_long_decimal(value),
        }
    }

    fn put_long_decimal(&mut self, value: i64) {
        let Some(place) = self.take(decimal_length(value)) else {
            return;
        };
        let digits = match place.split_first_mut() {
            Some((sign, digits)) if value < 0 => {
                *sign = b'-';
                digits
            }
            _ => place,
        };
        let mut rest = value.unsigned_abs();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: i64) -> String {
        let mut room = [0; 32];
        let mut writer = Writer::new(&mut room);
        writer.put_decimal(value);
        assert_eq!(writer.written(), decimal_length(value));
        let length = writer.finish().unwrap();
        String::from_utf8(room[..length].to_vec()).unwrap()
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
