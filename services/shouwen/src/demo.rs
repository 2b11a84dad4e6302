//! `shouwen demo`: a branch's month, read from a folder, played through the public API on simulated time, and reported. The figures are read off the
//! product and held against a second opinion that shares no code with it. The driver is a client like any other: it knows the gateway's address and
//! tokens, nothing of the services behind it; starting and stopping the stack is its caller's.

mod api;
mod compare;
mod feeds;
mod figures;
mod input;
mod invariants;
mod play;
mod product;
mod progress;
mod report;
mod simulation;
mod timeline;

use std::{fmt, io, path::PathBuf, time::Instant};

use chrono::{DateTime, Utc};
use shouwen_runtime::channel::ChannelConfigError;

pub(crate) use compare::Expected;
pub(crate) use input::{Input, first_instant, read};
pub(crate) use report::Report;

use api::{Api, Refused, Who};
use compare::Opinion;
use play::Play;
use progress::Progress;
use report::Compared;
use simulation::Simulation;

/// A running stack with a simulated clock.
pub(crate) struct Stack {
    /// The gateway, e.g. `http://127.0.0.1:50051`.
    pub address: String,
    /// Where the simulated clock of all services stands; [`first_instant`] for a new one.
    pub start: DateTime<Utc>,
    /// A bearer token for a subject: `employees/x` or `serviceAccounts/x`.
    pub token: Box<dyn Fn(&str) -> String + Send + Sync>,
}

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("address", &self.address)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// What to do with the month.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Where `report.txt`, `report.json`, `report.csv` and `rejected.csv` go; nowhere if `None`.
    pub output: Option<PathBuf>,
    /// Where the figures that must come out are taken from.
    pub expected: Expected,
    /// Shows no progress.
    pub quiet: bool,
    /// A calendar file that two people of HQ put in force before the month begins (S3, P3).
    pub calendar: Option<String>,
}

/// Something in which the product and the files, or the second opinion about them, differ.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Difference {
    /// A figure (`limits.answer.kept`), or a line with its step (`actions.jsonl:17: resolve by li-qiang`).
    pub what: String,
    pub expected: String,
    pub actual: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, the product says {}", self.what, self.expected, self.actual)
    }
}

/// Why the month could not be played to its end or reported. Refusals by the product's rules are no errors but [`Difference`]s.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    #[error("the gateway's address cannot be used: {0}")]
    Address(#[from] ChannelConfigError),
    /// The stack does not answer, or refuses the driver what it needs.
    #[error("{call} failed: {code} {reason}: {message}")]
    Call { call: &'static str, code: &'static str, reason: String, message: String },
    #[error(
        "the clock of {service} stands at {time}, not at {wanted}; start the stack with the clock there, and let nobody else move it"
    )]
    ClockElsewhere { service: String, time: String, wanted: DateTime<Utc> },
    #[error("at {at} the services did not become idle within {seconds} s: {why}")]
    Stuck { at: DateTime<Utc>, seconds: u64, why: String },
    #[error("the mergers of {case} have no end")]
    EndlessMergers { case: String },
    #[error("{} does not say what the report must say: {why}", script.display())]
    Script { script: PathBuf, why: String },
    #[error("the expected figures in {} cannot be used: {why}", path.display())]
    Expected { path: PathBuf, why: String },
    #[error("the clients could not be imported to the end: {0}")]
    Import(String),
    #[error("the calendar cannot be put in force: {0}")]
    Calendar(&'static str),
    #[error("{} cannot be written: {error}", path.display())]
    Output { path: PathBuf, error: io::Error },
}

impl DemoError {
    fn call(call: &'static str, refused: Refused) -> Self {
        Self::Call {
            call,
            code: refused.code.description(),
            reason: refused.reason,
            message: refused.message,
        }
    }
}

/// Plays the month, lets one more day pass, and reports. The report is written to the output folder as it stands then; who adds to it writes it
/// again.
pub(crate) async fn run(mut input: Input, stack: Stack, options: &Options) -> Result<Report, DemoError> {
    let begun = Instant::now();
    let start = stack.start;
    let api = Api::open(stack)?;
    let simulation = Simulation::new(&api, Who::of(input.administrator()), start);
    let mut play = Play::new(&input, &api, simulation);
    let mut progress = Progress::new(timeline::steps(&input).len(), options.quiet);
    let played = play.run(options.calendar.as_deref(), &mut progress).await;
    progress.finish();
    played?;
    let mut tally = std::mem::take(&mut play.tally);
    let rejected = std::mem::take(&mut tally.rejected);
    let product = product::collect(play).await?;
    let figures = figures::figures(&product, &tally);
    let broken_invariants = invariants::broken(&product);
    let mut differences = Vec::new();
    let compared = match compare::opinion(&options.expected, &input, &rejected).await? {
        Opinion::Missing(why) => Compared::Not(why),
        Opinion::Given(expected, source) => {
            differences = compare::differences(&expected, &figures);
            Compared::With(source, expected)
        }
    };
    input.rejected.extend(rejected);
    // The figures first: they say what is wrong, the lines say where.
    differences.extend(tally.differences);
    let report = Report::new(input, figures, differences, broken_invariants, compared, begun.elapsed());
    if let Some(folder) = &options.output {
        report.write(folder)?;
    }
    Ok(report)
}
