//! The bits of a message's system flag (`MessageSysFlag`).

/// The body is compressed; [`COMPRESSION_MASK`] says how.
pub const COMPRESSED: i32 = 1;
/// The message has several tags. Nobody sets it any more.
pub const MULTI_TAGS: i32 = 1 << 1;

/// The two bits that say where a transaction stands. Neither set: no transaction.
pub const TRANSACTION_MASK: i32 = 3 << 2;
/// A half message, hidden from consumers until its transaction ends.
pub const TRANSACTION_PREPARED: i32 = 1 << 2;
/// A message whose transaction was committed.
pub const TRANSACTION_COMMIT: i32 = 2 << 2;
/// A message whose transaction was rolled back.
pub const TRANSACTION_ROLLBACK: i32 = 3 << 2;

/// The producer's address is IPv6.
pub const BORN_HOST_V6: i32 = 1 << 4;
/// The broker's address is IPv6.
pub const STORE_HOST_V6: i32 = 1 << 5;

/// An inner batch is to be taken apart by the client.
pub const NEED_UNWRAP: i32 = 1 << 6;
/// The body is batch records under one queue offset.
pub const INNER_BATCH: i32 = 1 << 7;

/// The three bits that say how a compressed body is compressed. None set: zlib, as old clients leave it.
pub const COMPRESSION_MASK: i32 = 7 << 8;
/// An LZ4 frame.
pub const COMPRESSION_LZ4: i32 = 1 << 8;
/// A zstd frame.
pub const COMPRESSION_ZSTD: i32 = 2 << 8;
/// A zlib stream.
pub const COMPRESSION_ZLIB: i32 = 3 << 8;
