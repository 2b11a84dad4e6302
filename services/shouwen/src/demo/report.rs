//! The branch's report: what the month amounted to, in Chinese and English, whether it agrees with the second opinion, and what of the input could
//! not be used. It is printed and written to files; it counts nothing itself.

mod layout;
mod sections;

use std::{collections::BTreeMap, fmt, fs, io, path::Path, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    DemoError, Difference,
    input::{Input, RejectedLine},
    progress::local,
    timeline,
};
use layout::heading;

/// How many rejected lines, and how many differences of single lines, are printed; the files have all.
const SHOWN: usize = 20;

/// What came of a month.
#[derive(Debug)]
pub(crate) struct Report {
    /// The figures, with the keys of `expected.json`.
    pub figures: Value,
    /// Where the product differs from the second opinion or from the files; figures first.
    pub differences: Vec<Difference>,
    /// Invariants that do not hold, a sentence each.
    pub broken_invariants: Vec<String>,
    /// Further checks by name, with what they found or what is wrong. The caller adds them.
    pub extra: Vec<(String, Result<String, String>)>,
    /// Lines of the input that were not used.
    pub rejected: Vec<RejectedLine>,
    notes: Vec<String>,
    used_lines: usize,
    compared: Compared,
    names: BTreeMap<String, String>,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    took: Duration,
}

/// With what the figures were compared.
#[derive(Debug)]
pub(super) enum Compared {
    /// Where its figures come from, and they.
    With(String, Value),
    /// With nothing, and why.
    Not(String),
}

impl Report {
    pub(super) fn new(
        input: Input,
        figures: Value,
        differences: Vec<Difference>,
        broken_invariants: Vec<String>,
        compared: Compared,
        took: Duration,
    ) -> Self {
        let steps = timeline::steps(&input);
        let time = |step: Option<&timeline::Step<'_>>| step.map_or(DateTime::UNIX_EPOCH, |step| step.at);
        let (from, to) = (time(steps.first()), time(steps.last()));
        Self {
            figures,
            differences,
            broken_invariants,
            extra: Vec::new(),
            used_lines: input.used_lines(),
            names: input.employees.into_iter().map(|employee| (employee.id, employee.display_name)).collect(),
            rejected: input.rejected,
            notes: input.notes,
            compared,
            from,
            to,
            took,
        }
    }

    /// Whether the product says what it must say, and nothing is broken. Rejected lines of the input do not count against it.
    pub(crate) fn passed(&self) -> bool {
        self.differences.is_empty()
            && self.broken_invariants.is_empty()
            && self.extra.iter().all(|(_, found)| found.is_ok())
    }

    /// Writes `report.txt`, `report.json`, `report.csv` and `rejected.csv` into a folder, which is made if need be.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), DemoError> {
        let failed = |path: &Path, error| DemoError::Output { path: path.to_owned(), error };
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let json = format!("{:#}\n", self.json());
        let files = [
            ("report.txt", self.to_string().into_bytes()),
            ("report.json", json.into_bytes()),
            ("report.csv", self.figures_csv().map_err(|error| failed(folder, error))?),
            ("rejected.csv", self.rejected_csv().map_err(|error| failed(folder, error))?),
        ];
        for (name, content) in files {
            let path = folder.join(name);
            fs::write(&path, content).map_err(|error| failed(&path, error))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let extra = self.extra.iter().map(|(name, found)| match found {
            Ok(found) => json!({"check": name, "passed": true, "found": found}),
            Err(wrong) => json!({"check": name, "passed": false, "found": wrong}),
        });
        let compared = match &self.compared {
            Compared::With(source, _) => json!({"with": source}),
            Compared::Not(why) => json!({"not": why}),
        };
        json!({
            "passed": self.passed(),
            "from": self.from.to_rfc3339(),
            "to": self.to.to_rfc3339(),
            "figures": self.figures,
            "compared": compared,
            "differences": self.differences,
            "broken_invariants": self.broken_invariants,
            "checks": extra.collect::<Vec<_>>(),
            "lines": {"used": self.used_lines, "rejected": self.rejected.len()},
            "notes": self.notes,
        })
    }

