//! The smallest client on a world's network: typed requests out, commands in.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use stgclient_core::wire::command::{self, Command, Head, HeaderCodec};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_core::wire::request::{GetClusterInfo, Request, SendMessage};
use stgclient_simulator::{Machine, Stream};

pub(crate) const DIALECT: Dialect = Dialect::Apache;

/// A connection that asks one thing at a time.
pub(crate) struct Wire {
    pub(crate) stream: Stream,
    reader: FrameReader,
    buffer: BytesMut,
    opaque: i32,
}

impl Wire {
    pub(crate) async fn open(machine: &Arc<Machine>, address: &str) -> Result<Self, &'static str> {
        let stream = machine.open(address).await?;
        let reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
        Ok(Self { stream, reader, buffer: BytesMut::new(), opaque: 0 })
    }

    /// Sends a request.
    pub(crate) async fn write<'r, R: Request<'r>>(&mut self, request: &R, body: &[u8]) -> Result<(), &'static str> {
        self.opaque += 1;
        self.stream.write(frame(request, self.opaque, body)).await
    }

    /// The next command that comes.
    pub(crate) async fn read(&mut self) -> Result<Command, &'static str> {
        loop {
            if let Some(command) = self.reader.next_command().map_err(|_| "no frame")? {
                return Ok(command);
            }
            if !self.stream.read(&mut self.buffer).await? {
                return Err(if self.reader.is_mid_frame() { "ended in the middle of a frame" } else { "ended" });
            }
            self.reader.extend(&self.buffer);
            self.buffer.clear();
        }
    }

    pub(crate) async fn ask<'r, R: Request<'r>>(&mut self, request: &R, body: &[u8]) -> Result<Command, &'static str> {
        self.write(request, body).await?;
        let answer = self.read().await?;
        assert_eq!(answer.opaque, self.opaque);
        Ok(answer)
    }

    /// Asks a name server something.
    pub(crate) async fn ask_cluster(&mut self) -> Result<Command, &'static str> {
        self.ask(&GetClusterInfo {}, &[]).await
    }
}

pub(crate) fn frame<'r, R: Request<'r>>(request: &R, opaque: i32, body: &[u8]) -> Bytes {
    let mut out = BytesMut::new();
    command::encode(&mut out, HeaderCodec::Json, DIALECT, &Head::request(DIALECT, R::CODE, opaque), request, body);
    out.freeze()
}

pub(crate) fn send(topic: &str) -> SendMessage<'_> {
    SendMessage {
        producer_group: "producers".into(),
        topic: topic.into(),
        default_topic: "TBW102".into(),
        default_topic_queue_nums: 4,
        queue_id: 0,
        sys_flag: 0,
        born_timestamp: 0,
        flag: 0,
        properties: Some("".into()),
        reconsume_times: None,
        unit_mode: None,
        max_reconsume_times: None,
        batch: None,
        broker_name: None,
    }
}
