//! Where a client connects to.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use stgclient::embedded::EmbeddedCluster;
use stgclient::{Client, Dialect, Error, ErrorKind, FileOffsets, OffsetStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::{Mistakes, soon};

#[tokio::test]
async fn what_is_no_name_servers_address_is_refused_with_what_to_write_instead() {
    let mut mistakes = Mistakes::default();
    for (address, words) in [
        ("", "expected host:port"),
        (" ; ", "expected host:port"),
        ("127.0.0.1", "expected host:port"),
        (":9876", "the host is missing"),
        ("127.0.0.1:", "the port is no number from 1 to 65535"),
        ("127.0.0.1:0", "the port is no number from 1 to 65535"),
        ("127.0.0.1:65536", "the port is no number from 1 to 65535"),
        ("127.0.0.1:http", "the port is no number from 1 to 65535"),
        ("http://127.0.0.1:9876", "without http://"),
        ("rocketmq://127.0.0.1:9876/", "without rocketmq://"),
        ("127.0.0.1:9876 127.0.0.2:9876", "separated by ;"),
    ] {
        mistakes.refuses(address, words, Client::connect(address)).await;
    }
    mistakes.assert();
}

#[tokio::test]
async fn who_is_no_name_server_is_told_from_one() {
    let cluster = EmbeddedCluster::builder().start().await.unwrap();
    let broker = cluster.broker_addresses()[0].clone();
    // Nobody listens there once it is dropped.
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let http = says(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    // The alert `protocol_version`, as a server of TLS answers what is no TLS.
    let tls = says(&[21, 3, 3, 0, 2, 2, 70]).await;
    let mut mistakes = Mistakes::default();
    for (who, address, kind, words) in [
        ("a broker", &broker, ErrorKind::NotANameServer, "give a name server's address"),
        ("nobody", &nobody, ErrorKind::NameServersUnavailable, "connection refused"),
        ("HTTP", &http, ErrorKind::NameServersUnavailable, "the server speaks HTTP"),
        ("TLS", &tls, ErrorKind::NameServersUnavailable, "the server speaks TLS"),
        ("no such host", &"no-such-host.invalid:9876".to_owned(), ErrorKind::NameServersUnavailable, "no-such-host"),
    ] {
        mistakes.fails(who, kind, words, Client::connect(address)).await;
    }
    // Also when the list changes later.
    let client = Client::connect(cluster.name_server_address()).await.unwrap();
    client.set_name_servers(&broker).unwrap();
    let late = client.admin();
    mistakes.fails("a broker later", ErrorKind::NotANameServer, "give a name server's", late.topic_route("T")).await;
    // Together with a real one it does no harm.
    let both = [broker.as_str(), cluster.name_server_address()];
    for _ in 0..8 {
        soon("a connect", Client::connect(both)).await.unwrap();
    }
    mistakes.assert();
}

#[tokio::test]
async fn a_broker_of_smartgos_says_nothing_which_the_error_explains() {
    let cluster = EmbeddedCluster::builder().dialect(Dialect::Smartgo).start().await.unwrap();
    let mut mistakes = Mistakes::default();
    for (dialect, kind, words) in [
        (Dialect::Smartgo, ErrorKind::NameServersUnavailable, "is this a name server's address"),
        (Dialect::Apache, ErrorKind::WrongDialect, "set the client's dialect to Dialect::Smartgo"),
    ] {
        let client = Client::builder(&cluster.broker_addresses()[0]).dialect(dialect);
        let client = client.request_timeout(Duration::from_millis(300)).connect();
        mistakes.fails(&dialect.to_string(), kind, words, client).await;
    }
    mistakes.assert();
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_to_a_plain_port_says_so() {
    let cluster = EmbeddedCluster::builder().start().await.unwrap();
    let tls = stgclient::Tls::builder().build().unwrap();
    let client = Client::builder(cluster.name_server_address()).tls(tls).connect();
    let mut mistakes = Mistakes::default();
    mistakes
        .fails("TLS to a plain port", ErrorKind::NameServersUnavailable, "perhaps it does not speak TLS", client)
        .await;
    mistakes.assert();
}

/// A server that says this to whatever it is told, and closes.
async fn says(words: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(words).await;
        }
    });
    address
}

#[tokio::test]
async fn an_error_leads_to_what_it_comes_from() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let error = Client::connect(&nobody).await.unwrap_err();
    let last: &Error = error.source().unwrap().downcast_ref().unwrap();
    assert_eq!(last.kind(), ErrorKind::ConnectFailed);
    let cause: &io::Error = last.source().unwrap().downcast_ref().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::ConnectionRefused);

    let error = FileOffsets::new("/dev/null", "instance", "group").load().await.unwrap_err();
    assert!(error.source().unwrap().is::<io::Error>(), "{error}");
    // What comes from nothing else has no source.
    assert!(Client::embedded().await.unwrap().producer("").start().await.unwrap_err().source().is_none());
}
