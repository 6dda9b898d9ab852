//! `apply`, ended at each of its steps.

use std::time::Duration;

use lsmpc_abi::hook::HookId;
use lsmpc_runtime::{ApplyOptions, State, Step};

use super::by_hand::image;
use super::{apply, child, denied, runtime, state};

/// Ends a child's apply at a step, as kill -9 would.
fn end_at(step: Step, hooks: &[HookId], options: &ApplyOptions) -> bool {
    let same = |a: Step, b: Step| std::mem::discriminant(&a) == std::mem::discriminant(&b);
    child(|| {
        let _ = runtime().apply(&image(hooks, 3), options, |now| {
            if same(now, step) {
                // SAFETY: takes no pointers; ends this process at once.
                unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            }
        });
        0
    }) == 200 + libc::SIGKILL
}

const STEPS: &[Step] = &[
    Step::Locked,
    Step::MapsReady,
    Step::ProgramsAttached,
    Step::ImageStored,
    Step::Published,
];

pub(super) fn interrupted_at_every_step() {
    let both = [HookId::FileOpen, HookId::PathUnlink];
    for step in STEPS {
        apply(&[HookId::FileOpen]);
        assert!(end_at(*step, &both, &ApplyOptions::default()), "{step:?}");
        let new = *step == Step::Published;
        assert_eq!(denied(), (true, new), "{step:?}");
        apply(&both);
        assert_eq!((state(), denied()), (State::Whole, (true, true)));

        // One hook less: what is in the way is only left over.
        assert!(
            end_at(*step, &[HookId::PathUnlink], &ApplyOptions::default())
                || *step == Step::MapsReady
        );
        let new = matches!(step, Step::Published | Step::MapsReady);
        assert_eq!(denied(), (!new, true), "{step:?}");
    }
    for step in STEPS {
        let mut options = ApplyOptions::default();
        options.replace = true;
        apply(&[HookId::FileOpen]);
        assert!(end_at(*step, &both, &options), "{step:?}");
        assert!(denied().0, "{step:?}");
        let beside = *step != Step::Locked;
        let interrupted = matches!(state(), State::Interrupted { in_force: true, .. });
        assert_eq!(interrupted, beside, "{:?}", state());
        let applied = apply(&[HookId::FileOpen]);
        if *step != Step::Locked {
            assert!(
                applied
                    .recovered
                    .iter()
                    .any(|text| text.contains("replace")),
                "{step:?}"
            );
        }
        assert_eq!((state(), denied()), (State::Whole, (true, false)));
    }
    for step in STEPS {
        runtime().remove(Duration::from_secs(10)).unwrap();
        assert!(end_at(*step, &both, &ApplyOptions::default()), "{step:?}");
        let new = *step == Step::Published;
        assert_eq!(denied(), (new, new), "{step:?}");
        if *step == Step::ImageStored {
            // This time it is not completed but taken away.
            runtime().remove(Duration::from_secs(10)).unwrap();
            assert_eq!(state(), State::Absent);
            continue;
        }
        apply(&[HookId::FileOpen]);
        assert_eq!((state(), denied()), (State::Whole, (true, false)));
    }
}
