//! What a visitor sends, frame by frame: without I/O, so that tests and a fuzzer can give it any bytes, cut anywhere.
//!
//! Each header is read, judged and written anew: the broker gets what was judged, and nothing that it might read otherwise. A body goes on
//! as it comes, unless it has to be judged or signed. What is refused is answered; what is no frame ends the tunnel.

use bytes::{Buf, Bytes, BytesMut};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::NoFields;
use stgclient_core::wire::frame::FrameError;
use stgclient_core::wire::signature::Signer;

use crate::asked::Asked;
use crate::fields::Fields;
use crate::keeping::{Allowance, Held};
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

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The broker gets these bytes.
    Forward(Bytes),
    /// The request is refused. The visitor gets the answer, if he waits for one, between two frames of the broker's.
    Refuse(Refused),
    /// The broker gets the bytes if the message at this place of its log is of a topic that the visitor may have; else the visitor gets an
    /// answer.
    ByPlace(i64, Bytes, Waiting),
}

/// What is refused, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) request: RequestCode,
    pub(crate) why: Refusal,
    pub(crate) answer: Option<Bytes>,
}

/// Who waits for an answer, if anybody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    request: RequestCode,
    by: Option<(i32, HeaderCodec)>,
}

impl Waiting {
    fn of(command: &Command) -> Self {
        let by = (!command.is_oneway()).then_some((command.opaque, command.codec));
        Self { request: RequestCode(command.code), by }
    }

    /// Refuses it with this code.
    pub(crate) fn refuse(self, terms: &Terms, code: ResponseCode, why: Refusal) -> Refused {
        let answer = self.by.map(|(opaque, codec)| {
            let mut out = BytesMut::new();
            let head = Head::response(terms.dialect, code, opaque, Some(&why));
            command::encode(&mut out, codec, terms.dialect, &head, &NoFields, &[]);
            out.freeze()
        });
        Refused { request: self.request, why, answer }
    }
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
    /// What the server has asked the visitor.
    asked: Asked,
    allowance: Allowance,
    counts: Counts,
    /// How many bodies were kept.
    bodies: u64,
    state: State,
}

/// How many requests have passed and were refused. One whose message has to be looked at is not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) refused: u64,
}

#[derive(Debug)]
enum State {
    /// A frame's lengths and header are being collected.
    Header(BytesMut),
    /// So many bytes of a body are left, which pass or do not.
    Body { left: usize, passes: bool },
    /// A body is being collected, because it is judged or signed.
    Collected(Box<Collected>),
}

#[derive(Debug)]
struct Collected {
    command: Command,
    passage: Passage,
    left: usize,
    body: BytesMut,
    held: Held,
}

impl Default for State {
    fn default() -> Self {
        Self::Header(BytesMut::new())
    }
}

impl Inspection {
    pub(crate) fn new(visitor: Visitor, asked: Asked, allowance: Allowance) -> Self {
        Self { visitor, asked, allowance, counts: Counts::default(), bodies: 0, state: State::default() }
    }

