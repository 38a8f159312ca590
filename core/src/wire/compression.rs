//! Compressed bodies: zlib, LZ4 (frame) and zstd, as the system flag names them (`CompressionType`, `Compressor`).
//!
//! What a peer's bytes may cost is bounded: the output by a limit that the caller gives, and the memory beside it by
//! the formats' blocks (LZ4: at most 12 MiB) or by a check of the window they ask for (zstd).

use std::io::{self, Read, Write};
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::bufread::{DeflateDecoder, ZlibDecoder};
use flate2::write::ZlibEncoder;
#[cfg(feature = "lz4")]
use lz4_flex::frame::{FrameDecoder, FrameEncoder};
#[cfg(feature = "zstd")]
use ruzstd::decoding::StreamingDecoder;
#[cfg(feature = "zstd")]
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use thiserror::Error;

use super::message::sys_flag;

/// From which length on a body is compressed, in bytes (`DefaultMQProducer.compressMsgBodyOverHowmuch`).
pub const DEFAULT_THRESHOLD: usize = 4096;
/// The zlib level of the Java client (`MixAll.MESSAGE_COMPRESS_LEVEL`).
pub const DEFAULT_ZLIB_LEVEL: u8 = 5;
/// How long a decompressed body may be, unless one says otherwise: 64 MiB.
pub const DEFAULT_LIMIT: usize = 64 * 1024 * 1024;

/// The largest window that a zstd frame may ask for although its content must not be that long: 8 MiB, which every
/// decoder should support (RFC 8878, 3.1.1.1.2) and no level below 20 exceeds.
#[cfg(feature = "zstd")]
const ZSTD_WINDOW: usize = 8 * 1024 * 1024;

/// How a body is compressed before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compression {
    /// A zlib stream, which every client reads.
    Zlib {
        /// From 0, no compression, to 9, the smallest output. What is above counts as 9.
        level: u8,
    },
    /// An LZ4 frame.
    #[cfg(feature = "lz4")]
    Lz4,
    /// A zstd frame, compressed about as at level 1.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Default for Compression {
    fn default() -> Self {
        Self::Zlib { level: DEFAULT_ZLIB_LEVEL }
    }
}

impl Compression {
    /// The bits that a message compressed in this way has in its system flag.
    pub const fn sys_flag(self) -> i32 {
        sys_flag::COMPRESSED
            | match self {
                Self::Zlib { .. } => sys_flag::COMPRESSION_ZLIB,
                #[cfg(feature = "lz4")]
                Self::Lz4 => sys_flag::COMPRESSION_LZ4,
                #[cfg(feature = "zstd")]
                Self::Zstd => sys_flag::COMPRESSION_ZSTD,
            }
    }
}

/// The format of a compressed body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A zlib stream.
    Zlib,
    /// An LZ4 frame.
    Lz4,
    /// A zstd frame.
    Zstd,
}

/// Why a body cannot be decompressed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CompressionError {
    /// The system flag names a format that does not exist.
    #[error("the body is compressed in the unknown format {bits}")]
    UnknownFormat {
        /// The three bits that name it.
        bits: i32,
    },
    /// The program is built without what reads this format, and [`set_decoder`] has been given nothing.
    #[error("the body is {format:?} data, and this program is built without the feature that reads it")]
    NotBuiltIn {
        /// The format.
        format: Format,
    },
    /// The body is longer than the limit when decompressed.
    #[error("the body is longer than {limit} bytes when decompressed")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body is not what its format says, or it is cut.
    #[error("the body is no {format:?} data: {reason}")]
    Corrupt {
        /// The format.
        format: Format,
        /// What the decoder says.
        reason: String,
    },
}

/// Decompresses a body of this format into at most so many bytes, as [`decompress`] does.
pub type Decoder = fn(Format, &[u8], usize) -> Result<Bytes, CompressionError>;

static DECODER: OnceLock<Decoder> = OnceLock::new();

/// Has the formats that this program is built without read by this function from now on, by all clients; the first one that is given
/// stays. For programs that load what is seldom needed only when it is.
pub fn set_decoder(decoder: Decoder) {
    let _ = DECODER.set(decoder);
}

/// Compresses a body.
pub fn compress(body: &[u8], compression: Compression) -> Bytes {
    // Writing to a vector does not fail.
    let compressed = match compression {
        Compression::Zlib { level } => {
            let level = flate2::Compression::new(u32::from(level.min(9)));
            let mut encoder = ZlibEncoder::new(Vec::new(), level);
            encoder.write_all(body).and_then(|()| encoder.finish()).expect("zlib into a vector")
        }
        #[cfg(feature = "lz4")]
        Compression::Lz4 => {
            let mut encoder = FrameEncoder::new(Vec::new());
            encoder.write_all(body).expect("LZ4 into a vector");
            encoder.finish().expect("LZ4 into a vector")
        }
        #[cfg(feature = "zstd")]
        Compression::Zstd => compress_to_vec(body, CompressionLevel::Fastest),
    };
    Bytes::from(compressed)
}

