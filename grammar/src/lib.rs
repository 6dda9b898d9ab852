//! The lsmp policy language as text: lexer, grammar, syntax tree, printer.
//!
//! Owns everything between bytes and a [`ast::File`]. It must know nothing of
//! hooks, fields, types or files on disk.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

pub mod ast;
pub mod span;

pub use span::{FileId, Span, Spanned};