    /// What has been counted since this was asked for.
    pub(crate) fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// The number of the body that is kept, if one is whose end is missing.
    pub(crate) const fn kept(&self) -> Option<u64> {
        match &self.state {
            State::Collected(_) => Some(self.bodies),
            _ => None,
        }
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
                State::Collected(collected) => {
                    let piece = bytes.split_to(bytes.len().min(collected.left));
                    collected.left -= piece.len();
                    if collected.held.grow(piece.len()) {
                        collected.body.extend_from_slice(&piece);
                        if collected.left == 0 { self.judge_collected(terms) } else { None }
                    } else {
                        self.give_up(terms)
                    }
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
        if command.is_response() {
            let passes = self.asked.answered(command.opaque);
            self.expect_body(body_length, passes);
            let fields = passes.then(|| Fields::read(terms.dialect, &command).ok()).flatten()?;
            return Some(Step::Forward(write_header(terms, &command, &fields, body_length)));
        }
        let code = RequestCode(command.code);
        let judged = Fields::read(terms.dialect, &command).and_then(|fields| {
            let passage = rules::judge(&self.visitor, code, &fields)?;
            if passage == Passage::Free && terms.signer.is_none() {
                return Ok((passage, Some(write_header(terms, &command, &fields, body_length))));
            }
            let longest = terms.longest_body.min(rules::longest_body(code));
            if body_length > longest {
                return Err(
                    format!("a body of {body_length} bytes, and the gateway keeps no more than {longest}").into()
                );
            }
            Ok((passage, None))
        });
        match judged {
            Ok((_, Some(header))) => {
                self.counts.passed += 1;
                self.expect_body(body_length, true);
                Some(Step::Forward(header))
            }
            Ok((passage, None)) => {
                self.bodies += 1;
                let (body, held) = (BytesMut::new(), self.allowance.begin());
                self.state = State::Collected(Box::new(Collected { command, passage, left: body_length, body, held }));
                if body_length == 0 { self.judge_collected(terms) } else { None }
            }
            Err(refusal) => {
                self.expect_body(body_length, false);
                self.refuse(terms, &command, ResponseCode::NO_PERMISSION, refusal)
            }
        }
    }

    fn refuse(&mut self, terms: &Terms, command: &Command, code: ResponseCode, why: Refusal) -> Option<Step> {
        self.counts.refused += 1;
        Some(Step::Refuse(Waiting::of(command).refuse(terms, code, why)))
    }

    /// The body that is being kept is one too many.
    fn give_up(&mut self, terms: &Terms) -> Option<Step> {
        let State::Collected(collected) = std::mem::take(&mut self.state) else { return None };
        self.expect_body(collected.left, false);
        self.refuse(
            terms,
            &collected.command,
            ResponseCode::SYSTEM_BUSY,
            "the gateway keeps as many bodies as it can".into(),
        )
    }

    fn expect_body(&mut self, left: usize, passes: bool) {
        self.state = if left == 0 { State::default() } else { State::Body { left, passes } };
    }

    /// A whole frame is there.
    fn judge_collected(&mut self, terms: &Terms) -> Option<Step> {
        let State::Collected(collected) = std::mem::take(&mut self.state) else { return None };
        let Collected { command, passage, body, held: _held, .. } = *collected;
        let judged = Fields::read(terms.dialect, &command).and_then(|fields| {
            let body = match passage {
                Passage::ByBody => {
                    let code = RequestCode(command.code);
                    Bytes::from(rules::judge_body(&self.visitor, terms.dialect, code, &body)?)
                }
                Passage::Free | Passage::ByPlace(_) => body.freeze(),
            };
            let frame = write_frame(terms, &command, &fields, &body);
            // Written anew it may be longer than it came.
            if frame.len() > 4 + terms.longest_frame {
                return Err("the request is too long".into());
            }
            Ok(frame)
        });
        match (judged, passage) {
            (Ok(frame), Passage::ByPlace(offset)) => Some(Step::ByPlace(offset, frame, Waiting::of(&command))),
            (Ok(frame), _) => {
                self.counts.passed += 1;
                Some(Step::Forward(frame))
            }
            (Err(refusal), _) => self.refuse(terms, &command, ResponseCode::NO_PERMISSION, refusal),
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

fn write_header(terms: &Terms, command: &Command, fields: &Fields<'_>, body_length: usize) -> Bytes {
    let mut out = BytesMut::with_capacity(MOST_HEADERS);
    command::encode_head(&mut out, command.codec, terms.dialect, &command.head(), fields, body_length);
    out.freeze()
}

fn write_frame(terms: &Terms, command: &Command, fields: &Fields<'_>, body: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(MOST_HEADERS + body.len());
    let head = command.head();
    match &terms.signer {
        Some(signer) => {
            let unsigned = fields.unsigned();
            let signed = signer.sign(terms.dialect, &head, &unsigned, body);
            command::encode(&mut out, command.codec, terms.dialect, &head, &signed, body);
        }
        None => command::encode(&mut out, command.codec, terms.dialect, &head, fields, body),
    }
    out.freeze()
}

#[cfg(test)]
mod tests;
