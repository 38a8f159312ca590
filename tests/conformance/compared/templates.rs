//! What is asked: for each code its fields with what they usually have, and its bodies.
//!
//! Values are parted by `¦`; `~` is no field at all. `{T}`, `{U}` and `{V}` are the topics of a sequence, `{W}` one of one queue, and `{X}`
//! one that its broker has no more, `{G}` and `{H}` its
//! consumer groups, `{P}` its producers; `{stored}` is where one of its messages lies, and `{unique}` a unique id of its own.

use crate::request::Server;
use Server::{Broker, NameServer};

/// The requests of one code.
pub(crate) struct Template {
    pub(crate) code: i32,
    pub(crate) server: Server,
    /// How often it is asked beside the others.
    pub(crate) weight: u64,
    pub(crate) fields: &'static [(&'static str, &'static str)],
    /// `@batch` stands for records of a batch.
    pub(crate) bodies: &'static [&'static str],
}

/// The codes that are asked.
pub(crate) fn codes() -> impl Iterator<Item = i32> {
    TEMPLATES.iter().map(|template| template.code)
}

const NOTHING: &[&str] = &[""];
const BODY: &[&str] = &["one", "two", "a longer body", "{}", ""];
const PROPERTIES: &str = "DELAY\u{1}\u{2}¦DELAY\u{1} 3\u{2}¦DELAY\u{1}+3\u{2}¦TIMER_DELIVER_MS\u{1}x\u{2}DELAY\u{1}2\u{2}¦POP_CK\u{1}x\u{2}TAGS\u{1}a\u{2}¦TAGS\u{1}\u{2}¦KEYS\u{1} k1  k2 \u{2}¦INNER_NUM\u{1}2\u{2}¦MSG_TYPE\u{1}reply\u{2}REPLY_TO_CLIENT\u{1}x\u{2}¦__SHARDINGKEY\u{1}s\u{2}¦TAGS\u{1}größe\u{2}¦KEYS\u{1}k1\u{2}TAGS\u{1}a\u{2}UNIQ_KEY\u{1}{unique}\u{2}¦TAGS\u{1}b\u{2}a\u{1}5\u{2}¦KEYS\u{1}k1 k2\u{2}\
     WAIT\u{1}true¦DELAY\u{1}3\u{2}TAGS\u{1}a¦DELAY\u{1}20\u{2}¦DELAY\u{1}x\u{2}¦DELAY\u{1}-1\u{2}¦a\u{1}\u{2}b\u{1}7\u{2}¦¦~¦odd¦\u{1}\u{2}¦\
     MIN_OFFSET\u{1}9\u{2}REAL_TOPIC\u{1}x\u{2}¦CLUSTER\u{1}mine\u{2}MSG_REGION\u{1}there\u{2}TRACE_ON\u{1}false\u{2}¦\
     TRAN_MSG\u{1}false\u{2}TAGS\u{1}a\u{2}¦DUP_INFO\u{1}x\u{2}ORIGIN_MESSAGE_ID\u{1}m\u{2}¦RETRY_TOPIC\u{1}{T}\u{2}¦\
     TAGS\u{1}a\u{2}TAGS\u{1}b\u{2}¦1ST_CONSUME_START_TIME\u{1}5\u{2}UNIQ_KEY\u{1}\u{2}";
const SENT_QUEUE: &str = "0¦1¦2¦3¦0¦4¦7";
const QUEUE: &str = "0¦1¦2¦3¦0¦-1¦4¦7";
const TOPIC: &str = "{T}¦{T}¦{T}¦{U}¦{V}";
const GROUP: &str = "{G}¦{G}¦{G}¦{H}";
const OFFSET: &str = "0¦1¦2¦0¦3¦-1¦100¦9223372036854775807";
const EXPRESSION: &str = "a ||| b¦| a¦* || a¦ ¦*¦*¦a¦a || b¦c¦¦~¦a\u{1}¦  a  ¦a||b¦||";
const SQL: &str = "a <> 5¦a = '5'¦NOT a = 5¦a > '4'¦a >= 5.0¦a BETWEEN 1 AND 9¦a IN ('5','7')¦TAGS CONTAINS 'a'¦KEYS STARTSWITH 'k'¦a¦TRUE¦a = 5 OR b = 7¦-a < 0¦a IS NULL¦WAIT = TRUE¦a = 5¦TAGS = 'a'¦a > 3 AND b IS NULL¦b IS NOT NULL¦a ==¦";
const TIME: &str = "0¦1¦-1¦1700000000000¦9223372036854775807¦1699999999999";

