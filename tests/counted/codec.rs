//! Headers and stored messages, alone.

use std::borrow::Cow;
use std::hint::black_box;
use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::{self, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_core::wire::message::{StoredFields, StoredMessage, StoredMessages, UniqueId};
use stgclient_core::wire::request::{Request, SendMessage, SendMessageAnswer, SentProperties};

use crate::meter::Meter;

const STEPS: u32 = 100;
const EACH: usize = 50;
const BODY: [u8; 128] = [b'x'; 128];

pub(crate) fn encode_send_json(meter: &mut Meter) {
    encode_send(meter, HeaderCodec::Json);
}

pub(crate) fn encode_send_binary(meter: &mut Meter) {
    encode_send(meter, HeaderCodec::Binary);
}

/// One operation: a send's frame, with the properties that each message has, its body too.
fn encode_send(meter: &mut Meter, codec: HeaderCodec) {
    let header = send_header();
    let mut out = BytesMut::new();
    let mut opaque = 1_000_000;
    meter.repeat(STEPS, |meter| {
        out.clear();
        meter.measure(EACH as u64, || {
            for _ in 0..EACH {
                opaque += 1;
                let head = Head::request(Dialect::Apache, SendMessage::CODE, opaque);
                command::encode(&mut out, codec, Dialect::Apache, &head, black_box(&header), &BODY);
            }
        });
    });
}

fn send_header() -> SendMessage<'static> {
    SendMessage {
        producer_group: Cow::Borrowed("producers"),
        topic: Cow::Borrowed("orders"),
        default_topic: Cow::Borrowed("TBW102"),
        default_topic_queue_nums: 4,
        queue_id: 3,
        sys_flag: 0,
        born_timestamp: 1_700_000_000_000,
        flag: 0,
        properties: Some(SentProperties {
            encoded: Cow::Borrowed(""),
            unique_id: Some(UniqueId::new([127, 0, 0, 1].into(), 10_771, 0x9A5B_0123, 1_203_265_536, 0).to_hex()),
        }),
        reconsume_times: Some(0),
        unit_mode: Some(false),
        max_reconsume_times: None,
        batch: Some(false),
        broker_name: Some(Cow::Borrowed("broker-a")),
    }
}

pub(crate) fn decode_answer_json(meter: &mut Meter) {
    decode_answer(meter, HeaderCodec::Json);
}

pub(crate) fn decode_answer_binary(meter: &mut Meter) {
    decode_answer(meter, HeaderCodec::Binary);
}

/// One operation: an answer to a send, from the bytes of a read to the typed header.
fn decode_answer(meter: &mut Meter, codec: HeaderCodec) {
    let answer = SendMessageAnswer {
        msg_id: "7F00000100002A9F0000000000123456".into(),
        queue_id: 3,
        queue_offset: 123_456,
        transaction_id: None,
        batch_uniq_id: None,
    };
    let mut frames = BytesMut::new();
    for opaque in 0..EACH as i32 {
        let head = Head::response(Dialect::Apache, ResponseCode::SUCCESS, 1_000_000 + opaque, None);
        command::encode(&mut frames, codec, Dialect::Apache, &head, &answer, &[]);
    }
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    meter.repeat(STEPS, |meter| {
        let room = reader.read_buffer();
        room.extend_from_slice(&frames);
        meter.measure(EACH as u64, || {
            while let Ok(Some(command)) = reader.next_command() {
                let header: Result<SendMessageAnswer<'_>, _> = command.header();
                let _ = black_box(header);
            }
        });
    });
}

/// One operation: a stored message with a body of 128 B, read from the body of a pull.
pub(crate) fn decode_stored_message(meter: &mut Meter) {
    each_stored_message(meter, |message| _ = black_box(message.body()));
}

/// The same, and its tag looked up.
pub(crate) fn decode_stored_message_and_tag(meter: &mut Meter) {
    each_stored_message(meter, |message| _ = black_box((message.properties().get("TAGS"), message.body())));
}

fn each_stored_message(meter: &mut Meter, mut look: impl FnMut(&StoredMessage)) {
    let body = stored_messages();
    meter.repeat(STEPS, |meter| {
        let body = body.clone();
        meter.measure(EACH as u64, || {
            for message in StoredMessages::new(body, Dialect::Apache) {
                look(&message.expect("a message"));
            }
        });
    });
}

fn stored_messages() -> Bytes {
    let mut out = BytesMut::new();
    for offset in 0..EACH as i64 {
        let fields = StoredFields {
            body_crc: 0,
            queue_id: 3,
            flag: 0,
            queue_offset: offset,
            physical_offset: offset * 300,
            sys_flag: 0,
            born_timestamp: 1_700_000_000_000,
            born_host: SocketAddr::from(([127, 0, 0, 1], 40_000)),
            store_timestamp: 1_700_000_000_001,
            store_host: SocketAddr::from(([127, 0, 0, 1], 10_911)),
            reconsume_times: 0,
            prepared_transaction_offset: 0,
        };
        let properties = "WAIT\u{1}true\u{2}UNIQ_KEY\u{1}7F0000012A139A5B012347B760000000\u{2}TAGS\u{1}paid\u{2}";
        fields.encode(&mut out, Dialect::Apache, "orders", properties, &BODY).expect("it fits");
    }
    out.freeze()
}
