//! WebSockets that are none, or break their rules.

use std::time::Duration;

use futures::SinkExt;
use stgclient_core::wire::code::RequestCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use crate::broken;
use crate::scene::{self, CREATE_ORDERS, PAGE, PATIENCE, Scene, TOKEN, close_of, eventually, say};

/// The request for a WebSocket to the name server, as bytes.
fn request(scene: &Scene) -> String {
    format!(
        "GET /tunnel?target={} HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: binary, bearer.{TOKEN}\r\n\r\n",
        scene.name_server()
    )
}

#[tokio::test]
async fn half_a_request_has_as_long_as_a_whole_one_however_slowly_it_comes() {
    let scene = Scene::new("handshake_seconds = 0.5").await;
    let steady = scene.steady().await;
    let started = Instant::now();
    let mut silent = scene.socket().await;
    let mut half = scene.socket().await;
    half.write_all(b"GET /tunnel HTTP/1.1\r\nHo").await.unwrap();
    let mut slow = scene.socket().await;
    let text = request(&scene);
    let dripping = async {
        for byte in text.bytes() {
            if slow.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut answer = Vec::new();
        let _ = slow.read_to_end(&mut answer).await;
        answer
    };
    let ends = async {
        let mut answer = Vec::new();
        let _ = silent.read_to_end(&mut answer).await;
        let _ = half.read_to_end(&mut answer).await;
        answer
    };
    let (ends, slow) = tokio::time::timeout(PATIENCE, async { tokio::join!(ends, dripping) }).await.unwrap();
    assert_eq!((ends.len(), slow.len()), (0, 0), "{}", String::from_utf8_lossy(&slow));
    assert!(started.elapsed() >= Duration::from_millis(450));
    eventually("they are counted", || {
        scene.count("stgclient_gateway_dropped_total{why=\"handshake_deadline\"}") >= 3.0
    })
    .await;
    steady.went_on().await;
}

#[tokio::test]
async fn what_is_no_request_for_a_websocket_is_refused_in_one_answer() {
    let scene = Scene::new("").await;
    let steady = scene.steady().await;
    let address = &scene.address;
    let whole = request(&scene);
    for (text, wanted) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "404"),
        ("POST /tunnel HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(), "405"),
        ("GET /tunnel HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), "426"),
        (whole.replace("Version: 13", "Version: 8"), "426"),
        (whole.replace("Upgrade: websocket", "Upgrade: h2c"), "426"),
        (whole.replace("AAAAAAAAAAAAAAAAAAAAAA==", "short"), "400"),
        ("nonsense\r\n\r\n".to_owned(), "400"),
        (whole.replace("Host: gateway", &"X: y\r\n".repeat(100)), "431"),
        (whole.replace("Host: gateway", &format!("X: {}", "y".repeat(20_000))), "431"),
    ] {
        let answer = scene.http(address, &text).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {wanted}")), "{wanted}: {answer}");
    }
    let two = format!("{0}{0}", whole.replace("/tunnel", "/other"));
    let answer = scene.http(address, &two).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    steady.went_on().await;
}

#[tokio::test]
async fn a_websocket_that_breaks_its_rules_is_closed_and_told_which() {
    let scene = Scene::new("message_bytes = 70000").await;
    let steady = scene.steady().await;
    for (what, frame, wanted) in broken::frames(70_000) {
        let socket = scene.tunnel_to(&scene.name_server()).await;
        let mut raw = socket.into_inner();
        raw.write_all(&frame).await.unwrap();
        let mut said = Vec::new();
        let _ = tokio::time::timeout(PATIENCE, raw.read_to_end(&mut said)).await.expect("it is closed");
        assert!(said.len() >= 4 && said[0] == 0x88, "{what}: {said:?}");
        let code = u16::from_be_bytes([said[2], said[3]]);
        assert_eq!(code, wanted, "a frame {what}: {}", String::from_utf8_lossy(&said[4..]));
    }
    steady.went_on().await;
}

#[tokio::test]
async fn who_is_gone_without_a_word_has_left_and_broken_no_rule() {
    let scene = Scene::new("").await;
    let half = [0x82, 0x85, 0, 0];
    for said in [&[][..], &half] {
        let mut raw = scene.tunnel_to(&scene.name_server()).await.into_inner();
        raw.write_all(said).await.unwrap();
        drop(raw);
    }
    eventually("both are counted", || scene.count("stgclient_gateway_ends_total{why=\"left\"}") == 2.0).await;
}

#[tokio::test]
async fn many_small_pieces_of_one_message_are_no_way_around_its_bound() {
    let scene = Scene::new("message_bytes = 2000").await;
    let socket = scene.tunnel_to(&scene.name_server()).await;
    let mut raw = socket.into_inner();
    let piece = |first: u8| [&[first, 0xfe, 0x01, 0x00][..], &[0; 4], &[0; 256]].concat();
    raw.write_all(&piece(0x02)).await.unwrap();
    for _ in 0..8 {
        let _ = raw.write_all(&piece(0x00)).await;
    }
    let mut said = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, raw.read_to_end(&mut said)).await.expect("it is closed");
    assert_eq!(u16::from_be_bytes([said[2], said[3]]), 1009);
}

#[tokio::test]
async fn text_and_what_is_no_rocketmq_end_a_tunnel() {
    let scene = Scene::new("").await;
    let steady = scene.steady().await;
    let mut socket = scene.tunnel_to(&scene.name_server()).await;
    socket.send(Message::Text("hello".into())).await.unwrap();
    assert_eq!(close_of(socket).await, (1003, "binary messages only".to_owned()));
    for (bytes, words) in broken::no_rocketmq() {
        let mut socket = scene.tunnel_to(&scene.broker()).await;
        socket.send(Message::Binary(bytes.to_vec().into())).await.unwrap();
        let (code, said) = close_of(socket).await;
        assert_eq!((code, said.contains(words)), (4410, true), "{said}");
    }
    steady.went_on().await;
}

#[tokio::test]
async fn a_page_that_offers_protocols_has_to_offer_binary() {
    let scene = Scene::new("").await;
    let query = format!("?target={}", scene.name_server());
    // What is offered is picked of, so a WebSocket's own check would fail: by hand.
    let text = request(&scene).replace("binary, bearer", "bearer");
    let mut socket = scene.socket().await;
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, socket.read_to_end(&mut answer)).await.expect("it is closed");
    assert!(String::from_utf8_lossy(&answer).contains("binary"), "{}", String::from_utf8_lossy(&answer));
    let page = scene.websocket(&query, &[("Origin", PAGE)]).await;
    assert!(page.is_ok(), "who offers none gets none");
}

#[tokio::test]
async fn what_was_in_order_goes_on_also_in_one_message_with_what_ends_the_tunnel() {
    let scene = Scene::new("").await;
    let mut socket = scene.tunnel_to(&scene.broker()).await;
    let create = scene::request(RequestCode::UPDATE_AND_CREATE_TOPIC, 1, &CREATE_ORDERS, b"");
    say(&mut socket, &[&create[..], &[0xff; 8]].concat()).await;
    assert_eq!(close_of(socket).await.0, 4410);
    let client = scene.client().await;
    let deadline = Instant::now() + PATIENCE;
    while client.admin().topic_route("orders").await.is_err() {
        assert!(Instant::now() < deadline, "the broker has not heard of the topic");
        tokio::task::yield_now().await;
    }
}