const HEARTBEATS: &[&str] = &[
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":"{G}","consumeType":null,"messageModel":null,"consumeFromWhere":null,"unitMode":null,"subscriptionDataSet":[{"topic":"{T}","subVersion":"5","classFilterMode":"true"}]}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":5,"subscriptionDataSet":[{"topic":5,"subString":7,"subVersion":1.5,"codeSet":["1",2.0],"tagsSet":[1,null]}]}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":"{G}","messageModel":"BROADCASTING","consumeType":"CONSUME_POP","consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","subscriptionDataSet":[{"topic":"{T}","subString":"b || a","subVersion":1900000000000,"tagsSet":["b","a"],"codeSet":[97,98]},{"topic":"{T}","subString":"a","subVersion":1900000000001},{"topic":"","subString":"a"}]}]}"#,
    r#"{'clientID':'{C}',consumerDataSet:[{groupName:'{H}',subscriptionDataSet:[{topic:'{T}'},]}],producerDataSet:[{groupName:'{P}'},{groupName:'{P}'}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":{"groupName":"{H}"}}"#,
    r#"{"clientID":"{C}","producerDataSet":"x"}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":"","subscriptionDataSet":[{"topic":"{T}"}]},{"groupName":"{H}","subscriptionDataSet":[{"topic":"{U}"}]}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":"odd name!","subscriptionDataSet":[{"topic":"{T}"}]}],"producerDataSet":[{"groupName":""}]}"#,
    r#"{"clientID":"","consumerDataSet":[{"groupName":"{H}","subscriptionDataSet":[{"topic":"%RETRY%{H}","subString":"*"}]}],"heartbeatFingerprint":"9"}"#,
    r#"null"#,
    r#"{"clientID":"{C}"} x"#,
    r#"{"clientID":"{C}","clientID":"other","producerDataSet":[{"groupName":"{P}","groupName":null}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_LAST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"{G}","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1700000000000,"tagsSet":[],"topic":"{T}"},{"classFilterMode":false,"codeSet":[],"expressionType":"TAG","subString":"*","subVersion":1700000000001,"tagsSet":[],"topic":"%RETRY%{G}"}],"unitMode":false}],"heartbeatFingerprint":0,"producerDataSet":[{"groupName":"{P}"}],"withoutSub":false}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_PASSIVELY","groupName":"{G}","messageModel":"CLUSTERING","subscriptionDataSet":[{"classFilterMode":false,"codeSet":[97],"expressionType":"TAG","subString":"a","subVersion":1700000000005,"tagsSet":["a"],"topic":"{T}"},{"classFilterMode":false,"codeSet":[],"expressionType":"SQL92","subString":"a = 5","subVersion":1700000000002,"tagsSet":[],"topic":"{U}"}],"unitMode":false}],"heartbeatFingerprint":7,"producerDataSet":[],"withoutSub":false}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_TIMESTAMP","consumeType":"CONSUME_PASSIVELY","groupName":"{H}","messageModel":"BROADCASTING","subscriptionDataSet":[{"subString":"*","subVersion":1,"topic":"{T}"}],"unitMode":true}],"producerDataSet":[{"groupName":"{P}"}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"consumeType":"CONSUME_ACTIVELY","groupName":"{G}","messageModel":"CLUSTERING","subscriptionDataSet":[]}],"heartbeatFingerprint":7,"withoutSub":true}"#,
    r#"{"clientID":"{C}","producerDataSet":[{"groupName":"{P}"}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":"{H}"}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":"{G}","subscriptionDataSet":[{"topic":"{T}","subString":"a","expressionType":"ODD","subVersion":1800000000000}]}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":"{G}","consumeType":"odd","messageModel":"clustering","consumeFromWhere":7,"subscriptionDataSet":[{"topic":"{T}","subVersion":3}]}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{"groupName":"{G}","subscriptionDataSet":[{"topic":"{T}","subString":"a = = 5","expressionType":"SQL92","subVersion":1800000000000}]}]}"#,
    "{}",
    "",
    "[]",
    "odd",
    r#"{"clientID":null,"consumerDataSet":null,"producerDataSet":null}"#,
    r#"{"clientID":"{C}","consumerDataSet":[{}]}"#,
    r#"{"clientID":"{C}","producerDataSet":[{}]}"#,
    r#"{"clientID":"{C}","consumerDataSet":[null]}"#,
];

