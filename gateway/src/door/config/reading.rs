//! Values that are easily written in a wrong way, and the words for those who did.

use std::net::SocketAddr;

use serde::de::{Deserialize, Deserializer, Error};

use super::ConfigError;

/// An IP address with a port.
pub(super) fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    let text = match value {
        toml::Value::String(text) => text,
        toml::Value::Integer(port) => port.to_string(),
        other => other.type_str().to_owned(),
    };
    text.parse().map_err(|_| D::Error::custom(not_an_address(&text)))
}

/// The same, for a key that may be left out.
pub(super) fn some_socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    socket_address(deserializer).map(Some)
}

fn not_an_address(text: &str) -> String {
    let port = text.rsplit_once(':').map_or(text, |(_, port)| port);
    let port = port.parse::<u16>().unwrap_or(8443);
    format!(
        "{text:?} is not an IP address with a port; write \"0.0.0.0:{port}\" for all addresses of this machine, or \
         \"127.0.0.1:{port}\" for this machine alone. A host name cannot be used here"
    )
}

/// What toml says of a file that it could not read, and what to write where a list was expected.
pub(super) fn unreadable(text: &str, error: &toml::de::Error) -> ConfigError {
    let said = error.to_string().trim_end().to_owned();
    if !error.message().ends_with("expected a sequence") {
        return ConfigError(said);
    }
    // What toml points at: the value, or the header of a table.
    let Some(span) = error.span().filter(|span| text.is_char_boundary(span.start) && text.is_char_boundary(span.end))
    else {
        return ConfigError(format!("{said}: write a list: [\"…\"]"));
    };
    let (before, value) = (&text[..span.start], &text[span]);
    if let Some(name) = value.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return ConfigError(format!("{said}: there may be several; write [[{name}]]"));
    }
    let line = before.rsplit('\n').next().unwrap_or_default();
    ConfigError(format!("{said}: write a list: {}[{value}]", line.trim_start()))
}
