//! Promises of the application's that are waited for, by numbers that JavaScript settles them by.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use stgclient_core::sorted::SortedMap;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::js;

#[derive(Default)]
struct Awaited {
    outcome: Option<Result<JsValue, JsValue>>,
    waker: Option<Waker>,
}

thread_local! {
    static AWAITED: RefCell<(u32, SortedMap<u32, Awaited>)> = RefCell::default();
}

/// A promise. Dropped, nobody waits for it any more.
pub(crate) struct Promised(u32);

impl Promised {
    pub(crate) fn new() -> Self {
        AWAITED.with_borrow_mut(|(last, all)| {
            // One may be waited for as long as it takes all numbers to be used.
            loop {
                *last = last.wrapping_add(1);
                if !all.contains_key(last) {
                    break;
                }
            }
            all.insert(*last, Awaited::default());
            Self(*last)
        })
    }

    pub(crate) const fn number(&self) -> u32 {
        self.0
    }
}

impl Future for Promised {
    type Output = Result<JsValue, JsValue>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        AWAITED.with_borrow_mut(|(_, all)| {
            let Some(awaited) = all.get_mut(&self.0) else { return Poll::Pending };
            match awaited.outcome.take() {
                Some(outcome) => Poll::Ready(outcome),
                None => {
                    awaited.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Promised {
    fn drop(&mut self) {
        let over = AWAITED.with_borrow_mut(|(_, all)| all.remove(&self.0));
        drop(over);
    }
}

/// What comes of a promise: what it gives, or what it is rejected with.
pub(crate) async fn settle(promise: &JsValue) -> Result<JsValue, JsValue> {
    let promised = Promised::new();
    js::settle(promise, promised.number());
    promised.await
}

/// A promise has given this, or is rejected with it.
#[wasm_bindgen]
pub fn settled(promise: u32, has_given: bool, value: JsValue) {
    let waker = AWAITED.with_borrow_mut(|(_, all)| {
        let awaited = all.get_mut(&promise)?;
        awaited.outcome = Some(if has_given { Ok(value) } else { Err(value) });
        awaited.waker.take()
    });
    waker.into_iter().for_each(Waker::wake);
}
