//! Medians, and how sure one may be of them.

use std::process::ExitCode;

use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use serde::Serialize;

/// Samples of the bootstrap.
const SAMPLES: usize = 10_000;
/// Always the same, so that the same measurements give the same interval.
const SEED: u64 = 42;

/// A figure over rounds: its median, and the 95% bootstrap interval of the median.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Estimate {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// One value per round.
    pub(crate) rounds: Vec<f64>,
}

impl Estimate {
    /// Of one value per round; there must be at least one.
    pub(crate) fn of(rounds: Vec<f64>) -> Self {
        let mut random = StdRng::seed_from_u64(SEED);
        let mut medians: Vec<f64> = (0..SAMPLES)
            .map(|_| {
                let mut sample: Vec<f64> =
                    (0..rounds.len()).map(|_| rounds[random.random_range(0..rounds.len())]).collect();
                quantile(&mut sample, 0.5)
            })
            .collect();
        Self {
            median: quantile(&mut rounds.clone(), 0.5),
            low: quantile(&mut medians, 0.025),
            high: quantile(&mut medians, 0.975),
            rounds,
        }
    }
}

/// A quantile (0 to 1) with linear interpolation; sorts the values. 0 of none.
pub(crate) fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return 0.0 };
    let place = at * last as f64;
    let below = place.floor();
    let (low, high) = (values[below as usize], values[place.ceil() as usize]);
    low + (high - low) * (place - below)
}

/// A quantile of latencies.
pub(crate) fn latency(micros: &[u32], at: f64) -> f64 {
    let mut values: Vec<f64> = micros.iter().copied().map(f64::from).collect();
    quantile(&mut values, at)
}

/// What a figure must be.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// Whether it is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Holds,
    Fails,
    /// The interval contains the target.
    Inconclusive,
}

impl Verdict {
    /// Of several targets: one that fails decides, then one that is inconclusive.
    pub(crate) fn of_all(verdicts: impl IntoIterator<Item = Self>) -> Self {
        verdicts.into_iter().fold(Self::Holds, |all, one| match (all, one) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Inconclusive, _) | (_, Self::Inconclusive) => Self::Inconclusive,
            (Self::Holds, Self::Holds) => Self::Holds,
        })
    }

    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Self::Holds => ExitCode::SUCCESS,
            Self::Fails => ExitCode::from(1),
            Self::Inconclusive => ExitCode::from(2),
        }
    }
}

impl Target {
    /// A target holds if the whole interval meets it, and fails if none of it does.
    pub(crate) fn judge(self, estimate: &Estimate) -> Verdict {
        let (worst, best) = match self {
            Self::AtLeast(target) => (estimate.low - target, estimate.high - target),
            Self::AtMost(target) => (target - estimate.high, target - estimate.low),
        };
        if worst >= 0.0 {
            Verdict::Holds
        } else if best < 0.0 {
            Verdict::Fails
        } else {
            Verdict::Inconclusive
        }
    }
}
