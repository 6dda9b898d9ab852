//! `flow`: the runtime's library through its life: apply, swap, replace, events,
//! interruption at each of its steps, repair, remove. Images are made by hand, so
//! that nothing of the compiler takes part.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "every step is a test: what does not hold ends it"
)]

mod by_hand;
mod interrupted;

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use aya::maps::{Array, Map, MapData};
use lsmpc_abi::hook::HookId;
use lsmpc_abi::image::{H_ABI, PAGE_SIZE};
use lsmpc_runtime::events::EventItem;
use lsmpc_runtime::{ApplyOptions, Code, Runtime, State, Step, TRACKERS};

use self::by_hand::{REPORT, image};
use self::interrupted::interrupted_at_every_step;
use super::Suite;
use crate::console::Report;

pub(crate) const SUITE: Suite = Suite { name: "flow", run };

const UID: u32 = 1234;
const DIR: &str = "/sys/fs/bpf/lsmpc";

fn run(report: &mut Report, _arguments: &[String]) -> anyhow::Result<()> {
    for (name, test) in TESTS {
        report.test(&format!("flow::{name}"), || {
            test();
            Ok(())
        });
    }
    Ok(())
}

const TESTS: &[(&str, fn())] = &[
    ("preflight", preflight),
    ("first_apply", first_apply),
    ("swap_keeps_links", swap_keeps_links),
    ("hooks_come_and_go", hooks_come_and_go),
    ("large_image", large_image),
    ("events", events),
    ("locks", locks),
    ("failures_change_nothing", failures_change_nothing),
    ("replace", replace),
    ("repairs", repairs),
    ("another_version", another_version),
    ("half_removed", half_removed),
    ("interrupted_at_every_step", interrupted_at_every_step),
    ("remove", remove),
];

fn runtime() -> Runtime {
    let runtime = Runtime::new(DIR);
    match std::env::var_os("LSMPC_OBJECT") {
        Some(path) => runtime.with_object(std::path::PathBuf::from(path)),
        None => runtime,
    }
}

fn apply(hooks: &[HookId]) -> lsmpc_runtime::Applied {
    apply_with(hooks, &ApplyOptions::default())
}

fn apply_with(hooks: &[HookId], options: &ApplyOptions) -> lsmpc_runtime::Applied {
    runtime()
        .apply(&image(hooks, 3), options, |_| {})
        .unwrap_or_else(|error| panic!("{} {error}\nhelp: {}", error.code(), error.help()))
}

/// Runs something in a child; its exit code, 200 + n for a signal n.
fn child(body: impl FnOnce() -> i32) -> i32 {
    // SAFETY: this process has one thread; the child runs `body` and ends.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let code = body();
        // SAFETY: ends the child without running what belongs to the parent.
        unsafe { libc::_exit(code) };
    }
    let mut status = 0;
    // SAFETY: `status` is a live integer.
    let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
    assert_eq!(waited, pid);
    if libc::WIFSIGNALED(status) {
        200 + libc::WTERMSIG(status)
    } else {
        libc::WEXITSTATUS(status)
    }
}

/// What the uid gets: errno, or 0.
fn as_uid(body: impl FnOnce() -> io::Result<()>) -> i32 {
    child(|| {
        // SAFETY: takes no pointers.
        if unsafe { libc::setresuid(UID, UID, UID) } != 0 {
            return 199;
        }
        match body() {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(198),
        }
    })
}

/// Whether opening and unlinking are denied to the uid.
fn denied() -> (bool, bool) {
    fs::create_dir_all("/tmp/open").unwrap();
    set_mode("/tmp/open", 0o777);
    fs::write("/tmp/open/file", "x").unwrap();
    set_mode("/tmp/open/file", 0o666);
    let open = as_uid(|| fs::File::open("/tmp/open/file").map(drop));
    let unlink = as_uid(|| fs::remove_file("/tmp/open/file"));
    let verdict = |errno| match errno {
        0 => false,
        libc::EACCES => true,
        other => panic!("errno {other}"),
    };
    (verdict(open), verdict(unlink))
}

