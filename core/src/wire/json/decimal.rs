//! Numbers with a fraction. They are rates, for people to look at, and whole numbers that somebody has written so: for them a page does
//! not load the ten thousand bytes of tables by which the standard library rounds the last bit of any number.

/// So many digits fit in 64 bits, whichever they are.
const MOST_DIGITS: u32 = 19;

/// `digits` times ten to the `exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    is_negative: bool,
    digits: u64,
    exponent: i32,
}

impl Decimal {
    /// Reads `-12.5e3` and what is like it: a sign, digits with a point among them or around them, and an exponent, all as Rust reads them
    /// of numbers that are finite. Digits behind the nineteenth count as 0.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_negative, text) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            text => (false, text),
        };
        let end = text.iter().position(|byte| matches!(byte, b'e' | b'E')).unwrap_or(text.len());
        let (number, exponent) = text.split_at(end);
        let mut read = Self { is_negative, digits: 0, exponent: read_exponent(exponent)? };
        let (mut seen, mut kept, mut is_behind_point) = (false, 0, false);
        for byte in number {
            match byte {
                b'.' if !is_behind_point => is_behind_point = true,
                b'0'..=b'9' => {
                    seen = true;
                    if kept < MOST_DIGITS {
                        read.digits = 10 * read.digits + u64::from(byte - b'0');
                        kept += u32::from(read.digits > 0);
                        read.exponent -= i32::from(is_behind_point);
                    } else {
                        read.exponent += i32::from(!is_behind_point);
                    }
                }
                _ => return None,
            }
        }
        seen.then_some(read)
    }

    /// Without its fraction; nothing if it is beyond 64 bits.
    pub(super) fn whole(self) -> Option<i64> {
        let mut digits = self.digits;
        // What is not 0 is beyond 64 bits, or 0, after twenty steps at the most.
        for _ in 0..self.exponent.unsigned_abs().min(20) {
            digits = if self.exponent > 0 { digits.checked_mul(10)? } else { digits / 10 };
        }
        let size = i64::try_from(digits).ok()?;
        Some(if self.is_negative { -size } else { size })
    }

    /// The nearest number, or one a few bits beside it where there are more than fifteen digits or the exponent is beyond 22; nothing if
    /// none is so large.
    pub(super) fn rounded(self) -> Option<f64> {
        let power = (0..self.exponent.unsigned_abs().min(400)).fold(1.0, |power, _| power * 10.0);
        let digits = self.digits as f64;
        let size = match self.exponent {
            _ if self.digits == 0 => 0.0,
            0.. => digits * power,
            _ => digits / power,
        };
        let number = if self.is_negative { -size } else { size };
        number.is_finite().then_some(number)
    }
}

/// `e-5`, or nothing, which is 0. Whatever is beyond these numbers is as far beyond all others.
fn read_exponent(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [] => return Some(0),
        [_, b'-', digits @ ..] => (-1, digits),
        [_, b'+', digits @ ..] | [_, digits @ ..] => (1, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size = digits.iter().fold(0_i32, |size, digit| (10 * size + i32::from(digit - b'0')).min(100_000));
    Some(sign * size)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) {
        let ours = Decimal::parse(text);
        let theirs = text.parse::<f64>().ok().filter(|number| !number.is_nan() && !text.contains("inf"));
        assert_eq!(ours.is_some(), theirs.is_some(), "{text}");
        let (Some(ours), Some(theirs)) = (ours, theirs) else { return };
        match ours.rounded() {
            Some(ours) => assert!((ours - theirs).abs() <= theirs.abs() * 1e-12 + 1e-290, "{text}: {ours}, {theirs}"),
            None => assert!(theirs.abs() > 1e306, "{text}"),
        }
        match ours.whole() {
            Some(whole) => assert!((whole as f64 - theirs).abs() < 1.0 + theirs.abs() * 1e-12, "{text}: {whole}"),
            None => assert!(theirs.abs() > 9e18, "{text}"),
        }
    }

    #[test]
    fn a_number_is_what_rust_reads() {
        for text in [
            "0",
            "-0",
            "1",
            "1.",
            ".5",
            "-.5",
            "+1.5",
            "5.7",
            "1e3",
            "1E+3",
            "15e-1",
            "9.99e18",
            "1e19",
            "1e400",
            "1e-400",
            "0e999999999999",
            "12345678901234567890123",
            "0.00000000000000000000001",
            "1234567890.12345678901234567890e5",
            "",
            ".",
            "-",
            "e5",
            "1e",
            "1e+",
            "1.2.3",
            "1x",
            " 1",
            "1 ",
            "--1",
            "inf",
            "NaN",
            "1e5e5",
            "0x10",
            "1_000",
        ] {
            check(text);
        }
    }

    #[test]
    fn what_is_written_with_few_digits_is_exact() {
        for (text, number) in
            [("5.7", 5.7), ("0.1", 0.1), ("1234567.891", 1_234_567.891), ("-2.5e-7", -2.5e-7), ("1e22", 1e22)]
        {
            assert_eq!(Decimal::parse(text).and_then(Decimal::rounded), Some(number), "{text}");
        }
        assert_eq!(Decimal::parse("9223372036854775807.9").and_then(Decimal::whole), Some(i64::MAX));
        assert_eq!(Decimal::parse("-1.9").and_then(Decimal::whole), Some(-1));
    }

    proptest! {
        #[test]
        fn any_number_is_what_rust_reads(text in "[+-]?[0-9]{0,25}(\\.[0-9]{0,25})?([eE][+-]?[0-9]{0,4})?", number: f64) {
            check(&text);
            if number.is_finite() {
                check(&number.to_string());
                check(&format!("{number:e}"));
            }
        }

        #[test]
        fn numbers_of_fifteen_digits_are_exact(digits in 0_u64..1_000_000_000_000_000, places in 0_usize..16) {
            let text = format!("{digits}e-{places}");
            prop_assert_eq!(Decimal::parse(&text).and_then(Decimal::rounded), text.parse().ok());
        }
    }
}
