//! What the measurements say: a table to read, a file to compare with, an exit code.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;

use crate::{
    Failure,
    machine::Machine,
    plan::{BASELINE_CLIENTS, CLIENTS, Plan},
    statistics::{Estimate, Target, Verdict},
};

#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    rounds: usize,
    slice_seconds: f64,
    clients: usize,
    baseline_clients: usize,
    verdict: Verdict,
    lines: Vec<Line>,
}

/// A figure.
#[derive(Serialize)]
pub(crate) struct Line {
    name: String,
    unit: &'static str,
    #[serde(flatten)]
    estimate: Estimate,
    /// The design's; absent where it has none.
    target: Option<Target>,
    verdict: Option<Verdict>,
}

impl Line {
    pub(crate) fn plain(name: impl Into<String>, unit: &'static str, estimate: Estimate) -> Self {
        Self { name: name.into(), unit, estimate, target: None, verdict: None }
    }

    pub(crate) fn judged(
        name: impl Into<String>,
        unit: &'static str,
        estimate: Estimate,
        target: Target,
    ) -> Self {
        let verdict = target.judge(&estimate);
        Self { name: name.into(), unit, estimate, target: Some(target), verdict: Some(verdict) }
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, plan: &Plan, lines: Vec<Line>) -> Self {
        Self {
            machine,
            rounds: plan.rounds,
            slice_seconds: plan.slice.as_secs_f64(),
            clients: CLIENTS,
            baseline_clients: BASELINE_CLIENTS,
            verdict: Verdict::of_all(lines.iter().filter_map(|line| line.verdict)),
            lines,
        }
    }

    /// Writes `speed.json` into a directory.
    pub(crate) fn write(&self, dir: &Path) -> Result<PathBuf, Failure> {
        fs::create_dir_all(dir)?;
        let file = dir.canonicalize()?.join("speed.json");
        fs::write(&file, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(file)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        self.verdict.exit_code()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "\n{} cores, {} MiB, {}, {}\nPostgres {}, {}, fdatasync {:.0} µs, TCP {}, load before {}\n{} build of {}{}\n\
             {} rounds, slices of {} s (in turns of a second for one claim alone and added times); median over rounds and its 95% bootstrap interval\n",
            machine.cores,
            machine.memory_mib,
            machine.processor,
            machine.kernel,
            machine.postgres,
            machine.file_system,
            machine.fdatasync_micros,
            machine.congestion_control,
            machine.load_before,
            machine.build,
            machine.commit,
            if machine.changed { " with changes" } else { "" },
            self.rounds,
            self.slice_seconds,
        )?;
        writeln!(f, "{:<46} {:>10} {:>22}       {:<8} verdict", "figure", "median", "interval", "target")?;
        for line in &self.lines {
            let Estimate { median, low, high, .. } = &line.estimate;
            let target = match line.target {
                Some(Target::AtLeast(target)) => format!("≥ {target}"),
                Some(Target::AtMost(target)) => format!("≤ {target}"),
                None => String::new(),
            };
            let interval = format!("{} … {}", figure(*low), figure(*high));
            let verdict = line.verdict.map_or("", |verdict| match verdict {
                Verdict::Holds => "holds",
                Verdict::Fails => "FAILS",
                Verdict::Inconclusive => "inconclusive",
            });
            let row = format!(
                "{:<46} {:>10} {interval:>22} {:<5} {target:<8} {verdict}",
                line.name,
                figure(*median),
                line.unit
            );
            writeln!(f, "{}", row.trim_end())?;
        }
        Ok(())
    }
}

/// Three digits that mean something.
fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
