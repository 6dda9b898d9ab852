//! The lsmp policy language as text: lexer, grammar, syntax tree, printer and
//! formatter.
//!
//! Owns everything between bytes and a [`ast::File`]. It must know nothing of
//! hooks, fields, types or files on disk.
//!
//! [`parse`] never fails and never panics: it gives a tree of what it could
//! read, and every error beside it. A tree is what was written only if there
//! are no errors.
#![forbid(unsafe_code)]
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
mod build;
mod error;
mod explain;
mod format;
mod layout;
mod lexer;
mod literal;
mod original;
mod outline;
mod parse;
mod parts;
mod print;
pub mod span;
mod spelling;
mod strip;
mod token;

/// The generated parser.
#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::nursery,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    unused
)]
mod policy {
    include!(concat!(env!("OUT_DIR"), "/policy.rs"));
}

pub use error::{MAX_ERRORS, SyntaxCode, SyntaxError};
pub use format::format;
pub use lexer::{Comment, CommentPlace};
pub use literal::{print_literal, print_string};
pub use outline::MAX_NESTING;
pub use parse::{MAX_FILE_BYTES, Parsed, parse, token_spans};
pub use print::{print, print_expr};
pub use span::{FileId, Span, Spanned};
pub use strip::strip_spans;
pub use token::KEYWORDS;
