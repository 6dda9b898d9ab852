//! A policy's text, and after a zero byte the choices that make events: the tables
//! answer as the policy does.

use lsmpc_compiler::ir::Test;
use lsmpc_compiler::lower::{Limits, LowerOptions, lower as make_tables};
use lsmpc_compiler::reference::evaluate;
use lsmpc_compiler::source::MemoryReader;
use lsmpc_compiler::tables::Tables;
use lsmpc_compiler::{Options, analyse};
use lsmpc_engine::image::Image;

use crate::Choices;
use crate::collisions::Components;
use crate::near::Asked;

/// Longer policies are not worth their time.
const MOST: usize = 16 << 10;
const EVENTS: usize = 24;
/// Alternatives in all globs together: the reference tries each of them at each byte.
const MOST_GLOBS: usize = 256;

/// Policies whose conditions combine in very many ways reach the compiler's own limits
/// only after seconds, under a sanitizer after a minute.
fn limits() -> Limits {
    let usual = Limits::default();
    Limits {
        entries: usual.entries / 32,
        work: usual.work / 32,
        ..usual
    }
}

/// A policy that compiles gives a valid image, which answers events as the reference
/// does; one that does not has an error.
pub fn lower(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0);
    let (text, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    if text.len() > MOST {
        return;
    }
    let reader = MemoryReader::default().file("/p.lsmp", text);
    let analysis = analyse(&["/p.lsmp".into()], &reader, &Options::default());
    let refused = analysis.has_errors();
    let (Some(hir), Some(ir)) = (analysis.hir, analysis.ir) else {
        assert!(refused, "nothing came of it, and no error");
        return;
    };
    if refused {
        return;
    }
    let options = LowerOptions {
        limits: limits(),
        ..LowerOptions::default()
    };
    let Ok(lowered) = make_tables(&ir, &options) else {
        // Over a limit.
        return;
    };
    let image = Image::from_bytes(lowered.bytes).unwrap_or_else(|error| panic!("{error}"));
    let components = Components::of(&image);
    let tables = Tables::new(image).unwrap_or_else(|error| panic!("{error}"));
    let globs = ir.predicates.iter().map(|predicate| match &predicate.test {
        Test::Globs(globs) => globs.len(),
        _ => 0,
    });
    let asked = Asked::by(&ir);
    if !asked.has_hooks() || globs.sum::<usize>() > MOST_GLOBS {
        return;
    }
    let mut choices = Choices::of(rest.get(1..).unwrap_or_default());
    for _ in 0..EVENTS {
        let mut event = asked.event(&mut choices);
        if choices.once_in(4) {
            components.put_twins(&mut event, &mut choices);
        }
        let wanted = evaluate(&hir, &event).map_err(|error| error.to_string());
        let given = tables.evaluate(&event).map_err(|error| error.to_string());
        assert_eq!(given, wanted, "on {}", event.to_json_line());
    }
}