const LOCKS: &[&str] = &[
    r#"{"clientId":"{C}","consumerGroup":"{G}","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"{T}"},{"brokerName":"broker-a","queueId":0,"topic":"{T}"}]}"#,
    r#"{"clientId":"{C}","consumerGroup":null,"mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"{T}"}]}"#,
    r#"{"clientId":"","consumerGroup":"{H}","mqSet":[{"brokerName":"broker-a","queueId":2,"topic":"{T}"}]}"#,
    r#"{"clientId":"{C}","consumerGroup":"{G}","mqSet":{"a":1}}"#,
    r#"{"clientId":"{C}","consumerGroup":"{G}","mqSet":[{"brokerName":"broker-a","queueId":null,"topic":"{T}"}]}"#,
    r#"{"clientId":5,"consumerGroup":7,"mqSet":[{"brokerName":1,"queueId":1.7,"topic":2}]}"#,
    r#"{"clientId":"{C}","consumerGroup":"{G}","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"{T}"},{"brokerName":"broker-a","queueId":1,"topic":"{T}"}]}"#,
    r#"{"clientId":"{C}","consumerGroup":"{G}","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"{T}"}],"onlyThisBroker":false}"#,
    r#"{"clientId":"{C}","consumerGroup":"{H}","mqSet":[{"brokerName":"broker-b","queueId":77,"topic":"odd topic"}]}"#,
    r#"{"clientId":"{C}","consumerGroup":"{G}","mqSet":[]}"#,
    r#"{"clientId":"{C}","consumerGroup":"{G}","mqSet":[{}]}"#,
    r#"{"clientId":"{C}","consumerGroup":"{G}","mqSet":[{"queueId":"1","topic":"{T}","brokerName":"broker-a"}]}"#,
    r#"{"clientId":"{C}","consumerGroup":"","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"{T}"}]}"#,
    "{}",
    "",
    "odd",
];

const GROUPS: &[&str] = &[
    r#"{"groupName":"{G}","groupRetryPolicy":{"type":"EXPONENTIAL","exponentialRetryPolicy":{"initial":5,"max":10,"multiplier":3}},"subscriptionDataSet":[{"topic":"{T}"}]}"#,
    r#"{"groupName":"{G}","subscriptionDataSet":null,"attributes":null,"retryMaxTimes":null,"consumeEnable":null}"#,
    r#"{"groupName":"{G}","groupRetryPolicy":{"type":"odd"}}"#,
    r#"{"groupName":"{G}","groupRetryPolicy":{"type":"CUSTOMIZED","customizedRetryPolicy":{"next":[1,2,3]}}}"#,
    r#"{"groupName":"{H}","consumeMessageOrderly":1,"consumeTimeoutMinute":1.5,"brokerId":99999999999,"groupSysFlag":"-1"}"#,
    r#"{"groupName":"{H}","unknown":{"a":[1]},"consumeFromMinEnable":false}"#,
    r#"{"groupName":"{H}","retryQueueNums":1}"#,
    r#"{"groupName":null}"#,
    r#"{"groupName":7}"#,
    r#"{"groupName":"%RETRY%{G}"}"#,
    r#"{"groupName":" {G}"}"#,
    r#"{groupName:'{G}',retryMaxTimes:-5,}"#,
    r#"{"groupName":"{G}","attributes":{"":"b"}}"#,
    r#"{"groupName":"{G}","attributes":{"+priority.factor":7}}"#,
    r#"{"groupName":"{G}","attributes":{"+priority.factor":null}}"#,
    r#"{"groupName":"{G}","attributes":{"+priority.factor":"1","-priority.factor":""}}"#,
    r#"{"groupName":"{G}","retryMaxTimes":3,"retryQueueNums":1}"#,
    r#"{"groupName":"{G}","retryMaxTimes":16,"retryQueueNums":1,"consumeEnable":true,"consumeBroadcastEnable":false,"notifyConsumerIdsChangedEnable":true}"#,
    r#"{"groupName":"{H}","consumeEnable":false}"#,
    r#"{"groupName":"{H}","consumeEnable":true,"notifyConsumerIdsChangedEnable":false,"brokerId":1,"whichBrokerWhenConsumeSlowly":2,"consumeTimeoutMinute":7,"consumeMessageOrderly":true,"groupSysFlag":1}"#,
    r#"{"groupName":"{G}","retryMaxTimes":0}"#,
    r#"{"groupName":"{G}","attributes":{"+a":"b"}}"#,
    r#"{"groupName":"{G}","attributes":{"+priority.factor":"5"}}"#,
    r#"{"groupName":"{G}","attributes":{"-priority.factor":""}}"#,
    r#"{"groupName":"{H}","attributes":{"+priority.factor":"101"}}"#,
    r#"{"groupName":"{G}","attributes":{}}"#,
    r#"{"groupName":"{H}","retryQueueNums":0}"#,
    r#"{"groupName":"odd name!"}"#,
    r#"{"groupName":""}"#,
    r#"{"groupName":"{G}","retryMaxTimes":"x"}"#,
    r#"{"groupName":"{G}","retryMaxTimes":"5","consumeEnable":"TRUE"}"#,
    "{}",
    "",
    "odd",
];

