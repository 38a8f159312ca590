//! Who may come in: by the page that he comes from, a token, or a certificate. No cookies, since any page may send those of another.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, errors::ErrorKind};
use serde::{Deserialize, Deserializer};

use crate::door::config::{Config, ConfigError, JwtAlgorithm, JwtConfig};
use crate::door::known::{Fingerprint, Known};
use crate::visitor::{Patterns, Rights, Visitor};

/// How far the clocks of those who make tokens may be off.
const LEEWAY: Duration = Duration::from_secs(30);
/// The shortest secret that nobody guesses, in bytes.
const SHORTEST_SECRET: usize = 16;
/// The shortest secret of HS256 (RFC 7518, 3.2), in bytes.
const SHORTEST_HS256: usize = 32;

/// Knows who may come in.
pub(crate) struct Doorkeeper {
    origins: BTreeSet<String>,
    tokens: Known,
    certificates: Known,
    jwt: Option<Jwt>,
    anonymous: Option<Visitor>,
}

struct Jwt {
    key: DecodingKey,
    validation: Validation,
    administrators: Vec<String>,
}

/// What a visitor shows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shown<'a> {
    pub(crate) origin: Option<&'a str>,
    pub(crate) token: Option<&'a str>,
    /// A certificate that the CA for visitors has signed.
    pub(crate) certificate: Option<&'a [u8]>,
}

/// A visitor who may come in, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) visitor: Visitor,
    pub(crate) until: Option<SystemTime>,
}

/// Why a visitor may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    #[error("pages of {0} may not connect")]
    Origin(String),
    #[error("a token is needed")]
    NoToken,
    #[error("the token is not accepted: {0}")]
    Token(Cow<'static, str>),
}

/// What a token says of whoever has it. All that is looked at has its type here, also what the library checks: it passes over what is of
/// another type.
#[derive(Deserialize)]
struct Claims {
    exp: u64,
    #[serde(default, rename = "nbf", deserialize_with = "said")]
    _nbf: Option<u64>,
    #[serde(default, rename = "iss", deserialize_with = "said")]
    _iss: Option<String>,
    #[serde(default, deserialize_with = "said")]
    sub: Option<String>,
    #[serde(default, deserialize_with = "said")]
    role: Option<String>,
    /// Who is not said to have any has none.
    #[serde(default)]
    topics: Patterns,
    #[serde(default)]
    groups: Patterns,
}

/// What is there is a value: null is not the same as nothing.
fn said<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Doorkeeper {
    /// Reads the secrets that a configuration names.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut tokens = Known::default();
        for token in &config.tokens {
            let secret = token_secret(&token.token_file)?;
            let (topics, groups) = (token.topics.clone(), token.groups.clone());
            let rights = Rights { administers: token.administers, topics, groups };
            tokens.add(Fingerprint::of(&secret), &token.name, rights).map_err(|other| {
                let why = format!("{other:?} has the same secret; write another one: by it alone they are told apart");
                ConfigError::new(&token.token_file.display().to_string(), why)
            })?;
        }
        let mut certificates = Known::default();
        for one in &config.certificates {
            let wrong = |why: &str| ConfigError::new(&format!("certificates: {:?}", one.sha256), why);
            let print = Fingerprint::parse(&one.sha256)
                .ok_or_else(|| wrong("it is no SHA-256: write 64 hexadecimal digits"))?;
            let rights =
                Rights { administers: one.administers, topics: one.topics.clone(), groups: one.groups.clone() };
            certificates
                .add(print, &one.name, rights)
                .map_err(|other| wrong(&format!("it is that of {other:?}, too; write one of the two")))?;
        }
        Ok(Self {
            origins: config.origins.iter().cloned().collect(),
            tokens,
            certificates,
            jwt: config.jwt.as_ref().map(Jwt::new).transpose()?,
            anonymous: config.anonymous.clone().map(|rights| Visitor::new("anonymous", rights)),
        })
    }

    /// Whether a visitor may come in, and as who.
    pub(crate) fn admit(&self, shown: Shown<'_>) -> Result<Admission, Denial> {
        if let Some(origin) = shown.origin
            && !self.origins.contains(origin)
        {
            return Err(Denial::Origin(origin.chars().filter(|one| !one.is_control()).take(64).collect()));
        }
        if let Some(token) = shown.token {
            return self.by_token(token);
        }
        let by_certificate = shown.certificate.and_then(|certificate| self.certificates.find(certificate));
        let by_origin = || self.anonymous.as_ref().filter(|_| shown.origin.is_some());
        let visitor = by_certificate.or_else(by_origin).ok_or(Denial::NoToken)?;
        Ok(Admission { visitor: visitor.clone(), until: None })
    }

    fn by_token(&self, token: &str) -> Result<Admission, Denial> {
        if let Some(visitor) = self.tokens.find(token.as_bytes()) {
            return Ok(Admission { visitor: visitor.clone(), until: None });
        }
        match &self.jwt {
            Some(jwt) => jwt.admit(token),
            None => Err(Denial::Token("nobody knows it".into())),
        }
    }
}

