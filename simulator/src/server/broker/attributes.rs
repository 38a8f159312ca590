//! Which attributes a topic may have, and how they are changed (`AttributeParser`, `AttributeUtil`, `TopicAttributes`).

use std::collections::BTreeMap;

/// What an attribute may be.
enum Values {
    /// One of these, in the order in which Java names them.
    OneOf(&'static [&'static str]),
    Number {
        least: i64,
    },
}

struct Attribute {
    name: &'static str,
    is_changeable: bool,
    values: Values,
}

const ATTRIBUTES: [Attribute; 4] = [
    Attribute { name: "queue.type", is_changeable: false, values: Values::OneOf(&["BatchCQ", "SimpleCQ"]) },
    Attribute { name: "cleanup.policy", is_changeable: false, values: Values::OneOf(&["COMPACTION", "DELETE"]) },
    Attribute {
        name: "message.type",
        is_changeable: true,
        values: Values::OneOf(&["UNSPECIFIED", "MIXED", "TRANSACTION", "PRIORITY", "FIFO", "DELAY", "NORMAL"]),
    },
    Attribute { name: "reserve.time", is_changeable: true, values: Values::Number { least: -1 } },
];

/// The attributes of a topic after `modification`, such as `+message.type=FIFO,-reserve.time`; of a topic that is there, `known`.
///
/// # Errors
/// Why not, in Java's words.
pub(super) fn changed(
    known: Option<&BTreeMap<String, String>>,
    modification: &str,
) -> Result<BTreeMap<String, String>, String> {
    let mut attributes = known.cloned().unwrap_or_default();
    for (name, value) in parse(modification)? {
        let (sign, name) = name.split_at_checked(1).ok_or("String index out of range: 0")?;
        if name.is_empty() || name.contains(['+', '-']) {
            return Err("kv string format wrong.".to_owned());
        }
        match (sign, known) {
            ("+", _) => {}
            (_, None) => return Err(format!("only add attribute is supported while creating topic. key: {name}")),
            ("-", Some(known)) if known.contains_key(name) => {}
            ("-", _) => return Err(format!("attempt to delete a nonexistent key: {name}")),
            _ => return Err(format!("wrong format key: {name}")),
        }
        let attribute = ATTRIBUTES.iter().find(|attribute| attribute.name == name);
        let attribute = attribute.ok_or_else(|| format!("unsupported key: {name}"))?;
        if known.is_some() && !attribute.is_changeable {
            return Err(format!("attempt to update an unchangeable attribute. key: {name}"));
        }
        if sign == "-" {
            attributes.remove(name);
        } else {
            attribute.values.check(value)?;
            attributes.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(attributes)
}

/// What is to be changed, by name, each with the sign that says how.
fn parse(modification: &str) -> Result<BTreeMap<&str, &str>, String> {
    let mut changes = BTreeMap::new();
    // Java's `split` leaves out what is empty at the end.
    for change in modification.trim_end_matches(',').split(',').filter(|_| !modification.is_empty()) {
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
            Self::Number { least } => match value.parse::<i64>() {
                Ok(number) if number >= *least => Ok(()),
                Ok(number) => Err(format!("value is not in range({least}, {}): {number}", i64::MAX)),
                Err(_) => Err(format!("For input string: \"{value}\"")),
            },
        }
    }
}
