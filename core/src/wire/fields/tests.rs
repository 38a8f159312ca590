//! Typed headers: each comes back, and what is missing or of the wrong type is named.

use std::borrow::Cow;

use bytes::BytesMut;
use proptest::prelude::*;

use super::{FieldError, NoFields, WriteHeader};
use crate::wire::command::{self, Command, Head, HeaderCodec, Language};
use crate::wire::dialect::Dialect;
use crate::wire::json::styles::restyled_header;
use crate::wire::message::UniqueId;
use crate::wire::request::*;

const CODECS: [HeaderCodec; 2] = [HeaderCodec::Json, HeaderCodec::Binary];

fn command(codec: HeaderCodec, header: &dyn WriteHeader) -> Command {
    let mut out = BytesMut::new();
    let head = Head { code: 1, language: Language::RUST, version: 493, opaque: 1, flag: 0, remark: None };
    command::encode(&mut out, codec, Dialect::Apache, &head, header, b"");
    command::decode(out.freeze().slice(4..)).expect("what we wrote")
}

fn json(fields: &str) -> Command {
    let header = format!(r#"{{"extFields":{fields}}}"#);
    let mark = (header.len() as u32).to_be_bytes();
    command::decode([&mark[..], header.as_bytes()].concat().into()).expect("a header")
}

const fn text(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text)
}

/// How many styles each header is written in.
const STYLES: u64 = 50;

/// A header as another client or server writes it.
fn in_another_style(header: &dyn WriteHeader, seed: u64) -> Command {
    let mut out = BytesMut::new();
    let head = Head { code: 1, language: Language::RUST, version: 493, opaque: 1, flag: 0, remark: Some("r") };
    command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, header, b"");
    let text = restyled_header(&out[8..], seed);
    let mark = (text.len() as u32).to_be_bytes();
    let command = command::decode([&mark[..], text.as_bytes()].concat().into());
    let command = command.unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!((command.code, command.language, command.remark.as_deref()), (1, Language::RUST, Some("r")), "{text}");
    command
}

/// Writes and reads each header in both codecs and in other styles; the number of headers is given back.
macro_rules! come_back {
    ($($type:ident { $($field:ident : $value:expr),* $(,)? },)*) => {{
        let mut count = 0;
        $(
            count += 1;
            for codec in CODECS {
                let header = $type { $($field: $value,)* };
                assert_eq!(command(codec, &header).header::<$type>(), Ok(header), "{codec:?}");
            }
            let header = $type { $($field: $value,)* };
            for seed in 0..STYLES {
                let command = in_another_style(&header, seed);
                assert_eq!(command.header::<$type>().as_ref(), Ok(&header), "seed {seed}");
                assert_eq!(command.odd.count(), 0, "seed {seed}");
            }
        )*
        count
    }};
}

