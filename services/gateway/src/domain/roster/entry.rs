//! One entry of the roster: what is named must exist, external ids are unique, the first administrator is made once.

use shouwen_engine::{AggregateId, Decision, Footprint, Refusal, World};
use shouwen_proto::events::v1::ownership_event::Event;

use super::{RosterState, bootstrap_key, external_id_key, leaving, saved};
use crate::domain::{Rejection, Snapshot, State, presence};

/// Creates or updates one entry.
#[derive(Clone, Debug)]
pub struct RosterCommand {
    pub entry: RosterState,
    /// The caller's branches; `None` for who reaches all.
    pub branches: Option<Vec<String>>,
}

impl RosterCommand {
    pub fn footprint(&self) -> Footprint {
        let mut aggregates = vec![AggregateId(self.entry.name().to_owned())];
        aggregates.extend(self.named_branches().into_iter().map(|branch| AggregateId(branch.to_owned())));
        if let RosterState::Line(line) = &self.entry
            && !line.employee.is_empty()
        {
            aggregates.push(AggregateId(line.employee.clone()));
        }
        if let RosterState::Employee(employee) = &self.entry {
            aggregates.push(presence::id(&employee.name));
        }
        Footprint { aggregates, keys: self.entry.keys().into_iter().collect(), ..Footprint::default() }
    }

    /// The field that names the branches.
    fn branch_field(&self) -> &'static str {
        match &self.entry {
            RosterState::Branch(_) => "branch.name",
            RosterState::Employee(_) => "employee.branch",
            RosterState::Line(_) => "line.branch",
            RosterState::ServiceAccount(_) => "service_account.branches",
        }
    }

    fn named_branches(&self) -> Vec<&str> {
        match &self.entry {
            RosterState::Branch(_) => Vec::new(),
            entry => branches_of(entry),
        }
    }

    /// Whether an entry lies within the caller's branches as a whole.
    fn reaches(&self, entry: &RosterState) -> bool {
        let within = |branches: &Vec<String>| {
            branches_of(entry).into_iter().all(|branch| branches.iter().any(|known| known == branch))
        };
        self.branches.as_ref().is_none_or(within)
    }
}

fn branches_of(entry: &RosterState) -> Vec<&str> {
    match entry {
        RosterState::Branch(branch) => vec![&branch.name],
        RosterState::Employee(employee) => vec![&employee.branch],
        RosterState::Line(line) => vec![&line.branch],
        RosterState::ServiceAccount(account) => account.branches.iter().map(String::as_str).collect(),
    }
}

/// Decides an entry. What is named must exist; the same entry again changes nothing; nobody leaves open cases behind (O9).
pub fn decide(
    world: &World<'_, State>,
    command: &RosterCommand,
    snapshot: &Snapshot,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let id = AggregateId(command.entry.name().to_owned());
    let known = match world.state(&id) {
        Some(State::Roster(known, _)) => Some(known),
        _ => None,
    };
    if ![Some(&command.entry), known].into_iter().flatten().all(|entry| command.reaches(entry)) {
        return Err(Rejection::RosterInvalid {
            field: command.branch_field(),
            problem: "lies outside the caller's branches",
        }
        .into());
    }
    if let RosterState::Employee(employee) = &command.entry
        && employee.bootstrap
        && world.key_holder(&bootstrap_key()).is_some_and(|holder| *holder != id)
    {
        return Err(Rejection::RosterNotEmpty.into());
    }
    let mut entry = command.entry.clone();
    // A later import of the first administrator keeps the mark.
    if let (RosterState::Employee(employee), Some(RosterState::Employee(before))) = (&mut entry, known) {
        if employee.bootstrap && known.is_some() {
            return Err(Rejection::RosterNotEmpty.into());
        }
        employee.bootstrap |= before.bootstrap;
    }
    if known == Some(&entry) {
        return Ok(Decision::nothing(id));
    }
    let bootstrap = matches!(&entry, RosterState::Employee(employee) if employee.bootstrap);
    for branch in command.named_branches() {
        let exists = matches!(
            world.state(&AggregateId(branch.to_owned())),
            Some(State::Roster(RosterState::Branch(_), _))
        );
        if !exists && !bootstrap {
            return Err(Rejection::RosterInvalid {
                field: command.branch_field(),
                problem: "is not in the roster; import the branch first",
            }
            .into());
        }
    }
    if let RosterState::Employee(employee) = &entry {
        let taken = !employee.external_id.is_empty()
            && world.key_holder(&external_id_key(&employee.external_id)).is_some_and(|holder| *holder != id);
        if taken {
            return Err(Rejection::RosterInvalid {
                field: "employee.external_id",
                problem: "belongs to another employee",
            }
            .into());
        }
    }
    if let RosterState::Line(line) = &entry
        && !line.employee.is_empty()
        && world.state(&AggregateId(line.employee.clone())).is_none()
    {
        return Err(Rejection::RosterInvalid {
            field: "line.employee",
            problem: "is not in the roster; import the employee first",
        }
        .into());
    }
    if let (RosterState::Employee(after), Some(State::Roster(RosterState::Employee(before), read))) =
        (&entry, world.state(&id))
    {
        leaving::check(world, (before, after), read, snapshot)?;
    }
    let moved = match &entry {
        RosterState::Employee(employee) => presence::moved(world, employee),
        _ => None,
    };
    let mut decision = Decision::on(id, [saved(entry)]);
    decision.events.extend(moved);
    Ok(decision)
}