fn set_mode(path: &str, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn state() -> State {
    runtime().status().unwrap().state
}

fn link_ids() -> Vec<(String, u32)> {
    let status = runtime().status().unwrap();
    let mut ids: Vec<_> = status
        .hooks
        .into_iter()
        .map(|hook| (hook.hook, hook.link_id))
        .collect();
    ids.sort();
    ids
}

fn map_ids() -> Vec<(String, u32)> {
    let status = runtime().status().unwrap();
    status
        .maps
        .into_iter()
        .map(|map| (map.name, map.id))
        .collect()
}

fn preflight() {
    let report = runtime().preflight();
    assert!(report.passed(), "{:?}", report.checks);
    assert_eq!(state(), State::Absent);
    assert!(!runtime().remove(Duration::from_secs(1)).unwrap().was_there);
    assert_eq!(
        runtime().read_image().unwrap_err().code(),
        Code::NothingApplied
    );
    assert_eq!(runtime().events().unwrap_err().code(), Code::NothingApplied);
    assert_eq!(denied(), (false, false));
}

fn first_apply() {
    let mut steps = Vec::new();
    let applied = runtime()
        .apply(
            &image(&[HookId::FileOpen], 3),
            &ApplyOptions::default(),
            |step| {
                steps.push(step);
            },
        )
        .unwrap_or_else(|error| panic!("{} {error}\nhelp: {}", error.code(), error.help()));
    assert_eq!(applied.epoch, 1);
    assert_eq!(applied.attached.len(), TRACKERS.len() + 1);
    assert!(
        applied.frozen && !applied.older_programs && applied.recovered.is_empty(),
        "{applied:?}"
    );
    assert_eq!(state(), State::Whole);
    assert_eq!(denied(), (true, false));
    let status = runtime().status().unwrap();
    let policy = status.policy.unwrap();
    assert_eq!((policy.epoch, policy.digest), (1, applied.digest));
    assert!(policy.applied_at.is_some() && policy.applied_by == Some(0));
    let open = status
        .hooks
        .iter()
        .find(|hook| hook.hook == "file_open")
        .unwrap();
    assert_eq!(open.target.as_deref(), Some("bpf_lsm_file_open"));
    assert!(status.others.is_empty(), "{:?}", status.others);
    let mut expected = image(&[HookId::FileOpen], 3);
    expected[16] = 1;
    assert_eq!(runtime().read_image().unwrap(), expected);
}

fn swap_keeps_links() {
    let (links, maps) = (link_ids(), map_ids());
    let applied = apply(&[HookId::FileOpen]);
    assert_eq!((applied.epoch, applied.previous_epoch), (2, Some(1)));
    assert!(applied.attached.is_empty() && applied.detached.is_empty());
    assert_eq!((link_ids(), map_ids()), (links, maps));
    assert_eq!(denied(), (true, false));
}

fn hooks_come_and_go() {
    let (links, maps) = (link_ids(), map_ids());
    let applied = apply(&[HookId::FileOpen, HookId::PathUnlink]);
    assert_eq!(applied.attached, ["path_unlink"]);
    assert_eq!(map_ids(), maps);
    let now = link_ids();
    assert!(links.iter().all(|link| now.contains(link)));
    assert_eq!(denied(), (true, true));
    let applied = apply(&[HookId::PathUnlink]);
    assert_eq!(applied.detached, ["file_open"]);
    assert!(applied.detach_pending.is_empty());
    assert_eq!(denied(), (false, true));
    assert_eq!(state(), State::Whole);
    let applied = apply(&[HookId::FileOpen]);
    assert_eq!(
        (applied.attached, applied.detached),
        (vec!["file_open".into()], vec!["path_unlink".into()])
    );
}

fn large_image() {
    let large = image(&[HookId::FileOpen], 1000);
    runtime()
        .apply(&large, &ApplyOptions::default(), |_| {})
        .unwrap();
    let back = runtime().read_image().unwrap();
    assert_eq!(back.len(), large.len());
    assert_eq!(back[20..], large[20..]);
    assert_eq!(denied(), (true, false));
    apply(&[HookId::FileOpen]);
}

fn events() {
    let mut reader = runtime().events().unwrap();
    while reader.next(Some(Duration::ZERO)).unwrap().is_some() {}
    assert_eq!(denied(), (true, false));
    let record = loop {
        match reader.next(Some(Duration::from_secs(5))).unwrap() {
            Some(EventItem::Event(record)) => break record,
            Some(EventItem::Lost(lost)) => println!("flow:   {lost:?}"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (record.hook, record.uid, record.outcome),
        (HookId::FileOpen, UID, 1)
    );
    assert_eq!(record.errno(), Some(libc::EACCES));
    let age = std::time::SystemTime::now()
        .duration_since(record.time)
        .unwrap_or_default();
    assert!(age < Duration::from_secs(10), "{age:?}");
    assert_eq!(reader.report(record.epoch).unwrap().as_slice(), REPORT);
    let begin = Instant::now();
    while reader
        .next(Some(Duration::from_millis(100)))
        .unwrap()
        .is_some()
    {}
    assert!(begin.elapsed() < Duration::from_secs(3));
    // It goes over to a new buffer.
    let mut options = ApplyOptions::default();
    options.replace = true;
    let applied = apply_with(&[HookId::FileOpen], &options);
    assert!(applied.epoch > record.epoch);
    std::thread::sleep(Duration::from_millis(1100));
    while reader.next(Some(Duration::ZERO)).unwrap().is_some() {}
    assert!(
        reader
            .next(Some(Duration::from_millis(10)))
            .unwrap()
            .is_none()
    );
    assert_eq!(denied(), (true, false));
    let Some(EventItem::Event(second)) = reader.next(Some(Duration::from_secs(5))).unwrap() else {
        panic!("no event from the new buffer");
    };
    assert_eq!(second.epoch, applied.epoch);
    assert!(reader.report(second.epoch).is_some());
    let busy = child(|| {
        let error = runtime().events().unwrap_err();
        i32::from(error.code() == Code::ReaderBusy && error.to_string().contains("process "))
    });
    assert_eq!(busy, 1);
    assert_eq!(
        runtime().status().unwrap().reader.unwrap().pid,
        Some(std::process::id())
    );
}

fn locks() {
    let mut tried = 0;
    let options = ApplyOptions::default();
    runtime()
        .apply(&image(&[HookId::FileOpen], 3), &options, |step| {
            if step != Step::ImageStored {
                return;
            }
            tried = child(|| {
                let apply = runtime().apply(&image(&[], 3), &ApplyOptions::default(), |_| {});
                let remove = runtime().remove(Duration::from_secs(1));
                let (apply, remove) = (apply.unwrap_err(), remove.unwrap_err());
                let busy = Code::ApplyBusy;
                i32::from(
                    apply.code() == busy
                        && remove.code() == busy
                        && apply.to_string().contains("process "),
                )
            });
            assert!(runtime().status().unwrap().changer.is_some());
        })
        .unwrap();
    assert_eq!(tried, 1);
    assert_eq!(state(), State::Whole);
}

fn failures_change_nothing() {
    let before = (link_ids(), map_ids(), runtime().read_image().unwrap());
    let options = ApplyOptions::default();
    let refused = |bytes: &[u8]| runtime().apply(bytes, &options, |_| {}).unwrap_err().code();
    let mut bad = image(&[HookId::FileOpen], 3);
    bad[PAGE_SIZE] ^= 1;
    assert_eq!(refused(&bad), Code::ImageInvalid);
    bad[H_ABI] ^= 0x40;
    assert_eq!(refused(&bad), Code::ImageAbi);
    assert_eq!(
        before,
        (link_ids(), map_ids(), runtime().read_image().unwrap())
    );
    // (6.2) is the first kernel with this hook.
    let btf = fs::read("/sys/kernel/btf/vmlinux").unwrap();
    let name = b"\0bpf_lsm_file_truncate\0";
    if !btf.windows(name.len()).any(|window| window == name) {
        let both = [HookId::FileOpen, HookId::FileTruncate];
        assert_eq!(refused(&image(&both, 3)), Code::HookMissing);
        let mut effort = ApplyOptions::default();
        effort.best_effort = true;
        let applied = apply_with(&both, &effort);
        assert_eq!(applied.not_enforced.len(), 1);
        assert_eq!(state(), State::Whole);
        let policy = runtime().status().unwrap().policy.unwrap();
        assert_eq!(policy.left_out, [HookId::FileTruncate]);
        assert_eq!(denied(), (true, false));
    }
    assert_eq!(denied(), (true, false));
    apply(&[HookId::FileOpen]);
}

fn replace() {
    let (links, maps) = (link_ids(), map_ids());
    let mut options = ApplyOptions::default();
    options.replace = true;
    options.event_bytes = 64 * 1024;
    let applied = apply_with(&[HookId::FileOpen, HookId::PathUnlink], &options);
    assert_eq!(applied.attached.len(), TRACKERS.len() + 2);
    assert_eq!(state(), State::Whole);
    assert_eq!(denied(), (true, true));
    let (now, now_maps) = (link_ids(), map_ids());
    assert!(links.iter().all(|link| !now.contains(link)));
    assert!(maps.iter().all(|map| !now_maps.contains(map)));
    let status = runtime().status().unwrap();
    let events = status.maps.iter().find(|map| map.name == "EVENTS").unwrap();
    assert_eq!(events.max_entries, 64 * 1024);
    assert!(status.others.is_empty(), "{:?}", status.others);
    assert!(!Path::new("/sys/fs/bpf/lsmpc-next").exists());
    apply(&[HookId::FileOpen]);
}

fn repairs() {
    // A link that somebody removed.
    fs::remove_file(format!("{DIR}/links/file_open")).unwrap();
    assert!(matches!(state(), State::Broken { .. }));
    let applied = apply(&[HookId::FileOpen]);
    assert_eq!(applied.attached, ["file_open"]);
    assert_eq!((state(), denied()), (State::Whole, (true, false)));
    // A map that somebody removed: its programs still use the old one.
    fs::remove_file(format!("{DIR}/maps/EVENTS")).unwrap();
    let options = ApplyOptions::default();
    let error = runtime()
        .apply(&image(&[HookId::FileOpen], 3), &options, |_| {})
        .unwrap_err();
    assert_eq!(error.code(), Code::PinsUnreadable);
    let mut options = ApplyOptions::default();
    options.replace = true;
    apply_with(&[HookId::FileOpen], &options);
    assert_eq!((state(), denied()), (State::Whole, (true, false)));
    // Something foreign.
    fs::create_dir(format!("{DIR}/other")).unwrap();
    let error = runtime()
        .apply(
            &image(&[HookId::FileOpen], 3),
            &ApplyOptions::default(),
            |_| {},
        )
        .unwrap_err();
    assert_eq!(error.code(), Code::ForeignPin);
    fs::remove_dir(format!("{DIR}/other")).unwrap();
}

/// Changes a byte of the control map.
fn set_meta(at: usize, byte: u8) {
    let data = MapData::from_pin(format!("{DIR}/meta")).unwrap();
    let mut meta: Array<_, [u8; 256]> = Map::from_map_data(data).unwrap().try_into().unwrap();
    let mut value = meta.get(&0, 0).unwrap();
    value[at] = byte;
    meta.set(0, value, 0).unwrap();
}

fn another_version() {
    set_meta(12, 77);
    assert_eq!(state(), State::OtherAbi { found: 77 });
    let bytes = image(&[HookId::FileOpen], 3);
    let error = runtime()
        .apply(&bytes, &ApplyOptions::default(), |_| {})
        .unwrap_err();
    assert_eq!(error.code(), Code::PinnedAbi);
    assert_eq!(denied(), (true, false));
    let mut options = ApplyOptions::default();
    options.replace = true;
    apply_with(&[HookId::FileOpen], &options);
    assert_eq!((state(), denied()), (State::Whole, (true, false)));
    set_meta(12, 77);
    assert!(
        runtime()
            .remove(Duration::from_secs(10))
            .unwrap()
            .was_in_force
    );
    assert_eq!((state(), denied()), (State::Absent, (false, false)));
}

fn half_removed() {
    let clear = || {
        // As a remove that ends after its first two steps.
        set_meta(48, 1);
        let policy = MapData::from_pin(format!("{DIR}/maps/POLICY")).unwrap();
        delete_first(policy.fd().as_fd());
    };
    apply(&[HookId::FileOpen]);
    set_meta(48, 1);
    assert!(matches!(state(), State::Interrupted { in_force: true, .. }));
    apply(&[HookId::FileOpen]);
    assert_eq!((state(), denied()), (State::Whole, (true, false)));
    clear();
    assert_eq!((state(), denied()), (State::HalfRemoved, (false, false)));
    let applied = apply(&[HookId::FileOpen]);
    assert!(!applied.recovered.is_empty());
    assert_eq!((state(), denied()), (State::Whole, (true, false)));
    clear();
    assert!(
        !runtime()
            .remove(Duration::from_secs(10))
            .unwrap()
            .was_in_force
    );
    assert_eq!(state(), State::Absent);
}

/// Empties the first slot of a map; aya has no call for it.
fn delete_first(map: BorrowedFd<'_>) {
    let key = 0_u32;
    let attribute = [
        map.as_raw_fd() as u64,
        (&raw const key).expose_provenance() as u64,
        0,
        0,
    ];
    // SAFETY: the attribute is laid out as BPF_MAP_DELETE_ELEM wants it, and the
    // key outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            3,
            attribute.as_ptr(),
            size_of_val(&attribute),
        )
    };
    assert_eq!(result, 0);
}

fn remove() {
    apply(&[HookId::FileOpen, HookId::PathUnlink]);
    let removed = runtime().remove(Duration::from_secs(10)).unwrap();
    assert!(removed.was_there && removed.was_in_force);
    assert_eq!(removed.detached.len(), TRACKERS.len() + 2);
    assert_eq!((state(), denied()), (State::Absent, (false, false)));
    assert!(runtime().status().unwrap().others.is_empty());
    assert!(!Path::new(DIR).exists());
}
