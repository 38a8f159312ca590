//! Which names a topic and a group may have (`TopicValidator`), and the topics a broker has from the start.

use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::dialect::Dialect;

use super::super::refusal::Refusal;

/// What the retry topic of a group is called: this and the group's name.
pub(super) const RETRY_PREFIX: &str = "%RETRY%";
/// What the topic of a group's dead letters is called: this and the group's name.
const DLQ_PREFIX: &str = "%DLQ%";
/// Where smartgo's brokers say that a pull was refused for its offset.
pub(super) const OFFSET_MOVED_EVENT: &str = "OFFSET_MOVED_EVENT";
/// Where messages lie that are held back.
pub(super) const SCHEDULE_TOPIC: &str = "SCHEDULE_TOPIC_XXXX";

const LONGEST_TOPIC: usize = 127;
const LONGEST_RETRY_TOPIC: usize = 255;
const LONGEST_GROUP: usize = 120;

/// Topics that clients cannot send to (`NOT_ALLOWED_SEND_TOPIC_SET`).
const NOT_SENT_TO: [&str; 6] = [
    SCHEDULE_TOPIC,
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    OFFSET_MOVED_EVENT,
];

/// Topics that nobody may create, change or delete, besides the ones of the cluster and the broker.
const SYSTEM: [&str; 11] = [
    Dialect::Apache.default_topic(),
    Dialect::Smartgo.default_topic(),
    SCHEDULE_TOPIC,
    "BenchmarkTest",
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRACE_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "TRANS_CHECK_MAX_TIME_TOPIC",
    "SELF_TEST_TOPIC",
    OFFSET_MOVED_EVENT,
    "CHECKPOINT_TOPIC",
];

/// Topics that an Apache broker has for what this one does not do: transactions and exact times.
pub(super) const IDLE: [&str; 5] = [
    "RMQ_SYS_TRANS_HALF_TOPIC",
    "RMQ_SYS_TRANS_OP_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_HALF_TOPIC",
    "RMQ_SYS_ROCKSDB_TRANS_OP_HALF_TOPIC",
    "rmq_sys_wheel_timer",
];

/// Where the answers to requests by messages go, which are sent to it by nobody here.
pub(super) fn reply_topic(cluster: &str) -> String {
    format!("{cluster}_REPLY_TOPIC")
}

/// Whether clients may send to `topic`.
pub(super) fn is_sent_to(topic: &str) -> bool {
    !NOT_SENT_TO.contains(&topic)
}

/// Whether `topic` belongs to every broker.
pub(super) fn is_system(topic: &str) -> bool {
    SYSTEM.contains(&topic) || topic.starts_with("rmq_sys_")
}

/// What smartgo's brokers say where a name is theirs.
pub(super) fn reserved(topic: &str) -> Refusal {
    let remark = format!("the topic[{topic}] is conflict with system reserved words.");
    Refusal::new(ResponseCode::SYSTEM_ERROR, remark)
}

/// The retry topic of `group`.
pub(super) fn retry_topic(group: &str) -> String {
    format!("{RETRY_PREFIX}{group}")
}

/// The topic of the dead letters of `group`.
pub(super) fn dead_letter_topic(group: &str) -> String {
    format!("{DLQ_PREFIX}{group}")
}

/// The group that `topic` is the retry topic of, also as POP calls them: group, `+` and topic (`KeyBuilder.parseGroup`).
pub(super) fn group_of_retry_topic(topic: &str) -> Option<&str> {
    let rest = topic.strip_prefix(RETRY_PREFIX)?;
    Some(rest.split_once('+').map_or(rest, |(group, _)| group))
}

/// Whether a topic may be called `topic`.
///
/// # Errors
/// Why not, in the words of Apache's broker.
pub(super) fn validate_topic(topic: &str) -> Result<(), String> {
    if topic.trim().is_empty() {
        return Err("The specified topic is blank.".into());
    }
    if !topic.bytes().all(is_allowed) {
        return Err(format!(
            "The specified topic: {topic}, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
        ));
    }
    if topic.starts_with(RETRY_PREFIX) || topic.starts_with(DLQ_PREFIX) {
        if topic.len() > LONGEST_RETRY_TOPIC {
            return Err(format!(
                "The specified topic is DLQ or Retry topic: {topic}, and it's longer than topic max length: \
                 {LONGEST_RETRY_TOPIC}"
            ));
        }
    } else if topic.len() > LONGEST_TOPIC {
        return Err(format!("The specified topic: {topic}, is longer than topic max length: {LONGEST_TOPIC}"));
    }
    Ok(())
}

/// Whether a group may be called `group`.
///
/// # Errors
/// Why not, in the words of Apache's broker.
pub(super) fn validate_group(group: &str) -> Result<(), String> {
    if group.trim().is_empty() {
        return Err("The specified group is blank.".into());
    }
    if !group.bytes().all(is_allowed) {
        return Err(format!(
            "The specified group: {group}, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$"
        ));
    }
    if group.len() > LONGEST_GROUP {
        return Err(format!("The specified group: {group}, is longer than group max length: {LONGEST_GROUP}"));
    }
    Ok(())
}

const fn is_allowed(byte: u8) -> bool {
    matches!(byte, b'%' | b'|' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_1_to_127_allowed_characters() {
        for topic in ["t", "%RETRY%a|b", "A-z_0", &"x".repeat(127), &format!("%DLQ%{}", "x".repeat(250))] {
            assert_eq!(validate_topic(topic), Ok(()), "{topic}");
        }
        for topic in ["", " ", "a b", "ä", "a.b", &"x".repeat(128), &format!("%RETRY%{}", "x".repeat(249))] {
            assert!(validate_topic(topic).is_err(), "{topic}");
        }
    }

    #[test]
    fn a_group_has_1_to_120_allowed_characters() {
        for group in ["g", &"x".repeat(120)] {
            assert_eq!(validate_group(group), Ok(()), "{group}");
        }
        for group in ["", " ", "a b", &"x".repeat(121)] {
            assert!(validate_group(group).is_err(), "{group}");
        }
    }
}
