//! What is refused before anything is sent (`Validators`, `TopicValidator`).

use super::{Message, ProducerConfig};
use crate::error::{Error, ErrorKind};
use crate::wire::dialect::Dialect;
use crate::wire::message::properties;
use crate::wire::message::stored::SMALLEST;

/// How long a topic's name may be, in bytes.
const MAX_TOPIC_LENGTH: usize = 127;
/// How long a group's name may be, in bytes.
const MAX_GROUP_LENGTH: usize = 120;
/// Room that ids and marks of ours take among the properties.
const OWN_PROPERTIES: usize = 128;

/// The topics that only servers write to (`TopicValidator.NOT_ALLOWED_SEND_TOPIC_SET`).
const SERVERS_OWN: [&str; 6] = [
    "SCHEDULE_TOPIC_XXXX",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    "OFFSET_MOVED_EVENT",
];

/// Checks a topic's name: 1 to 127 of the characters `%|a-zA-Z0-9_-`.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] with the reason.
pub fn check_topic(name: &str) -> Result<(), Error> {
    check_name("topic", name, MAX_TOPIC_LENGTH)
}

/// Checks a group's name: 1 to 120 of the characters `%|a-zA-Z0-9_-`.
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] with the reason.
pub fn check_group(name: &str) -> Result<(), Error> {
    check_name("group", name, MAX_GROUP_LENGTH)
}

fn check_name(kind: &str, name: &str, longest: usize) -> Result<(), Error> {
    let is_allowed = name.bytes().all(|byte| NAME_BYTES[usize::from(byte)]);
    if is_allowed && (1..=longest).contains(&name.len()) { Ok(()) } else { Err(wrong_name(kind, name, longest)) }
}

/// The bytes that names consist of.
const NAME_BYTES: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < allowed.len() {
        let character = byte as u8;
        allowed[byte] = character.is_ascii_alphanumeric() || matches!(character, b'%' | b'|' | b'_' | b'-');
        byte += 1;
    }
    allowed
};

/// What is wrong with a name.
#[cold]
fn wrong_name(kind: &str, name: &str, longest: usize) -> Error {
    let shown: String = name.chars().take(longest + 1).collect();
    let not_allowed = |c: &char| !u8::try_from(*c).is_ok_and(|byte| NAME_BYTES[usize::from(byte)]);
    let why = match name.chars().find(not_allowed) {
        _ if name.is_empty() => "is empty".to_owned(),
        _ if name.len() > longest => format!("is {} bytes long, {longest} are allowed", name.len()),
        Some(c) => format!("contains {c:?}; letters, digits and %|_- are allowed"),
        None => "is wrong".to_owned(),
    };
    Error::new(ErrorKind::InvalidArgument, format!("the {kind} {shown:?} {why}"))
}

/// Checks a message before it is sent.
pub(crate) fn check_message(message: &Message, config: &ProducerConfig, dialect: Dialect) -> Result<(), Error> {
    let wrong = |why: String| Err(Error::new(ErrorKind::InvalidArgument, why));
    check_topic(message.topic())?;
    if SERVERS_OWN.contains(&message.topic()) {
        return wrong(format!("the topic {} is the servers' own", message.topic()));
    }
    if let Some(why) = message.invalid() {
        return wrong(why.to_owned());
    }
    if message.body().is_empty() {
        return wrong("the body is empty, which brokers refuse".into());
    }
    let most = config.max_body_size.unwrap_or(dialect.max_body_size());
    if message.body().len() > most {
        let whose = match (dialect, config.max_body_size) {
            (Dialect::Smartgo, None) => {
                " towards smartgo's servers (Dialect::Smartgo), as by their own client; ProducerConfig::max_body_size allows more"
            }
            _ => "",
        };
        return wrong(format!("the body is {} bytes long, {most} are allowed{whose}", message.body().len()));
    }
    let length = message.properties().encoded().len() + OWN_PROPERTIES;
    let stored = SMALLEST + message.topic().len() + length + message.body().len();
    if let Some(most) = dialect.longest_stored().filter(|most| stored > *most) {
        return wrong(format!(
            "the message takes {stored} bytes with its topic and properties, {most} are allowed by smartgo's servers \
             (Dialect::Smartgo): one that is too long stops all sends until their broker is started anew"
        ));
    }
    if length > properties::MAX_LENGTH {
        return wrong(format!("the properties take {length} bytes, {} are allowed", properties::MAX_LENGTH));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_java_checks_them() {
        for name in ["T", "a_b-c%d|e", "%RETRY%G", &"t".repeat(127)] {
            assert_eq!(check_topic(name), Ok(()));
        }
        for name in ["", " ", "a b", "值", &"t".repeat(128)] {
            let error = check_topic(name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        }
        assert!(check_group(&"g".repeat(120)).is_ok());
        assert!(check_group(&"g".repeat(121)).is_err());
    }

    #[test]
    fn a_message_that_brokers_would_refuse_is_refused_here() {
        let config = ProducerConfig { max_body_size: Some(10), ..ProducerConfig::default() };
        assert_eq!(check_message(&Message::new("T", "0123456789"), &config, Dialect::Apache), Ok(()));
        for (message, word) in [
            (Message::new("T", ""), "empty"),
            (Message::new("T", "0123456789a"), "11 bytes"),
            (Message::new("SELF_TEST_TOPIC", "b"), "own"),
            (Message::new("T", "b").property("k", "v".repeat(32_700)), "properties"),
            (Message::new("T", "b").property("WAIT", "false"), "WAIT"),
        ] {
            let error = check_message(&message, &config, Dialect::Apache).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
