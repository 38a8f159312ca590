//! What is written so that a server would read it otherwise than it is judged, or that its judge would not look at.

use super::*;

const SMARTGO: Dialect = Dialect::Smartgo;

fn smartgo() -> Terms {
    Terms { dialect: SMARTGO, ..terms() }
}

/// What a visitor gets through with this header.
fn through(terms: &Terms, visitor: &Visitor, kind: u8, header: &[u8]) -> String {
    String::from_utf8_lossy(&inspect(terms, visitor, [&raw_frame(kind, header, b"")[..]]).forwarded).into_owned()
}

#[test]
fn with_rules_a_smartgo_topic_is_looked_at_also_if_its_name_is_written_with_escapes() {
    let plain = br#"{"code":11,"language":"GOLANG","version":79,"opaque":7,"flag":0,"remark":"","extFields":{"Topic":"secrets","ConsumerGroup":"bank","QueueId":"0"}}"#;
    assert_eq!(through(&smartgo(), &shop(), 0, plain), "");
    let escaped = br#"{"code":11,"language":"GOLANG","version":79,"opaque":7,"flag":0,"remark":"","extFields":{"\u0054opic":"secrets","\u0043onsumerGroup":"bank","QueueId":"0"}}"#;
    let passed = through(&smartgo(), &shop(), 0, escaped);
    assert!(!passed.contains("secrets"), "the broker gets {passed}");
}

#[test]
fn with_rules_a_smartgo_topic_is_looked_at_whatever_language_its_sender_says() {
    for language in ["JAVA", "golang", "GO", "RUST"] {
        let header = format!(
            r#"{{"code":11,"language":"{language}","version":79,"opaque":7,"flag":0,"extFields":{{"Topic":"secrets","ConsumerGroup":"bank","QueueId":"0"}}}}"#
        );
        let passed = through(&smartgo(), &shop(), 0, header.as_bytes());
        assert!(!passed.contains("secrets"), "the broker gets {passed}");
    }
}

#[test]
fn a_smartgo_server_gets_no_field_twice_and_no_system_topic() {
    let header = br#"{"code":310,"language":"GOLANG","version":79,"opaque":7,"flag":0,"remark":"","extFields":{"b":"orders","B":"SCHEDULE_TOPIC_XXXX","A":"any"}}"#;
    let passed = through(&smartgo(), &anybody(), 0, header);
    assert!(!passed.contains("SCHEDULE_TOPIC_XXXX"), "the broker gets {passed}");
}

#[test]
fn with_rules_a_request_that_does_not_say_its_topic_or_group_is_refused() {
    for (code, fields) in [
        (RequestCode::PULL_MESSAGE, &[("consumerGroup", "shop")][..]),
        (RequestCode::SEND_MESSAGE_V2, &[("a", "shop")]),
        (RequestCode::UPDATE_CONSUMER_OFFSET, &[("topic", "orders")]),
        (RequestCode::QUERY_MESSAGE, &[("key", "k")]),
    ] {
        let request = frame(HeaderCodec::Json, code, 0, fields, b"");
        let seen = inspect(&terms(), &shop(), [&request[..]]);
        assert_eq!(seen.codes(), [] as [i32; 0], "{code} has nothing that could be checked, and passes");
    }
}

