//! An answer as it is compared: one text for each thing it says.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use stgclient_core::wire::code::RequestCode as Code;
use stgclient_core::wire::command::{Command, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::json::Json;
use stgclient_core::wire::message::{StoredMessage, StoredMessages, property};

use crate::differences::Difference;
use crate::places::Places;
use crate::request::Request;

/// The remark of an exception.
const EXCEPTION: &str = "an exception";

/// What an answer says, by where it says it: `code`, `remark`, `fields.msgId`, `body.offsetTable`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View(BTreeMap<String, String>);

/// What a server has told a client, or asked it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    code: i32,
    client: usize,
    says: BTreeMap<String, String>,
}

impl View {
    /// Of the answer to `request`, or of none, by a server whose messages lie at `places`.
    pub(crate) fn of(request: &Request, answer: Option<&Command>, places: &mut Places) -> Self {
        let mut says = BTreeMap::new();
        places.learn(request, answer);
        match answer {
            None => _ = says.insert("code".to_owned(), "none".to_owned()),
            Some(answer) => {
                says.insert("code".to_owned(), answer.code.to_string());
                let (language, version, flag) = (answer.language, answer.version, answer.flag);
                says.insert("sender".to_owned(), format!("{language:?} {version} {flag}"));
                // The binary codec cannot say that there is an empty one.
                let is_there = |remark: &&str| request.codec == HeaderCodec::Json || !remark.is_empty();
                if let Some(remark) = answer.remark.as_deref().filter(is_there) {
                    says.insert("remark".to_owned(), remark_of(&places.named_in(request, remark)));
                }
                put_fields(&mut says, answer, places);
                put_body(&mut says, request.code, answer, places);
            }
        }
        Self(says)
    }

    /// Where the two differ.
    pub(crate) fn differences<'a>(&'a self, apache: &'a Self) -> impl Iterator<Item = Difference> + 'a {
        differences(&self.0, &apache.0)
    }
}

impl Told {
    pub(crate) fn of(client: usize, command: &Command, places: &Places) -> Self {
        let mut says = BTreeMap::new();
        put_fields(&mut says, command, places);
        put_body(&mut says, command.code, command, places);
        Self { code: command.code, client, says }
    }
}

/// What the two were not told equally often.
pub(crate) fn told_differences(ours: &BTreeMap<Told, usize>, apache: &BTreeMap<Told, usize>) -> Vec<Difference> {
    let all: BTreeSet<&Told> = ours.keys().chain(apache.keys()).collect();
    let differ = all.into_iter().filter(|told| ours.get(told) != apache.get(told));
    let times = |times: Option<&usize>| Some(format!("{} times", times.copied().unwrap_or_default()));
    differ
        .map(|told| Difference {
            code: told.code,
            field: "told".to_owned(),
            request: format!("{told:?}"),
            ours: times(ours.get(told)),
            apache: times(apache.get(told)),
            ..Difference::default()
        })
        .collect()
}

fn differences<'a>(
    ours: &'a BTreeMap<String, String>,
    apache: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = Difference> + 'a {
    let places: BTreeSet<&String> = ours.keys().chain(apache.keys()).collect();
    let differs = |place: &&String| ours.get(*place) != apache.get(*place);
    places.into_iter().filter(differs).map(|place| Difference {
        place: place.replace('\u{1}', "[").replace('\u{2}', "]"),
        field: if ours.contains_key(place) {
            field_of(place)
        } else {
            format!("{} of Apache's alone", field_of(place))
        },
        ours: ours.get(place).cloned(),
        apache: apache.get(place).cloned(),
        ..Difference::default()
    })
}

/// The field of a place: without which element of a list or of a table it is.
fn field_of(place: &str) -> String {
    let mut field = String::new();
    let mut depth = 0;
    for character in place.chars() {
        match character {
            '\u{1}' => {
                field.push_str("[]");
                depth += 1;
            }
            '\u{2}' => depth -= 1,
            _ if depth == 0 => field.push(character),
            _ => {}
        }
    }
    field
}

/// A remark, or that it is an exception's, whose words are Java's own; ours say what is wrong.
fn remark_of(remark: &str) -> String {
    let marks = ["Exception", "Error:", "Cannot invoke "];
    if marks.iter().any(|mark| remark.contains(mark)) { EXCEPTION.to_owned() } else { remark.to_owned() }
}

fn put_fields(says: &mut BTreeMap<String, String>, command: &Command, places: &Places) {
    // The binary codec cannot say that there is an empty one, and the two servers do not answer in the same codec.
    for (name, value) in command.fields.iter().filter(|(_, value)| !value.is_empty()) {
        if let (true, Ok(json)) = (value.starts_with('{'), Json::parse(value.as_bytes())) {
            put_json(says, format!("fields.{name}"), json, places);
            continue;
        }
        let value = match &*name {
            "msgId" => value.split(',').map(|id| places.id(id)).collect::<Vec<_>>().join(","),
            "transactionId" => places.unique(&value),
            "indexLastUpdatePhyoffset" => places.text_of_offset(&value),
            _ => places.text(&value),
        };
        says.insert(format!("fields.{name}"), value);
    }
}

