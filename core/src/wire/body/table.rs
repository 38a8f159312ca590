//! Tables of names and values.

use std::collections::BTreeMap;

use super::bodies;

bodies! {
    /// Names and values (`KVTable`), the answer to GET_BROKER_RUNTIME_INFO and GET_KVLIST_BY_NAMESPACE.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    KeyValueTable {
        /// Values by name.
        table: "table" = BTreeMap<String, String>,
    }
}
