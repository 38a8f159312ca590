//! Orderly consumption.
