//! `acl.jsonl`: signatures, and requests that Java's hook has signed.

#[path = "line.rs"]
#[allow(clippy::duplicate_mod, reason = "each file stands alone, to be compiled anywhere")]
mod line;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::BytesMut;
use line::{Line, integer, same, text};
use serde_json::Value;
use stgclient_core::credentials::Credentials;
use stgclient_core::wire::code::RequestCode;
use stgclient_core::wire::command::{self, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, NoFields, WriteHeader};
use stgclient_core::wire::request::PullMessage;
use stgclient_core::wire::signature::Signer;

/// Checks every line and returns how many there were.
pub(crate) fn check(text: &str) -> Result<usize, String> {
    line::check(text, &[], |line| match line.kind() {
        "sign" => sign(line),
        "hook" => hook(line),
        "hook-typed" => hook_typed(line),
        other => Err(format!("the kind {other} is new")),
    })
}

/// Bytes, signed by nobody: what is covered beside the body is empty.
fn sign(line: &Line) -> Result<(), String> {
    let credentials = Credentials::new("", line.text("key")?);
    let fields = signed(&credentials, RequestCode(10), &NoFields, &line.bytes("dataHex")?)?;
    same("signature", &*fields["Signature"], line.text("signature")?)
}

fn hook(line: &Line) -> Result<(), String> {
    // An old signature is not signed; ours is only written when the rest is complete.
    let fields = texts(line.value("ext"))?.into_iter().filter(|(name, _)| name != "Signature").collect();
    let ours = signed(&credentials(line)?, RequestCode(10), &Named(fields), &line.bytes("bodyHex")?)?;
    same("fields", ours, texts(line.value("after"))?)
}

fn hook_typed(line: &Line) -> Result<(), String> {
    let after = texts(line.value("after"))?;
    let number =
        |name: &str| -> Result<i64, String> { after[name].parse().map_err(|_| format!("{name} is no number")) };
    let small = |name: &str| number(name).map(|number| number as i32);
    let header = PullMessage {
        consumer_group: Cow::Borrowed(&after["consumerGroup"]),
        topic: Cow::Borrowed(&after["topic"]),
        queue_id: small("queueId")?,
        queue_offset: number("queueOffset")?,
        max_msg_nums: small("maxMsgNums")?,
        sys_flag: small("sysFlag")?,
        commit_offset: number("commitOffset")?,
        suspend_timeout_millis: number("suspendTimeoutMillis")?,
        subscription: None,
        sub_version: number("subVersion")?,
        expression_type: None,
        max_msg_bytes: None,
        broker_name: None,
    };
    let code = RequestCode(integer(line.value("code"))? as i32);
    same("fields", signed(&credentials(line)?, code, &header, &[])?, after.clone())
}

fn credentials(line: &Line) -> Result<Credentials, String> {
    let credentials = Credentials::new(line.text("ak")?, line.text("sk")?);
    Ok(match line.value("token").as_str() {
        Some(token) => credentials.security_token(token),
        None => credentials,
    })
}

/// The fields of a signed request: the same in both layouts, and the signature is the last one.
fn signed(
    credentials: &Credentials,
    code: RequestCode,
    fields: &dyn WriteHeader,
    body: &[u8],
) -> Result<BTreeMap<String, String>, String> {
    let [json, binary] = [HeaderCodec::Json, HeaderCodec::Binary].map(|codec| {
        let (mut out, head) = (BytesMut::new(), Head::request(Dialect::Apache, code, 1));
        let signer = Signer::new(credentials);
        let signed = signer.sign(Dialect::Apache, &head, fields, body);
        command::encode(&mut out, codec, Dialect::Apache, &head, &signed, body);
        let command = command::decode(out.freeze().slice(4..)).map_err(|error| error.to_string())?;
        let pairs: Vec<(String, String)> =
            command.fields.iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        same("the last field", pairs.last().map(|(name, _)| &**name), Some("Signature"))?;
        Ok::<_, String>(pairs.into_iter().collect())
    });
    let (json, binary): (BTreeMap<_, _>, BTreeMap<_, _>) = (json?, binary?);
    // An empty value is null where Java reads the binary codec.
    let told: BTreeMap<_, _> =
        json.clone().into_iter().filter(|(_, value): &(String, String)| !value.is_empty()).collect();
    same("binary fields", binary, told)?;
    Ok(json)
}

/// The texts of an object. Java signs a null as the text that it prints for it; we write none.
fn texts(object: &Value) -> Result<BTreeMap<String, String>, String> {
    let pairs = object.as_object().into_iter().flatten();
    pairs
        .map(|(name, value)| Ok((name.clone(), if value.is_null() { "null" } else { text(value)? }.to_owned())))
        .collect()
}

/// Fields by name.
struct Named(BTreeMap<String, String>);

impl WriteHeader for Named {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.text(name, value));
    }
}
