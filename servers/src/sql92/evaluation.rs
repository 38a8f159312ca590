//! Expressions and their values (`ComparisonExpression`, `LogicExpression`, `UnaryExpression`), in three-valued logic:
//! `None` is unknown.

use core::cmp::Ordering;
use std::borrow::Cow;

/// A value that is there.
///
/// Fractions are the same everywhere: they are only read and compared, both as IEEE 754 says, and never computed with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value<'v> {
    Text(Cow<'v, str>),
    Truth(bool),
    /// Java's `Integer` or `Long`.
    Whole(i64),
    /// Java's `Double`.
    Fraction(f64),
}

/// Java throws here, and the broker catches it: the message does not match, whatever stands around.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Illegal;

/// How two values are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Where a text is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    Contains,
    StartsWith,
    EndsWith,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// `None` is NULL.
    Constant(Option<Value<'static>>),
    Property(String),
    /// A property where a truth value has to stand: a text is none, so it is false when it is there
    /// (`createBooleanCast`).
    Truth(Box<Node>),
    Negative(Box<Node>),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    IsNull(Box<Node>),
    Equal(Box<[Node; 2]>),
    Ordered(Comparison, Box<[Node; 2]>),
    /// Value, low, high.
    Between {
        operands: Box<[Node; 3]>,
        not: bool,
    },
    Listed {
        name: String,
        texts: Vec<String>,
        not: bool,
    },
    Found {
        search: Search,
        operand: Box<Node>,
        text: String,
        not: bool,
    },
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    kind: Kind,
    /// How many nodes are nested, this one included: what recursion over it needs.
    depth: usize,
}

type Evaluated<'v> = Result<Option<Value<'v>>, Illegal>;

