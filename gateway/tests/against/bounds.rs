//! How many, how much, how long.

use std::time::Duration;

use bytes::BytesMut;
use futures::{SinkExt, StreamExt};
use stgclient::{Dialect, Message as Sent};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Head, HeaderCodec};
use stgclient_core::wire::fields::NoFields;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use crate::scene::{PATIENCE, Scene, Wanted, bytes_of, eventually, say};

#[tokio::test]
async fn idle_connections_take_places_until_their_deadline_and_none_of_those_who_are_in() {
    let scene = Scene::new("handshake_seconds = 1\nconnections = 40\nhandshakes_per_second_per_address = 400").await;
    let steady = scene.steady().await;
    let mut idle = Vec::new();
    for _ in 0..300 {
        idle.push(scene.socket().await);
    }
    eventually("most are dropped", || scene.count("stgclient_gateway_dropped_total{why=\"connections\"}") > 200.0)
        .await;
    eventually("the others, too", || scene.count("stgclient_gateway_dropped_total{why=\"handshake_deadline\"}") > 20.0)
        .await;
    drop(scene.tunnel_to(&scene.name_server()).await);
    steady.went_on().await;
}

#[tokio::test]
async fn a_flood_of_connections_is_let_in_at_a_rate() {
    let scene = Scene::new("handshakes_per_second = 20").await;
    let steady = scene.steady().await;
    let mut flood = Vec::new();
    for _ in 0..100 {
        flood.push(scene.socket().await);
    }
    eventually("most are dropped", || scene.count("stgclient_gateway_dropped_total{why=\"rate\"}") > 50.0).await;
    steady.went_on().await;
}

/// A request for a whole lot: the list of topics, so and so often.
fn questions(count: i32) -> Vec<u8> {
    let mut out = BytesMut::new();
    for opaque in 0..count {
        let head = Head::request(Dialect::Apache, RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, opaque);
        command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, b"");
    }
    out.to_vec()
}

#[tokio::test]
async fn who_never_reads_is_not_read_any_more_and_goes_in_the_end() {
    let scene = Scene::new("idle_seconds = 2\nping_seconds = 0.5").await;
    let client = scene.client().await;
    for number in 0..50 {
        client.admin().create_topic(&format!("a-topic-with-a-long-name-{number:0>90}")).await.unwrap();
    }
    let steady = scene.steady().await;
    let mut greedy = scene.tunnel_to(&scene.name_server()).await;
    let asking = async {
        // Until nobody takes any more.
        for _ in 0..10_000 {
            greedy.send(Message::Binary(questions(100).into())).await?;
        }
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    };
    let end = tokio::time::timeout(PATIENCE, asking).await.expect("it is ended");
    assert!(end.is_err(), "a million questions were taken");
    eventually("it is counted", || scene.count("stgclient_gateway_ends_total{why=\"idle\"}") >= 1.0).await;
    steady.went_on().await;
}

#[tokio::test]
async fn who_is_refused_and_never_reads_why_is_not_read_any_more() {
    let scene = Scene::new("idle_seconds = 2\nping_seconds = 0.5").await;
    let steady = scene.steady().await;
    let mut greedy = scene.tunnel_to(&scene.name_server()).await;
    let mut forbidden = BytesMut::new();
    for opaque in 0..100 {
        let head = Head::request(Dialect::Apache, RequestCode::UPDATE_NAMESRV_CONFIG, opaque);
        command::encode(&mut forbidden, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, b"");
    }
    let asking = async {
        for _ in 0..10_000 {
            greedy.send(Message::Binary(forbidden.to_vec().into())).await?;
        }
        Ok::<(), tokio_tungstenite::tungstenite::Error>(())
    };
    assert!(tokio::time::timeout(PATIENCE, asking).await.expect("it is ended").is_err());
    let refused = scene.count("stgclient_gateway_requests_total{outcome=\"refused\"}");
    assert!(refused < 500_000.0, "{refused} answers wait");
    steady.went_on().await;
}

