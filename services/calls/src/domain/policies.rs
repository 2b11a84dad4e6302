//! Policy versions approved in ownership, known here too (P1): a contact is judged by the version under which it began.

use shouwen_policy::{PolicyBook, PolicyVersion};
use shouwen_proto::events::v1::{PolicyAdopted, calls_event::Event};

use super::{State, rejection::Rejection};

/// Takes a version in; one that is known already changes nothing. One that this release cannot read is refused, so that an operator sees it and
/// repeats it after the upgrade.
pub(super) fn adopt(
    known: Option<&State>,
    adopted: &PolicyAdopted,
    policies: &PolicyBook,
) -> Result<Vec<Event>, Rejection> {
    if matches!(known, Some(State::Policy(Some(_)))) {
        return Ok(Vec::new());
    }
    let unreadable = || Rejection::PolicyUnreadable(adopted.policy.clone());
    let version = PolicyVersion::try_from(adopted).map_err(|_| unreadable())?;
    policies.with(version).map_err(|_| unreadable())?;
    Ok(vec![Event::PolicyAdopted(adopted.clone())])
}
