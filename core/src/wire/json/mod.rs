//! JSON as fastjson writes and reads it: the reader, its values as places in the text, and what is made of them.

mod decimal;
mod readable;
mod reader;
#[cfg(test)]
pub(super) mod styles;
mod value;

pub use readable::{Key, Readable, place_of};
pub use value::{Elements, Json, Members};

pub(super) use reader::{Reader, Token, Value, unescape};