fn put_body(says: &mut BTreeMap<String, String>, code: i32, command: &Command, places: &Places) {
    let body = &command.body;
    match Code(code) {
        _ if body.is_empty() => {}
        Code::PULL_MESSAGE
        | Code::LITE_PULL_MESSAGE
        | Code::QUERY_MESSAGE
        | Code::VIEW_MESSAGE_BY_ID
        | Code::CONSUME_MESSAGE_DIRECTLY
            if Json::parse(body).is_err() =>
        {
            put_messages(says, body, places);
        }
        Code::GET_BROKER_CONFIG | Code::GET_NAMESRV_CONFIG => {
            for line in String::from_utf8_lossy(body).lines().filter(|line| !line.starts_with('#')) {
                let (name, value) = line.split_once('=').unwrap_or((line, ""));
                says.insert(format!("body\u{1}{name}\u{2}"), places.text(value));
            }
        }
        _ => match Json::parse(body) {
            // There the names are fields.
            Ok(json) if code == Code::GET_BROKER_RUNTIME_INFO.0 => {
                let table = json.members().find(|(name, _)| name.is("table")).map(|(_, table)| table);
                let members = table.into_iter().flat_map(Json::members);
                // Apache's has one for each folder, which is its own; and of how busy it is says something else each time.
                let is_own = |name: &str| name.contains('/') || name.contains("Behind") || name.ends_with("Mills");
                let members = members.filter(|(name, _)| !is_own(&name.text()));
                members.for_each(|(name, value)| put_json(says, format!("body.{}", name.text()), value, places));
            }
            Ok(json) => put_json(says, "body".to_owned(), json, places),
            Err(_) => _ = says.insert("body".to_owned(), format!("{:?}", Bytes::clone(body))),
        },
    }
}

fn put_messages(says: &mut BTreeMap<String, String>, body: &Bytes, places: &Places) {
    for (index, message) in StoredMessages::new(body.clone(), Dialect::Apache).enumerate() {
        let at = |field: &str| format!("body\u{1}{index:04}\u{2}.{field}");
        match message {
            Ok(message) => put_message(says, &at, &message, places),
            Err(error) => _ = says.insert(at("error"), error.to_string()),
        }
    }
}

fn put_message(
    says: &mut BTreeMap<String, String>,
    at: &impl Fn(&str) -> String,
    message: &StoredMessage,
    places: &Places,
) {
    let fields = &message.fields;
    let mut put = |field: &str, value: String| _ = says.insert(at(field), places.text(&value));
    put("topic", message.topic().to_owned());
    put("bodyCRC", fields.body_crc.to_string());
    put("queueId", fields.queue_id.to_string());
    put("flag", fields.flag.to_string());
    put("queueOffset", fields.queue_offset.to_string());
    put("physicalOffset", places.name(fields.physical_offset));
    put("sysFlag", fields.sys_flag.to_string());
    put("bornTimestamp", fields.born_timestamp.to_string());
    put("bornHost", fields.born_host.to_string());
    put("storeTimestamp", fields.store_timestamp.to_string());
    put("storeHost", fields.store_host.to_string());
    put("reconsumeTimes", fields.reconsume_times.to_string());
    put("preparedTransactionOffset", fields.prepared_transaction_offset.to_string());
    put("body", String::from_utf8_lossy(message.body()).into_owned());
    for (name, value) in message.properties().iter() {
        let value = match name {
            property::UNIQ_KEY => places.unique(value),
            property::ORIGIN_MESSAGE_ID => places.id(value),
            _ => value.to_owned(),
        };
        put(&format!("properties.{name}"), value);
    }
}

/// A list has no order where it stands for a set, as all of the protocol's do.
fn put_json(says: &mut BTreeMap<String, String>, place: String, json: Json<'_>, places: &Places) {
    match json {
        Json::Object(_) => {
            let is_table = is_table(&place);
            // What brokers note every few seconds for the proxies that are theirs.
            let is_noted = |name: &str| is_table && name.ends_with("@broadcast");
            let mut is_empty = true;
            for (name, value) in json.members() {
                is_empty = false;
                let name = name.text();
                if is_noted(&name) {
                    continue;
                }
                let place = if is_table { format!("{place}\u{1}{name}\u{2}") } else { format!("{place}.{name}") };
                put_json(says, place, value, places);
            }
            if is_empty {
                says.insert(place, "{}".to_owned());
            }
        }
        Json::Array(_) => {
            let mut elements: Vec<BTreeMap<String, String>> = json
                .elements()
                .map(|element| {
                    let mut says = BTreeMap::new();
                    put_json(&mut says, String::new(), element, places);
                    says
                })
                .collect();
            elements.sort();
            if elements.is_empty() {
                says.insert(place.clone(), "[]".to_owned());
            }
            for (index, element) in elements.into_iter().enumerate() {
                for (inner, value) in element {
                    // A name stands for itself.
                    let element = if inner.is_empty() { value.clone() } else { format!("{index:04}") };
                    says.insert(format!("{place}\u{1}{element}\u{2}{inner}"), value);
                }
            }
        }
        Json::Null => _ = says.insert(place, "null".to_owned()),
        Json::Literal(text) => _ = says.insert(place, places.text(&text.text())),
        Json::Text(text) => _ = says.insert(place, format!("{:?}", places.text(&text.text()))),
    }
}

/// Whether the names of an object are not fields but keys.
fn is_table(place: &str) -> bool {
    let last = field_of(place);
    let last = last.rsplit('.').next().unwrap_or_default();
    last.ends_with("Table") || last.ends_with("Table[]") || matches!(last, "table" | "brokerAddrs" | "attributes")
}
