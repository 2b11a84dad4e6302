//! One claim at a time, beside one client of pgbench: what the way through edge, engine and protocol adds when nothing waits.

use crate::{
    Failure,
    baseline::{Baseline, Script},
    client::{Clients, Work},
    measure::Plan,
    statistics,
};

/// A round: both sides twice, in the order ABBA. Microseconds.
pub(crate) struct LatencyRound {
    pub(crate) product: f64,
    pub(crate) by_hand: f64,
}

impl LatencyRound {
    /// By how many milliseconds the product's median is above pgbench's.
    pub(crate) fn added_ms(&self) -> f64 {
        (self.product - self.by_hand) / 1e3
    }
}

pub(crate) async fn rounds(
    plan: &Plan,
    clients: &Clients,
    baseline: &Baseline,
) -> Result<Vec<LatencyRound>, Failure> {
    let product = async || -> Result<Vec<u32>, Failure> {
        baseline.checkpoint().await?;
        let latencies = clients.load(Work::Claim, 1, plan.slice).await?.latencies;
        clients.settle().await?;
        Ok(latencies)
    };
    let by_hand = async || -> Result<Vec<u32>, Failure> {
        baseline.checkpoint().await?;
        Ok(baseline.run(Script::OneStatement, 1, plan.slice, true).await?.latencies)
    };
    let mut rounds = Vec::with_capacity(plan.rounds);
    for round in 1..=plan.rounds {
        let mut ours = product().await?;
        let mut theirs = by_hand().await?;
        theirs.extend(by_hand().await?);
        ours.extend(product().await?);
        let done = LatencyRound {
            product: statistics::latency(&ours, 0.5),
            by_hand: statistics::latency(&theirs, 0.5),
        };
        eprintln!(
            "bench: one claim at a time, round {round} of {}: {:.0} µs; by hand {:.0} µs",
            plan.rounds, done.product, done.by_hand
        );
        rounds.push(done);
    }
    Ok(rounds)
}
