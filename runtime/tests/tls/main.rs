//! The client over TLS: against fronts of the embedded cluster, and against servers whom it must not trust.
// A test waits for what other threads do, by a real clock.
#![allow(clippy::disallowed_types)]

mod authority;
mod files;
mod front;
mod trust;
#[path = "../waiting/mod.rs"]
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use authority::{Authority, Certified, VALID};
use front::{Manner, Secured, silent};
use stgclient::{Client, Error, ErrorKind, Message, Tls, TlsBuilder};
use tokio_rustls::rustls::version;
use waiting::eventually;

/// Trusts a CA and nobody else.
fn trusting(authority: &Authority) -> TlsBuilder {
    Tls::builder().ca_pem(authority.pem.as_str())
}

async fn connect(name_server: &str, tls: TlsBuilder) -> Result<Client, Error> {
    Client::builder(name_server).tls(tls.build().expect("whom to trust")).connect().await
}

/// A cluster with a good certificate, and the CA.
async fn secured(manner: Manner) -> (Secured, Authority) {
    let authority = Authority::new();
    let secured = Secured::start(&authority.certify_loopback(), &manner).await;
    (secured, authority)
}

#[tokio::test]
async fn everything_goes_over_tls_whatever_its_size_and_version() {
    for version in [&version::TLS13, &version::TLS12] {
        let (secured, authority) = secured(Manner { version, ..Manner::default() }).await;
        let client = connect(&secured.name_server, trusting(&authority)).await.unwrap();
        client.admin().create_topic("T").queues(1).await.unwrap();
        let producer = client.producer("P").start().await.unwrap();
        let consumer = client.pull_consumer("C").start().await.unwrap();
        let queue = eventually("a route", async || consumer.queues("T").await.ok()?.pop()).await;
        // Beyond all buffers on the way, in both directions.
        for length in [0, 1, 4095, 4096, 16_384, 100_000, 3_000_000] {
            let body: Vec<u8> = (0..=length).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let receipt = producer.send(Message::new("T", body.clone()).tag("t")).await.unwrap();
            let batch = consumer.pull(&queue, "*", receipt.queue_offset, 1).await.unwrap();
            assert_eq!(batch.messages[0].body(), &*body);
        }
        client.close().await;
    }
}

#[tokio::test]
async fn many_messages_at_once_arrive_each_once() {
    let (secured, authority) = secured(Manner::default()).await;
    let client = connect(&secured.name_server, trusting(&authority)).await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    let producer = client.producer("P").start().await.unwrap();
    let sends = (0..2000).map(|number| producer.send(Message::new("T", format!("{number:01000}"))));
    let receipts = futures::future::join_all(sends).await;
    let mut offsets: Vec<u64> = receipts.into_iter().map(|receipt| receipt.unwrap().queue_offset).collect();
    offsets.sort_unstable();
    assert_eq!(offsets, (0..2000).collect::<Vec<u64>>());
    client.close().await;
}

#[tokio::test]
async fn a_connection_that_is_cut_is_made_again() {
    let (secured, authority) = secured(Manner::default()).await;
    let client = connect(&secured.name_server, trusting(&authority)).await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    let producer = client.producer("P").start().await.unwrap();
    producer.send(Message::new("T", "before")).await.unwrap();
    let before = secured.connections();
    secured.cut();
    eventually("sends go on", async || producer.send(Message::new("T", "after")).await.ok()).await;
    assert!(secured.connections() > before);
    client.close().await;
}

#[tokio::test]
async fn a_client_that_closes_says_so_to_every_server() {
    let (secured, authority) = secured(Manner::default()).await;
    let client = connect(&secured.name_server, trusting(&authority)).await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    let connections = secured.connections();
    assert_eq!(connections, 2);
    client.close().await;
    eventually("the servers see both ends", async || (secured.farewells() == connections).then_some(())).await;
}

#[tokio::test]
async fn a_server_that_never_answers_the_handshake_costs_the_connect_timeout_and_no_more() {
    let authority = Authority::new();
    let tls = trusting(&authority).build().unwrap();
    let builder = Client::builder(&silent().await).tls(tls).connect_timeout(Duration::from_millis(200));
    let error = builder.connect().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameServersUnavailable);
    assert!(error.to_string().contains("not connected within 200 ms"), "{error}");
}

#[tokio::test]
async fn a_server_may_demand_a_certificate_of_ours() {
    for version in [&version::TLS13, &version::TLS12] {
        let clients = Arc::new(Authority::new());
        let (secured, authority) = secured(Manner { version, clients: Some(Arc::clone(&clients)) }).await;
        let Certified { certificate, key } = clients.certify(&["client"], VALID);
        let client = connect(&secured.name_server, trusting(&authority).client_certificate_pem(certificate, key)).await;
        let client = client.unwrap();
        client.admin().create_topic("T").queues(1).await.unwrap();
        client.close().await;
        // Without one.
        let error = connect(&secured.name_server, trusting(&authority)).await.unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TlsFailed, false), "{error}");
        for words in [secured.name_server.as_str(), "client_certificate_files"] {
            assert!(error.to_string().contains(words), "{error}");
        }
        // With one of another CA.
        let Certified { certificate, key } = authority.certify(&["client"], VALID);
        let tls = trusting(&authority).client_certificate_pem(certificate, key);
        let error = connect(&secured.name_server, tls).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TlsFailed, "{error}");
    }
}
