//! Members that share queues.
