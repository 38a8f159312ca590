//! A cluster in memory, for development and tests.
