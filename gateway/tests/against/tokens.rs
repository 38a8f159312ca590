//! Visitors who are known by a token that somebody else has signed, with each of the algorithms.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use stgclient_core::wire::code::RequestCode;

use crate::login::{ALGORITHMS, Login, claims, in_seconds};
use crate::scene::{CREATE_ORDERS, PATIENCE, Scene, answer, bearer, close_of, eventually, request};

/// In a test's list: the claim is not there.
const LEFT_OUT: &str = "left out";

#[tokio::test]
async fn a_token_has_to_be_signed_by_whom_it_should_be_and_to_be_meant_for_here_and_now() {
    for algorithm in ALGORITHMS {
        let login = Login::new(algorithm);
        let scene = login.scene().await;
        let steady = scene.steady().await;
        let query = format!("?target={}", scene.name_server());
        for (what, token) in login.wrong() {
            let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &bearer(&token))]).await;
            // Such as let somebody in and out again would be told that it has expired.
            let is_refused = words.starts_with("the token is not accepted: ");
            assert_eq!((code, is_refused), (4401, true), "{algorithm:?}: a token {what}: {words}");
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
        let requests = [
            request(RequestCode::GET_MAX_OFFSET, 1, &[("topic", "orders"), ("queueId", "0")], b""),
            request(RequestCode::GET_MAX_OFFSET, 2, &[("topic", "secrets"), ("queueId", "0")], b""),
            request(RequestCode::GET_CONSUMER_LIST_BY_GROUP, 3, &[("consumerGroup", "shop")], b""),
            request(RequestCode::GET_CONSUMER_LIST_BY_GROUP, 4, &[("consumerGroup", "bank")], b""),
            request(RequestCode::UPDATE_AND_CREATE_TOPIC, 5, &CREATE_ORDERS, b""),
        ];
        for (said, wanted) in [
            (json!({}), [true, true, true, true, false]),
            (json!({ "role": "ops" }), [true; 5]),
            (json!({ "role": "clerk" }), [true, true, true, true, false]),
            (json!({ "topics": ["orders"], "groups": ["shop"] }), [true, false, true, false, false]),
            (json!({ "topics": ["ord*"] }), [true, false, true, true, false]),
            (json!({ "groups": ["shop"] }), [true, true, true, false, false]),
            (json!({ "topics": [], "groups": [], "role": "ops" }), [false; 5]),
            (json!({ "topics": ["orders"], "role": "ops" }), [true, false, true, true, true]),
            // What is not said is nothing.
            (json!({ "topics": LEFT_OUT }), [false, false, true, true, false]),
            (json!({ "groups": LEFT_OUT }), [true, true, false, false, false]),
            (json!({ "topics": LEFT_OUT, "groups": LEFT_OUT, "role": "ops" }), [false; 5]),
        ] {
            let mut all = claims(said.clone());
            all.as_object_mut().unwrap().retain(|_, value| value != LEFT_OUT);
            let token = bearer(&login.token(&all));
            let mut socket = scene.websocket(&query, &[("Sec-WebSocket-Protocol", &token)]).await.unwrap();
            let mut may = [false; 5];
            for (may, request) in may.iter_mut().zip(&requests) {
                *may = answer(&mut socket, request).await.code != 16;
            }
            assert_eq!(may, wanted, "{algorithm:?}: {said}");
        }
    }
}

/// A request for the message at this place of the broker's log.
#[tokio::test]
async fn a_token_that_says_something_in_another_way_than_it_should_is_not_accepted() {
    let login = Login::new(Algorithm::EdDSA);
    let scene = login.scene().await;
    let query = format!("?target={}", scene.name_server());
    let later = in_seconds(6000);
    for odd in [
        json!({ "nbf": later.to_string() }),
        json!({ "nbf": [later] }),
        json!({ "nbf": -1 }),
        json!({ "nbf": {} }),
        json!({ "nbf": null }),
        json!({ "exp": later.to_string() }),
        json!({ "iss": ["login", "evil"] }),
        json!({ "aud": { "gateway": true } }),
        json!({ "sub": 7 }),
        json!({ "role": ["ops"] }),
        json!({ "role": null }),
        // Nothing is less than a list, and more than an empty one.
        json!({ "topics": null, "groups": null }),
        json!({ "topics": null }),
        json!({ "groups": null }),
        json!({ "topics": "orders" }),
        json!({ "topics": { "0": "orders" } }),
        json!({ "topics": [7] }),
        json!({ "topics": ["or*ers"] }),
    ] {
        let token = bearer(&login.token(&claims(odd.clone())));
        let (code, words) = scene.closed(&query, &[("Sec-WebSocket-Protocol", &token)]).await;
        assert_eq!((code, words.starts_with("the token is not accepted")), (4401, true), "{odd}: {words}");
    }
    let good = bearer(&login.token(&claims(json!({ "nbf": in_seconds(-5), "role": "clerk", "topics": [] }))));
    let mut socket = scene.websocket(&query, &[("Sec-WebSocket-Protocol", &good)]).await.unwrap();
    let list = request(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, 1, &[], b"");
    assert_eq!(answer(&mut socket, &list).await.code, 16);
}

