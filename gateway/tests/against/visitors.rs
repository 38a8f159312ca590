//! Who may come in.

use std::fs;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PKCS_ED25519};
use serde_json::{Value, json};
use stgclient::Dialect;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Head, HeaderCodec};
use stgclient_core::wire::frame::FrameReader;
use stgclient_core::wire::request::ViewMessage;

use crate::scene::{PAGE, Scene, TOKEN, Wanted};

pub(crate) fn bearer(token: &str) -> String {
    format!("binary, bearer.{token}")
}

#[tokio::test]
async fn pages_of_other_origins_and_strangers_without_a_token_are_told_why_and_nothing_more() {
    let scene = Scene::new("").await;
    let steady = scene.steady().await;
    let query = format!("?target={}", scene.name_server());
    for origin in [
        "https://evil.example.com",
        "http://app.example.com",
        "https://app.example.com:8443",
        "null",
        "https://app.example.com.evil.org",
    ] {
        let (code, words) = scene.closed(&query, &[("Origin", origin), ("Sec-WebSocket-Protocol", "binary")]).await;
        assert_eq!((code, words.contains("may not connect")), (4403, true), "{origin}: {words}");
        // Not with a token either: it may have been stolen by that page.
        let (code, _) = scene.closed(&query, &[("Origin", origin), ("Sec-WebSocket-Protocol", &bearer(TOKEN))]).await;
        assert_eq!(code, 4403, "{origin}");
    }
    for headers in [&[][..], &[("Sec-WebSocket-Protocol", "binary")], &[("Cookie", TOKEN)], &[("Authorization", TOKEN)]]
    {
        assert_eq!(scene.closed(&query, headers).await, (4401, "a token is needed".to_owned()));
    }
    for wrong in ["x", "the-steady-client-s-toke", "the-steady-client-s-token0", "a.b.c"] {
        let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &bearer(wrong))]).await;
        assert_eq!((code, words.as_str()), (4401, "the token is not accepted: nobody knows it"));
    }
    // What is wrong is not made right by a page that may come.
    let (code, _) = scene.closed(&query, &[("Origin", PAGE), ("Sec-WebSocket-Protocol", &bearer("wrong"))]).await;
    assert_eq!(code, 4401);
    for query in [format!("{query}&token={TOKEN}"), format!("{query}&access_token={TOKEN}")] {
        let (code, words) = scene.closed(&query, &[]).await;
        assert_eq!((code, words.contains("bearer.TOKEN")), (4401, false));
        let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &bearer(TOKEN))]).await;
        assert_eq!((code, words.contains("does not belong into an address")), (4400, true), "{words}");
    }
    assert!(scene.websocket(&query, &[("Origin", PAGE), ("Sec-WebSocket-Protocol", "binary")]).await.is_ok());
    steady.went_on().await;
}

/// A request for the message at this place of the broker's log.
fn view(place: u64) -> Vec<u8> {
    let request = ViewMessage { topic: None, offset: i64::try_from(place).unwrap() };
    let mut out = BytesMut::new();
    let head = Head::request(Dialect::Apache, RequestCode::VIEW_MESSAGE_BY_ID, 1);
    command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, &request, b"");
    out.to_vec()
}

fn code_of(frame: &[u8]) -> i32 {
    let mut reader = FrameReader::new(1 << 20);
    reader.extend(frame);
    reader.next_command().unwrap().unwrap().code
}

pub(crate) struct Signing {
    key: EncodingKey,
    algorithm: Algorithm,
}

impl Signing {
    pub(crate) fn token(&self, claims: &Value) -> String {
        encode(&Header::new(self.algorithm), claims, &self.key).unwrap()
    }
}

pub(crate) fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

/// A gateway that takes tokens signed with Ed25519.
pub(crate) async fn with_jwt() -> (Scene, Signing, String) {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let key = EncodingKey::from_ed_pem(pair.serialize_pem().as_bytes()).unwrap();
    let public = pair.public_key_pem();
    let file = crate::scene::folder().join("public.pem");
    fs::write(&file, &public).unwrap();
    let more = format!(
        "[jwt]\nalgorithm = \"EdDSA\"\nkey_file = {:?}\naudience = \"gateway\"\nissuer = \"login\"\nadministrators = [\"ops\"]",
        file.display().to_string()
    );
    let scene = Scene::with(Wanted { more: &more, ..Wanted::default() }).await;
    (scene, Signing { key, algorithm: Algorithm::EdDSA }, public)
}

