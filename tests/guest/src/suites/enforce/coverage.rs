//! Every field of every hook has a case: a condition on it that holds and one that
//! nearly does. A field that the catalogue gains without one fails here.

use std::collections::BTreeSet;

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;

/// Fields that a test of their own tries.
const OTHERWISE: &[(&str, FieldId)] = &[
    // `kernel::module_request`: the caller is not told.
    ("kernel_module_request", FieldId::Module),
    // `mounts::remounted_path`: unknown on every kernel.
    ("sb_remount", FieldId::Path),
];

/// `ancestor.exe` is tried by the suite `scopes`.
const ELSEWHERE: &[FieldId] = &[FieldId::AncestorExe];

/// The fields that a condition asks for.
fn named(condition: &str) -> BTreeSet<FieldId> {
    condition
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
        .filter_map(FieldId::from_name)
        .collect()
}

#[test]
fn every_field_of_every_hook_has_a_case() {
    let mut tried: BTreeSet<(&str, FieldId)> = OTHERWISE.iter().copied().collect();
    let mut with_cases = BTreeSet::from(["kernel_module_request"]);
    for case in super::all_cases() {
        let (hit, miss) = (named(&case.hit), named(&case.miss));
        for field in hit.intersection(&miss) {
            tried.insert((case.hook, *field));
        }
        with_cases.insert(case.hook);
    }
    let mut missing = Vec::new();
    for hook in catalogue::hooks() {
        let name = hook.id.name();
        if !with_cases.contains(name) {
            missing.push(format!("{name}: anything"));
        }
        for field in hook.fields {
            if !tried.contains(&(name, *field)) {
                missing.push(format!("{name}: {}", field.name()));
            }
        }
    }
    assert!(missing.is_empty(), "not tried:\n{}", missing.join("\n"));
}

#[test]
fn every_field_of_the_subject_has_a_case() {
    let tried: BTreeSet<&str> = super::subjects::names()
        .map(|name| name.split('-').next().unwrap())
        .collect();
    for field in FieldId::ALL.iter().filter(|field| field.is_subject()) {
        assert!(
            tried.contains(field.name()) || ELSEWHERE.contains(field),
            "{} is not tried",
            field.name()
        );
    }
}
