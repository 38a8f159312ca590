//! The two layouts of a header: a JSON object, and the ROCKETMQ binary one.

pub(super) mod binary;
pub(super) mod json;
mod json_reader;

/// `value` in decimal, written into `digits`.
pub(super) fn decimal(value: i64, digits: &mut [u8; 20]) -> &str {
    let mut rest = value.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if value < 0 {
        at -= 1;
        digits[at] = b'-';
    }
    // The bytes are digits and a sign, so they are a text.
    core::str::from_utf8(&digits[at..]).unwrap_or_default()
}

#[cfg(test)]
mod tests;