#[tokio::test]
async fn a_token_has_to_be_signed_by_whom_it_should_be_and_to_be_meant_for_here_and_now() {
    let (scene, signing, public) = with_jwt().await;
    let steady = scene.steady().await;
    let query = format!("?target={}", scene.name_server());
    let good = json!({ "sub": "page", "aud": "gateway", "iss": "login", "exp": in_seconds(600) });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let encoded = |value: &Value| {
        use base64::Engine;
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
    };
    let none = format!("{}.{}.", encoded(&json!({ "alg": "none", "typ": "JWT" })), encoded(&good));
    // As if the public key, which everybody has, were the secret.
    let swapped = Signing { key: EncodingKey::from_secret(public.as_bytes()), algorithm: Algorithm::HS256 };
    let other = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let other = Signing {
        key: EncodingKey::from_ed_pem(other.serialize_pem().as_bytes()).unwrap(),
        algorithm: Algorithm::EdDSA,
    };
    let mut cut = signing.token(&good);
    cut.truncate(cut.len() - 8);
    for (what, token) in [
        ("of no algorithm", none),
        ("of another algorithm", swapped.token(&good)),
        ("of another key", other.token(&good)),
        ("that is cut", cut),
        ("that has expired", signing.token(&with("exp", json!(in_seconds(-600))))),
        ("that never expires", signing.token(&with("exp", Value::Null))),
        ("that is not valid yet", signing.token(&with("nbf", json!(in_seconds(600))))),
        ("for somebody else", signing.token(&with("aud", json!("bank")))),
        ("of somebody else", signing.token(&with("iss", json!("evil")))),
        ("that is empty", String::new()),
    ] {
        let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &bearer(&token))]).await;
        assert_eq!(code, 4401, "a token {what}: {words}");
        assert!(!words.contains(&token) || token.is_empty());
    }
    let token = signing.token(&good);
    let socket = scene.websocket(&query, &[("Sec-WebSocket-Protocol", &bearer(&token))]).await.unwrap();
    drop(socket);
    steady.went_on().await;
}

#[tokio::test]
async fn a_tunnel_ends_when_its_token_does() {
    let (scene, signing, _) = with_jwt().await;
    // Clocks may be off by half a minute.
    let soon = json!({ "aud": "gateway", "iss": "login", "exp": in_seconds(-28) });
    let query = format!("?target={}", scene.name_server());
    let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &bearer(&signing.token(&soon)))]).await;
    assert_eq!((code, words.as_str()), (4401, "the token has expired"));
}

#[tokio::test]
async fn what_a_token_says_of_topics_groups_and_roles_is_what_its_visitor_may_do() {
    let (scene, signing, _) = with_jwt().await;
    let client = |claims: Value| {
        let tunnel = stgclient::Tunnel::builder(format!("ws://{}/tunnel", scene.address))
            .token(signing.token(&claims))
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
    let mut socket = scene
        .websocket(&query, &[("Sec-WebSocket-Protocol", &bearer(&signing.token(&claims("clerk"))))])
        .await
        .unwrap();
    for (place, wanted) in places.into_iter().zip([16, 0]) {
        crate::scene::say(&mut socket, &view(place)).await;
        assert_eq!(code_of(&crate::scene::bytes_of(&mut socket).await), wanted);
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
    let first = tokio::time::timeout(crate::scene::PATIENCE, seen.recv()).await.unwrap();
    assert_eq!(first.map(|(_, tries)| tries), Some(0));
    let again = async {
        while let Some((body, tries)) = seen.recv().await {
            if tries == 1 {
                return body;
            }
        }
        Vec::new()
    };
    assert_ne!(tokio::time::timeout(crate::scene::PATIENCE, again).await.unwrap(), b"");
    assert_eq!(scene.count("stgclient_gateway_requests_total{outcome=\"refused\"}"), refused);
    consumer.close().await;
}
