//! The rounds. Each side comes once in each half of a round, the second half in reverse order (ABBA), so that a drift of the machine hits all sides
//! alike; before each slice dirty pages are written out and the followers have caught up.

use std::time::Duration;

use tokio::time::sleep;

use crate::{
    Failure,
    baseline::{Baseline, Script, Transactions},
    client::{Clients, Load, Work},
    latency::{self, LatencyRound},
    processor,
    stack::Stack,
    statistics,
};

/// Closed-loop clients of the product, and of pgbench.
pub(crate) const CLIENTS: usize = 64;
pub(crate) const BASELINE_CLIENTS: usize = 32;
/// How long the idle processor time is watched.
const IDLE: Duration = Duration::from_secs(3);

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) slice: Duration,
    pub(crate) warm_up: Duration,
}

/// Everything that was measured.
pub(crate) struct Measured {
    pub(crate) postgres: String,
    pub(crate) claims: Vec<ClaimRound>,
    pub(crate) single: Vec<LatencyRound>,
    pub(crate) reads: Vec<Slice>,
    /// Processor seconds per second of `up` and of Postgres when nobody calls.
    pub(crate) idle: Idle,
}

/// A round of claims.
pub(crate) struct ClaimRound {
    pub(crate) first: Slice,
    pub(crate) last: Slice,
    pub(crate) five_round_trips: Hand,
    pub(crate) one_statement: Hand,
    pub(crate) without_head: Hand,
}

/// A slice of load on the product.
pub(crate) struct Slice {
    pub(crate) per_second: f64,
    /// Microseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Processor microseconds of `up` per call, idle time subtracted.
    pub(crate) processor: f64,
    /// The same of Postgres.
    pub(crate) postgres: f64,
    /// Seconds until all followers had caught up.
    pub(crate) settling: f64,
}

/// Both slices of a hand-written script in a round.
pub(crate) struct Hand {
    pub(crate) per_second: f64,
    /// Processor microseconds of Postgres per transaction, idle time subtracted.
    pub(crate) postgres: f64,
}

/// Processor seconds per second.
#[derive(Clone, Copy)]
pub(crate) struct Idle {
    pub(crate) product: f64,
    pub(crate) postgres: f64,
}

/// What measures.
struct Bench<'a> {
    plan: &'a Plan,
    stack: &'a Stack,
    clients: &'a Clients,
    baseline: &'a Baseline,
    postgres: u32,
    idle: Idle,
}

pub(crate) async fn all(
    plan: &Plan,
    stack: &Stack,
    clients: &Clients,
    baseline: &Baseline,
) -> Result<Measured, Failure> {
    let postgres = stack.postgres_pid()?;
    eprintln!("bench: warming up");
    clients.load(Work::Claim, CLIENTS, plan.warm_up).await?;
    clients.load(Work::Read, CLIENTS, plan.warm_up).await?;
    baseline.run(Script::OneStatement, BASELINE_CLIENTS, plan.warm_up, false).await?;
    clients.settle().await?;
    let mut bench =
        Bench { plan, stack, clients, baseline, postgres, idle: Idle { product: 0.0, postgres: 0.0 } };
    bench.idle = bench.watch_idle().await?;

    let mut claims = Vec::with_capacity(plan.rounds);
    for round in 1..=plan.rounds {
        let done = bench.claim_round().await?;
        eprintln!(
            "bench: claims, round {round} of {}: {:.0} and {:.0} a second; by hand {:.0} (a), {:.0} (b), {:.0} (without the head)",
            plan.rounds,
            done.first.per_second,
            done.last.per_second,
            done.five_round_trips.per_second,
            done.one_statement.per_second,
            done.without_head.per_second
        );
        claims.push(done);
    }
    let single = latency::rounds(plan, clients, baseline).await?;
    let mut reads = Vec::with_capacity(plan.rounds);
    for round in 1..=plan.rounds {
        let done = bench.slice(Work::Read).await?;
        eprintln!(
            "bench: reads, round {round} of {}: {:.0} a second, p50 {:.0} µs, p99 {:.0} µs",
            plan.rounds, done.per_second, done.p50, done.p99
        );
        reads.push(done);
    }
    Ok(Measured { postgres: baseline.postgres.clone(), claims, single, reads, idle: bench.idle })
}

