//! What is made of a JSON value: whatever fastjson takes is taken, and what it refuses is passed over instead of refusing the
//! whole, as Java's clients fail at the one thing they look at and not at its neighbours.
//!
//! Nothing, for everything that is read here, is null, an empty text, and what is passed over. What has a list or a map that is
//! none is passed over as a whole: without these it says nothing.
//!
//! What is never inlined in WebAssembly is small there for the reason that `sorted` has.

use crate::sorted::{SortedMap, SortedSet};

use super::decimal::Decimal;
use super::{Json, Members};
use crate::wire::fields::FieldText;
use crate::wire::odd::OddIn;

/// What can be read of a JSON value.
pub trait Readable: Sized {
    /// Whether what has this cannot do without it: a list or a map.
    const HOLDS_OTHERS: bool = false;

    /// Reads a value, or nothing; `odd` keeps what is passed over.
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self>;

    /// Reads a value that stands where a list should be, as its one element.
    fn read_alone(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        Self::read(value, odd)
    }
}

/// What can be the key of a map.
pub trait Key: Ord + Sized {
    /// Reads a key.
    fn read(text: FieldText<'_>) -> Option<Self>;
}

/// Nothing, and a value that is passed over.
fn pass_over<T>(value: Json<'_>, expected: &'static str, odd: OddIn<'_>) -> Option<T> {
    if let Some(text) = value.written() {
        odd.pass_over(expected, text);
    }
    None
}

/// Whether fastjson takes a text for null.
fn is_null(text: FieldText<'_>) -> bool {
    text.is("") || text.is("null")
}

/// A number of this type, by fastjson's rules: of one with a fraction the whole, of a truth value 1 or 0.
fn integer<N: TryFrom<i64>>(text: FieldText<'_>) -> Option<N> {
    text.integer().or_else(|| match (text.is("true"), text.is("false")) {
        (true, _) => N::try_from(1).ok(),
        (_, true) => N::try_from(0).ok(),
        _ => Decimal::parse(&text.text()).and_then(Decimal::whole).and_then(|number| N::try_from(number).ok()),
    })
}

/// Reads a number by `parse`.
fn number<N>(
    value: Json<'_>,
    expected: &'static str,
    odd: OddIn<'_>,
    parse: impl Fn(FieldText<'_>) -> Option<N>,
) -> Option<N> {
    match value {
        Json::Null => None,
        Json::Text(text) if is_null(text) => None,
        Json::Literal(text) | Json::Text(text) => parse(text).or_else(|| pass_over(value, expected, odd)),
        Json::Object(_) | Json::Array(_) => pass_over(value, expected, odd),
    }
}

impl Readable for i32 {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        number(value, "32-bit number", odd, integer)
    }
}

impl Readable for i64 {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        number(value, "64-bit number", odd, integer)
    }
}

impl Readable for f64 {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        number(value, "number", odd, |text| {
            Decimal::parse(&text.text()).and_then(Decimal::rounded).or_else(|| integer::<i32>(text).map(Self::from))
        })
    }
}

/// `1`, `Y` and `true` in any case; of numbers only 1 is true.
impl Readable for bool {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        match value {
            Json::Null => None,
            Json::Text(text) if is_null(text) => None,
            Json::Literal(text) => Some(text.is("true") || text.is("1")),
            Json::Text(text) => match &*text.text() {
                "1" | "Y" => Some(true),
                "0" | "N" => Some(false),
                text if text.eq_ignore_ascii_case("true") => Some(true),
                text if text.eq_ignore_ascii_case("false") => Some(false),
                _ => pass_over(value, "truth value", odd),
            },
            Json::Object(_) | Json::Array(_) => pass_over(value, "truth value", odd),
        }
    }
}

/// Of what is no text the JSON.
impl Readable for String {
    fn read(value: Json<'_>, _: OddIn<'_>) -> Option<Self> {
        match value {
            Json::Null => None,
            Json::Literal(text) | Json::Text(text) => Some(text.text().into_owned()),
            Json::Object(text) | Json::Array(text) => Some(without_space(&text.text())),
        }
    }

    fn read_alone(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        if matches!(value, Json::Literal(_)) {
            pass_over(value, "list", odd)
        } else {
            <Self as Readable>::read(value, odd)
        }
    }
}

/// JSON without the space between its parts.
fn without_space(json: &str) -> String {
    let mut quote = None;
    let mut is_escaped = false;
    let stays = |character: &char| {
        match (quote, *character) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, open @ ('"' | '\'')) => quote = Some(open),
            (None, space) => return !space.is_ascii_whitespace(),
        }
        true
    };
    json.chars().filter(stays).collect()
}

