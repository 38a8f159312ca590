//! That the null broker answers what our client sends, and counts all of it; and that consumers get what they need.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use stgclient::{Client, HeaderCodec, Message, SendStatus};
use stgclient_core::wire::body::{
    self, ConsumerData, ConsumerList, HeartbeatData, LockedQueues, QueueKey, QueueLockRequest,
};
use stgclient_core::wire::code::ResponseCode;
use stgclient_core::wire::command::{self, Command, Head};
use stgclient_core::wire::dialect::Dialect;
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_core::wire::message::StoredMessages;
use stgclient_core::wire::request::{
    GetConsumerList, Heartbeat, LockQueues, NotifyConsumerIdsChanged, OffsetAnswer, PULL_FLAG_SUSPEND, PullMessage,
    PullMessageAnswer, QueryConsumerOffset, Request, UpdateConsumerOffset,
};

use crate::server::Server;

#[tokio::test]
async fn every_send_is_answered_and_counted_in_both_codecs() {
    for codec in [HeaderCodec::Json, HeaderCodec::Binary] {
        let server = Server::start(0).expect("a port is free");
        let client =
            Client::builder(server.address.to_string()).header_codec(codec).connect().await.expect("it answers");
        let producer = client.producer("group").start().await.expect("the client is open");
        let sends: Vec<_> = (0..300).map(|_| producer.send(Message::new("q100-orders", vec![7; 1000]))).collect();
        for send in sends {
            assert_eq!(send.await.expect("it is acknowledged").status, SendStatus::SendOk);
        }
        for _ in 0..200 {
            producer.send_oneway(Message::new("orders", "hello")).await.expect("it is written");
        }
        // What was answered after the last oneway message was read after it too.
        let queue = producer.send(Message::new("orders", "last")).await.expect("it is acknowledged").queue;
        assert_eq!(queue.broker_name.as_ref(), "null-broker");
        client.close().await;
        let counts = server.counts();
        assert_eq!((counts.answered, counts.oneways), (301, 200), "{counts:?}");
    }
}

/// A member of a group that speaks in plain frames: what real clients ask of a broker, one by one.
struct Member {
    stream: TcpStream,
    reader: FrameReader,
}

impl Member {
    fn new(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
        Self { stream, reader: FrameReader::new(DEFAULT_MAX_FRAME_LENGTH) }
    }

    fn tell<'a, R: Request<'a>>(&mut self, head: Head<'_>, request: &R, body: &[u8]) {
        let mut out = BytesMut::new();
        command::encode(&mut out, HeaderCodec::Json, Dialect::Apache, &head, request, body);
        self.stream.write_all(&out).expect("it reads");
    }

    fn hear(&mut self) -> Command {
        loop {
            if let Some(command) = self.reader.next_command().expect("frames") {
                return command;
            }
            let mut chunk = [0; 4096];
            let count = self.stream.read(&mut chunk).expect("it answers");
            assert!(count > 0, "the connection was closed");
            self.reader.extend(&chunk[..count]);
        }
    }

    fn ask<'a, R: Request<'a>>(&mut self, request: &R, body: &[u8]) -> Command {
        self.tell(Head::request(Dialect::Apache, R::CODE, 7), request, body);
        let answer = self.hear();
        assert_eq!(answer.opaque, 7);
        answer
    }

    fn heartbeat(&mut self, client_id: &str) {
        let group = ConsumerData { group_name: "group".to_owned(), ..ConsumerData::default() };
        let heartbeat = HeartbeatData {
            client_id: client_id.to_owned(),
            consumer_data_set: vec![group],
            ..HeartbeatData::default()
        };
        let answer = self.ask(&Heartbeat {}, &body::to_vec(&heartbeat));
        assert_eq!(answer.code, ResponseCode::SUCCESS.0);
    }
}

fn pull(queue_id: i32, queue_offset: i64, suspend_timeout_millis: i64) -> PullMessage<'static> {
    PullMessage {
        consumer_group: "group".into(),
        topic: "q2-n101-orders".into(),
        queue_id,
        queue_offset,
        max_msg_nums: 32,
        sys_flag: PULL_FLAG_SUSPEND,
        commit_offset: 0,
        suspend_timeout_millis,
        subscription: None,
        sub_version: 0,
        expression_type: None,
        max_msg_bytes: None,
        broker_name: None,
    }
}

