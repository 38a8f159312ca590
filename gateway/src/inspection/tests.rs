//! What passes and what does not, whichever way it is cut.

use std::net::IpAddr;

use proptest::prelude::*;
use stgclient::Credentials;
use stgclient_core::sorted::SortedMap;
use stgclient_core::wire::body::{
    self, ConsumerData, HeartbeatData, ProducerData, QueueKey, QueueLockRequest, SubscriptionData,
};
use stgclient_core::wire::command::{FLAG_ONEWAY, FLAG_RESPONSE, HeaderCodec};
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};
use stgclient_core::wire::frame::FrameReader;

use super::*;
use crate::boundaries::Boundaries;
use crate::keeping::Keeping;
use crate::visitor::{Patterns, Rights};

const CODECS: [HeaderCodec; 2] = [HeaderCodec::Json, HeaderCodec::Binary];

fn terms() -> Terms {
    Terms { dialect: Dialect::Apache, signer: None, longest_frame: 1 << 20, longest_body: 1 << 16 }
}

fn anybody() -> Visitor {
    Visitor::new("anybody", Rights::default())
}

fn shop() -> Visitor {
    let patterns = |names: &[&str]| Some(Patterns(names.iter().map(|name| (*name).to_owned()).collect()));
    Visitor::new(
        "shop",
        Rights { administers: false, topics: patterns(&["orders", "shop-*"]), groups: patterns(&["shop", "shop-*"]) },
    )
}

/// The number of what the server has asked a visitor.
const ASKED: i32 = 70;

/// Fields as they are said, whatever they are.
struct Texts<'a>(&'a [(&'a str, &'a str)]);

impl WriteHeader for Texts<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.foreign(name, value));
    }
}

/// A request, as a visitor writes it.
fn frame(codec: HeaderCodec, code: RequestCode, flag: i32, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    numbered(7, codec, code, flag, fields, body)
}

/// What a visitor answers to the server's question.
fn answer_of_visitor(codec: HeaderCodec, code: i32, body: &[u8]) -> Vec<u8> {
    numbered(ASKED, codec, RequestCode(code), FLAG_RESPONSE, &[], body)
}

fn numbered(
    opaque: i32,
    codec: HeaderCodec,
    code: RequestCode,
    flag: i32,
    fields: &[(&str, &str)],
    body: &[u8],
) -> Vec<u8> {
    let mut out = BytesMut::new();
    let head = Head { flag, ..Head::request(Dialect::Apache, code, opaque) };
    command::encode(&mut out, codec, Dialect::Apache, &head, &Texts(fields), body);
    out.to_vec()
}

/// What becomes of a visitor's bytes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    forwarded: Vec<u8>,
    answers: Vec<u8>,
    places: Vec<i64>,
    violation: Option<Violation>,
}

impl Seen {
    fn commands(bytes: &[u8]) -> Vec<Command> {
        let mut reader = FrameReader::new(1 << 24);
        reader.extend(bytes);
        std::iter::from_fn(|| reader.next_command().unwrap()).collect()
    }

    fn codes(&self) -> Vec<i32> {
        Self::commands(&self.forwarded).iter().map(|command| command.code).collect()
    }

    /// The words of all refusals.
    fn refusals(&self) -> Vec<String> {
        let answers = Self::commands(&self.answers);
        assert!(answers.iter().all(|answer| answer.code == 16 && answer.is_response() && answer.opaque == 7));
        answers.into_iter().map(|answer| answer.remark.unwrap_or_default().into()).collect()
    }
}

fn inspect<'a>(terms: &Terms, visitor: &Visitor, pieces: impl IntoIterator<Item = &'a [u8]>) -> Seen {
    let asked = Asked::default();
    // What the server has asked this visitor.
    asked.note(ASKED);
    let allowance = Allowance { keeping: Keeping::new(256 << 20), address: IpAddr::from([10, 0, 0, 1]) };
    let mut inspection = Inspection::new(visitor.clone(), asked, allowance);
    let mut seen = Seen::default();
    for piece in pieces {
        let mut bytes = Bytes::copy_from_slice(piece);
        loop {
            match inspection.next(terms, &mut bytes) {
                Ok(None) => break,
                Ok(Some(Step::Forward(piece))) => seen.forwarded.extend_from_slice(&piece),
                Ok(Some(Step::Refuse(refused))) => {
                    assert!(!refused.why.is_empty());
                    seen.answers.extend_from_slice(&refused.answer.unwrap_or_default());
                }
                Ok(Some(Step::ByPlace(offset, ..))) => seen.places.push(offset),
                Err(violation) => {
                    seen.violation = Some(violation);
                    return seen;
                }
            }
        }
    }
    seen
}

