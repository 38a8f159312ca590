//! A connection between a host and a peer that the tests play.

mod answers;
mod lifecycle;
mod writing;

use bytes::{Buf, Bytes, BytesMut};

use super::{CloseReason, Connection, ConnectionConfig, Ended, Outbox, Received, Wishes};
use crate::random::Random;
use crate::time::{Deadline, Duration, Instant, Reason};
use crate::timed_table::Timed;
use crate::wire::code::{RequestCode, ResponseCode};
use crate::wire::command::{self, Command, Head, HeaderCodec};
use crate::wire::dialect::Dialect;
use crate::wire::fields::NoFields;
use crate::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};

const APACHE: Dialect = Dialect::Apache;

/// Milliseconds after the tests begin.
const fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn due(millis: u64, reason: Reason) -> Option<Deadline> {
    Some(Deadline { at: at(millis), reason })
}

/// A connection whose owners are names, and its chance.
struct Peer {
    connection: Connection<&'static str>,
    random: Random,
}

impl Peer {
    fn new(config: ConnectionConfig) -> Self {
        let address = "peer:1".parse().expect("an address");
        Self { connection: Connection::new(address, config), random: Random::new(1) }
    }

    /// One that stands since the moment `millis`.
    fn connected(millis: u64, config: ConnectionConfig) -> Self {
        let mut peer = Self::new(config);
        peer.connect(millis);
        peer
    }

    /// Has the connection opened because somebody waits for it.
    fn connect(&mut self, millis: u64) {
        self.connection.wait(at(millis), "opener");
        let attempt = self.connection.take_wishes().connect.expect("a wish to connect");
        assert_eq!(self.connection.handle_connected(at(millis), attempt), ["opener"]);
    }

    fn request(&mut self, millis: u64, opaque: i32, deadline: u64, owner: &'static str) {
        let head = Head::request(APACHE, RequestCode::HEART_BEAT, opaque);
        let mut established = self.connection.established().expect("it stands");
        established.request(at(millis), &head, &NoFields, &Bytes::new(), (at(deadline), false), owner);
    }

    fn oneway(&mut self, millis: u64, owner: &'static str, body: &[u8]) {
        let head = Head::oneway(APACHE, RequestCode::SEND_MESSAGE_V2, -1);
        let mut established = self.connection.established().expect("it stands");
        established.oneway(at(millis), &head, &NoFields, &Bytes::copy_from_slice(body), Some(owner));
    }

    /// The peer answers the request `opaque`. Gives the owner and the time it took.
    fn answer(&mut self, millis: u64, opaque: i32) -> Option<(&'static str, Duration)> {
        match self.receive(millis, &answer(opaque, ResponseCode::SUCCESS)) {
            Received::Answer { owner, took } => Some((owner, took)),
            _ => None,
        }
    }

    fn receive(&mut self, millis: u64, command: &Command) -> Received<&'static str> {
        self.connection.handle_command(at(millis), command)
    }

    /// The connection of the current try ends. Gives whom that fails.
    fn end(&mut self, millis: u64, reason: &str) -> Option<(Ended, Vec<&'static str>)> {
        let attempt = self.connection.attempt();
        self.connection.handle_closed(at(millis), attempt, reason.into(), &mut self.random)
    }

    fn pass(&mut self, millis: u64) -> (Vec<&'static str>, Option<(Ended, Vec<&'static str>)>) {
        self.connection.handle_timeout(at(millis), &mut self.random)
    }

    /// The host takes what is to be written. Gives the commands, the oneways that it has written, and whether there
    /// is room again.
    fn take(&mut self) -> (Vec<Command>, Vec<&'static str>, bool) {
        let (mut outbox, mut written) = (Outbox::default(), Vec::new());
        let room = self.connection.take_outbox(&mut outbox, &mut written);
        let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
        while outbox.has_remaining() {
            let length = outbox.chunk().len();
            reader.extend(outbox.chunk());
            outbox.advance(length);
        }
        (core::iter::from_fn(|| reader.next_command().expect("frames")).collect(), written, room)
    }

    fn wishes(&mut self) -> Wishes {
        self.connection.take_wishes()
    }
}

fn received(codec: HeaderCodec, head: &Head<'_>) -> Command {
    let mut out = BytesMut::new();
    command::encode(&mut out, codec, APACHE, head, &NoFields, b"");
    command::decode(out.freeze().slice(4..)).expect("a frame")
}

fn answer(opaque: i32, code: ResponseCode) -> Command {
    received(HeaderCodec::Json, &Head::response(APACHE, code, opaque, None))
}
