//! The answer to one request: in the codec of the request, as a Java server writes it, and as a test may have bent it.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, FLAG_RESPONSE, Head, HeaderCodec, Language};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::fields::{FieldWriter, Fields, Header, NoFields, WriteHeader};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_core::wire::request::PullMessageAnswer;

use super::force::{Forced, Malformed};
use super::forces::Forces;
use super::output::{Outputs, Pieces};
use super::peer::Peer;
use super::refusal::Refusal;
use super::smartgo::{self, Admission};

/// How many answers are held back at a time, should a test ask for it. A further one goes out at once.
pub(super) const MOST_DELAYED: usize = 65_536;

/// The words of a Java answer whose remark nobody has set (`RemotingCommand.createResponseCommand`).
pub(super) const NOT_SET: &str = "not set any response code";

/// What commands say of their sender: a language and a version (`MQVersion.CURRENT_VERSION` of 5.4.0).
pub(super) const fn sender(dialect: Dialect) -> (Language, i32) {
    match dialect {
        Dialect::Apache => (Language::JAVA, 493),
        Dialect::Smartgo => (dialect.language(), dialect.version()),
    }
}

/// Whether an answer to this request says nothing of its sender, and has no fields, because smartgo's
/// brokers make it from nothing (`&protocol.RemotingCommand{}`).
const fn is_bare(dialect: Dialect, code: RequestCode) -> bool {
    let is_bare = matches!(
        code,
        RequestCode::HEART_BEAT
            | RequestCode::UNREGISTER_CLIENT
            | RequestCode::GET_CONSUMER_LIST_BY_GROUP
            | RequestCode::UPDATE_CONSUMER_OFFSET
            | RequestCode::CONSUMER_SEND_MSG_BACK
            | RequestCode::DELETE_TOPIC_IN_BROKER
    );
    is_bare && matches!(dialect, Dialect::Smartgo)
}

/// Whom to answer and how. Kept with a request that is answered later.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) peer: Peer,
    opaque: i32,
    codec: HeaderCodec,
    dialect: Dialect,
    is_bare: bool,
    is_silent: bool,
    /// In place of SUCCESS.
    success: ResponseCode,
    due: Option<Instant>,
    raw: Option<Bytes>,
    /// How often the answer is written.
    times: usize,
    malformed: Option<Malformed>,
}

impl Exchange {
    const fn sender(&self) -> (Language, i32) {
        if self.is_bare { (Language::NONE, 0) } else { sender(self.dialect) }
    }
}

/// Writes the answer of one exchange.
pub(super) struct Reply<'o> {
    exchange: Exchange,
    out: &'o mut Outputs,
    delayed_answers: usize,
}

impl<'o> Reply<'o> {
    /// The reply of `exchange`; at most `delayed_answers` answers are held back at a time.
    pub(super) const fn new(exchange: Exchange, out: &'o mut Outputs, delayed_answers: usize) -> Self {
        Self { exchange, out, delayed_answers }
    }

    /// Where frames to others go that are to be written before this answer.
    pub(super) const fn outputs(&mut self) -> &mut Outputs {
        self.out
    }

    /// The exchange, to be answered later, and where requests to others go meanwhile.
    pub(super) fn into_parts(self) -> (Exchange, &'o mut Outputs) {
        (self.exchange, self.out)
    }

    /// The exchange, to be answered later.
    pub(super) fn into_exchange(self) -> Exchange {
        self.exchange
    }

