//! `lsmpc check --format sarif`: valid by the format's own schema, and saying the
//! same as JSON.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{Place, snapshot};

fn log(output: &[u8]) -> Value {
    let text = str::from_utf8(output).unwrap();
    assert_eq!(text.lines().count(), 1);
    serde_json::from_str(text).unwrap()
}

#[test]
fn sarif() {
    let place = Place::new();
    let output = place.run(&["check", "--format", "sarif", "bad.lsmp"]);
    assert_eq!(output.status.code(), Some(1));
    let mut log = log(&output.stdout);
    // Pages of codes have a test of their own.
    for rule in log["runs"][0]["tool"]["driver"]["rules"]
        .as_array_mut()
        .unwrap()
    {
        let help = rule["help"].as_object_mut().unwrap();
        assert_eq!(help["text"], help["markdown"]);
        assert!(help.remove("markdown").unwrap().as_str().unwrap().len() > 40);
        help["text"] = "…".into();
    }
    log["runs"][0]["tool"]["driver"]["semanticVersion"] = "…".into();
    snapshot!("sarif", serde_json::to_string_pretty(&log).unwrap());
}

#[test]
fn sarif_of_good_policies_and_missing_files() {
    let place = Place::new();
    let good = place.run(&["check", "--format", "sarif", "--stats", "good.lsmp"]);
    assert_eq!(good.status.code(), Some(0));
    let good = log(&good.stdout);
    let run = &good["runs"][0];
    assert_eq!(run["results"], serde_json::json!([]));
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    assert_eq!(run["artifacts"][0]["location"]["uri"], "good.lsmp");
    assert!(run["properties"]["stats"]["bytes"].as_u64() > Some(0));
    // An absolute path below the directory is relative to it.
    let path = place.0.path().canonicalize().unwrap().join("good.lsmp");
    let arguments = ["check", "--format", "sarif", path.to_str().unwrap()];
    let absolute = log(&place.run(&arguments).stdout);
    assert_eq!(
        absolute["runs"][0]["artifacts"][0]["location"]["uri"],
        "good.lsmp"
    );

    let missing = place.run(&["check", "--format", "sarif", "missing.lsmp"]);
    assert_eq!(missing.status.code(), Some(2));
    let missing = log(&missing.stdout);
    let run = &missing["runs"][0];
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(run["results"][0]["ruleId"], "LSMP0020");
    assert_eq!(run["results"][0]["locations"], serde_json::json!([]));
    valid(&validator(), &good, "good");
    valid(&validator(), &missing, "missing");
}

fn validator() -> jsonschema::Validator {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema = fs::read(root.join("tests/schemas/sarif-2.1.0.json")).unwrap();
    let mut schema: Value = serde_json::from_slice(&schema).unwrap();
    // One pattern is no regular expression of its dialect (`]?`); it is about a
    // property that is not written.
    for definition in ["run", "toolComponent"] {
        let language = &mut schema["definitions"][definition]["properties"]["language"];
        assert!(
            language
                .as_object_mut()
                .unwrap()
                .remove("pattern")
                .is_some()
        );
    }
    jsonschema::validator_for(&schema).unwrap()
}

fn valid(validator: &jsonschema::Validator, log: &Value, name: &str) {
    let errors: Vec<String> = validator
        .iter_errors(log)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{name}: {}", errors.join("\n"));
}

/// One result of a log, as the line that JSON has for it.
fn as_json(result: &Value) -> Value {
    let place = |location: &Value, text: &str| {
        let place = &location["physicalLocation"];
        let region = &place["region"];
        serde_json::json!({
            "file": place["artifactLocation"]["uri"],
            "line": region["startLine"],
            "column": region["startColumn"],
            "end_line": region["endLine"],
            "end_column": region["endColumn"],
            text: location["message"]["text"],
        })
    };
    let related = result["relatedLocations"].as_array();
    let labels: Vec<Value> = related
        .into_iter()
        .flatten()
        .map(|location| place(location, "text"))
        .collect();
    let mut json = place(&result["locations"][0], "label");
    json["code"] = result["ruleId"].clone();
    json["severity"] = match result["level"].as_str().unwrap() {
        "note" => "hint".into(),
        level => level.into(),
    };
    json["labels"] = labels.into();
    json
}

#[test]
fn sarif_is_valid_and_says_the_same_as_json() {
    let validator = validator();
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/err");
    let mut results = 0;
    let mut names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in names {
        let file = match name.strip_suffix(".lsmp") {
            Some(_) => name.clone(),
            None => format!("{name}/main.lsmp"),
        };
        let run = |format: &str| {
            Command::new(env!("CARGO_BIN_EXE_lsmpc"))
                .current_dir(&directory)
                .args(["check", "--strict", "--format", format, &file])
                .output()
                .unwrap()
                .stdout
        };
        let log = log(&run("sarif"));
        valid(&validator, &log, &name);
        let run_object = &log["runs"][0];
        let rules = &run_object["tool"]["driver"]["rules"];
        let json = String::from_utf8(run("json")).unwrap();
        let mut lines = json.lines();
        for result in run_object["results"].as_array().unwrap() {
            let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
            assert_eq!(rule["id"], result["ruleId"]);
            let mut line: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
            let object = line.as_object_mut().unwrap();
            let message = object.remove("message").unwrap();
            let text = result["message"]["text"].as_str().unwrap();
            assert!(text.starts_with(message.as_str().unwrap()));
            for part in ["help", "notes"] {
                object.remove(part);
            }
            assert_eq!(as_json(result), line, "{name}");
            results += 1;
        }
        assert_eq!(lines.next(), None);
    }
    assert!(results > 80, "{results}");
}
