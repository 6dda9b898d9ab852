use lsmpc_abi::hook::HookId;

use super::*;
use crate::image::Header;
use crate::sys::MapShape;

/// Pins made of ordinary files: `map ID`, `program ID MAP…`, `link ID PROGRAM`,
/// `other`; the control map's file is its value; the slot's contents are given.
struct Files {
    image: Option<ImageInForce>,
}

impl Inspect for Files {
    fn object(&self, path: &Path) -> io::Result<ObjectInfo> {
        let text = fs::read_to_string(path)?;
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |n: usize| words[n].parse::<u32>().unwrap();
        Ok(match words[0] {
            "map" => ObjectInfo::Map(MapInfo {
                id: number(1),
                shape: MapShape {
                    kind: 2,
                    key_size: 4,
                    value_size: 4,
                    max_entries: 1,
                    flags: 0,
                },
            }),
            "program" => ObjectInfo::Program(ProgramInfo {
                id: number(1),
                kind: 29,
                name: String::new(),
                maps: (2..words.len()).map(number).collect(),
                target: 1,
            }),
            "link" => ObjectInfo::Link(LinkInfo {
                id: number(1),
                program: number(2),
                attach_type: 27,
                target: 1,
            }),
            _ => ObjectInfo::Other,
        })
    }

    fn control(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn image(&self, _policy: &Path) -> io::Result<Option<ImageInForce>> {
        Ok(self.image.clone())
    }
}

struct Fixture {
    root: tempfile::TempDir,
    image: Option<ImageInForce>,
}

impl Fixture {
    fn empty() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            image: None,
        }
    }

    /// A policy that names file_open, all in place.
    fn whole() -> Self {
        let fixture = Self::empty();
        fixture.put("meta", &Control::new([1; 32]).encode());
        for (n, name) in maps::ALL.iter().enumerate() {
            fixture.put(&format!("maps/{name}"), format!("map {}", n + 1).as_bytes());
        }
        for (n, hook) in TRACKERS.iter().chain(&["file_open"]).enumerate() {
            fixture.attach(hook, n + 10);
        }
        fixture.in_force(&[HookId::FileOpen])
    }

    fn attach(&self, hook: &str, number: usize) {
        self.put(
            &format!("progs/{hook}"),
            format!("program {number} 1 2").as_bytes(),
        );
        self.put(
            &format!("links/{hook}"),
            format!("link {number} {number}").as_bytes(),
        );
    }

    fn in_force(mut self, hooks: &[HookId]) -> Self {
        let bytes = crate::image::tests::blank(1, hooks);
        self.image = Some(ImageInForce {
            map: 99,
            header: Some(Header::read(&bytes).unwrap()),
        });
        self
    }

    fn dir(&self) -> PathBuf {
        self.root.path().join("lsmpc")
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let path = self.dir().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn drop_pin(&self, path: &str) {
        fs::remove_file(self.dir().join(path)).unwrap();
    }

    fn state(&self) -> State {
        let files = Files {
            image: self.image.clone(),
        };
        survey(&Layout::new(self.dir()), &files).unwrap().state()
    }
}

fn interrupted(in_force: bool, left: &[&str]) -> State {
    State::Interrupted {
        in_force,
        left: left.iter().map(|text| (*text).to_owned()).collect(),
    }
}

#[test]
fn nothing_and_everything() {
    assert_eq!(Fixture::empty().state(), State::Absent);
    assert_eq!(Fixture::whole().state(), State::Whole);
}

#[test]
fn every_step_of_a_first_apply_is_recognised() {
    let fixture = Fixture::empty();
    fs::create_dir(fixture.dir()).unwrap();
    assert_eq!(
        fixture.state(),
        interrupted(false, &["an empty pin directory"])
    );
    fixture.put("meta", &[0; 256]);
    assert_eq!(
        fixture.state(),
        interrupted(false, &["an empty pin directory"])
    );
    fixture.put("meta", &Control::new([1; 32]).encode());
    assert_eq!(
        fixture.state(),
        interrupted(false, &["an empty pin directory"])
    );
    fixture.put("maps/POLICY", b"map 1");
    assert_eq!(fixture.state(), interrupted(false, &["map POLICY"]));
    fixture.attach("task_alloc", 5);
    assert_eq!(
        fixture.state(),
        interrupted(
            false,
            &["link task_alloc", "program task_alloc", "map POLICY"]
        )
    );
}

