//! Messages against models, and against bytes that nobody should send.

mod ids;
mod properties;
mod stored;