impl Jwt {
    fn new(config: &JwtConfig) -> Result<Self, ConfigError> {
        let (algorithm, key) = match config.algorithm {
            JwtAlgorithm::Hs256 => {
                (Algorithm::HS256, Ok(DecodingKey::from_secret(&secret(&config.key_file, SHORTEST_HS256)?)))
            }
            JwtAlgorithm::Rs256 => (Algorithm::RS256, DecodingKey::from_rsa_pem(&read(&config.key_file)?)),
            JwtAlgorithm::EdDsa => (Algorithm::EdDSA, DecodingKey::from_ed_pem(&read(&config.key_file)?)),
        };
        let key = key.map_err(|error| {
            let why = format!("no public key of {algorithm:?} in PEM: {error}");
            ConfigError::new(&config.key_file.display().to_string(), why)
        })?;
        // Whatever a token's own header says: it has to be of this algorithm.
        let mut validation = Validation::new(algorithm);
        validation.leeway = LEEWAY.as_secs();
        validation.validate_nbf = true;
        validation.set_audience(&[&config.audience]);
        validation.set_required_spec_claims(&["exp", "aud"]);
        if let Some(issuer) = &config.issuer {
            validation.set_issuer(&[issuer]);
            validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        }
        Ok(Self { key, validation, administrators: config.administrators.clone() })
    }

    fn admit(&self, token: &str) -> Result<Admission, Denial> {
        let claims = decode::<Claims>(token, &self.key, &self.validation).map_err(|error| {
            Denial::Token(match error.kind() {
                ErrorKind::ExpiredSignature => "it has expired".into(),
                ErrorKind::ImmatureSignature => "it is not valid yet".into(),
                ErrorKind::InvalidAudience => "it is for another audience".into(),
                ErrorKind::InvalidIssuer => "it is of another issuer".into(),
                ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "its algorithm is another".into(),
                ErrorKind::InvalidSignature => "its signature is wrong".into(),
                ErrorKind::MissingRequiredClaim(claim) => format!("it has no claim `{claim}`").into(),
                ErrorKind::Json(error) => format!("a claim of it is of another type: {error}").into(),
                _ => "it is neither a token that is known nor a JWT".into(),
            })
        })?;
        let Claims { exp, sub, role, topics, groups, .. } = claims.claims;
        let administers = role.as_ref().is_some_and(|role| self.administrators.contains(role));
        let name = sub.or(role).unwrap_or_else(|| "a token".to_owned());
        let name: String = name.chars().filter(|one| !one.is_control()).take(64).collect();
        let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(exp)).and_then(|at| at.checked_add(LEEWAY));
        Ok(Admission {
            visitor: Visitor::new(name, Rights { administers, topics: Some(topics), groups: Some(groups) }),
            until,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::new(&path.display().to_string(), error))
}

/// The secret of a token.
fn token_secret(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let secret = secret(path, SHORTEST_SECRET)?;
    if !secret.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
        let why = "it may have letters, digits and -._~ only: it travels in a header";
        return Err(ConfigError::new(&path.display().to_string(), why));
    }
    Ok(secret)
}

/// The secret that a file has, without the end of its line.
pub(crate) fn secret(path: &Path, shortest: usize) -> Result<Vec<u8>, ConfigError> {
    let text = read(path)?;
    let secret = text.trim_ascii().to_vec();
    if secret.len() < shortest {
        let why = format!(
            "a secret of {} bytes can be guessed; write {shortest} or more random ones (openssl rand -hex 32)",
            secret.len()
        );
        return Err(ConfigError::new(&path.display().to_string(), why));
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with this in it, looked at as one of secrets.
    fn read_as<T>(text: &str, look: impl Fn(&Path) -> Result<T, ConfigError>) -> Result<T, String> {
        let path = std::env::temp_dir().join(format!("stgclient-gateway-secret-{}-{}", std::process::id(), text.len()));
        std::fs::write(&path, text).unwrap();
        let looked = look(&path).map_err(|error| error.to_string());
        std::fs::remove_file(path).unwrap();
        looked
    }

    #[test]
    fn the_secret_of_a_token_has_letters_that_travel_in_a_header() {
        assert_eq!(read_as("0123-._~abcDEF789\n", token_secret).unwrap(), b"0123-._~abcDEF789");
        for odd in [
            "a secret with spaces",
            "a,secret,with,commas,",
            "two-secrets-of\ntwo-lines-in-one",
            "s\u{f6}me-other-letters-",
        ] {
            assert!(read_as(odd, token_secret).unwrap_err().contains("letters, digits"), "{odd}");
        }
        assert!(read_as("15-letters-long", token_secret).unwrap_err().contains("write 16 or more"));
    }

    #[test]
    fn the_secret_of_hs256_has_as_many_bytes_as_its_hash() {
        let of = |length: usize| {
            read_as(&"x".repeat(length), |path| {
                let (algorithm, audience) = (JwtAlgorithm::Hs256, "gateway".to_owned());
                let (issuer, administrators, key_file) = (None, Vec::new(), path.to_owned());
                Jwt::new(&JwtConfig { algorithm, key_file, audience, issuer, administrators }).map(drop)
            })
        };
        assert!(of(31).unwrap_err().contains("write 32 or more"));
        assert_eq!(of(32), Ok(()));
    }

    #[test]
    fn who_has_one_of_the_two_lists_has_nothing_of_the_other_kind() {
        let list = || Some(Patterns(vec!["mine".to_owned()]));
        for (topics, groups) in [(list(), None), (None, list())] {
            let visitor = Visitor::new("anybody", Rights { administers: false, topics, groups });
            let may = [visitor.may_have_topic("yours").is_ok(), visitor.may_have_group("yours").is_ok()];
            assert_eq!(may, [false, false]);
        }
    }
}
