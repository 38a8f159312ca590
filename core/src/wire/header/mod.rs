//! The two layouts of a header: a JSON object, and the ROCKETMQ binary one.

pub(super) mod binary;
pub(super) mod decimal;
pub(super) mod json;
mod json_reader;
pub(super) mod writer;

pub(super) use json_reader::unescape;

#[cfg(test)]
mod tests;
