//! What a visitor sends, frame by frame: without I/O, so that tests and a fuzzer can give it any bytes, cut anywhere.
//!
//! Each header is read, judged and written anew: the broker gets what was judged, and nothing that it might read otherwise. A body goes on
//! as it comes, unless it has to be judged or signed. What is refused is answered; what is no frame ends the tunnel.

use std::borrow::Cow;

use bytes::{Buf, Bytes, BytesMut};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, NoFields, WriteHeader};
use stgclient_core::wire::frame::FrameError;
use stgclient_core::wire::signature::Signer;

use crate::rules::{self, Passage};
use crate::visitor::{Refusal, Visitor};

/// How frames are read and written.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) dialect: Dialect,
    /// Who the gateway is to the cluster, if it signs for its visitors.
    pub(crate) signer: Option<Signer>,
    /// The longest frame, in bytes, its length word not counted.
    pub(crate) longest_frame: usize,
    /// The longest body that is kept whole, in bytes.
    pub(crate) longest_body: usize,
}

/// The longest header, in bytes: one with the longest properties, all of them escaped, is shorter.
const LONGEST_HEADER: usize = 256 * 1024;
/// As long as most headers are, in bytes, so that what they are written to does not grow while they are.
const MOST_HEADERS: usize = 512;
/// The most fields. The requests that pass have at most fifteen, and a signature.
const MOST_FIELDS: usize = 64;

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The broker gets these bytes.
    Forward(Bytes),
    /// The visitor gets this answer, between two frames of the broker's.
    Answer(Bytes),
    /// The broker gets the first if the message at this place of its log is of a topic that the visitor may have; else the visitor gets the
    /// second, if anything.
    ByPlace(i64, Bytes, Option<Bytes>),
}

/// Why a tunnel ends: its bytes cannot be read any further.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Violation {
    #[error("{0}")]
    Frame(#[from] FrameError),
    #[error("a header of {0} bytes")]
    LongHeader(usize),
}

/// The inspection of one tunnel.
#[derive(Debug)]
pub(crate) struct Inspection {
    visitor: Visitor,
    state: State,
}

#[derive(Debug)]
enum State {
    /// A frame's lengths and header are being collected.
    Header(BytesMut),
    /// So many bytes of a body are left, which pass or do not.
    Body { left: usize, passes: bool },
    /// A body is being collected, because it is judged or signed.
    Collected { command: Box<Command>, passage: Passage, left: usize, body: BytesMut },
}

impl Default for State {
    fn default() -> Self {
        Self::Header(BytesMut::new())
    }
}

impl Inspection {
    pub(crate) fn new(visitor: Visitor) -> Self {
        Self { visitor, state: State::default() }
    }

    /// The next step; nothing, once all bytes are taken in.
    pub(crate) fn next(&mut self, terms: &Terms, bytes: &mut Bytes) -> Result<Option<Step>, Violation> {
        while !bytes.is_empty() {
            let step = match &mut self.state {
                State::Header(collected) => match take_header(terms, collected, bytes)? {
                    Some((command, body_length)) => self.judge(terms, command, body_length),
                    None => None,
                },
                State::Body { left, passes } => {
                    let piece = bytes.split_to(bytes.len().min(*left));
                    *left -= piece.len();
                    let passes = *passes;
                    if *left == 0 {
                        self.state = State::default();
                    }
                    passes.then_some(Step::Forward(piece))
                }
                State::Collected { left, body, .. } => {
                    let piece = bytes.split_to(bytes.len().min(*left));
                    *left -= piece.len();
                    body.extend_from_slice(&piece);
                    if *left == 0 { self.judge_collected(terms) } else { None }
                }
            };
            if step.is_some() {
                return Ok(step);
            }
        }
        Ok(None)
    }

    /// A header is there, and so many bytes of body follow.
    fn judge(&mut self, terms: &Terms, command: Command, body_length: usize) -> Option<Step> {
        let judged = fields_of(&command).and_then(|fields| {
            // What the visitor answers to a broker's question is no request to anybody.
            let passage = if command.is_response() {
                Passage::Free
            } else {
                rules::judge(&self.visitor, terms.dialect, &command, &fields)?
            };
            let is_signed = terms.signer.is_some() && !command.is_response();
            let header =
                (passage == Passage::Free && !is_signed).then(|| write_header(terms, &command, &fields, body_length));
            if header.is_none() && body_length > terms.longest_body {
                return Err(format!(
                    "a body of {body_length} bytes, and the gateway keeps no more than {}",
                    terms.longest_body
                )
                .into());
            }
            Ok((passage, header))
        });
        match judged {
            Ok((_, Some(header))) => {
                self.expect_body(body_length, true);
                Some(Step::Forward(header))
            }
            Ok((passage, None)) => {
                let command = Box::new(command);
                self.state = State::Collected { command, passage, left: body_length, body: BytesMut::new() };
                if body_length == 0 { self.judge_collected(terms) } else { None }
            }
            Err(refusal) => {
                self.expect_body(body_length, false);
                answer(terms, &command, &refusal).map(Step::Answer)
            }
        }
    }

    fn expect_body(&mut self, left: usize, passes: bool) {
        self.state = if left == 0 { State::default() } else { State::Body { left, passes } };
    }

