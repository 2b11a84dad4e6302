//! What each side forwards at most, and what of the processors a call takes.

use tokio::time::sleep;

use super::{Scene, Side};
use crate::{
    Failure,
    plan::{IDLE, Plan},
    processor,
    report::Line,
    statistics::{self, Estimate, Target},
};

/// Each comes twice in a round, the second time in reverse order (ABBA).
const ORDER: [Side; 4] = [Side::Gateway, Side::Nginx, Side::NginxOfTwo, Side::Haproxy];

/// All slices of a round in their order.
pub(super) struct Round {
    slices: Vec<(Side, Slice)>,
}

struct Slice {
    per_second: f64,
    /// Microseconds.
    p50: f64,
    p99: f64,
    /// Processor microseconds per call, idle time subtracted.
    used: Used,
}

/// Processor time, of whatever unit, of forwarder, backend and Postgres.
#[derive(Clone, Copy, Default)]
struct Used {
    forwarder: f64,
    backend: f64,
    postgres: f64,
}

impl Used {
    /// Seconds since the processes began.
    fn now(scene: &Scene, side: Side) -> Result<Self, Failure> {
        Ok(Self {
            forwarder: processor::of_family(scene.door(side)?.pid)?,
            backend: processor::of_process(scene.backend)?,
            postgres: processor::of_family(scene.postgres)?,
        })
    }

    fn map(self, other: Self, with: impl Fn(f64, f64) -> f64) -> Self {
        Self {
            forwarder: with(self.forwarder, other.forwarder),
            backend: with(self.backend, other.backend),
            postgres: with(self.postgres, other.postgres),
        }
    }
}

pub(super) async fn rounds(plan: &Plan, scene: &Scene) -> Result<Vec<Round>, Failure> {
    let mut idle = Vec::new();
    for side in ORDER {
        let before = Used::now(scene, side)?;
        sleep(IDLE).await;
        idle.push((
            side,
            Used::now(scene, side)?.map(before, |after, before| (after - before) / IDLE.as_secs_f64()),
        ));
    }
    let mut rounds = Vec::with_capacity(plan.rounds);
    for number in 1..=plan.rounds {
        let mut round = Round { slices: Vec::new() };
        for (side, idle) in idle.iter().chain(idle.iter().rev()) {
            round.slices.push((*side, slice(plan, scene, *side, *idle).await?));
        }
        eprintln!(
            "bench: forwarded read, round {number} of {}: {:.0} a second, {:.1} µs CPU; nginx {:.0}, {:.1} µs; of two workers {:.0}; HAProxy {:.0}, {:.1} µs",
            plan.rounds,
            round.mean(Side::Gateway, |slice| slice.per_second),
            round.forwarder(Side::Gateway),
            round.mean(Side::Nginx, |slice| slice.per_second),
            round.forwarder(Side::Nginx),
            round.mean(Side::NginxOfTwo, |slice| slice.per_second),
            round.mean(Side::Haproxy, |slice| slice.per_second),
            round.forwarder(Side::Haproxy),
        );
        rounds.push(round);
    }
    Ok(rounds)
}

async fn slice(plan: &Plan, scene: &Scene, side: Side, idle: Used) -> Result<Slice, Failure> {
    let before = Used::now(scene, side)?;
    let load = scene.load(side, plan.slice).await?;
    let used = Used::now(scene, side)?.map(before, |after, before| after - before);
    Ok(Slice {
        per_second: load.per_second(),
        p50: statistics::latency(&load.latencies, 0.5),
        p99: statistics::latency(&load.latencies, 0.99),
        used: used.map(idle, |used, idle| (used - idle * load.seconds).max(0.0) / load.calls() * 1e6),
    })
}

impl Round {
    /// Of both slices of a side.
    fn mean(&self, side: Side, value: impl Fn(&Slice) -> f64) -> f64 {
        let (mut sum, mut slices) = (0.0, 0.0);
        for (_, slice) in self.slices.iter().filter(|(of, _)| *of == side) {
            sum += value(slice);
            slices += 1.0;
        }
        sum / slices
    }

    fn forwarder(&self, side: Side) -> f64 {
        self.mean(side, |slice| slice.used.forwarder)
    }

    fn per_second(&self, side: Side) -> f64 {
        self.mean(side, |slice| slice.per_second)
    }

    /// The gateway's first slice over its last: both are the same, so this is noise.
    fn noise(&self) -> f64 {
        let mut own = self.slices.iter().filter(|(side, _)| *side == Side::Gateway);
        let (first, last) = (own.next(), own.next_back());
        first.zip(last).map_or(f64::NAN, |((_, first), (_, last))| first.per_second / last.per_second)
    }
}

/// The rate at which latencies are compared.
pub(super) fn half_of_the_slower(rounds: &[Round]) -> f64 {
    let of = |side| {
        statistics::quantile(&mut rounds.iter().map(|round| round.per_second(side)).collect::<Vec<_>>(), 0.5)
    };
    of(Side::Gateway).min(of(Side::Nginx)) / 2.0
}

pub(super) fn lines(rounds: &[Round]) -> Vec<Line> {
    let of = |value: &dyn Fn(&Round) -> f64| Estimate::of(rounds.iter().map(value).collect());
    let mut lines = vec![
        Line::judged(
            "CPU per forwarded call, gateway / nginx",
            "×",
            of(&|round| round.forwarder(Side::Gateway) / round.forwarder(Side::Nginx)),
            Target::AtMost(1.0),
        ),
        Line::judged(
            "forwarded calls, gateway / nginx of 2 workers",
            "×",
            of(&|round| round.per_second(Side::Gateway) / round.per_second(Side::NginxOfTwo)),
            Target::AtLeast(1.0),
        ),
        Line::plain(
            "CPU per forwarded call, gateway / HAProxy",
            "×",
            of(&|round| round.forwarder(Side::Gateway) / round.forwarder(Side::Haproxy)),
        ),
        Line::plain("A/A: first / last slice of the gateway", "×", of(&Round::noise)),
    ];
    for (side, name) in [
        (Side::Gateway, "gateway"),
        (Side::Nginx, "nginx"),
        (Side::NginxOfTwo, "nginx of 2 workers"),
        (Side::Haproxy, "HAProxy"),
    ] {
        let mean = |value: fn(&Slice) -> f64| of(&|round: &Round| round.mean(side, value));
        lines.extend([
            Line::plain(format!("forwarded calls, {name}"), "1/s", mean(|slice| slice.per_second)),
            Line::plain(format!("CPU per call, {name}"), "µs", mean(|slice| slice.used.forwarder)),
            Line::plain(format!("CPU per call, backend of {name}"), "µs", mean(|slice| slice.used.backend)),
            Line::plain(format!("CPU per call, Postgres of {name}"), "µs", mean(|slice| slice.used.postgres)),
            Line::plain(format!("p50, 64 clients, {name}"), "ms", mean(|slice| slice.p50 / 1e3)),
            Line::plain(format!("p99, 64 clients, {name}"), "ms", mean(|slice| slice.p99 / 1e3)),
        ]);
    }
    lines
}
