//! Access control on a real broker: who may do what, and what the others are told.

use bytes::Bytes;
use stgclient::{
    Client, ConsumeFrom, Credentials, Error, ErrorKind, HeaderCodec, Message, MessageQueue, Producer, PullConsumer,
    ResponseCode,
};
use stgclient_tests::{PATIENCE, eventually, noise, unique};

use crate::{administrator, builder, client_of, mqadmin, trusting, variable};

/// What a user does at a broker, most of it with a body or with texts that a signature has to get right.
pub(crate) struct Work {
    pub(crate) client: Client,
    producer: Producer,
    pub(crate) consumer: PullConsumer,
}

impl Work {
    pub(crate) async fn begin(client: Client) -> Self {
        let producer = client.producer(&unique("producers")).send_timeout(PATIENCE).start().await.expect("open");
        let consumer = client.pull_consumer(&unique("group")).start().await.expect("open");
        Self { client, producer, consumer }
    }

    pub(crate) async fn create(&self, topic: &str) -> MessageQueue {
        self.client.admin().create_topic(topic).queues(1).await.expect("the topic is created");
        eventually("the topic has a route", async || self.consumer.queues(topic).await.ok()?.pop()).await
    }

    pub(crate) async fn send(&self, topic: &str, body: impl stgclient::Body) -> Result<u64, Error> {
        let message = Message::new(topic, body).tag("标签").key("clé\"quoted\"").property("name", "wert 😀\\n");
        self.producer.send(message).await.map(|receipt| receipt.queue_offset)
    }

    /// What an administrator asks about a message of this topic and about a group, which is signed as well.
    pub(crate) async fn administer(&self, queue: &MessageQueue) {
        let admin = self.client.admin();
        let found = eventually("it is in the index", async || {
            let found = admin.messages_by_key(&queue.topic, "clé\"quoted\"").await.expect("may be asked");
            found.first().cloned()
        })
        .await;
        let id = found.message_id();
        let by_id = admin.message_by_unique_key(&queue.topic, &id).await.expect("may be asked").expect("it is there");
        assert_eq!(by_id.offset_message_id(), found.offset_message_id());
        let by_place = admin.message_by_id(found.offset_message_id()).await.expect("may be asked");
        assert!(by_place.is_some_and(|message| message.message_id() == id));
        assert!(!admin.groups().await.expect("may be asked").is_empty());
        let unknown = admin.lag(&unique("unknown")).await.unwrap_err();
        assert_eq!(unknown.kind(), ErrorKind::GroupNotFound, "{unknown}");
        let unknown =
            admin.reset_offsets(&unique("unknown"), &queue.topic, ConsumeFrom::FirstOffset).await.unwrap_err();
        assert!(matches!(unknown.kind(), ErrorKind::GroupNotFound | ErrorKind::Refused), "{unknown}");
    }

    /// The body at an offset, once the broker shows it.
    pub(crate) async fn pull(&self, queue: &MessageQueue, offset: u64) -> Bytes {
        eventually("the message can be pulled", async || {
            let batch = self.consumer.pull(queue, "标签 || other", offset, 1).await.expect("the queue may be read");
            batch.messages.first().map(|message| message.body().clone())
        })
        .await
    }
}

/// The broker's access control refused, in these words, and a try was not repeated.
pub(crate) fn check(error: &Error, remark: &str) {
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::AccessDenied, false), "{error}");
    assert_eq!(error.code(), Some(ResponseCode::NO_PERMISSION), "{error}");
    assert!(error.remark().is_some_and(|text| text.contains(remark)), "{remark:?}: {error}");
    assert!(error.address().is_some_and(|address| address.as_str() == variable("BROKER")), "{error}");
    assert!(error.attempts().is_empty(), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret-of"), "{error}");
}

/// Whoever this is may do nothing, and hears why.
async fn is_refused(client: Client, remark: &str) {
    let administration = Work::begin(client_of(administrator()).await).await;
    let queue = administration.create(&unique("closed")).await;
    administration.send(&queue.topic, "body").await.expect("the administrator may");
    let work = Work::begin(client).await;
    check(&work.send(&queue.topic, "body").await.unwrap_err(), remark);
    check(&work.consumer.pull(&queue, "*", 0, 1).await.unwrap_err(), remark);
    check(&work.consumer.max_offset(&queue).await.unwrap_err(), remark);
    check(&work.client.admin().create_topic(&unique("new")).await.unwrap_err(), remark);
    // A oneway is written and dropped: the broker has one message as before.
    work.producer.send_oneway(Message::new(&*queue.topic, "unseen")).await.expect("it is written");
    check(&work.send(&queue.topic, "after it on the same connection").await.unwrap_err(), remark);
    assert_eq!(administration.consumer.max_offset(&queue).await.unwrap(), 1);
    work.client.close().await;
    administration.client.close().await;
}

