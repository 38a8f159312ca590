//! A message to be sent.

use core::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::content::{Body, TopicName};
use crate::wire::compression::{self, Compression};
use crate::wire::message::{Properties, PropertyError, property, sys_flag};

/// The names that the protocol keeps for itself (`MessageConst.STRING_HASH_SET`).
const RESERVED: [&str; 16] = [
    property::UNIQ_KEY,
    property::WAIT,
    property::RETRY_TOPIC,
    property::REAL_TOPIC,
    property::REAL_QUEUE_ID,
    property::ORIGIN_MESSAGE_ID,
    property::RECONSUME_TIME,
    property::MAX_RECONSUME_TIMES,
    property::TRAN_MSG,
    property::PGROUP,
    property::MIN_OFFSET,
    property::MAX_OFFSET,
    property::CLUSTER,
    property::INSTANCE_ID,
    property::MSG_REGION,
    property::TRACE_ON,
];

/// What holds a message back.
const DELAYS: [&str; 4] =
    [property::DELAY, property::TIMER_DELAY_SEC, property::TIMER_DELAY_MS, property::TIMER_DELIVER_MS];

/// A message to be sent.
///
/// ```
/// use stgclient_core::producer::Message;
///
/// let message = Message::new("orders", "hello").tag("paid").key("42").property("shop", "berlin");
/// assert_eq!(message.properties().get("shop"), Some("berlin"));
/// ```
///
/// What cannot be sent (a reserved name, a character that the protocol uses to separate, a body that is empty or too long) is reported
/// by the send. Tag, keys and properties may have 32,767 bytes together, of which the client takes 128.
#[derive(Clone, Debug)]
pub struct Message {
    topic: Arc<str>,
    body: Bytes,
    flag: i32,
    properties: Properties,
    /// Boxed, like the next one, since most messages have none and all are moved.
    compressed: Option<Box<Compressed>>,
    invalid: Option<Box<str>>,
}

/// A compressed body, and the bits of `MessageSysFlag` that say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compressed {
    /// The compressed body.
    pub body: Bytes,
    /// The bits.
    pub sys_flag: i32,
}

impl Message {
    /// A message for `topic`, 1 to 127 letters, digits and `%|_-`. The body has 1 byte at the least, and 4 MiB at the most unless
    /// [`ProducerConfig::max_body_size`](crate::producer::ProducerConfig::max_body_size) says otherwise. A borrowed body is copied.
    pub fn new(topic: impl TopicName, body: impl Body) -> Self {
        Self {
            topic: topic.into_name(),
            body: body.into_bytes(),
            flag: 0,
            properties: Properties::new(),
            compressed: None,
            invalid: None,
        }
    }

    /// Sets the tag that consumers filter by: one, so without `||`, which separates tags where they are selected, and without spaces around it.
    #[must_use]
    pub fn tag(mut self, tag: impl AsRef<str>) -> Self {
        let tag = tag.as_ref();
        let what = match tag {
            _ if tag.contains("||") => "contains ||",
            _ if tag.starts_with(' ') || tag.ends_with(' ') => "begins or ends with a space",
            "*" => "means every message where tags are selected",
            _ => return self.set(property::TAGS, tag),
        };
        self.find_invalid(format_args!("the tag {tag:?} {what}, so that nobody could select it"));
        self
    }

    /// Adds a key that the message can be found by. It is not empty, and holds no space: spaces separate keys. One that is unique lets
    /// consumers tell repeats.
    #[must_use]
    pub fn key(mut self, key: impl AsRef<str>) -> Self {
        let key = key.as_ref();
        if key.is_empty() {
            self.find_invalid(format_args!("the key is empty"));
            return self;
        }
        if key.contains(' ') {
            self.find_invalid(format_args!("the key {key:?} contains a space, which separates keys"));
            return self;
        }
        match self.properties.get(property::KEYS) {
            Some(keys) => {
                let keys = format!("{keys} {key}");
                self.set(property::KEYS, &keys)
            }
            None => self.set(property::KEYS, key),
        }
    }

    /// Sets a property of your own, for consumers and for SQL92 expressions. The protocol's own names are refused, such as `KEYS`.
    #[must_use]
    pub fn property(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let name = name.as_ref();
        let own = [(property::TAGS, "tag"), (property::KEYS, "key"), (property::DELAY, "delay_level")];
        if let Some((_, method)) = own.iter().find(|(own, _)| *own == name) {
            self.find_invalid(format_args!("the property {name} is set by Message::{method}"));
            return self;
        }
        if RESERVED.contains(&name) {
            self.find_invalid(format_args!("the property name {name} is the protocol's own"));
            return self;
        }
        self.set(name, value.as_ref())
    }

    /// Has the broker hold the message back: level 1 to 18 are 1 s, 5 s, 10 s, 30 s, 1 to 10 min, 20 min, 30 min, 1 h
    /// and 2 h on brokers that are not configured otherwise (`messageDelayLevel`). 0 is no delay, and a level above the broker's
    /// last one is that one.
    #[must_use]
    pub fn delay_level(self, level: u32) -> Self {
        // As brokers read it.
        self.set(property::DELAY, &level.min(i32::MAX as u32).to_string())
    }