/// The place of an enumeration's value among its `names`, in the order of Java's declaration: by name, in any case, or by number.
pub fn place_of(value: Json<'_>, names: &[&str], odd: OddIn<'_>) -> Option<usize> {
    let text = match value {
        Json::Null => return None,
        Json::Literal(text) | Json::Text(text) if is_null(text) => return None,
        Json::Literal(text) if text.is("true") || text.is("false") => return pass_over(value, "name", odd),
        Json::Literal(text) | Json::Text(text) => text,
        Json::Object(_) | Json::Array(_) => return pass_over(value, "name", odd),
    };
    let number = match value {
        Json::Literal(_) => integer::<i64>(text),
        _ => text.integer(),
    };
    if let Some(number) = number {
        let place = usize::try_from(number).ok().filter(|number| *number < names.len());
        return place.or_else(|| pass_over(value, "number of a name", odd));
    }
    let name = text.text();
    let place = names.iter().position(|known| known.eq_ignore_ascii_case(&name));
    if place.is_none() {
        odd.take_as_null("known name", text);
    }
    place
}

impl<T: Readable> Readable for Option<T> {
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        Some(T::read(value, odd))
    }
}

/// How many elements of a list and entries of a map are read: what takes two bytes there may take a hundred here.
const MOST_ELEMENTS: usize = 262_144;

/// A list without those of its elements that are nothing; what is no list is one of one element.
#[cfg_attr(target_family = "wasm", inline(never))]
fn list<T: Readable>(value: Json<'_>, odd: OddIn<'_>) -> Option<Vec<T>> {
    match value {
        Json::Null => None,
        Json::Text(text) if is_null(text) => None,
        Json::Array(_) => {
            let mut read = Vec::new();
            for (number, element) in value.elements().enumerate() {
                if number == MOST_ELEMENTS {
                    let _: Option<()> = pass_over(element, "element among the first 262,144", odd);
                    break;
                }
                read.extend(T::read(element, odd));
            }
            Some(read)
        }
        Json::Literal(_) | Json::Text(_) | Json::Object(_) => T::read_alone(value, odd).map(|alone| vec![alone]),
    }
}

impl<T: Readable> Readable for Vec<T> {
    const HOLDS_OTHERS: bool = true;

    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        list(value, odd)
    }
}

impl<T: Readable + Ord> Readable for SortedSet<T> {
    const HOLDS_OTHERS: bool = true;

    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        list(value, odd).map(Self::from)
    }
}

/// A map without those of its entries that are nothing. Of several with one key the last counts.
impl<K: Key, V: Readable> Readable for SortedMap<K, V> {
    const HOLDS_OTHERS: bool = true;

    #[cfg_attr(target_family = "wasm", inline(never))]
    fn read(value: Json<'_>, odd: OddIn<'_>) -> Option<Self> {
        match value {
            Json::Null => None,
            Json::Text(text) if is_null(text) => None,
            Json::Object(_) => {
                let mut read = Vec::new();
                for (name, member) in value.members().take(MOST_ELEMENTS) {
                    let key = K::read(name);
                    if key.is_none() {
                        odd.pass_over("key", name);
                    }
                    read.extend(key.zip(V::read(member, odd)));
                }
                Some(Self::from(read))
            }
            Json::Literal(_) | Json::Text(_) | Json::Array(_) => pass_over(value, "map", odd),
        }
    }
}

impl Key for String {
    fn read(text: FieldText<'_>) -> Option<Self> {
        Some(text.text().into_owned())
    }
}

impl Key for i32 {
    fn read(text: FieldText<'_>) -> Option<Self> {
        integer(text)
    }
}

impl Key for i64 {
    fn read(text: FieldText<'_>) -> Option<Self> {
        integer(text)
    }
}

impl<'a> Json<'a> {
    /// Passes this value over.
    pub fn refuse<T>(self, expected: &'static str, odd: OddIn<'_>) -> Option<T> {
        pass_over(self, expected, odd)
    }

    /// Reads a field of an object that has begun to be read: what it says or its default; `None` if there cannot be such an object.
    #[cfg_attr(target_family = "wasm", inline(never))]
    pub fn field<T: Readable + Default>(self, odd: OddIn<'_>) -> Option<T> {
        let is_nothing = match self {
            Self::Null => true,
            Self::Text(text) => is_null(text),
            Self::Literal(_) | Self::Object(_) | Self::Array(_) => false,
        };
        T::read(self, odd).or_else(|| (is_nothing || !T::HOLDS_OTHERS).then(T::default))
    }

    /// The members of an object that is to be read; `None` for nothing and, passed over, for what is none.
    pub fn object(self, odd: OddIn<'_>) -> Option<Members<'a>> {
        match self {
            Self::Null => None,
            Self::Text(text) if is_null(text) => None,
            Self::Object(_) => Some(self.members()),
            Self::Literal(_) | Self::Text(_) | Self::Array(_) => pass_over(self, "object", odd),
        }
    }
}
