//! Somebody who signs tokens, rightly and wrongly.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};

use crate::scene::{Scene, Wanted, folder};

/// Of nobody, and for tests alone: the library that makes our keys makes none of RSA.
const RSA: &str = include_str!("rsa.pem");
const RSA_PUBLIC: &str = include_str!("rsa.pub.pem");

pub(crate) const ALGORITHMS: [Algorithm; 3] = [Algorithm::HS256, Algorithm::RS256, Algorithm::EdDSA];

/// Somebody who signs tokens.
pub(crate) struct Login {
    algorithm: Algorithm,
    key: EncodingKey,
    /// What the gateway has of it: a public key, or the secret.
    file: String,
}

impl Login {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let (key, file) = match algorithm {
            Algorithm::RS256 => (EncodingKey::from_rsa_pem(RSA.as_bytes()).unwrap(), RSA_PUBLIC.to_owned()),
            Algorithm::EdDSA => {
                let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
                (EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap(), pair.public_key_pem())
            }
            _ => {
                let secret = "a secret that is long enough for HS256".to_owned();
                (EncodingKey::from_secret(secret.as_bytes()), secret)
            }
        };
        Self { algorithm, key, file }
    }

    /// A gateway that takes what this one signs.
    pub(crate) async fn scene(&self) -> Scene {
        let folder = folder();
        let scene = Scene::with(Wanted { more: &self.section(&folder.join("key")), ..Wanted::default() }).await;
        fs::remove_dir_all(folder).unwrap();
        scene
    }

    /// What a gateway's file says of this one, whose key is written there.
    pub(crate) fn section(&self, path: &Path) -> String {
        fs::write(path, &self.file).unwrap();
        format!(
            "[jwt]\nalgorithm = \"{:?}\"\nkey_file = {path:?}\naudience = \"gateway\"\nissuer = \"login\"\nadministrators = [\"ops\"]",
            self.algorithm
        )
    }

    pub(crate) fn token(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.key).unwrap()
    }

    /// Tokens of this one that are wrong, and what they are.
    pub(crate) fn wrong(&self) -> Vec<(&'static str, String)> {
        let good = claims(json!({}));
        let mut cut = self.token(&good);
        cut.truncate(cut.len() - 8);
        let (front, signature) = cut.rsplit_once('.').unwrap();
        let others = front.replace(&encoded(&good), &encoded(&claims(json!({ "role": "ops" }))));
        vec![
            ("that has expired", self.token(&claims(json!({ "exp": in_seconds(-600) })))),
            ("that never expires", self.token(&claims(json!({ "exp": null })))),
            ("that is not valid yet", self.token(&claims(json!({ "nbf": in_seconds(600) })))),
            ("for somebody else", self.token(&claims(json!({ "aud": "bank" })))),
            ("for nobody", self.token(&claims(json!({ "aud": null })))),
            ("of somebody else", self.token(&claims(json!({ "iss": "evil" })))),
            ("of nobody", self.token(&claims(json!({ "iss": null })))),
            ("with another's signature", format!("{others}.{signature}")),
            ("without a signature", format!("{front}.")),
            ("that is cut", cut),
            ("that is empty", String::new()),
        ]
        .into_iter()
        .chain(self.unsigned())
        .chain(self.swapped())
        .collect()
    }

    /// Tokens that say themselves that nobody has signed them.
    fn unsigned(&self) -> Vec<(&'static str, String)> {
        let signature = self.token(&claims(json!({}))).rsplit_once('.').unwrap().1.to_owned();
        let of = |algorithm: &str| {
            format!("{}.{}.", encoded(&json!({ "alg": algorithm, "typ": "JWT" })), encoded(&claims(json!({}))))
        };
        vec![
            ("of no algorithm", of("none")),
            ("of No algorithm", of("None")),
            ("of an empty algorithm", of("")),
            ("of no algorithm with a signature", format!("{}{signature}", of("none"))),
        ]
    }

    /// Tokens of other algorithms than the gateway's, with keys that an attacker may have: whatever he made himself, and all that is public.
    fn swapped(&self) -> Vec<(&'static str, String)> {
        let good = claims(json!({}));
        let of = |algorithm, key: &EncodingKey| encode(&Header::new(algorithm), &good, key).unwrap();
        let mut tokens = Vec::new();
        if self.algorithm == Algorithm::HS256 {
            // The right secret proves nothing under another name.
            tokens.push(("of HS512", of(Algorithm::HS512, &self.key)));
        } else {
            // As if the public key, which everybody has, were the secret.
            let public = EncodingKey::from_secret(self.file.as_bytes());
            let trimmed = EncodingKey::from_secret(self.file.trim_end().as_bytes());
            tokens.push(("of HS256 by the public key", of(Algorithm::HS256, &public)));
            tokens.push(("of HS256 by the public key without its end", of(Algorithm::HS256, &trimmed)));
        }
        if self.algorithm == Algorithm::RS256 {
            tokens.push(("of PS256", of(Algorithm::PS256, &self.key)));
            tokens.push(("of RS512", of(Algorithm::RS512, &self.key)));
        }
        for other in ALGORITHMS {
            let other = match (self.algorithm, other) {
                (Algorithm::RS256, Algorithm::RS256) => continue,
                (mine, Algorithm::HS256) if mine == Algorithm::HS256 => Self {
                    algorithm: mine,
                    key: EncodingKey::from_secret(b"another secret of enough bytes, too"),
                    file: String::new(),
                },
                (_, other) => Self::new(other),
            };
            tokens.push(("of another's key", other.token(&good)));
        }
        tokens
    }
}

/// What a good token says, but for some of it.
pub(crate) fn claims(but: Value) -> Value {
    let mut claims = json!({
        "sub": "page", "aud": "gateway", "iss": "login", "exp": in_seconds(600), "topics": ["*"], "groups": ["*"]
    });
    for (name, value) in but.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

pub(crate) fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}
