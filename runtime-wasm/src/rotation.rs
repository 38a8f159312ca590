//! Credentials that a function of JavaScript's gives, and when it is asked for the next ones.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::Array;
use stgclient::{ClientBuilder, Credentials};
use wasm_bindgen::{JsCast, JsValue};

use crate::client::{milliseconds, read_credentials};
use crate::host::JavaScript;
use crate::js;
use crate::promises;
use crate::timers::Sleep;

/// What JavaScript says: the keys and the token, if it has them, and after how many milliseconds it is to be asked again.
fn read(said: &JsValue) -> (Option<Credentials>, f64) {
    let said: &Array = said.unchecked_ref();
    let text = |at| said.get(at).as_string();
    let credentials = text(1).zip(text(2)).map(|(access, secret)| read_credentials(&access, &secret, text(3)));
    (credentials, said.get(0).as_f64().unwrap_or_default())
}

/// Has a client sign with what `ask` gives, which has said `first` by now.
pub(crate) fn rotate(builder: ClientBuilder, first: &JsValue, ask: JsValue) -> ClientBuilder {
    let (first, wait) = read(first);
    let (first, wait, ask) = (Rc::new(RefCell::new(first)), Rc::new(Cell::new(wait)), Rc::new(ask));
    builder.credentials_provider(move || {
        let (first, wait, ask) = (Rc::clone(&first), Rc::clone(&wait), Rc::clone(&ask));
        async move {
            if let Some(first) = first.borrow_mut().take() {
                return first;
            }
            loop {
                Sleep::until(JavaScript::now_here().mono + milliseconds(wait.get())).await;
                // It says itself what fails, and is asked once more then.
                let said = promises::settle(&js::ask_credentials(&ask)).await.unwrap_or_default();
                let (credentials, again) = read(&said);
                wait.set(again);
                if let Some(credentials) = credentials {
                    return credentials;
                }
            }
        }
    })
}