fn view(place: u64) -> Vec<u8> {
    request(RequestCode::VIEW_MESSAGE_BY_ID, 1, &[("offset", &place.to_string())], b"")
}

/// Which no other try mends. One that expires while it is used is another matter: the next one may do.
#[tokio::test]
async fn a_client_with_a_token_that_is_not_accepted_is_told_so_at_once() {
    let login = Login::new(Algorithm::EdDSA);
    let scene = login.scene().await;
    let (_, token) = login.wrong().swap_remove(0);
    let tunnel = stgclient::Tunnel::builder(format!("ws://{}/tunnel", scene.address)).token(token).build().unwrap();
    let client = stgclient::Client::builder(scene.name_server()).tunnel(tunnel).connect();
    let error = client.await.unwrap_err();
    let told = (error.kind(), error.is_retryable());
    assert_eq!(told, (stgclient::ErrorKind::AccessDenied, false), "{error}");
    assert!(error.to_string().contains("(code 4401)"), "{error}");
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
    let ops = client(crate::login::claims(json!({ "role": "ops" }))).await;
    for topic in ["orders", "secrets"] {
        ops.admin().create_topic(topic).queues(1).await.unwrap();
    }
    let shop = client(claims("clerk")).await;
    let error = shop.admin().create_topic("orders").await.unwrap_err();
    assert!(error.to_string().contains("for administrators"), "{error}");
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

#[tokio::test]
async fn a_client_whose_token_expires_goes_on_with_the_next_one() {
    let login = Arc::new(Login::new(Algorithm::EdDSA));
    let scene = login.scene().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    // The first ones are over in a moment, as far as clocks may be off.
    let provider = move || {
        let exp = in_seconds(if counted.fetch_add(1, Relaxed) < 2 { -28 } else { 600 });
        let token = login.token(&claims(json!({ "role": "ops", "exp": exp })));
        async move { Ok::<_, std::io::Error>(token) }
    };
    let tunnel = stgclient::Tunnel::builder(format!("ws://{}/tunnel", scene.address)).token_provider(provider);
    let client =
        stgclient::Client::builder(scene.name_server()).tunnel(tunnel.build().unwrap()).connect().await.unwrap();
    client.admin().create_topic("orders").queues(1).await.unwrap();
    let producer = client.producer("shop").send_timeout(PATIENCE).start().await.unwrap();
    let mut sent = 0;
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while scene.count("stgclient_gateway_ends_total{why=\"expired\"}") < 2.0 || asked.load(Relaxed) < 4 {
        producer.send(stgclient::Message::new("orders", "one more")).await.unwrap();
        sent += 1;
        assert!(
            tokio::time::Instant::now() < deadline,
            "nothing expires: {} tokens, {sent} messages",
            asked.load(Relaxed)
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let statistics = client.admin().topic_statistics("orders").await.unwrap();
    assert!(statistics.queues.values().map(|queue| queue.max_offset).sum::<u64>() >= sent, "of {sent}");
    client.close().await;
}

#[tokio::test]
async fn a_client_that_gets_no_token_is_told_why() {
    let scene = Scene::new("").await;
    for (given, words) in [(Err("log in first"), "log in first"), (Ok("two\nlines".to_owned()), "letters, digits")] {
        let provider = move || {
            let given = given.clone();
            async move { given }
        };
        let tunnel = stgclient::Tunnel::builder(format!("ws://{}/tunnel", scene.address)).token_provider(provider);
        let error = stgclient::Client::builder(scene.name_server()).tunnel(tunnel.build().unwrap()).connect().await;
        let error = error.map(drop).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
