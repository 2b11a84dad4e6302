//! What each side adds to the time of a call straight to the backend, at a rate that all can bear.

use super::{Scene, Side};
use crate::{
    Failure,
    awake::Awake,
    plan::Plan,
    report::Line,
    statistics::{self, Estimate, Target},
};

/// Each comes twice in a round, the second time in reverse order (ABBA).
const ORDER: [Side; 3] = [Side::Direct, Side::Gateway, Side::Nginx];
/// How much more than nginx the gateway may add.
const ALLOWED: f64 = 1.4;

/// Medians of both slices of each side, microseconds.
struct Round {
    direct: f64,
    gateway: f64,
    nginx: f64,
    /// Of the gateway's calls.
    p99: f64,
}

impl Round {
    /// By how many microseconds the gateway adds more than it may. A difference, because a ratio of what is lost in noise says nothing.
    fn excess(&self) -> f64 {
        (self.gateway - self.direct) - ALLOWED * (self.nginx - self.direct)
    }
}

pub(super) async fn measure(plan: &Plan, scene: &Scene, per_second: f64) -> Result<Vec<Line>, Failure> {
    let plan = &plan.in_short_turns();
    let _awake = Awake::keep();
    let mut rounds = Vec::with_capacity(plan.rounds);
    for number in 1..=plan.rounds {
        let mut latencies = ORDER.map(|_| Vec::new());
        for place in (0..ORDER.len()).chain((0..ORDER.len()).rev()) {
            latencies[place].extend(scene.pace(ORDER[place], per_second, plan.slice).await?);
        }
        let [direct, gateway, nginx] = latencies.each_ref().map(|of| statistics::latency(of, 0.5));
        let round = Round { direct, gateway, nginx, p99: statistics::latency(&latencies[1], 0.99) };
        eprintln!(
            "bench: added time, round {number} of {}, {per_second:.0} a second: direct {direct:.0} µs, gateway {gateway:.0} µs, nginx {nginx:.0} µs",
            plan.rounds
        );
        rounds.push(round);
    }
    let of = |value: &dyn Fn(&Round) -> f64| Estimate::of(rounds.iter().map(value).collect());
    Ok(vec![
        Line::judged("added p50, gateway - 1.4 × nginx", "µs", of(&Round::excess), Target::AtMost(0.0)),
        Line::plain(
            "added p50, gateway / nginx",
            "×",
            of(&|round| (round.gateway - round.direct) / (round.nginx - round.direct)),
        ),
        Line::plain("added p50, gateway", "µs", of(&|round| round.gateway - round.direct)),
        Line::plain("added p50, nginx", "µs", of(&|round| round.nginx - round.direct)),
        Line::plain("p50, straight to the backend", "µs", of(&|round| round.direct)),
        Line::plain("p99, through the gateway", "µs", of(&|round| round.p99)),
        Line::plain("calls a second of these", "1/s", of(&|_| per_second)),
    ])
}
