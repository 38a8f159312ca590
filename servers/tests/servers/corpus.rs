//! What Apache's client 5.4.0 asked its servers, asked ours: the answers have to have the codes and the fields that
//! Apache's had.

use std::collections::{BTreeMap, BTreeSet};

use stgclient_core::wire::code::RequestCode as Code;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;

use super::capture::{Captured, Exchange, Told, read, replay};

/// What our servers do not do yet, or what a test asked of a broker that is configured otherwise.
fn is_comparable(request: &Command) -> bool {
    let code = Code(request.code);
    let ours = [
        Code::SEND_MESSAGE_V2,
        Code::SEND_BATCH_MESSAGE,
        Code::PULL_MESSAGE,
        Code::LITE_PULL_MESSAGE,
        Code::QUERY_CONSUMER_OFFSET,
        Code::UPDATE_AND_CREATE_TOPIC,
        Code::GET_TOPIC_STATS_INFO,
        Code::GET_TOPIC_CONFIG,
        Code::GET_BROKER_RUNTIME_INFO,
        Code::SEARCH_OFFSET_BY_TIMESTAMP,
        Code::GET_MAX_OFFSET,
        Code::GET_MIN_OFFSET,
        Code::GET_EARLIEST_MSG_STORETIME,
        Code::HEART_BEAT,
        Code::UNREGISTER_CLIENT,
        Code::GET_CONSUMER_LIST_BY_GROUP,
        Code::DELETE_TOPIC_IN_BROKER,
        Code::DELETE_TOPIC_IN_NAMESRV,
        Code::GET_ROUTEINFO_BY_TOPIC,
        Code::GET_BROKER_CLUSTER_INFO,
        Code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER,
        Code::PUT_KV_CONFIG,
        Code::GET_KV_CONFIG,
        Code::DELETE_KV_CONFIG,
        Code::GET_KVLIST_BY_NAMESPACE,
        Code::LOCK_BATCH_MQ,
        Code::UNLOCK_BATCH_MQ,
        Code::CONSUMER_SEND_MSG_BACK,
        Code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP,
        Code::GET_CONSUMER_CONNECTION_LIST,
        Code::GET_PRODUCER_CONNECTION_LIST,
        Code::GET_CONSUME_STATS,
        Code::QUERY_TOPIC_CONSUME_BY_WHO,
        Code::INVOKE_BROKER_TO_RESET_OFFSET,
        Code::QUERY_MESSAGE,
    ];
    ours.contains(&code)
}

/// Requests whose answers depend on messages and members of which the capture has only some (it keeps 25 exchanges of a
/// kind), or on how soon name servers hear of a topic. Their codes may differ; with the same code the fields may not.
const DEPENDENT: [Code; 10] = [
    Code::GET_ROUTEINFO_BY_TOPIC,
    Code::PULL_MESSAGE,
    Code::LITE_PULL_MESSAGE,
    Code::QUERY_CONSUMER_OFFSET,
    Code::GET_CONSUMER_LIST_BY_GROUP,
    Code::GET_CONSUMER_CONNECTION_LIST,
    Code::GET_PRODUCER_CONNECTION_LIST,
    Code::CONSUMER_SEND_MSG_BACK,
    Code::INVOKE_BROKER_TO_RESET_OFFSET,
    Code::QUERY_MESSAGE,
];

fn fields(answer: &Command) -> BTreeSet<String> {
    answer.fields.iter().map(|(name, _)| name.into_owned()).collect()
}

#[test]
fn answers_have_the_codes_and_fields_of_apaches() {
    for folder in ["json", "rocketmq"] {
        let captured = read(folder);
        let Told { answers: ours, .. } = replay(&captured, Dialect::Apache, |_| {});
        let is_request = |frame: &&Captured| frame.is_request();
        let requests: BTreeMap<Exchange, &Captured> =
            captured.iter().filter(is_request).map(|frame| (frame.exchange(), frame)).collect();
        let mut same = 0;
        for theirs in captured.iter().filter(|frame| frame.is_answer()) {
            let exchange = theirs.exchange();
            let Some(request) = requests.get(&exchange).filter(|request| is_comparable(&request.command)) else {
                continue;
            };
            let code = Code(request.command.code);
            let number = &theirs.index["n"];
            let Some(ours) = ours.get(&exchange) else {
                assert!(DEPENDENT.contains(&code), "{folder} {number}: {code} is not answered");
                continue;
            };
            if DEPENDENT.contains(&code) && ours.code != theirs.command.code {
                continue;
            }
            assert_eq!(ours.code, theirs.command.code, "{folder} {number}: {code}, {:?}", ours.remark);
            assert_eq!(fields(ours), fields(&theirs.command), "{folder} {number}: {code}");
            assert_eq!(ours.codec, theirs.command.codec);
            if !DEPENDENT.contains(&code) {
                assert_eq!(ours.remark, theirs.command.remark, "{folder} {number}: {code}");
            }
            same += 1;
        }
        assert!(same >= 250, "{folder}: {same} answers are the same");
    }
}
