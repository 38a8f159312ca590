//! What a message can be made of: whatever holds a text or bytes, borrowed or owned. What is owned is not copied.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

/// A topic's name, as an application has it.
pub trait TopicName {
    /// The name. That of an `Arc<str>` is shared, not copied.
    fn into_name(self) -> Arc<str>;
}

/// A body, as an application has it.
pub trait Body {
    /// Its bytes. What is borrowed is copied: a large literal is sent without a copy as [`Bytes::from_static`].
    fn into_bytes(self) -> Bytes;
}

/// Implements a trait by an expression of what is there, for each of several types.
macro_rules! for_each {
    ($trait:ident, $method:ident -> $result:ty, $what:ident => $($type:ty: $made:expr;)*) => {
        $(impl $trait for $type {
            fn $method(self) -> $result {
                let $what = self;
                $made
            }
        })*
    };
}

for_each! { TopicName, into_name -> Arc<str>, name =>
    &str: name.into();
    &&str: (*name).into();
    String: name.into();
    &String: name.as_str().into();
    Arc<str>: name;
    &Arc<str>: Arc::clone(name);
    Box<str>: name.into();
    Cow<'_, str>: name.into();
}

for_each! { Body, into_bytes -> Bytes, body =>
    &str: Bytes::copy_from_slice(body.as_bytes());
    String: body.into();
    &String: Bytes::copy_from_slice(body.as_bytes());
    Cow<'_, str>: body.into_owned().into();
    &[u8]: Bytes::copy_from_slice(body);
    Vec<u8>: body.into();
    &Vec<u8>: Bytes::copy_from_slice(body);
    Box<[u8]>: body.into();
    Cow<'_, [u8]>: body.into_owned().into();
    Bytes: body;
    &Bytes: body.clone();
    BytesMut: body.freeze();
}

impl<const N: usize> Body for [u8; N] {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(&self)
    }
}

impl<const N: usize> Body for &[u8; N] {
    fn into_bytes(self) -> Bytes {
        Bytes::copy_from_slice(self)
    }
}