fn refusal(visitor: &Visitor, frame: &[u8]) -> String {
    let seen = inspect(&terms(), visitor, [frame]);
    assert_eq!(seen.forwarded, b"", "{seen:?}");
    seen.refusals().pop().unwrap_or_else(|| panic!("no answer: {seen:?}"))
}

#[test]
fn requests_of_clients_pass_and_those_of_servers_and_administrators_do_not() {
    for codec in CODECS {
        let pull = frame(codec, RequestCode::PULL_MESSAGE, 0, &[("topic", "orders"), ("consumerGroup", "shop")], b"");
        assert_eq!(inspect(&terms(), &anybody(), [&pull[..]]).codes(), [11]);
        for code in [
            RequestCode::REGISTER_BROKER,
            RequestCode::UNREGISTER_BROKER,
            RequestCode::UPDATE_BROKER_CONFIG,
            RequestCode::UPDATE_NAMESRV_CONFIG,
            RequestCode::PUT_KV_CONFIG,
            RequestCode::DELETE_KV_CONFIG,
            RequestCode::GET_BROKER_CONFIG,
            RequestCode::WIPE_WRITE_PERM_OF_BROKER,
            RequestCode::AUTH_CREATE_USER,
            RequestCode::END_TRANSACTION,
            RequestCode(-1),
            RequestCode(65_535),
        ] {
            let words = refusal(&anybody(), &frame(HeaderCodec::Json, code, 0, &[], b"{}"));
            assert!(words.contains("lets no request"), "{code}: {words}");
        }
        let create = frame(codec, RequestCode::UPDATE_AND_CREATE_TOPIC, 0, &[("topic", "orders")], b"");
        assert!(refusal(&anybody(), &create).contains("for administrators"));
        let administrator = Visitor::new("ops", Rights { administers: true, ..Rights::default() });
        assert_eq!(inspect(&terms(), &administrator, [&create[..]]).codes(), [17]);
        let register = frame(codec, RequestCode::REGISTER_BROKER, 0, &[], b"");
        assert!(refusal(&administrator, &register).contains("lets no request"));
    }
}

#[test]
fn what_is_refused_takes_its_body_along_and_what_follows_passes() {
    for codec in CODECS {
        let forbidden =
            frame(codec, RequestCode::REGISTER_BROKER, 0, &[("brokerAddr", "6.6.6.6:10911")], &[b'x'; 5000]);
        let good = frame(codec, RequestCode::GET_MAX_OFFSET, 0, &[("topic", "orders"), ("queueId", "0")], b"");
        let all = [&good[..], &forbidden, &good, &forbidden, &forbidden, &good].concat();
        let whole = inspect(&terms(), &anybody(), [&all[..]]);
        assert_eq!((whole.codes(), whole.refusals().len()), (vec![30, 30, 30], 3));
        for length in [1, 2, 3, 7, 64, 1000] {
            assert_eq!(inspect(&terms(), &anybody(), all.chunks(length)), whole, "in pieces of {length}");
        }
    }
}

#[test]
fn who_waits_for_no_answer_gets_none_and_the_request_does_not_pass() {
    let oneway = frame(HeaderCodec::Json, RequestCode::UPDATE_BROKER_CONFIG, FLAG_ONEWAY, &[], b"a=b");
    assert_eq!(inspect(&terms(), &anybody(), [&oneway[..]]), Seen::default());
}

#[test]
fn an_answer_to_a_broker_passes_and_stays_an_answer() {
    let answer = answer_of_visitor(HeaderCodec::Json, RequestCode::REGISTER_BROKER.0, b"{}");
    let passed = Seen::commands(&inspect(&terms(), &shop(), [&answer[..]]).forwarded);
    assert!(passed.len() == 1 && passed[0].is_response());
}

