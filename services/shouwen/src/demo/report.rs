//! The branch's report: what the month amounted to, in Chinese and English, whether it agrees with the second opinion, and what of the input could
//! not be used. It is printed and written to files; it counts nothing itself.

mod layout;

use std::{collections::BTreeMap, fmt, fs, io, path::Path, time::Duration};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{
    DemoError, Difference,
    input::{Input, RejectedLine},
    progress::local,
    timeline,
};
use layout::{grid, heading, table};

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
    With(String),
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

    /// Writes `report.txt`, `report.json` and `rejected.csv` into a folder, which is made if need be.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), DemoError> {
        let failed = |path: &Path, error| DemoError::Output { path: path.to_owned(), error };
        fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
        let json = format!("{:#}\n", self.json());
        let files = [
            ("report.txt", self.to_string().into_bytes()),
            ("report.json", json.into_bytes()),
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
            Compared::With(source) => json!({"with": source}),
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
        self.people(f)?;
        self.input(f)?;
        self.checks(f)
    }
}

impl Report {
    fn contacts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "来访与来电", "Contacts")?;
        grid(
            f,
            &self.cells(
                "contacts.",
                &[
                    ("总数 total", "total"),
                    ("电话 phone", "phone"),
                    ("柜台 counter", "counter"),
                    ("邮件 e-mail", "email"),
                    ("已接 answered", "answered"),
                    ("未接 missed", "missed"),
                    ("无事项 no concern", "no_concern"),
                    ("非工作时间 after hours", "outside_working_hours"),
                    ("接听超时 answered late", "late"),
                    ("先挂断 hung up first", "violations"),
                    ("第二人被拒 2nd refused", "second_answers_refused"),
                ],
            ),
        )?;
        heading(f, "咨询记录", "Records")?;
        grid(
            f,
            &self.cells("records.", &[("完整 complete", "complete"), ("不完整 incomplete", "incomplete")]),
        )
    }

    fn ownership(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "事项", "Cases")?;
        grid(
            f,
            &self.cells(
                "cases.",
                &[
                    ("受理 opened", "opened"),
                    ("并入 merged", "merged"),
                    ("无效 void", "void"),
                    ("满意结案 satisfied", "closed_satisfied"),
                    ("联系不上 unreachable", "closed_unreachable"),
                    ("解释结案 explained", "closed_explained"),
                    ("待评价 awaiting word", "awaiting"),
                    ("在办 open", "open"),
                    ("重新受理 reopenings", "reopenings"),
                ],
            ),
        )?;
        heading(f, "转办与协助", "Hand-overs and assistance")?;
        let mut cells = self.cells(
            "hand_overs.",
            &[
                ("发出 offered", "offered"),
                ("接受 accepted", "accepted"),
                ("拒绝 declined", "declined"),
                ("撤回 withdrawn", "withdrawn"),
                ("过期 expired", "expired"),
            ],
        );
        cells.extend(self.cells(
            "",
            &[
                ("主管介入 overrides", "overrides"),
                ("协助 assists", "assists"),
                ("操作被拒 refused", "refused_actions"),
            ],
        ));
        grid(f, &cells)
    }

    fn limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "时限", "Limits")?;
        let kinds = [
            ("答复 answer", "answer"),
            ("约定回访 promised callback", "promised"),
            ("未接回访 missed call", "missed_call"),
            ("非工作时间回访 after hours", "after_hours"),
        ];
        let mut rows =
            vec![["", "按时 kept", "超时 missed", "进行中 running", "按时率 kept %"].map(str::to_owned)];
        for (label, kind) in kinds {
            let figure = |standing: &str| self.figure(&format!("limits.{kind}.{standing}"));
            let (kept, missed) = (figure("kept"), figure("missed"));
            let share = share(kept, kept + missed);
            rows.push([
                label.to_owned(),
                kept.to_string(),
                missed.to_string(),
                figure("running").to_string(),
                share,
            ]);
        }
        table(f, &rows)?;
        heading(f, "回访", "Callbacks")?;
        grid(
            f,
            &self.cells(
                "callbacks.",
                &[
                    ("约定 promised", "promised"),
                    ("未接来电 missed call", "missed_call"),
                    ("非工作时间 after hours", "after_hours"),
                    ("合并未接 coalesced", "coalesced"),
                    ("拨打 attempts", "attempts"),
                    ("完成 completed", "completed"),
                    ("次数用尽 exhausted", "exhausted"),
                    ("取消 cancelled", "cancelled"),
                    ("租约过期 leases lost", "leases_lost"),
                ],
            ),
        )
    }

    fn satisfaction(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "客户满意度", "Satisfaction")?;
        let mut cells = self.cells(
            "satisfaction.",
            &[
                ("满意 satisfied", "satisfied"),
                ("一般 neutral", "neutral"),
                ("不满意 dissatisfied", "dissatisfied"),
            ],
        );
        let (total, scored) = (self.figure("satisfaction.score_total"), self.figure("satisfaction.scored"));
        // Tenths in whole numbers: 1244 of 159 is 7.8.
        let tenths = if scored == 0 { 0 } else { (total * 20 / scored + 1) / 2 };
        cells.push(("平均分 mean score", format!("{}.{}", tenths / 10, tenths % 10)));
        cells.push(("打分数 scores", scored.to_string()));
        grid(f, &cells)
    }

    fn people(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        heading(f, "责任人", "Responsible persons")?;
        let header = ["", "首问 first responder", "责任 accountable", "在办 handling"].map(str::to_owned);
        let mut rows = vec![header];
        let people = self.figures.get("responsible").and_then(Value::as_object);
        for (who, tally) in people.into_iter().flatten() {
            let figure = |what| tally.get(what).and_then(Value::as_i64).unwrap_or_default().to_string();
            let name = self.names.get(who).map_or_else(String::new, |name| format!("{name} "));
            rows.push([
                format!("{name}{who}"),
                figure("first_responder"),
                figure("accountable"),
                figure("handling"),
            ]);
        }
        table(f, &rows)
    }

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
            Compared::With(source) => {
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

/// In percent with one digit; a dash for nothing of nothing.
fn share(part: i64, whole: i64) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let tenths = (part * 2000 / whole + 1) / 2;
    format!("{}.{}", tenths / 10, tenths % 10)
}