const CHECKS: &[&str] = &[
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"SQL92","subString":"","topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"SQL92","subString":null,"topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"sql92","subString":"a = 1","topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":5,"subString":"a = 1","topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"SQL92","subString":5,"topic":"{T}"}}"#,
    r#"{"subscriptionData":null}"#,
    r#"{"subscriptionData":"x"}"#,
    r#"{"subscriptionData":[]}"#,
    r#"[]"#,
    r#"null"#,
    r#"{"subscriptionData":{"expressionType":"SQL92","subString":"a LIKE 'x'","subVersion":"x"}}"#,
    r#"{"subscriptionData":{"expressionType":"SQL92","subString":"a BETWEEN 5 AND 1"}}"#,
    r#"{"subscriptionData":{"expressionType":"SQL92","subString":"a IN ('b',)"}}"#,
    r#"{"subscriptionData":{"expressionType":"SQL92","subString":"a = 'x"}}"#,
    r#"{"subscriptionData":{"expressionType":"SQL92","subString":"a = 0x10"}}"#,
    r#"{"subscriptionData":{"expressionType":"SQL92","subString":"größe = 1"}}"#,
    r#"{"clientId":"{C}","group":"{G}","namespace":"","subscriptionData":{"expressionType":"SQL92","subString":"a > 1","topic":"{T}","subVersion":1}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"SQL92","subString":"a > > 1","topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"TAG","subString":"a","topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"ODD","subString":"a","topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"","subString":"a","topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}","subscriptionData":{"expressionType":"SQL92","topic":"{T}"}}"#,
    r#"{"clientId":"{C}","group":"{G}"}"#,
    "{}",
    "",
    "odd",
];

const SEND: &[(&str, &str)] = &[
    ("producerGroup", "{P}"),
    ("topic", TOPIC),
    ("defaultTopic", "TBW102"),
    ("defaultTopicQueueNums", "4¦4¦2¦8¦16"),
    ("queueId", SENT_QUEUE),
    ("sysFlag", "0¦0¦0¦1¦2"),
    ("bornTimestamp", "1700000000000"),
    ("flag", "0¦7¦-7"),
    ("properties", PROPERTIES),
    ("reconsumeTimes", "0¦~¦3"),
    ("unitMode", "false¦~¦true"),
    ("maxReconsumeTimes", "~¦16"),
    ("batch", "~¦~¦~¦false"),
    ("bname", "~¦broker-a¦other"),
];