#[test]
fn a_header_that_could_be_read_in_two_ways_is_not_passed_on_as_it_came() {
    let header = br#"{"code":103,"code":11,"flag":0,"opaque":7,"language":"JAVA","version":0,"unknown":{"code":103},"extFields":{"topic":"orders","topic":"secrets"}}"#;
    let raw = raw_frame(0, header, b"");
    assert!(refusal(&anybody(), &raw).contains("stands twice"));
    let header = br#"{"code":103,"code":11,"flag":0,"opaque":7,"language":"JAVA","version":0,"unknown":{"code":103},"extFields":{"topic":"orders"}}"#;
    let passed = inspect(&terms(), &anybody(), [&raw_frame(0, header, b"")[..]]).forwarded;
    let text = String::from_utf8_lossy(&passed[8..]).into_owned();
    assert!(text.contains("\"code\":11") && !text.contains("103") && !text.contains("unknown"), "{text}");
}

fn raw_frame(kind: u8, header: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = ((4 + header.len() + body.len()) as u32).to_be_bytes().to_vec();
    out.extend(((header.len() as u32) | u32::from(kind) << 24).to_be_bytes());
    out.extend(header);
    out.extend(body);
    out
}

#[test]
fn what_is_no_frame_ends_the_tunnel_before_anything_is_kept_for_it() {
    let starts: [(&[u8], &str); 6] = [
        (b"GET / HTTP/1.1\r\n", "more than the limit"),
        (&[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0], "more than the limit"),
        (&[0, 0, 0, 3, 0, 0, 0, 0], "too short"),
        (&[0, 0, 0, 8, 0, 0, 0, 9], "a header of 9 bytes"),
        (&[0, 0, 0, 8, 9, 0, 0, 2], "unknown header type 9"),
        (&[0, 0, 0, 6, 0, 0, 0, 2, b'[', b'x'], "malformed header"),
    ];
    for (bytes, words) in starts {
        let seen = inspect(&terms(), &anybody(), [bytes]);
        let said = seen.violation.map(|violation| violation.to_string()).unwrap_or_default();
        assert!(said.contains(words), "{bytes:?}: {said}");
    }
    let long = [&500_000_u32.to_be_bytes()[..], &300_000_u32.to_be_bytes()].concat();
    let seen = inspect(&terms(), &anybody(), [&long[..]]);
    assert_eq!(seen.violation, Some(Violation::LongHeader(300_000)));
}

#[test]
fn with_rules_topics_and_groups_of_headers_are_looked_at() {
    let request = |code, fields: &[(&str, &str)]| frame(HeaderCodec::Json, code, 0, fields, b"");
    let passes = |frame: &[u8]| inspect(&terms(), &shop(), [frame]).forwarded == frame;
    let send = |topic, group| {
        request(RequestCode::SEND_MESSAGE_V2, &[("a", group), ("b", topic), ("c", "TBW102"), ("d", "4"), ("e", "0")])
    };
    assert!(passes(&send("orders", "shop")) && passes(&send("shop-1", "shop-any")));
    assert!(passes(&send("%RETRY%shop", "CLIENT_INNER_PRODUCER")));
    assert!(refusal(&shop(), &send("secrets", "shop")).contains("the topic secrets"));
    assert!(refusal(&shop(), &send("orders", "bank")).contains("the group bank"));
    assert!(refusal(&shop(), &send("%RETRY%bank", "shop")).contains("the group bank"));
    for system in ["SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "rmq_sys_wheel_timer"] {
        assert!(refusal(&anybody(), &send(system, "any")).contains("brokers' own"));
    }
    let route = |topic| request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", topic)]);
    assert!(passes(&route("orders")) && passes(&route("TBW102")) && passes(&route("%RETRY%shop-2")));
    assert!(refusal(&shop(), &route("secrets")).contains("secrets"));
    let everything = request(RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER, &[]);
    assert!(refusal(&shop(), &everything).contains("all topics"));
    assert_eq!(inspect(&terms(), &anybody(), [&everything[..]]).codes(), [206]);
    let stats = |list| request(RequestCode::GET_CONSUME_STATS, &[("consumerGroup", "shop"), ("topicList", list)]);
    assert!(passes(&stats("orders;shop-1;")));
    assert!(refusal(&shop(), &stats("orders;secrets;")).contains("secrets"));
    let odd = request(RequestCode::GET_MAX_OFFSET, &[("topic", "orders"), ("queueId", "0"), ("ns", "bank")]);
    assert!(refusal(&shop(), &odd).contains("does not know"));
    let signed = request(
        RequestCode::GET_MAX_OFFSET,
        &[("topic", "orders"), ("queueId", "0"), ("AccessKey", "k"), ("Signature", "s"), ("SecurityToken", "t")],
    );
    assert!(passes(&signed));
}