    /// SUCCESS with nothing more, or the refusal.
    pub(super) fn nothing(self, result: Result<(), Refusal>) {
        match result {
            Ok(()) => self.send(ResponseCode::SUCCESS, None, &NoFields, &[]),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// SUCCESS with a header, or the refusal.
    pub(super) fn header<'h, H: Header<'h>>(self, result: Result<H, Refusal>) {
        match result {
            Ok(fields) => self.send(ResponseCode::SUCCESS, None, &fields, &[]),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// SUCCESS with a body, or the refusal.
    pub(super) fn body(self, result: Result<impl AsRef<[u8]>, Refusal>) {
        match result {
            Ok(body) => self.send(ResponseCode::SUCCESS, None, &NoFields, body.as_ref()),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// The server does not know requests of this code. Smartgo's say nothing.
    pub(super) fn unknown(self, code: i32) {
        if self.exchange.dialect == Dialect::Apache {
            let remark = format!(" request type {code} not supported");
            self.refuse(&Refusal::new(ResponseCode::REQUEST_CODE_NOT_SUPPORTED, remark));
        }
    }

    /// An answer that is not SUCCESS.
    pub(super) fn refuse(self, refusal: &Refusal) {
        let fields: &dyn WriteHeader = match &refusal.forbidden {
            Some(forbidden) => forbidden,
            None => &NoFields,
        };
        // Of an exception without a word.
        let remark = Some(&*refusal.remark).filter(|remark| !remark.is_empty());
        self.send(refusal.code, remark, fields, &[]);
    }

    /// The answer that somebody else has given, as it is.
    pub(super) fn hand_on(self, answer: &Command, fields: &dyn WriteHeader) {
        let body = &answer.body;
        let head = (ResponseCode(answer.code), answer.remark.as_deref());
        self.write((answer.language, answer.version), head, fields, body.len(), |pieces| pieces.put(body));
    }

    /// Any answer.
    pub(super) fn send(self, code: ResponseCode, remark: Option<&str>, fields: &dyn WriteHeader, body: &[u8]) {
        let sender = self.exchange.sender();
        self.write(sender, (code, remark), fields, body.len(), |pieces| pieces.tail().extend_from_slice(body));
    }

    /// An answer whose body is stored messages, `length` bytes in all.
    pub(super) fn messages<'m>(
        self,
        remark: Option<&str>,
        fields: &dyn WriteHeader,
        length: usize,
        messages: impl Iterator<Item = &'m Bytes>,
    ) {
        let sender = self.exchange.sender();
        self.write(sender, (ResponseCode::SUCCESS, remark), fields, length, |pieces| {
            messages.for_each(|message| pieces.put(message));
        });
    }

    fn write(
        self,
        (language, version): (Language, i32),
        (code, remark): (ResponseCode, Option<&str>),
        fields: &dyn WriteHeader,
        body_length: usize,
        put_body: impl FnOnce(&mut Pieces),
    ) {
        let Self { exchange, out, delayed_answers } = self;
        if exchange.is_silent {
            return;
        }
        let code = if code == ResponseCode::SUCCESS { exchange.success } else { code };
        let opaque = exchange.opaque;
        let head = Head { code: code.0, language, version, opaque, flag: FLAG_RESPONSE, remark };
        let encode = |pieces: &mut Pieces| match &exchange.raw {
            Some(raw) => pieces.put(raw),
            None => {
                let (codec, dialect) = (exchange.codec, exchange.dialect);
                if exchange.is_bare {
                    command::encode_head(pieces.tail(), codec, dialect, &head, &NoFields, body_length);
                } else {
                    command::encode_head(pieces.tail(), codec, dialect, &head, fields, body_length);
                }
                put_body(pieces);
            }
        };
        match exchange.due {
            Some(due) => out.frame_at(due, delayed_answers, exchange.peer, encode),
            None if exchange.times == 1 && exchange.malformed.is_none() => out.frame(exchange.peer, encode),
            None => {
                let mut pieces = Pieces::default();
                encode(&mut pieces);
                let frame = bend(pieces.into_bytes(), exchange.dialect, exchange.malformed);
                for _ in 0..exchange.times {
                    out.frame(exchange.peer, |pieces| pieces.put(&frame));
                }
            }
        }
    }
}

/// Makes of an answer one that cannot be read.
fn bend(frame: BytesMut, dialect: Dialect, malformed: Option<Malformed>) -> Bytes {
    let frame = frame.freeze();
    let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
    reader.extend(&frame);
    let (Some(malformed), Ok(Some(command))) = (malformed, reader.next_command()) else {
        return frame;
    };
    let Command { code, language, version, opaque, flag, codec, .. } = command;
    let head = Head { code, language, version, opaque, flag, remark: command.remark.as_deref() };
    let (is_wrong, body): (bool, &[u8]) = match malformed {
        Malformed::TruncatedBody => (false, &command.body[..command.body.len() / 2]),
        Malformed::WrongBody => (false, b"{\"wrong\":"),
        Malformed::WrongHeader => (true, &command.body),
    };
    let mut bent = BytesMut::new();
    command::encode(&mut bent, codec, dialect, &head, &BentFields { fields: &command.fields, is_wrong }, body);
    bent.freeze()
}

/// The fields of an answer, as they were or with texts that they cannot have.
struct BentFields<'a> {
    fields: &'a Fields,
    is_wrong: bool,
}

impl WriteHeader for BentFields<'_> {
    fn write(&self, writer: &mut FieldWriter<'_>) {
        let texts = self.fields.iter();
        texts.for_each(|(name, value)| writer.text(&name, if self.is_wrong { "wrong" } else { &value }));
    }
}

/// Begins the exchange of `request`, and says how the server reads it. `None` when it is not carried out, because a test has
/// asked for that or because the servers do not know it; then it is already answered, if it is answered at all.
pub(super) fn begin<'o, 'r>(
    now: Now,
    dialect: Dialect,
    peer: Peer,
    request: &'r Command,
    forces: &mut Forces,
    out: &'o mut Outputs,
    delayed_answers: usize,
) -> Option<(Reply<'o>, Cow<'r, Command>)> {
    let mut exchange = Exchange {
        peer,
        opaque: request.opaque,
        codec: request.codec,
        dialect,
        is_bare: is_bare(dialect, RequestCode(request.code)),
        is_silent: request.is_oneway(),
        success: ResponseCode::SUCCESS,
        due: None,
        raw: None,
        times: 1,
        malformed: None,
    };
    match forces.take(request) {
        None => {}
        Some(Forced::FlushDiskTimeout) => exchange.success = ResponseCode::FLUSH_DISK_TIMEOUT,
        Some(Forced::FlushSlaveTimeout) => exchange.success = ResponseCode::FLUSH_SLAVE_TIMEOUT,
        Some(Forced::SlaveNotAvailable) => exchange.success = ResponseCode::SLAVE_NOT_AVAILABLE,
        Some(Forced::Unanswered) => exchange.is_silent = true,
        Some(Forced::Delay(duration)) => exchange.due = Some(now.mono + duration),
        Some(Forced::Bytes(bytes)) => exchange.raw = Some(bytes),
        Some(Forced::Twice) => exchange.times = 2,
        Some(Forced::Malformed(malformed)) => exchange.malformed = Some(malformed),
        Some(Forced::Lost) => return None,
        Some(Forced::OffsetMoved) => {
            let offset = request.fields.get("queueOffset").and_then(|offset| offset.parse().ok()).unwrap_or_default();
            let fields = PullMessageAnswer {
                suggest_which_broker_id: Some(0),
                next_begin_offset: offset,
                min_offset: 0,
                max_offset: offset,
                offset_delta: None,
            };
            let remark = Some("it was forced");
            Reply::new(exchange, out, delayed_answers).send(ResponseCode::PULL_OFFSET_MOVED, remark, &fields, &[]);
            return None;
        }
        Some(Forced::Refuse(code, remark)) => {
            Reply::new(exchange, out, delayed_answers).refuse(&Refusal::new(code, remark));
            return None;
        }
    }
    let reply = Reply::new(exchange, out, delayed_answers);
    let admission = match dialect {
        Dialect::Apache => Admission::Read(Cow::Borrowed(request)),
        Dialect::Smartgo => smartgo::admit(request),
    };
    match admission {
        Admission::Read(request) => Some((reply, request)),
        Admission::Refused(refusal) => {
            reply.refuse(&refusal);
            None
        }
        Admission::Ignored => None,
    }
}
