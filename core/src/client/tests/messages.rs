//! Messages that administrators look for: whom it asks, what of the answers counts, and how much is read.

use core::net::SocketAddr;

use bytes::BytesMut;

use super::dialects::smartgo_scene;
use super::scene::ms;
use super::servers::{self, Reply, broker_data};
use super::*;
use crate::admin::MessageQuery;
use crate::consumer::ReceivedMessage;
use crate::routes::route::Permission;
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::compression::{Compression, compress};
use crate::wire::dialect::Dialect;
use crate::wire::message::{OffsetMessageId, StoredFields};

const VIEW: RequestCode = RequestCode::VIEW_MESSAGE_BY_ID;
const QUERY: RequestCode = RequestCode::QUERY_MESSAGE;
const NOT_FOUND: ResponseCode = ResponseCode::QUERY_NOT_FOUND;
const LIMIT: usize = 1000;
/// Where the master of the broker `a` listens.
const HOST: &str = "127.0.0.1:1";

/// A stored message: when, where, and what of.
#[derive(Clone)]
struct Stored<'a> {
    at: i64,
    place: i64,
    topic: &'a str,
    keys: &'a str,
    id: &'a str,
    body: &'a [u8],
    sys_flag: i32,
}

impl Stored<'_> {
    fn bytes(&self, dialect: Dialect) -> Vec<u8> {
        let host: SocketAddr = HOST.parse().unwrap();
        let fields = StoredFields {
            body_crc: 0,
            queue_id: 1,
            flag: 0,
            queue_offset: 7,
            physical_offset: self.place,
            sys_flag: self.sys_flag,
            born_timestamp: 0,
            born_host: host,
            store_timestamp: self.at,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
        };
        let properties = format!("KEYS\u{1}{}\u{2}UNIQ_KEY\u{1}{}\u{2}", self.keys, self.id);
        let mut out = BytesMut::new();
        fields.encode(&mut out, dialect, self.topic, &properties, self.body).unwrap();
        out.to_vec()
    }
}

const fn stored(at: i64, keys: &str) -> Stored<'_> {
    Stored { at, place: at, topic: "T", keys, id: "ID", body: b"body", sys_flag: 0 }
}

