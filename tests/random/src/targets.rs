//! What fuzzers call: each takes any bytes and panics if something does not hold.

mod engine;
mod image;
mod lex;
mod lower;
mod parse;

pub use engine::engine;
pub use image::image;
pub use lex::lex;
pub use lower::lower;
pub use parse::parse;

/// A target: takes any bytes, and panics if something does not hold.
pub type Target = fn(&[u8]);

/// All targets by name, which is also that of the corpus and of the fuzzer's binary.
pub const ALL: [(&str, Target); 5] = [
    ("lex", lex),
    ("parse", parse),
    ("lower", lower),
    ("image", image),
    ("engine", engine),
];
