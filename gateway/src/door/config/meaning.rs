//! What a file could not mean as it says it: refused, with words of what to write instead.

use std::net::{IpAddr, SocketAddr};

use stgclient::Address;

use super::{ClusterConfig, Config, ConfigError, JwtConfig};

/// All that is read may be meant.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    listening(config)?;
    visitors(config)?;
    rights(config)?;
    config.origins.iter().try_for_each(|one| origin(one))?;
    config.jwt.as_ref().map_or(Ok(()), jwt)?;
    cluster(&config.cluster)
}

/// Visitors and those who run the gateway come in at different addresses.
fn listening(config: &Config) -> Result<(), ConfigError> {
    match config.operation.listen {
        // The system gives another port to each that asks for port 0.
        Some(operation) if operation == config.listen && operation.port() != 0 => {
            let why = format!("{operation} is also `listen`, where visitors come in; write another port");
            Err(ConfigError::new("operation.listen", why))
        }
        _ => Ok(()),
    }
}

/// Producers and consumers name a topic and a group, so one list alone would allow nothing.
fn rights(config: &Config) -> Result<(), ConfigError> {
    let anonymous = config.anonymous.iter().map(|one| ("[anonymous]".to_owned(), &one.topics, &one.groups));
    let tokens = config.tokens.iter().map(|one| (format!("tokens {:?}", one.name), &one.topics, &one.groups));
    let certificates =
        config.certificates.iter().map(|one| (format!("certificates {:?}", one.name), &one.topics, &one.groups));
    for (whose, topics, groups) in anonymous.chain(tokens).chain(certificates) {
        let (given, missing) = match (topics, groups) {
            (Some(_), None) => ("topics", "groups"),
            (None, Some(_)) => ("groups", "topics"),
            _ => continue,
        };
        let why = format!(
            "it lists {given} but no {missing}, and every producer and consumer needs a topic and a group; write \
             {missing} = [\"…\"], or {missing} = [\"*\"] for all of them"
        );
        return Err(ConfigError::new(&whose, why));
    }
    Ok(())
}

/// Somebody may come in, and whoever is named can show who he is.
fn visitors(config: &Config) -> Result<(), ConfigError> {
    if config.tokens.is_empty() && config.jwt.is_none() && config.certificates.is_empty() && config.anonymous.is_none()
    {
        return Err(ConfigError(
            "nobody may come in: give [[tokens]], [jwt], [[certificates]], or [anonymous] for pages of the origins"
                .to_owned(),
        ));
    }
    if config.anonymous.is_some() && config.origins.is_empty() {
        return Err(ConfigError::new("anonymous", "who has no token needs an origin: give origins = [\"https://…\"]"));
    }
    let are_listed = !config.certificates.is_empty();
    let are_shown = config.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
    match (are_listed, are_shown) {
        (true, false) => Err(ConfigError::new("certificates", "visitors show none without tls.client_ca_file")),
        (false, true) => {
            let why = "a certificate that is not listed is worth nothing: give [[certificates]], or leave it out";
            Err(ConfigError::new("tls.client_ca_file", why))
        }
        _ => Ok(()),
    }
}

fn jwt(config: &JwtConfig) -> Result<(), ConfigError> {
    let empty = |name| Err(ConfigError::new(name, "it is empty; write what tokens say"));
    if config.audience.is_empty() {
        return empty("jwt.audience");
    }
    if config.issuer.as_ref().is_some_and(String::is_empty) {
        return empty("jwt.issuer");
    }
    if config.administrators.iter().any(String::is_empty) {
        return empty("jwt.administrators");
    }
    Ok(())
}

/// Servers are where they may be connected to, as far as that can be told before names are resolved.
fn cluster(config: &ClusterConfig) -> Result<(), ConfigError> {
    if config.name_servers.is_empty() {
        return Err(ConfigError::new("cluster.name_servers", "there is none; write [\"10.0.0.1:9876\"]"));
    }
    let named = config.name_servers.iter().map(|address| ("cluster.name_servers", address));
    let reached = config.reachable.values().map(|address| ("cluster.reachable", address));
    for (key, address) in named.chain(reached) {
        let parsed: Address = address.parse().map_err(|error| ConfigError::new(key, error))?;
        if parsed.host().parse().is_ok_and(|ip: IpAddr| !config.networks.contain(ip)) {
            let why = format!("{address} lies in no network of cluster.networks; write its network there");
            return Err(ConfigError::new(key, why));
        }
    }
    match &config.credentials {
        Some(credentials) if credentials.access_key.is_empty() => {
            Err(ConfigError::new("cluster.credentials.access_key", "it is empty; write the gateway's key"))
        }
        _ => Ok(()),
    }
}

/// What may be meant, and is seldom wise.
pub(super) fn warnings(config: &Config) -> Vec<String> {
    let is_open = |address: SocketAddr| !address.ip().to_canonical().is_loopback();
    let mut warnings = Vec::new();
    if config.tls.is_none() && is_open(config.listen) {
        warnings.push(format!(
            "{} is open without TLS: whoever is between reads tokens and messages; give [tls], or have a proxy with TLS before it",
            config.listen
        ));
    }
    warnings
}

/// An origin is compared as browsers write it: scheme, host in small letters, and a port unless it is the scheme's own.
fn origin(origin: &str) -> Result<(), ConfigError> {
    let wrong = |why: &str| Err(ConfigError::new(&format!("origins: {origin:?}"), why));
    if origin == "*" || origin == "null" {
        return wrong("every page of the world would be that; name the pages' own origins");
    }
    let Some((scheme, rest)) = origin.split_once("://") else {
        return wrong("write it with its scheme, such as https://app.example.com");
    };
    if rest.is_empty() || rest.contains(['/', '*', '?', '#', '@']) {
        return wrong("an origin is a scheme, a host and perhaps a port, without a path");
    }
    if origin.chars().any(|one| one.is_ascii_uppercase() || one.is_whitespace()) {
        return wrong("browsers write it in small letters and without spaces");
    }
    if !origin.is_ascii() {
        return wrong("browsers write other letters as xn--…");
    }
    // In brackets are the colons of IPv6.
    match (scheme, rest.rsplit_once(':').filter(|_| !rest.ends_with(']'))) {
        ("https", Some((_, "443"))) | ("http", Some((_, "80"))) => wrong("browsers leave out the scheme's own port"),
        (_, Some((_, port))) if port.parse().is_ok_and(|parsed: u16| parsed.to_string() == port) => Ok(()),
        (_, Some(_)) => wrong("what stands behind the colon is no port"),
        _ => Ok(()),
    }
}