#[test]
fn with_rules_a_message_that_is_named_by_its_place_is_looked_up() {
    let back = |group| {
        let fields = [("offset", "12345"), ("group", group), ("delayLevel", "0"), ("originTopic", "orders")];
        frame(HeaderCodec::Json, RequestCode::CONSUMER_SEND_MSG_BACK, 0, &fields, b"")
    };
    assert_eq!(inspect(&terms(), &shop(), [&back("shop")[..]]).places, [12345]);
    assert!(refusal(&shop(), &back("bank")).contains("bank"));
    assert_eq!(inspect(&terms(), &anybody(), [&back("bank")[..]]).codes(), [36]);
    let view = frame(HeaderCodec::Json, RequestCode::VIEW_MESSAGE_BY_ID, 0, &[("offset", "77")], b"");
    assert_eq!(inspect(&terms(), &shop(), [&view[..]]).places, [77]);
    let nowhere = frame(HeaderCodec::Json, RequestCode::VIEW_MESSAGE_BY_ID, 0, &[("offset", "x")], b"");
    assert!(refusal(&shop(), &nowhere).contains("offset"));
}

fn heartbeat(producer: &str, group: &str, topic: &str) -> Vec<u8> {
    let subscription_data_set = vec![SubscriptionData { topic: topic.to_owned(), ..SubscriptionData::default() }];
    let consumer = ConsumerData { group_name: group.to_owned(), subscription_data_set, ..ConsumerData::default() };
    let producer = ProducerData { group_name: producer.to_owned() };
    let data = HeartbeatData {
        consumer_data_set: vec![consumer],
        producer_data_set: vec![producer],
        ..HeartbeatData::default()
    };
    data.encode(Dialect::Apache)
}

#[test]
fn with_rules_topics_and_groups_of_bodies_are_looked_at() {
    for codec in CODECS {
        let beat = |body: &[u8]| frame(codec, RequestCode::HEART_BEAT, 0, &[], body);
        let good = beat(&heartbeat("CLIENT_INNER_PRODUCER", "shop", "orders"));
        assert_eq!(inspect(&terms(), &shop(), [&good[..]]).forwarded, good);
        assert!(refusal(&shop(), &beat(&heartbeat("bank", "shop", "orders"))).contains("bank"));
        assert!(refusal(&shop(), &beat(&heartbeat("shop", "bank", "orders"))).contains("bank"));
        assert!(refusal(&shop(), &beat(&heartbeat("shop", "shop", "secrets"))).contains("secrets"));
        assert!(refusal(&shop(), &beat(b"no json")).contains("cannot be checked"));
        let queues = |topic: &str| {
            let mut request = QueueLockRequest { consumer_group: "shop".to_owned(), ..QueueLockRequest::default() };
            request.mq_set.insert(QueueKey { topic: topic.to_owned(), broker_name: "b".to_owned(), queue_id: 0 });
            frame(codec, RequestCode::LOCK_BATCH_MQ, 0, &[], &body::to_vec(&request))
        };
        assert_eq!(inspect(&terms(), &shop(), [&queues("orders")[..]]).codes(), [41]);
        assert!(refusal(&shop(), &queues("secrets")).contains("secrets"));
        let long = beat(&vec![b' '; (1 << 16) + 1]);
        assert!(refusal(&shop(), &long).contains("keeps no more than"));
    }
}

#[test]
fn a_body_passes_as_it_was_read_and_not_as_it_came() {
    let hidden = br#"{"clientID":"c","consumerDataSet":[{"groupName":"shop","group_name":"bank","subscriptionDataSet":[{"topic":"orders","Topic":"secrets"}]}],"ConsumerDataSet":[{"groupName":"bank"}],"producerDataSet":[]}"#;
    let beat = frame(HeaderCodec::Json, RequestCode::HEART_BEAT, 0, &[], hidden);
    let passed = Seen::commands(&inspect(&terms(), &shop(), [&beat[..]]).forwarded);
    let body = String::from_utf8_lossy(&passed[0].body).into_owned();
    assert!(body.contains("shop") && !body.contains("bank") && !body.contains("secrets"), "{body}");
}

