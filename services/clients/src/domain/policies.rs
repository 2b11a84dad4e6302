//! Adopting policies (P1).

use shouwen_engine::{AggregateId, Decision, Refusal, World};
use shouwen_policy::{PolicyBook, PolicyVersion};
use shouwen_proto::events::v1::{PolicyAdopted, clients_event::Event};

use super::{State, rejection::Rejection};

/// Adopts a policy version that ownership approved. Adopting it twice changes nothing.
pub fn adopt(
    world: &World<'_, State>,
    adopted: &PolicyAdopted,
    book: &PolicyBook,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let id = AggregateId(adopted.policy.clone());
    if world.state(&id).is_some() {
        return Ok(Decision::nothing(id));
    }
    let version =
        PolicyVersion::try_from(adopted).map_err(|error| Rejection::PolicyInvalid(error.to_string()))?;
    book.with(version).map_err(|invalid| Rejection::PolicyInvalid(invalid.to_string()))?;
    Ok(Decision::on(id, [Event::PolicyAdopted(adopted.clone())]))
}