#[test]
fn the_one_member_of_a_group_is_who_sent_the_last_heartbeat_for_it() {
    let server = Server::start(0).expect("a port is free");
    let mut member = Member::new(&server);
    let list = GetConsumerList { consumer_group: "group".into() };
    assert_eq!(member.ask(&list, &[]).code, ResponseCode::SYSTEM_ERROR.0);
    for client_id in ["first", "second"] {
        member.heartbeat(client_id);
        // Told once, and not with the next heartbeat.
        let told = member.hear();
        assert_eq!((told.code, told.is_oneway()), (NotifyConsumerIdsChanged::CODE.0, true));
        assert_eq!(told.header(), Ok(NotifyConsumerIdsChanged { consumer_group: "group".into() }));
        member.heartbeat(client_id);
        let answer: ConsumerList = body::from_slice(&Member::new(&server).ask(&list, &[]).body).expect("a list");
        assert_eq!(answer.consumer_id_list, [client_id]);
    }
}

#[test]
fn offsets_are_stored_and_begin_at_zero() {
    let server = Server::start(0).expect("a port is free");
    let mut member = Member::new(&server);
    let query = |queue_id| QueryConsumerOffset {
        consumer_group: "group".into(),
        topic: "orders".into(),
        queue_id,
        set_zero_if_not_found: None,
        broker_name: None,
    };
    let update = UpdateConsumerOffset {
        consumer_group: "group".into(),
        topic: "orders".into(),
        queue_id: 1,
        commit_offset: 77,
        broker_name: None,
    };
    // As clients do: nobody answers.
    member.tell(Head::oneway(Dialect::Apache, UpdateConsumerOffset::CODE, 3), &update, &[]);
    for (queue_id, expected) in [(1, 77), (0, 0)] {
        assert_eq!(member.ask(&query(queue_id), &[]).header(), Ok(OffsetAnswer { offset: expected }));
    }
}

#[test]
fn pulls_get_the_messages_that_the_topic_has_and_no_more() {
    let server = Server::start(0).expect("a port is free");
    let mut member = Member::new(&server);
    for (queue_id, length) in [(0, 51), (1, 50)] {
        let mut offset = 0;
        while offset < length {
            let answer = member.ask(&pull(queue_id, offset, 15_000), &[]);
            let header: PullMessageAnswer = answer.header().expect("a header");
            assert_eq!((answer.code, header.min_offset, header.max_offset), (0, 0, length));
            for message in StoredMessages::new(answer.body.clone(), Dialect::Apache) {
                let fields = message.expect("a message").fields;
                assert_eq!((fields.queue_id, fields.queue_offset), (queue_id, offset));
                offset += 1;
            }
            assert_eq!(header.next_begin_offset, offset);
        }
    }
    assert_eq!(member.ask(&pull(0, 52, 15_000), &[]).code, ResponseCode::PULL_OFFSET_MOVED.0);
}

#[test]
fn pulls_at_the_end_wait_as_long_as_they_say_and_hold_up_nobody() {
    let server = Server::start(0).expect("a port is free");
    let mut member = Member::new(&server);
    let started = Instant::now();
    let head = |opaque| Head::request(Dialect::Apache, PullMessage::CODE, opaque);
    member.tell(head(1), &pull(0, 51, 60_000_000), &[]);
    member.tell(head(2), &pull(1, 50, 200), &[]);
    member.heartbeat("first");
    assert_eq!(member.hear().code, NotifyConsumerIdsChanged::CODE.0);
    let answer = member.hear();
    assert_eq!((answer.opaque, answer.code), (2, ResponseCode::PULL_NOT_FOUND.0));
    assert!(started.elapsed() >= Duration::from_millis(200));
    let header: PullMessageAnswer = answer.header().expect("a header");
    assert_eq!((header.next_begin_offset, header.max_offset), (50, 50));
    // Another queue than the one that waits, then the same one.
    for (queue_id, offset, doubled) in [(1, 50, 0), (0, 51, 1)] {
        member.tell(head(3), &pull(queue_id, offset, 60_000_000), &[]);
        member.heartbeat("first");
        assert_eq!(server.counts().doubled, doubled);
    }
    assert_eq!(server.counts().held, 4);
}

#[test]
fn all_queues_that_are_to_be_locked_are_granted() {
    let server = Server::start(0).expect("a port is free");
    let queues = (0..3).map(|queue_id| QueueKey { queue_id, ..QueueKey::default() });
    let asked = QueueLockRequest { mq_set: queues.collect(), ..QueueLockRequest::default() };
    let answer = Member::new(&server).ask(&LockQueues {}, &body::to_vec(&asked));
    let granted: LockedQueues = body::from_slice(&answer.body).expect("queues");
    assert_eq!(granted.lock_ok_mq_set, asked.mq_set);
}