#[test]
fn a_gateway_that_signs_signs_all_and_takes_signatures_away() {
    let credentials = Credentials::new("the gateway", "its secret");
    let signing = Terms { signer: Some(Signer::new(&credentials)), ..terms() };
    for codec in CODECS {
        let fields = [
            ("topic", "orders"),
            ("queueId", "0"),
            ("AccessKey", "a visitor"),
            ("Signature", "x"),
            ("SecurityToken", "y"),
        ];
        let request = frame(codec, RequestCode::GET_MAX_OFFSET, 0, &fields, b"");
        let passed = Seen::commands(&inspect(&signing, &anybody(), [&request[..]]).forwarded);
        let fields: SortedMap<String, String> =
            passed[0].fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        assert_eq!(fields.get("AccessKey").map(String::as_str), Some("the gateway"));
        assert_eq!(fields.get("SecurityToken"), None);
        assert_eq!(fields.get("Signature").map(String::len), Some(28));
        let answer = answer_of_visitor(codec, 0, b"");
        assert!(
            Seen::commands(&inspect(&signing, &anybody(), [&answer[..]]).forwarded)[0]
                .fields
                .get("AccessKey")
                .is_none()
        );
    }
}

#[test]
fn answers_go_where_a_servers_frame_has_ended() {
    let stream = [raw_frame(0, b"{}", b"abc"), raw_frame(0, b"{}", b""), raw_frame(0, b"{}", b"xyz")].concat();
    let ends = [0, 13, 23, 36];
    for length in 1..=stream.len() {
        let mut boundaries = Boundaries::new(Asked::default());
        let mut at = 0;
        for piece in stream.chunks(length) {
            let wanted = ends.iter().rev().find(|end| (at..=at + piece.len()).contains(*end)).map(|end| end - at);
            assert_eq!(boundaries.follow(piece), wanted, "pieces of {length}, at {at}");
            at += piece.len();
            assert_eq!(boundaries.is_between(), ends.contains(&at));
        }
    }
}

/// A request as somebody might send it, some of it wrong.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        Just(RequestCode::SEND_MESSAGE_V2),
        Just(RequestCode::HEART_BEAT),
        Just(RequestCode::GET_MAX_OFFSET),
        Just(RequestCode::REGISTER_BROKER),
        Just(RequestCode::CONSUMER_SEND_MSG_BACK),
        Just(RequestCode::LOCK_BATCH_MQ),
    ];
    let names = prop::sample::select(vec!["a", "b", "topic", "group", "offset", "consumerGroup", "queueId", "x"]);
    let values = prop::sample::select(vec!["orders", "secrets", "shop", "bank", "1", ""]);
    let bodies = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        Just(heartbeat("shop", "shop", "orders")),
        Just(heartbeat("shop", "bank", "secrets")),
    ];
    let fields = prop::collection::vec((names, values), 0..5);
    (any::<bool>(), code, 0..4, fields, bodies).prop_map(|(is_json, code, flag, fields, body)| {
        frame(if is_json { HeaderCodec::Json } else { HeaderCodec::Binary }, code, flag, &fields, &body)
    })
}

proptest! {
    #[test]
    fn cutting_changes_nothing_and_what_has_passed_passes_again(
        frames in prop::collection::vec(any_frame(), 0..6),
        cuts in prop::collection::vec(1_usize..200, 1..40),
        is_bound: bool,
    ) {
        let visitor = if is_bound { shop() } else { anybody() };
        let all = frames.concat();
        let whole = inspect(&terms(), &visitor, [&all[..]]);
        let mut rest = &all[..];
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(&inspect(&terms(), &visitor, pieces), &whole);
        let again = inspect(&terms(), &visitor, [&whole.forwarded[..]]);
        prop_assert_eq!(&again.forwarded, &whole.forwarded);
        prop_assert!(again.answers.is_empty() && again.violation.is_none());
    }

    #[test]
    fn no_bytes_are_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        inspect(&terms(), &shop(), [&bytes[..]]);
    }
}

mod evasion;
mod table;
