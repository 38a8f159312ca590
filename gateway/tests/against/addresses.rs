//! Where visitors are, and what one address may have.

use std::net::SocketAddr;

use tokio::net::{TcpSocket, TcpStream};

use crate::scene::{PAGE, Scene, close_of, eventually};

/// A connection to the gateway from this address of this machine.
async fn from(scene: &Scene, address: &str) -> TcpStream {
    let gateway: SocketAddr = scene.address.parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(format!("{address}:0").parse().unwrap()).unwrap();
    socket.connect(gateway).await.unwrap()
}

#[tokio::test]
async fn an_address_has_no_more_than_its_connections_also_before_it_has_asked_for_a_websocket() {
    let scene = Scene::new("connections = 40\nconnections_per_address = 5").await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(from(&scene, "127.0.0.2").await);
    }
    let dropped = "stgclient_gateway_dropped_total{why=\"connections_per_address\"}";
    eventually("all but five are dropped", || scene.count(dropped) == 35.0).await;
    assert_eq!(scene.count("stgclient_gateway_connections_total"), 5.0);
    // Somebody else comes from elsewhere.
    scene.websocket(&format!("?target={}", scene.name_server()), &[("Origin", PAGE)]).await.unwrap();
}

#[tokio::test]
async fn an_address_comes_no_faster_than_it_may_and_leaves_the_rest_to_others() {
    let scene = Scene::new("handshakes_per_second = 60\nhandshakes_per_second_per_address = 10").await;
    let mut flood = Vec::new();
    for _ in 0..200 {
        flood.push(from(&scene, "127.0.0.2").await);
    }
    let dropped = "stgclient_gateway_dropped_total{why=\"rate\"}";
    eventually("all have come", || scene.count(dropped) + scene.count("stgclient_gateway_connections_total") == 200.0)
        .await;
    assert!(scene.count(dropped) > 100.0);
    scene.websocket(&format!("?target={}", scene.name_server()), &[("Origin", PAGE)]).await.unwrap();
}

#[tokio::test]
async fn whom_a_proxy_brings_is_known_by_his_own_address_before_and_after_he_has_asked() {
    let scene = Scene::new(
        "connections_per_address = 2\nhandshakes_per_second_per_address = 2\ntrusted_proxies = [\"127.0.0.0/8\"]",
    )
    .await;
    let mut open = Vec::new();
    for number in 1..=10 {
        open.push(scene.raw(format!("X-Forwarded-For: 6.6.6.{number}\r\n").as_bytes()).await.unwrap());
    }
    eventually("all stand", || scene.count("stgclient_gateway_tunnels") == 10.0).await;
}

#[tokio::test]
async fn a_line_that_cannot_be_read_gives_a_visitor_no_other_address() {
    let scene = Scene::new("connections_per_address = 1\ntrusted_proxies = [\"127.0.0.1/32\"]").await;
    // The visitor has sent two lines; his proxy has written behind the last one where he is from.
    let lines =
        |said: &str| [b"X-Forwarded-For: ", said.as_bytes(), b"\r\nX-Forwarded-For: \xff, 6.6.6.6\r\n"].concat();
    let _first = scene.raw(&lines("9.9.9.9")).await.unwrap();
    eventually("it stands", || scene.count("stgclient_gateway_tunnels") == 1.0).await;
    for said in ["8.8.8.8", "7.7.7.7"] {
        assert_eq!(close_of(scene.raw(&lines(said)).await.unwrap()).await.0, 4429, "6.6.6.6 may have one tunnel");
    }
}

#[tokio::test]
async fn visitors_of_a_proxy_that_says_their_ports_are_several() {
    let scene = Scene::new("connections_per_address = 1\ntrusted_proxies = [\"127.0.0.1/32\"]").await;
    let mut open = Vec::new();
    // As Azure's and Amazon's proxies write it, some of them by an option.
    for said in ["6.6.6.6:50001", "7.7.7.7:50002", "[2001:db8::1]:50003"] {
        open.push(scene.raw(format!("X-Forwarded-For: {said}\r\n").as_bytes()).await.unwrap());
    }
    eventually("all stand", || scene.count("stgclient_gateway_tunnels") == 3.0).await;
    let again = scene.raw(b"X-Forwarded-For: 6.6.6.6:50009\r\n").await.unwrap();
    assert_eq!(close_of(again).await.0, 4429, "another port is no other visitor");
}

#[tokio::test]
async fn an_address_has_so_many_tunnels_also_behind_a_proxy_whose_word_counts() {
    let scene = Scene::new("connections_per_address = 5\ntrusted_proxies = [\"127.0.0.1/32\", \"10.9.0.0/16\"]").await;
    let query = format!("?target={}", scene.name_server());
    let from = |forwarded: &'static str| [("Origin", PAGE), ("X-Forwarded-For", forwarded)];
    let mut open = Vec::new();
    for _ in 0..5 {
        open.push(scene.websocket(&query, &from("6.6.6.6, 10.9.0.1")).await.unwrap());
    }
    eventually("all stand", || scene.count("stgclient_gateway_tunnels") == 5.0).await;
    // What the visitor himself says of who was before him counts for nothing.
    for forwarded in ["6.6.6.6", "1.2.3.4, 6.6.6.6", "7.7.7.7, 6.6.6.6, 10.9.3.4"] {
        let (code, words) = scene.closed(&query, &from(forwarded)).await;
        assert_eq!((code, words.as_str()), (4429, "too many connections of yours"), "{forwarded}");
    }
    let other = scene.websocket(&query, &from("7.7.7.7")).await.unwrap();
    eventually("another stands", || scene.count("stgclient_gateway_tunnels") == 6.0).await;
    drop((open.pop(), other));
    eventually("its place is free", || scene.count("stgclient_gateway_tunnels") == 4.0).await;
    drop(scene.websocket(&query, &from("6.6.6.6")).await.unwrap());
}

#[tokio::test]
async fn a_word_on_where_somebody_is_from_counts_of_trusted_proxies_alone() {
    let scene = Scene::new("connections_per_address = 2\ntrusted_proxies = [\"10.9.0.0/16\"]").await;
    let query = format!("?target={}", scene.name_server());
    let mut open = Vec::new();
    for forwarded in ["1.1.1.1", "2.2.2.2"] {
        open.push(scene.websocket(&query, &[("Origin", PAGE), ("X-Forwarded-For", forwarded)]).await.unwrap());
    }
    eventually("both stand", || scene.count("stgclient_gateway_tunnels") == 2.0).await;
    assert!(scene.websocket(&query, &[("Origin", PAGE), ("X-Forwarded-For", "3.3.3.3")]).await.is_err());
    assert_eq!(scene.count("stgclient_gateway_dropped_total{why=\"connections_per_address\"}"), 1.0);
}
