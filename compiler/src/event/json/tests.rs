use lsmpc_abi::field::FieldId;

use super::super::{Answer, Event, FieldValue, Value, Verdict};

fn read(line: &str) -> Event {
    Event::from_json_line(line).unwrap()
}

fn error(line: &str) -> String {
    Event::from_json_line(line).unwrap_err()
}

#[test]
fn the_example_of_the_language() {
    let event = read(
        r#"{"hook":"file_open","exe":"/tmp/x","uid":1000,"path":"/etc/passwd","access":["read"]}"#,
    );
    let known = |value| FieldValue::Known(value);
    assert_eq!(
        event.get(FieldId::Exe),
        &known(Value::Bytes(b"/tmp/x".to_vec()))
    );
    assert_eq!(event.get(FieldId::Uid), &known(Value::Int(1000)));
    assert_eq!(event.get(FieldId::Access), &known(Value::Int(1)));
    assert_eq!(event.get(FieldId::Gid), &FieldValue::Unknown);
}

#[test]
fn every_type_goes_there_and_back() {
    for line in [
        r#"{"hook":"file_open","path":"bytes:2f746d702fff"}"#,
        r#"{"hook":"file_open","path":"bytes:62797465733a78"}"#,
        r#"{"hook":"file_open","exe":null,"access":["read","create"]}"#,
        r#"{"hook":"file_open","file.mode":3564,"file.type":"DIR","file.owned":true}"#,
        r#"{"hook":"socket_connect","family":"AF_INET","type":77,"addr":"10.1.2.3","port":443}"#,
        r#"{"hook":"socket_connect","addr":"fe80::1"}"#,
        r#"{"hook":"file_open","ancestor.exe":["/a",null],"inherited":["web"]}"#,
    ] {
        assert_eq!(read(line).to_json_line(), line);
    }
    let mapped = read(r#"{"hook":"socket_connect","addr":"::ffff:10.1.2.3"}"#);
    let plain = read(r#"{"hook":"socket_connect","addr":"10.1.2.3"}"#);
    assert_eq!(mapped, plain);
}

#[test]
fn bad_lines() {
    assert!(error("x").starts_with("not JSON"));
    assert_eq!(error("[]"), "an event is a JSON object");
    assert_eq!(error("{}"), "an event needs a `hook`");
    assert_eq!(
        error(r#"{"hook":"file_opne"}"#),
        "unknown hook `file_opne`; did you mean `file_open`?"
    );
    assert_eq!(
        error(r#"{"hook":"file_open","pth":""}"#),
        "unknown key `pth`; did you mean `path`?"
    );
    for line in [
        r#"{"hook":"file_open","any_path":"/"}"#,
        r#"{"hook":"file_open","uid":-1}"#,
        r#"{"hook":"file_open","uid":"0"}"#,
        r#"{"hook":"file_open","uid":4294967296}"#,
        r#"{"hook":"file_open","file.type":1}"#,
        r#"{"hook":"file_open","file.mode":4096}"#,
        r#"{"hook":"file_open","file.owned":1}"#,
        r#"{"hook":"file_open","access":"read"}"#,
        r#"{"hook":"file_open","access":["raed"]}"#,
        r#"{"hook":"file_open","path":["/"]}"#,
        r#"{"hook":"file_open","path":"bytes:2"}"#,
        r#"{"hook":"file_open","path":"bytes:gg"}"#,
        r#"{"hook":"file_open","ancestor.exe":"/a"}"#,
        r#"{"hook":"file_open","inherited":"web"}"#,
        r#"{"hook":"socket_connect","addr":"10.0.0.0/8"}"#,
    ] {
        error(line);
    }
}

#[test]
fn answers() {
    let answer = Answer {
        verdict: Verdict::Deny,
        errno: Some(1),
        record: true,
        unknown: false,
        rules: vec!["secrets".to_owned()],
    };
    assert_eq!(
        answer.to_json_line(),
        r#"{"verdict":"deny","errno":"EPERM","record":true,"unknown":false,"rules":["secrets"]}"#
    );
    assert_eq!(
        Answer::allow().to_json_line(),
        r#"{"verdict":"allow","errno":null,"record":false,"unknown":false,"rules":[]}"#
    );
}