/// Decompresses a body in the format that `sys_flag` names, whether or not it has the bit [`sys_flag::COMPRESSED`].
///
/// # Errors
/// The format is unknown, or the program is built without it; the bytes are not of it, or the output would be longer than `limit` bytes, of which at most
/// one more is ever made.
pub fn decompress(body: &[u8], sys_flag: i32, limit: usize) -> Result<Bytes, CompressionError> {
    let format = format_of(sys_flag)?;
    let corrupt = |reason: String| CompressionError::Corrupt { format, reason };
    let output = match format {
        // smartgo's client calls gzip what it writes under the same flag, and reads zlib.
        Format::Zlib if body.starts_with(&GZIP) => read_gzip(body, limit),
        Format::Zlib => read_to_limit(ZlibDecoder::new(body), limit),
        #[cfg(feature = "lz4")]
        Format::Lz4 => {
            let mut source = Source { rest: body, has_ended: false };
            let output = read_to_limit(FrameDecoder::new(&mut source), limit);
            // The decoder takes the end of its input for the end of the frame.
            if output.is_ok() && source.has_ended {
                return Err(corrupt("the frame is cut".to_owned()));
            }
            output
        }
        #[cfg(feature = "zstd")]
        Format::Zstd => {
            let window = limit.max(ZSTD_WINDOW) as u64;
            let decoder =
                StreamingDecoder::new_with_max_window_size(body, window).map_err(|error| corrupt(error.to_string()))?;
            read_to_limit(decoder, limit)
        }
        #[cfg(not(all(feature = "lz4", feature = "zstd")))]
        format => {
            let decoder = DECODER.get().ok_or(CompressionError::NotBuiltIn { format })?;
            return decoder(format, body, limit);
        }
    };
    let output = output.map_err(|error| corrupt(error.to_string()))?;
    if output.len() > limit {
        return Err(CompressionError::TooLarge { limit });
    }
    Ok(Bytes::from(output))
}

/// How a gzip file begins, which no zlib stream does.
const GZIP: [u8; 2] = [0x1F, 0x8B];
/// What it says then: deflated, and nothing beside the data.
const DEFLATED_ALONE: [u8; 2] = [8, 0];
/// A gzip header without a name, a comment or other extras, in bytes.
const GZIP_HEADER: usize = 10;
/// How deflated data ends that was flushed and not closed.
const FLUSHED: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// The last block that such data lack, an empty one.
const LAST_BLOCK: [u8; 2] = [3, 0];

/// Reads a gzip file of what stands in it alone, without names and comments, as smartgo's client writes it: one that was flushed and
/// never closed, whose data end with a flush, and no trailer follows; or one with a trailer.
fn read_gzip(body: &[u8], limit: usize) -> io::Result<Vec<u8>> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let data = match body.get(GZIP_HEADER..) {
        Some(data) if body[2..4] == DEFLATED_ALONE => data,
        _ => return Err(invalid("a gzip header of another kind")),
    };
    if data.ends_with(&FLUSHED) {
        return read_to_limit(DeflateDecoder::new(data.chain(&LAST_BLOCK[..])), limit);
    }
    let mut decoder = DeflateDecoder::new(data);
    let output = read_to_limit(&mut decoder, limit)?;
    let mut trailer = crc(&output).to_le_bytes().to_vec();
    trailer.extend((output.len() as u32).to_le_bytes());
    if output.len() <= limit && decoder.into_inner() != trailer {
        return Err(invalid("the gzip trailer is another"));
    }
    Ok(output)
}

/// The CRC-32 of a gzip file, half a byte at a time: a table for speed would be sixteen thousand bytes in a page, for old clients' bodies.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32| (0..4).fold(crc, |crc, _| if crc & 1 == 0 { crc >> 1 } else { crc >> 1 ^ 0xEDB8_8320 });
    let steps: [u32; 16] = core::array::from_fn(|half| step(half as u32));
    let half = |crc: u32| crc >> 4 ^ steps[crc as usize & 15];
    !bytes.iter().fold(!0, |crc, byte| half(half(crc ^ u32::from(*byte))))
}

/// Reads to the end, or until there is one byte more than the limit.
fn read_to_limit(reader: impl Read, limit: usize) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    reader.take((limit as u64).saturating_add(1)).read_to_end(&mut output)?;
    Ok(output)
}

const fn format_of(sys_flag: i32) -> Result<Format, CompressionError> {
    match sys_flag & sys_flag::COMPRESSION_MASK {
        0 | sys_flag::COMPRESSION_ZLIB => Ok(Format::Zlib),
        sys_flag::COMPRESSION_LZ4 => Ok(Format::Lz4),
        sys_flag::COMPRESSION_ZSTD => Ok(Format::Zstd),
        other => Err(CompressionError::UnknownFormat { bits: other >> 8 }),
    }
}

/// A slice that remembers whether more was asked of it than it has.
#[cfg(feature = "lz4")]
struct Source<'a> {
    rest: &'a [u8],
    has_ended: bool,
}

#[cfg(feature = "lz4")]
impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.has_ended |= self.rest.is_empty() && !buffer.is_empty();
        self.rest.read(buffer)
    }
}

