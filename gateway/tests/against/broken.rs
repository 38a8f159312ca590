//! Bytes that break rules.

/// Frames that break the rules of WebSockets, what they are, and the code that they are closed with, where messages have at most so many
/// bytes.
pub(crate) fn frames(longest: u64) -> Vec<(&'static str, Vec<u8>, u16)> {
    let mask = [0_u8; 4];
    vec![
        ("unmasked", vec![0x82, 2, 1, 2], 1002),
        ("of 2^62 bytes", [&[0x82, 0xff][..], &(1_u64 << 62).to_be_bytes(), &mask].concat(), 1009),
        ("of a byte too much", [&[0x82, 0xff][..], &(longest + 1).to_be_bytes(), &mask].concat(), 1009),
        ("of a reserved kind", [&[0x83, 0x80][..], &mask].concat(), 1002),
        ("with reserved bits", [&[0xf2, 0x80][..], &mask].concat(), 1002),
        ("a long ping", [&[0x89, 0xfe, 0, 200][..], &mask, &[0; 200]].concat(), 1002),
        ("a ping in pieces", [&[0x09, 0x80][..], &mask].concat(), 1002),
        ("a piece of nothing", [&[0x80, 0x80][..], &mask].concat(), 1002),
    ]
}

/// What is no frame of RocketMQ's protocol, and words of why.
pub(crate) fn no_rocketmq() -> [(&'static [u8], &'static str); 5] {
    [
        (b"GET / HTTP/1.1\r\n\r\n", "more than the limit"),
        (&[0xff; 16], "more than the limit"),
        (&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 2], "more than the limit"),
        (&[0, 0, 0, 8, 9, 0, 0, 2, 0, 0, 0, 0], "unknown header type"),
        (&[0, 0, 0, 6, 0, 0, 0, 2, b'{', b'?'], "malformed"),
    ]
}
