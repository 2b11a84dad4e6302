//! The documents of each kind, with the built-in standard as their defaults and a bound for every number: one file per kind.

mod callbacks;
mod calls;
mod clients;
mod complaints;
mod escalation;
mod hours;
mod ownership;
mod routing;

use crate::document::{Field, Shape};
use crate::error::PolicyError;

pub use callbacks::CallbacksPolicy;
pub use calls::CallsPolicy;
pub use clients::ClientsPolicy;
pub use complaints::{ComplaintLimits, ComplaintsPolicy};
pub use escalation::EscalationPolicy;
pub use hours::HoursPolicy;
pub use ownership::OwnershipPolicy;
pub use routing::RoutingPolicy;

/// Each must be greater than the one after it.
fn falling(values: &[(&'static str, u32)]) -> Vec<PolicyError> {
    values
        .windows(2)
        .filter(|pair| pair[0].1 <= pair[1].1)
        .map(|pair| {
            PolicyError::new(
                pair[0].0,
                format!("{} is not above the {} of {}", pair[0].1, pair[1].1, pair[1].0),
                format!("raise it, or lower {}", pair[1].0),
                format!("{} 不高于 {} 的 {}；请调高，或调低后者", pair[0].1, pair[1].0, pair[1].1),
            )
        })
        .collect()
}

const fn yuan(name: &'static str) -> Field {
    whole(name, 1, u32::MAX, "yuan")
}

const fn whole(name: &'static str, min: u32, max: u32, unit: &'static str) -> Field {
    Field { name, shape: Shape::Whole { min, max, unit } }
}

const fn intervals(name: &'static str) -> Field {
    Field { name, shape: Shape::Intervals }
}
