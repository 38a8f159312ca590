//! Bodies as other clients and servers write them: each comes back, whoever has written it.

use crate::wire::body::*;
use crate::wire::json::styles::restyled_body;
use crate::wire::odd::Odd;

/// How many styles each body is written in.
const STYLES: u64 = 100;

/// Reads each body, writes it, and reads what others write in its stead; the number of bodies is given back.
macro_rules! come_back {
    ($($type:ident: $text:expr;)*) => {{
        let mut count = 0;
        $(
            count += 1;
            let body: $type = from_slice($text.as_bytes()).expect(stringify!($type));
            assert_eq!(String::from_utf8(to_vec(&body)).as_deref(), Ok($text));
            for seed in 0..STYLES {
                let text = restyled_body($text.as_bytes(), seed);
                let odd = Odd::default();
                assert_eq!(read(text.as_bytes(), &odd).as_ref(), Ok(&body), "seed {seed}: {text}");
                assert_eq!(odd.first(), None, "seed {seed}: {text}");
            }
        )*
        count
    }};
}

#[test]
fn every_body_comes_back_whoever_has_written_it_and_none_is_forgotten() {
    let tested = come_back! {
        ConsumerList: r##"{"consumerIdList":["c","d"]}"##;
        CommittedOffsets: r##"{"offsetTable":{"T@G":{"0":1,"1":2}}}"##;
        CheckClientConfig: r##"{"clientId":"c","group":"G","namespace":"n","subscriptionData":{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"}}"##;
        QueueLockRequest: r##"{"clientId":"c","consumerGroup":"G","mqSet":[{"brokerName":"b","queueId":1,"topic":"T"}],"onlyThisBroker":true}"##;
        LockedQueues: r##"{"lockOKMQSet":[{"brokerName":"b","queueId":1,"topic":"T"}]}"##;
        ResetOffsets: r##"{"offsetTable":{{"brokerName":"b","queueId":1,"topic":"T"}:12}}"##;
        ConsumerStatus: r##"{"consumerTable":{"c":{{"brokerName":"b","queueId":1,"topic":"T"}:12}},"messageQueueTable":{{"brokerName":"b","queueId":1,"topic":"T"}:13}}"##;
        ConsumerRunningInfo: r##"{"mqPopTable":{{"brokerName":"b","queueId":1,"topic":"T"}:{"droped":true,"lastPopTimestamp":3,"waitAckCount":4}},"mqTable":{{"brokerName":"b","queueId":1,"topic":"T"}:{"cachedMsgCount":1,"cachedMsgMaxOffset":2,"cachedMsgMinOffset":3,"cachedMsgSizeInMiB":4,"commitOffset":5,"droped":true,"lastConsumeTimestamp":6,"lastLockTimestamp":7,"lastPullTimestamp":8,"locked":true,"transactionMsgCount":9,"transactionMsgMaxOffset":10,"transactionMsgMinOffset":11,"tryUnlockTimes":12}},"properties":{"p":"v"},"statusTable":{"T":{"consumeFailedMsgs":1,"consumeFailedTPS":0.5,"consumeOKTPS":1.5,"consumeRT":2.5,"pullRT":3.5,"pullTPS":4.5}},"subscriptionSet":[{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"}],"userConsumerInfo":{"u":"w"},"jstack":"j"}"##;
        PopProcessQueueInfo: r##"{"droped":true,"lastPopTimestamp":3,"waitAckCount":4}"##;
        ProcessQueueInfo: r##"{"cachedMsgCount":1,"cachedMsgMaxOffset":2,"cachedMsgMinOffset":3,"cachedMsgSizeInMiB":4,"commitOffset":5,"droped":true,"lastConsumeTimestamp":6,"lastLockTimestamp":7,"lastPullTimestamp":8,"locked":true,"transactionMsgCount":9,"transactionMsgMaxOffset":10,"transactionMsgMinOffset":11,"tryUnlockTimes":12}"##;
        ConsumeStatus: r##"{"consumeFailedMsgs":1,"consumeFailedTPS":0.5,"consumeOKTPS":1.5,"consumeRT":2.5,"pullRT":3.5,"pullTPS":4.5}"##;
        DirectConsumption: r##"{"autoCommit":true,"consumeResult":"CR_THROW_EXCEPTION","order":true,"remark":"r","spentTimeMills":5}"##;
        Connection: r##"{"clientAddr":"127.0.0.1:5","clientId":"c","language":"JAVA","version":493}"##;
        ConsumerConnections: r##"{"connectionSet":[{"clientAddr":"127.0.0.1:5","clientId":"c","language":"JAVA","version":493}],"consumeFromWhere":"CONSUME_FROM_FIRST_OFFSET","consumeType":"CONSUME_POP","messageModel":"BROADCASTING","subscriptionTable":{"T":{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"}}}"##;
        ProducerConnections: r##"{"connectionSet":[{"clientAddr":"127.0.0.1:5","clientId":"c","language":"JAVA","version":493}]}"##;
        ConsumeStats: r##"{"consumeTps":0.5,"offsetTable":{{"brokerName":"b","queueId":1,"topic":"T"}:{"brokerOffset":4,"consumerOffset":3,"lastTimestamp":2,"pullOffset":1}}}"##;
        ConsumedOffsets: r##"{"brokerOffset":4,"consumerOffset":3,"lastTimestamp":2,"pullOffset":1}"##;
        GroupList: r##"{"groupList":["G","H"]}"##;
        ConsumerSubscription: r##"{"group":"G","subscriptionData":{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"},"topic":"T"}"##;
        SubscriptionGroupConfig: r##"{"attributes":{"a":"b"},"brokerId":3,"consumeBroadcastEnable":false,"consumeEnable":false,"consumeFromMinEnable":false,"consumeMessageOrderly":true,"consumeTimeoutMinute":16,"groupName":"G","groupRetryPolicy":{"type":"EXPONENTIAL"},"groupSysFlag":4,"notifyConsumerIdsChangedEnable":false,"retryMaxTimes":5,"retryQueueNums":2,"whichBrokerWhenConsumeSlowly":7}"##;
        GroupRetryPolicy: r##"{"type":"EXPONENTIAL"}"##;
        SubscriptionGroups: r##"{"dataVersion":{"counter":1,"stateVersion":2,"timestamp":-9223372036854775808},"forbiddenTable":{"G":{"T":1}},"subscriptionGroupTable":{"G":{"attributes":{"a":"b"},"brokerId":3,"consumeBroadcastEnable":false,"consumeEnable":false,"consumeFromMinEnable":false,"consumeMessageOrderly":true,"consumeTimeoutMinute":16,"groupName":"G","groupRetryPolicy":{"type":"EXPONENTIAL"},"groupSysFlag":4,"notifyConsumerIdsChangedEnable":false,"retryMaxTimes":5,"retryQueueNums":2,"whichBrokerWhenConsumeSlowly":7}}}"##;
        NamedGroups: r##"{"dataVersion":{"counter":1,"stateVersion":2,"timestamp":3},"subscriptionGroupTable":{"G":{}}}"##;
        DataVersion: r##"{"counter":1,"stateVersion":2,"timestamp":-9223372036854775808}"##;
        HeartbeatData: r##"{"clientID":"c","consumerDataSet":[{"consumeFromWhere":"CONSUME_FROM_TIMESTAMP","consumeType":"CONSUME_ACTIVELY","groupName":"G","messageModel":"BROADCASTING","subscriptionDataSet":[{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"},{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"}],"unitMode":true}],"heartbeatFingerprint":-7,"producerDataSet":[{"groupName":"P"}],"withoutSub":true}"##;
        ProducerData: r##"{"groupName":"P"}"##;
        ConsumerData: r##"{"consumeFromWhere":"CONSUME_FROM_TIMESTAMP","consumeType":"CONSUME_ACTIVELY","groupName":"G","messageModel":"BROADCASTING","subscriptionDataSet":[{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"},{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"}],"unitMode":true}"##;
        QueueKey: r##"{"brokerName":"b","queueId":1,"topic":"T"}"##;
        TopicRouteData: r##"{"brokerDatas":[{"brokerAddrs":{"-1":"c:1","0":"a:1","1":"b:1"},"brokerName":"b","cluster":"C","enableActingMaster":true}],"filterServerTable":{"f":["x","y"]},"orderTopicConf":"b:4","queueDatas":[{"brokerName":"b","perm":6,"readQueueNums":4,"topicSysFlag":1,"writeQueueNums":3}]}"##;
        BrokerData: r##"{"brokerAddrs":{"-1":"c:1","0":"a:1","1":"b:1"},"brokerName":"b","cluster":"C","enableActingMaster":true}"##;
        QueueData: r##"{"brokerName":"b","perm":6,"readQueueNums":4,"topicSysFlag":1,"writeQueueNums":3}"##;
        ClusterInfo: r##"{"brokerAddrTable":{"b":{"brokerAddrs":{"-1":"c:1","0":"a:1","1":"b:1"},"brokerName":"b","cluster":"C","enableActingMaster":true}},"clusterAddrTable":{"C":["b"]}}"##;
        SubscriptionData: r##"{"classFilterMode":true,"codeSet":[-5,97],"expressionType":"SQL92","subString":"a > 1","subVersion":17,"tagsSet":["a","é😀\"\\"],"topic":"T"}"##;
        KeyValueTable: r##"{"table":{"a":"b","c":"5"}}"##;
        TopicList: r##"{"brokerAddr":"127.0.0.1:10911","topicList":["T","U"]}"##;
        TopicStatsTable: r##"{"offsetTable":{{"brokerName":"b","queueId":1,"topic":"T"}:{"lastUpdateTimestamp":3,"maxOffset":9223372036854775807,"minOffset":1}},"topicPutTps":0.5}"##;
        QueueOffsets: r##"{"lastUpdateTimestamp":3,"maxOffset":9223372036854775807,"minOffset":1}"##;
    };
    let sources = [
        include_str!("../consumers.rs"),
        include_str!("../groups.rs"),
        include_str!("../heartbeat.rs"),
        include_str!("../queue.rs"),
        include_str!("../route.rs"),
        include_str!("../subscription.rs"),
        include_str!("../table.rs"),
        include_str!("../topics.rs"),
    ];
    let declared = sources.map(|source| source.matches("\n    #[derive(").count());
    assert_eq!(tested, declared.iter().sum::<usize>());
}
