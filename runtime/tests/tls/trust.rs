//! Whom the client does not trust, and what it says of that.

use stgclient::{Client, ErrorKind, Message, Tls};

use crate::authority::{Authority, VALID};
use crate::front::{Manner, Secured};
use crate::{connect, eventually, secured, trusting};

/// Fails to connect to a cluster with such a certificate, at once, and with these words.
async fn refuses(names: &[&str], validity: (i32, i32), words: &[&str]) {
    let authority = Authority::new();
    let secured = Secured::start(&authority.certify(names, validity), &Manner::default()).await;
    let error = connect(&secured.name_server, trusting(&authority)).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TlsFailed, false), "{error}");
    assert_eq!(error.address().map(ToString::to_string).as_ref(), Some(&secured.name_server));
    for words in words {
        assert!(error.to_string().contains(words), "{words:?}: {error}");
    }
    assert_eq!(secured.connections(), 1, "it is not tried again");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_and_both_names_are_said() {
    refuses(&["other.example"], VALID, &["other.example", "127.0.0.2", "TlsBuilder::server_name"]).await;
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    refuses(&["127.0.0.2"], (2000, 2001), &["has expired"]).await;
}

#[tokio::test]
async fn a_certificate_of_the_future_is_refused() {
    refuses(&["127.0.0.2"], (3000, 3001), &["not valid yet"]).await;
}

#[tokio::test]
async fn a_certificate_of_an_unknown_ca_is_refused() {
    let (secured, _) = secured(Manner::default()).await;
    // The CAs of the platform, if it has any; one of the same name with another key; and one of another name.
    let platform = Tls::builder().build().ok().map(|_| Tls::builder());
    for tls in platform.into_iter().chain([trusting(&Authority::new()), Tls::builder().ca_pem(other_ca())]) {
        let error = connect(&secured.name_server, tls).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TlsFailed, "{error}");
        for words in [secured.name_server.as_str(), "a CA that is not trusted", "TlsBuilder::ca_file"] {
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}

/// A CA whose name differs from that of all others.
fn other_ca() -> String {
    let params = rcgen::CertificateParams::new(["another CA".to_owned()]).expect("a name");
    let key = rcgen::KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").pem()
}

#[tokio::test]
async fn a_name_may_be_given_that_all_certificates_are_for() {
    let authority = Authority::new();
    let secured = Secured::start(&authority.certify(&["mq.example"], VALID), &Manner::default()).await;
    let client = connect(&secured.name_server, trusting(&authority).server_name("mq.example")).await.unwrap();
    client.admin().create_topic("T").queues(1).await.unwrap();
    client.close().await;
    let error = connect(&secured.name_server, trusting(&authority).server_name("wrong.example")).await.unwrap_err();
    assert!(error.to_string().contains("mq.example") && error.to_string().contains("wrong.example"), "{error}");
}

#[tokio::test]
async fn a_send_to_a_broker_that_is_not_trusted_says_so_at_once() {
    let authority = Authority::new();
    // The name server is trusted; the broker has the certificate of another cluster.
    let good = authority.certify_loopback();
    let bad = authority.certify(&["elsewhere.example"], VALID);
    let secured = Secured::start_with(&good, &bad, &Manner::default()).await;
    let client = connect(&secured.name_server, trusting(&authority)).await.unwrap();
    let producer = client.producer("P").start().await.unwrap();
    let error = producer.send(Message::new("T", "body")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TlsFailed, "{error}");
    for words in ["send to topic T", &secured.broker, "elsewhere.example"] {
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = client.admin().create_topic("T").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TlsFailed, "{error}");
    client.close().await;
}

#[tokio::test]
async fn a_client_without_tls_hears_that_the_server_may_demand_it() {
    let (secured, _) = secured(Manner::default()).await;
    let error = Client::connect(&secured.name_server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameServersUnavailable);
    assert!(error.to_string().contains("perhaps it demands TLS"), "{error}");
}

#[tokio::test]
async fn a_client_with_tls_hears_that_the_server_may_not_speak_it() {
    let (secured, authority) = secured(Manner::default()).await;
    let error = eventually("an answer that is no TLS", async || {
        connect(&secured.plain_name_server, trusting(&authority)).await.err()
    })
    .await;
    assert!(error.to_string().contains("not speak TLS"), "{error}");
    assert_eq!(error.address().map(ToString::to_string).as_ref(), Some(&secured.plain_name_server));
}
