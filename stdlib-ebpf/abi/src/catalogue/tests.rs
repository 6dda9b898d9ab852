extern crate std;

use std::collections::HashSet;

use super::{FieldType, errno, errno_name, field, fields, hook, hooks, is_enumerator};
use crate::field::FieldId;
use crate::hook::HookId;

#[test]
fn tables_are_indexed_by_number() {
    assert_eq!(fields().len(), FieldId::ALL.len());
    for &id in FieldId::ALL {
        assert_eq!(field(id).id, id);
    }
    assert_eq!(hooks().len(), HookId::ALL.len());
    for &id in HookId::ALL {
        assert_eq!(hook(id).id, id);
    }
}

#[test]
fn enumerators_belong_to_types_that_take_them() {
    for info in fields() {
        let takes = match info.ty {
            FieldType::Enum { .. } | FieldType::Flags | FieldType::Mode => true,
            FieldType::Int { .. } => info.id == FieldId::Auid,
            _ => false,
        };
        assert_eq!(!info.enumerators.is_empty(), takes, "{}", info.id.name());
        let mut names = HashSet::new();
        for known in info.enumerators {
            assert!(names.insert(known.name), "{} twice", known.name);
            if let FieldType::Enum { max: Some(max) } = info.ty {
                assert!(known.value <= max);
            }
            if info.ty == FieldType::Flags {
                assert_ne!(known.value, 0);
            }
        }
    }
}

#[test]
fn enumerators_are_no_fields_and_no_hooks() {
    for info in fields() {
        for known in info.enumerators {
            assert_eq!(FieldId::from_name(known.name), None);
            assert_eq!(HookId::from_name(known.name), None);
        }
    }
}

#[test]
fn every_object_field_is_on_some_hook_and_only_once() {
    for info in fields() {
        let on = hooks().iter().any(|hook| hook.fields.contains(&info.id));
        assert_eq!(on, !info.id.is_subject(), "{}", info.id.name());
    }
    for hook in hooks() {
        let set: HashSet<_> = hook.fields.iter().collect();
        assert_eq!(set.len(), hook.fields.len());
    }
}

#[test]
fn lookups() {
    assert!(field(FieldId::FileMode).enumerator("S_ISUID").is_some());
    assert_eq!(field(FieldId::Signal).name_of(6), Some("SIGABRT"));
    assert_eq!(field(FieldId::Caps).name_of(1 << 21), Some("CAP_SYS_ADMIN"));
    assert!(is_enumerator("AF_DECnet"));
    assert!(!is_enumerator("AF_NONSENSE"));
    assert_eq!(errno("EACCES"), Some(13));
    assert_eq!(errno("EPERMM"), None);
    assert_eq!(errno_name(1), Some("EPERM"));
    assert_eq!(errno_name(11), Some("EAGAIN"));
}
