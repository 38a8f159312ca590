//! Where tunnels lead.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use stgclient::Dialect;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Head, HeaderCodec};
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::frame::FrameReader;
use tokio::net::TcpListener;

use crate::answers::Answers;
use crate::outside;
use crate::scene::{Scene, TOKEN, Wanted, bearer, bytes_of, say};
use crate::servers::announcing;

fn protocols() -> String {
    bearer(TOKEN)
}

#[tokio::test]
async fn only_what_the_cluster_announces_is_connected_to_whichever_way_it_is_written() {
    let scene = Scene::new("").await;
    let steady = scene.steady().await;
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = inside.local_addr().unwrap().port();
    let name_server: SocketAddr = scene.name_server().parse().unwrap();
    let known = name_server.port();
    for target in outside::targets(&scene.name_server(), port) {
        let (code, words) =
            scene.closed(&format!("?target={target}"), &[("Sec-WebSocket-Protocol", &protocols())]).await;
        assert_eq!((code, words.contains("neither a name server")), (4404, true), "{target}: {words}");
    }
    for query in ["", "?", "?target", "?Target=x"] {
        let (code, words) = scene.closed(query, &[("Sec-WebSocket-Protocol", &protocols())]).await;
        assert!(matches!(code, 4400 | 4404), "{query}: {code} {words}");
    }
    let twice = format!("?target={0}&target=127.0.0.1:{port}", scene.name_server());
    assert_eq!(scene.closed(&twice, &[("Sec-WebSocket-Protocol", &protocols())]).await.0, 4400);
    let nobody = tokio::time::timeout(std::time::Duration::from_millis(50), inside.accept()).await;
    assert!(nobody.is_err(), "somebody has come to {port}");
    // The same server written otherwise is the same server.
    drop(scene.tunnel_to(&format!("[::ffff:127.0.0.1]:{known}")).await);
    steady.went_on().await;
}

#[tokio::test]
async fn what_is_announced_is_connected_to_in_configured_networks_alone() {
    // Also where a table says something of another one, or of this one.
    for reachable in ["", "\"10.9.9.9:1\" = \"127.0.0.1:1\"", "\"192.0.2.7:1\" = \"moved.test:1\""] {
        let (name_server, _) = announcing("192.0.2.7:1").await;
        let answers = Answers::default();
        answers.set("moved.test", &["192.0.2.8"]);
        let scene = Scene::with(Wanted {
            more: &format!("[cluster.reachable]\n{reachable}"),
            instead: Some(name_server),
            resolver: Some(Arc::new(answers)),
            ..Wanted::default()
        })
        .await;
        let (code, words) = scene.closed("?target=192.0.2.7:1", &[("Sec-WebSocket-Protocol", &protocols())]).await;
        assert_eq!((code, words.contains("lies in no network")), (4404, true), "{reachable}: {words}");
    }
}

#[tokio::test]
async fn a_name_is_checked_by_what_it_leads_to_when_it_is_connected_to() {
    // As if the name had led into the cluster until now.
    let scene = Scene::with(Wanted {
        networks: Some(r#""10.0.0.0/8""#),
        instead: Some("localhost:9876".to_owned()),
        ..Wanted::default()
    })
    .await;
    let (code, words) = scene.closed("?target=LOCALHOST:9876", &[("Sec-WebSocket-Protocol", &protocols())]).await;
    assert_eq!((code, words.contains("lies in no network")), (4404, true), "{words}");
}

#[tokio::test]
async fn nobody_announces_a_broker_through_the_gateway() {
    let scene = Scene::new("").await;
    let steady = scene.steady().await;
    let mut socket = scene.tunnel_to(&scene.name_server()).await;
    let mut register = BytesMut::new();
    let head = Head::request(Dialect::Apache, RequestCode::REGISTER_BROKER, 5);
    command::encode(&mut register, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, b"{}");
    // Cut anywhere.
    for piece in register.chunks(7) {
        say(&mut socket, piece).await;
    }
    let mut reader = FrameReader::new(1 << 20);
    reader.extend(&bytes_of(&mut socket).await);
    let answer = reader.next_command().unwrap().unwrap();
    assert_eq!((answer.code, answer.opaque), (16, 5));
    assert!(answer.remark.unwrap().contains("REGISTER_BROKER"));
    // And the tunnel goes on.
    let mut list = BytesMut::new();
    let head = Head::request(Dialect::Apache, RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, 6);
    command::encode(&mut list, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, b"");
    say(&mut socket, &list).await;
    reader.extend(&bytes_of(&mut socket).await);
    assert_eq!(reader.next_command().unwrap().map(|answer| (answer.code, answer.opaque)), Some((0, 6)));
    assert_eq!(scene.count("stgclient_gateway_requests_total{outcome=\"refused\"}"), 1.0);
    steady.went_on().await;
}

#[tokio::test]
async fn a_broker_that_is_announced_under_another_address_is_found_by_the_table() {
    let scene = Scene::new("").await;
    let broker = scene.broker();
    // A second gateway, which believes that the broker is elsewhere than it says, where nobody is.
    let moved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let more = format!("[cluster.reachable]\n\"{broker}\" = \"{}\"", moved.local_addr().unwrap());
    let second = Scene::with(Wanted { more: &more, instead: Some(scene.name_server()), ..Wanted::default() }).await;
    let socket = second.tunnel_to(&broker).await;
    let (_stream, _) = tokio::time::timeout(crate::scene::PATIENCE, moved.accept()).await.unwrap().unwrap();
    drop(socket);
}
