//! The extension fields that we have a typed header for.

use std::collections::BTreeSet;

use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{
    ConsumeDirectly, CreateTopic, DeleteTopicInBroker, DeleteTopicInNameServer, GetConsumeStats,
    GetConsumerConnections, GetConsumerList, GetConsumerRunningInfo, GetKvConfig, GetMaxOffset, GetMinOffset,
    GetProducerConnections, GetRouteInfo, GetTopicStats, InvokeResetOffset, NotifyConsumerIdsChanged, OffsetAnswer,
    PullMessage, PullMessageAnswer, QueryConsumerOffset, QueryMessage, QueryMessageAnswer, QueryTopicConsumers,
    SearchOffset, SendBack, SendMessage, SendMessageAnswer, UnregisterClient, UpdateConsumerOffset, ViewMessage,
};

use crate::capture;
use crate::rewrite::rewrite_header;

/// Fields that Java sends and our headers leave out.
pub(crate) const LEFT_OUT: [&str; 8] =
    ["MSG_REGION", "ReqT", "TRACE_ON", "committed", "force", "groupSysFlag", "recallHandle", "topicSysFlag"];

/// Reads and writes the typed headers of a folder, in which these fields are left out. Returns how many there were.
pub(crate) fn rewritten(folder: &str, expected: &[&str]) -> usize {
    let mut count = 0;
    let mut left_out = BTreeSet::new();
    for frame in capture::read(folder) {
        let code = RequestCode(i32::try_from(frame.request_code()).expect("32 bits"));
        let turn = if frame.command.is_response() { answer } else { request };
        let result = turn(code, &frame.command, &frame.bytes);
        if let Some(result) = result {
            left_out.extend(result.unwrap_or_else(|error| panic!("{}: {error}", frame.index)));
            count += 1;
        }
    }
    assert_eq!(left_out, expected.iter().map(|name| (*name).to_owned()).collect());
    count
}

type Rewritten = Option<Result<Vec<String>, String>>;

fn request(code: RequestCode, command: &Command, bytes: &[u8]) -> Rewritten {
    Some(match code {
        RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE | RequestCode::SEND_REPLY_MESSAGE_V2 => {
            rewrite_header::<SendMessage<'_>>(command, bytes)
        }
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => rewrite_header::<PullMessage<'_>>(command, bytes),
        RequestCode::QUERY_CONSUMER_OFFSET => rewrite_header::<QueryConsumerOffset<'_>>(command, bytes),
        RequestCode::UPDATE_CONSUMER_OFFSET => rewrite_header::<UpdateConsumerOffset<'_>>(command, bytes),
        RequestCode::UPDATE_AND_CREATE_TOPIC => rewrite_header::<CreateTopic<'_>>(command, bytes),
        RequestCode::SEARCH_OFFSET_BY_TIMESTAMP => rewrite_header::<SearchOffset<'_>>(command, bytes),
        RequestCode::GET_MAX_OFFSET => rewrite_header::<GetMaxOffset<'_>>(command, bytes),
        RequestCode::GET_MIN_OFFSET => rewrite_header::<GetMinOffset<'_>>(command, bytes),
        RequestCode::UNREGISTER_CLIENT => rewrite_header::<UnregisterClient<'_>>(command, bytes),
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => rewrite_header::<GetConsumerList<'_>>(command, bytes),
        RequestCode::GET_ROUTEINFO_BY_TOPIC => rewrite_header::<GetRouteInfo<'_>>(command, bytes),
        RequestCode::GET_KV_CONFIG => rewrite_header::<GetKvConfig<'_>>(command, bytes),
        RequestCode::GET_TOPIC_STATS_INFO => rewrite_header::<GetTopicStats<'_>>(command, bytes),
        RequestCode::DELETE_TOPIC_IN_BROKER => rewrite_header::<DeleteTopicInBroker<'_>>(command, bytes),
        RequestCode::CONSUMER_SEND_MSG_BACK => rewrite_header::<SendBack<'_>>(command, bytes),
        RequestCode::NOTIFY_CONSUMER_IDS_CHANGED => rewrite_header::<NotifyConsumerIdsChanged<'_>>(command, bytes),
        RequestCode::GET_CONSUMER_CONNECTION_LIST => rewrite_header::<GetConsumerConnections<'_>>(command, bytes),
        RequestCode::GET_PRODUCER_CONNECTION_LIST => rewrite_header::<GetProducerConnections<'_>>(command, bytes),
        RequestCode::GET_CONSUME_STATS => rewrite_header::<GetConsumeStats<'_>>(command, bytes),
        RequestCode::GET_CONSUMER_RUNNING_INFO => rewrite_header::<GetConsumerRunningInfo<'_>>(command, bytes),
        RequestCode::CONSUME_MESSAGE_DIRECTLY => rewrite_header::<ConsumeDirectly<'_>>(command, bytes),
        RequestCode::INVOKE_BROKER_TO_RESET_OFFSET => rewrite_header::<InvokeResetOffset<'_>>(command, bytes),
        RequestCode::QUERY_TOPIC_CONSUME_BY_WHO => rewrite_header::<QueryTopicConsumers<'_>>(command, bytes),
        RequestCode::QUERY_MESSAGE => rewrite_header::<QueryMessage<'_>>(command, bytes),
        RequestCode::VIEW_MESSAGE_BY_ID => rewrite_header::<ViewMessage<'_>>(command, bytes),
        RequestCode::DELETE_TOPIC_IN_NAMESRV => rewrite_header::<DeleteTopicInNameServer<'_>>(command, bytes),
        _ => return None,
    })
}

/// Answers to pulls have fields whatever their code; others only on success.
fn answer(code: RequestCode, command: &Command, bytes: &[u8]) -> Rewritten {
    let is_success = command.code == ResponseCode::SUCCESS.0;
    Some(match code {
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => {
            rewrite_header::<PullMessageAnswer>(command, bytes)
        }
        RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE | RequestCode::SEND_REPLY_MESSAGE_V2
            if is_success =>
        {
            rewrite_header::<SendMessageAnswer<'_>>(command, bytes)
        }
        RequestCode::QUERY_CONSUMER_OFFSET
        | RequestCode::SEARCH_OFFSET_BY_TIMESTAMP
        | RequestCode::GET_MAX_OFFSET
        | RequestCode::GET_MIN_OFFSET
            if is_success =>
        {
            rewrite_header::<OffsetAnswer>(command, bytes)
        }
        RequestCode::QUERY_MESSAGE => rewrite_header::<QueryMessageAnswer>(command, bytes),
        _ => return None,
    })
}
