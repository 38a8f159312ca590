//! A client's life at a broker.

use std::borrow::Cow;

use super::headers;

headers! {
    /// HEART_BEAT; the body is a `HeartbeatData`.
    Heartbeat = HEART_BEAT {}

    /// The answer to a heartbeat (`ClientManageProcessor`).
    HeartbeatAnswer {
        /// Whether the broker understands heartbeats of the second version.
        is_support_heart_beat_v2: "IS_SUPPORT_HEART_BEAT_V2" in Apache = Option<bool>,
        /// Whether the broker has to hear the subscriptions again.
        is_sub_change: "IS_SUB_CHANGE" in Apache = Option<bool>,
    }

    /// UNREGISTER_CLIENT (`UnregisterClientRequestHeader`).
    UnregisterClient<'a> = UNREGISTER_CLIENT {
        /// The client's id.
        client_id: "clientID" = Cow<'a, str>,
        /// The producer group that leaves.
        producer_group: "producerGroup" = Option<Cow<'a, str>>,
        /// The consumer group that leaves.
        consumer_group: "consumerGroup" = Option<Cow<'a, str>>,
    }
}
