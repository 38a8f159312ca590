//! Who consumes.

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// The clients of a consumer group (`GetConsumerListByGroupResponseBody`), the answer to GET_CONSUMER_LIST_BY_GROUP.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConsumerList {
    /// Ids of clients, in no particular order.
    #[serde(deserialize_with = "null_as_default")]
    pub consumer_id_list: Vec<String>,
}
