//! Ratios of one run: what is said about costs elsewhere, with its figures.

use serde_json::{Value, json};

use super::rows::Rows;
use crate::table::Table;

/// One number of a run.
struct Figure {
    group: &'static str,
    series: &'static str,
    rules: u64,
    key: &'static str,
    /// What is taken off, of the same group and key.
    less: Option<&'static str>,
}

/// A cost of an open over nothing attached.
const fn open(series: &'static str, rules: u64) -> Figure {
    Figure {
        group: "open",
        series,
        rules,
        key: "over_nothing",
        less: None,
    }
}

impl Figure {
    fn of(&self, rows: &Rows) -> Option<f64> {
        let one = rows.value(self.group, self.series, self.rules, self.key)?;
        let less = match self.less {
            Some(series) => rows.value(self.group, series, self.rules, self.key)?,
            None => 0.0,
        };
        Some(one - less)
    }
}

/// One figure over another.
struct Claim {
    says: &'static str,
    over: Figure,
    under: Figure,
}

const CLAIMS: [Claim; 19] = [
    Claim {
        says: "10 000 path rules about another program / an empty program",
        over: open("not concerned", 10_000),
        under: open("empty", 0),
    },
    Claim {
        says: "a rule about another program / an empty program",
        over: open("other program", 1),
        under: open("empty", 0),
    },
    Claim {
        says: "10 000 path rules / asking for the path (d_path)",
        over: open("lsmpc", 10_000),
        under: open("path_only", 0),
    },
    Claim {
        says: "the same, after a rename elsewhere",
        over: open("lsmpc renamed", 10_000),
        under: open("path_only", 0),
    },
    Claim {
        says: "the same, directory not known",
        over: open("lsmpc cold", 10_000),
        under: open("path_only", 0),
    },
    Claim {
        says: "4 000 path rules about this program / AppArmor, 4 000 rules",
        over: open("program", 4_000),
        under: open("apparmor", 4_000),
    },
    Claim {
        says: "the same, after a rename elsewhere",
        over: open("program renamed", 4_000),
        under: open("apparmor", 4_000),
    },
    Claim {
        says: "the same, directory not known",
        over: open("program cold", 4_000),
        under: open("apparmor", 4_000),
    },
    Claim {
        says: "100 000 path rules / 100",
        over: open("lsmpc", 100_000),
        under: open("lsmpc", 100),
    },
    Claim {
        says: "the same, directory not known",
        over: open("lsmpc cold", 100_000),
        under: open("lsmpc cold", 100),
    },
    Claim {
        says: "comparing with 10 000 rules / 10 000 path rules",
        over: open("linear", 10_000),
        under: open("lsmpc", 10_000),
    },
    Claim {
        says: "the same, directory not known",
        over: open("linear", 10_000),
        under: open("lsmpc cold", 10_000),
    },
    Claim {
        says: "a record / as many bytes put into a ring buffer by a bare program",
        over: Figure {
            group: "record",
            series: "audit",
            rules: 1,
            key: "over_nothing",
            less: Some("decided"),
        },
        under: Figure {
            group: "record",
            series: "bare",
            rules: 0,
            key: "over_nothing",
            less: None,
        },
    },
    Claim {
        says: "opens with a record per time / with a bare program's",
        over: Figure {
            group: "record",
            series: "bare",
            rules: 0,
            key: "instructions",
            less: None,
        },
        under: Figure {
            group: "record",
            series: "audit",
            rules: 1,
            key: "instructions",
            less: None,
        },
    },
    Claim {
        says: "another's open during a flood of denials / before",
        over: flood("during"),
        under: flood("before"),
    },
    Claim {
        says: "a swap's commit / a bare update of the map, 10 000 rules",
        over: swap("commit", "microseconds"),
        under: swap("bare", "microseconds"),
    },
    Claim {
        says: "the same, without waiting",
        over: swap("commit", "without_waiting"),
        under: swap("bare", "without_waiting"),
    },
    Claim {
        says: "stat(2), 10 000 rules / an empty program",
        over: call("stat", "lsmpc", 10_000),
        under: call("stat", "empty", 0),
    },
    Claim {
        says: "connect(2), 10 000 rules / an empty program",
        over: call("connect", "lsmpc", 10_000),
        under: call("connect", "empty", 0),
    },
];

const fn call(group: &'static str, series: &'static str, rules: u64) -> Figure {
    Figure {
        group,
        series,
        rules,
        key: "over_nothing",
        less: None,
    }
}

const fn flood(series: &'static str) -> Figure {
    Figure {
        group: "flood",
        series,
        rules: 1,
        key: "instructions",
        less: None,
    }
}

const fn swap(series: &'static str, key: &'static str) -> Figure {
    Figure {
        group: "swap",
        series,
        rules: 10_000,
        key,
        less: None,
    }
}

/// The claims of which both figures were counted.
fn known(rows: &Rows) -> impl Iterator<Item = (&'static str, f64, f64)> {
    CLAIMS.iter().filter_map(|claim| {
        let [over, under] = [claim.over.of(rows)?, claim.under.of(rows)?];
        Some((claim.says, over, under))
    })
}

/// A table of ratios; nothing if there are none.
pub(crate) fn table(rows: &Rows) -> String {
    let mut table = Table::new(&["compared", "this", "with this", "ratio"]);
    let mut claims = known(rows).peekable();
    if claims.peek().is_none() {
        return String::new();
    }
    for (says, over, under) in claims {
        table.row(vec![
            says.to_owned(),
            shown(over),
            shown(under),
            format!("{:.2}", over / under),
        ]);
    }
    table.markdown()
}

/// Without digits that say nothing.
fn shown(figure: f64) -> String {
    if figure.fract() == 0.0 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.1}")
    }
}

/// The same for machines.
pub(crate) fn values(rows: &Rows) -> impl Iterator<Item = Value> {
    known(rows).map(|(says, over, under)| {
        json!({ "claim": says, "this": over, "with_this": under, "ratio": over / under })
    })
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn ratios_are_of_rows_that_are_there() {
        let values = [
            row("open", "nothing", 0, 0),
            row("open", "empty", 0, 200),
            row("open", "not concerned", 10_000, 300),
            row("record", "audit", 1, 3_000),
            row("record", "decided", 1, 1_000),
            row("record", "bare", 0, 500),
        ];
        let rows = Rows::new(&values, &[]);
        let claims: Vec<Value> = super::values(&rows).collect();
        let ratios: Vec<f64> = claims
            .iter()
            .filter_map(|claim| claim["ratio"].as_f64())
            .collect();
        assert_eq!(ratios[..2], [1.5, 4.0]);
        assert_eq!(ratios.len(), 3);
        assert!(table(&rows).contains("|  300 |       200 |  1.50 |"));
        assert!(table(&Rows::new(&[], &[])).is_empty());
    }
}
