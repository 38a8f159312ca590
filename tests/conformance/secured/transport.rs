//! TLS on real servers that demand it.

use stgclient::{Client, ErrorKind, TlsBuilder};

use crate::{builder, file, trusting, variable};

/// Fails to connect, and says so with these words and the address.
async fn refuses(name_server: &str, tls: TlsBuilder, words: &[&str]) {
    let error = builder(name_server, tls).connect().await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::TlsFailed, false), "{error}");
    for words in [&[name_server], words].concat() {
        assert!(error.to_string().contains(words), "{words:?}: {error}");
    }
}

#[tokio::test]
async fn a_server_of_another_ca_is_refused() {
    let tls = stgclient::Tls::builder().ca_file(file("other-ca.pem"));
    refuses(&variable("NAME_SERVER"), tls, &["a CA that is not trusted", "ca_file"]).await;
}

#[tokio::test]
async fn a_server_with_a_certificate_for_another_name_is_refused() {
    let tls = trusting().server_name("mq.example");
    refuses(&variable("NAME_SERVER"), tls, &["mq.example", "127.0.0.1"]).await;
}

#[tokio::test]
async fn a_server_whose_certificate_has_expired_is_refused() {
    refuses(&variable("EXPIRED_NAME_SERVER"), trusting(), &["has expired"]).await;
}

#[tokio::test]
async fn a_server_may_demand_a_certificate_of_ours() {
    let strict = variable("STRICT_NAME_SERVER");
    let tls = trusting().client_certificate_files(file("client.pem"), file("client.key"));
    let client = builder(&strict, tls).connect().await.expect("our certificate is of its CA");
    client.admin().topic_list().await.expect("it answers");
    client.close().await;
    refuses(&strict, trusting(), &["client_certificate_files"]).await;
}

#[tokio::test]
async fn a_client_without_tls_is_cut_off_and_hears_why_that_may_be() {
    let name_server = variable("NAME_SERVER");
    let error = Client::connect(&name_server).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NameServersUnavailable);
    for words in ["perhaps it demands TLS", &name_server] {
        assert!(error.to_string().contains(words), "{error}");
    }
}
