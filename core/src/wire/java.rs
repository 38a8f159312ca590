//! What Java computes: numbers that servers and other clients compute too, and that have to agree.

/// `String.hashCode`: over the UTF-16 units of `text`, in wrapping 32-bit arithmetic.
///
/// The hash of a tag in a subscription, and of a sharding key.
pub fn string_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}

/// `Long.hashCode`: the upper half of `value` folded into the lower.
pub const fn long_hash(value: i64) -> i32 {
    (value ^ (value.cast_unsigned() >> 32).cast_signed()) as i32
}

/// Which of `count` queues a hash selects: `abs(hash % count)` (`SelectMessageQueueByHash`). `None` when there are none.
pub const fn select_by_hash(hash: i32, count: usize) -> Option<usize> {
    match (hash as i64).checked_rem(count as i64) {
        Some(remainder) => Some(remainder.unsigned_abs() as usize),
        None => None,
    }
}

/// The CRC-32 of a body with the top bit cleared, so that Java can hold it in an `int` (`UtilAll.crc32`).
pub fn body_crc(body: &[u8]) -> u32 {
    crc32(body) & 0x7FFF_FFFF
}

pub(crate) fn crc32(body: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(body);
    crc.sum()
}
