//! Hand-built images, evaluated on the host.

mod image;

use image::{Builder, deny, terminal};
use lsmpc_abi::{field::FieldId, hook::HookId, image::*};
use lsmpc_engine::{
    Fault, decide,
    host::{Event, Slice, Value, classify},
    outcome,
};

fn text(bytes: &str) -> Value {
    Value::Text(bytes.as_bytes().to_vec())
}

/// `/etc/shadow` is 2, `/tmp/**` 3, `/home/*/.ssh/id_*` 4, anything else 5.
fn paths(image: &mut Builder) -> u32 {
    let other = image.state(5, 0, 0, STATE_SINK);
    let below_tmp = image.state(3, 0, 0, STATE_SINK);
    // State, default, literal edges.
    let shadow = image.state(2, other, 0, 0);
    let key = image.state(4, other, 0, 0);
    let etc = image.state(5, other, 0, STATE_LITERALS);
    let tmp = image.state(5, below_tmp, 0, 0);
    let id = image.prefix_automaton(b"id_", key, other);
    let ssh = image.state(5, 0, id, 0);
    let user = image.state(5, other, 0, STATE_LITERALS);
    let home = image.state(5, user, 0, 0);
    let root = image.state(5, other, 0, STATE_LITERALS);
    let start = image.state(5, other, 0, STATE_LITERALS);
    for (from, name, to) in [
        (start, "", root),
        (root, "etc", etc),
        (root, "tmp", tmp),
        (root, "home", home),
        (etc, "shadow", shadow),
        (user, ".ssh", ssh),
    ] {
        image.path_edge(from, name.as_bytes(), to);
    }
    image.words(16, &[CLASSIFIER_PATH, start, 0, 0])
}

#[test]
fn path_classes() {
    let mut image = Builder::new();
    let classifier = paths(&mut image);
    let bytes = image.finish();
    let long = format!("/tmp/{}", "x/".repeat(2000) + "y");
    let wide = format!("/{}/b", "w".repeat(255));
    let huge = format!("/tmp/{}", "w".repeat(4000));
    for (path, class) in [
        ("/etc/shadow", 2),
        ("/etc/shadow2", 5),
        ("/etc/shado", 5),
        ("/etc/shadow/", 5),
        ("/etc/shadow/x", 5),
        ("/etc", 5),
        ("/", 5),
        ("", 5),
        ("etc/shadow", 5),
        ("//etc/shadow", 5),
        ("/tmp", 5),
        ("/tmp/", 3),
        ("/tmp/a", 3),
        ("/tmp/a/b", 3),
        (&long, 3),
        (&huge, 3),
        (&wide, 5),
        ("/home/x/.ssh/id_rsa", 4),
        ("/home/x/.ssh/id_", 4),
        ("/home//.ssh/id_", 4),
        ("/home/x/.ssh/id", 5),
        ("/home/x/.ssh/id_rsa/x", 5),
        ("/home/x/.ssH/id_rsa", 5),
        ("memfd:x", 5),
    ] {
        assert_eq!(
            classify(&Slice(&bytes), classifier, path.as_bytes()),
            Ok(class),
            "{path}"
        );
    }
}

#[test]
fn names_in_a_known_directory() {
    let mut image = Builder::new();
    let classifier = paths(&mut image);
    let node = image.hashed(FieldId::Path, classifier, terminal(0), &[]);
    image.root(HookId::FileOpen, node);
    let bytes = image.finish();
    for (path, class) in [
        ("/etc/shadow", Some(2)),
        ("/etc/shadow2", Some(5)),
        (&format!("/etc/{}", "x".repeat(32)), Some(5)),
        (&format!("/etc/{}", "x".repeat(33)), None),
        ("/tmp/a", Some(3)),
        ("/tmp/a/b/c", Some(3)),
        ("/tmp", Some(5)),
        ("/etc", Some(5)),
        ("/home/x/.ssh", Some(5)),
        ("/home/x/.ssh/id_rsa", Some(4)),
        ("/home/x/.ssh/id_", Some(4)),
        ("/home/x/.ssh/id", Some(5)),
        (&format!("/home/x/.ssh/id_{}", "x".repeat(29)), Some(4)),
        (&format!("/home/x/.ssh/id_{}", "x".repeat(30)), None),
        ("/home/x/.ssh/id_rsa/x", Some(5)),
        ("/", None),
        ("", None),
    ] {
        let mut event = Event::new().with(FieldId::Path, text(path));
        decide(&Slice(&bytes), HookId::FileOpen as u16, &mut event).unwrap();
        let found = event.by_directory(&Slice(&bytes)).unwrap();
        assert_eq!(found, class.map(|class| [class; 3]), "{path}");
    }
    let mut event = Event::new().with(FieldId::Path, Value::Unknown);
    decide(&Slice(&bytes), HookId::FileOpen as u16, &mut event).unwrap();
    assert_eq!(event.by_directory(&Slice(&bytes)), Ok(None));
}

