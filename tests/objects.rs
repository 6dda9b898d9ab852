//! The shipped objects are what the ABI says: programs, maps, constants, sums.
//! No kernel is needed.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use aya_obj::{EbpfSectionKind, Object, ProgramSection};
use lsmpc_abi::catalogue;
use lsmpc_abi::hook::HOOK_SLOTS;
use lsmpc_abi::image::PAGE_SIZE;
use lsmpc_abi::kernel::{
    GLOBAL_ABI, GLOBAL_ARGUMENTS, GLOBAL_CPUS, GLOBAL_EXECUTED, GLOBAL_RATE, GLOBAL_SEQCOUNT,
};
use lsmpc_abi::kernel::{NUMBERS, OFFSETS, RENUMBERED, SYMBOLS};
use lsmpc_abi::maps;
use lsmpc_abi::state::{Counter, LongPart, Seeds, TaskState};
use sha2::{Digest, Sha256};

fn prebuilt() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stdlib-ebpf/prebuilt")
}

/// The shipped object and the variants that tests use.
fn objects() -> Vec<(String, Object)> {
    let mut paths = vec![prebuilt().join("lsmpc.bpf.o")];
    for entry in fs::read_dir(prebuilt().join("variants")).unwrap() {
        paths.push(entry.unwrap().path());
    }
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, Object::parse(&fs::read(path).unwrap()).unwrap())
        })
        .collect()
}

#[test]
fn there_is_a_program_for_each_hook() {
    let hooks = catalogue::hooks().iter().map(|hook| hook.id.name());
    let expected: BTreeSet<&str> = hooks
        .chain(lsmpc_runtime::TRACKERS.iter().copied())
        // The hook of some kernels for file_ioctl in 32-bit tasks.
        .chain(["file_ioctl_compat"])
        .collect();
    for (name, object) in objects() {
        let mut found = BTreeSet::new();
        for (program, info) in &object.programs {
            // The grace period that a swap waits for does not
            // wait for sleepable programs.
            let plain = matches!(info.section, ProgramSection::Lsm { sleepable: false });
            assert!(plain, "{name}: {program}");
            found.insert(program.as_str());
        }
        assert_eq!(found, expected, "{name}");
        assert_eq!(object.license.to_bytes(), b"Dual MIT/GPL", "{name}");
    }
}

#[test]
fn maps_have_the_abis_sizes() {
    const ARRAY: u32 = 2;
    const PERCPU_ARRAY: u32 = 6;
    const ARRAY_OF_MAPS: u32 = 12;
    const RINGBUF: u32 = 27;
    const TASK_STORAGE: u32 = 29;
    const F_INNER_MAP: u32 = 0x1000;
    // Type, bytes of a value (0: it is the programs' own), entries.
    let expected = |name: &str| match name {
        maps::POLICY => (ARRAY_OF_MAPS, 4, 1),
        maps::TASK => (TASK_STORAGE, size_of::<TaskState>(), 0),
        maps::SEEDS => (TASK_STORAGE, size_of::<Seeds>(), 0),
        maps::SCRATCH => (ARRAY, 0, maps::SLOTS_PER_CPU),
        maps::RECORDS => (ARRAY, 0, maps::RECORDS_PER_CPU),
        maps::SETTLED => (ARRAY, 0, maps::SETTLED_ENTRIES),
        maps::DIRECTORIES => (ARRAY, 0, maps::DIRECTORY_ENTRIES),
        maps::EVENTS => (RINGBUF, 0, maps::EVENT_BYTES),
        maps::COUNTERS => (PERCPU_ARRAY, 8, Counter::COUNT),
        maps::RATE => (ARRAY, size_of::<maps::RateWindow>(), maps::RATE_ENTRIES),
        part if maps::TASK_LONG.contains(&part) || maps::PARENT_LONG.contains(&part) => {
            (TASK_STORAGE, size_of::<LongPart>(), 0)
        }
        other => panic!("the ABI has no map {other}"),
    };
    for (name, object) in objects() {
        let mut found = BTreeSet::new();
        for (map, info) in &object.maps {
            let kind = info.section_kind();
            if kind == EbpfSectionKind::Rodata {
                continue;
            }
            // Variables would be separate for each load.
            assert_eq!(kind, EbpfSectionKind::BtfMaps, "{name}: {map}");
            found.insert(map.as_str());
            let (kind, value, entries) = expected(map);
            assert_eq!(info.map_type(), kind, "{name}: {map}");
            assert_eq!(info.max_entries(), entries, "{name}: {map}");
            if value != 0 {
                assert_eq!(info.value_size() as usize, value, "{name}: {map}");
            }
            if map == maps::POLICY {
                let inner = info.inner().unwrap();
                assert_eq!(inner.map_type(), ARRAY, "{name}");
                assert_eq!(inner.value_size() as usize, PAGE_SIZE, "{name}");
                assert_eq!(inner.map_flags(), F_INNER_MAP, "{name}");
            }
        }
        assert_eq!(found, maps::ALL.iter().copied().collect(), "{name}");
    }
}

