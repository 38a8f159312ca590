//! The two layouts of a header: a JSON object, and the ROCKETMQ binary one.

pub(super) mod binary;
pub(super) mod decimal;
pub(super) mod json;
pub(super) mod writer;

#[cfg(test)]
mod tests;
