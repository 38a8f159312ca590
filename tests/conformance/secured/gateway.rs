//! A gateway before a cluster that lets in whom it knows only: who comes through needs no key and no CA of the cluster's.

use std::path::PathBuf;

use stgclient::{Client, ConsumeFrom, Credentials, Dialect, HeaderCodec, Message};
use stgclient_tests::{OpenGateway, PATIENCE, eventually, noise, unique};
use tokio::sync::mpsc;

use crate::access::{Work, check};
use crate::{administrator, builder, file, trusting, variable};

/// A gateway that may be told who it is.
struct Before {
    gateway: OpenGateway,
    name_server: String,
    secret: PathBuf,
}

impl Before {
    /// One that speaks TLS to this name server and its brokers, and signs with these credentials, if there are any.
    async fn new(name_server: String, tls: &str, credentials: Option<&Credentials>, secret: &str) -> Self {
        let secret_file = std::env::temp_dir().join(unique("gateway-secret"));
        std::fs::write(&secret_file, secret).expect("the temporary folder can be written to");
        let signing = credentials.map_or_else(String::new, |credentials| {
            let key = credentials.access_key();
            format!("[cluster.credentials]\naccess_key = {key:?}\nsecret_key_file = {secret_file:?}\n")
        });
        let gateway = OpenGateway::told(&[&name_server], Dialect::Apache, &format!("{tls}\n{signing}")).await;
        Self { gateway, name_server, secret: secret_file }
    }

    /// In front of the secured cluster.
    async fn secured(credentials: Option<&Credentials>) -> Self {
        let administrator = variable("ADMIN");
        let secret = administrator.split_once(' ').expect("a user and a password").1;
        Self::new(variable("NAME_SERVER"), &tls(), credentials, secret).await
    }

    fn client(&self, codec: HeaderCodec) -> stgclient::ClientBuilder {
        Client::builder(&*self.name_server).tunnel(self.gateway.tunnel()).header_codec(codec)
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.secret);
    }
}

fn tls() -> String {
    format!("[cluster.tls]\nca_file = {:?}", file("ca.pem"))
}

/// A visitor's work: a topic, messages of all sizes, administration, a push consumer.
async fn works(client: Client) {
    let work = Work::begin(client).await;
    let queue = work.create(&unique("through")).await;
    let mut bodies = Vec::new();
    for length in [1, 5000, 1_000_000] {
        let body = noise(length);
        let offset = work.send(&queue.topic, body.clone()).await.expect("the gateway signs it");
        assert_eq!(work.pull(&queue, offset).await, body);
        bodies.push(body);
    }
    work.administer(&queue).await;
    let (took, mut taken) = mpsc::unbounded_channel();
    let group = work.client.push_consumer(&unique("pushed")).subscribe(&queue.topic, "*");
    let consumer = group
        .consume_from(ConsumeFrom::FirstOffset)
        .concurrently(move |message| {
            let _ = took.send(message.body().clone());
            async { Ok(()) }
        })
        .start()
        .await
        .expect("the gateway signs heartbeats, too");
    let mut consumed = Vec::new();
    while consumed.len() < bodies.len() {
        consumed.push(tokio::time::timeout(PATIENCE, taken.recv()).await.expect("all come").expect("it runs"));
    }
    consumed.sort_by_key(bytes::Bytes::len);
    assert!(consumed == bodies, "the bodies are others");
    consumer.close().await;
    work.client.close().await;
}

#[tokio::test]
async fn who_has_no_key_works_through_a_gateway_that_signs_and_is_refused_without_it() {
    let before = Before::secured(Some(&administrator())).await;
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        works(before.client(codec).connect().await.expect("the gateway has the token")).await;
    }
    let topic = unique("directly");
    let visitor = before.client(HeaderCodec::Json).connect().await.unwrap();
    visitor.admin().create_topic(&topic).queues(1).await.unwrap();
    // Directly the cluster knows neither the visitor nor who signs for him.
    let direct = builder(&variable("NAME_SERVER"), trusting()).connect().await.unwrap();
    let producer = direct.producer(&unique("producers")).send_timeout(PATIENCE).start().await.unwrap();
    check(&producer.send(Message::new(&*topic, "body")).await.unwrap_err(), "username cannot be null.");
    check(&direct.admin().create_topic(&unique("new")).await.unwrap_err(), "username cannot be null.");
    direct.close().await;
    visitor.close().await;
}

#[tokio::test]
async fn a_visitors_own_signature_gives_way_to_that_of_the_gateway() {
    let before = Before::secured(Some(&administrator())).await;
    let own = Credentials::new("nobody", "secret-of-nobody").security_token("his own");
    works(before.client(HeaderCodec::Json).credentials(own).connect().await.unwrap()).await;
}

#[tokio::test]
async fn a_gateway_that_signs_nothing_leaves_a_visitors_signature_right_and_a_wrong_one_wrong() {
    let before = Before::secured(None).await;
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        works(before.client(codec).credentials(administrator()).connect().await.unwrap()).await;
    }
    let wrong = Credentials::new(administrator().access_key(), "secret-of-nobody");
    let client = before.client(HeaderCodec::Json).credentials(wrong).connect().await.unwrap();
    check(&client.admin().create_topic(&unique("new")).await.unwrap_err(), "check signature failed.");
    client.close().await;
}

#[tokio::test]
async fn a_gateway_signs_for_the_older_access_control_too() {
    let name_server = variable("ACL_NAME_SERVER");
    let administrator = variable("ADMIN");
    let (user, secret) = administrator.split_once(' ').expect("a user and a password");
    let before = Before::new(name_server, "", Some(&Credentials::new(user, secret)), secret).await;
    works(before.client(HeaderCodec::Json).connect().await.unwrap()).await;
}

#[tokio::test]
async fn a_gateway_shows_its_certificate_where_one_is_demanded_and_believes_none_that_is_wrong() {
    let (certificate, key) = (file("client.pem"), file("client.key"));
    let ours = format!("{}\ncertificate_file = {certificate:?}\nkey_file = {key:?}", tls());
    let strict = Before::new(variable("STRICT_NAME_SERVER"), &ours, None, "").await;
    let client = strict.client(HeaderCodec::Json).connect().await.expect("the certificate is of its CA");
    client.admin().topic_list().await.expect("it answers");
    client.close().await;
    let other = format!("[cluster.tls]\nca_file = {:?}", file("other-ca.pem"));
    for (what, name_server, tls) in [
        ("no certificate of ours", "STRICT_NAME_SERVER", tls()),
        ("an expired one", "EXPIRED_NAME_SERVER", tls()),
        ("one of another CA", "NAME_SERVER", other),
        ("no TLS", "NAME_SERVER", String::new()),
    ] {
        let before = Before::new(variable(name_server), &tls, None, "").await;
        assert!(before.client(HeaderCodec::Json).connect().await.is_err(), "{what}");
        let ends = ["unreachable", "broken", "server"];
        eventually("it is counted", async || {
            let metrics = before.gateway.metrics();
            ends.iter().any(|end| metrics.contains(&format!("ends_total{{why=\"{end}\"}}"))).then_some(())
        })
        .await;
    }
}