#[test]
fn what_passes_is_no_longer_than_a_frame_may_be() {
    // The defaults of `Bounds`.
    let terms = Terms { longest_frame: 16 << 20, longest_body: 5 << 20, ..terms() };
    let all = || Some(Patterns(vec!["*".to_owned()]));
    let visitor = Visitor::new("all", Rights { administers: false, topics: all(), groups: all() });
    let empty = "{},".repeat((5 << 20) / 3 - 40);
    let body = format!(r#"{{"consumerDataSet":[{{"subscriptionDataSet":[{empty}]}}]}}"#);
    let beat = frame(HeaderCodec::Json, RequestCode::HEART_BEAT, 0, &[], body.as_bytes());
    let seen = inspect(&terms, &visitor, [&beat[..]]);
    assert!(
        seen.forwarded.len() <= terms.longest_frame,
        "{} bytes came, and {} go to the broker; the limit is {}",
        beat.len(),
        seen.forwarded.len(),
        terms.longest_frame
    );
}

#[test]
fn with_rules_topics_and_groups_in_the_properties_of_a_message_are_looked_at() {
    let send = |topic: &str, flags: &str, properties: &str| {
        let fields =
            [("a", "shop"), ("b", topic), ("c", "TBW102"), ("d", "4"), ("e", "0"), ("f", flags), ("i", properties)];
        frame(HeaderCodec::Json, RequestCode::SEND_MESSAGE_V2, 0, &fields, b"x")
    };
    let mut passed = Vec::new();
    for (what, request) in [
        // Consumers of the group get it as a message of the topic `secrets` (`resetRetryAndNamespace`).
        ("RETRY_TOPIC", send("%RETRY%shop", "0", "RETRY_TOPIC\u{1}secrets\u{2}")),
        // The broker asks a producer of the group `bank` how this transaction of its ended, with this message.
        ("PGROUP", send("orders", "4", "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}bank\u{2}")),
        // The broker puts it into these queues too (`enableMultiDispatch`).
        ("INNER_MULTI_DISPATCH", send("orders", "0", "INNER_MULTI_DISPATCH\u{1}%LMQ%secrets\u{2}")),
    ] {
        if !inspect(&terms(), &shop(), [&request[..]]).forwarded.is_empty() {
            passed.push(what);
        }
    }
    assert_eq!(passed, [] as [&str; 0]);
}

#[test]
fn nobody_sends_to_any_of_the_topics_that_brokers_let_nobody_send_to() {
    // `TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET`.
    let mut passed = Vec::new();
    for topic in [
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "SELF_TEST_TOPIC",
        "OFFSET_MOVED_EVENT",
    ] {
        let send = frame(HeaderCodec::Json, RequestCode::SEND_MESSAGE_V2, 0, &[("a", "any"), ("b", topic)], b"x");
        if !inspect(&terms(), &anybody(), [&send[..]]).forwarded.is_empty() {
            passed.push(topic);
        }
    }
    assert_eq!(passed, [] as [&str; 0]);
}

#[test]
fn an_answer_to_what_no_broker_has_asked_does_not_pass() {
    // Java's servers take an answer by its number alone, of whichever connection it comes: another client was asked for 8.
    let answer = frame(HeaderCodec::Json, RequestCode(0), FLAG_RESPONSE, &[], br#"{"consumeResult":"CR_SUCCESS"}"#);
    assert_eq!(inspect(&terms(), &shop(), [&answer[..]]).forwarded, b"");
}

#[test]
fn a_field_without_a_name_does_not_pass() {
    // Of a name that is nothing smartgo's writer makes no JSON.
    for dialect in [Dialect::Apache, SMARTGO] {
        let terms = Terms { dialect, ..terms() };
        let request = frame(HeaderCodec::Json, RequestCode::GET_MAX_OFFSET, 0, &[("topic", "orders"), ("", "x")], b"");
        assert_eq!(inspect(&terms, &anybody(), [&request[..]]).forwarded, b"", "{dialect:?}");
    }
}

#[test]
fn what_says_whom_a_request_concerns_has_a_length_of_its_own_and_grows_to_no_more_than_a_frame() {
    let beat = |empty: usize| {
        let body = format!(r#"{{"consumerDataSet":[{{"subscriptionDataSet":[{}{{}}]}}]}}"#, "{},".repeat(empty));
        frame(HeaderCodec::Json, RequestCode::HEART_BEAT, 0, &[], body.as_bytes())
    };
    let all = || Some(Patterns(vec!["*".to_owned()]));
    let visitor = Visitor::new("all", Rights { administers: false, topics: all(), groups: all() });
    let said = |terms: &Terms, frame: &[u8]| inspect(terms, &visitor, [frame]).refusals().pop();
    let large = Terms { longest_frame: 16 << 20, longest_body: 5 << 20, ..terms() };
    assert_eq!(said(&large, &beat(1000)), None);
    assert!(said(&large, &beat(400_000)).unwrap().contains("keeps no more"));
    let small = Terms { longest_frame: 100_000, longest_body: 100_000, ..terms() };
    assert_eq!(said(&small, &beat(30_000)).as_deref(), Some("the request is too long"));
}
