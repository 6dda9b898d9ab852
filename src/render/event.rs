//! Records of events: one line for people, one JSON object for programs.

use lsmpc_abi::catalogue;
use lsmpc_abi::field::FieldId;
use lsmpc_engine::report::RuleReport;
use lsmpc_runtime::events::{EventRecord, List, Lost, Strings, Text};
use serde_json::{Map, Value as Json, json};

use super::text::word;
use super::value::{bytes, number_json, text_json, text_word, value_json, value_word};
use crate::output::{Style, paint};
use crate::time::rfc3339;

/// Version of the records' form, `docs/events.schema.json`. Keys may be added to a
/// version; a key that goes or means something else makes a new one.
const SCHEMA: u32 = 1;

/// From the least to the most severe.
const SEVERITIES: [&str; 4] = ["low", "medium", "high", "critical"];

/// The most severe of what the rules say.
fn severity<'r>(rules: &'r [RuleReport<'_>]) -> Option<&'r str> {
    rules
        .iter()
        .filter_map(|rule| rule.severity.as_deref())
        .max_by_key(|severity| SEVERITIES.iter().position(|known| known == severity))
}

fn verdict(record: &EventRecord) -> &'static str {
    if record.killed() {
        "kill"
    } else if record.ret < 0 {
        "deny"
    } else {
        "allow"
    }
}

fn errno(record: &EventRecord) -> Option<String> {
    let number = record.errno()?;
    let name = u16::try_from(number).ok().and_then(catalogue::errno_name);
    Some(name.map_or_else(|| number.to_string(), str::to_owned))
}

/// String fields of the object; the subject's have a place of their own.
fn object_texts(record: &EventRecord) -> impl Iterator<Item = (FieldId, &Text)> {
    record
        .texts
        .iter()
        .map(|(field, text)| (*field, text))
        .filter(|(field, _)| !field.is_subject())
}

