//! Who leaves the firm, or stops serving clients, leaves no open case and nobody they deputise for behind (O9).

use std::{collections::BTreeSet, sync::Arc};

use shouwen_engine::World;

use super::Employee;
use crate::domain::{
    Snapshot, State,
    absence::rules::is_theirs,
    rejection::{AttendanceRejection, LISTED},
};

/// What an employee would leave behind, as read under the locks of the batch that decides about the entry; empty where nobody asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeftBehind {
    /// Open cases that are theirs.
    pub cases: Arc<[String]>,
    /// Absences in which they act as deputy in a case, named or not.
    pub absences: Arc<[String]>,
}

/// Refuses what leaves something behind. `read` is what was read before the first command of the batch; what earlier commands made of the cases is in
/// the world.
pub(super) fn check(
    world: &World<'_, State>,
    (before, after): (&Employee, &Employee),
    read: &LeftBehind,
    snapshot: &Snapshot,
) -> Result<(), AttendanceRejection> {
    let leaves = before.active && !after.active;
    let stops = before.serves_clients() && !after.serves_clients();
    let behind = leaves || (before.active && stops);
    if !behind {
        return Ok(());
    }
    let employee = &before.name;
    let changed = |id: &str| world.locked().any(|(locked, _)| locked.0 == id);
    let mut theirs: BTreeSet<&str> =
        read.cases.iter().map(String::as_str).filter(|id| !changed(id)).collect();
    theirs.extend(world.locked().filter_map(|(id, state)| match state {
        State::Case(case) if is_theirs(case, employee) => Some(id.0.as_str()),
        _ => None,
    }));
    if !theirs.is_empty() {
        let cases = theirs.iter().take(LISTED).map(|case| (*case).to_owned()).collect();
        return Err(AttendanceRejection::OpenCases {
            employee: employee.clone(),
            count: theirs.len(),
            cases,
        });
    }
    let named = snapshot.absences.deputised_by(employee).map(|absence| absence.name.as_str());
    let mut absences: BTreeSet<&str> = named.chain(read.absences.iter().map(String::as_str)).collect();
    for (_, state) in world.locked() {
        if let State::Case(case) = state {
            let acting = case.deputies.iter().filter(|deputy| deputy.employee == *employee);
            absences.extend(acting.map(|deputy| deputy.absence.as_str()));
        }
    }
    if absences.is_empty() {
        return Ok(());
    }
    let absences = absences.into_iter().take(LISTED).map(str::to_owned).collect();
    Err(AttendanceRejection::StillDeputy { employee: employee.clone(), absences })
}
