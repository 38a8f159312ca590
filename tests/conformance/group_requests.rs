//! What Apache's brokers do for groups of consumers, asked for request by request and answered in their words: locks,
//! failed messages, offsets that are set, messages by key.

use std::collections::BTreeMap;

use stgclient::{HeaderCodec, ReceivedMessage};
use stgclient_core::wire::body::{
    self, ConsumeStats, LockedQueues, QueueKey, QueueLockRequest, ResetOffsets, SubscriptionGroupConfig,
};
use stgclient_core::wire::code::{RequestCode, ResponseCode as Code};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::StoredMessages;
use stgclient_core::wire::request::{OffsetAnswer, PullMessageAnswer};
use stgclient_tests::{Bench, ask, ask_with, eventually};

async fn bench(queues: u32) -> Bench {
    Bench::new(crate::cluster(HeaderCodec::Json).await, queues).await
}

fn remark(answer: &Command) -> &str {
    answer.remark.as_deref().unwrap_or_default()
}

/// An answer's code and the first line of its remark.
fn outcome(answer: &Command) -> (Code, &str) {
    (Code(answer.code), remark(answer).lines().next().unwrap_or_default().trim_end())
}

/// The queues that `client` gets of those asked for.
async fn lock(bench: &Bench, group: &str, client: &str, queues: &[i32]) -> Vec<i32> {
    let request = request(bench, group, client, queues);
    let answer = ask_with(bench.cluster.broker(), RequestCode::LOCK_BATCH_MQ, &[], &request).await;
    let locked: LockedQueues = body::from_slice(&answer.body).unwrap();
    locked.lock_ok_mq_set.iter().map(|queue| queue.queue_id).collect()
}

fn request(bench: &Bench, group: &str, client: &str, queues: &[i32]) -> Vec<u8> {
    let queue = |id: &i32| QueueKey { broker_name: "broker-a".into(), queue_id: *id, topic: bench.topic.clone() };
    body::to_vec(&QueueLockRequest {
        client_id: client.into(),
        consumer_group: group.into(),
        mq_set: queues.iter().map(queue).collect(),
        only_this_broker: false,
    })
}

#[tokio::test]
async fn a_queue_is_locked_for_one_member_until_it_gives_it_back() {
    let bench = bench(1).await;
    let group = bench.unique("orderly");
    assert_eq!(lock(&bench, &group, "one", &[0, 1]).await, [0, 1]);
    assert_eq!(lock(&bench, &group, "two", &[1, 2]).await, [2]);
    for (client, expected) in [("two", vec![]), ("one", vec![1])] {
        let unlock = request(&bench, &group, client, &[1]);
        let answer = ask_with(bench.cluster.broker(), RequestCode::UNLOCK_BATCH_MQ, &[], &unlock).await;
        assert_eq!(Code(answer.code), Code::SUCCESS);
        assert_eq!(lock(&bench, &group, "two", &[1]).await, expected, "{client}");
    }
}

/// Gives a message back; it comes again by `level`, at most `most` times.
async fn send_back(bench: &Bench, group: &str, offset: i64, level: &str, most: &str) -> Command {
    let offset = offset.to_string();
    let fields = [
        ("offset", &*offset),
        ("group", group),
        ("delayLevel", level),
        ("originTopic", &bench.topic),
        ("maxReconsumeTimes", most),
    ];
    ask(bench.cluster.broker(), RequestCode::CONSUMER_SEND_MSG_BACK, &fields).await
}

/// The newest message of a topic that has become `count` messages long.
async fn last_of(bench: &Bench, topic: &str, count: usize) -> ReceivedMessage {
    eventually("the topic has the message", async || {
        let queues = bench.consumer.queues(topic).await.ok()?;
        let batch = bench.consumer.pull(&queues[0], "*", 0, 32).await.ok()?;
        (batch.messages.len() == count).then_some(())?;
        batch.messages.into_iter().next_back()
    })
    .await
}

/// The properties that matter here.
fn properties(message: &ReceivedMessage) -> BTreeMap<&str, &str> {
    let names = ["TAGS", "WAIT", "DELAY", "RETRY_TOPIC", "ORIGIN_MESSAGE_ID", "REAL_TOPIC", "REAL_QID"];
    names.into_iter().filter_map(|name| Some((name, message.property(name)?))).collect()
}