#[test]
fn every_header_comes_back_and_none_is_forgotten() {
    let tested = come_back! {
        CheckSubscription {},
        LockQueues {},
        UnlockQueues {},
        SendBack {
            offset: 1,
            group: text("G"),
            delay_level: -1,
            origin_msg_id: Some(text("m")),
            origin_topic: Some(text("T")),
            unit_mode: Some(false),
            max_reconsume_times: Some(16),
            broker_name: Some(text("b")),
        },
        NotifyConsumerIdsChanged { consumer_group: text("G") },
        ResetConsumerOffset {
            topic: text("T"),
            group: text("G"),
            queue_id: Some(-1),
            offset: Some(2),
            timestamp: 3,
            is_force: true,
        },
        GetConsumerStatus { topic: text("T"), group: text("G"), client_addr: Some(text("c")) },
        GetConsumerRunningInfo { consumer_group: text("G"), client_id: text("c"), jstack_enable: Some(true) },
        ConsumeDirectly {
            consumer_group: text("G"),
            client_id: Some(text("c")),
            msg_id: Some(text("m")),
            broker_name: Some(text("b")),
            topic: Some(text("T")),
            topic_sys_flag: Some(0),
            group_sys_flag: Some(1),
        },
        GetConsumerConnections { consumer_group: text("G") },
        GetProducerConnections { producer_group: text("P") },
        GetConsumeStats { consumer_group: text("G"), topic: Some(text("T")), topic_list: Some(text("T;U;")) },
        InvokeResetOffset {
            topic: text("T"),
            group: text("G"),
            queue_id: Some(-1),
            offset: Some(-1),
            timestamp: 3,
            is_force: false,
        },
        InvokeConsumerStatus { topic: text("T"), group: text("G"), client_addr: Some(text("c")) },
        QueryTopicConsumers { topic: text("T") },
        QueryTopicsOfConsumer { group: text("G") },
        QuerySubscription { group: text("G"), topic: Some(text("T")) },
        UpdateGroup {},
        GetGroup { group: text("G") },
        GetGroups { group_seq: Some(1), data_version: Some(text("{}")), max_group_num: Some(2) },
        GetGroupsAnswer { total_group_num: 3 },
        DeleteGroup { group_name: text("G"), clean_offset: Some(true) },
        GetMaxOffset { topic: text("T"), queue_id: 1, broker_name: Some(text("b")) },
        GetCommittedOffsets {},
        GetMinOffset { topic: text("T"), queue_id: 2, broker_name: Some(text("b")) },
        SearchOffset {
            topic: text("T"),
            queue_id: 3,
            timestamp: i64::MAX,
            boundary_type: Some(text("upper")),
            broker_name: Some(text("b")),
        },
        QueryConsumerOffset {
            consumer_group: text("G"),
            topic: text("T"),
            queue_id: 4,
            set_zero_if_not_found: Some(true),
            broker_name: Some(text("b")),
        },
        UpdateConsumerOffset {
            consumer_group: text("G"),
            topic: text("T"),
            queue_id: 5,
            commit_offset: i64::MIN,
            broker_name: Some(text("b")),
        },
        GetEarliestStoreTime { topic: text("T"), queue_id: 6, broker_name: Some(text("b")) },
        EarliestStoreTimeAnswer { timestamp: -1 },
        OffsetAnswer { offset: 7 },
        PullMessage {
            consumer_group: text("G"),
            topic: text("%RETRY%G"),
            queue_id: 1,
            queue_offset: 2,
            max_msg_nums: 3,
            sys_flag: 4,
            commit_offset: 5,
            suspend_timeout_millis: 6,
            subscription: Some(text("a || b")),
            sub_version: 7,
            expression_type: Some(text("TAG")),
            max_msg_bytes: Some(8),
            broker_name: Some(text("b")),
        },
        ViewMessage { topic: Some(text("T")), offset: 1 },
        QueryMessage {
            topic: text("T"),
            key: text("k"),
            max_num: 1,
            begin_timestamp: 2,
            end_timestamp: i64::MAX,
            index_type: Some(text("K")),
            last_key: Some(text("l")),
            is_unique_key: Some(true),
        },
        QueryMessageAnswer { index_last_update_timestamp: 1, index_last_update_phyoffset: 2 },
        PullMessageAnswer {
            suggest_which_broker_id: Some(1),
            next_begin_offset: 2,
            min_offset: 3,
            max_offset: 4,
            offset_delta: Some(-5),
        },
        GetRouteInfo { topic: text("T"), accept_standard_json_only: Some(true) },
        GetClusterInfo {},
        GetTopicList {},
        PutKvConfig { namespace: text("n"), key: text("k"), value: text("v") },
        GetKvConfig { namespace: text("n"), key: text("k") },
        KvConfigAnswer { value: Some(text("\"{\\中\u{1}")) },
        DeleteKvConfig { namespace: text("n"), key: text("k") },
        GetKvList { namespace: text("n") },
        DeleteTopicInNameServer { topic: text("T"), cluster_name: Some(text("c")) },
        SendMessage {
            producer_group: text("G"),
            topic: text("T"),
            default_topic: text("TBW102"),
            default_topic_queue_nums: 4,
            queue_id: 1,
            sys_flag: 2,
            born_timestamp: 3,
            flag: i32::MIN,
            properties: Some("KEYS\u{1}k\u{2}".into()),
            reconsume_times: Some(5),
            unit_mode: Some(true),
            max_reconsume_times: Some(6),
            batch: Some(false),
            broker_name: Some(text("b")),
        },
        SendMessageV1 {
            producer_group: text("G"),
            topic: text("T"),
            default_topic: text("TBW102"),
            default_topic_queue_nums: 4,
            queue_id: 1,
            sys_flag: 2,
            born_timestamp: 3,
            flag: i32::MAX,
            properties: Some("KEYS\u{1}k\u{2}".into()),
            reconsume_times: Some(5),
            unit_mode: Some(false),
            batch: Some(true),
            max_reconsume_times: Some(6),
            broker_name: Some(text("b")),
        },
        SendMessageAnswer {
            msg_id: "id".into(),
            queue_id: 1,
            queue_offset: 2,
            transaction_id: Some(text("t")),
            batch_uniq_id: Some(text("u")),
        },
        Heartbeat {},
        HeartbeatAnswer { is_support_heart_beat_v2: Some(true), is_sub_change: Some(false) },
        UnregisterClient {
            client_id: text("ip@1"),
            producer_group: Some(text("P")),
            consumer_group: Some(text("C")),
        },
        GetConsumerList { consumer_group: text("G") },
        CreateTopic {
            topic: text("T"),
            default_topic: Some(text("TBW102")),
            read_queue_nums: 1,
            write_queue_nums: 2,
            perm: 6,
            topic_filter_type: TopicFilterType::SingleTag,
            topic_sys_flag: Some(3),
            order: true,
            attributes: Some(text("+a=b")),
        },
        GetTopicConfig { topic: text("T") },
        DeleteTopicInBroker { topic: text("T") },
        GetTopicStats { topic: text("T") },
    };
    let sources = [
        include_str!("../request/group.rs"),
        include_str!("../request/group_admin.rs"),
        include_str!("../request/offset.rs"),
        include_str!("../request/pull.rs"),
        include_str!("../request/query.rs"),
        include_str!("../request/route.rs"),
        include_str!("../request/send.rs"),
        include_str!("../request/session.rs"),
        include_str!("../request/topic.rs"),
    ];
    // A header's declaration stands one level deep, its fields two.
    let is_declaration = |line: &&str| line.starts_with("    ") && line[4..].starts_with(char::is_uppercase);
    let declared = sources.iter().flat_map(|source| source.lines()).filter(is_declaration).count();
    assert_eq!(tested, declared);
}