fn reply(messages: &[Stored<'_>]) -> Reply {
    let bytes: Vec<Vec<u8>> = messages.iter().map(|message| message.bytes(Dialect::Apache)).collect();
    Reply::ok().field("indexLastUpdateTimestamp", 0).field("indexLastUpdatePhyoffset", 0).body(bytes.concat())
}

fn find(scene: &mut Scene, query: MessageQuery) -> Result<Vec<ReceivedMessage>, Error> {
    let operation = scene.client.find_messages(scene.now, query);
    scene.wait(operation)?.read(Dialect::Apache, LIMIT)
}

fn by_key(scene: &mut Scene, max: u32) -> Result<Vec<i64>, Error> {
    let query = MessageQuery { max, ..MessageQuery::by_key("T", "k") };
    find(scene, query).map(|found| found.iter().map(ReceivedMessage::store_timestamp).collect())
}

/// The cluster of the broker `a`, which listens at an address that ids can name.
fn scene_of_ids() -> Scene {
    let mut scene = scene_of(&["a"]);
    scene.server(HOST);
    let mut data = broker_data("a", &[]);
    data.broker_addrs = [(0, HOST.to_owned()), (1, "a:2".to_owned())].into();
    scene.book.clusters.broker_addr_table.insert("a".to_owned(), data);
    scene
}

fn id(place: u64) -> OffsetMessageId {
    OffsetMessageId::new(HOST.parse().unwrap(), place)
}

fn view(scene: &mut Scene, id: OffsetMessageId) -> Result<Vec<ReceivedMessage>, Error> {
    let operation = scene.client.message_by_id(scene.now, id);
    scene.wait(operation)?.read(Dialect::Apache, LIMIT)
}

#[test]
fn a_message_is_asked_for_where_its_id_says_and_is_of_that_broker() {
    let mut scene = scene_of_ids();
    scene.on(HOST, VIEW, |_| Some(reply(&[stored(500, "k")])));
    let found = view(&mut scene, id(500)).unwrap();
    let [message] = &found[..] else { panic!("{found:?}") };
    assert_eq!((message.offset_message_id(), &message.body()[..]), (id(500), &b"body"[..]));
    assert_eq!((message.queue().to_string(), message.queue_offset()), ("T@a:1".to_owned(), 7));
    assert_eq!(scene.asked_of(HOST, VIEW)[0].field("offset"), "500");
}

#[test]
fn nobody_is_connected_to_because_an_id_names_him() {
    let mut scene = scene_of_ids();
    scene.server("10.9.9.9:1");
    for host in ["10.9.9.9:1", "127.0.0.1:2", "[::1]:1"] {
        let error = error(view(&mut scene, OffsetMessageId::new(host.parse().unwrap(), 0)));
        assert_eq!(error.kind(), ErrorKind::BrokerNotFound);
        assert!(error.to_string().contains(host) && error.to_string().contains(HOST), "{error}");
    }
    assert!(scene.opened.iter().all(|(_, address)| address.as_str() == "ns:1"), "{:?}", scene.opened);
    let beyond = error(view(&mut scene, id(u64::MAX)));
    assert_eq!(beyond.kind(), ErrorKind::InvalidArgument);
}

#[test]
fn that_there_is_no_message_is_no_error_and_an_error_is_one() {
    let none = [
        Reply::code(ResponseCode::SYSTEM_ERROR).remark("can not find message by the offset, 500"),
        Reply::code(NOT_FOUND).remark("can not find message by the offset:500"),
    ];
    for reply in none {
        let mut scene = scene_of_ids();
        scene.on(HOST, VIEW, move |_| Some(reply.clone()));
        assert_eq!(view(&mut scene, id(500)).unwrap().len(), 0);
    }
    let mut scene = scene_of_ids();
    scene.on(HOST, VIEW, |_| Some(Reply::code(ResponseCode::SYSTEM_ERROR).remark("disk")));
    let refused = error(view(&mut scene, id(500)));
    assert_eq!((refused.kind(), refused.broker_name()), (ErrorKind::Refused, Some("a")));
    assert_eq!(scene.asked_of(HOST, VIEW).len(), 1);
}

#[test]
fn another_message_than_the_one_at_the_place_is_not_believed() {
    for (body, why) in [(reply(&[stored(501, "k")]), "in place of"), (Reply::ok().body("garbage"), "message")] {
        let mut scene = scene_of_ids();
        scene.on(HOST, VIEW, move |_| Some(body.clone()));
        let error = error(view(&mut scene, id(500)));
        assert_eq!((error.kind(), error.broker_name()), (ErrorKind::MalformedAnswer, Some("a")));
        assert!(error.to_string().contains(why) && error.to_string().contains(&id(500).to_string()), "{error}");
    }
}

#[test]
fn messages_with_a_key_come_from_all_brokers_of_the_topic_the_oldest_first_and_of_more_the_newest() {
    let mut scene = scene_of(&["a", "b", "c"]);
    scene.on("a:1", QUERY, |_| Some(reply(&[stored(10, "k"), stored(40, "x k y")]).after(ms(50))));
    scene.on("b:1", QUERY, |_| Some(reply(&[stored(20, "k"), stored(30, "k")])));
    scene.on("c:1", QUERY, |_| Some(Reply::code(NOT_FOUND).remark("can not find message")));
    assert_eq!(by_key(&mut scene, 32).unwrap(), [10, 20, 30, 40]);
    assert_eq!(by_key(&mut scene, 3).unwrap(), [20, 30, 40]);
    let asked = scene.asked_of("a:1", QUERY)[0];
    for (name, value) in [
        ("topic", "T"),
        ("key", "k"),
        ("maxNum", "32"),
        ("beginTimestamp", "0"),
        ("endTimestamp", "9223372036854775807"),
        ("indexType", "K"),
    ] {
        assert_eq!(asked.field(name), value, "the field {name}");
    }
}

#[test]
fn what_has_the_hash_of_a_key_and_not_the_key_is_none_of_its_messages() {
    let mut scene = scene_of(&["a"]);
    let others = [
        stored(10, "kk"),
        stored(20, "K"),
        stored(30, ""),
        Stored { topic: "U", ..stored(40, "k") },
        stored(50, "a,k"),
        stored(60, "k"),
    ];
    scene.on("a:1", QUERY, move |_| Some(reply(&others)));
    assert_eq!(by_key(&mut scene, 32).unwrap(), [60]);
}

#[test]
fn times_are_exact_although_brokers_count_in_seconds() {
    let mut scene = scene_of(&["a"]);
    let stored = [1999, 2000, 2500, 3000, 3001].map(|at| stored(at, "k"));
    scene.on("a:1", QUERY, move |_| Some(reply(&stored)));
    let query = MessageQuery { stored: 2000..=3000, ..MessageQuery::by_key("T", "k") };
    let found = find(&mut scene, query).unwrap();
    let times: Vec<_> = found.iter().map(ReceivedMessage::store_timestamp).collect();
    assert_eq!(times, [2000, 2500, 3000]);
    let asked = scene.asked_of("a:1", QUERY)[0];
    assert_eq!((asked.field("beginTimestamp"), asked.field("endTimestamp")), ("1001".into(), "3000".into()));
}

#[test]
fn of_several_messages_with_the_id_of_a_producer_the_first_counts() {
    let mut scene = scene_of(&["a", "b"]);
    let with = |at, id| Stored { id, ..stored(at, "ID") };
    let (at_a, at_b) = ([with(30, "ID"), with(40, "ID")], [with(10, "OTHER"), with(20, "ID")]);
    scene.on("a:1", QUERY, move |_| Some(reply(&at_a)));
    scene.on("b:1", QUERY, move |_| Some(reply(&at_b)));
    let found = find(&mut scene, MessageQuery::by_unique_key("T", "ID")).unwrap();
    assert_eq!(found.iter().map(ReceivedMessage::store_timestamp).collect::<Vec<_>>(), [20]);
    let asked = scene.asked_of("a:1", QUERY)[0];
    assert_eq!(
        (asked.field("key"), asked.field("indexType"), asked.field("maxNum")),
        ("ID".into(), "U".into(), "32".into())
    );
    assert!(asked.command.fields.get("_UNIQUE_KEY_QUERY").is_none(), "some brokers sign it, and some do not");
    assert_eq!(found[0].queue().to_string(), "T@b:1");
    let none = find(&mut scene, MessageQuery::by_unique_key("T", "NONE")).unwrap();
    assert_eq!(none.len(), 0);
}

#[test]
fn while_a_master_is_away_its_slave_looks_for_messages_and_a_broker_that_fails_fails_the_query() {
    let mut scene = scene_of(&["a"]);
    let route = servers::route_by(vec![broker_data("a", &[0]), broker_data("b", &[1])], 1, Permission::READ_WRITE);
    scene.book.routes.insert("T".to_owned(), route);
    scene.server("b:2");
    scene.on("a:1", QUERY, |_| Some(Reply::code(NOT_FOUND)));
    scene.on("b:2", QUERY, |_| Some(reply(&[stored(10, "k")])));
    assert_eq!(by_key(&mut scene, 32).unwrap(), [10]);
    scene.on("a:1", QUERY, |_| Some(Reply::code(ResponseCode::SYSTEM_ERROR).remark("no index")));
    let refused = error(by_key(&mut scene, 32));
    assert_eq!((refused.kind(), refused.broker_name()), (ErrorKind::Refused, Some("a")));
    scene.book.routes.clear();
    assert_eq!(kind(by_key(&mut scene, 32)), ErrorKind::TopicNotFound);
}

#[test]
fn a_query_that_nothing_can_meet_is_refused_at_once() {
    let mut scene = scene_of(&["a"]);
    let query = || MessageQuery::by_key("T", "k");
    let wrong = [
        MessageQuery { topic: "no topic".to_owned(), ..query() },
        MessageQuery { key: String::new(), ..query() },
        MessageQuery { key: "a b".to_owned(), ..query() },
        MessageQuery { max: 0, ..query() },
        MessageQuery { max: 1025, ..query() },
        #[expect(clippy::reversed_empty_ranges)]
        MessageQuery { stored: 2..=1, ..query() },
    ];
    for query in wrong {
        assert_eq!(kind(find(&mut scene, query)), ErrorKind::InvalidArgument);
    }
    assert!(scene.opened.is_empty());
}

#[test]
fn found_bodies_are_decompressed_within_the_clients_bound() {
    let text = [b'x'; LIMIT];
    let (packed, sys_flag) = {
        let compression = Compression::Zlib { level: 5 };
        (compress(&text, compression), 1)
    };
    let message = |at, body: &[u8]| Stored { sys_flag, body, ..stored(at, "k") }.bytes(Dialect::Apache);
    let longer = compress(&[b'x'; LIMIT + 1], Compression::Zlib { level: 5 });
    let bodies = [
        (vec![message(1, &packed)], None),
        (vec![message(1, &packed), message(2, &packed)], Some(ErrorKind::Full)),
        (vec![message(1, &longer)], Some(ErrorKind::MalformedAnswer)),
        (vec![message(1, b"no zlib")], Some(ErrorKind::MalformedAnswer)),
    ];
    for (messages, expected) in bodies {
        let mut scene = scene_of(&["a"]);
        scene.on("a:1", QUERY, move |_| Some(Reply::ok().body(messages.concat())));
        match (find(&mut scene, MessageQuery::by_key("T", "k")), expected) {
            (Ok(found), None) => assert_eq!(&found[0].body()[..], &text[..]),
            (Err(error), Some(kind)) => assert_eq!(error.kind(), kind, "{error}"),
            (found, expected) => panic!("{found:?}, not {expected:?}"),
        }
    }
}

#[test]
fn what_is_no_message_fails_the_query_and_says_whose_it_was() {
    let mut scene = scene_of(&["a"]);
    let cut = Reply::ok().body(stored(1, "k").bytes(Dialect::Apache)[..50].to_vec());
    scene.on("a:1", QUERY, move |_| Some(cut.clone()));
    let error = error(by_key(&mut scene, 1));
    assert_eq!((error.kind(), error.broker_name()), (ErrorKind::MalformedAnswer, Some("a")));
    assert!(error.to_string().starts_with("messages of topic T by key k: "), "{error}");
}

#[test]
fn answers_that_are_too_long_together_are_not_kept() {
    let names: Vec<String> = (0..5).map(|number| format!("b{number}")).collect();
    let mut scene = scene_of(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let body = vec![0; 14 * 1024 * 1024];
    for name in &names {
        let body = body.clone();
        scene.on(&format!("{name}:1"), QUERY, move |_| Some(Reply::ok().body(body.clone())));
    }
    let error = error(by_key(&mut scene, 1));
    assert_eq!(error.kind(), ErrorKind::Full);
    assert!(error.to_string().contains("ask for fewer"), "{error}");
}

#[test]
fn smartgos_brokers_find_messages_by_their_places_only() {
    let mut scene = smartgo_scene();
    for query in [MessageQuery::by_key("T", "k"), MessageQuery::by_unique_key("T", "k")] {
        let error = error(find(&mut scene, query));
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains("(Dialect::Smartgo)"), "{error}");
    }
    assert!(scene.opened.is_empty());
    let data = [(0, HOST.to_owned())].into();
    scene.book.clusters.broker_addr_table.get_mut("a").unwrap().broker_addrs = data;
    scene.on(HOST, VIEW, |_| {
        let message = stored(500, "k").bytes(Dialect::Smartgo);
        Some(Reply::ok().body(message).of_smartgo())
    });
    let operation = scene.client.message_by_id(scene.now, id(500));
    let found = scene.wait(operation).unwrap().read(Dialect::Smartgo, LIMIT).unwrap();
    assert_eq!(found.len(), 1);
}
