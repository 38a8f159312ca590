//! The words of an expression (the tokens of `SelectorParser.jj`).

use core::fmt;
use std::borrow::Cow;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// `=`, `<>`, `<=`, `(` and the like, or a reserved word in capitals.
    Fixed(&'static str),
    /// The name of a property.
    Name(&'t str),
    /// A text, without its quotes.
    Text(Cow<'t, str>),
    /// Digits only.
    Whole(&'t str),
    /// Digits with a point, an exponent or both.
    Fraction(&'t str),
    End,
}

const RESERVED: [&str; 12] =
    ["NOT", "AND", "OR", "BETWEEN", "IN", "TRUE", "FALSE", "NULL", "IS", "CONTAINS", "STARTSWITH", "ENDSWITH"];

/// The longer before those they begin with.
const SIGNS: [&str; 11] = ["<>", ">=", "<=", "=", ">", "<", "(", ")", ",", "+", "-"];

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(word) => write!(f, "`{word}`"),
            Self::Name(word) | Self::Whole(word) | Self::Fraction(word) => write!(f, "`{word}`"),
            Self::Text(text) => write!(f, "'{text}'"),
            Self::End => f.write_str("the end"),
        }
    }
}

/// Reads one word after the other, and none before it is asked for: what stands behind a complete expression may be
/// anything.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'t> {
    text: &'t str,
    /// Where the next word begins, in bytes.
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The number of the next character, from 1.
    pub(super) fn character(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    /// The next word.
    pub(super) fn next(&mut self) -> Result<Token<'t>, String> {
        self.skip_space_and_comments();
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Ok(Token::End) };
        let found = match first {
            '\'' => text(rest),
            '0'..='9' | '.' => number(rest),
            'a'..='z' | 'A'..='Z' | '_' | '$' => Some(word(rest)),
            _ => sign(rest),
        };
        let (token, length) =
            found.ok_or_else(|| format!("no word begins with {first:?} at character {}", self.character()))?;
        self.at += length;
        Ok(token)
    }

    fn skip_space_and_comments(&mut self) {
        loop {
            let rest = &self.text[self.at..];
            let space = rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0C']).len();
            match if space > 0 { Some(space) } else { comment(rest) } {
                Some(length) => self.at += length,
                None => return,
            }
        }
    }
}

/// The length of the comment that `rest` begins with. One that does not end is none: its first characters are signs.
fn comment(rest: &str) -> Option<usize> {
    if rest.starts_with("--") {
        rest.find(['\n', '\r']).map(|end| end + 1)
    } else {
        rest.strip_prefix("/*")?.find("*/").map(|end| end + 4)
    }
}

/// A text up to its closing quote; two quotes are one that is part of it.
fn text(rest: &str) -> Option<(Token<'_>, usize)> {
    let mut end = 1;
    loop {
        end += rest[end..].find('\'')?;
        if !rest[end + 1..].starts_with('\'') {
            break;
        }
        end += 2;
    }
    let inside = &rest[1..end];
    let plain = if inside.contains('\'') { inside.replace("''", "'").into() } else { inside.into() };
    Some((Token::Text(plain), end + 1))
}

/// The longest number that `rest` begins with. A whole number has no leading zeros: `007` is three of them.
fn number(rest: &str) -> Option<(Token<'_>, usize)> {
    let digits = |from: usize| rest[from..].bytes().take_while(u8::is_ascii_digit).count();
    let exponent = |from: usize| {
        let after = rest[from..].strip_prefix(['e', 'E'])?;
        let sign = usize::from(after.starts_with(['+', '-']));
        let digits = digits(from + 1 + sign);
        (digits > 0).then_some(1 + sign + digits)
    };
    let whole = digits(0);
    let point = if rest[whole..].starts_with('.') { 1 + digits(whole + 1) } else { 0 };
    // A point alone is no number.
    let mantissa = if whole == 0 && point < 2 { return None } else { whole + point };
    let end = mantissa + exponent(mantissa).unwrap_or(0);
    if end > whole {
        return Some((Token::Fraction(&rest[..end]), end));
    }
    if rest.starts_with('0') {
        return Some((Token::Whole("0"), 1));
    }
    Some((Token::Whole(&rest[..whole]), whole + usize::from(rest[whole..].starts_with(['l', 'L']))))
}

fn word(rest: &str) -> (Token<'_>, usize) {
    let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')).count();
    let name = &rest[..length];
    let reserved = RESERVED.iter().find(|word| word.eq_ignore_ascii_case(name));
    (reserved.map_or(Token::Name(name), |word| Token::Fixed(word)), length)
}

fn sign(rest: &str) -> Option<(Token<'_>, usize)> {
    SIGNS.iter().find(|sign| rest.starts_with(**sign)).map(|sign| (Token::Fixed(sign), sign.len()))
}
