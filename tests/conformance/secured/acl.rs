//! The older access control, ACL 1.0, on a real 4.9.7 broker, whose refusals are SYSTEM_ERROR.

use std::time::Duration;

use stgclient::{Client, Credentials, Error, ErrorKind, HeaderCodec, ResponseCode};
use stgclient_tests::unique;

use crate::access::Work;
use crate::{administrator, variable};

async fn work_of(credentials: Option<Credentials>, codec: HeaderCodec) -> Work {
    let builder = Client::builder(variable("ACL_NAME_SERVER")).header_codec(codec);
    let client = builder.request_timeout(Duration::from_secs(10)).connect().await.expect("it has no access control");
    client.set_credentials(credentials);
    Work::begin(client).await
}

/// Java sends such an exception as an error of the system, which it would be no use to try again.
fn check(error: &Error, words: &str) {
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::AccessDenied, false), "{error}");
    assert_eq!(error.code(), Some(ResponseCode::SYSTEM_ERROR), "{error}");
    assert!(error.remark().is_some_and(|remark| remark.contains(words)), "{words:?}: {error}");
    assert!(error.attempts().is_empty() && !error.to_string().contains("secret-of"), "{error}");
}

#[tokio::test]
async fn the_right_key_may_do_everything() {
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        let work = work_of(Some(administrator().security_token("a token is signed, too")), codec).await;
        let queue = work.create(&unique("open")).await;
        let offset = work.send(&queue.topic, "body").await.expect("the message is sent");
        assert_eq!(work.pull(&queue, offset).await, "body");
        work.administer(&queue).await;
        work.client.admin().delete_topic(&queue.topic).await.unwrap();
        work.client.close().await;
    }
}

#[tokio::test]
async fn a_wrong_key_an_unknown_one_and_none_are_refused() {
    let administration = work_of(Some(administrator()), HeaderCodec::Json).await;
    let queue = administration.create(&unique("closed")).await;
    let wrong = Credentials::new(administrator().access_key(), "secret-of-nobody");
    for (credentials, words) in [
        (Some(wrong), "Check signature failed"),
        (Some(Credentials::new("somebody", "secret-of-nobody")), "No acl config for somebody"),
        (None, "No accessKey is configured"),
    ] {
        let work = work_of(credentials, HeaderCodec::Json).await;
        check(&work.send(&queue.topic, "body").await.unwrap_err(), words);
        check(&work.consumer.pull(&queue, "*", 0, 1).await.unwrap_err(), words);
        check(&work.client.admin().create_topic(&unique("new")).await.unwrap_err(), words);
        work.client.close().await;
    }
    administration.client.close().await;
}

#[tokio::test]
async fn a_user_may_do_what_is_granted_and_no_more() {
    let administration = work_of(Some(administrator()), HeaderCodec::Json).await;
    let granted = administration.create("granted").await;
    let other = administration.create(&unique("withheld")).await;
    let work = work_of(Some(Credentials::new("limited", "secret-of-limited")), HeaderCodec::Json).await;
    let offset = work.send(&granted.topic, "body").await.expect("may send there");
    assert_eq!(work.pull(&granted, offset).await, "body");
    check(&work.send(&other.topic, "body").await.unwrap_err(), &other.topic);
    check(&work.client.admin().create_topic(&unique("new")).await.unwrap_err(), "AclException");
    work.client.close().await;
    administration.client.close().await;
}
