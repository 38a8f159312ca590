//! What lies outside of what tunnels lead to.

/// Addresses outside of the networks that scenes have, written in all ways.
pub(crate) const ADDRESSES: [&str; 9] = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "100.100.100.200",
    "fd00:ec2::254",
    "192.0.2.7",
    "0.0.0.0",
    "fe80::1",
];

/// Targets that are neither this name server nor a broker: others at the same port and the like, and another port of this machine.
pub(crate) fn targets(name_server: &str, other: u16) -> Vec<String> {
    let known = name_server.rsplit_once(':').unwrap().1;
    vec![
        format!("127.0.0.1:{other}"),
        format!("[::ffff:127.0.0.1]:{other}"),
        format!("localhost:{other}"),
        format!("localhost:{known}"),
        format!("2130706433:{known}"),
        format!("0x7f000001:{known}"),
        format!("0177.0.0.1:{known}"),
        format!("127.1:{known}"),
        format!("[::1]:{known}"),
        format!("127.0.0.1:{known}@evil.example.com:80"),
        format!("127.0.0.1:{known}%00"),
        format!("127.0.0.1:{known}%20"),
        "169.254.169.254:80".to_owned(),
        "[::ffff:a9fe:a9fe]:80".to_owned(),
        "metadata.google.internal:80".to_owned(),
        "evil.example.com:9876".to_owned(),
        "127.0.0.1".to_owned(),
        "127.0.0.1:99999".to_owned(),
        "%E2%80%AE:1".to_owned(),
    ]
}
