//! Which requests smartgo's servers know, which fields of them, and what becomes of the others (`ProcessRequest` and
//! `DecodeCommandCustomHeader` in stgbroker, stgregistry and stgnet).

use std::borrow::Cow;

use bytes::BytesMut;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, Fields, WriteHeader};
use stgclient_core::wire::request::*;

use super::refusal::Refusal;

type Knows = fn(Dialect, &str) -> bool;

/// What a server of smartgo's makes of a request before it does anything.
pub(super) enum Admission<'a> {
    /// It reads this.
    Read(Cow<'a, Command>),
    /// It does not read it, and says so.
    Refused(Refusal),
    /// It has never heard of such requests, and says nothing at all.
    Ignored,
}

/// What becomes of a request. Field names begin with a capital letter, which a, b and c are taken for. Where there is one that
/// is not known, name servers and some handlers of brokers refuse; others go on without what they have not read yet: here,
/// without any of it, unless it begins with a, b or c.
pub(super) fn admit(request: &Command) -> Admission<'_> {
    let code = RequestCode(request.code);
    let Some(knows) = fields_of(code) else {
        return Admission::Ignored;
    };
    let refuses = refuses_fields(code);
    let passes = |name: &str| knows(Dialect::Smartgo, name) || (!refuses && name.starts_with(['a', 'b', 'c']));
    let names = request.fields.iter().map(|(name, value)| (as_go_writes_it(&name), value));
    match names.into_iter().find(|(name, _)| !passes(name)) {
        None => match why_wrong(code, request) {
            Some(why) => Admission::Refused(Refusal::new(ResponseCode::SYSTEM_ERROR, why)),
            None => Admission::Read(Cow::Borrowed(request)),
        },
        Some((name, _)) if refuses => {
            let remark = format!("No such field: {name} in obj");
            Admission::Refused(Refusal::new(ResponseCode::SYSTEM_ERROR, remark))
        }
        Some(_) => Admission::Read(Cow::Owned(unread(request))),
    }
}

/// With a capital letter in front, if it begins with a, b or c.
fn as_go_writes_it(name: &str) -> String {
    match name.split_at_checked(1) {
        Some((first, rest)) if matches!(first, "a" | "b" | "c") => first.to_uppercase() + rest,
        _ => name.to_owned(),
    }
}

/// What else these servers look at before they do something.
fn why_wrong(code: RequestCode, request: &Command) -> Option<String> {
    let field = |name: &str| request.fields.get(name).unwrap_or_default();
    match code {
        RequestCode::GET_ROUTEINFO_BY_TOPIC if field("Topic").is_empty() => {
            Some("GetRouteInfoRequestHeader.Topic is empty".to_owned())
        }
        RequestCode::DELETE_TOPIC_IN_NAMESRV if field("Topic").is_empty() => {
            Some("DeleteTopicInNamesrvRequestHeader.Topic is empty".to_owned())
        }
        RequestCode::UPDATE_AND_CREATE_TOPIC => {
            let kind = field("TopicFilterType");
            kind.parse::<i64>().is_err().then(|| format!("strconv.ParseInt: parsing \"{kind}\": invalid syntax"))
        }
        _ => None,
    }
}

/// The request as one that has Go's zero in each of its fields.
fn unread(request: &Command) -> Command {
    let Command { code, language, version, opaque, flag, codec, .. } = *request;
    let head = Head { code, language, version, opaque, flag, remark: None };
    let mut frame = BytesMut::new();
    let fields = Zeros(&request.fields);
    command::encode(&mut frame, codec, Dialect::Smartgo, &head, &fields, &request.body);
    command::decode(frame.freeze().slice(4..)).unwrap_or_else(|_| request.clone())
}

struct Zeros<'a>(&'a Fields);

impl WriteHeader for Zeros<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in self.0.iter() {
            match &*value {
                "true" | "false" => writer.text(&name, "false"),
                number if number.parse::<i64>().is_ok() => writer.integer(&name, 0),
                _ => writer.text(&name, ""),
            }
        }
    }
}

/// Whether a request with a field that is not known is refused: by name servers, and by two handlers of brokers.
const fn refuses_fields(code: RequestCode) -> bool {
    use RequestCode as Code;
    matches!(
        code,
        Code::UPDATE_AND_CREATE_TOPIC
            | Code::GET_CONSUMER_LIST_BY_GROUP
            | Code::GET_ROUTEINFO_BY_TOPIC
            | Code::DELETE_TOPIC_IN_NAMESRV
            | Code::PUT_KV_CONFIG
            | Code::GET_KV_CONFIG
            | Code::DELETE_KV_CONFIG
            | Code::GET_KVLIST_BY_NAMESPACE
    )
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

#[cfg(test)]
mod tests {
    use super::{RequestCode, fields_of};
    use stgclient_core::wire::dialect::Dialect;

    #[test]
    fn clients_of_this_dialect_ask_for_nothing_that_these_servers_do_not_answer() {
        for code in (0..1000).map(RequestCode) {
            if Dialect::Smartgo.knows(code) {
                assert!(fields_of(code).is_some(), "{code:?}");
            }
        }
    }
}
