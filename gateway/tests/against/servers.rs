//! Servers that answer as a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use bytes::BytesMut;
use stgclient::Dialect;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::frame::FrameReader;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A server that is name server and broker in one, and answers by this, or not at all.
pub(crate) async fn server(
    answers: impl Fn(&str, &Command) -> Option<(i32, Vec<u8>)> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (answers, own) = (Arc::new(answers), address.clone());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (answers, own) = (Arc::clone(&answers), own.clone());
            tokio::spawn(async move {
                let mut reader = FrameReader::new(1 << 24);
                let mut piece = vec![0; 1 << 16];
                while let Ok(count @ 1..) = stream.read(&mut piece).await {
                    reader.extend(&piece[..count]);
                    while let Ok(Some(command)) = reader.next_command() {
                        if let Some((code, body)) = answers(&own, &command) {
                            let mut out = BytesMut::new();
                            let head = Head::response(Dialect::Apache, ResponseCode(code), command.opaque, None);
                            command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, &NoFields, &body);
                            let _ = stream.write_all(&out).await;
                        }
                    }
                }
            });
        }
    });
    address
}

/// What a name server says of one broker.
pub(crate) fn clusters(broker: &str) -> Vec<u8> {
    format!(
        r#"{{"brokerAddrTable":{{"b":{{"brokerAddrs":{{0:"{broker}"}},"brokerName":"b","cluster":"c"}}}},"clusterAddrTable":{{"c":["b"]}}}}"#
    )
    .into_bytes()
}

/// A name server that never says which brokers there are.
pub(crate) async fn silent() -> String {
    let is_asked = |asked: &Command| RequestCode(asked.code) == RequestCode::GET_BROKER_CLUSTER_INFO;
    server(move |_, asked| (!is_asked(asked)).then_some((17, Vec::new()))).await
}

/// A name server that announces one broker, and counts how often it is asked.
pub(crate) async fn announcing(broker: &'static str) -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&asked);
    let address = server(move |_, command| {
        if RequestCode(command.code) != RequestCode::GET_BROKER_CLUSTER_INFO {
            return Some((17, Vec::new()));
        }
        counting.fetch_add(1, SeqCst);
        Some((0, clusters(broker)))
    });
    (address.await, asked)
}
