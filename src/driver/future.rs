//! Futures behind object-safe methods.

use alloc::boxed::Box;
use core::pin::Pin;

/// What an object-safe method returns in place of an `async fn`.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