const SEND_V2: &[(&str, &str)] = &[
    ("a", "{P}"),
    ("b", TOPIC),
    ("c", "TBW102"),
    ("d", "4¦4¦2¦8¦16"),
    ("e", SENT_QUEUE),
    ("f", "0¦0¦0¦1¦2"),
    ("g", "1700000000000"),
    ("h", "0¦7¦-7"),
    ("i", PROPERTIES),
    ("j", "0¦~¦3"),
    ("k", "false¦~¦true"),
    ("l", "~¦16"),
    ("m", "~¦~¦~¦false"),
    ("n", "~¦broker-a¦other"),
];

const BATCH: &[(&str, &str)] = &[
    ("a", "{P}"),
    ("b", TOPIC),
    ("c", "TBW102"),
    ("d", "4"),
    ("e", SENT_QUEUE),
    ("f", "0"),
    ("g", "1700000000000"),
    ("h", "0"),
    ("i", PROPERTIES),
    ("j", "0"),
    ("k", "false"),
    ("m", "true¦true¦~¦false"),
];

const PULL: &[(&str, &str)] = &[
    ("consumerGroup", GROUP),
    ("topic", TOPIC),
    ("queueId", QUEUE),
    ("queueOffset", OFFSET),
    ("maxMsgNums", "32¦1¦2¦32¦0¦-1¦1000¦33¦2147483647¦-2147483648"),
    ("sysFlag", "4¦4¦4¦5¦0¦1¦12¦20¦8¦16¦36¦68¦256¦-4¦-3"),
    ("commitOffset", "0¦1¦2¦-1"),
    ("suspendTimeoutMillis", "0¦1000"),
    ("subscription", EXPRESSION),
    ("subVersion", "1700000000000¦0¦1¦1900000000000"),
    ("expressionType", "TAG¦TAG¦~¦¦tag¦SQL92"),
    ("maxMsgBytes", "~¦~¦1000¦1¦-1"),
];

const TOPIC_ONLY: &[(&str, &str)] = &[("topic", TOPIC)];
const CONSUMER_GROUP: &[(&str, &str)] = &[("consumerGroup", GROUP)];
const GROUP_ONLY: &[(&str, &str)] = &[("group", GROUP)];
const PLACE: &[(&str, &str)] = &[("topic", TOPIC), ("queueId", QUEUE), ("bname", "~¦broker-a")];

const fn of(code: i32, server: Server, weight: u64, fields: &'static [(&'static str, &'static str)]) -> Template {
    Template { code, server, weight, fields, bodies: NOTHING }
}

const fn with(template: Template, bodies: &'static [&'static str]) -> Template {
    Template { bodies, ..template }
}