#[test]
fn component_lengths() {
    // One literal edge for each length, from one state: hashing and comparing
    // work for any number of words.
    let mut image = Builder::new();
    let other = image.state(2, 0, 0, STATE_SINK);
    let start = image.state(2, other, 0, STATE_LITERALS);
    let name: Vec<u8> = (0..255).map(|byte| b'a' + (byte % 26) as u8).collect();
    for length in 0..=255 {
        let to = image.state(10 + length as u32, other, 0, 0);
        image.path_edge(start, &name[..length], to);
    }
    let classifier = image.words(16, &[CLASSIFIER_PATH, start, 0, 0]);
    let bytes = image.finish();
    for length in 0..=255 {
        let slice = Slice(&bytes);
        assert_eq!(
            classify(&slice, classifier, &name[..length]),
            Ok(10 + length as u32)
        );
        let mut near = name[..length].to_vec();
        if let Some(last) = near.last_mut() {
            *last ^= 1;
            assert_eq!(classify(&slice, classifier, &near), Ok(2));
        }
    }
    let too_long = [name.as_slice(), b"x"].concat();
    assert_eq!(classify(&Slice(&bytes), classifier, &too_long), Ok(2));
}

#[test]
fn names() {
    let mut image = Builder::new();
    let automaton = image.prefix_automaton(b"ssh", 3, 2);
    let classifier = image.words(16, &[CLASSIFIER_NAME, automaton, 0, 0]);
    let bytes = image.finish();
    for (name, class) in [("ssh", 3), ("sshd", 3), ("ss", 2), ("", 2), ("a/b", 2)] {
        let slice = Slice(&bytes);
        assert_eq!(classify(&slice, classifier, name.as_bytes()), Ok(class));
    }
}

#[test]
fn nodes_and_outcomes() {
    let mut image = Builder::new();
    let classifier = paths(&mut image);
    image.exe_classifier(classifier);
    let refused = image.outcome(-1, OUTCOME_RECORD, 7);
    let accessed = image.outcome(-13, 0, 0);
    // Path: none, unknown, /etc/shadow, the others.
    let by_path = image.dense(
        FieldId::Path,
        classifier,
        &[
            terminal(0),
            refused,
            refused,
            terminal(0),
            accessed,
            terminal(0),
        ],
    );
    let written = image.bits(
        FieldId::Access,
        2,
        2,
        [terminal(0), refused, terminal(0), by_path],
    );
    let ports = image.boundaries(&[22, 23, 443]);
    let port_classifier = image.words(16, &[CLASSIFIER_U64, 3, ports, 0]);
    // Only exact port 22 is refused.
    let by_port = image.hashed(FieldId::Port, port_classifier, terminal(0), &[(3, refused)]);
    // Programs below /tmp go on with the port, others with the access.
    let root = image.hashed(FieldId::Exe, 0, written, &[(3, by_port)]);
    image.root(HookId::FileOpen, root);
    image.root(HookId::TaskKill, terminal(0));
    let bytes = image.finish();
    let memory = Slice(&bytes);
    let decided = |event: &Event| decide(&memory, HookId::FileOpen as u16, &mut event.clone());

    let bin = Event::new().with(FieldId::Exe, text("/bin/x"));
    let tmp = Event::new().with(FieldId::Exe, text("/tmp/x"));
    assert_eq!(decided(&bin), Ok(refused & !REF_TERMINAL));
    let bin = bin.with(FieldId::Access, Value::Scalar(1));
    assert_eq!(decided(&bin), Ok(0));
    let bin = bin.with(FieldId::Access, Value::Scalar(3));
    assert_eq!(decided(&bin), Ok(refused & !REF_TERMINAL));
    let bin = bin.with(FieldId::Path, text("/etc/passwd"));
    assert_eq!(decided(&bin), Ok(0));
    let bin = bin.with(FieldId::Path, text("/home/x/.ssh/id_x"));
    assert_eq!(decided(&bin), Ok(accessed & !REF_TERMINAL));
    let bin = bin.with(FieldId::Path, Value::None);
    assert_eq!(decided(&bin), Ok(0));
    for (port, verdict) in [(0, 0), (21, 0), (22, refused & !REF_TERMINAL), (23, 0)] {
        let event = tmp.clone().with(FieldId::Port, Value::Scalar(port));
        assert_eq!(decided(&event), Ok(verdict), "{port}");
    }
    assert_eq!(
        decide(&memory, HookId::TaskKill as u16, &mut Event::new()),
        Ok(0)
    );

    let denied = outcome(&memory, refused & !REF_TERMINAL);
    assert_eq!(
        denied.map(|it| (it.ret, it.flags, it.rate)),
        Ok((-1, OUTCOME_RECORD, 7))
    );
    assert_eq!(outcome(&memory, 0).map(|it| it.ret), Ok(0));
    assert_eq!(outcome(&memory, 99), Err(Fault::Outcome));
}

