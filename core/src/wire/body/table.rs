//! Tables of names and values.

use crate::sorted::SortedMap;

use super::bodies;

bodies! {
    /// Names and values (`KVTable`), the answer to GET_BROKER_RUNTIME_INFO and GET_KVLIST_BY_NAMESPACE.
    #[derive(Clone, Debug, Default, PartialEq, Eq)]
    KeyValueTable {
        /// Values by name.
        table: "table" = SortedMap<String, String>,
    }
}
