//! A client's life at a broker.

use std::borrow::Cow;

use super::headers;

headers! {
    /// HEART_BEAT; the body is a `HeartbeatData`.
    Heartbeat = HEART_BEAT {}

    /// UNREGISTER_CLIENT (`UnregisterClientRequestHeader`).
    UnregisterClient<'a> = UNREGISTER_CLIENT {
        /// The client's id.
        client_id: "clientID" = Cow<'a, str>,
        /// The producer group that leaves.
        producer_group: "producerGroup" = Option<Cow<'a, str>>,
        /// The consumer group that leaves.
        consumer_group: "consumerGroup" = Option<Cow<'a, str>>,
    }

    /// GET_CONSUMER_LIST_BY_GROUP (`GetConsumerListByGroupRequestHeader`).
    GetConsumerList<'a> = GET_CONSUMER_LIST_BY_GROUP {
        /// The consumer group.
        consumer_group: "consumerGroup" = Cow<'a, str>,
    }
}
