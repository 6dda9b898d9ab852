use super::*;

/// Puts a record together the way the programs do.
fn encode(values: &[(u8, u8, u64, u64)], texts: &[(u8, u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend((ABI_VERSION as u16).to_le_bytes());
    bytes.extend((HookId::SocketConnect as u16).to_le_bytes());
    bytes.extend(7_000_000_000_u64.to_le_bytes());
    for word in [
        3,
        9,
        -13_i32 as u32,
        OUTCOME_KILL,
        100,
        101,
        1000,
        1001,
        0,
        5,
        50,
        2,
    ] {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(b"curl\0\0\0\0\0\0\0\0\0\0\0\0");
    bytes.extend(77_u64.to_le_bytes());
    bytes.extend((1_u64 << 21).to_le_bytes());
    bytes.extend(b"bash\0\0\0\0\0\0\0\0\0\0\0\0");
    bytes.extend(u32::MAX.to_le_bytes());
    let context = namespaces::CONTAINERIZED | namespaces::INITIAL_MNTNS_UNKNOWN;
    bytes.extend(context.to_le_bytes());
    bytes.extend((values.len() as u16).to_le_bytes());
    bytes.extend((texts.len() as u16).to_le_bytes());
    bytes.extend([0; 4]);
    for (field, presence, value, low) in values {
        bytes.extend([*field, *presence, 0, 0, 0, 0, 0, 0]);
        bytes.extend(value.to_le_bytes());
        bytes.extend(low.to_le_bytes());
    }
    let mut start = bytes.len() + texts.len() * 12;
    for (field, presence, text) in texts {
        bytes.extend([*field, *presence, 0, 0]);
        bytes.extend((start as u32).to_le_bytes());
        bytes.extend((text.len() as u32).to_le_bytes());
        start += text.len();
    }
    for (_, _, text) in texts {
        bytes.extend(*text);
    }
    let size = bytes.len() as u32;
    bytes[..4].copy_from_slice(&size.to_le_bytes());
    bytes
}

fn sample() -> Vec<u8> {
    encode(
        &[
            (FieldId::Port as u8, 2, 443, 0),
            (FieldId::Addr as u8, 2, 0, 0xffff_0a00_0001),
            (FieldId::Protocol as u8, 1, 0, 0),
        ],
        &[
            (FieldId::Exe as u8, 2, b"/usr/bin/curl"),
            (FieldId::ParentExe as u8, 1, b""),
            (FieldId::UnixPath as u8, 0, b""),
        ],
    )
}

#[test]
fn a_record_is_read_back() {
    let mut bytes = sample();
    bytes.extend([0xee; 5]);
    let record = EventRecord::decode(&bytes, &BootClock::now()).unwrap();
    assert_eq!(record.hook, HookId::SocketConnect);
    assert_eq!((record.epoch, record.outcome), (3, 9));
    assert_eq!(record.errno(), Some(13));
    assert!(record.killed() && !record.unknown());
    assert_eq!((record.pid, record.tid), (100, 101));
    assert_eq!(
        (record.uid, record.gid, record.euid, record.egid),
        (1000, 1001, 0, 5)
    );
    assert_eq!((record.caps, record.auid), (1 << 21, u32::MAX));
    assert_eq!(record.parent_comm.as_deref(), Some(&b"bash"[..]));
    assert_eq!(
        (record.containerized, record.initial_mntns),
        (Some(true), None)
    );
    assert_eq!(
        (record.parent_pid, record.cpu, record.cgroup_id),
        (Some(50), 2, 77)
    );
    assert_eq!(record.comm, b"curl");
    assert_eq!(record.value_of(FieldId::Port), Some(Value::Number(443)));
    let address = Value::Address("10.0.0.1".parse().unwrap());
    assert_eq!(record.value_of(FieldId::Addr), Some(address));
    assert_eq!(record.value_of(FieldId::Protocol), Some(Value::Unknown));
    assert_eq!(record.exe().unwrap().bytes(), Some(&b"/usr/bin/curl"[..]));
    assert_eq!(record.parent_exe(), Some(&Text::Unknown));
    assert_eq!(record.text(FieldId::UnixPath), Some(&Text::None));
    assert_eq!(record.text(FieldId::Path), None);
}

/// The sample with an [`EventStrings`] behind it.
fn execution(presence: u32, numbers: [u32; 5], strings: &[u8]) -> Vec<u8> {
    let mut bytes = sample();
    let at = bytes.len() as u32;
    bytes[124..128].copy_from_slice(&at.to_le_bytes());
    for word in [presence].iter().chain(&numbers) {
        bytes.extend(word.to_le_bytes());
    }
    bytes.extend(strings);
    let size = bytes.len() as u32;
    bytes[..4].copy_from_slice(&size.to_le_bytes());
    bytes
}

#[test]
fn what_a_program_is_given_is_read_back() {
    let clock = BootClock::now();
    let decode = |bytes: &[u8]| EventRecord::decode(bytes, &clock);
    assert_eq!(decode(&sample()).unwrap().strings, None);
    let known = execution(2, [2, 1, 10, 10, 0], b"ls\0-l\0A=1\0");
    let Some(Strings::Known {
        arguments,
        environment,
    }) = decode(&known).unwrap().strings.map(|strings| *strings)
    else {
        panic!("the strings are there");
    };
    assert_eq!(arguments.strings, [b"ls", b"-l"]);
    assert_eq!(environment.strings, [b"A=1"]);
    assert!(!arguments.cut && !environment.cut);
    let unknown = decode(&execution(1, [0; 5], b"")).unwrap();
    assert_eq!(unknown.strings, Some(Box::new(Strings::Unknown)));
    // More than a part, a second part without a whole first one, fewer bytes than said.
    for (numbers, error) in [
        ([1, 0, 10, 2049, 0], DecodeError::Count),
        ([1, 0, 10, 2, 2], DecodeError::Count),
        ([1, 0, 10, 11, 0], DecodeError::Short),
    ] {
        let bytes = execution(2, numbers, b"ls\0-l\0A=1\0");
        assert_eq!(decode(&bytes), Err(error), "{numbers:?}");
    }
    assert_eq!(
        decode(&execution(7, [0; 5], b"")),
        Err(DecodeError::Presence(7))
    );
}

#[test]
fn every_cut_is_an_error() {
    let bytes = sample();
    for length in 0..bytes.len() {
        assert!(EventRecord::decode(&bytes[..length], &BootClock::now()).is_err());
    }
}

#[test]
fn a_size_below_the_parts_is_an_error() {
    let bytes = sample();
    for size in 0..bytes.len() as u32 {
        let mut bad = bytes.clone();
        bad[..4].copy_from_slice(&size.to_le_bytes());
        assert!(
            EventRecord::decode(&bad, &BootClock::now()).is_err(),
            "{size}"
        );
    }
}

#[test]
fn unknown_numbers_are_named() {
    let clock = BootClock::now();
    let mut bytes = sample();
    bytes[4] = 9;
    assert_eq!(
        EventRecord::decode(&bytes, &clock),
        Err(DecodeError::Abi(9))
    );
    let mut bytes = sample();
    bytes[6..8].copy_from_slice(&900_u16.to_le_bytes());
    assert_eq!(
        EventRecord::decode(&bytes, &clock),
        Err(DecodeError::Hook(900))
    );
    let bytes = encode(&[(200, 2, 0, 0)], &[]);
    assert_eq!(
        EventRecord::decode(&bytes, &clock),
        Err(DecodeError::Field(200))
    );
    let bytes = encode(&[(0, 3, 0, 0)], &[]);
    assert_eq!(
        EventRecord::decode(&bytes, &clock),
        Err(DecodeError::Presence(3))
    );
    let bytes = encode(&[(0, 2, 0, 0); 25], &[]);
    assert_eq!(EventRecord::decode(&bytes, &clock), Err(DecodeError::Count));
}

#[test]
fn arbitrary_bytes_never_panic() {
    // xorshift: the same bytes in every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let clock = BootClock::now();
    let good = sample();
    for _ in 0..20_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + random() % 4 {
            let at = (random() % bytes.len() as u64) as usize;
            bytes[at] = random() as u8;
        }
        bytes.truncate((random() % (good.len() as u64 + 1)) as usize);
        let _ = EventRecord::decode(&bytes, &clock);
        let noise: Vec<u8> = (0..random() % 300).map(|_| random() as u8).collect();
        let _ = EventRecord::decode(&noise, &clock);
    }
}
