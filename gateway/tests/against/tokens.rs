//! Visitors who are known by a token that somebody else has signed, with each of the algorithms.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use stgclient_core::wire::code::RequestCode;

use crate::scene::{PATIENCE, Scene, Wanted, answer, bearer, close_of, eventually, folder, request};

/// Of nobody, and for tests alone: the library that makes our keys makes none of RSA.
const RSA: &str = include_str!("rsa.pem");
const RSA_PUBLIC: &str = include_str!("rsa.pub.pem");

const ALGORITHMS: [Algorithm; 3] = [Algorithm::HS256, Algorithm::RS256, Algorithm::EdDSA];

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
    pub(crate) fn section(&self, path: &PathBuf) -> String {
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
    let mut claims = json!({ "sub": "page", "aud": "gateway", "iss": "login", "exp": in_seconds(600) });
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

#[tokio::test]
async fn a_token_has_to_be_signed_by_whom_it_should_be_and_to_be_meant_for_here_and_now() {
    for algorithm in ALGORITHMS {
        let login = Login::new(algorithm);
        let scene = login.scene().await;
        let steady = scene.steady().await;
        let query = format!("?target={}", scene.name_server());
        for (what, token) in login.wrong() {
            let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &bearer(&token))]).await;
            assert_eq!(code, 4401, "{algorithm:?}: a token {what}: {words}");
            assert!(!words.contains(&token) || token.is_empty());
        }
        let good = bearer(&login.token(&claims(json!({}))));
        let mut socket = scene.websocket(&query, &[("Sec-WebSocket-Protocol", &good)]).await.unwrap();
        let list = request(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, 1, &[], b"");
        assert_eq!(answer(&mut socket, &list).await.code, 0, "{algorithm:?}");
        steady.went_on().await;
    }
}

#[tokio::test]
async fn a_tunnel_ends_when_its_token_does() {
    for algorithm in ALGORITHMS {
        let login = Login::new(algorithm);
        let scene = login.scene().await;
        let query = format!("?target={}", scene.name_server());
        // Clocks may be off by half a minute.
        let end = in_seconds(2);
        let soon = bearer(&login.token(&claims(json!({ "exp": end - 30 }))));
        let mut socket = scene.websocket(&query, &[("Sec-WebSocket-Protocol", &soon)]).await.unwrap();
        let list = request(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, 1, &[], b"");
        assert_eq!(answer(&mut socket, &list).await.code, 0, "{algorithm:?}: it is still good");
        assert_eq!(close_of(socket).await, (4401, "the token has expired".to_owned()), "{algorithm:?}");
        assert!(in_seconds(0) >= end, "{algorithm:?}: too soon");
        eventually("it is counted", || scene.count("stgclient_gateway_ends_total{why=\"expired\"}") == 1.0).await;
    }
}

#[tokio::test]
async fn what_a_token_says_of_topics_groups_and_roles_is_what_its_visitor_may_do() {
    for algorithm in ALGORITHMS {
        let login = Login::new(algorithm);
        let scene = login.scene().await;
        let query = format!("?target={}", scene.broker());
        let create = [
            ("topic", "orders"),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "1"),
            ("writeQueueNums", "1"),
            ("perm", "6"),
            ("topicFilterType", "SINGLE_TAG"),
            ("topicSysFlag", "0"),
            ("order", "false"),
        ];
        let requests = [
            request(RequestCode::GET_MAX_OFFSET, 1, &[("topic", "orders"), ("queueId", "0")], b""),
            request(RequestCode::GET_MAX_OFFSET, 2, &[("topic", "secrets"), ("queueId", "0")], b""),
            request(RequestCode::GET_CONSUMER_LIST_BY_GROUP, 3, &[("consumerGroup", "shop")], b""),
            request(RequestCode::GET_CONSUMER_LIST_BY_GROUP, 4, &[("consumerGroup", "bank")], b""),
            request(RequestCode::UPDATE_AND_CREATE_TOPIC, 5, &create, b""),
        ];
        for (said, wanted) in [
            (json!({}), [true, true, true, true, false]),
            (json!({ "role": "ops" }), [true; 5]),
            (json!({ "role": "clerk" }), [true, true, true, true, false]),
            (json!({ "topics": ["orders"], "groups": ["shop"] }), [true, false, true, false, false]),
            (json!({ "topics": ["ord*"] }), [true, false, false, false, false]),
            (json!({ "groups": ["shop"] }), [false, false, true, false, false]),
            (json!({ "topics": [], "role": "ops" }), [false; 5]),
            (json!({ "topics": ["orders"], "role": "ops" }), [true, false, false, false, true]),
        ] {
            let token = bearer(&login.token(&claims(said.clone())));
            let mut socket = scene.websocket(&query, &[("Sec-WebSocket-Protocol", &token)]).await.unwrap();
            let mut may = [false; 5];
            for (may, request) in may.iter_mut().zip(&requests) {
                *may = answer(&mut socket, request).await.code != 16;
            }
            assert_eq!(may, wanted, "{algorithm:?}: {said}");
        }
        // What is no list is no right.
        let odd = bearer(&login.token(&claims(json!({ "topics": "orders" }))));
        assert_eq!(scene.closed(&query, &[("Sec-WebSocket-Protocol", &odd)]).await.0, 4401, "{algorithm:?}");
    }
}

