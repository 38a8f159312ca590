//! What a gateway is told by its file: read, and checked as a whole before anything is opened.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use stgclient::Dialect;

use crate::networks::Networks;
use crate::visitor::{Patterns, Rights};

/// Why a gateway cannot be as its file says, in words that say what to write instead.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(pub(crate) String);

impl ConfigError {
    /// What is wrong, and why.
    pub fn new(what: &str, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// The file of a gateway: see `gateway/gateway.toml`, which has every key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where visitors come in.
    pub(crate) listen: SocketAddr,
    pub(crate) cluster: ClusterConfig,
    /// The pages that may connect: `https://app.example.com`, exactly as browsers say it.
    #[serde(default)]
    pub(crate) origins: Vec<String>,
    pub(crate) tls: Option<TlsConfig>,
    #[serde(default)]
    pub(crate) tokens: Vec<TokenConfig>,
    pub(crate) jwt: Option<JwtConfig>,
    /// What those may do who show a client certificate, by its fingerprint.
    #[serde(default)]
    pub(crate) certificates: Vec<CertificateConfig>,
    /// What a page of an allowed origin may do without a token; nothing, without this.
    pub(crate) anonymous: Option<Rights>,
    #[serde(default)]
    pub(crate) bounds: Bounds,
    #[serde(default)]
    pub(crate) operation: Operation,
}

/// The cluster behind a gateway.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterConfig {
    pub(crate) name_servers: Vec<String>,
    /// The networks that name servers and brokers lie in.
    pub(crate) networks: Networks,
    #[serde(default)]
    pub(crate) dialect: DialectName,
    /// From what brokers announce to where this machine reaches them.
    #[serde(default)]
    pub(crate) reachable: BTreeMap<String, String>,
    /// The cluster speaks TLS.
    pub(crate) tls: Option<ClusterTls>,
    /// The gateway signs what visitors ask, and no visitor needs a key.
    pub(crate) credentials: Option<CredentialsConfig>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DialectName {
    #[default]
    Apache,
    Smartgo,
}

impl DialectName {
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Self::Apache => Dialect::Apache,
            Self::Smartgo => Dialect::Smartgo,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClusterTls {
    /// The CA of the cluster; without, those of the platform.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) certificate_file: Option<PathBuf>,
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) server_name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CredentialsConfig {
    pub(crate) access_key: String,
    pub(crate) secret_key_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
    /// Visitors may show certificates of this CA.
    pub(crate) client_ca_file: Option<PathBuf>,
}

/// A secret text by which a visitor is known. Whoever has it may be anywhere: an Origin is not needed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenConfig {
    /// For logs.
    pub(crate) name: String,
    pub(crate) token_file: PathBuf,
    #[serde(default)]
    pub(crate) administers: bool,
    pub(crate) topics: Option<Patterns>,
    pub(crate) groups: Option<Patterns>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CertificateConfig {
    pub(crate) name: String,
    /// SHA-256 of the certificate, in hexadecimal digits, colons between them or not.
    pub(crate) sha256: String,
    #[serde(default)]
    pub(crate) administers: bool,
    pub(crate) topics: Option<Patterns>,
    pub(crate) groups: Option<Patterns>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JwtConfig {
    pub(crate) algorithm: JwtAlgorithm,
    /// The secret of HS256; the public key, in PEM, of the others.
    pub(crate) key_file: PathBuf,
    pub(crate) audience: String,
    pub(crate) issuer: Option<String>,
    /// The roles whose visitors may administer topics and groups.
    #[serde(default)]
    pub(crate) administrators: Vec<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub(crate) enum JwtAlgorithm {
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// How much of anything there may be.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Bounds {
    /// TLS, upgrade and authentication together, in seconds.
    pub(crate) handshake_seconds: f64,
    /// Connecting to a server of the cluster, in seconds.
    pub(crate) connect_seconds: f64,
    pub(crate) connections: usize,
    pub(crate) connections_per_address: usize,
    /// New connections per second, in all.
    pub(crate) handshakes_per_second: u32,
    /// The longest WebSocket message, in bytes. One is a piece of a stream, so it need not be as long as a RocketMQ message.
    pub(crate) message_bytes: usize,
    /// The longest frame of the RocketMQ protocol that a visitor may send, in bytes.
    pub(crate) frame_bytes: usize,
    /// The longest body that is kept whole, because it is judged or signed, in bytes; all others pass as they come.
    pub(crate) body_bytes: usize,
    /// How long such a body may take to come, in seconds.
    pub(crate) body_seconds: f64,
    /// What is kept of all these bodies at a time, in bytes; a quarter of it for one address.
    pub(crate) kept_bytes: usize,
    /// What waits for a visitor who does not read, in bytes.
    pub(crate) buffer_bytes: usize,
    /// A tunnel on which nothing came from the visitor for so long is closed, in seconds. Pings are answered.
    pub(crate) idle_seconds: f64,
    /// How often visitors are pinged, in seconds.
    pub(crate) ping_seconds: f64,
    /// How long tunnels have to end when the gateway stops, in seconds.
    pub(crate) drain_seconds: f64,
    /// Whose word counts on where a connection is from (`X-Forwarded-For`).
    pub(crate) trusted_proxies: Vec<IpNet>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshake_seconds: 10.0,
            connect_seconds: 5.0,
            connections: 20_000,
            connections_per_address: 200,
            handshakes_per_second: 500,
            message_bytes: 256 * 1024,
            frame_bytes: 16 * 1024 * 1024,
            body_bytes: 5 * 1024 * 1024,
            body_seconds: 30.0,
            kept_bytes: 256 * 1024 * 1024,
            buffer_bytes: 256 * 1024,
            idle_seconds: 90.0,
            ping_seconds: 20.0,
            drain_seconds: 15.0,
            trusted_proxies: Vec::new(),
        }
    }
}

impl Bounds {
    pub(crate) fn handshake(&self) -> Duration {
        Duration::from_secs_f64(self.handshake_seconds)
    }

