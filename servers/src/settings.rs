//! Settings as administrators read them: a line `name=value` each, those that mean something here, by the names of Apache's
//! (`Configuration.getAllConfigsFormatString`).

pub(super) fn text(settings: &[(&str, String)]) -> Vec<u8> {
    settings.iter().flat_map(|(name, value)| format!("{name}={value}\n").into_bytes()).collect()
}

/// The port of an address, `host:port`.
pub(super) fn port(address: &str) -> String {
    address.rsplit_once(':').map(|(_, port)| port.to_owned()).unwrap_or_default()
}