/// The register that the previous verdict is loaded into is made unknown first: Linux
/// 6.19 takes what it knew of the register for the verdict.
#[test]
fn the_previous_verdict_is_not_taken_for_known() {
    const MOVE: u8 = 0xbf;
    const SUBTRACT: u8 = 0x1f;
    const LOAD: u8 = 0x79;
    const FRAME: u8 = 10;
    for (name, object) in objects() {
        for (program, info) in &object.programs {
            // What only keeps track has no verdict.
            if lsmpc_runtime::TRACKERS.contains(&program.as_str()) {
                continue;
            }
            let code = &object.functions[&info.function_key()].instructions;
            let unknown = code.windows(3).filter(|window| {
                let [moved, subtracted, loaded] = window else {
                    return false;
                };
                [moved.code, subtracted.code, loaded.code] == [MOVE, SUBTRACT, LOAD]
                    && moved.src_reg() == FRAME
                    && subtracted.src_reg() == FRAME
                    && moved.dst_reg() == loaded.dst_reg()
                    && subtracted.dst_reg() == loaded.dst_reg()
            });
            // One load for each number of arguments that a hook can have.
            assert_eq!(unknown.count(), 7, "{name}: {program}");
        }
    }
}

#[test]
fn constants_can_be_set() {
    let (word, long) = ([0_u8; 4], [0_u8; 8]);
    let words = OFFSETS.iter().map(|offset| offset.global);
    let words = words.chain([
        GLOBAL_ABI,
        GLOBAL_CPUS,
        GLOBAL_RATE,
        GLOBAL_EXECUTED,
        GLOBAL_SEQCOUNT,
    ]);
    let (counts, numbers) = ([0_u8; HOOK_SLOTS], [0_u8; NUMBERS]);
    let tables = RENUMBERED.iter().map(|table| table.global);
    let longs = SYMBOLS.map(|symbol| symbol.global);
    let values: HashMap<&str, (&[u8], bool)> = words
        .map(|name| (name, (word.as_slice(), true)))
        .chain(longs.map(|name| (name, (long.as_slice(), true))))
        .chain(tables.map(|name| (name, (numbers.as_slice(), true))))
        .chain([(GLOBAL_ARGUMENTS, (counts.as_slice(), true))])
        .collect();
    for (name, mut object) in objects() {
        // Fails where one is missing or of another size.
        let set = object.patch_map_data(values.clone());
        assert!(set.is_ok(), "{name}: {set:?}");
    }
}

#[test]
fn sums_are_those_of_the_files() {
    let sums = fs::read_to_string(prebuilt().join("SHA256SUMS")).unwrap();
    let mut checked = 0;
    for line in sums.lines() {
        let (sum, file) = line.split_once("  ").unwrap();
        let bytes = fs::read(prebuilt().join(file)).unwrap();
        let found: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(found, sum, "{file}");
        checked += 1;
    }
    // Also of the engine alone, and of what the programs are measured against.
    assert_eq!(checked, objects().len() + 2);
}
