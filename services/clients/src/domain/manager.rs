//! Service managers (L8): each client has exactly one, in the position that the client's assets ask for; a change is a hand-over, on record.

use ring::digest;
use shouwen_proto::{
    events::v1::{ServiceManagerAssigned, clients_event::Event},
    r#type::v1::Position as PositionMessage,
};

use super::{
    client::Client, coverage::Position, name::ClientName, rejection::Rejection, roster::BranchRoster,
};

/// Entered with the file.
pub const REASON_IMPORT: &str = "import";
/// The figures ask for another position.
pub const REASON_ASSETS: &str = "assets";
/// The manager left, moved or fell in position.
pub const REASON_ROSTER: &str = "roster";

/// How somebody stands to a client whose assets ask for a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Fits,
    TooLow,
    /// Unknown, inactive, of another branch, or nobody.
    Away,
}

/// How `employee` stands to a client of the roster's branch.
pub fn standing(employee: &str, needed: Position, roster: &BranchRoster) -> Standing {
    match roster.find(employee) {
        None => Standing::Away,
        Some(colleague) if colleague.position < needed => Standing::TooLow,
        Some(_) => Standing::Fits,
    }
}

/// Whom the service chooses: somebody in exactly the position asked for, else in the next higher one that has anybody. Who of them follows from the
/// client's id alone, so that the same roster always gives the same answer and clients spread evenly.
pub fn choose<'a>(client: &ClientName, needed: Position, roster: &'a BranchRoster) -> Option<&'a str> {
    let candidates = Position::ALL
        .into_iter()
        .filter(|position| *position >= needed)
        .map(|position| roster.serving(position))
        .find(|serving| !serving.is_empty())?;
    let count = u64::try_from(candidates.len()).ok()?;
    let index = usize::try_from(spread(client.id()) % count).ok()?;
    candidates.get(index).map(|colleague| colleague.name.as_str())
}

/// The first eight bytes of SHA-256 over the client's id, big-endian.
fn spread(id: &str) -> u64 {
    let digest = digest::digest(&digest::SHA256, id.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// A lead hands the client over. No event where the employee serves the client already.
pub fn assign(
    client: &Client,
    employee: &str,
    roster: &BranchRoster,
    reason: &str,
) -> Result<Option<Event>, Rejection> {
    named(employee, client.coverage, roster)?;
    Ok(change(client, employee, reason))
}

/// Refuses whom a person names unless the employee may serve the client.
pub fn named(employee: &str, needed: Position, roster: &BranchRoster) -> Result<(), Rejection> {
    match standing(employee, needed, roster) {
        Standing::Fits => Ok(()),
        Standing::TooLow => Err(Rejection::PositionTooLow(needed)),
        Standing::Away => Err(Rejection::ManagerInvalid),
    }
}

/// Somebody else for a client whose manager cannot serve it any more, or whom nobody served. No event where the manager still fits.
pub fn reassign(client: &Client, roster: &BranchRoster) -> Option<Event> {
    if client.branch != roster.branch()
        || standing(&client.manager, client.coverage, roster) == Standing::Fits
    {
        return None;
    }
    let chosen = choose(&client.name, client.coverage, roster).unwrap_or_default();
    change(client, chosen, REASON_ROSTER)
}

fn change(client: &Client, employee: &str, reason: &str) -> Option<Event> {
    let (coverage, policy) = (client.coverage, client.policy_version.as_str());
    (employee != client.manager).then(|| assigned(employee, &client.manager, coverage, reason, policy))
}

/// The event of a change.
pub fn assigned(
    employee: &str,
    former: &str,
    position: Position,
    reason: &str,
    policy_version: &str,
) -> Event {
    Event::ServiceManagerAssigned(ServiceManagerAssigned {
        employee: employee.to_owned(),
        former: former.to_owned(),
        position: PositionMessage::from(position).into(),
        reason: reason.to_owned(),
        policy_version: policy_version.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{super::roster::Colleague, *};

    fn colleague(name: &str, position: Position) -> Colleague {
        Colleague { name: format!("employees/{name}"), position, serves: true }
    }

    fn roster() -> BranchRoster {
        BranchRoster::new(
            "branches/b1",
            vec![
                colleague("zhou", Position::Anyone),
                colleague("an", Position::Anyone),
                colleague("ma", Position::Manager),
                Colleague { serves: false, ..colleague("boss", Position::BranchHead) },
            ],
        )
    }

    fn name(id: &str) -> ClientName {
        format!("clients/{id}").parse().unwrap()
    }

    #[test]
    fn l8_the_choice_follows_from_the_clients_id() {
        // Computed by other code: the first eight bytes of SHA-256 of `C-1`.
        assert_eq!(spread("C-1"), 0x07e9_a969_6557_f5c8);
        let expected = ["employees/an", "employees/zhou"];
        for id in ["C-1", "C-2", "C-3"] {
            let index = usize::try_from(spread(id) % 2).unwrap();
            assert_eq!(choose(&name(id), Position::Anyone, &roster()), Some(expected[index]));
        }
    }

    #[test]
    fn l8_without_the_position_the_next_higher_one_serves_and_at_last_nobody() {
        assert_eq!(choose(&name("1"), Position::TeamLeader, &roster()), Some("employees/ma"));
        assert_eq!(
            choose(&name("1"), Position::BranchHead, &roster()),
            None,
            "who does not serve is not chosen"
        );
    }

    #[test]
    fn l8_who_is_named_must_be_at_work_in_the_branch_and_high_enough() {
        assert_eq!(standing("employees/boss", Position::BranchHead, &roster()), Standing::Fits);
        assert_eq!(standing("employees/an", Position::TeamLeader, &roster()), Standing::TooLow);
        assert_eq!(standing("employees/li", Position::Anyone, &roster()), Standing::Away);
        assert_eq!(standing("", Position::Anyone, &roster()), Standing::Away);
    }
}
