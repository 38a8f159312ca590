//! Which requests smartgo's servers know, and which fields of them (`processor` folders of stgbroker and stgregistry).

use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::request::*;

use super::refusal::Refusal;

type Knows = fn(Dialect, &str) -> bool;

/// Says no to what a server of smartgo's does not know. Their field names begin with a capital letter; of the others
/// those pass, unread, that begin with a, b or c.
pub(super) fn check(request: &Command) -> Result<(), Refusal> {
    let code = request.code;
    let unsupported = || {
        let remark = format!(" request type {code} not supported");
        Refusal::new(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, remark)
    };
    let knows = fields_of(RequestCode(code)).ok_or_else(unsupported)?;
    let passes = |name: &str| knows(Dialect::Smartgo, name) || name.starts_with(['a', 'b', 'c']);
    match request.fields.iter().find(|(name, _)| !passes(name)) {
        Some((name, _)) => Err(Refusal::new(ResponseCode::SYSTEM_ERROR, format!("No such field: {name} in obj"))),
        None => Ok(()),
    }
}

fn none(_: Dialect, _: &str) -> bool {
    false
}

fn fields_of(code: RequestCode) -> Option<Knows> {
    use RequestCode as Code;
    Some(match code {
        Code::GET_ROUTEINFO_BY_TOPIC => GetRouteInfo::knows,
        Code::DELETE_TOPIC_IN_NAMESRV => DeleteTopicInNameServer::knows,
        Code::PUT_KV_CONFIG => PutKvConfig::knows,
        Code::GET_KV_CONFIG => GetKvConfig::knows,
        Code::DELETE_KV_CONFIG => DeleteKvConfig::knows,
        Code::GET_KVLIST_BY_NAMESPACE => GetKvList::knows,
        Code::SEND_MESSAGE_V2 => SendMessage::knows,
        Code::SEND_MESSAGE => SendMessageV1::knows,
        Code::CONSUMER_SEND_MSG_BACK => SendBack::knows,
        Code::PULL_MESSAGE => PullMessage::knows,
        Code::UPDATE_CONSUMER_OFFSET => UpdateConsumerOffset::knows,
        Code::QUERY_CONSUMER_OFFSET => QueryConsumerOffset::knows,
        Code::GET_ALL_CONSUMER_OFFSET => GetCommittedOffsets::knows,
        Code::SEARCH_OFFSET_BY_TIMESTAMP => SearchOffset::knows,
        Code::GET_MAX_OFFSET => GetMaxOffset::knows,
        Code::GET_MIN_OFFSET => GetMinOffset::knows,
        Code::GET_EARLIEST_MSG_STORETIME => GetEarliestStoreTime::knows,
        Code::VIEW_MESSAGE_BY_ID => ViewMessage::knows,
        Code::QUERY_MESSAGE => QueryMessage::knows,
        Code::UNREGISTER_CLIENT => UnregisterClient::knows,
        Code::GET_CONSUMER_LIST_BY_GROUP => GetConsumerList::knows,
        Code::GET_ALL_SUBSCRIPTIONGROUP_CONFIG => GetGroups::knows,
        Code::DELETE_SUBSCRIPTIONGROUP => DeleteGroup::knows,
        Code::GET_CONSUMER_CONNECTION_LIST => GetConsumerConnections::knows,
        Code::GET_PRODUCER_CONNECTION_LIST => GetProducerConnections::knows,
        Code::QUERY_TOPIC_CONSUME_BY_WHO => QueryTopicConsumers::knows,
        Code::GET_CONSUME_STATS => GetConsumeStats::knows,
        Code::INVOKE_BROKER_TO_RESET_OFFSET => InvokeResetOffset::knows,
        Code::INVOKE_BROKER_TO_GET_CONSUMER_STATUS => InvokeConsumerStatus::knows,
        Code::GET_CONSUMER_RUNNING_INFO => GetConsumerRunningInfo::knows,
        Code::CONSUME_MESSAGE_DIRECTLY => ConsumeDirectly::knows,
        Code::UPDATE_AND_CREATE_TOPIC => CreateTopic::knows,
        Code::DELETE_TOPIC_IN_BROKER => DeleteTopicInBroker::knows,
        Code::GET_TOPIC_STATS_INFO => GetTopicStats::knows,
        Code::GET_BROKER_CLUSTER_INFO
        | Code::GET_ALL_TOPIC_LIST_FROM_NAMESERVER
        | Code::HEART_BEAT
        | Code::LOCK_BATCH_MQ
        | Code::UNLOCK_BATCH_MQ
        | Code::UPDATE_AND_CREATE_SUBSCRIPTIONGROUP
        | Code::GET_ALL_TOPIC_CONFIG
        | Code::GET_BROKER_RUNTIME_INFO => none,
        _ => return None,
    })
}