/// A record as a JSON object.
pub(crate) fn record_json(record: &EventRecord, rules: Option<&[RuleReport<'_>]>) -> Json {
    let shown = rules.unwrap_or_default();
    let mut fields = Map::new();
    for (field, text) in object_texts(record) {
        if let Some(value) = text_json(text) {
            fields.insert(field.name().to_owned(), value);
        }
    }
    for (field, value) in &record.values {
        if let Some(value) = value_json(*field, *value) {
            fields.insert(field.name().to_owned(), value);
        }
    }
    let mut json = json!({
        "schema": SCHEMA,
        "time": rfc3339(record.time),
        "hook": record.hook.name(),
        "verdict": verdict(record),
        "errno": errno(record),
        "unknown": record.unknown(),
        "severity": severity(shown),
        "message": shown.iter().find_map(|rule| rule.message.as_deref()),
        "rules": rules,
        "pid": record.pid,
        "tid": record.tid,
        "parent_pid": record.parent_pid,
        "uid": record.uid,
        "gid": record.gid,
        "euid": record.euid,
        "egid": record.egid,
        "auid": record.auid,
        "caps": number_json(FieldId::Caps, record.caps),
        "comm": bytes(&record.comm),
        "exe": record.exe().and_then(text_json),
        "parent.exe": record.parent_exe().and_then(text_json),
        "parent.comm": record.parent_comm.as_deref().map(bytes),
        "cgroup": record.text(FieldId::Cgroup).and_then(text_json),
        "containerized": record.containerized,
        "initial_mntns": record.initial_mntns,
        "fields": fields,
        "cgroup_id": record.cgroup_id,
        "cpu": record.cpu,
        "epoch": record.epoch,
    });
    if let (Some(strings), Json::Object(json)) = (&record.strings, &mut json) {
        json.extend(strings_json(strings));
    }
    json
}

/// What a program about to run is given.
fn strings_json(strings: &Strings) -> Map<String, Json> {
    let (arguments, environment) = match strings {
        Strings::Unknown => (None, None),
        Strings::Known {
            arguments,
            environment,
        } => (Some(arguments), Some(environment)),
    };
    let mut json = Map::new();
    for (name, list) in [("argv", arguments), ("envp", environment)] {
        let texts = list.map(|list| -> Vec<String> {
            list.strings.iter().map(|string| bytes(string)).collect()
        });
        json.insert(name.to_owned(), texts.into());
        json.insert(format!("{name}_cut"), list.map(|list| list.cut).into());
    }
    json
}

/// The same as words of a line; of the environment only how much of it is known.
fn strings_words(strings: &Strings) -> String {
    let Strings::Known {
        arguments,
        environment,
    } = strings
    else {
        return " argv=? envp=?".to_owned();
    };
    let more = |list: &List| if list.cut { "…" } else { "" };
    let words: Vec<String> = arguments
        .strings
        .iter()
        .map(|string| word(&bytes(string)))
        .collect();
    format!(
        " argv=[{}{}] envp=({}{})",
        words.join(","),
        more(arguments),
        environment.strings.len(),
        more(environment)
    )
}

/// A record as a line: what was decided, by which rule, who, on what.
pub(crate) fn record_line(
    record: &EventRecord,
    rules: Option<&[RuleReport<'_>]>,
    color: bool,
) -> String {
    let shown = rules.unwrap_or_default();
    let verdict = verdict(record);
    let style = match verdict {
        "allow" => Style::Green,
        _ => Style::Red,
    };
    let mut parts = vec![
        paint(color, Style::Dim, rfc3339(record.time)),
        paint(color, style, verdict),
    ];
    parts.extend(errno(record));
    parts.push(record.hook.name().to_owned());
    if let Some(severity) = severity(shown) {
        parts.push(format!("[{severity}]"));
    }
    let mut line = parts.join(" ");
    line.push(' ');
    line.push_str(&reasons(record, rules));
    let subject = [
        ("pid", record.pid.to_string()),
        ("uid", record.uid.to_string()),
        ("comm", word(&bytes(&record.comm))),
    ];
    line.push(' ');
    for (name, value) in subject {
        line.push_str(&format!(" {name}={value}"));
    }
    if record.euid != record.uid {
        line.push_str(&format!(" euid={}", record.euid));
    }
    for (name, text) in [("exe", record.exe()), ("parent.exe", record.parent_exe())] {
        if let Some(text) = text {
            line.push_str(&format!(" {name}={}", text_word(text)));
        }
    }
    for (field, text) in object_texts(record) {
        line.push_str(&format!(" {}={}", field.name(), text_word(text)));
    }
    for (field, value) in &record.values {
        line.push_str(&format!(" {}={}", field.name(), value_word(*field, *value)));
    }
    if let Some(strings) = &record.strings {
        line.push_str(&strings_words(strings));
    }
    line
}

/// The rules, where each stands, and what they say.
fn reasons(record: &EventRecord, rules: Option<&[RuleReport<'_>]>) -> String {
    let Some(rules) = rules else {
        return format!("(by a policy replaced since, epoch {})", record.epoch);
    };
    let mut texts: Vec<String> = rules
        .iter()
        .map(|rule| {
            let place = format!("{}:{}", rule.file, rule.line);
            let mut text = if rule.id.starts_with(&place) {
                rule.id.to_string()
            } else {
                format!("{} ({place})", rule.id)
            };
            if let Some(message) = &rule.message {
                text.push_str(": ");
                text.push_str(&super::text::harmless(message));
            }
            text
        })
        .collect();
    if record.unknown() {
        texts.push("something that matters could not be read".to_owned());
    }
    texts.join("; ")
}

/// What was lost, as a JSON object.
pub(crate) fn lost_json(lost: &Lost) -> Json {
    json!({ "lost": { "full": lost.full, "rate": lost.rate, "busy": lost.busy } })
}

/// A record that could not be read, as a JSON object.
pub(crate) fn damaged_json(why: &str) -> Json {
    json!({ "damaged": why })
}

/// What was lost, as a line.
pub(crate) fn lost_line(lost: &Lost, color: bool) -> String {
    let reasons = [
        (lost.full, "the buffer was full"),
        (lost.rate, "rate limit"),
        (lost.busy, "no slot was free"),
    ];
    let text: Vec<String> = reasons
        .into_iter()
        .filter(|(count, _)| *count != 0)
        .map(|(count, why)| format!("{count} ({why})"))
        .collect();
    paint(
        color,
        Style::Yellow,
        format!("records lost: {}", text.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsmpc_abi::hook::HookId;
    use lsmpc_abi::image::{OUTCOME_RECORD, OUTCOME_UNKNOWN};
    use lsmpc_runtime::events::Value;
    use std::time::{Duration, UNIX_EPOCH};

    fn record() -> EventRecord {
        EventRecord {
            hook: HookId::FileOpen,
            boot_time: 5,
            time: UNIX_EPOCH + Duration::new(1_772_356_447, 512_933_000),
            epoch: 4,
            outcome: 2,
            ret: -1,
            flags: OUTCOME_RECORD,
            pid: 4711,
            tid: 4711,
            uid: 1000,
            gid: 0,
            euid: 0,
            egid: 0,
            parent_pid: None,
            cpu: 1,
            comm: b"ca\x1bt".to_vec(),
            cgroup_id: 2817,
            caps: 1 << 21,
            parent_comm: Some(b"bash".to_vec()),
            auid: u32::MAX,
            containerized: Some(false),
            initial_mntns: None,
            values: vec![
                (FieldId::Access, Value::Number(3)),
                (FieldId::FileMode, Value::Number(0o640)),
                (FieldId::FileUid, Value::Unknown),
            ],
            texts: vec![
                (FieldId::Exe, Text::Known(b"/usr/bin/cat".to_vec())),
                (FieldId::ParentExe, Text::Unknown),
                (FieldId::Path, Text::Known(b"/tmp/a b".to_vec())),
                (FieldId::NewPath, Text::None),
                (FieldId::Cgroup, Text::Known(b"/system.slice/a".to_vec())),
            ],
            strings: None,
        }
    }

    fn rule(id: &str, severity: &str) -> RuleReport<'static> {
        RuleReport {
            id: id.to_owned().into(),
            file: "policy.lsmp".into(),
            line: 3,
            column: 1,
            kind: "deny".into(),
            message: Some("password \u{1b}hashes".into()),
            severity: Some(severity.to_owned().into()),
            tags: Vec::new().into(),
            reference: None,
        }
    }

    #[test]
    fn lines() {
        let rules = [rule("shadow", "low"), rule("policy.lsmp:3", "high")];
        assert_eq!(
            record_line(&record(), Some(&rules), false),
            "2026-03-01T09:14:07.512933Z deny EPERM file_open [high] \
             shadow (policy.lsmp:3): password \\u{1b}hashes; \
             policy.lsmp:3: password \\u{1b}hashes  \
             pid=4711 uid=1000 comm=\"ca\\u{1b}t\" euid=0 exe=/usr/bin/cat parent.exe=? \
             path=\"/tmp/a b\" new_path=- access=[read,write] file.mode=0o640 file.uid=?"
        );
        let mut doubtful = record();
        doubtful.flags |= OUTCOME_UNKNOWN;
        assert!(record_line(&doubtful, Some(&[]), false).contains("could not be read"));
        assert!(record_line(&record(), None, false).contains("replaced since, epoch 4"));
        assert!(record_line(&record(), None, true).contains("\u{1b}[1;31mdeny"));
        let lost = Lost {
            full: 2,
            rate: 0,
            busy: 1,
        };
        assert_eq!(
            lost_line(&lost, false),
            "records lost: 2 (the buffer was full), 1 (no slot was free)"
        );
    }

    #[test]
    fn objects() {
        let json = record_json(&record(), Some(&[rule("shadow", "critical")]));
        assert_eq!(json["verdict"], "deny");
        assert_eq!(json["errno"], "EPERM");
        assert_eq!(json["severity"], "critical");
        assert_eq!(json["rules"][0]["id"], "shadow");
        assert_eq!(json["exe"], "/usr/bin/cat");
        assert_eq!(json["caps"], json!(["CAP_SYS_ADMIN"]));
        assert_eq!(json["parent.comm"], "bash");
        assert_eq!(json["cgroup"], "/system.slice/a");
        assert_eq!(json["containerized"], false);
        assert_eq!(json["initial_mntns"], Json::Null);
        assert_eq!(json["fields"]["path"], "/tmp/a b");
        assert_eq!(json["fields"]["access"], json!(["read", "write"]));
        assert_eq!(json["fields"]["new_path"], Json::Null);
        assert!(json["fields"].get("file.uid").is_none());
        assert!(record_json(&record(), None)["rules"].is_null());
    }

    fn execution(arguments: List) -> EventRecord {
        let environment = List {
            strings: vec![b"HOME=/root".to_vec(), b"LD_PRELOAD=/tmp/x\xff".to_vec()],
            cut: false,
        };
        EventRecord {
            hook: HookId::BprmCheckSecurity,
            strings: Some(Box::new(Strings::Known {
                arguments,
                environment,
            })),
            ..record()
        }
    }

    #[test]
    fn executions() {
        let arguments = List {
            strings: vec![b"sh".to_vec(), b"-c".to_vec(), b"rm -\x1b".to_vec()],
            cut: true,
        };
        let mut record = execution(arguments);
        let line = record_line(&record, Some(&[]), false);
        let end = " argv=[sh,-c,\"rm -\\u{1b}\"…] envp=(2)";
        assert!(line.ends_with(end), "{line}");
        let json = record_json(&record, Some(&[]));
        assert_eq!(json["argv"], json!(["sh", "-c", "rm -\u{1b}"]));
        assert_eq!(json["argv_cut"], true);
        assert_eq!(json["envp"][0], "HOME=/root");
        assert_eq!(
            json["envp"][1],
            "bytes:4c445f5052454c4f41443d2f746d702f78ff"
        );
        assert_eq!(json["envp_cut"], false);

        record.strings = Some(Box::new(Strings::Unknown));
        assert!(record_line(&record, Some(&[]), false).ends_with(" argv=? envp=?"));
        let json = record_json(&record, Some(&[]));
        for key in ["argv", "argv_cut", "envp", "envp_cut"] {
            assert!(json[key].is_null(), "{key}");
        }
    }

    #[test]
    fn records_are_valid_by_their_schema() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/events.schema.json");
        let schema: Json = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let version = &schema["$defs"]["record"]["properties"]["schema"]["const"];
        assert_eq!(version, SCHEMA);
        let validator = jsonschema::validator_for(&schema).unwrap();
        let valid = |json: &Json| {
            let errors: Vec<_> = validator.iter_errors(json).collect();
            assert!(errors.is_empty(), "{errors:?}: {json}");
        };
        let rules = [rule("shadow", "low")];
        let mut killed = record();
        killed.flags |= lsmpc_abi::image::OUTCOME_KILL;
        let mut unread = execution(List::default());
        unread.strings = Some(Box::new(Strings::Unknown));
        for record in [record(), execution(List::default()), killed, unread] {
            valid(&record_json(&record, Some(&rules)));
            valid(&record_json(&record, None));
        }
        valid(&lost_json(&Lost {
            full: 1,
            rate: 0,
            busy: 2,
        }));
        valid(&damaged_json("it ends early"));
        // Which says what is wrong, too.
        let good = record_json(&record(), None);
        for (key, bad) in [
            ("hook", json!("file_opened")),
            ("verdict", json!("denied")),
            ("argv", json!(["only an execution has arguments"])),
            ("errno", Json::Null),
            ("pid", json!("1")),
            ("schema", json!(2)),
        ] {
            let mut json = good.clone();
            json[key] = bad;
            assert!(!validator.is_valid(&json), "{key}");
        }
        for key in ["time", "rules", "exe", "fields"] {
            let mut json = good.clone();
            json.as_object_mut().unwrap().remove(key);
            assert!(!validator.is_valid(&json), "{key}");
        }
    }
}
