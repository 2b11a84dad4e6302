//! What the measurements say: a table to read, a file to compare with, an exit code.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use serde::Serialize;

use crate::{
    Failure,
    latency::LatencyRound,
    machine::Machine,
    measure::{BASELINE_CLIENTS, CLIENTS, ClaimRound, Measured, Plan},
    statistics::{Estimate, Target, Verdict},
};

#[derive(Serialize)]
pub(crate) struct Report {
    machine: Machine,
    postgres: String,
    rounds: usize,
    slice_seconds: f64,
    clients: usize,
    baseline_clients: usize,
    /// Processor milliseconds per second of `up` and of Postgres when nobody calls; subtracted below.
    idle_processor_ms_per_second: [f64; 2],
    verdict: Verdict,
    lines: Vec<Line>,
}

/// A figure.
#[derive(Serialize)]
struct Line {
    name: &'static str,
    unit: &'static str,
    #[serde(flatten)]
    estimate: Estimate,
    /// The design's; absent where it has none.
    target: Option<Target>,
    verdict: Option<Verdict>,
}

impl Line {
    fn plain(name: &'static str, unit: &'static str, estimate: Estimate) -> Self {
        Self { name, unit, estimate, target: None, verdict: None }
    }

    fn judged(name: &'static str, unit: &'static str, estimate: Estimate, target: Target) -> Self {
        let verdict = target.judge(&estimate);
        Self { name, unit, estimate, target: Some(target), verdict: Some(verdict) }
    }
}

impl Report {
    pub(crate) fn new(machine: Machine, plan: &Plan, measured: &Measured) -> Self {
        let lines = lines(measured);
        let verdicts: Vec<Verdict> = lines.iter().filter_map(|line| line.verdict).collect();
        let verdict = if verdicts.contains(&Verdict::Fails) {
            Verdict::Fails
        } else if verdicts.contains(&Verdict::Inconclusive) {
            Verdict::Inconclusive
        } else {
            Verdict::Holds
        };
        Self {
            machine,
            postgres: measured.postgres.clone(),
            rounds: plan.rounds,
            slice_seconds: plan.slice.as_secs_f64(),
            clients: CLIENTS,
            baseline_clients: BASELINE_CLIENTS,
            idle_processor_ms_per_second: [measured.idle.product * 1e3, measured.idle.postgres * 1e3],
            verdict,
            lines,
        }
    }

    /// Writes `claims.json` into a directory.
    pub(crate) fn write(&self, dir: &Path) -> Result<PathBuf, Failure> {
        fs::create_dir_all(dir)?;
        let file = dir.canonicalize()?.join("claims.json");
        fs::write(&file, serde_json::to_string_pretty(self)? + "\n")?;
        Ok(file)
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.verdict {
            Verdict::Holds => ExitCode::SUCCESS,
            Verdict::Fails => ExitCode::from(1),
            Verdict::Inconclusive => ExitCode::from(2),
        }
    }
}

fn lines(measured: &Measured) -> Vec<Line> {
    let (claims, single, reads) = (&measured.claims, &measured.single, &measured.reads);
    vec![
        Line::judged(
            "claims / (a) five round trips",
            "×",
            of(claims, |round| round.per_second() / round.five_round_trips.per_second),
            Target::AtLeast(2.0),
        ),
        Line::judged(
            "claims / (b) one statement",
            "×",
            of(claims, |round| round.per_second() / round.one_statement.per_second),
            Target::AtLeast(1.0),
        ),
        Line::plain(
            "claims / (b) without the head",
            "×",
            of(claims, |round| round.per_second() / round.without_head.per_second),
        ),
        Line::plain(
            "A/A: first / last slice of claims",
            "×",
            of(claims, |round| round.first.per_second / round.last.per_second),
        ),
        Line::plain("claims, 64 clients", "1/s", of(claims, ClaimRound::per_second)),
        Line::plain("by hand (a), 32 clients", "1/s", of(claims, |round| round.five_round_trips.per_second)),
        Line::plain("by hand (b), 32 clients", "1/s", of(claims, |round| round.one_statement.per_second)),
        Line::plain("by hand (b) without the head", "1/s", of(claims, |round| round.without_head.per_second)),
        Line::plain("claim p50, 64 clients", "ms", of(claims, |round| round.mean(|slice| slice.p50) / 1e3)),
        Line::plain("claim p99, 64 clients", "ms", of(claims, |round| round.mean(|slice| slice.p99) / 1e3)),
        Line::plain("CPU per claim, up", "µs", of(claims, |round| round.mean(|slice| slice.processor))),
        Line::plain("CPU per claim, Postgres", "µs", of(claims, |round| round.mean(|slice| slice.postgres))),
        Line::plain("CPU by hand (a), Postgres", "µs", of(claims, |round| round.five_round_trips.postgres)),
        Line::plain("CPU by hand (b), Postgres", "µs", of(claims, |round| round.one_statement.postgres)),
        Line::plain(
            "followers caught up after a slice in",
            "s",
            of(claims, |round| round.mean(|slice| slice.settling)),
        ),
        Line::judged(
            "one claim alone, added to (b)",
            "ms",
            of(single, LatencyRound::added_ms),
            Target::AtMost(0.4),
        ),
        Line::plain("one claim alone, p50", "ms", of(single, |round| round.product / 1e3)),
        Line::plain("by hand (b) alone, p50", "ms", of(single, |round| round.by_hand / 1e3)),
        Line::plain("forwarded read, 64 clients", "1/s", of(reads, |slice| slice.per_second)),
        Line::plain("forwarded read p50", "ms", of(reads, |slice| slice.p50 / 1e3)),
        Line::plain("forwarded read p99", "ms", of(reads, |slice| slice.p99 / 1e3)),
        Line::plain("CPU per forwarded read, up", "µs", of(reads, |slice| slice.processor)),
        Line::plain("CPU per forwarded read, Postgres", "µs", of(reads, |slice| slice.postgres)),
    ]
}

fn of<T>(rounds: &[T], value: impl Fn(&T) -> f64) -> Estimate {
    Estimate::of(rounds.iter().map(value).collect())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(
            f,
            "\n{} cores, {} MiB, {}, {}\nPostgres {}, {}, fdatasync {:.0} µs, load before {}\n{} build of {}{}\n\
             {} rounds, slices of {} s; median over rounds and its 95% bootstrap interval\n",
            machine.cores,
            machine.memory_mib,
            machine.processor,
            machine.kernel,
            self.postgres,
            machine.file_system,
            machine.fdatasync_micros,
            machine.load_before,
            machine.build,
            machine.commit,
            if machine.changed { " with changes" } else { "" },
            self.rounds,
            self.slice_seconds,
        )?;
        writeln!(f, "{:<38} {:>10} {:>22}       {:<8} verdict", "figure", "median", "interval", "target")?;
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
                "{:<38} {:>10} {interval:>22} {:<5} {target:<8} {verdict}",
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
