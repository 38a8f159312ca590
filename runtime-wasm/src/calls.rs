//! Calls of JavaScript's that end later: each has a number, and is settled by it once. One that is aborted is dropped, which to the
//! client means what dropping a future means.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use stgclient::Error;
use stgclient_core::sorted::SortedMap;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::failure::to_js;
use crate::js;
use crate::tasks;

type Work = Pin<Box<dyn Future<Output = Result<JsValue, Error>>>>;

struct Call {
    /// Taken while it is polled.
    work: Option<Work>,
    is_aborted: bool,
    waker: Option<Waker>,
}

thread_local! {
    static CALLS: RefCell<SortedMap<u32, Rc<RefCell<Call>>>> = RefCell::default();
}

/// Does the work of a call beside everything else, and settles it.
pub(crate) fn begin(number: u32, work: impl Future<Output = Result<JsValue, Error>> + 'static) {
    run(number, Box::pin(work));
}

fn run(number: u32, work: Work) {
    let call = Rc::new(RefCell::new(Call { work: Some(work), is_aborted: false, waker: None }));
    CALLS.with_borrow_mut(|calls| calls.insert(number, Rc::clone(&call)));
    tasks::spawn(async move {
        let outcome = poll_fn(|context| {
            let mut state = call.borrow_mut();
            let Some(mut work) = state.work.take() else {
                return Poll::Ready(None);
            };
            state.waker = Some(context.waker().clone());
            drop(state);
            let polled = work.as_mut().poll(context);
            let mut state = call.borrow_mut();
            match polled {
                Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
                // By what it has called.
                Poll::Pending if state.is_aborted => Poll::Ready(None),
                Poll::Pending => {
                    state.work = Some(work);
                    Poll::Pending
                }
            }
        })
        .await;
        CALLS.with_borrow_mut(|calls| calls.remove(&number));
        match outcome {
            Some(Ok(value)) => js::resolve(number, &value),
            Some(Err(error)) => js::reject(number, &to_js(&error)),
            None => {}
        }
    });
}

/// Nobody waits for a call any more.
#[wasm_bindgen]
pub fn abort(call: u32) {
    let Some(call) = CALLS.with_borrow_mut(|calls| calls.remove(&call)) else { return };
    let mut state = call.borrow_mut();
    state.is_aborted = true;
    let (work, waker) = (state.work.take(), state.waker.take());
    drop(state);
    drop(work);
    waker.into_iter().for_each(Waker::wake);
}
