//! Frames by hand, right and wrong, and servers that say them.

use bytes::{BufMut, Bytes, BytesMut};
use stgclient_core::time::{Duration, Now};
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::Command;
use stgclient_simulator::{Reaction, Script};

/// A frame with this header, of the type `type_byte`: 0 is JSON.
pub(crate) fn frame(type_byte: u8, header: &[u8], body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    out.put_u32((4 + header.len() + body.len()) as u32);
    out.put_u32((u32::from(type_byte) << 24) | header.len() as u32);
    out.put_slice(header);
    out.put_slice(body);
    out.freeze()
}

/// A JSON header of an answer to `opaque`, with these extension fields.
pub(crate) fn header(opaque: i32, code: i32, fields: &str) -> String {
    format!(
        r#"{{"code":{code},"language":"JAVA","version":493,"opaque":{opaque},"flag":1,"remark":null,"serializeTypeCurrentRPC":"JSON","extFields":{fields}}}"#
    )
}

/// An answer to `request`.
pub(crate) fn answer(request: &Command, code: i32, fields: &str, body: &[u8]) -> Bytes {
    frame(0, header(request.opaque, code, fields).as_bytes(), body)
}

/// What a good broker says to a send.
pub(crate) fn stored(request: &Command) -> Bytes {
    let fields = r#"{"msgId":"0A00010100002A9F0000000000000000","queueId":"0","queueOffset":"7"}"#;
    answer(request, 0, fields, &[])
}

/// Sends these bytes at once.
pub(crate) fn at_once(bytes: Bytes) -> Vec<(Duration, Reaction)> {
    vec![(Duration::ZERO, Reaction::Send(bytes))]
}

/// A broker that welcomes clients, and answers requests of one kind by `answers`, the others not at all.
pub(crate) fn broker(
    code: RequestCode,
    mut answers: impl FnMut(&Command) -> Vec<(Duration, Reaction)> + Send,
) -> impl Script {
    move |_: Now, _: u64, request: &Command| match RequestCode(request.code) {
        RequestCode::HEART_BEAT | RequestCode::UNREGISTER_CLIENT => at_once(answer(request, 0, "{}", &[])),
        asked if asked == code => answers(request),
        _ => Vec::new(),
    }
}

/// A name server that answers every request by `answers`.
pub(crate) fn name_server(mut answers: impl FnMut(&Command) -> Bytes + Send) -> impl Script {
    move |_: Now, _: u64, request: &Command| at_once(answers(request))
}
