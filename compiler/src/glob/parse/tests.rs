use super::super::{ByteSet, Glob, Piece};
use super::{Dialect, GlobErrorKind, parse, parse_alternatives};

fn lit(text: &str) -> Piece {
    Piece::Literal(text.as_bytes().to_vec())
}

fn class(bytes: &str) -> Piece {
    let mut set = ByteSet::default();
    for byte in bytes.bytes() {
        set.insert(byte);
    }
    Piece::Class(set)
}

fn any() -> Piece {
    let mut set = ByteSet([u64::MAX; 4]);
    set.0[0] &= !(1 << 47);
    Piece::Class(set)
}

fn path(pattern: &str) -> Vec<Vec<Piece>> {
    parse(pattern.as_bytes(), Dialect::Path)
        .unwrap()
        .into_iter()
        .map(|glob| glob.pieces.to_vec())
        .collect()
}

fn error(pattern: &str) -> (GlobErrorKind, core::ops::Range<usize>) {
    let error = parse(pattern.as_bytes(), Dialect::Path).unwrap_err();
    (error.kind, error.at)
}

#[test]
fn pieces() {
    assert_eq!(path("/etc/shadow"), [[lit("/etc/shadow")]]);
    assert_eq!(path("/tmp/*"), [vec![lit("/tmp/"), Piece::Star]]);
    assert_eq!(path("/tmp/**"), [vec![lit("/tmp/"), Piece::DeepStar]]);
    assert_eq!(path("/a***b"), [vec![lit("/a"), Piece::DeepStar, lit("b")]]);
    assert_eq!(path("/a?b"), [vec![lit("/a"), any(), lit("b")]]);
    assert_eq!(path("/[ab]"), [vec![lit("/"), class("ab")]]);
    assert_eq!(path("/[a]x"), [vec![lit("/ax")]]);
    assert_eq!(path("/[/a]x"), [vec![lit("/ax")]]);
    assert_eq!(path("/[a-c]"), [vec![lit("/"), class("abc")]]);
    assert_eq!(path("/[-a]"), [vec![lit("/"), class("-a")]]);
    assert_eq!(path("/[a-]"), [vec![lit("/"), class("-a")]]);
    assert_eq!(path("/[^a]"), [vec![lit("/"), class("^a")]]);
    assert_eq!(path(r"/[\]a]"), [vec![lit("/"), class("]a")]]);
    assert_eq!(path("/[{,}]"), [vec![lit("/"), class("{,}")]]);
    assert_eq!(path(r"/\*\{"), [vec![lit("/*{")]]);
    assert_eq!(path("/a]b}c,d"), [vec![lit("/a]b}c,d")]]);
    assert_eq!(path("/"), [vec![lit("/")]]);
    assert_eq!(path("**"), [vec![Piece::DeepStar]]);
    assert_eq!(path("memfd:a//b/"), [vec![lit("memfd:a//b/")]]);
}

#[test]
fn braces() {
    assert_eq!(path("/{a,b}c"), [vec![lit("/ac")], vec![lit("/bc")]]);
    assert_eq!(
        path("/{,**/}x"),
        [vec![lit("/x")], vec![lit("/"), Piece::DeepStar, lit("/x")]]
    );
    assert_eq!(
        path("{/a,/b{c,d}}"),
        [vec![lit("/a")], vec![lit("/bc")], vec![lit("/bd")]]
    );
    assert_eq!(path("/{a,a}"), [vec![lit("/a")]]);
    assert_eq!(path("/x{}"), [vec![lit("/x")]]);
    // What braces bring together does not become `**`.
    assert_eq!(path("/{*}*"), [vec![lit("/"), Piece::Star]]);
    let many = "{a,b}".repeat(13);
    assert_eq!(error(&format!("/{many}")).0, GlobErrorKind::TooCostly);
    assert_eq!(error(&"{".repeat(100)).0, GlobErrorKind::TooCostly);
}

#[test]
fn errors() {
    assert_eq!(error("/[ab"), (GlobErrorKind::UnclosedClass, 1..2));
    assert_eq!(error("/{ab"), (GlobErrorKind::UnclosedBrace, 1..2));
    assert_eq!(error("/[]"), (GlobErrorKind::EmptyClass, 1..3));
    assert_eq!(error("/[!]"), (GlobErrorKind::EmptyClass, 1..4));
    assert_eq!(error("/[xz-a]"), (GlobErrorKind::ReversedRange, 3..6));
    assert_eq!(error("/[/]"), (GlobErrorKind::OnlySlash, 1..4));
    assert_eq!(error("/a\\"), (GlobErrorKind::FinalBackslash, 2..3));
    assert_eq!(error("/[a\\"), (GlobErrorKind::UnclosedClass, 1..2));
    assert_eq!(error("/a\0"), (GlobErrorKind::Nul, 2..3));
    assert_eq!(error("tmp"), (GlobErrorKind::BadStart, 0..3));
    assert_eq!(error("*"), (GlobErrorKind::BadStart, 0..1));
    assert_eq!(error(""), (GlobErrorKind::BadStart, 0..0));
    assert_eq!(error("{/a,b}"), (GlobErrorKind::BadStart, 0..6));
    assert_eq!(error("@x"), (GlobErrorKind::BadStart, 0..2));
    assert_eq!(error("/a//b"), (GlobErrorKind::DoubleSlash, 2..4));
    assert_eq!(error("/a/./b"), (GlobErrorKind::Dot, 2..5));
    assert_eq!(error("/a/../b"), (GlobErrorKind::DotDot, 2..6));
    assert_eq!(error("/a/."), (GlobErrorKind::Dot, 2..4));
    assert_eq!(error("/a/.."), (GlobErrorKind::DotDot, 2..5));
    assert_eq!(error("/tmp/"), (GlobErrorKind::TrailingSlash, 4..5));
    assert_eq!(error("**/"), (GlobErrorKind::TrailingSlash, 2..3));
    let long = format!("/{}", "a".repeat(4095));
    assert_eq!(error(&long).0, GlobErrorKind::TooLong);
}

#[test]
fn names() {
    let parse = |pattern: &str| parse(pattern.as_bytes(), Dialect::Name).unwrap();
    assert_eq!(
        parse("a*"),
        [Glob {
            pieces: [lit("a"), Piece::DeepStar].into()
        }]
    );
    assert_eq!(parse(""), [Glob { pieces: [].into() }]);
    assert_eq!(
        parse("a//"),
        [Glob {
            pieces: [lit("a//")].into()
        }]
    );
}

#[test]
fn classes_are_remembered() {
    let all = parse_alternatives(b"pipe:[1]", Dialect::Path).unwrap();
    assert_eq!(all[0].class, Some(5..8));
    let all = parse_alternatives(br"pipe:\[1]", Dialect::Path).unwrap();
    assert_eq!(all[0].class, None);
    assert_eq!(all[0].glob.pieces[..], [lit("pipe:[1]")]);
}

#[test]
fn sockets() {
    let parse = |pattern: &str| parse(pattern.as_bytes(), Dialect::UnixPath);
    assert!(parse("@/tmp//x/").is_ok());
    assert!(parse("/run/x").is_ok());
    assert!(parse("x").is_err());
}
