//! The engine in the kernel, where `LSMPC_KERNEL` is set: as root, on a machine that
//! loads programs.

use std::cell::RefCell;

use lsmpc_engine::Fault;
use lsmpc_engine::host::Event;
use lsmpc_runtime::KernelEngine;

/// Bytes of the largest image that it can take.
const ROOM: usize = 64 << 20;

thread_local! {
    static ENGINE: RefCell<Option<KernelEngine>> = RefCell::new(wanted().then(|| {
        KernelEngine::load(ROOM).unwrap_or_else(|error| panic!("LSMPC_KERNEL: {error}"))
    }));
}

fn wanted() -> bool {
    std::env::var_os("LSMPC_KERNEL").is_some_and(|value| value != "0")
}

/// Takes an image.
pub(crate) fn set_image(bytes: &[u8]) {
    ENGINE.with_borrow_mut(|engine| {
        if let Some(engine) = engine {
            engine.set_image(bytes).unwrap();
        }
    });
}

/// What it says of an event; `None` if it is not asked.
pub(crate) fn evaluate(hook: u16, event: &Event) -> Option<Result<u32, Fault>> {
    ENGINE.with_borrow_mut(|engine| {
        let engine = engine.as_mut()?;
        Some(engine.evaluate(hook, event).unwrap())
    })
}