    pub(crate) fn connect(&self) -> Duration {
        Duration::from_secs_f64(self.connect_seconds)
    }

    pub(crate) fn body(&self) -> Duration {
        Duration::from_secs_f64(self.body_seconds)
    }

    pub(crate) fn idle(&self) -> Duration {
        Duration::from_secs_f64(self.idle_seconds)
    }

    pub(crate) fn ping(&self) -> Duration {
        Duration::from_secs_f64(self.ping_seconds)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs_f64(self.drain_seconds)
    }

    fn check(&self) -> Result<(), ConfigError> {
        for (name, seconds, most) in [
            ("handshake_seconds", self.handshake_seconds, 120.0),
            ("connect_seconds", self.connect_seconds, 120.0),
            ("body_seconds", self.body_seconds, 3600.0),
            ("idle_seconds", self.idle_seconds, 86_400.0),
            ("ping_seconds", self.ping_seconds, 86_400.0),
            ("drain_seconds", self.drain_seconds, 3600.0),
        ] {
            if !(seconds > 0.0 && seconds <= most) {
                return Err(ConfigError::new(
                    &format!("bounds.{name}"),
                    format_args!("{seconds} is not above 0 and at most {most}"),
                ));
            }
        }
        for (name, value, least) in [
            ("connections", self.connections, 1),
            ("connections_per_address", self.connections_per_address, 1),
            ("handshakes_per_second", self.handshakes_per_second as usize, 1),
            ("message_bytes", self.message_bytes, 1024),
            ("frame_bytes", self.frame_bytes, 1024),
            ("body_bytes", self.body_bytes, 1024),
            ("kept_bytes", self.kept_bytes, 4 * self.body_bytes),
            ("buffer_bytes", self.buffer_bytes, 64 * 1024),
        ] {
            if value < least {
                return Err(ConfigError::new(&format!("bounds.{name}"), format_args!("{value} is less than {least}")));
            }
        }
        if self.ping_seconds >= self.idle_seconds {
            return Err(ConfigError::new(
                "bounds.ping_seconds",
                "it has to be less than idle_seconds: pings keep quiet tunnels",
            ));
        }
        Ok(())
    }
}

/// How the gateway is run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Operation {
    /// Where `/healthz` and `/metrics` are; nowhere, without.
    pub(crate) listen: Option<SocketAddr>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, has what nobody knows, or would make a gateway that lets nobody or everybody in.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::new(&name, error))?;
        Self::from_text(&text).map_err(|error| ConfigError::new(&name, error))
    }

    /// The same, with other addresses to listen at, as far as they are given.
    pub fn listening(mut self, at: Option<SocketAddr>, operation: Option<SocketAddr>) -> Self {
        self.listen = at.unwrap_or(self.listen);
        self.operation.listen = operation.or(self.operation.listen);
        self
    }

    /// Whether visitors come in by TLS.
    pub const fn has_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads a text as [`Config::from_file`] does.
    ///
    /// # Errors
    /// As there.
    pub fn from_text(text: &str) -> Result<Self, ConfigError> {
        let config: Self =
            toml::from_str(text).map_err(|error| ConfigError(error.to_string().trim_end().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.bounds.check()?;
        if self.cluster.name_servers.is_empty() {
            return Err(ConfigError::new("cluster.name_servers", "there is none; write [\"10.0.0.1:9876\"]"));
        }
        if self.tokens.is_empty() && self.jwt.is_none() && self.certificates.is_empty() && self.anonymous.is_none() {
            return Err(ConfigError(
                "nobody may come in: give [[tokens]], [jwt], [[certificates]], or [anonymous] for pages of the origins"
                    .to_owned(),
            ));
        }
        if self.anonymous.is_some() && self.origins.is_empty() {
            return Err(ConfigError::new(
                "anonymous",
                "who has no token needs an origin: give origins = [\"https://…\"]",
            ));
        }
        let wants_certificates = !self.certificates.is_empty();
        if wants_certificates && self.tls.as_ref().is_none_or(|tls| tls.client_ca_file.is_none()) {
            return Err(ConfigError::new("certificates", "visitors show none without tls.client_ca_file"));
        }
        self.origins.iter().try_for_each(|origin| check_origin(origin))
    }
}

/// An origin is compared as browsers write it: scheme, host in small letters, and a port unless it is the scheme's own.
fn check_origin(origin: &str) -> Result<(), ConfigError> {
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
    match (scheme, rest.rsplit_once(':')) {
        ("https", Some((_, "443"))) | ("http", Some((_, "80"))) => wrong("browsers leave out the scheme's own port"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"
        listen = "127.0.0.1:0"
        [cluster]
        name_servers = ["10.0.0.1:9876"]
        networks = ["10.0.0.0/8"]
    "#;

    fn error(more: &str) -> String {
        match Config::from_text(&format!("{more}\n{LEAST}")) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    fn error_behind(more: &str) -> String {
        match Config::from_text(&format!("{LEAST}\n{more}")) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    /// What is commented out there, and is no sentence, is as right as the rest.
    #[test]
    fn the_file_that_shows_all_keys_is_right_and_shows_the_defaults() {
        let text = include_str!("../gateway.toml");
        let shown = Config::from_text(text).unwrap();
        let uncommented: Vec<&str> = text
            .lines()
            .map(|line| match line.strip_prefix("# ") {
                Some(key)
                    if key.starts_with('[')
                        || key.starts_with('"')
                        || key.split_once(" = ").is_some_and(|(name, _)| !name.contains(' ')) =>
                {
                    key
                }
                _ => line,
            })
            .collect();
        let all = Config::from_text(&uncommented.join("\n")).unwrap();
        assert!(
            all.jwt.is_some() && all.anonymous.is_some() && all.cluster.tls.is_some() && all.certificates.len() == 1
        );
        let bounds = Bounds { trusted_proxies: all.bounds.trusted_proxies.clone(), ..Bounds::default() };
        assert_eq!(format!("{:?}", all.bounds), format!("{bounds:?}"));
        assert_eq!(format!("{:?}", shown.bounds), format!("{:?}", Bounds::default()));
        let keys = format!("{bounds:?}").matches(": ").count();
        let shown = text.split("[bounds]").nth(1).unwrap().split("[operation]").next().unwrap();
        assert_eq!(shown.matches(" = ").count(), keys, "every bound is shown");
    }

    #[test]
    fn a_gateway_that_lets_nobody_in_is_no_gateway() {
        assert!(error("").contains("nobody may come in"));
        assert!(error_behind("[anonymous]").contains("needs an origin"));
        assert_eq!(error_behind("[[tokens]]\nname = \"shop\"\ntoken_file = \"t\""), "");
    }

    #[test]
    fn origins_are_written_as_browsers_write_them() {
        for (origin, words) in [
            ("*", "every page of the world"),
            ("null", "every page of the world"),
            ("app.example.com", "with its scheme"),
            ("https://app.example.com/", "without a path"),
            ("https://*.example.com", "without a path"),
            ("https://App.example.com", "small letters"),
            ("https://app.example.com:443", "own port"),
        ] {
            let said =
                Config::from_text(&format!("origins = [\"{origin}\"]\n{LEAST}\n[anonymous]")).unwrap_err().to_string();
            assert!(said.contains(words), "{origin}: {said}");
        }
        Config::from_text(&format!("origins = [\"http://localhost:8080\"]\n{LEAST}\n[anonymous]")).unwrap();
    }

    #[test]
    fn a_key_that_nobody_knows_is_told_with_those_that_are_known() {
        let said = error("orgins = []");
        assert!(said.contains("orgins") && said.contains("`origins`"), "{said}");
        let said = error_behind("[[tokens]]\nname = \"shop\"\ntoken_file = \"t\"\ntopic = [\"orders\"]");
        assert!(said.contains("topic"), "{said}");
    }

    #[test]
    fn bounds_that_bound_nothing_or_everything_are_refused() {
        for (bound, words) in [
            ("handshake_seconds = 0", "not above 0"),
            ("handshake_seconds = nan", "not above 0"),
            ("connections = 0", "less than 1"),
            ("ping_seconds = 90", "less than idle_seconds"),
            ("message_bytes = 7", "less than 1024"),
        ] {
            let said = error_behind(&format!("[[tokens]]\nname = \"a\"\ntoken_file = \"t\"\n[bounds]\n{bound}"));
            assert!(said.contains(words), "{bound}: {said}");
        }
    }
}
