//! `make bench`: the product beside what one would otherwise use, on the same machine in the same run, in ratios (design: "Speed"), and whether each
//! target holds. `make bench-growth`: what operations touch as cases become many.
//!
//! It measures the built binary from outside. It deliberately does not profile, and it measures no variant of the product that a user would not run.
//!
//! Exit codes: 0 every target holds; 1 one fails; 2 none fails, but one is inconclusive; 3 it could not be measured.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and indexes far below the limits of f64"
)]

mod alone;
mod awake;
mod baseline;
mod claims;
mod client;
mod deployment;
mod footprint;
mod forward;
mod growth;
mod load;
mod machine;
mod plan;
mod processor;
mod report;
mod stack;
mod statistics;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};
use shouwen_proto::access::v1::Role;

use crate::{
    baseline::Baseline,
    client::Clients,
    plan::{BASELINE_CLIENTS, CLIENTS, Plan},
    report::{Line, Report},
    stack::Stack,
};

/// Whatever stops a measurement; its text says what to do.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The product beside nginx, haproxy and pgbench. FAST=1 makes 3 short rounds.
#[derive(Debug, Parser)]
#[command(name = "speed", after_help = "TMPDIR chooses where the databases lie; it must be a real disk.")]
struct Options {
    #[command(subcommand)]
    command: Option<Command>,
    /// Measure this only; may be given several times.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// Interleaved rounds. 7 unless FAST=1.
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of one slice of a round. 4 unless FAST=1.
    #[arg(long)]
    seconds: Option<u64>,
    /// What cargo passes to every benchmark.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// What operations touch in the database, at growing numbers of cases.
    Growth(growth::Options),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Durable claims per second.
    Claims,
    /// One claim at a time.
    Alone,
    /// A forwarded read.
    Forward,
    /// Memory when idle, and the time of a start.
    Footprint,
}

fn main() -> ExitCode {
    let options = Options::parse();
    // One thread makes the load: with as few cores as this is meant for, a second one would only take from the servers.
    let measured = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(options)));
    match measured {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(3)
        }
    }
}

async fn run(options: Options) -> Result<ExitCode, Failure> {
    let machine = machine::describe().await?;
    if let Some(Command::Growth(options)) = options.command {
        return growth::run(machine, &options).await;
    }
    machine.warn();
    let fast = std::env::var("FAST").is_ok_and(|value| value == "1");
    let plan = Plan::new(fast, options.rounds, options.seconds);
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    let mut lines = Vec::new();
    if wanted(Part::Claims) || wanted(Part::Alone) {
        let stack = Stack::start().await?;
        match written(&plan, &stack, &wanted).await {
            Ok(measured) => lines.extend(measured),
            Err(error) => {
                return Err(format!("{error}\nThe server's last words:\n{}", stack.last_words()).into());
            }
        }
        stack.stop().await?;
    }
    if wanted(Part::Forward) || wanted(Part::Footprint) {
        let stack = Stack::start().await?;
        let prepared = forward::Prepared::make(&stack).await?;
        let mut dir = stack.stop().await?;
        if wanted(Part::Footprint) {
            let (measured, given_back) = footprint::measure(&plan, dir).await?;
            lines.extend(measured);
            dir = given_back;
        }
        if wanted(Part::Forward) {
            lines.extend(forward::measure(&plan, dir, prepared).await?);
        }
    }
    let report = Report::new(machine, &plan, lines);
    println!("{report}");
    println!("\nAll figures: {}", report.write(&figures())?.display());
    Ok(report.exit_code())
}

/// What is written through the API, beside pgbench.
async fn written(plan: &Plan, stack: &Stack, wanted: &impl Fn(Part) -> bool) -> Result<Vec<Line>, Failure> {
    let clients = Clients::prepare(stack, Role::Staff).await?;
    let baseline = Baseline::prepare(stack).await?;
    eprintln!("bench: warming up");
    clients.claim(CLIENTS, plan.warm_up).await?;
    baseline.run(baseline::Script::OneStatement, BASELINE_CLIENTS, plan.warm_up, false).await?;
    clients.settle().await?;
    let mut lines = Vec::new();
    if wanted(Part::Claims) {
        lines.extend(claims::measure(plan, stack, &clients, &baseline).await?);
    }
    if wanted(Part::Alone) {
        lines.extend(alone::measure(plan, &clients, &baseline).await?);
    }
    Ok(lines)
}

/// Where the files with all figures go.
fn figures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench")
}
