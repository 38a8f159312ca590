//! What a gateway is told by its file: read, and checked as a whole before anything is opened.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use stgclient::Dialect;

use crate::door::networks::Networks;
use crate::visitor::{Patterns, Rights};

mod bounds;
mod files;
mod meaning;
mod reading;

pub(crate) use bounds::Bounds;

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
    #[serde(deserialize_with = "reading::socket_address")]
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

/// How the gateway is run.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Operation {
    /// Where `/healthz` and `/metrics` are; nowhere, without.
    #[serde(deserialize_with = "reading::some_socket_address")]
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
    ///
    /// # Errors
    /// Both addresses are the same.
    pub fn listening(mut self, at: Option<SocketAddr>, operation: Option<SocketAddr>) -> Result<Self, ConfigError> {
        self.listen = at.unwrap_or(self.listen);
        self.operation.listen = operation.or(self.operation.listen);
        self.check()?;
        Ok(self)
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
        let config: Self = toml::from_str(text).map_err(|error| reading::unreadable(text, &error))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.bounds.check()?;
        meaning::check(self)
    }

    /// All files that are named can be opened.
    pub(crate) fn check_files(&self) -> Result<(), ConfigError> {
        files::check(self)
    }

    /// What is as it should not be, though it may be meant.
    pub fn warnings(&self) -> Vec<String> {
        meaning::warnings(self)
    }
}

#[cfg(test)]
mod tests;
