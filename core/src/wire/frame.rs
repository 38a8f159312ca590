//! A stream of arbitrary pieces, split into frames.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

use super::command::{self, Command};

/// The longest frame that is read by default, its length word not counted: 16 MiB, as `NettyDecoder` has it.
pub const DEFAULT_MAX_FRAME_LENGTH: usize = 16 * 1024 * 1024;

/// How much room a read is given at least, in bytes.
const READ_ROOM: usize = 16 * 1024;
/// How large a fresh read buffer is, in bytes.
const CHUNK: usize = 64 * 1024;

/// Why a peer's bytes cannot be read any further. The connection they came from has to be closed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The frame is longer than we read.
    #[error("a frame of {length} bytes, more than the limit of {limit}")]
    TooLong {
        /// What the frame says, in bytes.
        length: usize,
        /// Our limit, in bytes.
        limit: usize,
    },
    /// They are no frames, but what servers of other protocols say.
    #[error("the server speaks {0}")]
    OtherProtocol(&'static str),
    /// The frame has no room for its header's length.
    #[error("a frame of {length} bytes, too short for a header length")]
    TooShort {
        /// The frame's length in bytes.
        length: usize,
    },
    /// The header would end outside its frame.
    #[error("a header of {header_length} bytes in a frame with room for {available}")]
    HeaderTooLong {
        /// What the frame says, in bytes.
        header_length: usize,
        /// What is there, in bytes.
        available: usize,
    },
    /// The header is of a type that the protocol does not know.
    #[error("an unknown header type {type_byte}")]
    UnknownCodec {
        /// The type.
        type_byte: u8,
    },
    /// The header is not what its type says.
    #[error("a malformed header: {what} at byte {at}")]
    MalformedHeader {
        /// What is wrong.
        what: &'static str,
        /// Where in the header.
        at: usize,
    },
}

/// Collects a peer's bytes and gives back whole commands.
///
/// The length of a frame is checked before anything is allocated for it, and its buffer grows with the bytes that
/// really arrive. After an error every later call repeats it: the stream has lost its place.
#[derive(Debug)]
pub struct FrameReader {
    buffer: BytesMut,
    limit: usize,
    failed: Option<FrameError>,
}

impl FrameReader {
    /// A reader of frames of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { buffer: BytesMut::new(), limit, failed: None }
    }

    /// The buffer to read into, with room at its end.
    pub fn read_buffer(&mut self) -> &mut BytesMut {
        let room = self.buffer.capacity() - self.buffer.len();
        if room < READ_ROOM {
            let whole = self.announced().map_or(0, |length| length.saturating_add(4));
            let missing = whole.saturating_sub(self.buffer.len());
            // A long frame: what is still missing, but never more than has already come.
            self.buffer.reserve(missing.min(self.buffer.len()).max(CHUNK));
        }
        &mut self.buffer
    }

    /// Adds bytes that lie somewhere else.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a frame has begun and not ended.
    pub fn is_mid_frame(&self) -> bool {
        !self.buffer.is_empty()
    }

    /// How many bytes have been read and belong to no command yet.
    pub fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// The next whole command; `None` until more bytes have come.
    ///
    /// # Errors
    /// The bytes are no frame; the connection has to be closed.
    pub fn next_command(&mut self) -> Result<Option<Command>, FrameError> {
        if let Some(error) = &self.failed {
            self.buffer.clear();
            return Err(error.clone());
        }
        // A command is large: it goes straight to the caller.
        let error = match self.split_frame() {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => match command::decode(frame) {
                Ok(command) => return Ok(Some(command)),
                Err(error) => error,
            },
            Err(error) => error,
        };
        self.failed = Some(error.clone());
        self.buffer = BytesMut::new();
        Err(error)
    }

    fn announced(&self) -> Option<usize> {
        let word = self.buffer.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*word) as usize)
    }

    /// Which protocol a stream begins as that of a frame cannot be.
    fn other_protocol(&self) -> Option<&'static str> {
        match self.buffer.first_chunk()? {
            b"HTTP" => Some("HTTP"),
            // An alert or a handshake, of a version 3.x.
            [21 | 22, 3, 0..=4, _] => Some("TLS"),
            _ => None,
        }
    }

    fn split_frame(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = self.announced() else {
            return Ok(None);
        };
        if length > self.limit {
            if let Some(protocol) = self.other_protocol() {
                return Err(FrameError::OtherProtocol(protocol));
            }
            return Err(FrameError::TooLong { length, limit: self.limit });
        }
        if self.buffer.len() < length + 4 {
            return Ok(None);
        }
        self.buffer.advance(4);
        Ok(Some(self.buffer.split_to(length).freeze()))
    }
}

#[cfg(test)]
mod tests;