impl Bench<'_> {
    async fn watch_idle(&self) -> Result<Idle, Failure> {
        let product = processor::of_process(self.stack.pid())?;
        let postgres = processor::of_family(self.postgres)?;
        sleep(IDLE).await;
        let seconds = IDLE.as_secs_f64();
        Ok(Idle {
            product: (processor::of_process(self.stack.pid())? - product) / seconds,
            postgres: (processor::of_family(self.postgres)? - postgres) / seconds,
        })
    }

    async fn claim_round(&self) -> Result<ClaimRound, Failure> {
        let order = [Script::FiveRoundTrips, Script::OneStatement, Script::WithoutHead];
        let first = self.slice(Work::Claim).await?;
        let mut there = Vec::with_capacity(order.len());
        for script in order {
            there.push(self.by_hand(script).await?);
        }
        let mut back = Vec::with_capacity(order.len());
        for script in order.into_iter().rev() {
            back.push(self.by_hand(script).await?);
        }
        let last = self.slice(Work::Claim).await?;
        back.reverse();
        let mut both = there.into_iter().zip(back).map(|(there, back)| Hand {
            per_second: f64::midpoint(there.per_second, back.per_second),
            postgres: f64::midpoint(there.postgres, back.postgres),
        });
        let mut next = || both.next().ok_or("a script was not run");
        Ok(ClaimRound {
            first,
            last,
            five_round_trips: next()?,
            one_statement: next()?,
            without_head: next()?,
        })
    }

    /// A slice of load on the product. Its followers' work counts as its processor time, but not into its time.
    async fn slice(&self, work: Work) -> Result<Slice, Failure> {
        self.baseline.checkpoint().await?;
        let before = (processor::of_process(self.stack.pid())?, processor::of_family(self.postgres)?);
        let load: Load = self.clients.load(work, CLIENTS, self.plan.slice).await?;
        let settling = self.clients.settle().await?.as_secs_f64();
        let after = (processor::of_process(self.stack.pid())?, processor::of_family(self.postgres)?);
        let seconds = load.seconds + settling;
        let per_call = |used: f64, idle: f64| (used - idle * seconds).max(0.0) / load.calls() * 1e6;
        Ok(Slice {
            per_second: load.per_second(),
            p50: statistics::latency(&load.latencies, 0.5),
            p99: statistics::latency(&load.latencies, 0.99),
            processor: per_call(after.0 - before.0, self.idle.product),
            postgres: per_call(after.1 - before.1, self.idle.postgres),
            settling,
        })
    }

    /// A slice of a hand-written script.
    async fn by_hand(&self, script: Script) -> Result<Hand, Failure> {
        self.baseline.checkpoint().await?;
        let before = processor::of_family(self.postgres)?;
        let done: Transactions = self.baseline.run(script, BASELINE_CLIENTS, self.plan.slice, false).await?;
        let used = processor::of_family(self.postgres)?
            - before
            - self.idle.postgres * self.plan.slice.as_secs_f64();
        Ok(Hand { per_second: done.per_second, postgres: used.max(0.0) / done.count * 1e6 })
    }
}

impl ClaimRound {
    /// Claims a second, both slices.
    pub(crate) fn per_second(&self) -> f64 {
        f64::midpoint(self.first.per_second, self.last.per_second)
    }

    /// Of both slices.
    pub(crate) fn mean(&self, value: impl Fn(&Slice) -> f64) -> f64 {
        f64::midpoint(value(&self.first), value(&self.last))
    }
}
