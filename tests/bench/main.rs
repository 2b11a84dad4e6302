//! `make bench`: durable claims through the public API beside hand-written SQL in pgbench, on the same cluster in the same run.
//!
//! It measures the built binary from outside, side by side and in ratios (design: "Speed"), and says of each target whether it holds. It deliberately
//! does not profile, and it measures no variant of the product that a user would not run.
//!
//! Exit codes: 0 every target holds; 1 one fails; 2 none fails, but one is inconclusive; 3 it could not be measured.

#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts and indexes far below the limits of f64"
)]

mod baseline;
mod client;
mod latency;
mod machine;
mod measure;
mod processor;
mod report;
mod stack;
mod statistics;

use std::{path::Path, process::ExitCode, time::Duration};

use clap::Parser;

use crate::{baseline::Baseline, client::Clients, measure::Plan, report::Report, stack::Stack};

/// Whatever stops a measurement; its text says what to do.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Durable claims per second, one claim's time and a forwarded read, beside pgbench on the same cluster. FAST=1 makes 3 short rounds.
#[derive(Debug, Parser)]
#[command(name = "claims", after_help = "TMPDIR chooses where the databases lie; it must be a real disk.")]
struct Options {
    /// Interleaved rounds. 7 unless FAST=1.
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of one slice of a round, of which a round of claims has eight. 4 unless FAST=1.
    #[arg(long)]
    seconds: Option<u64>,
    /// What cargo passes to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let fast = std::env::var("FAST").is_ok_and(|value| value == "1");
    let plan = Plan {
        rounds: options.rounds.unwrap_or(if fast { 3 } else { 7 }).max(1),
        slice: Duration::from_secs(options.seconds.unwrap_or(if fast { 1 } else { 4 }).max(1)),
        warm_up: Duration::from_secs(if fast { 1 } else { 5 }),
    };
    // One thread makes the load: with as few cores as this is meant for, a second one would only take from the servers.
    let measured = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::from)
        .and_then(|runtime| runtime.block_on(run(plan)));
    match measured {
        Ok(report) => report.exit_code(),
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::from(3)
        }
    }
}

async fn run(plan: Plan) -> Result<Report, Failure> {
    let machine = machine::describe()?;
    machine.warn();
    let stack = Stack::start().await?;
    let measured = async {
        let clients = Clients::prepare(&stack).await?;
        let baseline = Baseline::prepare(&stack).await?;
        measure::all(&plan, &stack, &clients, &baseline).await
    }
    .await;
    let measured = match measured {
        Ok(measured) => measured,
        Err(error) => return Err(format!("{error}\nThe server's last words:\n{}", stack.last_words()).into()),
    };
    stack.stop().await?;
    let report = Report::new(machine, &plan, &measured);
    println!("{report}");
    let file = report.write(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench"))?;
    println!("\nAll figures: {}", file.display());
    Ok(report)
}