/// A request for the message at this place of the broker's log.
fn view(place: u64) -> Vec<u8> {
    request(RequestCode::VIEW_MESSAGE_BY_ID, 1, &[("offset", &place.to_string())], b"")
}

#[tokio::test]
async fn who_is_bound_by_his_token_sends_consumes_and_retries_within_it() {
    let login = Login::new(Algorithm::EdDSA);
    let scene = login.scene().await;
    let client = |claims: Value| {
        let tunnel = stgclient::Tunnel::builder(format!("ws://{}/tunnel", scene.address))
            .token(login.token(&claims))
            .build()
            .unwrap();
        let builder =
            stgclient::Client::builder(scene.name_server()).tunnel(tunnel).request_timeout(Duration::from_secs(5));
        async { builder.connect().await.unwrap() }
    };
    let claims = |role: &str| {
        json!({ "aud": "gateway", "iss": "login", "exp": in_seconds(600), "role": role,
                "topics": ["orders"], "groups": ["shop"] })
    };
    let ops = client(json!({ "aud": "gateway", "iss": "login", "exp": in_seconds(600), "role": "ops" })).await;
    for topic in ["orders", "secrets"] {
        ops.admin().create_topic(topic).queues(1).await.unwrap();
    }
    let shop = client(claims("clerk")).await;
    let error = shop.admin().create_topic("orders").await.unwrap_err();
    assert!(error.to_string().contains("for administrators") || error.to_string().contains("all topics"), "{error}");
    let producer = shop.producer("shop").start().await.unwrap();
    producer.send(stgclient::Message::new("orders", "one")).await.unwrap();
    // Another client, since one that knows of a topic asks for its route again and again.
    let curious = client(claims("clerk")).await;
    let error = curious
        .producer("shop")
        .start()
        .await
        .unwrap()
        .send(stgclient::Message::new("secrets", "two"))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("the topic secrets"), "{error}");
    curious.close().await;
    // A message that is named by its place is looked at.
    let places = [
        ops.producer("ops").start().await.unwrap().send(stgclient::Message::new("secrets", "psst")).await.unwrap(),
        producer.send(stgclient::Message::new("orders", "two")).await.unwrap(),
    ]
    .map(|receipt| receipt.offset_message_id.unwrap().physical_offset());
    let query = format!("?target={}", scene.broker());
    let mut socket =
        scene.websocket(&query, &[("Sec-WebSocket-Protocol", &bearer(&login.token(&claims("clerk"))))]).await.unwrap();
    for (place, wanted) in places.into_iter().zip([16, 0]) {
        assert_eq!(answer(&mut socket, &view(place)).await.code, wanted);
    }
    // What fails comes again.
    let refused = scene.count("stgclient_gateway_requests_total{outcome=\"refused\"}");
    let (taken, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let consumer = shop
        .push_consumer("shop")
        .subscribe("orders", "*")
        .consume_from(stgclient::ConsumeFrom::FirstOffset)
        .concurrently(move |message| {
            let tries = message.reconsume_times();
            let _ = taken.send((message.body().to_vec(), tries));
            async move { if tries == 0 { Err("once more".into()) } else { Ok(()) } }
        });
    let consumer = consumer.start().await.unwrap();
    let first = tokio::time::timeout(PATIENCE, seen.recv()).await.unwrap();
    assert_eq!(first.map(|(_, tries)| tries), Some(0));
    let again = async {
        while let Some((body, tries)) = seen.recv().await {
            if tries == 1 {
                return body;
            }
        }
        Vec::new()
    };
    assert_ne!(tokio::time::timeout(PATIENCE, again).await.unwrap(), b"");
    assert_eq!(scene.count("stgclient_gateway_requests_total{outcome=\"refused\"}"), refused);
    consumer.close().await;
}
