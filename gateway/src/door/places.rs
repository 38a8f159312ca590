//! Whether a place of a broker's log is the beginning of a message, and of which topic.
//!
//! Brokers give what a place says that it is, also inside of a message, where a visitor may have written it himself
//! (`DefaultMessageStore.lookMessageByOffset`). So it counts only if the queue that it names has that very place at the offset that it
//! names. The broker is asked over a connection of the gateway's own.

use std::borrow::Cow;
use std::io;

use bytes::{Bytes, BytesMut};
use stgclient::Address;
use stgclient_core::wire::code::{RequestCode, ResponseCode};
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::fields::WriteHeader;
use stgclient_core::wire::frame::FrameReader;
use stgclient_core::wire::message::StoredMessage;
use stgclient_core::wire::request::{PULL_FLAG_SUBSCRIPTION, PullMessage, Request, ViewMessage};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::door::dialing::Dialer;
use crate::inspection::Terms;

/// The group that tools ask by, which brokers have from the beginning (`MixAll.TOOLS_CONSUMER_GROUP`).
const GROUP: &str = "TOOLS_CONSUMER";

/// What there is at a place.
#[derive(Debug)]
pub(crate) enum Found {
    /// A message of this topic begins there.
    Topic(String),
    /// Nothing, as the broker says it.
    Nothing(ResponseCode, String),
    /// Something, but no message begins there.
    Inside,
}

/// Asks a broker for what is there.
pub(crate) async fn look(dialer: &Dialer, terms: &Terms, broker: &Address, place: i64) -> io::Result<Found> {
    let stream = dialer.open(broker).await?.ok_or(io::ErrorKind::PermissionDenied)?;
    match &dialer.tls {
        None => Asking::new(stream, terms).look(place).await,
        Some(tls) => Asking::new(Dialer::secure(tls, broker, stream).await?, terms).look(place).await,
    }
}

/// A connection, and what was read of it.
struct Asking<'a, S> {
    stream: S,
    terms: &'a Terms,
    reader: FrameReader,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Asking<'a, S> {
    fn new(stream: S, terms: &'a Terms) -> Self {
        Self { stream, terms, reader: FrameReader::new(terms.longest_frame) }
    }

    async fn look(mut self, place: i64) -> io::Result<Found> {
        let view = ViewMessage { topic: None, offset: place };
        let said = self.ask(self.request(ViewMessage::CODE, &view)).await?;
        if ResponseCode(said.code) != ResponseCode::SUCCESS {
            return Ok(Found::Nothing(ResponseCode(said.code), said.remark.unwrap_or_default().into()));
        }
        let Some(seen) = self.first_message(said) else { return Ok(Found::Inside) };
        let pull = PullMessage {
            consumer_group: Cow::from(GROUP),
            topic: Cow::from(seen.topic()),
            queue_id: seen.fields.queue_id,
            queue_offset: seen.fields.queue_offset,
            max_msg_nums: 1,
            sys_flag: PULL_FLAG_SUBSCRIPTION,
            commit_offset: 0,
            suspend_timeout_millis: 0,
            subscription: Some(Cow::from("*")),
            sub_version: 0,
            expression_type: None,
            max_msg_bytes: None,
            broker_name: None,
        };
        let said = self.ask(self.request(PullMessage::CODE, &pull)).await?;
        let is_there = self.first_message(said).is_some_and(|known| known.fields.physical_offset == place);
        Ok(if is_there { Found::Topic(seen.topic().to_owned()) } else { Found::Inside })
    }

    /// As the gateway signs it, if it does.
    fn request(&self, code: RequestCode, fields: &dyn WriteHeader) -> Bytes {
        let dialect = self.terms.dialect;
        let head = Head::request(dialect, code, 1);
        let mut out = BytesMut::new();
        match &self.terms.signer {
            Some(signer) => {
                let signed = signer.sign(dialect, &head, fields, &[]);
                command::encode(&mut out, HeaderCodec::Json, dialect, &head, &signed, &[]);
            }
            None => command::encode(&mut out, HeaderCodec::Json, dialect, &head, fields, &[]),
        }
        out.freeze()
    }

    async fn ask(&mut self, request: Bytes) -> io::Result<Command> {
        self.stream.write_all(&request).await?;
        loop {
            match self.reader.next_command() {
                Ok(Some(answer)) if answer.is_response() => return Ok(answer),
                Ok(Some(_)) => {}
                Ok(None) => {
                    let mut piece = [0; 4096];
                    match self.stream.read(&mut piece).await? {
                        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                        count => self.reader.extend(&piece[..count]),
                    }
                }
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
        }
    }

    /// The message that an answer begins with. One that is long comes cut nowhere: a broker gives whole messages.
    fn first_message(&self, answer: Command) -> Option<StoredMessage> {
        if ResponseCode(answer.code) != ResponseCode::SUCCESS {
            return None;
        }
        let mut body = answer.body;
        let length = u32::from_be_bytes(*body.first_chunk()?) as usize;
        let first = body.split_to(length.min(body.len()));
        StoredMessage::decode(first, self.terms.dialect).ok()
    }
}
