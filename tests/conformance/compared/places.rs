//! Where messages lie on one side, and when the sides run: what is another number there and here gets the same name.

use std::collections::BTreeMap;
use std::time::SystemTime;

use stgclient_core::wire::code::RequestCode as Code;
use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::message::{OffsetMessageId, StoredMessages};

use crate::request::{self, Request};

/// What one side's messages are called.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// An hour before the servers were started, and when nothing runs any more, milliseconds since 1970 UTC.
    today: (i64, i64),
    /// By the place in the log.
    names: BTreeMap<i64, String>,
    /// Where each send has put its message, and its id.
    sent: Vec<(i64, String)>,
}

impl Places {
    pub(crate) fn new() -> Self {
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("later than 1970");
        let now = unix.as_millis() as i64;
        Self { today: (now - 3_600_000, now + 86_400_000), names: BTreeMap::new(), sent: Vec::new() }
    }

    /// What the places in a request are on this side.
    pub(crate) fn fill(&self, text: &str) -> String {
        let Some((before, rest)) = text.split_once('{') else {
            return text.to_owned();
        };
        let (token, after) = rest.split_once('}').unwrap_or((rest, ""));
        let (kind, index) = token.split_once(':').unwrap_or((token, ""));
        let sent = index.parse().ok().and_then(|index: usize| self.sent.get(index));
        let (place, id) = sent.cloned().unwrap_or_default();
        match kind {
            "stored" => format!("{before}{place}{after}"),
            "id" => format!("{before}{id}{after}"),
            _ => text.to_owned(),
        }
    }

    /// Learns where messages lie from an answer.
    pub(crate) fn learn(&mut self, request: &Request, answer: Option<&Command>) {
        let field = |name: &str| answer.and_then(|answer| answer.fields.get(name));
        if request::sends(request.code) {
            let ids = field("msgId").unwrap_or_default();
            let first: i64 = field("queueOffset").and_then(|offset| offset.parse().ok()).unwrap_or_default();
            let (topic, queue) = (request.topic(), field("queueId").unwrap_or_default());
            let mut sent = None;
            for (index, id) in ids.split(',').enumerate() {
                let Ok(place) = id.parse::<OffsetMessageId>() else {
                    continue;
                };
                let place = place.physical_offset() as i64;
                self.names.insert(place, format!("{topic}/{queue}/{}", first + index as i64));
                sent.get_or_insert((place, id.to_owned()));
            }
            self.sent.push(sent.unwrap_or_default());
        }
        let Some(answer) = answer else {
            return;
        };
        let brings = [Code::PULL_MESSAGE, Code::LITE_PULL_MESSAGE, Code::QUERY_MESSAGE, Code::VIEW_MESSAGE_BY_ID];
        if brings.contains(&Code(request.code)) {
            for message in StoredMessages::new(answer.body.clone(), Dialect::Apache).flatten() {
                let fields = &message.fields;
                let name = format!("{}/{}/{}", message.topic(), fields.queue_id, fields.queue_offset);
                self.names.insert(fields.physical_offset, name);
            }
        }
    }

    /// What lies at a place in the log.
    pub(crate) fn name(&self, place: i64) -> String {
        self.names.get(&place).map_or_else(|| "a message".to_owned(), |name| format!("message {name}"))
    }

    /// The same of a place that is written.
    pub(crate) fn text_of_offset(&self, text: &str) -> String {
        text.parse()
            .map_or_else(|_| text.to_owned(), |place| if place == 0 { "0".to_owned() } else { self.name(place) })
    }

    /// What an id stands for.
    pub(crate) fn id(&self, id: &str) -> String {
        match id.parse::<OffsetMessageId>() {
            Ok(parsed) => format!("{} at {}", self.name(parsed.physical_offset() as i64), parsed.host()),
            Err(_) => id.to_owned(),
        }
    }

    /// A unique id: one that the sequence has given, or one that the broker has made.
    pub(crate) fn unique(&self, id: &str) -> String {
        let is_made = matches!(id.len(), 32 | 56) && !id.starts_with(request::OWN_UNIQUE);
        if is_made { "made by the broker".to_owned() } else { id.to_owned() }
    }

    /// A value, which may be a time of today.
    pub(crate) fn text(&self, text: &str) -> String {
        match text.parse::<i64>() {
            Ok(time) if (self.today.0..self.today.1).contains(&time) => "now".to_owned(),
            _ => text.to_owned(),
        }
    }

    /// A remark that may have a place or an id in it that the request has named.
    pub(crate) fn named_in(&self, request: &Request, remark: &str) -> String {
        let mut remark = remark.to_owned();
        for (name, value) in &request.fields {
            let filled = self.fill(value);
            if filled != *value && !filled.is_empty() {
                remark = remark.replace(&filled, &format!("the {name}"));
            }
        }
        remark
    }
}