impl Node {
    pub(super) fn new(kind: Kind) -> Self {
        let operands = match &kind {
            Kind::Constant(_) | Kind::Property(_) | Kind::Listed { .. } => &[],
            Kind::Truth(node) | Kind::Negative(node) | Kind::Not(node) | Kind::IsNull(node) => {
                std::slice::from_ref(&**node)
            }
            Kind::Found { operand, .. } => std::slice::from_ref(&**operand),
            Kind::All(nodes) | Kind::Any(nodes) => &nodes[..],
            Kind::Equal(nodes) | Kind::Ordered(_, nodes) => &nodes[..],
            Kind::Between { operands, .. } => &operands[..],
        };
        let depth = 1 + operands.iter().map(Self::depth).max().unwrap_or(0);
        Self { kind, depth }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    /// The value for a message with these properties.
    pub(super) fn evaluate<'v, P: Fn(&str) -> Option<&'v str>>(&'v self, property: &P) -> Evaluated<'v> {
        let truth = match &self.kind {
            Kind::Constant(value) => return Ok(value.clone()),
            Kind::Property(name) => return Ok(property(name).map(|text| Value::Text(text.into()))),
            Kind::Negative(operand) => return Ok(operand.evaluate(property)?.and_then(Value::negative)),
            Kind::Truth(operand) => operand.evaluate(property)?.map(|value| value == Value::Truth(true)),
            Kind::Not(operand) => operand.truth(property)?.map(|truth| !truth),
            Kind::All(operands) => joined(operands, false, property)?,
            Kind::Any(operands) => joined(operands, true, property)?,
            Kind::IsNull(operand) => Some(operand.evaluate(property)?.is_none()),
            Kind::Equal(operands) => {
                let [left, right] = &**operands;
                equal(left.evaluate(property)?, right.evaluate(property)?)?
            }
            Kind::Ordered(comparison, operands) => {
                let [left, right] = &**operands;
                let left = left.evaluate(property)?;
                if left.is_none() { None } else { ordered(*comparison, &left, &right.evaluate(property)?)? }
            }
            Kind::Between { operands, not } => between(operands, *not, property)?,
            Kind::Listed { name, texts, not } => {
                property(name).map(|value| texts.iter().any(|text| text == value) != *not)
            }
            // False, not unknown, when there is no text to look into or for, with NOT too.
            Kind::Found { search, operand, text, not } => match operand.evaluate(property)? {
                Some(Value::Text(value)) if !text.is_empty() => Some(search.finds(&value, text) != *not),
                _ => Some(false),
            },
        };
        Ok(truth.map(Value::Truth))
    }

    /// The value of what the parser has found to be true, false or unknown.
    fn truth<'v, P: Fn(&str) -> Option<&'v str>>(&'v self, property: &P) -> Result<Option<bool>, Illegal> {
        Ok(self.evaluate(property)?.map(|value| value == Value::Truth(true)))
    }
}

/// AND is decided by the first that is false, OR by the first that is true; else one that is unknown makes all unknown
/// (`createAND`, `createOR`).
fn joined<'v, P: Fn(&str) -> Option<&'v str>>(
    operands: &'v [Node],
    decides: bool,
    property: &P,
) -> Result<Option<bool>, Illegal> {
    let mut all = Some(!decides);
    for operand in operands {
        match operand.truth(property)? {
            Some(truth) if truth == decides => return Ok(Some(decides)),
            Some(_) => {}
            None => all = None,
        }
    }
    Ok(all)
}

/// Two that are both missing are equal, one that is there is not equal to a missing one on the right, and a missing one
/// on the left makes it unknown (`doCreateEqual`).
fn equal(left: Option<Value<'_>>, right: Option<Value<'_>>) -> Result<Option<bool>, Illegal> {
    match (left, right) {
        (None, None) => Ok(Some(true)),
        (None, Some(_)) => Ok(None),
        (Some(_), None) => Ok(Some(false)),
        (Some(left), Some(right)) => Ok(Some(left.compare(&right)? == Ordering::Equal)),
    }
}

/// `createGreaterThan` and the like.
fn ordered(
    comparison: Comparison,
    left: &Option<Value<'_>>,
    right: &Option<Value<'_>>,
) -> Result<Option<bool>, Illegal> {
    let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
    let ordering = match (left, right) {
        // Of two texts both have to be numbers.
        (Value::Text(left), Value::Text(right)) => java_order(java_double(left)?, java_double(right)?),
        _ => left.compare(right)?,
    };
    Ok(Some(match comparison {
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
    }))
}

/// Java makes `value >= low AND value <= high` of it, or `value < low OR value > high`; here the value is computed once.
fn between<'v, P: Fn(&str) -> Option<&'v str>>(
    operands: &'v [Node; 3],
    not: bool,
    property: &P,
) -> Result<Option<bool>, Illegal> {
    let [value, low, high] = operands;
    let value = value.evaluate(property)?;
    if value.is_none() {
        return Ok(None);
    }
    let sides = if not {
        [(Comparison::Less, low), (Comparison::Greater, high)]
    } else {
        [(Comparison::GreaterOrEqual, low), (Comparison::LessOrEqual, high)]
    };
    let mut both = Some(!not);
    for (comparison, bound) in sides {
        match ordered(comparison, &value, &bound.evaluate(property)?)? {
            Some(truth) if truth == not => return Ok(Some(not)),
            Some(_) => {}
            None => both = None,
        }
    }
    Ok(both)
}

impl Search {
    fn finds(self, value: &str, text: &str) -> bool {
        match self {
            Self::Contains => value.contains(text),
            Self::StartsWith => value.starts_with(text),
            Self::EndsWith => value.ends_with(text),
        }
    }
}

impl Value<'_> {
    /// The number below zero; what is none is unknown.
    fn negative(self) -> Option<Self> {
        match self {
            Self::Whole(number) => Some(Self::Whole(number.wrapping_neg())),
            Self::Fraction(number) => Some(Self::Fraction(-number)),
            Self::Text(_) | Self::Truth(_) => None,
        }
    }

    /// `ComparisonExpression.__compare`: a text beside something else is read as what the other is. Values of kinds that
    /// have nothing in common are `Less`, both ways.
    pub(super) fn compare(&self, other: &Self) -> Result<Ordering, Illegal> {
        Ok(match (self, other) {
            (Self::Text(left), Self::Text(right)) => left.cmp(right),
            (Self::Truth(left), Self::Truth(right)) => left.cmp(right),
            (Self::Whole(left), Self::Whole(right)) => left.cmp(right),
            (Self::Fraction(left), Self::Fraction(right)) => java_order(*left, *right),
            (Self::Whole(left), Self::Fraction(right)) => java_order(*left as f64, *right),
            (Self::Fraction(left), Self::Whole(right)) => java_order(*left, *right as f64),
            (Self::Text(text), Self::Truth(right)) => text.eq_ignore_ascii_case("true").cmp(right),
            // Java casts the wrong one of the two.
            (Self::Truth(_), Self::Text(_)) => return Err(Illegal),
            (Self::Text(text), Self::Whole(right)) => java_whole(text, *right)?.cmp(right),
            (Self::Whole(left), Self::Text(text)) => left.cmp(&java_whole(text, *left)?),
            (Self::Text(text), Self::Fraction(right)) => java_order(java_double(text)?, *right),
            (Self::Fraction(left), Self::Text(text)) => java_order(*left, java_double(text)?),
            (Self::Truth(_), _) | (_, Self::Truth(_)) => Ordering::Less,
        })
    }
}

/// A text beside a whole number: `Integer.valueOf` when that is an `Integer`, else `Long.valueOf`. Constants have no
/// sign of their own, so it is an `Integer` when it fits without.
fn java_whole(text: &str, beside: i64) -> Result<i64, Illegal> {
    if beside.unsigned_abs() <= i32::MAX.unsigned_abs().into() {
        text.parse::<i32>().map(Into::into).map_err(|_| Illegal)
    } else {
        text.parse().map_err(|_| Illegal)
    }
}

/// `Double.valueOf`, but for hexadecimal digits.
fn java_double(text: &str) -> Result<f64, Illegal> {
    let text = text.trim_matches(|character| character <= ' ');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned {
        "NaN" => return Ok(f64::NAN),
        "Infinity" => return Ok(if text.starts_with('-') { f64::NEG_INFINITY } else { f64::INFINITY }),
        _ => {}
    }
    // Rust would take `inf` and `nan` in any case.
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Err(Illegal);
    }
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text).parse().map_err(|_| Illegal)
}

/// `Double.compareTo`: 0.0 is above -0.0, and what is not a number is above all and equal to itself.
fn java_order(left: f64, right: f64) -> Ordering {
    left.total_cmp(&right)
}
