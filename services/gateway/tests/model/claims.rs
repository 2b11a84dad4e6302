//! Claims of one contact (O1): whoever is first, through whichever gateway, becomes its first responder (首问责任人), for good. A claim is one batch that
//! inserts the contact's key, which waits for another batch that has inserted it, decides, and commits; a process may die at any moment, and callers
//! repeat what they got no answer to.

use stateright::{Model, Property};

use crate::ownership::{Employee, STAFF, Set};

/// O1: exactly one employee becomes the contact's first responder.
pub(crate) const ONE_RESPONDER: &str = "a contact has one first responder";
/// O1: everybody is told the same name.
pub(crate) const ONE_NAME: &str = "everybody is told the same first responder";

/// Two gateways over ownership's schema.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claims {
    /// Whether the contact is a unique key.
    pub(crate) unique: bool,
}

/// A batch under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Batch {
    by: Employee,
    /// Who had won when it looked.
    found: Option<Employee>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct State {
    gateways: [Option<Batch>; 2],
    /// Whom the contact names.
    winner: Option<Employee>,
    /// Everybody who opened a case by this contact.
    responders: Set,
    /// Whom each caller was told.
    told: [Option<Employee>; STAFF],
    /// Who was told more than one name.
    confused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Claim {
        gateway: usize,
        by: Employee,
    },
    Commit {
        gateway: usize,
    },
    /// Committed, and the answer is lost with the process.
    CommitAndDie {
        gateway: usize,
    },
    /// Before COMMIT: rolled back.
    Die {
        gateway: usize,
    },
}

impl State {
    fn commit(&mut self, gateway: usize) -> Option<(Employee, Employee)> {
        let Batch { by, found } = self.gateways[gateway].take()?;
        let winner = found.unwrap_or(by);
        if found.is_none() {
            self.winner = Some(by);
            self.responders = self.responders.with(by);
        }
        Some((by, winner))
    }
}

impl Model for Claims {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::default()]
    }

    fn actions(&self, _: &State, actions: &mut Vec<Action>) {
        for gateway in 0..2 {
            actions.extend((0..STAFF).map(|by| Action::Claim { gateway, by }));
            actions.extend([
                Action::Commit { gateway },
                Action::CommitAndDie { gateway },
                Action::Die { gateway },
            ]);
        }
    }

    fn next_state(&self, last: &State, action: Action) -> Option<State> {
        let mut state = *last;
        match action {
            Action::Claim { gateway, by } => {
                let locked = self.unique && last.gateways.iter().any(Option::is_some);
                if locked || last.gateways[gateway].is_some() {
                    return None;
                }
                state.gateways[gateway] = Some(Batch { by, found: last.winner });
            }
            Action::Commit { gateway } => {
                let (by, winner) = state.commit(gateway)?;
                state.confused |= state.told[by].is_some_and(|told| told != winner);
                state.told[by] = Some(winner);
            }
            Action::CommitAndDie { gateway } => {
                state.commit(gateway)?;
            }
            Action::Die { gateway } => {
                state.gateways[gateway].take()?;
            }
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(ONE_RESPONDER, |_, state: &State| state.responders.len() <= 1),
            Property::always(ONE_NAME, |_, state: &State| {
                let mut told = state.told.iter().flatten();
                !state.confused && told.all(|name| Some(*name) == state.winner)
            }),
            Property::sometimes("everybody has heard who it is", |_, state: &State| {
                state.told.iter().all(Option::is_some)
            }),
        ]
    }
}
