//! What happened on a connection, in numbers.

use crate::metrics::counters;

counters! {
    /// What happened on a connection, as numbers that only grow.
    ConnectionCounters {
        /// How often the connection stood.
        connects,
        /// Answers that nobody waited for.
        unexpected_answers,
        /// Requests without an answer that the broker was too busy for: their messages are lost.
        busy_oneways,
        /// Requests of the peer that we do not know.
        unknown_requests,
        /// Values of headers and bodies that are not what they should be, and were passed over.
        odd_values,
    }
}
