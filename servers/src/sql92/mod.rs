//! SQL92 property filters, as the broker evaluates them: `price > 10 AND region IN ('north', 'south')`.
//!
//! What is accepted and what it means is that of Apache's filter module (`org.apache.rocketmq.filter`), surprises
//! included, so that an expression that works here works there:
//!
//! - The value of a property is a text. Beside a number it is read as one of the same kind, beside `TRUE` or `FALSE` as
//!   a truth value. One that cannot be read so makes the whole expression fail, and the message does not match:
//!   `a > 3` does not match a message whose `a` is 3.5, `a > 3.0` does.
//! - What a property that is missing is compared with is unknown, and so is the negation; only `IS NULL`,
//!   `IS NOT NULL` and the searches in texts know it. Unknown does not match.
//! - `NOT` binds stronger than any comparison: `NOT a = 'x'` is `(NOT a) = 'x'`, which never matches.
//! - Texts cannot be compared by `<` and its like, and `IN` lists texts only. There is no `LIKE` and no arithmetic.
//! - What follows a complete expression is not looked at: `a = 1 nonsense` is `a = 1`, and `a LIKE 'x'` is `a`.
//!
//! Digits are ASCII, and no number is hexadecimal: there Java reads more.

mod evaluation;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use evaluation::{Node, Value};

/// A filter over the properties of a message.
///
/// ```
/// use stgclient_servers::sql92::Expression;
///
/// let expression = Expression::parse("price BETWEEN 10 AND 20 AND region <> 'south'")?;
/// assert!(expression.matches(|name| match name {
///     "price" => Some("12"),
///     "region" => Some("north"),
///     _ => None,
/// }));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Expression(Node);

impl Expression {
    /// The longest expression, in bytes. Java has no limit.
    pub const MAX_LENGTH: usize = 64 * 1024;

    /// How deep parentheses and operators may be nested. `AND` and `OR` between neighbours nest nothing. Java goes as
    /// deep as its stack does.
    pub const MAX_NESTING: usize = 128;

    /// The expression that `text` is.
    ///
    /// # Errors
    ///
    /// For a person to read: what is wrong and at which character. Also for an expression that is longer than
    /// [`Self::MAX_LENGTH`] or deeper than [`Self::MAX_NESTING`].
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > Self::MAX_LENGTH {
            return Err(format!("the expression has {} bytes, more than {}", text.len(), Self::MAX_LENGTH));
        }
        parser::parse(text).map(Self)
    }

    /// Whether a message with these properties matches: the expression is true, not unknown, and no value was one that
    /// cannot be compared so (`ExpressionMessageFilter.isMatchedByCommitLog`).
    pub fn matches<'p>(&'p self, property: impl Fn(&str) -> Option<&'p str>) -> bool {
        self.0.evaluate(&property) == Ok(Some(Value::Truth(true)))
    }
}
