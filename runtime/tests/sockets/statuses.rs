//! What brokers say to a send.

use stgclient::embedded::{Force, Forced};
use stgclient::{Dialect, Error, ErrorKind, Message, Receipt, ResponseCode, SendStatus};

use crate::cluster_in;

/// Sends one message to a broker that treats the next `times` ones as `forced`.
async fn send(forced: Forced, times: u32) -> Result<Receipt, Error> {
    send_in(Dialect::Apache, forced, times).await
}

async fn send_in(dialect: Dialect, forced: Forced, times: u32) -> Result<Receipt, Error> {
    let (cluster, client) = cluster_in(dialect, "T", 4).await;
    let producer = client.producer("producer").start().await.unwrap();
    cluster.with(|cluster| cluster.broker("broker-a").unwrap().force(Force::sends(forced).times(times)));
    let result = producer.send(Message::new("T", "body")).await;
    client.close().await;
    cluster.close().await;
    result
}

#[tokio::test]
async fn a_message_that_is_stored_but_not_safely_has_a_status_not_an_error() {
    for (forced, status) in [
        (Forced::FlushDiskTimeout, SendStatus::FlushDiskTimeout),
        (Forced::FlushSlaveTimeout, SendStatus::FlushSlaveTimeout),
        (Forced::SlaveNotAvailable, SendStatus::SlaveNotAvailable),
    ] {
        for dialect in [Dialect::Apache, Dialect::Smartgo] {
            assert_eq!(send_in(dialect, forced.clone(), 1).await.unwrap().status, status);
        }
    }
}

#[tokio::test]
async fn a_busy_broker_is_asked_three_times_in_all() {
    assert_eq!(send(Forced::busy(), 2).await.unwrap().status, SendStatus::SendOk);
    let error = send(Forced::busy(), 3).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Refused, Some(ResponseCode::SYSTEM_BUSY)));
    assert_eq!(error.attempts().len(), 3);
}

#[tokio::test]
async fn a_refused_permission_is_not_asked_for_again() {
    let error = send(Forced::no_permission(), 1).await.unwrap_err();
    assert_eq!(error.code(), Some(ResponseCode::NO_PERMISSION));
    assert!(!error.is_retryable());
    let words = error.to_string();
    assert!(words.contains("forbidden") && words.contains("broker-a") && words.contains("topic T"), "{words}");
}
