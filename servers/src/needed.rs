//! What a handler cannot do without in the body of its request: where Java runs, null there ends in an exception.

use stgclient_core::wire::command::Command;
use stgclient_core::wire::json::{Json, Readable};

use super::refusal::{Refusal, read_body};

/// A part of a body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    /// A field that is there, and not null.
    There(&'static str),
    /// A field that is not null, if it is there.
    NotNull(&'static str),
    /// A second field that is there and not null, if the first is a list with elements.
    IfAny(&'static str, &'static str),
    /// The values of a table, none of them null.
    Values(&'static str),
    /// The elements of a list, none of them null, each with what it needs itself.
    Each(&'static str, &'static [Self]),
}

/// Reads a body of which all that is needed is there.
pub(super) fn read_body_with<T: Readable>(request: &Command, needs: &[Need]) -> Result<T, Refusal> {
    let body = read_body(request)?;
    let text = String::from_utf8_lossy(&request.body);
    let json = Json::parse(text.as_bytes()).unwrap_or(Json::Null);
    check(json, needs)?;
    Ok(body)
}

fn check(object: Json<'_>, needs: &[Need]) -> Result<(), Refusal> {
    let missing = |name: &str| Refusal::thrown(format!("NullPointerException: no {name}"));
    // Of several fields of a name the last counts.
    let field = |wanted: &str| object.members().filter(|(name, _)| name.is(wanted)).last().map(|(_, value)| value);
    for need in needs {
        match *need {
            Need::There(name) => {
                field(name).filter(|value| !matches!(value, Json::Null)).ok_or_else(|| missing(name))?;
            }
            Need::NotNull(name) => {
                if matches!(field(name), Some(Json::Null)) {
                    return Err(missing(name));
                }
            }
            Need::IfAny(list, name) => {
                if field(list).is_some_and(|list| list.elements().next().is_some()) {
                    check(object, &[Need::There(name)])?;
                }
            }
            Need::Values(name) => {
                let mut values = field(name).into_iter().flat_map(Json::members).map(|(_, value)| value);
                if values.any(|value| matches!(value, Json::Null)) {
                    return Err(missing(name));
                }
            }
            Need::Each(name, needs) => {
                for element in field(name).into_iter().flat_map(Json::elements) {
                    if matches!(element, Json::Null) {
                        return Err(missing(name));
                    }
                    check(element, needs)?;
                }
            }
        }
    }
    Ok(())
}