#[tokio::test]
async fn a_message_that_is_given_back_comes_again_and_at_last_is_a_dead_letter() {
    let bench = bench(1).await;
    let group = bench.unique("failing");
    let (retry, dead_letters) = (format!("%RETRY%{group}"), format!("%DLQ%{group}"));
    let sent = bench.send_and_pull(bench.message("failing").tag("t")).await;
    let id = sent.offset_message_id().to_string();
    let answer = send_back(&bench, &group, sent.stored().fields.physical_offset, "1", "1").await;
    assert_eq!(Code(answer.code), Code::SUCCESS, "{}", remark(&answer));
    let again = last_of(&bench, &retry, 1).await;
    let mut expected: BTreeMap<&str, &str> = [
        ("TAGS", "t"),
        ("WAIT", "false"),
        ("DELAY", "1"),
        ("RETRY_TOPIC", &*bench.topic),
        ("ORIGIN_MESSAGE_ID", &*id),
        ("REAL_TOPIC", &*retry),
        ("REAL_QID", "0"),
    ]
    .into();
    assert_eq!((properties(&again), again.reconsume_times()), (expected.clone(), 1));
    assert_eq!((again.message_id(), again.born_timestamp()), (sent.message_id(), sent.born_timestamp()));

    send_back(&bench, &group, again.stored().fields.physical_offset, "1", "1").await;
    let dead = last_of(&bench, &dead_letters, 1).await;
    expected.insert("DELAY", "0");
    assert_eq!((properties(&dead), dead.reconsume_times()), (expected, 2));

    send_back(&bench, &group, sent.stored().fields.physical_offset, "-1", "16").await;
    let dead = last_of(&bench, &dead_letters, 2).await;
    assert_eq!((properties(&dead).contains_key("REAL_TOPIC"), dead.reconsume_times()), (false, 1));
}

#[tokio::test]
async fn what_cannot_be_given_back_is_refused_in_these_words() {
    let bench = bench(1).await;
    let answer = send_back(&bench, "no name", 0, "1", "16").await;
    assert_eq!(outcome(&answer), (Code::SUBSCRIPTION_GROUP_NOT_EXIST, "subscription group not exist, no name"));
    let answer = send_back(&bench, &bench.group, i64::MAX / 2, "1", "16").await;
    let expected = format!("look message by offset failed, {}", i64::MAX / 2);
    assert_eq!(outcome(&answer), (Code::SYSTEM_ERROR, &*expected));
}

/// Sends to a group's retry topic, as consumers do by themselves.
async fn send_to_retry_topic(bench: &Bench, group: &str, times: &str, most: &str) -> Command {
    let topic = format!("%RETRY%{group}");
    let fields = [
        ("a", group),
        ("b", &*topic),
        ("c", "TBW102"),
        ("d", "4"),
        ("e", "0"),
        ("f", "0"),
        ("g", "1700000000000"),
        ("h", "0"),
        ("i", "DELAY\u{1}1\u{2}TAGS\u{1}t\u{2}"),
        ("j", times),
        ("k", "false"),
        ("l", most),
        ("m", "false"),
    ];
    ask_with(bench.cluster.broker(), RequestCode::SEND_MESSAGE_V2, &fields, b"failing").await
}

#[tokio::test]
async fn a_message_for_a_retry_topic_is_a_dead_letter_above_its_maximum_or_when_its_group_holds_locks() {
    let bench = bench(1).await;
    let group = bench.unique("failing");
    let (retry, dead_letters) = (format!("%RETRY%{group}"), format!("%DLQ%{group}"));
    for (times, topic) in [("2", &retry), ("3", &dead_letters)] {
        let answer = send_to_retry_topic(&bench, &group, times, "2").await;
        assert_eq!(Code(answer.code), Code::SUCCESS, "{}", remark(&answer));
        let message = last_of(&bench, topic, 1).await;
        assert_eq!((&*message.reconsume_times().to_string(), message.tag()), (times, Some("t")));
    }
    assert_eq!(last_of(&bench, &retry, 1).await.property("DELAY"), Some("1"));
    assert_eq!(last_of(&bench, &dead_letters, 1).await.property("DELAY"), Some("-1"));
    lock(&bench, &group, "one", &[0]).await;
    send_to_retry_topic(&bench, &group, "1", "2").await;
    assert_eq!(last_of(&bench, &dead_letters, 2).await.reconsume_times(), 1);
}

/// Pulls without waiting.
async fn pull(bench: &Bench, group: &str, offset: &str) -> Command {
    let fields = [
        ("consumerGroup", group),
        ("topic", &bench.topic),
        ("queueId", "0"),
        ("queueOffset", offset),
        ("maxMsgNums", "32"),
        ("sysFlag", "4"),
        ("commitOffset", "0"),
        ("suspendTimeoutMillis", "0"),
        ("subscription", "*"),
        ("subVersion", "0"),
        ("expressionType", "TAG"),
    ];
    ask(bench.cluster.broker(), RequestCode::PULL_MESSAGE, &fields).await
}

async fn commit(bench: &Bench, group: &str, offset: &str) -> Command {
    let fields = [("consumerGroup", group), ("topic", &*bench.topic), ("queueId", "0"), ("commitOffset", offset)];
    ask(bench.cluster.broker(), RequestCode::UPDATE_CONSUMER_OFFSET, &fields).await
}

