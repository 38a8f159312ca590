//! Sends through the runtime, on a host without sockets, threads or clocks.

use std::future::{Future, IntoFuture};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use stgclient::host::{BoxFuture, Host, Link};
use stgclient::{ClientBuilder, Producer};
use stgclient_core::client::Identity;
use stgclient_core::connection::Outbox;
use stgclient_core::producer::Message;
use stgclient_core::time::{Instant, Now};
use stgclient_core::wire::command::HeaderCodec;

use crate::meter::Meter;
use crate::servers::{Connection, NOW, Servers};

const STEPS: u32 = 100;
/// How many sends are in flight at once.
const EACH: usize = 64;

pub(crate) fn json(meter: &mut Meter) {
    awaited(meter, HeaderCodec::Json);
}

pub(crate) fn binary(meter: &mut Meter) {
    awaited(meter, HeaderCodec::Binary);
}

/// One operation: an awaited send of 128 B, `EACH` of them in flight, with both polls of its future.
fn awaited(meter: &mut Meter, codec: HeaderCodec) {
    let mut world = World::new();
    let builder = ClientBuilder::on(world.host.clone(), &world.name_server).header_codec(codec);
    let client = world.complete(builder.connect()).expect("the name server answers");
    let admin = client.admin();
    world.complete(admin.create_topic("topic").into_future()).expect("the topic is created");
    let producer = world.complete(client.producer("producers").start()).expect("a group's name");
    let topic: Arc<str> = "topic".into();
    meter.repeat(STEPS, |meter| {
        let messages: Vec<_> =
            (0..EACH).map(|_| Message::new(topic.clone(), Bytes::from_static(&[b'x'; 128]))).collect();
        world.send(meter, &producer, messages);
    });
}

/// A host on which nothing happens by itself.
#[derive(Default)]
struct Still {
    links: Mutex<Vec<Box<dyn Link>>>,
    tasks: Mutex<Vec<BoxFuture<()>>>,
}

impl Host for Still {
    fn now(&self) -> Now {
        NOW
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.tasks.lock().expect("no panic").push(task);
    }

    fn sleep_until(&self, _: Instant) -> BoxFuture<()> {
        Box::pin(std::future::pending())
    }

    fn connect(&self, link: Box<dyn Link>) {
        self.links.lock().expect("no panic").push(link);
    }

    fn identity(&self) -> Identity {
        Identity::default()
    }

    fn seed(&self) -> u64 {
        42
    }
}

struct World {
    host: Arc<Still>,
    servers: Servers,
    name_server: String,
    open: Vec<Open>,
}

struct Open {
    link: Box<dyn Link>,
    connection: Connection,
    outbox: Outbox,
}

impl World {
    fn new() -> Self {
        let (servers, name_server) = Servers::new();
        Self { host: Arc::default(), servers, name_server: name_server.to_string(), open: Vec::new() }
    }

    /// Drives everything until `future` is over.
    fn complete<T>(&mut self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..100 {
            if let Poll::Ready(result) = future.as_mut().poll(&mut context) {
                return result;
            }
            self.host.tasks.lock().expect("no panic").retain_mut(|task| task.as_mut().poll(&mut context).is_pending());
            self.exchange(&mut Meter::default());
        }
        panic!("nothing happens any more");
    }

    fn send(&mut self, meter: &mut Meter, producer: &Producer, messages: Vec<Message>) {
        let mut context = Context::from_waker(Waker::noop());
        let mut sends = Vec::with_capacity(EACH);
        meter.measure(EACH as u64, || {
            for message in messages {
                let mut send = producer.send(message);
                assert!(Future::poll(std::pin::Pin::new(&mut send), &mut context).is_pending());
                sends.push(send);
            }
        });
        self.exchange(meter);
        meter.measure(0, || {
            for mut send in sends {
                let Poll::Ready(Ok(_)) = Future::poll(std::pin::Pin::new(&mut send), &mut context) else {
                    panic!("the send is not over");
                };
            }
        });
    }

    /// Carries bytes both ways until none are left: the link's side of it is measured.
    fn exchange(&mut self, meter: &mut Meter) {
        let Self { host, servers, open, .. } = self;
        for mut link in host.links.lock().expect("no panic").drain(..) {
            let connection = servers.connect(link.address());
            link.connected();
            open.push(Open { link, connection, outbox: Outbox::default() });
        }
        let context = Context::from_waker(Waker::noop());
        for Open { link, connection, outbox } in open {
            // A link gives way once before it writes.
            for _ in 0..2 {
                while meter.measure(0, || link.poll_output(&context, outbox)).is_ready() {
                    let requests = outbox.copy_to_bytes(outbox.remaining());
                    for answer in servers.answer(connection, &requests) {
                        link.read_buffer().extend_from_slice(&answer);
                    }
                    meter.measure(0, || link.received()).expect("whole frames");
                }
            }
        }
    }
}
