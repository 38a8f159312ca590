//! A request's fields: one list, which is judged and written. What a server gets is what was judged, by the names that it reads.

use std::borrow::Cow;

use stgclient_core::wire::command::Command;
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, WriteHeader};

use crate::visitor::Refusal;

/// The most fields. The requests that pass have at most fifteen, and a signature.
const MOST: usize = 64;
/// Fields of who signs: `AclClientRPCHook`.
const SIGNATURE: [&str; 3] = ["AccessKey", "Signature", "SecurityToken"];

/// The fields of a request, by the names that the protocol has for them, no name twice.
#[derive(Debug)]
pub(crate) struct Fields<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Fields<'a> {
    /// All fields. Which of two with one name counts is nothing that a server should be asked.
    pub(crate) fn read(dialect: Dialect, command: &'a Command) -> Result<Self, Refusal> {
        let mut fields: Vec<_> = command.fields.iter().take(MOST + 1).collect();
        if fields.len() > MOST {
            return Err("a request with too many fields".into());
        }
        if dialect == Dialect::Smartgo {
            fields.iter_mut().for_each(|(name, _)| small(name));
        }
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("a field stands twice in the request".into());
        }
        if names.first().is_some_and(|name| name.is_empty()) {
            return Err("a field of the request has no name".into());
        }
        Ok(Self(fields))
    }

    /// The value of a field, if it is there.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The names of all that say what is asked for; who asks is another matter.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| &**name).filter(|name| !is_signature(name))
    }

    /// The fields without who has signed them: another will.
    pub(crate) const fn unsigned(&self) -> Unsigned<'_> {
        Unsigned(self)
    }
}

/// Smartgo's servers read, and so core writes for them, a capital letter where the protocol has a small one: `topic` and `Topic` are one.
fn small(name: &mut Cow<'_, str>) {
    if name.starts_with(|first: char| first.is_ascii_uppercase()) {
        name.to_mut().get_mut(..1).into_iter().for_each(str::make_ascii_lowercase);
    }
}

fn is_signature(name: &str) -> bool {
    SIGNATURE.iter().any(|known| known.eq_ignore_ascii_case(name))
}

impl WriteHeader for Fields<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        self.0.iter().for_each(|(name, value)| writer.foreign(name, value));
    }
}

/// Fields without who has signed them.
#[derive(Debug)]
pub(crate) struct Unsigned<'a>(&'a Fields<'a>);

impl WriteHeader for Unsigned<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        let others = self.0.0.iter().filter(|(name, _)| !is_signature(name));
        others.for_each(|(name, value)| writer.foreign(name, value));
    }
}
