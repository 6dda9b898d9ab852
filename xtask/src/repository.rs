//! Where things are in the repository and under `target/`.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The directory for everything that can be made again.
pub(crate) fn target() -> PathBuf {
    root().join("target")
}

/// Tools built from source, as `cargo install --root` lays them out.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// A tool built from source.
pub(crate) fn tool(name: &str) -> PathBuf {
    tools().join("bin").join(name)
}

/// The shipped objects.
pub(crate) fn prebuilt() -> PathBuf {
    root().join("stdlib-ebpf/prebuilt")
}

/// The hook programs' own workspace.
pub(crate) fn programs() -> PathBuf {
    root().join("stdlib-ebpf/programs")
}

/// Downloads and caches for guests.
pub(crate) fn vm_cache() -> PathBuf {
    target().join("vm")
}

/// `path` as seen from the root, for messages.
pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}
