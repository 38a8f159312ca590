//! A machine as the host of clients: the same asynchronous API as on tokio, in virtual time.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use bytes::Buf;
use stgclient_core::client::Identity;
use stgclient_core::connection::Outbox;
use stgclient_core::time::{Instant, Now};
use stgclient_host::{BoxFuture, Host, Link, Observation, Output};

use super::machine::Machine;
use super::net::Stream;

impl Host for Machine {
    fn now(&self) -> Now {
        self.clock()
    }

    fn spawn(&self, task: BoxFuture<()>) {
        self.shared.tasks.spawn(Some(self.number()), task);
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<()> {
        Box::pin(self.sleep_to(at))
    }

    fn connect(&self, link: Box<dyn Link>) {
        let opening = self.open(link.address().as_str());
        self.shared.tasks.spawn(Some(self.number()), Box::pin(run(link, opening)));
    }

    fn identity(&self) -> Identity {
        let instance = format!("1#{}", self.number());
        Identity { ip: self.ip(), process_id: 1, instance }
    }

    fn seed(&self) -> u64 {
        self.draw()
    }

    fn is_observing(&self) -> bool {
        true
    }

    fn observe(&self, observation: Observation<'_>) {
        match observation {
            Observation::Event(event) => self.note("event", event),
            Observation::Deadline(deadline) => self.note("deadline", &deadline),
            _ => {}
        }
    }
}

/// Opens a stream for a link, and drives the link with it until one of them ends.
async fn run(mut link: Box<dyn Link>, opening: impl Future<Output = Result<Stream, &'static str>>) {
    let opened = {
        let mut opening = pin!(opening);
        poll_fn(|context| match link.poll_close(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => opening.as_mut().poll(context).map(Some),
        })
        .await
    };
    let stream = match opened {
        None => return,
        Some(Err(reason)) => return link.closed(reason.into()),
        Some(Ok(stream)) => stream,
    };
    link.connected();
    let mut outbox = Outbox::default();
    let end = poll_fn(|context| {
        loop {
            let written = poll_write(&mut *link, &stream, &mut outbox, context);
            if let Poll::Ready(Err(end)) = written {
                return Poll::Ready(end);
            }
            let read = poll_read(&mut *link, &stream, context);
            if let Poll::Ready(Err(end)) = read {
                return Poll::Ready(end);
            }
            if written.is_pending() && read.is_pending() {
                return Poll::Pending;
            }
        }
    })
    .await;
    match end {
        None => {}
        Some(reason) => link.closed(reason.as_str().into()),
    }
}

/// Why a link ends; `None` when it is asked to.
type End = Option<String>;

fn poll_write(
    link: &mut dyn Link,
    stream: &Stream,
    outbox: &mut Outbox,
    context: &Context<'_>,
) -> Poll<Result<(), End>> {
    if !outbox.has_remaining() {
        match link.poll_output(context, outbox) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Output::Close) => return Poll::Ready(Err(None)),
            Poll::Ready(Output::Write) => {}
        }
    }
    match stream.poll_write(context, outbox) {
        Poll::Pending => link.poll_close(context).map(|()| Err(None)),
        Poll::Ready(result) => Poll::Ready(result.map_err(|reason| Some(reason.to_owned()))),
    }
}

fn poll_read(link: &mut dyn Link, stream: &Stream, context: &Context<'_>) -> Poll<Result<(), End>> {
    let Poll::Ready(read) = stream.poll_read(context, link.read_buffer()) else {
        return Poll::Pending;
    };
    Poll::Ready(match read {
        Ok(true) => link.received().map_err(|error| Some(error.to_string())),
        Ok(false) if link.is_mid_frame() => Err(Some("closed by the server in the middle of a frame".to_owned())),
        Ok(false) => Err(Some("closed by the server".to_owned())),
        Err(reason) => Err(Some(reason.to_owned())),
    })
}
