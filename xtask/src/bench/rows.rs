//! What a guest hands out, and how it is shown: a table for each group of rows.

use serde_json::{Map, Value};

use crate::table::Table;

/// Columns that are for machines.
const HIDDEN: [&str; 3] = ["group", "series", "rules"];

/// Groups in the order in which they are shown, and what their tables are about.
const GROUPS: [(&str, &str); 7] = [
    ("open", "Opening and closing a file, instructions"),
    ("stat", "stat(2), rules on `inode_getattr`, instructions"),
    (
        "connect",
        "connect(2) of a UDP socket, rules about ports on `socket_connect`, instructions",
    ),
    (
        "exec",
        "Starting the smallest program and waiting for its end, rules on \
         `bprm_check_security`, instructions",
    ),
    (
        "record",
        "Opening and closing a file, with a record of it, instructions",
    ),
    (
        "flood",
        "Opening and closing a file while the processor is the program's own, instructions",
    ),
    (
        "swap",
        "Loading and swapping policies by the guest's clock, waiting included",
    ),
];

/// The rows of one guest or of several.
pub(crate) struct Rows(Vec<Map<String, Value>>);

impl Rows {
    /// Those of a guest, and the one of a guest without AppArmor.
    pub(crate) fn new(values: &[Value], bare: &[Value]) -> Self {
        let rows = |values: &[Value]| -> Vec<Map<String, Value>> {
            let objects = values.iter().filter_map(Value::as_object);
            objects
                .filter(|row| row.contains_key("row"))
                .cloned()
                .collect()
        };
        let mut all = Self(rows(values));
        let nothing = all.value("open", "nothing", 0, "instructions");
        for mut row in rows(bare) {
            if let (Some(nothing), Some(one)) = (nothing, row["instructions"].as_i64()) {
                row.insert("over_nothing".into(), (one - nothing as i64).into());
            }
            all.0.insert(0, row);
        }
        all
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All rows, for machines.
    pub(crate) fn values(&self) -> impl Iterator<Item = Value> {
        self.0.iter().cloned().map(Value::Object)
    }

    /// What a row says under a key.
    pub(crate) fn value(&self, group: &str, series: &str, rules: u64, key: &str) -> Option<f64> {
        self.0
            .iter()
            .find(|row| row["group"] == group && is_point(row, series) && row["rules"] == rules)
            .and_then(|row| row.get(key)?.as_f64())
    }

    /// The curve of a series: numbers of rules, and what an open costs over nothing.
    pub(crate) fn curve(&self, series: &str) -> Vec<(f64, f64)> {
        let point = |row: &Map<String, Value>| {
            Some((row["rules"].as_f64()?, row.get("over_nothing")?.as_f64()?))
        };
        let rows = self.0.iter().filter(|row| row["group"] == "open");
        let points = rows.filter(|row| is_point(row, series));
        points.filter_map(point).collect()
    }

    /// A table of each group.
    pub(crate) fn tables(&self) -> String {
        let mut text = String::new();
        for (group, about) in GROUPS {
            let rows = || self.0.iter().filter(|row| row["group"] == group);
            if rows().next().is_some() {
                text += &format!("{about}:\n\n{}\n", table(rows()));
            }
        }
        text
    }
}

fn is_point(row: &Map<String, Value>, series: &str) -> bool {
    row.get("series").is_some_and(|value| value == series)
}

/// Rows as a table, in the order in which keys appear.
fn table<'a>(rows: impl Iterator<Item = &'a Map<String, Value>> + Clone) -> String {
    let mut columns: Vec<&str> = Vec::new();
    for row in rows.clone() {
        for key in row.keys() {
            if !columns.contains(&key.as_str()) && !HIDDEN.contains(&key.as_str()) {
                columns.push(key);
            }
        }
    }
    let titles: Vec<String> = columns
        .iter()
        .map(|column| column.replace('_', " "))
        .collect();
    let mut table = Table::new(&titles);
    for row in rows {
        let cell = |column: &&str| match row.get(*column) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        table.row(columns.iter().map(cell).collect());
    }
    table.markdown()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// One row.
    pub(in crate::bench) fn row(group: &str, series: &str, rules: u64, over: i64) -> Value {
        json!({
            "group": group, "row": format!("{series} {rules}"), "series": series,
            "rules": rules, "instructions": 9000 + over, "over_nothing": over,
        })
    }

    #[test]
    fn rows_become_tables() {
        let values = [
            json!({"suite": "bench"}),
            row("open", "nothing", 0, 0),
            row("open", "lsmpc", 10, 70),
            json!({"group": "swap", "row": "a swap", "microseconds": 1.5}),
        ];
        let bare = [row("open", "bare", 0, -150)];
        let rows = Rows::new(&values, &bare);
        let expected = "\
Opening and closing a file, instructions:

| row       | instructions | over nothing |
| --------- | -----------: | -----------: |
| bare 0    |         8850 |         -150 |
| nothing 0 |         9000 |            0 |
| lsmpc 10  |         9070 |           70 |

Loading and swapping policies by the guest's clock, waiting included:

| row    | microseconds |
| ------ | -----------: |
| a swap |          1.5 |

";
        assert_eq!(rows.tables(), expected);
        assert_eq!(rows.curve("lsmpc"), [(10.0, 70.0)]);
    }
}
