//! One request or answer: its header's fixed part, its extension fields and its body, all slices of one frame.

use bytes::{Buf, Bytes, BytesMut};

use super::body::BodyError;
use super::code::{RequestCode, ResponseCode};
use super::dialect::Dialect;
use super::fields::{FieldWriter, Fields, Header, WriteHeader};
use super::header;
use super::json::Readable;
use super::odd::Odd;

/// How a header is written: one of the two types that `SerializeType` knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderCodec {
    /// A JSON object.
    #[default]
    Json,
    /// The ROCKETMQ binary layout, whose code is 16 bits wide.
    Binary,
}

impl HeaderCodec {
    /// The codec for `code`: codes above 32767 do not fit the binary layout and travel as JSON.
    pub const fn for_code(self, code: i32) -> Self {
        if code > i16::MAX as i32 || code < i16::MIN as i32 { Self::Json } else { self }
    }

    const fn type_byte(self) -> u8 {
        match self {
            Self::Json => 0,
            Self::Binary => 1,
        }
    }
}

/// A language code of the protocol (`LanguageCode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Language(pub u8);

impl Language {
    /// The language of the servers.
    pub const JAVA: Self = Self(0);
    /// What the protocol calls a language it does not list.
    pub const OTHER: Self = Self(7);
    /// Ours.
    pub const RUST: Self = Self(12);
    /// What smartgo calls its language. JSON headers only: it has no code.
    pub const GOLANG: Self = Self(254);
    /// None, which some answers of smartgo's servers name. JSON headers only.
    pub const NONE: Self = Self(255);

    const NAMES: [&'static str; 14] = [
        "JAVA", "CPP", "DOTNET", "PYTHON", "DELPHI", "ERLANG", "RUBY", "OTHER", "HTTP", "GO", "PHP", "OMS", "RUST",
        "NODE_JS",
    ];

    /// The name that JSON headers carry; `OTHER` for a code without one.
    pub fn name(self) -> &'static str {
        match self {
            Self::GOLANG => "GOLANG",
            Self::NONE => "",
            _ => Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("OTHER"),
        }
    }

    /// The language that Java counts so; [`Language::OTHER`] when it has none.
    pub fn from_number(number: usize) -> Self {
        u8::try_from(number).ok().filter(|_| number < Self::NAMES.len()).map_or(Self::OTHER, Self)
    }

    /// The language called `name`, in any case; [`Language::OTHER`] when the protocol does not list it.
    pub fn from_name(name: &str) -> Self {
        match name {
            "GOLANG" => Self::GOLANG,
            "" => Self::NONE,
            _ => {
                let exact = Self::NAMES.iter().position(|&known| known == name);
                let index = exact.or_else(|| Self::NAMES.iter().position(|known| known.eq_ignore_ascii_case(name)));
                index.map_or(Self::OTHER, Self::from_number)
            }
        }
    }
}

/// The bit of `flag` that marks an answer.
pub const FLAG_RESPONSE: i32 = 1;
/// The bit of `flag` that marks a request nobody is to answer.
pub const FLAG_ONEWAY: i32 = 2;

/// A received command: a request or an answer, still lying in the frame that brought it.
#[derive(Clone, Debug)]
pub struct Command {
    /// What is asked, or how it went: a [`RequestCode`] or a [`ResponseCode`].
    pub code: i32,
    /// The language of the sender.
    pub language: Language,
    /// The protocol version of the sender.
    pub version: i32,
    /// The number that ties an answer to its request. 0 when the sender gave none.
    pub opaque: i32,
    /// [`FLAG_RESPONSE`] and [`FLAG_ONEWAY`].
    pub flag: i32,
    /// What the sender says in words, mostly why something failed.
    pub remark: Option<Box<str>>,
    /// How the header was written; an answer is written the same way.
    pub codec: HeaderCodec,
    /// The extension fields.
    pub fields: Fields,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// What was passed over when fields and body were read.
    pub odd: Odd,
}

impl Command {
    /// Whether this answers a request.
    pub const fn is_response(&self) -> bool {
        self.flag & FLAG_RESPONSE != 0
    }

    /// Whether nobody waits for an answer.
    pub const fn is_oneway(&self) -> bool {
        self.flag & FLAG_ONEWAY != 0
    }