#[test]
fn a_field_of_smartgos_is_found_by_apaches_name_unless_another_has_just_that_one() {
    let read = |language: &str, fields: &str| {
        let header = format!(r#"{{"language":"{language}","extFields":{fields}}}"#);
        let mark = (header.len() as u32).to_be_bytes();
        let command = command::decode([&mark[..], header.as_bytes()].concat().into()).expect("a header");
        ["topic", "Topic"].map(|name| command.fields.get(name).map(|value| value.into_owned()))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(read("GOLANG", r#"{"Topic":"T"}"#), [some("T"), some("T")]);
    assert_eq!(read("GOLANG", r#"{"topic":"t","Topic":"T"}"#), [some("t"), some("T")]);
    assert_eq!(read("JAVA", r#"{"Topic":"T"}"#), [None, some("T")]);
}

#[test]
fn absent_values_are_not_written() {
    for codec in CODECS {
        let header = GetRouteInfo { topic: text("T"), accept_standard_json_only: None };
        let command = command(codec, &header);
        assert_eq!(command.fields.iter().collect::<Vec<_>>(), [(text("topic"), text("T"))]);
        assert_eq!(command.header::<GetRouteInfo<'_>>(), Ok(header));
    }
}

#[test]
fn what_a_producer_adds_follows_the_applications_properties() {
    let id = UniqueId::new([10, 0, 0, 1].into(), 1, 2, 3, 4).to_hex();
    let properties = SentProperties { encoded: text("a\"\u{1}中\u{2}"), unique_id: Some(id) };
    for codec in CODECS {
        let command = command(codec, &SendMessageV1 { properties: Some(properties.clone()), ..empty_send() });
        let expected = format!("a\"\u{1}中\u{2}WAIT\u{1}true\u{2}UNIQ_KEY\u{1}{id}\u{2}");
        assert_eq!(command.fields.get("properties").as_deref(), Some(&*expected));
    }
}

#[test]
fn a_header_may_be_longer_than_the_room_that_is_made_at_first() {
    for length in [400, 500, 600, 640, 700, 3000, 40_000] {
        for codec in CODECS {
            let long = "\u{1}x".repeat(length / 2);
            let header = SendMessageV1 { properties: Some((&*long).into()), ..empty_send() };
            assert_eq!(command(codec, &header).header(), Ok(header));
        }
    }
}

fn empty_send() -> SendMessageV1<'static> {
    SendMessageV1 {
        producer_group: text("p"),
        topic: text("t"),
        default_topic: text("d"),
        default_topic_queue_nums: 0,
        queue_id: 0,
        sys_flag: 0,
        born_timestamp: 0,
        flag: 0,
        properties: None,
        reconsume_times: None,
        unit_mode: None,
        batch: None,
        max_reconsume_times: None,
        broker_name: None,
    }
}

#[test]
fn empty_texts_are_absent_only_in_the_binary_codec() {
    let header = SendMessageV1 { broker_name: Some(text("")), properties: Some("".into()), ..empty_send() };
    assert_eq!(command(HeaderCodec::Json, &header).header(), Ok(header.clone()));
    // `RocketMQSerializable.readStr` gives null for them.
    assert_eq!(command(HeaderCodec::Binary, &header).header(), Ok(empty_send()));
}

#[test]
fn a_required_field_that_is_missing_is_named() {
    let answer = json(r#"{"msgId":"x","queueOffset":"1"}"#);
    assert_eq!(answer.header::<SendMessageAnswer<'_>>(), Err(FieldError::Missing { name: "queueId" }));
    assert_eq!(json("{}").header::<OffsetAnswer>(), Err(FieldError::Missing { name: "offset" }));
    assert_eq!(json(r#"{"topic":null}"#).header::<GetTopicStats<'_>>(), Err(FieldError::Missing { name: "topic" }));
}

#[test]
fn a_value_of_the_wrong_type_is_shown_but_not_at_any_length() {
    let invalid = |name, expected, value: &str| FieldError::Invalid { name, expected, value: value.to_owned() };
    for value in ["", "x", "1.0", "9223372036854775808", " 1", "0x10", "null", "true"] {
        let error = invalid("offset", "64-bit number", value);
        assert_eq!(json(&format!(r#"{{"offset":"{value}"}}"#)).header::<OffsetAnswer>(), Err(error));
    }
    let number = json(r#"{"consumerGroup":"G","topic":"T","queueId":"2147483648"}"#);
    assert_eq!(number.header::<QueryConsumerOffset<'_>>(), Err(invalid("queueId", "32-bit number", "2147483648")));
    let long = json(&format!(r#"{{"offset":"{}"}}"#, "中".repeat(1000)));
    assert_eq!(long.header::<OffsetAnswer>(), Err(invalid("offset", "64-bit number", &"中".repeat(64))));
}

#[test]
fn what_may_be_absent_and_is_no_number_is_null_and_counted_unless_it_is_empty() {
    let command = |value: &str| {
        json(&format!(r#"{{"nextBeginOffset":"1","minOffset":"2","maxOffset":"3","suggestWhichBrokerId":"{value}"}}"#))
    };
    let odd = command("x");
    assert_eq!(odd.header::<PullMessageAnswer>().map(|answer| answer.suggest_which_broker_id), Ok(None));
    let error = FieldError::Invalid { name: "suggestWhichBrokerId", expected: "64-bit number", value: "x".to_owned() };
    assert_eq!((odd.odd.count(), odd.odd.first()), (1, Some(&error)));
    let empty = command("");
    assert_eq!(empty.header::<PullMessageAnswer>().map(|answer| answer.suggest_which_broker_id), Ok(None));
    assert_eq!(empty.odd.count(), 0);
}

#[test]
fn what_is_not_true_is_false() {
    for (value, meant) in [("true", true), ("TRUE", true), ("True", true), ("1", false), ("yes", false), ("", false)] {
        let command = json(&format!(r#"{{"topic":"T","acceptStandardJsonOnly":"{value}"}}"#));
        let header: GetRouteInfo<'_> = command.header().unwrap();
        assert_eq!(header.accept_standard_json_only, Some(meant), "{value}");
    }
}

#[test]
fn numbers_and_truth_values_need_no_quotes() {
    let answer = json(r#"{"nextBeginOffset":1,"minOffset":-2,"maxOffset":3,"suggestWhichBrokerId":null}"#);
    let header: PullMessageAnswer = answer.header().unwrap();
    assert_eq!((header.next_begin_offset, header.min_offset, header.suggest_which_broker_id), (1, -2, None));
    let heartbeat: HeartbeatAnswer =
        json(r#"{"IS_SUB_CHANGE":true}"#).header().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(heartbeat.is_sub_change, Some(true));
}

#[test]
fn unknown_fields_are_passed_over() {
    let answer = json(r#"{"a":{"offset":"1"},"offset":"2","committed":"3"}"#);
    assert_eq!(answer.header(), Ok(OffsetAnswer { offset: 2 }));
    assert_eq!(answer.header(), Ok(NoFields));
}

proptest! {
    #[test]
    fn any_texts_and_numbers_come_back(
        binary in any::<bool>(),
        (group, topic) in ("(?s).{1,20}", "(?s).{1,20}"),
        (queue_id, commit_offset) in any::<(i32, i64)>(),
        broker in proptest::option::of("(?s).{1,20}"),
    ) {
        let header = UpdateConsumerOffset {
            consumer_group: group.into(),
            topic: topic.into(),
            queue_id,
            commit_offset,
            broker_name: broker.map(Cow::Owned),
        };
        let command = command(CODECS[usize::from(binary)], &header);
        prop_assert_eq!(command.header(), Ok(header));
    }
}

#[test]
fn of_two_fields_with_one_name_the_last_one_counts_however_they_are_asked_for() {
    let command = json(r#"{"topic":"first","queueId":"1","topic":"last"}"#);
    assert_eq!(command.fields.get("topic").as_deref(), Some("last"));
    assert_eq!(command.header::<GetMaxOffset<'_>>().unwrap().topic, "last");
}

#[test]
fn two_texts_are_equal_when_they_say_the_same_however_each_is_escaped() {
    let answer = |msg_id: &str| json(&format!(r#"{{"msgId":"{msg_id}","queueId":"1","queueOffset":"2"}}"#));
    let read = |command: &Command| command.header::<SendMessageAnswer<'_>>().map(|answer| format!("{answer:?}"));
    let [bare, escaped, other] = [answer("a\u{3}/"), answer(r"a\u0003\/"), answer(r"a\u0004/")];
    assert_eq!(bare.header::<SendMessageAnswer<'_>>(), escaped.header());
    assert_ne!(escaped.header::<SendMessageAnswer<'_>>(), other.header());
    assert!(read(&escaped).is_ok_and(|shown| shown.contains(r#""a\u{3}/""#)), "it is shown as what it says");
}
