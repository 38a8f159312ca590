//! What futures and closures have to be: `Send` and `Sync` where there are threads.

use std::future::Future;
use std::pin::Pin;

/// `Send` where there are threads, nothing in WebAssembly, whose hosts hold JavaScript objects.
#[cfg(any(feature = "send", not(target_family = "wasm")))]
pub trait MaybeSend: Send {}
#[cfg(any(feature = "send", not(target_family = "wasm")))]
impl<T: Send + ?Sized> MaybeSend for T {}

/// `Send` where there are threads, nothing in WebAssembly, whose hosts hold JavaScript objects.
#[cfg(all(not(feature = "send"), target_family = "wasm"))]
pub trait MaybeSend {}
#[cfg(all(not(feature = "send"), target_family = "wasm"))]
impl<T: ?Sized> MaybeSend for T {}

/// `Sync` where there are threads, nothing in WebAssembly.
#[cfg(any(feature = "send", not(target_family = "wasm")))]
pub trait MaybeSync: Sync {}
#[cfg(any(feature = "send", not(target_family = "wasm")))]
impl<T: Sync + ?Sized> MaybeSync for T {}

/// `Sync` where there are threads, nothing in WebAssembly.
#[cfg(all(not(feature = "send"), target_family = "wasm"))]
pub trait MaybeSync {}
#[cfg(all(not(feature = "send"), target_family = "wasm"))]
impl<T: ?Sized> MaybeSync for T {}

/// A boxed future that a host can run.
#[cfg(any(feature = "send", not(target_family = "wasm")))]
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// A boxed future that a host can run.
#[cfg(all(not(feature = "send"), target_family = "wasm"))]
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// A boxed function that may be called from anywhere.
#[cfg(any(feature = "send", not(target_family = "wasm")))]
pub type BoxFn<A, R> = Box<dyn Fn(A) -> R + Send + Sync>;
/// A boxed function that may be called from anywhere.
#[cfg(all(not(feature = "send"), target_family = "wasm"))]
pub type BoxFn<A, R> = Box<dyn Fn(A) -> R>;

/// A boxed function that is called once.
#[cfg(any(feature = "send", not(target_family = "wasm")))]
pub type BoxFnOnce<A, R> = Box<dyn FnOnce(A) -> R + Send>;
/// A boxed function that is called once.
#[cfg(all(not(feature = "send"), target_family = "wasm"))]
pub type BoxFnOnce<A, R> = Box<dyn FnOnce(A) -> R>;