    /// A whole frame is there.
    fn judge_collected(&mut self, terms: &Terms) -> Option<Step> {
        let State::Collected { command, passage, body, .. } = std::mem::take(&mut self.state) else { return None };
        let judged = fields_of(&command).and_then(|fields| {
            let body = match passage {
                Passage::ByBody => {
                    Bytes::from(rules::judge_body(&self.visitor, terms.dialect, RequestCode(command.code), &body)?)
                }
                Passage::Free | Passage::ByPlace(_) => body.freeze(),
            };
            Ok(write_frame(terms, &command, &fields, &body))
        });
        match (judged, passage) {
            (Ok(frame), Passage::ByPlace(offset)) => {
                let refusal = answer(terms, &command, "you may not have the message's topic");
                Some(Step::ByPlace(offset, frame, refusal))
            }
            (Ok(frame), _) => Some(Step::Forward(frame)),
            (Err(refusal), _) => answer(terms, &command, &refusal).map(Step::Answer),
        }
    }
}

/// Takes what belongs to the header of a frame. Gives it once it is whole, with the length of the body that follows.
fn take_header(
    terms: &Terms,
    collected: &mut BytesMut,
    bytes: &mut Bytes,
) -> Result<Option<(Command, usize)>, Violation> {
    take_until(8, collected, bytes);
    let Some(lengths) = collected.first_chunk::<8>() else { return Ok(None) };
    let [a, b, c, d, kind, e, f, g] = *lengths;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let header_length = u32::from_be_bytes([0, e, f, g]) as usize;
    if length > terms.longest_frame {
        return Err(FrameError::TooLong { length, limit: terms.longest_frame }.into());
    }
    let available = length.checked_sub(4).ok_or(FrameError::TooShort { length })?;
    if header_length > available {
        return Err(FrameError::HeaderTooLong { header_length, available }.into());
    }
    if kind > 1 {
        return Err(FrameError::UnknownCodec { type_byte: kind }.into());
    }
    if header_length > LONGEST_HEADER {
        return Err(Violation::LongHeader(header_length));
    }
    take_until(8 + header_length, collected, bytes);
    if collected.len() < 8 + header_length {
        return Ok(None);
    }
    let mut frame = std::mem::take(collected);
    frame.advance(4);
    Ok(Some((command::decode(frame.freeze())?, available - header_length)))
}

/// Moves bytes until so many are collected.
fn take_until(wanted: usize, collected: &mut BytesMut, bytes: &mut Bytes) {
    let missing = wanted.saturating_sub(collected.len()).min(bytes.len());
    collected.extend_from_slice(&bytes.split_to(missing));
}

type Texts<'a> = (Cow<'a, str>, Cow<'a, str>);

/// All fields. Which of two with one name counts is nothing that the broker should be asked.
fn fields_of(command: &Command) -> Result<Vec<Texts<'_>>, Refusal> {
    let fields: Vec<Texts<'_>> = command.fields.iter().take(MOST_FIELDS + 1).collect();
    if fields.len() > MOST_FIELDS {
        return Err("a request with too many fields".into());
    }
    let mut names: Vec<&str> = fields.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err("a field stands twice in the request".into());
    }
    Ok(fields)
}

/// Fields as they came; without a signature, if another is to be made.
struct Again<'a> {
    fields: &'a [Texts<'a>],
    is_signed_anew: bool,
}

impl WriteHeader for Again<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        for (name, value) in self.fields {
            if !(self.is_signed_anew && rules::SIGNATURE_FIELDS.contains(&&**name)) {
                writer.foreign(name, value);
            }
        }
    }
}

fn write_header(terms: &Terms, command: &Command, fields: &[Texts<'_>], body_length: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(MOST_HEADERS);
    let again = Again { fields, is_signed_anew: false };
    command::encode_head(&mut out, command.codec, terms.dialect, &command.head(), &again, body_length);
    out.freeze()
}

fn write_frame(terms: &Terms, command: &Command, fields: &[Texts<'_>], body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    let head = command.head();
    match &terms.signer {
        Some(signer) if !command.is_response() => {
            let again = Again { fields, is_signed_anew: true };
            let signed = signer.sign(terms.dialect, &head, &again, body);
            command::encode(&mut out, command.codec, terms.dialect, &head, &signed, body);
        }
        _ => {
            let again = Again { fields, is_signed_anew: false };
            command::encode(&mut out, command.codec, terms.dialect, &head, &again, body);
        }
    }
    out.freeze()
}

/// What a visitor is told who may not have what he asks for; nothing, if he waits for no answer.
fn answer(terms: &Terms, command: &Command, refusal: &str) -> Option<Bytes> {
    if command.is_oneway() || command.is_response() {
        return None;
    }
    let mut out = BytesMut::new();
    let head = Head::response(terms.dialect, ResponseCode::NO_PERMISSION, command.opaque, Some(refusal));
    command::encode(&mut out, command.codec, terms.dialect, &head, &NoFields, &[]);
    Some(out.freeze())
}

/// Where frames end in what a broker sends: answers of the gateway's own go between two of them.
#[derive(Debug, Default)]
pub(crate) struct Boundaries {
    length: [u8; 4],
    /// How many bytes of the length word are there.
    known: usize,
    /// How many bytes of the frame are still to come.
    left: usize,
}

impl Boundaries {
    /// Whether the broker is between two frames.
    pub(crate) const fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0
    }

    /// Follows a piece of the stream. Gives the last place in it, counted in bytes, at which a frame has ended.
    pub(crate) fn follow(&mut self, piece: &[u8]) -> Option<usize> {
        let (mut at, mut last) = (0, self.is_between().then_some(0));
        while at < piece.len() {
            if self.left > 0 {
                let taken = self.left.min(piece.len() - at);
                self.left -= taken;
                at += taken;
            } else {
                self.length[self.known] = piece[at];
                self.known += 1;
                at += 1;
                if self.known == self.length.len() {
                    self.known = 0;
                    self.left = u32::from_be_bytes(self.length) as usize;
                }
            }
            if self.is_between() {
                last = Some(at);
            }
        }
        last
    }
}

#[cfg(test)]
mod tests;
