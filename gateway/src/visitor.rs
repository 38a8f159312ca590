//! Who is on the other side of a tunnel, and what they may have.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

/// Why a visitor may not have what he asks for, in words for him.
pub(crate) type Refusal = Cow<'static, str>;

/// A visitor: a name for logs, and rights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Visitor {
    pub(crate) name: Arc<str>,
    pub(crate) rights: Arc<Rights>,
}

/// What a visitor may do. Without lists of topics and groups all of them are meant.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rights {
    /// Whether topics and groups may be created, changed and deleted.
    #[serde(default)]
    pub(crate) administers: bool,
    /// The topics, by their names or, with a `*` at the end, by how these begin.
    pub(crate) topics: Option<Patterns>,
    /// The groups, in the same way; their retry topics and dead letters go with them.
    pub(crate) groups: Option<Patterns>,
}

/// Names, and beginnings of names.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(try_from = "Vec<String>")]
pub(crate) struct Patterns(pub(crate) Vec<String>);

impl TryFrom<Vec<String>> for Patterns {
    type Error = String;

    /// Takes no pattern that could not mean what it says.
    fn try_from(patterns: Vec<String>) -> Result<Self, String> {
        for pattern in &patterns {
            let name = pattern.strip_suffix('*').unwrap_or(pattern);
            let why = if pattern.is_empty() {
                "is no name; write one, or [\"*\"] for all"
            } else if name.contains('*') {
                "has a * that is not at its end, where alone it stands for something; write the beginning of the names, and one *"
            } else if name.chars().any(|one| one.is_whitespace() || one.is_control() || one == ',') {
                "is no name of a topic or a group; write each one in quotes of its own"
            } else if ["%RETRY%", "%DLQ%"].iter().any(|front| name.starts_with(front)) {
                "goes with its group; write the group's name in `groups`"
            } else {
                continue;
            };
            return Err(format!("{pattern:?} {why}"));
        }
        Ok(Self(patterns))
    }
}

impl Rights {
    /// Who has rules for one kind of name has none of the other kind, unless they are named too: groups bring messages of their topics.
    pub(crate) fn whole(mut self) -> Self {
        if self.topics.is_some() || self.groups.is_some() {
            self.topics.get_or_insert_default();
            self.groups.get_or_insert_default();
        }
        self
    }
}

impl Patterns {
    /// Whether all there are are meant.
    pub(crate) fn cover_all(&self) -> bool {
        self.0.iter().any(|pattern| pattern == "*")
    }

    /// Whether one of them is meant.
    pub(crate) fn cover(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(front) => name.starts_with(front),
            None => pattern == name,
        })
    }
}

impl Visitor {
    pub(crate) fn new(name: impl Into<Arc<str>>, rights: Rights) -> Self {
        Self { name: name.into(), rights: Arc::new(rights.whole()) }
    }

    pub(crate) fn administers(&self) -> bool {
        self.rights.administers
    }

    /// Whether there are rules, so that all has to be looked at.
    pub(crate) fn is_bound(&self) -> bool {
        self.rights.topics.is_some() || self.rights.groups.is_some()
    }

    pub(crate) fn topics_are_bound(&self) -> bool {
        self.rights.topics.is_some()
    }

    /// Whether there are rules, and none that leaves anything out.
    pub(crate) fn may_have_everything(&self) -> bool {
        let is_all = |patterns: &Option<Patterns>| patterns.as_ref().is_none_or(|patterns| patterns.cover_all());
        is_all(&self.rights.topics) && is_all(&self.rights.groups)
    }

    pub(crate) fn may_have_topic(&self, topic: &str) -> Result<(), Refusal> {
        // Who may have a group has what fails in it.
        for front in ["%RETRY%", "%DLQ%"] {
            if let Some(group) = topic.strip_prefix(front) {
                return self.may_have_group(group);
            }
        }
        match &self.rights.topics {
            Some(topics) if !topics.cover(topic) => Err(format!("you may not have the topic {}", shown(topic)).into()),
            _ => Ok(()),
        }
    }

    pub(crate) fn may_have_group(&self, group: &str) -> Result<(), Refusal> {
        match &self.rights.groups {
            Some(groups) if !groups.cover(group) => Err(format!("you may not have the group {}", shown(group)).into()),
            _ => Ok(()),
        }
    }
}

/// A name in an answer: what is no name is not repeated.
fn shown(name: &str) -> String {
    name.chars().filter(|one| !one.is_control()).take(64).collect()
}
