//! The product's own statements as Postgres ran them, with what they touched: what `auto_explain` writes to the log.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read as _, Seek as _, SeekFrom},
    path::PathBuf,
};

use serde::Serialize;
use serde_json::Value;

use crate::{Failure, statistics::quantile};

/// Settings of the server; the rest is switched on when it is wanted.
pub(super) const SETTINGS: [(&str, &str); 7] = [
    ("session_preload_libraries", "auto_explain"),
    ("auto_explain.log_analyze", "on"),
    ("auto_explain.log_buffers", "on"),
    ("auto_explain.log_timing", "off"),
    ("auto_explain.log_nested_statements", "on"),
    ("auto_explain.log_format", "json"),
    ("log_line_prefix", "%q%u|"),
];
/// The role of the gateway.
const ROLE: &str = "shouwen_ownership|";

/// A log, read from where the last reading ended.
pub(super) struct Log {
    file: PathBuf,
    read: u64,
}

impl Log {
    pub(super) fn of(file: PathBuf) -> Self {
        Self { file, read: 0 }
    }

    /// What was explained since the last reading.
    pub(super) fn next(&mut self) -> Result<Vec<Explained>, Failure> {
        let mut file = File::open(&self.file)?;
        file.seek(SeekFrom::Start(self.read))?;
        let mut text = String::new();
        self.read += file.read_to_string(&mut text)? as u64;
        let mut explained = Vec::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if !(line.starts_with(ROLE) && line.ends_with("plan:")) {
                continue;
            }
            let mut json = String::new();
            while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
                json.push_str(more);
                json.push('\n');
            }
            explained.push(serde_json::from_str(&json)?);
        }
        Ok(explained)
    }
}

/// An execution of a statement.
#[derive(serde::Deserialize)]
pub(super) struct Explained {
    #[serde(rename = "Query Text")]
    query: String,
    #[serde(rename = "Plan")]
    plan: Value,
}

/// A statement of an operation.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Statement {
    pub(super) query: String,
    /// Executions per operation.
    pub(super) executions: f64,
    /// Median of the shared buffers that an execution touched.
    pub(super) buffers: f64,
    /// Median of its descents of indexes.
    pub(super) descents: f64,
    /// The most frequent shape of its plan.
    pub(super) shape: String,
}

/// The statements of so many operations, without those of whatever else the gateway did meanwhile: what does not come with every second operation.
pub(super) fn statements(
    explained: &[Explained],
    operations: usize,
    indexes: &BTreeMap<String, f64>,
) -> Vec<Statement> {
    let mut by_query: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    // Of a batch's two functions the statements inside count: the call holds what those touched once more.
    for one in explained.iter().filter(|one| !one.query.contains("_batch($")) {
        by_query.entry(&one.query).or_default().push(&one.plan);
    }
    by_query
        .into_iter()
        .filter(|(_, plans)| 2 * plans.len() >= operations)
        .map(|(query, plans)| {
            let median = |value: &dyn Fn(&Value) -> f64| {
                quantile(&mut plans.iter().map(|plan| value(plan)).collect::<Vec<_>>(), 0.5)
            };
            let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
            for plan in &plans {
                *shapes.entry(shape(plan)).or_default() += 1;
            }
            Statement {
                query: query.split_whitespace().collect::<Vec<_>>().join(" "),
                executions: plans.len() as f64 / operations as f64,
                buffers: median(&buffers),
                descents: median(&|plan| descents(plan, indexes)),
                shape: shapes.into_iter().max_by_key(|(_, times)| *times).unwrap_or_default().0,
            }
        })
        .collect()
}

/// Shared buffers that a node and all below it touched.
fn buffers(plan: &Value) -> f64 {
    number(plan, "Shared Hit Blocks") + number(plan, "Shared Read Blocks")
}

/// How often a plan went down an index: to find, and to put in a new row.
fn descents(plan: &Value, indexes: &BTreeMap<String, f64>) -> f64 {
    let loops = number(plan, "Actual Loops");
    let own = match text(plan, "Node Type") {
        "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => {
            // Every element of an array is looked up by itself: of a claim, the contact and its case.
            let elements = if text(plan, "Index Cond").contains("ANY (") {
                number(plan, "Actual Rows").max(2.0)
            } else {
                1.0
            };
            loops * elements
        }
        "ModifyTable" if text(plan, "Operation") == "Insert" => {
            let rows: f64 = children(plan)
                .map(|child| number(child, "Actual Rows") * number(child, "Actual Loops"))
                .sum();
            // Where a conflict is possible, it is looked for first.
            let arbiters = plan["Conflict Arbiter Indexes"].as_array().map_or(0, Vec::len) as f64;
            rows * (indexes.get(text(plan, "Relation Name")).copied().unwrap_or_default() + arbiters)
        }
        _ => 0.0,
    };
    own + children(plan).map(|child| descents(child, indexes)).sum::<f64>()
}

/// Kinds of nodes and what they read, of those that were executed. Partitions are alike, however many there are.
fn shape(plan: &Value) -> String {
    let kind = match text(plan, "Node Type") {
        "ModifyTable" => text(plan, "Operation"),
        kind => kind,
    };
    let of = [text(plan, "Index Name"), text(plan, "Relation Name"), text(plan, "CTE Name")];
    let of = of.into_iter().find(|of| !of.is_empty()).map(|of| format!(" {}", without_range(of)));
    let mut below: Vec<String> =
        children(plan).filter(|child| number(child, "Actual Loops") > 0.0).map(shape).collect();
    below.dedup();
    let below = if below.is_empty() { String::new() } else { format!("({})", below.join(", ")) };
    format!("{kind}{}{below}", of.unwrap_or_default())
}

/// A name without the number of a range of the ledger.
fn without_range(name: &str) -> String {
    match name.strip_prefix("ledger_") {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => {
            format!("ledger{}", rest.trim_start_matches(|c: char| c.is_ascii_digit()))
        }
        _ => name.to_owned(),
    }
}

fn children(plan: &Value) -> impl Iterator<Item = &Value> {
    plan["Plans"].as_array().into_iter().flatten()
}

fn text<'a>(plan: &'a Value, field: &str) -> &'a str {
    plan[field].as_str().unwrap_or_default()
}

fn number(plan: &Value, field: &str) -> f64 {
    plan[field].as_f64().unwrap_or_default()
}