#[test]
fn leftovers_beside_a_policy_in_force() {
    let fixture = Fixture::whole();
    fixture.attach("socket_connect", 30);
    assert_eq!(
        fixture.state(),
        interrupted(true, &["link socket_connect", "program socket_connect"])
    );
    fixture.drop_pin("links/socket_connect");
    assert_eq!(
        fixture.state(),
        interrupted(true, &["program socket_connect"])
    );
}

#[test]
fn an_interrupted_remove_is_not_an_interrupted_apply() {
    let mut fixture = Fixture::whole();
    fixture.image = None;
    let mut control = Control::new([1; 32]);
    control.removing = true;
    fixture.put("meta", &control.encode());
    assert_eq!(fixture.state(), State::HalfRemoved);
    // Announced, and no more: the policy is still in force.
    let announced = Fixture::whole();
    announced.put("meta", &control.encode());
    let left = "a remove that ended before it took effect";
    assert_eq!(announced.state(), interrupted(true, &[left]));
    fs::remove_dir_all(fixture.dir().join("links")).unwrap();
    assert_eq!(fixture.state(), State::HalfRemoved);
}

#[test]
fn missing_pins_are_named() {
    let fixture = Fixture::whole();
    fixture.drop_pin("links/file_open");
    let State::Broken { unattached, .. } = fixture.state() else {
        panic!("{:?}", fixture.state());
    };
    assert_eq!(unattached, ["file_open"]);

    let fixture = Fixture::whole();
    fixture.drop_pin("maps/EVENTS");
    let State::Broken { reason, .. } = fixture.state() else {
        panic!("{:?}", fixture.state());
    };
    assert!(reason.contains("EVENTS"));

    let fixture = Fixture::whole();
    fixture.drop_pin("meta");
    assert!(matches!(fixture.state(), State::Broken { .. }));
}

#[test]
fn a_link_of_another_program_does_not_count() {
    let fixture = Fixture::whole();
    fixture.put("links/file_open", b"link 12 77");
    assert!(matches!(fixture.state(), State::Broken { .. }));
    let fixture = Fixture::whole();
    fixture.put("progs/file_open", b"program 12 500 501");
    assert!(matches!(fixture.state(), State::Broken { .. }));
}

#[test]
fn foreign_things_and_other_versions_are_named() {
    let fixture = Fixture::whole();
    fixture.put("notes", b"hello");
    let path = fixture.dir().join("notes");
    assert_eq!(fixture.state(), State::Foreign { path });

    let fixture = Fixture::whole();
    fixture.put("maps/OTHER", b"program 1");
    let path = fixture.dir().join("maps/OTHER");
    assert_eq!(fixture.state(), State::Foreign { path });

    let fixture = Fixture::whole();
    fs::create_dir(fixture.dir().join("links/sub")).unwrap();
    assert!(matches!(fixture.state(), State::Foreign { .. }));

    let fixture = Fixture::whole();
    fixture.put("meta", &[9; 256]);
    let path = fixture.dir().join("meta");
    assert_eq!(fixture.state(), State::Foreign { path });

    let fixture = Fixture::whole();
    let mut control = Control::new([1; 32]).encode();
    control[12] = 200;
    fixture.put("meta", &control);
    assert_eq!(fixture.state(), State::OtherAbi { found: 200 });
}

#[test]
fn a_slot_without_an_image_is_broken() {
    let mut fixture = Fixture::whole();
    fixture.image = Some(ImageInForce {
        map: 1,
        header: None,
    });
    assert!(matches!(fixture.state(), State::Broken { .. }));
}
