//! Who waits for his target: how long, and what ends it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::json;
use stgclient::BoxFuture;
use stgclient_gateway::Resolver;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::certificates::Authority;
use crate::login::{Login, claims, in_seconds};
use crate::scene::{PAGE, PATIENCE, Scene, Wanted, bearer, close_of, eventually, folder};
use crate::servers::{announcing, silent};

/// Long enough for a loaded machine, and far less than what would be waited for without a bound.
const SOON: Duration = Duration::from_secs(10);

/// What nobody announces.
const UNKNOWN: &str = "?target=127.0.0.1:9";

/// A gateway whose name server does not say which brokers there are.
async fn before_silence(bounds: &str, more: &str) -> Scene {
    Scene::with(Wanted { bounds, more, instead: Some(silent().await), ..Wanted::default() }).await
}

#[tokio::test]
async fn all_who_name_what_is_not_known_are_told_in_time_also_if_name_servers_say_nothing() {
    let scene = before_silence("connect_seconds = 1", "").await;
    let started = Instant::now();
    let mut waiting = JoinSet::new();
    for number in 0..8 {
        let query = format!("?target=127.0.0.1:{}", 1000 + number);
        let socket = scene.websocket(&query, &[("Origin", PAGE)]).await.unwrap();
        waiting.spawn(close_of(socket));
    }
    for (code, words) in waiting.join_all().await {
        assert!(matches!(code, 4404 | 4502), "{code}: {words}");
    }
    assert!(started.elapsed() < SOON, "the last was told after {:?}", started.elapsed());
}

#[tokio::test]
async fn who_waits_for_his_target_is_told_that_the_gateway_stops() {
    let mut scene = before_silence("connect_seconds = 100", "").await;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(scene.websocket(UNKNOWN, &[("Origin", PAGE)]).await.unwrap());
    }
    scene.gateway.stop();
    for socket in sockets {
        assert_eq!(close_of(socket).await, (1001, "the gateway stops".to_owned()));
    }
    tokio::time::timeout(PATIENCE, &mut scene.running).await.unwrap().unwrap();
}

#[tokio::test]
async fn who_waits_for_his_target_longer_than_his_token_is_good_is_told_that_it_has_expired() {
    let (login, folder) = (Login::new(Algorithm::EdDSA), folder());
    let never = Some(Arc::new(Never) as Arc<dyn Resolver>);
    let more = login.section(&folder.join("key"));
    let (bounds, instead) = ("connect_seconds = 100", Some("mq.test:1".to_owned()));
    let scene = Scene::with(Wanted { bounds, more: &more, instead, resolver: never, ..Wanted::default() }).await;
    // Clocks may be off by half a minute.
    let token = bearer(&login.token(&claims(json!({ "exp": in_seconds(2) - 30 }))));
    let said = scene.closed("?target=mq.test:1", &[("Sec-WebSocket-Protocol", &token)]).await;
    assert_eq!(said, (4401, "the token has expired".to_owned()));
}

#[tokio::test]
async fn who_leaves_while_he_waits_for_his_target_has_his_place_no_longer() {
    let never = Some(Arc::new(Never) as Arc<dyn Resolver>);
    let (bounds, instead) = ("connect_seconds = 100\nconnections_per_address = 1", Some("mq.test:1".to_owned()));
    let scene = Scene::with(Wanted { bounds, instead, resolver: never, ..Wanted::default() }).await;
    for gone in 1..=3 {
        let socket = scene.websocket("?target=mq.test:1", &[("Origin", PAGE)]).await.unwrap();
        drop(socket);
        eventually("he is gone", || scene.count("stgclient_gateway_ends_total{why=\"left\"}") == f64::from(gone)).await;
    }
}

#[tokio::test]
async fn what_is_said_while_a_target_is_looked_for_reaches_it() {
    use crate::scene::{answer, request};
    use stgclient_core::wire::code::RequestCode;
    let scene = Scene::new("").await;
    for _ in 0..20 {
        let mut socket = scene.tunnel_to(&scene.broker()).await;
        let asked = request(RequestCode::GET_ROUTEINFO_BY_TOPIC, 7, &[("topic", "unknown")], b"");
        assert_eq!(answer(&mut socket, &asked).await.opaque, 7);
    }
}

/// Knows no name, and does not say so.
#[derive(Debug)]
struct Never;

impl Resolver for Never {
    fn resolve(&self, _: &str, _: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_server_whose_name_is_not_resolved_in_time_cannot_be_reached() {
    let never = Some(Arc::new(Never) as Arc<dyn Resolver>);
    let (bounds, instead) = ("connect_seconds = 0.5", Some("mq.test:1".to_owned()));
    let scene = Scene::with(Wanted { bounds, instead, resolver: never, ..Wanted::default() }).await;
    let (code, words) = scene.closed("?target=mq.test:1", &[("Origin", PAGE)]).await;
    assert_eq!((code, &*words), (4502, "mq.test:1 cannot be reached: it does not answer"));
}

#[tokio::test]
async fn a_server_that_does_not_answer_by_tls_in_time_cannot_be_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = listener.local_addr().unwrap().to_string();
    let folder = folder();
    std::fs::write(folder.join("ca.pem"), Authority::new().pem()).unwrap();
    let more = format!("[cluster.tls]\nca_file = {:?}", folder.join("ca.pem"));
    let (bounds, instead) = ("connect_seconds = 0.5", Some(target.clone()));
    let scene = Scene::with(Wanted { bounds, more: &more, instead, ..Wanted::default() }).await;
    let (code, words) = scene.closed(&format!("?target={target}"), &[("Origin", PAGE)]).await;
    assert_eq!((code, words), (4502, format!("{target} cannot be reached: it does not answer")));
}

#[tokio::test]
async fn name_servers_are_asked_once_a_second_however_many_name_what_is_not_known() {
    let (name_server, asked) = announcing("127.0.0.1:1").await;
    let scene = Scene::with(Wanted {
        bounds: "handshakes_per_second = 100000\nhandshakes_per_second_per_address = 100000",
        instead: Some(name_server),
        ..Wanted::default()
    })
    .await;
    eventually("they are asked at the start", || asked.load(SeqCst) == 1).await;
    let started = Instant::now();
    let (mut refused, mut rounds) = (0, 0);
    while started.elapsed() < Duration::from_secs(3) {
        let asking = (0..5).map(|_| scene.closed(UNKNOWN, &[("Origin", PAGE)]));
        for (code, words) in futures::future::join_all(asking).await {
            assert_eq!(code, 4404, "{words}");
            refused += 1;
        }
        rounds += 1;
    }
    let most = 2 + usize::try_from(started.elapsed().as_secs()).unwrap();
    let asked = asked.load(SeqCst);
    assert!(
        (2..=most).contains(&asked) && rounds > most,
        "{asked} questions for {refused} visitors in {rounds} rounds"
    );
}