#[test]
fn intervals() {
    for count in [0_usize, 1, 2, 3, 7, 8, 1000, 5000] {
        let mut image = Builder::new();
        let sorted: Vec<u64> = (0..count as u64).map(|at| at * 3 + 5).collect();
        let narrow = image.boundaries(&sorted);
        let wide: Vec<u64> = sorted.iter().flat_map(|at| [*at / 30, *at]).collect();
        let wide = image.boundaries(&wide);
        let entries: Vec<u32> = (0..count as u32 + 3).map(terminal).collect();
        let classifier = image.words(16, &[CLASSIFIER_U64, count as u32, narrow, 0]);
        let node = image.dense(FieldId::Port, classifier, &entries);
        image.root(HookId::SocketConnect, node);
        let classifier = image.words(16, &[CLASSIFIER_U128, count as u32, wide, 0]);
        let node = image.dense(FieldId::Addr, classifier, &entries);
        image.root(HookId::SocketBind, node);
        let bytes = image.finish();
        for value in (0..40).chain(2900..3100).chain([u64::MAX]) {
            let class = 2 + sorted.iter().filter(|at| **at <= value).count() as u32;
            let mut event = Event::new().with(FieldId::Port, Value::Scalar(value));
            let hook = HookId::SocketConnect as u16;
            assert_eq!(decide(&Slice(&bytes), hook, &mut event), Ok(class));
            let high = value / 30;
            let class = 2 + sorted
                .iter()
                .filter(|at| (**at / 30, **at) <= (high, value))
                .count() as u32;
            let wide = u128::from(high) << 64 | u128::from(value);
            let mut event = Event::new().with(FieldId::Addr, Value::Wide(wide));
            let hook = HookId::SocketBind as u16;
            assert_eq!(decide(&Slice(&bytes), hook, &mut event), Ok(class));
        }
    }
}

#[test]
fn presence() {
    let mut image = Builder::new();
    let none = image.boundaries(&[]);
    let classifier = image.words(16, &[CLASSIFIER_U64, 0, none, 0]);
    let node = image.dense(FieldId::Port, classifier, &[deny(1), deny(2), deny(3)]);
    image.root(HookId::SocketConnect, node);
    let bytes = image.finish();
    for (value, number) in [
        (Value::None, 1),
        (Value::Unknown, 2),
        (Value::Scalar(0), 3),
        (Value::Scalar(9), 3),
    ] {
        let mut event = Event::new().with(FieldId::Port, value);
        let hook = HookId::SocketConnect as u16;
        assert_eq!(decide(&Slice(&bytes), hook, &mut event), Ok(number));
    }
}

#[test]
fn faults() {
    let hook = HookId::FileOpen as u16;
    let decided = |bytes: &[u8]| decide(&Slice(bytes), hook, &mut Event::new());
    assert_eq!(decided(&[]), Err(Fault::Page));
    // A root that is no ref: a node of kind 0 in page 0.
    assert!(decided(&[0; PAGE_SIZE]).is_err());
    // A node that leads to itself.
    let mut image = Builder::new();
    let next = image.here(16);
    let node = image.bits(FieldId::Access, 1, 1, [next; 4]);
    assert_eq!(node, next);
    image.root(HookId::FileOpen, node);
    assert_eq!(decided(&image.finish()), Err(Fault::Steps));
    // Beyond the last page.
    let mut image = Builder::new();
    image.root(HookId::FileOpen, 0x4000_0000);
    assert_eq!(decided(&image.finish()), Err(Fault::Page));
}

#[test]
fn any_bytes_end() {
    // Damaged images: any answer, but an answer.
    let mut image = Builder::new();
    let classifier = paths(&mut image);
    image.exe_classifier(classifier);
    let by_path = image.dense(FieldId::Path, classifier, &[terminal(0); 6]);
    let root = image.hashed(FieldId::Exe, 0, by_path, &[(3, terminal(0))]);
    image.root(HookId::FileOpen, root);
    let good = image.finish();
    let mut random = 0x1234_5678_9abc_def0_u64;
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..4 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let at = random as usize % bytes.len();
            bytes[at] = (random >> 40) as u8;
        }
        let mut event = Event::new()
            .with(FieldId::Exe, text("/home/x/.ssh/id_x"))
            .with(FieldId::Path, text("/tmp/x/y"));
        let _ = decide(&Slice(&bytes), HookId::FileOpen as u16, &mut event);
    }
}