#[tokio::test]
async fn an_offset_that_is_set_at_the_broker_counts_until_its_consumer_has_heard_of_it() {
    let bench = bench(1).await;
    let group = bench.unique("reset");
    let queue = bench.queue(0).await;
    for body in ["a", "b", "c"] {
        bench.send_to(&queue, bench.message(body)).await;
    }
    bench.await_messages(&queue, 3).await;
    pull(&bench, &group, "0").await;
    commit(&bench, &group, "3").await;
    let fields = [
        ("group", &*group),
        ("topic", &bench.topic),
        ("queueId", "0"),
        ("offset", "1"),
        ("timestamp", "0"),
        ("isForce", "true"),
    ];
    let answer = ask(bench.cluster.broker(), RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, &fields).await;
    let offsets: ResetOffsets = body::from_slice(&answer.body).unwrap();
    assert!(offsets.offset_table.values().eq(&[1]));
    assert_eq!(outcome(&commit(&bench, &group, "3").await), (Code::SUCCESS, "Offset has been previously reset"));
    let fields = [("consumerGroup", &*group), ("topic", &bench.topic), ("queueId", "0")];
    let answer = ask(bench.cluster.broker(), RequestCode::QUERY_CONSUMER_OFFSET, &fields).await;
    assert_eq!(answer.header(), Ok(OffsetAnswer { offset: 1 }));
    let moved = pull(&bench, &group, "3").await;
    assert_eq!(outcome(&moved), (Code::PULL_OFFSET_MOVED, "OFFSET_RESET"));
    let header: PullMessageAnswer = moved.header().unwrap();
    assert_eq!((header.next_begin_offset, header.min_offset, header.max_offset), (1, 0, 3));
    assert_eq!(outcome(&pull(&bench, &group, "3").await), (Code::PULL_NOT_FOUND, "OFFSET_OVERFLOW_ONE"));
    commit(&bench, &group, "2").await;

    let fields = [("consumerGroup", &*group), ("topic", &bench.topic)];
    let answer = ask(bench.cluster.broker(), RequestCode::GET_CONSUME_STATS, &fields).await;
    let stats: ConsumeStats = body::from_slice(&answer.body).unwrap();
    let told: Vec<_> = stats.offset_table.values().collect();
    let [told] = &told[..] else { panic!("{stats:?}") };
    assert_eq!((told.broker_offset, told.consumer_offset, told.pull_offset), (3, 2, 3));
    assert!(told.last_timestamp > 1_700_000_000_000);
}

#[tokio::test]
async fn a_message_is_found_by_its_key() {
    let bench = bench(1).await;
    bench.send(bench.message("found").key("k1").key("k2")).await;
    let fields = |key| {
        [
            ("topic", &*bench.topic),
            ("key", key),
            ("maxNum", "10"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9223372036854775807"),
            ("indexType", "K"),
        ]
    };
    eventually("the message is found", async || {
        let answer = ask(bench.cluster.broker(), RequestCode::QUERY_MESSAGE, &fields("k2")).await;
        let message = StoredMessages::new(answer.body.clone(), Dialect::Apache).next()?.expect("a stored message");
        assert_eq!((Code(answer.code), message.body()), (Code::SUCCESS, &b"found"[..]));
        Some(())
    })
    .await;
    let answer = ask(bench.cluster.broker(), RequestCode::QUERY_MESSAGE, &fields("k")).await;
    assert_eq!(outcome(&answer), (Code::QUERY_NOT_FOUND, "can not find message, maybe time range not correct"));
}

#[tokio::test]
async fn who_is_not_there_is_not_found_in_these_words() {
    let bench = bench(1).await;
    let group = bench.unique("nobody");
    let broker = bench.cluster.broker();
    let answer = ask(broker, RequestCode::GET_CONSUMER_CONNECTION_LIST, &[("consumerGroup", &group)]).await;
    assert_eq!(outcome(&answer), (Code::CONSUMER_NOT_ONLINE, &*format!("the consumer group[{group}] not online")));
    let fields = [("consumerGroup", &*group), ("clientId", "c")];
    let answer = ask(broker, RequestCode::GET_CONSUMER_RUNNING_INFO, &fields).await;
    assert_eq!(outcome(&answer), (Code::SYSTEM_ERROR, &*format!("The Consumer <{group}> <c> not online")));
    let fields = [("group", &*group), ("topic", "none"), ("timestamp", "0"), ("isForce", "true")];
    let answer = ask(broker, RequestCode::INVOKE_BROKER_TO_RESET_OFFSET, &fields).await;
    assert_eq!(outcome(&answer), (Code::TOPIC_NOT_EXIST, "Topic none does not exist"));
    let answer = ask(broker, RequestCode::GET_SUBSCRIPTIONGROUP_CONFIG, &[("group", &group)]).await;
    let expected = SubscriptionGroupConfig { group_name: group.clone(), ..SubscriptionGroupConfig::default() };
    assert_eq!(body::from_slice(&answer.body), Ok(expected));
}
