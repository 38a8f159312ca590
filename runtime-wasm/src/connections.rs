//! Connections: a link of the client's and a stream of JavaScript's, by a number that both sides know.
//!
//! What comes is read as soon as JavaScript has it; a task writes. A link is never held while JavaScript is called.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Buf;
use js_sys::Uint8Array;
use stgclient_core::connection::{CloseReason, Outbox};
use stgclient_core::sorted::SortedMap;
use stgclient_host::{Link, Output};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::js;
use crate::tasks;

/// The most bytes that are given to JavaScript at once.
const PIECE: usize = 64 * 1024;

/// An end that lasts, as JavaScript says it (`LASTS` in `bridge.js`): TLS has failed, or a gateway does not let us in.
const TLS_FAILED: u8 = 1;
const DENIED: u8 = 2;

struct Connection {
    /// Taken while it is used, so that nobody can come upon it twice.
    link: Option<Box<dyn Link>>,
    is_open: bool,
    /// The stream takes no more for now.
    is_full: bool,
    waker: Option<Waker>,
    end: Option<End>,
}

/// The end, as JavaScript has it: in words, whether it lasts, and what it may mean of a peer that never said anything.
struct End {
    words: String,
    lasts: u8,
    guess: Option<String>,
}

impl Connection {
    fn wake(&mut self) -> Option<Waker> {
        self.waker.take()
    }
}

type Shared = Rc<RefCell<Connection>>;

thread_local! {
    static CONNECTIONS: RefCell<(u32, SortedMap<u32, Shared>)> = RefCell::default();
    /// All is written, whether streams are full or not.
    static HURRIES: Cell<bool> = const { Cell::new(false) };
}

/// Gives streams all that waits to be written, also those that are full: they are about to be closed.
#[wasm_bindgen(js_name = writeAll)]
pub fn write_all() {
    HURRIES.set(true);
    let numbers = CONNECTIONS.with_borrow(|(_, all)| all.keys().copied().collect::<Vec<_>>());
    numbers.into_iter().for_each(|number| with(number, |_| ()));
    tasks::run_tasks();
    HURRIES.set(false);
}

fn find(number: u32) -> Option<Shared> {
    CONNECTIONS.with_borrow(|(_, all)| all.get(&number).cloned())
}

/// Opens a stream for a link, and drives it until one of them ends.
pub(crate) fn drive(link: Box<dyn Link>, transport: &JsValue) {
    let address = link.address().clone();
    let connection =
        Rc::new(RefCell::new(Connection { link: Some(link), is_open: false, is_full: false, waker: None, end: None }));
    let number = CONNECTIONS.with_borrow_mut(|(last, all)| {
        *last = last.wrapping_add(1);
        all.insert(*last, Rc::clone(&connection));
        *last
    });
    let transport = transport.clone();
    tasks::spawn(async move {
        js::open(number, &transport, address.host(), address.port());
        let mut outbox = Outbox::default();
        let mut bytes = Vec::new();
        let end = poll_fn(|context| poll(number, &connection, &mut outbox, &mut bytes, context)).await;
        CONNECTIONS.with_borrow_mut(|(_, all)| all.remove(&number));
        js::close(number);
        let link = connection.borrow_mut().link.take();
        if let (Some(mut link), Some(End { words, lasts, guess })) = (link, end) {
            let reason = match lasts {
                TLS_FAILED => CloseReason::tls(&words),
                DENIED => CloseReason::denied(&words),
                _ => CloseReason::from(words.as_str()),
            };
            link.closed(reason.or_perhaps(guess.as_deref().unwrap_or_default()));
        }
    });
}

/// Writes what there is. Ready at the end: with a reason, if it is not the client that wants it.
fn poll(
    number: u32,
    connection: &Shared,
    outbox: &mut Outbox,
    bytes: &mut Vec<u8>,
    context: &mut Context<'_>,
) -> Poll<Option<End>> {
    loop {
        let mut state = connection.borrow_mut();
        if let Some(end) = state.end.take() {
            return Poll::Ready(Some(end));
        }
        state.waker = Some(context.waker().clone());
        let may_write = state.is_open && (!state.is_full || HURRIES.get());
        let Some(mut link) = state.link.take() else {
            return Poll::Pending;
        };
        drop(state);
        let asked = if may_write && outbox.has_remaining() {
            Poll::Ready(Output::Write)
        } else if may_write {
            link.poll_output(context, outbox)
        } else {
            link.poll_close(context).map(|()| Output::Close)
        };
        if asked == Poll::Ready(Output::Write) {
            take_piece(&*link, outbox, bytes);
        }
        connection.borrow_mut().link = Some(link);
        match asked {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(Output::Close) => return Poll::Ready(None),
            Poll::Ready(Output::Write) => {
                // Before, since `drained` may come from within.
                connection.borrow_mut().is_full = true;
                if js::write(number, Uint8Array::from(bytes.as_slice())) {
                    connection.borrow_mut().is_full = false;
                }
            }
        }
    }
}

/// Takes what is to be written: many requests are one write.
fn take_piece(link: &dyn Link, outbox: &mut Outbox, bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.shrink_to(PIECE);
    while outbox.has_remaining() && bytes.len() < PIECE {
        let chunk = outbox.chunk();
        let count = chunk.len().min(PIECE - bytes.len());
        bytes.extend_from_slice(&chunk[..count]);
        link.written(outbox, count);
    }
}

/// Does something with a connection that is still there, and has its task go on.
fn with(number: u32, act: impl FnOnce(&mut Connection)) {
    if let Some(connection) = find(number) {
        let mut state = connection.borrow_mut();
        act(&mut state);
        let waker = state.wake();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// A stream stands.
#[wasm_bindgen]
pub fn opened(connection: u32) {
    let Some(shared) = find(connection) else { return };
    let link = shared.borrow_mut().link.take();
    if let Some(mut link) = link {
        link.connected();
        shared.borrow_mut().link = Some(link);
    }
    with(connection, |state| state.is_open = true);
}

/// Bytes have come.
#[wasm_bindgen]
pub fn received(connection: u32, bytes: &Uint8Array) {
    let Some(shared) = find(connection) else { return };
    let link = shared.borrow_mut().link.take();
    let Some(mut link) = link else { return };
    let buffer = link.read_buffer();
    let before = buffer.len();
    buffer.resize(before + bytes.length() as usize, 0);
    bytes.copy_to(&mut buffer[before..]);
    let result = link.received();
    shared.borrow_mut().link = Some(link);
    if let Err(error) = result {
        with(connection, |state| state.end = Some(End { words: error.to_string(), lasts: 0, guess: None }));
    }
}

/// A stream that was full takes bytes again.
#[wasm_bindgen]
pub fn drained(connection: u32) {
    with(connection, |state| state.is_full = false);
}

/// A stream has ended or could not be opened, for this reason; without one the peer has ended it. The guess follows the reason.
#[wasm_bindgen]
pub fn closed(connection: u32, reason: Option<String>, lasts: u8, guess: Option<String>) {
    with(connection, |state| {
        let is_mid_frame = state.link.as_ref().is_some_and(|link| link.is_mid_frame());
        let words = reason.unwrap_or_else(|| {
            let place = if is_mid_frame { " in the middle of a frame" } else { "" };
            format!("closed by the server{place}")
        });
        state.end = Some(End { words, lasts, guess });
    });
}