#[tokio::test]
async fn the_right_key_may_do_everything_in_both_header_codecs() {
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        let builder = builder(&variable("NAME_SERVER"), trusting()).header_codec(codec);
        let credentials = administrator().security_token("a token is signed, too");
        let work = Work::begin(builder.credentials(credentials).connect().await.unwrap()).await;
        let queue = work.create(&unique("open")).await;
        for length in [1, 100, 5000, 1_000_000] {
            let body = noise(length);
            let offset = work.send(&queue.topic, body.clone()).await.expect("the message is sent");
            assert_eq!(work.pull(&queue, offset).await, body);
        }
        work.producer.send_oneway(Message::new(&*queue.topic, "oneway")).await.unwrap();
        eventually("the oneway is stored", async || {
            (work.consumer.max_offset(&queue).await.expect("may be asked") == 5).then_some(())
        })
        .await;
        work.consumer.commit_offset(&queue, 3).await.unwrap();
        assert_eq!(work.consumer.committed_offset(&queue).await.unwrap(), Some(3));
        work.administer(&queue).await;
        let admin = work.client.admin();
        assert_eq!(admin.topic_statistics(&queue.topic).await.unwrap().queues.len(), 1);
        admin.delete_topic(&queue.topic).await.unwrap();
        work.client.close().await;
    }
}

#[tokio::test]
async fn a_wrong_key_is_refused() {
    let credentials = Credentials::new(administrator().access_key(), "secret-of-nobody");
    is_refused(client_of(credentials).await, "check signature failed.").await;
}

#[tokio::test]
async fn an_unknown_user_is_refused() {
    is_refused(client_of(Credentials::new("nobody", "secret-of-nobody")).await, "User:nobody is not found.").await;
}

#[tokio::test]
async fn a_client_without_credentials_is_refused() {
    let client = builder(&variable("NAME_SERVER"), trusting()).connect().await.unwrap();
    is_refused(client, "username cannot be null.").await;
}

#[tokio::test]
async fn a_user_may_do_what_is_granted_and_no_more() {
    let user = unique("limited");
    let prefix = unique("granted");
    let resources = format!("Topic:{prefix}*,Group:*");
    mqadmin(&["createUser", "-u", &user, "-p", "secret-of-limited"]).await;
    let subject = format!("User:{user}");
    mqadmin(&["createAcl", "-s", &subject, "-r", &resources, "-a", "Pub,Sub", "-d", "Allow"]).await;
    let administration = Work::begin(client_of(administrator()).await).await;
    let granted = administration.create(&format!("{prefix}-topic")).await;
    let other = administration.create(&unique("withheld")).await;

    let work = Work::begin(client_of(Credentials::new(&user, "secret-of-limited")).await).await;
    let offset = work.send(&granted.topic, "body").await.expect("may send there");
    assert_eq!(work.pull(&granted, offset).await, "body");
    let words = format!("{user} has no permission to access Topic:{}", other.topic);
    check(&work.send(&other.topic, "body").await.unwrap_err(), &words);
    check(&work.consumer.pull(&other, "*", 0, 1).await.unwrap_err(), &words);
    check(&work.client.admin().create_topic(&granted.topic).queues(2).await.unwrap_err(), "no permission to access");
    work.client.close().await;
    administration.client.close().await;
}

#[tokio::test]
async fn a_running_client_goes_on_with_a_new_key() {
    let user = unique("rotating");
    mqadmin(&["createUser", "-u", &user, "-p", "secret-of-yesterday", "-t", "Super"]).await;
    let work = Work::begin(client_of(Credentials::new(&user, "secret-of-yesterday")).await).await;
    let queue = work.create(&unique("topic")).await;
    work.send(&queue.topic, "with the old key").await.expect("the old key is the key");
    let connects = work.client.counters().connects;

    mqadmin(&["updateUser", "-u", &user, "-p", "secret-of-today"]).await;
    check(&work.send(&queue.topic, "with the old key").await.unwrap_err(), "check signature failed.");
    work.client.set_credentials(Credentials::new(&user, "secret-of-today"));
    let offset = work.send(&queue.topic, "with the new key").await.expect("the new key is the key");
    assert_eq!(work.pull(&queue, offset).await, "with the new key");
    assert_eq!(work.client.counters().connects, connects, "on the same connections");
    work.client.close().await;
}
