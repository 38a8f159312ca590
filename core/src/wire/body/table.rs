//! Tables of names and values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::null_as_default;

/// Names and values (`KVTable`), the answer to GET_BROKER_RUNTIME_INFO and GET_KVLIST_BY_NAMESPACE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyValueTable {
    /// Values by name.
    #[serde(deserialize_with = "null_as_default")]
    pub table: BTreeMap<String, String>,
}