#[cfg(all(test, feature = "lz4", feature = "zstd"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Compression; 5] = [
        Compression::Zlib { level: 0 },
        Compression::Zlib { level: DEFAULT_ZLIB_LEVEL },
        Compression::Zlib { level: 200 },
        Compression::Lz4,
        Compression::Zstd,
    ];

    fn format(compression: Compression) -> Format {
        format_of(compression.sys_flag()).expect("a format of ours")
    }

    proptest! {
        #[test]
        fn bodies_come_back(body in any::<Vec<u8>>(), times in 1..2000_usize) {
            let body = body.repeat(times);
            for compression in ALL {
                let compressed = compress(&body, compression);
                prop_assert_eq!(&decompress(&compressed, compression.sys_flag(), body.len()), &Ok(Bytes::from(body.clone())));
                for cut in [compressed.len() / 2, compressed.len() - 1] {
                    let result = decompress(&compressed[..cut], compression.sys_flag(), body.len());
                    prop_assert!(matches!(result, Err(CompressionError::Corrupt { .. })), "{:?}", compression);
                }
            }
        }

        #[test]
        fn any_bytes_are_taken(
            bytes in any::<Vec<u8>>(),
            body in any::<Vec<u8>>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            for compression in ALL {
                let mut changed = compress(&body.repeat(50), compression).to_vec();
                for (at, byte) in &changes {
                    let at = at.index(changed.len());
                    changed[at] = *byte;
                }
                for bytes in [&bytes, &changed] {
                    if let Ok(output) = decompress(bytes, compression.sys_flag(), 1000) {
                        prop_assert!(output.len() <= 1000);
                    }
                }
            }
        }
    }

    #[test]
    fn a_body_that_expands_too_far_is_refused() {
        let bomb = vec![0; 1 << 24];
        for compression in ALL {
            let compressed = compress(&bomb, compression);
            let limit = 1 << 20;
            assert_eq!(
                decompress(&compressed, compression.sys_flag(), limit),
                Err(CompressionError::TooLarge { limit })
            );
        }
    }

    #[test]
    fn a_zstd_window_larger_than_the_body_may_be_is_refused() {
        // A frame of an empty last block whose descriptor asks for windows of 8 MiB, 16 MiB and the largest there is.
        let frame = |descriptor| [0x28, 0xB5, 0x2F, 0xFD, 0x00, descriptor, 0x01, 0x00, 0x00];
        let decompress = |descriptor, limit| decompress(&frame(descriptor), sys_flag::COMPRESSION_ZSTD, limit);
        assert_eq!(decompress(13 << 3, 0), Ok(Bytes::new()));
        assert_eq!(decompress(14 << 3, 16 << 20), Ok(Bytes::new()));
        assert!(matches!(decompress(14 << 3, 0), Err(CompressionError::Corrupt { .. })));
        assert!(matches!(decompress(0xFF, DEFAULT_LIMIT), Err(CompressionError::Corrupt { .. })));
    }

    #[test]
    fn gzip_is_read_with_its_trailer_and_without() {
        let body = Bytes::from(b"abc".repeat(2000));
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&body).unwrap();
        encoder.flush().unwrap();
        let flushed = encoder.get_ref().clone();
        let whole = encoder.finish().unwrap();
        for bytes in [&flushed, &whole] {
            assert!(decompress(bytes, sys_flag::COMPRESSED, body.len()) == Ok(body.clone()));
            let limit = body.len() - 1;
            assert_eq!(decompress(bytes, sys_flag::COMPRESSED, limit), Err(CompressionError::TooLarge { limit }));
            let cut = decompress(&bytes[..bytes.len() - 1], sys_flag::COMPRESSED, body.len());
            assert!(matches!(cut, Err(CompressionError::Corrupt { .. })), "{cut:?}");
        }
        for at in [3, whole.len() - 8, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let changed = decompress(&changed, sys_flag::COMPRESSED, body.len());
            assert!(matches!(changed, Err(CompressionError::Corrupt { .. })), "{changed:?}");
        }
    }

    #[test]
    fn the_flag_names_the_format() {
        assert_eq!(ALL.map(format), [Format::Zlib, Format::Zlib, Format::Zlib, Format::Lz4, Format::Zstd]);
        let old = compress(b"body", Compression::default());
        assert_eq!(decompress(&old, sys_flag::COMPRESSED, 4), Ok(Bytes::from_static(b"body")));
        assert_eq!(decompress(&old, 5 << 8, 4), Err(CompressionError::UnknownFormat { bits: 5 }));
    }
}

#[cfg(all(test, not(any(feature = "lz4", feature = "zstd"))))]
mod without {
    use super::*;

    #[test]
    fn a_format_that_is_not_built_in_is_named() {
        for (flag, format) in [(sys_flag::COMPRESSION_LZ4, Format::Lz4), (sys_flag::COMPRESSION_ZSTD, Format::Zstd)] {
            assert_eq!(decompress(b"body", flag, 4), Err(CompressionError::NotBuiltIn { format }));
        }
    }
}
