//! A header that was read, written again, reads as the same; and so do the typed headers in it.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec, Language};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldError, FieldWriter, Fields, Header, WriteHeader};
use stgclient_core::wire::odd::Odd;
use stgclient_core::wire::request::{
    CreateTopic, DeleteKvConfig, DeleteTopicInBroker, DeleteTopicInNameServer, EarliestStoreTimeAnswer,
    GetConsumerList, GetEarliestStoreTime, GetKvConfig, GetKvList, GetMaxOffset, GetMinOffset, GetRouteInfo,
    GetTopicConfig, GetTopicStats, HeartbeatAnswer, KvConfigAnswer, OffsetAnswer, PullMessage, PullMessageAnswer,
    PutKvConfig, QueryConsumerOffset, SearchOffset, SendMessage, SendMessageAnswer, SendMessageV1, UnregisterClient,
    UpdateConsumerOffset, ViewMessage,
};

/// Reads `header` and checks what came of it.
pub fn check_header(codec: HeaderCodec, header: &[u8]) {
    let mut frame = BytesMut::new();
    let type_byte = u32::from(codec == HeaderCodec::Binary);
    frame.put_u32(type_byte << 24 | header.len() as u32);
    frame.put_slice(header);
    frame.put_slice(b"body");
    if let Ok(command) = command::decode(frame.freeze()) {
        check(&command);
    }
}

/// Checks a command that was read.
pub fn check(command: &Command) {
    let fields: BTreeMap<_, _> = command.fields.iter().collect();
    for (name, value) in &fields {
        assert_eq!(command.fields.get(name).as_ref(), Some(value), "the field {name}: the last one counts");
    }
    // The names that we write are the protocol's, which need no escaping.
    let plain = |name: &str| name.bytes().all(|byte| byte > b'"' && byte != b'\\');
    let fields = AnyFields(
        fields
            .into_iter()
            .filter(|(name, _)| plain(name))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
    );
    let again = write_and_read(command, command.language, &fields);
    assert_eq!(
        (again.code, again.language, again.version, again.opaque, again.flag, again.codec),
        (command.code, command.language, command.version, command.opaque, command.flag, command.codec)
    );
    assert_eq!((&again.remark, &again.body), (&command.remark, &command.body));
    assert_eq!(again.header::<AnyFields>().as_ref(), Ok(&fields));
    check_typed_headers(command);
}

fn write_and_read(command: &Command, language: Language, fields: &dyn WriteHeader) -> Command {
    let head = Head {
        code: command.code,
        language,
        version: command.version,
        opaque: command.opaque,
        flag: command.flag,
        remark: command.remark.as_deref(),
    };
    let mut frame = BytesMut::new();
    command::encode(&mut frame, command.codec, Dialect::Apache, &head, fields, &command.body);
    let frame = frame.freeze();
    assert_eq!(frame.first_chunk(), Some(&(frame.len() as u32 - 4).to_be_bytes()));
    command::decode(frame.slice(4..)).expect("a frame of ours")
}

macro_rules! check_typed_headers {
    ($($header:ident)*) => {
        fn check_typed_headers(command: &Command) {
            // Names as Apache's clients write them are not read as smartgo's.
            let language = if command.language == Language::GOLANG { Language::RUST } else { command.language };
            $(if let Ok(header) = command.header::<$header>() {
                assert_eq!(write_and_read(command, language, &header).header::<$header>().as_ref(), Ok(&header));
            })*
        }
    };
}

check_typed_headers! {
    CreateTopic DeleteKvConfig DeleteTopicInBroker DeleteTopicInNameServer EarliestStoreTimeAnswer GetConsumerList
    GetEarliestStoreTime GetKvConfig GetKvList GetMaxOffset GetMinOffset GetRouteInfo GetTopicConfig GetTopicStats
    HeartbeatAnswer KvConfigAnswer OffsetAnswer PullMessage PullMessageAnswer PutKvConfig QueryConsumerOffset
    SearchOffset SendMessage SendMessageAnswer SendMessageV1 UnregisterClient UpdateConsumerOffset ViewMessage
}

/// Any fields, by name.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct AnyFields(pub(crate) BTreeMap<String, String>);

impl WriteHeader for AnyFields {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in &self.0 {
            writer.text(name, value);
        }
    }
}

impl Header<'_> for AnyFields {
    fn read(fields: &Fields, _: &Odd) -> Result<Self, FieldError> {
        Ok(Self(fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }
}

/// The bytes of a frame that is a body's.
pub(crate) fn answer(request: &Command, code: i32, remark: Option<&str>, fields: &AnyFields, body: &[u8]) -> Bytes {
    let head = Head { flag: command::FLAG_RESPONSE, code, remark, ..request_head(request) };
    let mut frame = BytesMut::new();
    command::encode(&mut frame, request.codec, Dialect::Apache, &head, fields, body);
    frame.freeze()
}

/// The bytes of a frame in which a server asks something.
pub(crate) fn request(code: RequestCode, fields: &AnyFields, body: &[u8]) -> Bytes {
    let head = Head { language: Language::JAVA, ..Head::request(Dialect::Apache, code, 7) };
    let mut frame = BytesMut::new();
    command::encode(&mut frame, HeaderCodec::Json, Dialect::Apache, &head, fields, body);
    frame.freeze()
}

const fn request_head(request: &Command) -> Head<'static> {
    Head {
        code: request.code,
        language: request.language,
        version: request.version,
        opaque: request.opaque,
        flag: request.flag,
        remark: None,
    }
}
