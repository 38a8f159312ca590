//! Which attributes a topic or a group may have, and how they are changed (`AttributeParser`, `AttributeUtil`, `TopicAttributes`,
//! `SubscriptionGroupAttributes`).

use std::collections::BTreeMap;

use stgclient_core::sorted::{SortedMap, SortedSet};

/// What an attribute may be.
enum Values {
    /// One of these, in the order in which Java names them.
    OneOf(&'static [&'static str]),
    Number {
        least: i64,
        most: i64,
    },
}

pub(super) struct Attribute {
    name: &'static str,
    is_changeable: bool,
    values: Values,
}

/// What a group may have.
pub(super) const OF_GROUPS: &[Attribute] =
    &[Attribute { name: "priority.factor", is_changeable: true, values: Values::Number { least: 0, most: 100 } }];

/// What a topic may have.
pub(super) const OF_TOPICS: &[Attribute] = &[
    Attribute { name: "queue.type", is_changeable: false, values: Values::OneOf(&["BatchCQ", "SimpleCQ"]) },
    Attribute { name: "cleanup.policy", is_changeable: false, values: Values::OneOf(&["COMPACTION", "DELETE"]) },
    Attribute {
        name: "message.type",
        is_changeable: true,
        values: Values::OneOf(&["UNSPECIFIED", "MIXED", "TRANSACTION", "PRIORITY", "FIFO", "DELAY", "NORMAL"]),
    },
    Attribute { name: "reserve.time", is_changeable: true, values: Values::Number { least: -1, most: i64::MAX } },
];

/// The attributes of a topic or a group after the changes, each by its name with the sign that says how; of one that is there, `known`.
///
/// # Errors
/// Why not, in Java's words.
pub(super) fn changed<'a>(
    all: &[Attribute],
    known: Option<&SortedMap<String, String>>,
    changes: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<SortedMap<String, String>, String> {
    let mut attributes = known.cloned().unwrap_or_default();
    let mut seen = SortedSet::new();
    for (name, value) in changes {
        let sign = name.chars().next().ok_or("begin 1, end 0, length 0")?;
        let name = &name[sign.len_utf8()..];
        if name.is_empty() || name.contains(['+', '-']) {
            return Err("kv string format wrong.".to_owned());
        }
        if !seen.insert(name) {
            return Err(format!("alter duplication key. key: {name}"));
        }
        match (sign, known) {
            ('+', _) => {}
            (_, None) => return Err(format!("only add attribute is supported while creating topic. key: {name}")),
            ('-', Some(known)) if known.contains_key(name) => {}
            ('-', _) => return Err(format!("attempt to delete a nonexistent key: {name}")),
            _ => return Err(format!("wrong format key: {name}")),
        }
        let attribute = all.iter().find(|attribute| attribute.name == name);
        let attribute = attribute.ok_or_else(|| format!("unsupported key: {name}"))?;
        if known.is_some() && !attribute.is_changeable {
            return Err(format!("attempt to update an unchangeable attribute. key: {name}"));
        }
        if sign == '-' {
            attributes.remove(name);
        } else {
            attribute.values.check(value)?;
            attributes.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(attributes)
}

/// The changes in a text such as `+message.type=FIFO,-reserve.time`.
///
/// # Errors
/// Why there are none, in Java's words.
pub(super) fn parse(modification: &str) -> Result<BTreeMap<&str, &str>, String> {
    let mut changes = BTreeMap::new();
    // Java's `split` leaves out what is empty at the end.
    let modification = modification.trim_end_matches(',');
    for change in modification.split(',').filter(|_| !modification.is_empty()) {
        let (name, value) = match change.split_once('=') {
            Some((name, _)) if !name.contains('+') => {
                return Err(format!("add/alter attribute format is wrong: {name}"));
            }
            Some((_, "")) => return Err("Index 1 out of bounds for length 1".to_owned()),
            Some((name, value)) => (name, value.split('=').next().unwrap_or_default()),
            None if !change.contains('-') => return Err(format!("delete attribute format is wrong: {change}")),
            None => (change, ""),
        };
        if changes.insert(name, value).is_some() {
            return Err(format!("key duplication: {name}"));
        }
    }
    Ok(changes)
}

impl Values {
    fn check(&self, value: &str) -> Result<(), String> {
        match self {
            Self::OneOf(values) if values.contains(&value) => Ok(()),
            Self::OneOf(values) => Err(format!("value is not in set: [{}]", values.join(", "))),
            Self::Number { least, most } => match value.parse::<i64>() {
                Ok(number) if (*least..=*most).contains(&number) => Ok(()),
                Ok(_) => Err(format!("value is not in range({least}, {most})")),
                Err(_) => Err(format!("For input string: \"{value}\"")),
            },
        }
    }
}
