//! The extension fields that we have a typed header for.

use std::collections::BTreeSet;

use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::Command;
use stgclient_core::wire::request::{
    ConsumeDirectly, CreateTopic, DeleteTopicInBroker, DeleteTopicInNameServer, GetConsumeStats,
    GetConsumerConnections, GetConsumerList, GetConsumerRunningInfo, GetMaxOffset, GetMinOffset,
    GetProducerConnections, GetRouteInfo, GetTopicStats, InvokeResetOffset, NotifyConsumerIdsChanged, OffsetAnswer,
    PullMessage, PullMessageAnswer, QueryConsumerOffset, QueryMessage, QueryMessageAnswer, QueryTopicConsumers,
    SearchOffset, SendBack, SendMessage, SendMessageAnswer, UnregisterClient, UpdateConsumerOffset, ViewMessage,
};

use crate::capture;
use crate::rewrite::rewrite_header;

/// Fields that Java sends and our headers leave out.
const LEFT_OUT: [&str; 8] =
    ["MSG_REGION", "ReqT", "TRACE_ON", "committed", "force", "groupSysFlag", "recallHandle", "topicSysFlag"];

/// Reads and writes the typed headers of a folder. Returns how many there were.
pub(crate) fn rewritten(folder: &str) -> usize {
    let mut count = 0;
    let mut left_out = BTreeSet::new();
    for frame in capture::read(folder) {
        let code = RequestCode(i32::try_from(frame.request_code()).expect("32 bits"));
        let result =
            if frame.command.is_response() { answer(code, &frame.command) } else { request(code, &frame.command) };
        if let Some(result) = result {
            left_out.extend(result.unwrap_or_else(|error| panic!("{}: {error}", frame.index)));
            count += 1;
        }
    }
    assert_eq!(left_out, LEFT_OUT.map(str::to_owned).into());
    count
}

type Rewritten = Option<Result<Vec<String>, String>>;

fn request(code: RequestCode, command: &Command) -> Rewritten {
    Some(match code {
        RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE | RequestCode::SEND_REPLY_MESSAGE_V2 => {
            rewrite_header::<SendMessage<'_>>(command)
        }
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => rewrite_header::<PullMessage<'_>>(command),
        RequestCode::QUERY_CONSUMER_OFFSET => rewrite_header::<QueryConsumerOffset<'_>>(command),
        RequestCode::UPDATE_CONSUMER_OFFSET => rewrite_header::<UpdateConsumerOffset<'_>>(command),
        RequestCode::UPDATE_AND_CREATE_TOPIC => rewrite_header::<CreateTopic<'_>>(command),
        RequestCode::SEARCH_OFFSET_BY_TIMESTAMP => rewrite_header::<SearchOffset<'_>>(command),
        RequestCode::GET_MAX_OFFSET => rewrite_header::<GetMaxOffset<'_>>(command),
        RequestCode::GET_MIN_OFFSET => rewrite_header::<GetMinOffset<'_>>(command),
        RequestCode::UNREGISTER_CLIENT => rewrite_header::<UnregisterClient<'_>>(command),
        RequestCode::GET_CONSUMER_LIST_BY_GROUP => rewrite_header::<GetConsumerList<'_>>(command),
        RequestCode::GET_ROUTEINFO_BY_TOPIC => rewrite_header::<GetRouteInfo<'_>>(command),
        RequestCode::GET_TOPIC_STATS_INFO => rewrite_header::<GetTopicStats<'_>>(command),
        RequestCode::DELETE_TOPIC_IN_BROKER => rewrite_header::<DeleteTopicInBroker<'_>>(command),
        RequestCode::CONSUMER_SEND_MSG_BACK => rewrite_header::<SendBack<'_>>(command),
        RequestCode::NOTIFY_CONSUMER_IDS_CHANGED => rewrite_header::<NotifyConsumerIdsChanged<'_>>(command),
        RequestCode::GET_CONSUMER_CONNECTION_LIST => rewrite_header::<GetConsumerConnections<'_>>(command),
        RequestCode::GET_PRODUCER_CONNECTION_LIST => rewrite_header::<GetProducerConnections<'_>>(command),
        RequestCode::GET_CONSUME_STATS => rewrite_header::<GetConsumeStats<'_>>(command),
        RequestCode::GET_CONSUMER_RUNNING_INFO => rewrite_header::<GetConsumerRunningInfo<'_>>(command),
        RequestCode::CONSUME_MESSAGE_DIRECTLY => rewrite_header::<ConsumeDirectly<'_>>(command),
        RequestCode::INVOKE_BROKER_TO_RESET_OFFSET => rewrite_header::<InvokeResetOffset<'_>>(command),
        RequestCode::QUERY_TOPIC_CONSUME_BY_WHO => rewrite_header::<QueryTopicConsumers<'_>>(command),
        RequestCode::QUERY_MESSAGE => rewrite_header::<QueryMessage<'_>>(command),
        RequestCode::VIEW_MESSAGE_BY_ID => rewrite_header::<ViewMessage<'_>>(command),
        RequestCode::DELETE_TOPIC_IN_NAMESRV => rewrite_header::<DeleteTopicInNameServer<'_>>(command),
        _ => return None,
    })
}

/// Answers to pulls have fields whatever their code; others only on success.
fn answer(code: RequestCode, command: &Command) -> Rewritten {
    let is_success = command.code == ResponseCode::SUCCESS.0;
    Some(match code {
        RequestCode::PULL_MESSAGE | RequestCode::LITE_PULL_MESSAGE => rewrite_header::<PullMessageAnswer>(command),
        RequestCode::SEND_MESSAGE_V2 | RequestCode::SEND_BATCH_MESSAGE | RequestCode::SEND_REPLY_MESSAGE_V2
            if is_success =>
        {
            rewrite_header::<SendMessageAnswer<'_>>(command)
        }
        RequestCode::QUERY_CONSUMER_OFFSET
        | RequestCode::SEARCH_OFFSET_BY_TIMESTAMP
        | RequestCode::GET_MAX_OFFSET
        | RequestCode::GET_MIN_OFFSET
            if is_success =>
        {
            rewrite_header::<OffsetAnswer>(command)
        }
        RequestCode::QUERY_MESSAGE => rewrite_header::<QueryMessageAnswer>(command),
        _ => return None,
    })
}
