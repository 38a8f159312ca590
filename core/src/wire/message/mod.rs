//! Messages as brokers store and deliver them: the stored layout, batch records, properties and ids.

pub mod batch;
mod cursor;
pub mod error;
mod hex;
pub mod id;
pub mod inner;
pub mod properties;
pub mod property;
pub mod stored;
pub mod sys_flag;
pub mod unique_id;

pub use batch::{BatchRecord, BatchRecords};
pub use error::{EncodeError, MessageError, MessageFault, Part};
pub use hex::HexId;
pub use id::{IdError, OffsetMessageId};
pub use inner::InnerMessages;
pub use properties::{Properties, PropertiesRef, PropertyError};
pub use stored::{StoredFields, StoredMessage, StoredMessages};
pub use unique_id::UniqueId;

#[cfg(test)]
mod tests;
