//! Taking large values apart beside what goes on.
//!
//! Owns where memory is given back that nobody waits for. It must not know what it
//! held.

use std::thread;

/// Drops a value on a thread of its own. Worth it for values of very many parts.
pub(crate) fn discard<T: Send + 'static>(value: T) {
    // Where there is no thread to be had, it goes here and now.
    drop(thread::Builder::new().spawn(move || drop(value)));
}
