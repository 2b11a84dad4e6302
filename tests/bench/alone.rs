//! One claim at a time, beside one client of pgbench: what the way through edge, engine and protocol adds when nothing waits.

use crate::{
    Failure,
    awake::Awake,
    baseline::{Baseline, Script},
    client::Clients,
    plan::Plan,
    report::Line,
    statistics::{self, Estimate, Target},
};

/// A round: both sides twice, in the order ABBA. Microseconds.
struct Round {
    product: f64,
    by_hand: f64,
}

impl Round {
    /// By how many milliseconds the product's median is above pgbench's.
    fn added_ms(&self) -> f64 {
        (self.product - self.by_hand) / 1e3
    }
}

pub(crate) async fn measure(
    plan: &Plan,
    clients: &Clients,
    baseline: &Baseline,
) -> Result<Vec<Line>, Failure> {
    let plan = &plan.in_short_turns();
    let _awake = Awake::keep();
    let product = async || -> Result<Vec<u32>, Failure> {
        baseline.checkpoint().await?;
        let latencies = clients.claim(1, plan.slice).await?.latencies;
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
        let done =
            Round { product: statistics::latency(&ours, 0.5), by_hand: statistics::latency(&theirs, 0.5) };
        eprintln!(
            "bench: one claim at a time, round {round} of {}: {:.0} µs; by hand {:.0} µs",
            plan.rounds, done.product, done.by_hand
        );
        rounds.push(done);
    }
    Ok(lines(&rounds))
}

fn lines(rounds: &[Round]) -> Vec<Line> {
    let of = |value: &dyn Fn(&Round) -> f64| Estimate::of(rounds.iter().map(value).collect());
    vec![
        Line::judged("one claim alone, added to (b)", "ms", of(&Round::added_ms), Target::AtMost(0.4)),
        Line::plain("one claim alone, p50", "ms", of(&|round| round.product / 1e3)),
        Line::plain("by hand (b) alone, p50", "ms", of(&|round| round.by_hand / 1e3)),
    ]
}