    /// Every figure in a line of its own, with what was expected where something was.
    fn figures_csv(&self) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
        writer.write_record(["figure", "value", "expected"])?;
        let expected = match &self.compared {
            Compared::With(_, expected) => expected,
            Compared::Not(_) => &Value::Null,
        };
        let mut lines = Vec::new();
        flat(String::new(), &self.figures, Some(expected), &mut lines);
        for [figure, value, expected] in &lines {
            writer.write_record([figure, value, expected])?;
        }
        writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }

    /// With a byte order mark, so that spreadsheets read the Chinese in it.
    fn rejected_csv(&self) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
        writer.write_record(["file", "line", "column", "reason", "remedy"])?;
        for line in &self.rejected {
            let number = line.line.to_string();
            writer.write_record([line.file, &number, &line.column, &line.reason, &line.remedy])?;
        }
        writer.into_inner().map_err(csv::IntoInnerError::into_error)
    }

    /// The figure at a path of keys.
    fn figure(&self, path: &str) -> i64 {
        let found = path.split('.').try_fold(&self.figures, |value, key| value.get(key));
        found.and_then(Value::as_i64).unwrap_or_default()
    }

    fn cells<'l>(&self, group: &str, labels: &[(&'l str, &str)]) -> Vec<(&'l str, String)> {
        labels
            .iter()
            .map(|(label, key)| (*label, self.figure(&format!("{group}{key}")).to_string()))
            .collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = |time| local(time).format("%Y-%m-%d");
        writeln!(f, "营业部首问负责制月报 · First-responder report of the branch")?;
        writeln!(f, "{} — {}", day(self.from), day(self.to))?;
        self.contacts(f)?;
        self.ownership(f)?;
        self.limits(f)?;
        self.satisfaction(f)?;
        self.complaints(f)?;
        self.clients(f)?;
        self.people(f)?;
        self.input(f)?;
        self.checks(f)
    }
}

impl Report {
    fn input(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rejected.is_empty() && self.notes.is_empty() {
            return Ok(());
        }
        heading(f, "输入", "Input")?;
        for note in &self.notes {
            writeln!(f, "  {note}")?;
        }
        if self.rejected.is_empty() {
            return Ok(());
        }
        let (used, rejected) = (self.used_lines, self.rejected.len());
        writeln!(f, "  采用 {used} 行，拒绝 {rejected} 行 · {used} lines used, {rejected} rejected:")?;
        for line in self.rejected.iter().take(SHOWN) {
            writeln!(f, "    {line}")?;
        }
        if rejected > SHOWN {
            writeln!(
                f,
                "    … {} 行见 rejected.csv · {} more in rejected.csv",
                rejected - SHOWN,
                rejected - SHOWN
            )?;
        }
        Ok(())
    }

    fn checks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "核对", "Checks")?;
        let mark = |good| if good { "✓" } else { "✗" };
        match &self.compared {
            Compared::With(source, _) => {
                let agree = self.differences.is_empty();
                writeln!(f, "  {} 数字与独立计算核对 · figures against {source}", mark(agree))?;
            }
            Compared::Not(why) => writeln!(f, "  – 数字未核对 · figures not compared: {why}")?,
        }
        for difference in self.differences.iter().take(SHOWN) {
            writeln!(f, "    {difference}")?;
        }
        if let Some(more) = self.differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
            writeln!(f, "    … 另有 {more} 处 · {more} more, all in report.json")?;
        }
        writeln!(f, "  {} 不变量 · invariants", mark(self.broken_invariants.is_empty()))?;
        for broken in self.broken_invariants.iter().take(SHOWN) {
            writeln!(f, "    {broken}")?;
        }
        for (name, found) in &self.extra {
            let (Ok(text) | Err(text)) = found;
            writeln!(f, "  {} {name}: {text}", mark(found.is_ok()))?;
        }
        let verdict = if self.passed() { "通过 · passed" } else { "不通过 · failed" };
        writeln!(f, "\n{verdict} ({:.1} s)", self.took.as_secs_f64())
    }
}

/// A figure and those below it, as `limits.answer.kept`.
fn flat(path: String, figure: &Value, expected: Option<&Value>, lines: &mut Vec<[String; 3]>) {
    if let Value::Object(figures) = figure {
        for (key, below) in figures {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            flat(path, below, expected.and_then(|expected| expected.get(key)), lines);
        }
        return;
    }
    let expected =
        expected.filter(|expected| !expected.is_null()).map_or_else(String::new, ToString::to_string);
    lines.push([path, figure.to_string(), expected]);
}
