//! Who may come in: by the page that he comes from, a token, or a certificate. No cookies, since any page may send those of another.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, errors::ErrorKind};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{Config, ConfigError, JwtAlgorithm, JwtConfig};
use crate::visitor::{Patterns, Rights, Visitor};

/// How far the clocks of those who make tokens may be off.
const LEEWAY: Duration = Duration::from_secs(30);
/// The shortest secret that nobody guesses, in bytes.
const SHORTEST_SECRET: usize = 16;
/// The shortest secret of HS256 (RFC 7518, 3.2), in bytes.
const SHORTEST_HS256: usize = 32;

type Fingerprint = [u8; 32];

/// Knows who may come in.
pub(crate) struct Doorkeeper {
    origins: BTreeSet<String>,
    tokens: Vec<(Fingerprint, Visitor)>,
    certificates: Vec<(Fingerprint, Visitor)>,
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
    Token(&'static str),
}

/// What a token says of whoever has it.
#[derive(Deserialize)]
struct Claims {
    exp: u64,
    sub: Option<String>,
    role: Option<String>,
    topics: Option<Patterns>,
    groups: Option<Patterns>,
}

impl Doorkeeper {
    /// Reads the secrets that a configuration names.
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let mut tokens = Vec::new();
        for token in &config.tokens {
            let secret = secret(&token.token_file, SHORTEST_SECRET)?;
            if !secret.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
                let why = "it may have letters, digits and -._~ only: it travels in a header";
                return Err(ConfigError::new(&token.token_file.display().to_string(), why));
            }
            let (topics, groups) = (token.topics.clone(), token.groups.clone());
            let rights = Rights { administers: token.administers, topics, groups };
            tokens.push((fingerprint(&secret), Visitor::new(&*token.name, rights)));
        }
        let mut certificates = Vec::new();
        for one in &config.certificates {
            let print = parse_fingerprint(&one.sha256).ok_or_else(|| {
                ConfigError::new(
                    &format!("certificates: {:?}", one.sha256),
                    "it is no SHA-256: write 64 hexadecimal digits",
                )
            })?;
            let rights =
                Rights { administers: one.administers, topics: one.topics.clone(), groups: one.groups.clone() };
            certificates.push((print, Visitor::new(&*one.name, rights)));
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
        let by_certificate = shown.certificate.and_then(|certificate| find(&self.certificates, certificate));
        let by_origin = || self.anonymous.as_ref().filter(|_| shown.origin.is_some());
        let visitor = by_certificate.or_else(by_origin).ok_or(Denial::NoToken)?;
        Ok(Admission { visitor: visitor.clone(), until: None })
    }

    fn by_token(&self, token: &str) -> Result<Admission, Denial> {
        if let Some(visitor) = find(&self.tokens, token.as_bytes()) {
            return Ok(Admission { visitor: visitor.clone(), until: None });
        }
        match &self.jwt {
            Some(jwt) => jwt.admit(token),
            None => Err(Denial::Token("nobody knows it")),
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
                ErrorKind::ExpiredSignature => "it has expired",
                ErrorKind::ImmatureSignature => "it is not valid yet",
                ErrorKind::InvalidAudience => "it is for another audience",
                ErrorKind::InvalidIssuer => "it is of another issuer",
                ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => "its algorithm is another",
                ErrorKind::InvalidSignature => "its signature is wrong",
                _ => "it is not what was expected",
            })
        })?;
        let Claims { exp, sub, role, topics, groups } = claims.claims;
        let administers = role.as_ref().is_some_and(|role| self.administrators.contains(role));
        let name = sub.or(role).unwrap_or_else(|| "a token".to_owned());
        let name: String = name.chars().filter(|one| !one.is_control()).take(64).collect();
        let until = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(exp)).and_then(|at| at.checked_add(LEEWAY));
        Ok(Admission { visitor: Visitor::new(name, Rights { administers, topics, groups }), until })
    }
}

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    Sha256::digest(bytes).into()
}

/// Looks at all, whichever it is: how long that takes says nothing.
fn find<'a>(known: &'a [(Fingerprint, Visitor)], shown: &[u8]) -> Option<&'a Visitor> {
    let shown = fingerprint(shown);
    let mut found = None;
    for (print, visitor) in known {
        if bool::from(print.ct_eq(&shown)) {
            found = Some(visitor);
        }
    }
    found
}

fn parse_fingerprint(text: &str) -> Option<Fingerprint> {
    let digits: String = text.chars().filter(|one| *one != ':').collect();
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    let mut print = [0; 32];
    for (at, byte) in print.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(print)
}

fn read(path: &Path) -> Result<Vec<u8>, ConfigError> {
    std::fs::read(path).map_err(|error| ConfigError::new(&path.display().to_string(), error))
}

/// The secret that a file has, without the end of its line.
pub(crate) fn secret(path: &Path, shortest: usize) -> Result<Vec<u8>, ConfigError> {
    let text = read(path)?;
    let secret = text.trim_ascii().to_vec();
    if secret.len() < shortest {
        let why = format!("a secret of {} bytes is guessed; write {shortest} or more, of chance", secret.len());
        return Err(ConfigError::new(&path.display().to_string(), why));
    }
    Ok(secret)
}
