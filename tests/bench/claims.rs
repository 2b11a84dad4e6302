//! Durable claims per second through the public API, beside pgbench. Each side comes once in each half of a round, the second half in reverse order
//! (ABBA), so that a drift of the machine hits all sides alike; before each slice dirty pages are written out and the followers have caught up.

use tokio::time::sleep;

use crate::{
    Failure,
    baseline::{Baseline, Script, Transactions},
    client::Clients,
    load::Load,
    plan::{BASELINE_CLIENTS, CLIENTS, IDLE, Plan},
    processor,
    report::Line,
    stack::Stack,
    statistics::{self, Estimate, Target},
};

/// A round of claims.
struct Round {
    first: Slice,
    last: Slice,
    five_round_trips: Hand,
    one_statement: Hand,
    without_head: Hand,
}

/// A slice of load on the product.
struct Slice {
    per_second: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
    /// Processor microseconds of `up` per call, idle time subtracted.
    processor: f64,
    /// The same of Postgres.
    postgres: f64,
    /// Seconds until all followers had caught up.
    settling: f64,
}

/// Both slices of a hand-written script in a round.
struct Hand {
    per_second: f64,
    /// Processor microseconds of Postgres per transaction, idle time subtracted.
    postgres: f64,
}

/// Processor seconds per second of `up` and of Postgres when nobody calls.
#[derive(Clone, Copy)]
struct Idle {
    product: f64,
    postgres: f64,
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

pub(crate) async fn measure(
    plan: &Plan,
    stack: &Stack,
    clients: &Clients,
    baseline: &Baseline,
) -> Result<Vec<Line>, Failure> {
    let idle = Idle { product: 0.0, postgres: 0.0 };
    let mut bench = Bench { plan, stack, clients, baseline, postgres: stack.postgres_pid()?, idle };
    bench.idle = bench.watch_idle().await?;
    let mut rounds = Vec::with_capacity(plan.rounds);
    for number in 1..=plan.rounds {
        let done = bench.round().await?;
        eprintln!(
            "bench: claims, round {number} of {}: {:.0} and {:.0} a second; by hand {:.0} (a), {:.0} (b), {:.0} (without the head)",
            plan.rounds,
            done.first.per_second,
            done.last.per_second,
            done.five_round_trips.per_second,
            done.one_statement.per_second,
            done.without_head.per_second
        );
        rounds.push(done);
    }
    Ok(lines(&rounds))
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

    async fn round(&self) -> Result<Round, Failure> {
        let order = [Script::FiveRoundTrips, Script::OneStatement, Script::WithoutHead];
        let first = self.slice().await?;
        let mut there = Vec::with_capacity(order.len());
        for script in order {
            there.push(self.by_hand(script).await?);
        }
        let mut back = Vec::with_capacity(order.len());
        for script in order.into_iter().rev() {
            back.push(self.by_hand(script).await?);
        }
        let last = self.slice().await?;
        back.reverse();
        let mut both = there.into_iter().zip(back).map(|(there, back)| Hand {
            per_second: f64::midpoint(there.per_second, back.per_second),
            postgres: f64::midpoint(there.postgres, back.postgres),
        });
        let mut next = || both.next().ok_or("a script was not run");
        Ok(Round { first, last, five_round_trips: next()?, one_statement: next()?, without_head: next()? })
    }

    /// A slice of load on the product. Its followers' work counts as its processor time, but not into its time.
    async fn slice(&self) -> Result<Slice, Failure> {
        self.baseline.checkpoint().await?;
        let before = (processor::of_process(self.stack.pid())?, processor::of_family(self.postgres)?);
        let load: Load = self.clients.claim(CLIENTS, self.plan.slice).await?;
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

impl Round {
    /// Claims a second, both slices.
    fn per_second(&self) -> f64 {
        f64::midpoint(self.first.per_second, self.last.per_second)
    }

    /// Of both slices.
    fn mean(&self, value: impl Fn(&Slice) -> f64) -> f64 {
        f64::midpoint(value(&self.first), value(&self.last))
    }
}

fn lines(rounds: &[Round]) -> Vec<Line> {
    let of = |value: &dyn Fn(&Round) -> f64| Estimate::of(rounds.iter().map(value).collect());
    vec![
        Line::judged(
            "claims / (a) five round trips",
            "×",
            of(&|round| round.per_second() / round.five_round_trips.per_second),
            Target::AtLeast(2.0),
        ),
        Line::judged(
            "claims / (b) one statement",
            "×",
            of(&|round| round.per_second() / round.one_statement.per_second),
            Target::AtLeast(1.0),
        ),
        Line::plain(
            "claims / (b) without the head",
            "×",
            of(&|round| round.per_second() / round.without_head.per_second),
        ),
        Line::plain(
            "A/A: first / last slice of claims",
            "×",
            of(&|round| round.first.per_second / round.last.per_second),
        ),
        Line::plain("claims, 64 clients", "1/s", of(&Round::per_second)),
        Line::plain("by hand (a), 32 clients", "1/s", of(&|round| round.five_round_trips.per_second)),
        Line::plain("by hand (b), 32 clients", "1/s", of(&|round| round.one_statement.per_second)),
        Line::plain("by hand (b) without the head", "1/s", of(&|round| round.without_head.per_second)),
        Line::plain("claim p50, 64 clients", "ms", of(&|round| round.mean(|slice| slice.p50) / 1e3)),
        Line::plain("claim p99, 64 clients", "ms", of(&|round| round.mean(|slice| slice.p99) / 1e3)),
        Line::plain("CPU per claim, up", "µs", of(&|round| round.mean(|slice| slice.processor))),
        Line::plain("CPU per claim, Postgres", "µs", of(&|round| round.mean(|slice| slice.postgres))),
        Line::plain("CPU by hand (a), Postgres", "µs", of(&|round| round.five_round_trips.postgres)),
        Line::plain("CPU by hand (b), Postgres", "µs", of(&|round| round.one_statement.postgres)),
        Line::plain(
            "followers caught up after a slice in",
            "s",
            of(&|round| round.mean(|slice| slice.settling)),
        ),
    ]
}