/// Whether a refusal is among these frames, which are whole but for the last.
fn refusal_among(mut bytes: &[u8]) -> bool {
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        assert!(length < 1 << 16, "somebody has come between a frame");
        let Some((frame, after)) = rest.split_at_checked(length) else { return false };
        if String::from_utf8_lossy(frame).contains("UPDATE_NAMESRV_CONFIG") {
            return true;
        }
        bytes = after;
    }
    false
}

#[tokio::test]
async fn a_server_that_floods_is_read_as_fast_as_its_visitor_reads() {
    let flood = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = flood.local_addr().unwrap().to_string();
    let scene = Scene::with(Wanted {
        name_servers: vec![address.clone()],
        bounds: "idle_seconds = 3\nping_seconds = 1",
        ..Wanted::default()
    })
    .await;
    let steady = scene.steady().await;
    let mut visitor = scene.tunnel_to(&address).await;
    let (mut server, _) = loop {
        let (mut server, peer) = flood.accept().await.unwrap();
        // The gateway's own client comes here, too: it asks first.
        let mut first = [0; 4];
        if tokio::time::timeout(Duration::from_millis(200), server.read_exact(&mut first)).await.is_err() {
            break (server, peer);
        }
    };
    let frame = [&1020_u32.to_be_bytes()[..], &[0; 1020]].concat();
    let flooding = async {
        let mut written = 0_u64;
        while tokio::time::timeout(Duration::from_secs(1), server.write_all(&frame))
            .await
            .is_ok_and(|result| result.is_ok())
        {
            written += 1024;
            assert!(written < 200 << 20, "200 MiB are taken, and nobody reads them");
        }
    };
    flooding.await;
    let taken = scene.count("stgclient_gateway_bytes_total{towards=\"visitor\"}");
    // Refusals go between two frames, whatever the server does.
    let head = Head::request(Dialect::Apache, RequestCode::UPDATE_NAMESRV_CONFIG, 3);
    let mut forbidden = BytesMut::new();
    command::encode(&mut forbidden, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, b"");
    say(&mut visitor, &forbidden).await;
    assert!(taken < (64 << 20) as f64, "{taken} bytes");
    let mut come = Vec::new();
    while !refusal_among(&come) {
        come.extend(bytes_of(&mut visitor).await);
    }
    steady.went_on().await;
}

#[tokio::test]
async fn a_tunnel_on_which_nothing_comes_is_kept_by_pings_and_ends_without_them() {
    let scene = Scene::new("idle_seconds = 1\nping_seconds = 0.2").await;
    let mut alive = scene.tunnel_to(&scene.name_server()).await;
    let dead = scene.tunnel_to(&scene.name_server()).await.into_inner();
    // Reading answers pings. It goes on until the other has been gone for as long as it has taken him.
    let reading = async {
        let mut rounds = 0;
        while scene.count("stgclient_gateway_ends_total{why=\"idle\"}") < 1.0 || rounds < 15 {
            let _ = tokio::time::timeout(Duration::from_millis(150), alive.next()).await;
            rounds += 1;
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.unwrap();
    eventually("the other is gone", || scene.count("stgclient_gateway_ends_total{why=\"idle\"}") == 1.0).await;
    say(&mut alive, &questions(1)).await;
    assert!(!bytes_of(&mut alive).await.is_empty());
    drop(dead);
}

#[tokio::test]
async fn a_long_message_goes_through_in_pieces_both_ways() {
    let scene = Scene::new("message_bytes = 70000").await;
    let client = scene.client().await;
    client.admin().create_topic("long").queues(1).await.unwrap();
    let producer = client.producer("long").start().await.unwrap();
    let body: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let receipt = producer.send(Sent::new("long", body.clone())).await.unwrap();
    let pulls = client.pull_consumer("long").start().await.unwrap();
    let batch = pulls.pull(&receipt.queue, "*", receipt.queue_offset, 1).await.unwrap();
    assert_eq!(batch.messages[0].body().as_ref(), body);
}