    /// Sets a number that travels beside the body, for the application's own use.
    #[must_use]
    pub const fn flag(mut self, flag: i32) -> Self {
        self.flag = flag;
        self
    }

    /// The same content once more, as its producer had made it: the topic that it was first sent to, the body, the flag, the tag, the
    /// keys and the application's own properties, without a delay.
    pub(crate) fn again<'a>(
        topic: &str,
        body: Bytes,
        flag: i32,
        properties: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let is_kept = |name: &str| !RESERVED.contains(&name) && !DELAYS.contains(&name);
        let properties = properties.filter(|(name, _)| is_kept(name));
        properties.fold(Self::new(topic, body).flag(flag), |message, (name, value)| message.set(name, value))
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        let result: Result<(), PropertyError> = self.properties.set(name, value);
        if let Err(error) = result {
            self.find_invalid(format_args!("the property {name:?}: {error}"));
        }
        self
    }

    /// The first thing that is wrong is what the send reports.
    fn find_invalid(&mut self, why: fmt::Arguments<'_>) {
        self.invalid.get_or_insert_with(|| why.to_string().into());
    }

    /// Compresses the body now if it is at least `threshold` bytes long and gets shorter by it. The core never looks
    /// into a body; a runtime calls this before it takes any lock.
    pub fn compress(&mut self, threshold: usize, with: Compression) {
        if self.body.len() < threshold || self.compressed.is_some() {
            return;
        }
        let body = compression::compress(&self.body, with);
        if body.len() < self.body.len() {
            let sys_flag = with.sys_flag() | sys_flag::COMPRESSED;
            self.compressed = Some(Box::new(Compressed { body, sys_flag }));
        }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    pub(crate) const fn topic_name(&self) -> &Arc<str> {
        &self.topic
    }

    /// The body, uncompressed.
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    pub(crate) const fn take_body(&mut self) -> Bytes {
        core::mem::replace(&mut self.body, Bytes::new())
    }

    /// The properties, the tag and the keys among them.
    pub const fn properties(&self) -> &Properties {
        &self.properties
    }

    pub(crate) const fn flag_bits(&self) -> i32 {
        self.flag
    }

    pub(crate) fn invalid(&self) -> Option<&str> {
        self.invalid.as_deref()
    }

    /// The body as it is written, and the bits that say how.
    pub(crate) fn written(&self) -> (&Bytes, i32) {
        self.compressed.as_ref().map_or((&self.body, 0), |compressed| (&compressed.body, compressed.sys_flag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_joined_by_spaces() {
        let message = Message::new("T", "b").key("a").key("b");
        assert_eq!(message.properties().get(property::KEYS), Some("a b"));
        assert_eq!(message.invalid(), None);
    }

    #[test]
    fn what_cannot_be_sent_is_remembered_not_lost() {
        for message in [
            Message::new("T", "b").key("a b"),
            Message::new("T", "b").property("UNIQ_KEY", "x"),
            Message::new("T", "b").tag("a\u{1}b"),
            Message::new("T", "b").tag("a || b"),
            Message::new("T", "b").property("KEYS", "a"),
            Message::new("T", "b").property("TAGS", "a"),
            Message::new("T", "b").property("DELAY", "1"),
            Message::new("T", "b").property("", "x"),
        ] {
            assert!(message.invalid().is_some(), "{message:?}");
        }
    }

    #[test]
    fn a_message_is_made_of_whatever_holds_a_text_or_bytes() {
        let (topic, body, key) = ("T".to_owned(), vec![b'b'; 1], "k".to_owned());
        let made = [
            Message::new("T", "b"),
            Message::new(&topic, body.as_slice()),
            Message::new(topic.as_str(), &body),
            Message::new(topic.clone(), body),
            Message::new(Arc::<str>::from("T"), &*topic.to_lowercase().replace('t', "b")),
            Message::new(Arc::<str>::from("T"), Bytes::from_static(b"b")),
            Message::new(topic, *b"b"),
        ];
        for message in made {
            let message = message.key(&key).key(key.clone()).tag(key.as_str()).property(&key, &key);
            assert_eq!((message.topic(), &**message.body(), message.invalid()), ("T", &b"b"[..], None));
        }
    }

    #[test]
    fn only_a_body_that_gets_shorter_is_sent_compressed() {
        let mut message = Message::new("T", vec![7; 5000]);
        message.compress(4096, Compression::Zlib { level: 5 });
        let (body, flags) = message.written();
        assert!(body.len() < 5000 && flags == sys_flag::COMPRESSED | sys_flag::COMPRESSION_ZLIB);
        let mut short = Message::new("T", vec![7; 4095]);
        short.compress(4096, Compression::Zlib { level: 5 });
        assert_eq!(short.written(), (short.body(), 0));
    }
}
