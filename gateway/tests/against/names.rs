//! Names of the cluster that lead elsewhere one day.

use std::sync::Arc;
use std::time::Duration;

use stgclient_core::wire::code::RequestCode;
use stgclient_gateway::Resolver;
use tokio::net::TcpListener;

use crate::answers::Answers;
use crate::outside;
use crate::scene::{Scene, TOKEN, Wanted, answer, bearer, eventually, request};

pub(crate) fn port_of(address: &str) -> u16 {
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// A gateway that knows both servers of another's cluster by names, `mq.test` and `broker.test`.
struct Named {
    behind: Scene,
    scene: Scene,
    answers: Arc<Answers>,
    /// What its visitors call the servers, and the names that these have.
    servers: [(String, &'static str); 2],
}

impl Named {
    async fn new() -> Self {
        let behind = Scene::new("").await;
        let answers = Arc::new(Answers::default());
        for name in ["mq.test", "broker.test"] {
            answers.set(name, &["127.0.0.1"]);
        }
        let name_server = format!("mq.test:{}", port_of(&behind.name_server()));
        let broker = behind.broker();
        let more = format!("[cluster.reachable]\n\"{broker}\" = \"broker.test:{}\"", port_of(&broker));
        let resolver = Some(Arc::clone(&answers) as Arc<dyn Resolver>);
        let instead = Some(name_server.clone());
        let scene = Scene::with(Wanted { more: &more, instead, resolver, ..Wanted::default() }).await;
        Self { behind, scene, answers, servers: [(name_server, "mq.test"), (broker, "broker.test")] }
    }

    /// A tunnel to this server that is answered. Both are asked what they know nothing of, and say so.
    async fn is_led_to(&self, server: &str) {
        let mut socket = self.scene.tunnel_to(server).await;
        let asked = request(RequestCode::GET_ROUTEINFO_BY_TOPIC, 1, &[("topic", "unknown")], b"");
        assert_ne!(answer(&mut socket, &asked).await.code, 16);
    }

    async fn is_led_nowhere(&self, server: &str, why: &str) {
        let protocols = bearer(TOKEN);
        let headers = [("Sec-WebSocket-Protocol", &*protocols)];
        let (code, words) = self.scene.closed(&format!("?target={server}"), &headers).await;
        assert_eq!((code, words.contains("lies in no network")), (4404, true), "{server}, {why}: {words}");
    }
}

#[tokio::test]
async fn a_name_that_leads_out_of_the_networks_one_day_is_followed_no_more_until_it_leads_back() {
    let named = Named::new().await;
    for (server, name) in &named.servers {
        named.is_led_to(server).await;
        for address in outside::ADDRESSES {
            named.answers.set(name, &[address]);
            named.is_led_nowhere(server, address).await;
        }
        named.answers.set(name, &outside::ADDRESSES);
        named.is_led_nowhere(server, "all of them").await;
        named.answers.set(name, &["127.0.0.1"]);
        named.is_led_to(server).await;
    }
    let refused = named.scene.count("stgclient_gateway_ends_total{why=\"target_elsewhere\"}");
    assert_eq!(refused, 2.0 * (outside::ADDRESSES.len() + 1) as f64);
    drop(named.behind);
}

#[tokio::test]
async fn of_the_addresses_of_a_name_those_outside_are_passed_over() {
    let named = Named::new().await;
    for (server, name) in &named.servers {
        named.answers.set(name, &[&outside::ADDRESSES[..], &["::ffff:127.0.0.1"]].concat());
        named.is_led_to(server).await;
    }
}

#[tokio::test]
async fn what_is_connected_to_is_the_address_that_was_checked() {
    let named = Named::new().await;
    let (broker, name) = &named.servers[1];
    for _ in 0..3 {
        let before = named.answers.asked(name);
        named.is_led_to(broker).await;
        // Asked twice, the second answer might be another one.
        assert_eq!(named.answers.asked(name), before + 1);
    }
}

#[tokio::test]
async fn nobody_comes_where_a_name_leads_that_has_left_the_networks_neither_visitors_nor_the_gateway_itself() {
    let inside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("mq.test:{}", inside.local_addr().unwrap().port());
    let answers = Arc::new(Answers::default());
    answers.set("mq.test", &["127.0.0.1", "::ffff:127.0.0.1"]);
    let scene = Scene::with(Wanted {
        networks: Some(r#""10.0.0.0/8", "0.0.0.0/0""#),
        instead: Some(target.clone()),
        resolver: Some(Arc::clone(&answers) as Arc<dyn Resolver>),
        ..Wanted::default()
    })
    .await;
    let protocols = bearer(TOKEN);
    eventually("the gateway's own client asks", || answers.asked("mq.test") >= 1).await;
    // Who names what is not known waits until the gateway has asked the cluster, or has given up.
    for (target, words) in [("10.9.9.9:1", "neither a name server"), (&*target, "lies in no network")] {
        let (code, said) = scene.closed(&format!("?target={target}"), &[("Sec-WebSocket-Protocol", &protocols)]).await;
        assert_eq!((code, said.contains(words)), (4404, true), "{target}: {said}");
    }
    let somebody = tokio::time::timeout(Duration::from_millis(50), inside.accept()).await;
    assert!(somebody.is_err(), "somebody has come");
}