    /// The fixed part of the header, to be written once more.
    pub fn head(&self) -> Head<'_> {
        let Self { code, language, version, opaque, flag, ref remark, .. } = *self;
        Head { code, language, version, opaque, flag, remark: remark.as_deref() }
    }

    /// The same header in bytes of its own, without a remark or a body: what is kept does not keep the whole of what it
    /// came in.
    pub fn detached_header(&self) -> Self {
        let (fields, body, odd) = (self.fields.detach(), Bytes::new(), Odd::default());
        Self { fields, body, odd, remark: None, ..*self }
    }

    /// Reads the extension fields as a typed header.
    ///
    /// # Errors
    /// A required field is missing, or its value is not of its type.
    pub fn header<'a, H: Header<'a>>(&'a self) -> Result<H, super::fields::FieldError> {
        H::read(&self.fields, &self.odd)
    }

    /// Reads the body.
    ///
    /// # Errors
    /// It is no JSON, or nothing of this type.
    pub fn read_body<T: Readable>(&self) -> Result<T, BodyError> {
        super::body::read(&self.body, &self.odd)
    }
}

/// The fixed part of a header to be written.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// See [`Command::code`].
    pub code: i32,
    /// See [`Command::language`].
    pub language: Language,
    /// See [`Command::version`].
    pub version: i32,
    /// See [`Command::opaque`].
    pub opaque: i32,
    /// See [`Command::flag`].
    pub flag: i32,
    /// See [`Command::remark`].
    pub remark: Option<&'a str>,
}

impl Head<'_> {
    /// A request of ours.
    pub const fn request(dialect: Dialect, code: RequestCode, opaque: i32) -> Self {
        Self { code: code.0, language: dialect.language(), version: dialect.version(), opaque, flag: 0, remark: None }
    }

    /// A request of ours that nobody is to answer.
    pub const fn oneway(dialect: Dialect, code: RequestCode, opaque: i32) -> Self {
        let mut head = Self::request(dialect, code, opaque);
        head.flag = FLAG_ONEWAY;
        head
    }
}

impl<'a> Head<'a> {
    /// An answer of ours to the request `opaque`.
    pub const fn response(dialect: Dialect, code: ResponseCode, opaque: i32, remark: Option<&'a str>) -> Self {
        let flag = FLAG_RESPONSE;
        Self { code: code.0, language: dialect.language(), version: dialect.version(), opaque, flag, remark }
    }
}

/// Appends a frame up to its body, which is `body_length` bytes long and which the caller appends.
///
/// Two steps, so that a large body is written from where it lies. The header is written in `codec`, unless the code
/// fits JSON only.
pub fn encode_head(
    out: &mut BytesMut,
    codec: HeaderCodec,
    dialect: Dialect,
    head: &Head<'_>,
    fields: &(impl WriteHeader + ?Sized),
    body_length: usize,
) {
    let codec = codec.for_code(head.code);
    let start = out.len();
    let from = start + 8;
    let mut room = HEADER_ROOM;
    let (written, length_at) = loop {
        out.resize(from + room, 0);
        let mut writer = FieldWriter::begin(&mut out[from..], codec, dialect, head);
        fields.write(&mut writer);
        match writer.finish() {
            Some(finished) => break finished,
            None => room *= 4,
        }
    };
    out.truncate(from + written);
    match codec {
        HeaderCodec::Json => header::json::end(out),
        HeaderCodec::Binary => header::binary::end(&mut out[from..], length_at),
    }
    let header_length = out.len() - from;
    let total = 4 + header_length + body_length;
    let mark = (u32::from(codec.type_byte()) << 24) | (header_length as u32 & 0x00FF_FFFF);
    out[start..start + 4].copy_from_slice(&(total as u32).to_be_bytes());
    out[start + 4..from].copy_from_slice(&mark.to_be_bytes());
}

/// How much room is made for a header at first, in bytes. Nearly every one fits; a longer one is written again.
const HEADER_ROOM: usize = 640;

/// Appends a whole frame.
pub fn encode(
    out: &mut BytesMut,
    codec: HeaderCodec,
    dialect: Dialect,
    head: &Head<'_>,
    fields: &(impl WriteHeader + ?Sized),
    body: &[u8],
) {
    encode_head(out, codec, dialect, head, fields, body.len());
    out.extend_from_slice(body);
}

/// Reads one whole frame, its length word left off.
///
/// # Errors
/// The frame lies about its header's length, or the header is not what its type says.
pub fn decode(mut frame: Bytes) -> Result<Command, super::frame::FrameError> {
    use super::frame::FrameError;
    let Some(mark) = frame.first_chunk::<4>() else {
        return Err(FrameError::TooShort { length: frame.len() });
    };
    let mark = u32::from_be_bytes(*mark);
    let header_length = (mark & 0x00FF_FFFF) as usize;
    let available = frame.len() - 4;
    if header_length > available {
        return Err(FrameError::HeaderTooLong { header_length, available });
    }
    // Most answers have no body, and one owner of the frame less is quicker.
    let body = if header_length == available { Bytes::new() } else { frame.split_off(4 + header_length) };
    frame.advance(4);
    match mark >> 24 {
        0 => header::json::decode(frame, body),
        1 => header::binary::decode(frame, body),
        unknown => Err(FrameError::UnknownCodec { type_byte: unknown as u8 }),
    }
}