/// All of them.
pub(crate) const TEMPLATES: &[Template] = &[
    with(of(10, Broker, 4, SEND), BODY),
    with(of(310, Broker, 10, SEND_V2), BODY),
    with(of(320, Broker, 3, BATCH), &["@batch", "@batch", "@batch", "", "odd"]),
    // A topic of one queue, which any queue is.
    with(
        of(
            310,
            Broker,
            1,
            &[
                ("a", "{P}"),
                ("b", "{W}"),
                ("c", "TBW102"),
                ("d", "4"),
                ("e", "-1¦-7"),
                ("f", "0"),
                ("g", "1700000000000"),
                ("h", "0"),
                ("i", PROPERTIES),
            ],
        ),
        BODY,
    ),
    of(
        36,
        Broker,
        5,
        &[
            ("offset", "{stored}¦{stored}¦{stored}¦0¦-1¦99999999"),
            ("group", GROUP),
            ("delayLevel", "0¦0¦3¦-1¦1¦18¦19¦-2"),
            ("originMsgId", "~¦m"),
            ("originTopic", "~¦{T}"),
            ("unitMode", "~¦false¦true"),
            ("maxReconsumeTimes", "~¦16¦0¦1¦-1"),
        ],
    ),
    of(11, Broker, 8, PULL),
    of(361, Broker, 1, PULL),
    of(
        11,
        Broker,
        2,
        &[
            ("consumerGroup", GROUP),
            ("topic", TOPIC),
            ("queueId", QUEUE),
            ("queueOffset", "0"),
            ("maxMsgNums", "32"),
            ("sysFlag", "4"),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", "0"),
            ("subscription", SQL),
            ("subVersion", "1700000000000"),
            ("expressionType", "SQL92¦SQL92¦sql92¦ODD"),
        ],
    ),
    of(
        11,
        Broker,
        2,
        &[
            ("consumerGroup", GROUP),
            ("topic", "SCHEDULE_TOPIC_XXXX¦%RETRY%{G}¦%DLQ%{G}"),
            ("queueId", "2¦0¦1¦3¦17"),
            ("queueOffset", "0"),
            ("maxMsgNums", "32"),
            ("sysFlag", "4"),
            ("commitOffset", "0"),
            ("suspendTimeoutMillis", "0"),
            ("subscription", "*"),
            ("subVersion", "1700000000000"),
        ],
    ),
    of(15, Broker, 3, &[("consumerGroup", GROUP), ("topic", TOPIC), ("queueId", QUEUE), ("commitOffset", OFFSET)]),
    of(43, Broker, 1, &[]),
    of(
        14,
        Broker,
        3,
        &[("consumerGroup", GROUP), ("topic", TOPIC), ("queueId", QUEUE), ("setZeroIfNotFound", "~¦~¦true¦false")],
    ),
    of(
        29,
        Broker,
        2,
        &[("topic", TOPIC), ("queueId", QUEUE), ("timestamp", TIME), ("boundaryType", "~¦lower¦upper¦LOWER¦UPPER")],
    ),
    of(30, Broker, 2, PLACE),
    of(31, Broker, 2, PLACE),
    of(32, Broker, 1, PLACE),
    of(33, Broker, 2, &[("topic", "~¦{T}"), ("offset", "{stored}¦{stored}¦0¦-1¦99999999")]),
    of(
        12,
        Broker,
        2,
        &[
            ("topic", TOPIC),
            ("key", "k1¦k2¦k1¦{unique}¦no¦a¦b¦k1 k2"),
            ("maxNum", "32¦1¦0¦-1¦64¦65¦1000"),
            ("beginTimestamp", "0"),
            ("endTimestamp", "9223372036854775807¦0"),
            ("indexType", "~¦~¦K¦U¦T¦x"),
            ("_UNIQUE_KEY_QUERY", "~¦~¦true¦false"),
        ],
    ),
    with(of(34, Broker, 8, &[]), HEARTBEATS),
    of(35, Broker, 2, &[("clientID", "{C}¦other"), ("producerGroup", "~¦{P}"), ("consumerGroup", "~¦{G}¦{H}")]),
    of(38, Broker, 2, CONSUMER_GROUP),
    with(of(41, Broker, 3, &[]), LOCKS),
    // Without a member's id, by a group of its own: a broker of Apache's never gets over it.
    with(
        of(41, Broker, 1, &[]),
        &[r#"{"consumerGroup":"n{G}","mqSet":[{"brokerName":"broker-a","queueId":0,"topic":"{T}"}]}"#],
    ),
    with(of(42, Broker, 2, &[]), LOCKS),
    with(of(200, Broker, 2, &[]), GROUPS),
    of(352, Broker, 2, GROUP_ONLY),
    of(201, Broker, 1, &[("groupSeq", "~¦0¦2"), ("maxGroupNum", "~¦3¦1000000"), ("dataVersion", "~")]),
    of(207, Broker, 1, &[("groupName", GROUP), ("cleanOffset", "~¦true¦false")]),
    of(203, Broker, 2, CONSUMER_GROUP),
    of(204, Broker, 2, &[("producerGroup", "{P}¦{P}¦none")]),
    of(300, Broker, 2, TOPIC_ONLY),
    of(343, Broker, 2, GROUP_ONLY),
    of(345, Broker, 2, &[("group", GROUP), ("topic", TOPIC)]),
    of(208, Broker, 2, &[("consumerGroup", GROUP), ("topic", "~¦{T}¦¦{U}"), ("topicList", "~¦~¦~¦{T};{U};¦{T}")]),
    of(
        222,
        Broker,
        2,
        &[
            ("topic", TOPIC),
            ("group", GROUP),
            ("queueId", "~¦-1¦0¦1¦9¦-2¦4"),
            ("offset", "~¦-1¦0¦1¦100¦-2¦2¦3"),
            ("timestamp", "-1¦0¦-2¦9223372036854775807"),
            ("isForce", "true¦false"),
        ],
    ),
    of(223, Broker, 1, &[("topic", TOPIC), ("group", GROUP), ("clientAddr", "~¦{C}¦none¦")]),
    of(307, Broker, 1, &[("consumerGroup", GROUP), ("clientId", "{C}¦{C}¦none"), ("jstackEnable", "~¦true¦false")]),
    of(
        309,
        Broker,
        1,
        &[
            ("consumerGroup", GROUP),
            ("clientId", "{C}¦{C}¦none¦~"),
            ("msgId", "{id}¦{id}¦~¦odd"),
            ("brokerName", "~¦broker-a"),
            ("topic", "~¦{T}"),
        ],
    ),
    with(of(46, Broker, 1, &[]), CHECKS),
    of(
        17,
        Broker,
        3,
        &[
            ("topic", "{T}¦{U}¦{V}¦{V}"),
            ("defaultTopic", "TBW102"),
            ("readQueueNums", "4¦4¦2¦8"),
            ("writeQueueNums", "4¦4¦2¦8"),
            ("perm", "6¦6¦6¦4¦2¦0¦7¦1¦8¦14¦-1¦100"),
            ("topicFilterType", "SINGLE_TAG¦SINGLE_TAG¦MULTI_TAG"),
            ("topicSysFlag", "0¦~¦2¦1¦3¦-1"),
            ("order", "false¦true¦~"),
            (
                "attributes",
                "~¦~¦¦+message.type=NORMAL¦+message.type=odd¦+odd=x¦-message.type¦+message.type=FIFO,+queue.type=SimpleCQ¦+message.type=DELAY¦+message.type=NORMAL,+reserve.time=5¦+reserve.time=-1¦+reserve.time=x¦+cleanup.policy=DELETE¦+a=b=c¦-a=b¦+message.type¦-message.type,¦,¦ ¦+message.type=FIFO=x¦+liteTopic=x¦+message.type=LITE",
            ),
        ],
    ),
    of(215, Broker, 1, &[("topic", "{V}¦{V}¦{U}")]),
    of(202, Broker, 2, TOPIC_ONLY),
    of(351, Broker, 2, TOPIC_ONLY),
    of(21, Broker, 1, &[("topicSeq", "~¦~¦0¦3"), ("maxTopicNum", "~¦2¦1000000"), ("dataVersion", "~")]),
    of(26, Broker, 1, &[]),
    of(28, Broker, 1, &[]),
    of(105, NameServer, 4, &[("topic", TOPIC), ("acceptStandardJsonOnly", "~¦~¦true¦false")]),
    of(106, NameServer, 1, &[]),
    of(206, NameServer, 1, &[]),
    of(216, NameServer, 1, &[("topic", "{X}¦{X}¦never"), ("clusterName", "~¦~¦DefaultCluster¦other")]),
    of(100, NameServer, 2, &[("namespace", "ORDER_TOPIC_CONFIG¦n{P}"), ("key", "k¦k2"), ("value", "broker-a:4¦v¦")]),
    of(101, NameServer, 2, &[("namespace", "ORDER_TOPIC_CONFIG¦n{P}"), ("key", "k¦k2")]),
    of(102, NameServer, 1, &[("namespace", "ORDER_TOPIC_CONFIG¦n{P}"), ("key", "k¦k2")]),
    of(219, NameServer, 1, &[("namespace", "ORDER_TOPIC_CONFIG¦n{P}¦none")]),
    of(319, NameServer, 1, &[]),
];

/// What stands in the place of any value now and then.
pub(crate) const ODD: &[&str] = &[
    "",
    "~",
    "-1",
    "x",
    "1.5",
    "2147483648",
    "99999999999999999999",
    " 1",
    "TRUE",
    "null",
    "+1",
    "0x1",
    "-9223372036854775808",
];

/// What stands in the place of names now and then.
pub(crate) const ODD_NAMES: &[&str] = &[
    "",
    "~",
    "none",
    "odd name!",
    "TBW102",
    "SCHEDULE_TOPIC_XXXX",
    "%RETRY%{G}",
    "%DLQ%{G}",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "{LONG}",
    "{LONGER}",
    "DefaultCluster",
    "broker-a",
    "größe",
    "SELF_TEST_TOPIC",
    "a/b",
    "TOOLS_CONSUMER",
    "CID_RMQ_SYS_x",
];
