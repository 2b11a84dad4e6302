//! What a command may touch, by what a read without locks found about the cases and contacts that it names.

use std::collections::{HashMap, HashSet};

use shouwen_engine::{AggregateId, Footprint};

use super::{
    AbsenceAction, AbsenceCommand, AbsenceStep, CHUNK, Command, ContactCommand, PolicyCommand, REASSIGNED,
    TransferAction, TransferCommand,
};
use crate::domain::{case::open_key, presence, routing, staffing};

/// Cases that a read without locks is to find for a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sought {
    /// Open ones that the employee handles or is accountable for, at most so many.
    Of { employee: String, limit: usize },
    /// As `Of`, and those in which the employee deputises for somebody.
    Around { employee: String, limit: usize },
    /// As `Of`, all that belong to the absence's employee.
    ByAbsence { absence: String },
    /// Those in which somebody deputises by the absence.
    Under { absence: String },
    /// Those that do not stand as the absence says.
    Unsettled { absence: String },
}

/// What an unlocked read found about the cases and contacts that commands name.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Case of each contact that exists.
    pub cases_of_contacts: HashMap<String, String>,
    /// What is known of each case, the survivors of merged ones included.
    pub cases: HashMap<String, CaseReach>,
    /// What was sought.
    pub found: HashMap<Sought, Vec<String>>,
    /// Who answered each contact that exists.
    pub employees_of_contacts: HashMap<String, String>,
    /// Routings and presences that exist.
    pub on_the_line: HashSet<String>,
    /// What rings at the desks of those who answer.
    pub ringing: HashMap<String, String>,
    /// Who took over the calls of routings.
    pub on_call: HashMap<String, String>,
    /// For whom transfers of routings ring.
    pub targets: HashMap<String, String>,
}

#[derive(Clone, Debug, Default)]
pub struct CaseReach {
    pub client: Option<String>,
    pub topic: String,
    pub merged_into: Option<String>,
}

impl Reach {
    /// The case and all its survivors up to the last.
    fn chain(&self, case: &str) -> Vec<String> {
        let mut chain = vec![case.to_owned()];
        while let Some(next) =
            chain.last().and_then(|last| self.cases.get(last)).and_then(|case| case.merged_into.clone())
        {
            if chain.contains(&next) {
                break;
            }
            chain.push(next);
        }
        chain
    }

    /// The routing of a contact and the presence of who answered or answers it, where they exist; what rings at the desk of who answers; and who took the
    /// call over. A call that ends may have a routing by then: who is on it can announce a transfer (K5).
    fn on_the_line(&self, contact: &AggregateId, employee: Option<&str>) -> Vec<AggregateId> {
        let answered = self.employees_of_contacts.get(&contact.0).map(String::as_str);
        let routing = routing::id(contact);
        let on_call = self.on_call.get(&routing.0).map(|employee| presence::id(employee));
        let presences = [employee, answered].into_iter().flatten().map(presence::id);
        let ringing = employee.and_then(|employee| self.ringing.get(employee));
        let mut line: Vec<AggregateId> = presences.filter(|id| self.on_the_line.contains(&id.0)).collect();
        if self.on_the_line.contains(&routing.0) || (employee.is_none() && !line.is_empty()) {
            line.push(routing);
        }
        line.extend(on_call);
        line.extend(ringing.map(|routing| AggregateId(routing.clone())));
        line
    }

    /// Locks for a case that may be followed to its survivor and may be reopened.
    fn footprint(&self, case: &str) -> Footprint {
        let chain = self.chain(case);
        let last = chain.last().and_then(|last| self.cases.get(last));
        let keys = last.and_then(|case| open_key(case.client.as_deref(), &case.topic)).into_iter().collect();
        Footprint { aggregates: chain.into_iter().map(AggregateId).collect(), keys, ..Footprint::default() }
    }
}

impl Command {
    /// The cases that have to be found for it.
    pub fn sought(&self) -> Option<Sought> {
        match self {
            Self::Absence(AbsenceCommand { absence, action }) => match action {
                // Without a deputy for all each open case must have its own.
                AbsenceAction::Enter(enter) => Some(Sought::Around {
                    employee: enter.employee.clone(),
                    limit: if enter.naming.all.is_some() { CHUNK } else { REASSIGNED + 1 },
                }),
                AbsenceAction::Change { naming, .. } if naming.all.is_none() => {
                    Some(Sought::ByAbsence { absence: absence.0.clone() })
                }
                AbsenceAction::Change { .. }
                | AbsenceAction::End { .. }
                | AbsenceAction::Due(AbsenceStep::End) => Some(Sought::Under { absence: absence.0.clone() }),
                AbsenceAction::Cancel { .. } => None,
                AbsenceAction::Due(AbsenceStep::Begin | AbsenceStep::Apply) => {
                    Some(Sought::Unsettled { absence: absence.0.clone() })
                }
            },
            Self::Reassign(command) if command.cases.is_empty() => {
                Some(Sought::Of { employee: command.from.clone(), limit: REASSIGNED + 1 })
            }
            _ => None,
        }
    }

    /// What the command may touch, by what an unlocked read found.
    pub fn footprint(&self, reach: &Reach) -> Footprint {
        let mut footprint = match self {
            Self::Roster(command) => return command.footprint(),
            Self::Policy(command) => return command.footprint(),
            Self::Absence(AbsenceCommand { absence, action }) => {
                let named = match action {
                    AbsenceAction::Enter(enter) => Some(&enter.naming),
                    AbsenceAction::Change { naming, .. } => Some(naming),
                    _ => None,
                };
                let selected = named.into_iter().flat_map(|naming| naming.selected.keys());
                return self.finding(absence, selected.cloned().map(AggregateId), reach);
            }
            Self::Reassign(command) => {
                return self.finding(&command.reassignment, command.cases.iter().cloned(), reach);
            }
            Self::Staffing(command) => {
                let aggregates = vec![staffing::id(&command.line)];
                return Footprint { aggregates, ..Footprint::default() };
            }
            // Known to `routing::plan` alone.
            Self::Presence(_) | Self::Routing(_) => return Footprint::default(),
            Self::Case(_) | Self::FollowUp(_) | Self::Contact(_) | Self::Transfer(_) => {
                match (self.case(), self.contact()) {
                    (Some(case), _) => reach.footprint(&case.0),
                    (None, Some(contact)) => {
                        let case = reach.cases_of_contacts.get(&contact.0);
                        let mut footprint = case.map(|case| reach.footprint(case)).unwrap_or_default();
                        footprint.aggregates.push(contact.clone());
                        footprint.aggregates.extend(reach.on_the_line(contact, self.answers()));
                        footprint
                    }
                    (None, None) => Footprint::default(),
                }
            }
        };
        match self {
            Self::Contact(ContactCommand::Claim(claim)) => {
                footprint.aggregates.push(claim.case.clone());
                footprint.makes = Some(claim.case.clone());
                footprint.keys.extend(open_key(claim.client.as_deref(), &claim.topic));
            }
            Self::Contact(ContactCommand::Identify { contact, client, topic, .. }) => {
                let case = reach.cases_of_contacts.get(&contact.0).and_then(|case| {
                    reach.chain(case).last().and_then(|last| reach.cases.get(last).cloned())
                });
                let topic = topic.clone().or(case.map(|case| case.topic)).unwrap_or_default();
                footprint.keys.extend(open_key(Some(client), &topic));
            }
            Self::Transfer(command) => command.extend(&mut footprint, reach),
            _ => {}
        }
        footprint
    }
}

impl Command {
    /// An aggregate, the cases that are named with it, and those that were found for it; each once.
    fn finding(
        &self,
        primary: &AggregateId,
        named: impl Iterator<Item = AggregateId>,
        reach: &Reach,
    ) -> Footprint {
        let found = self.sought().and_then(|sought| reach.found.get(&sought)).into_iter().flatten();
        let mut aggregates = vec![primary.clone()];
        let mut known = HashSet::new();
        aggregates
            .extend(named.chain(found.cloned().map(AggregateId)).filter(|case| known.insert(case.clone())));
        Footprint { aggregates, ..Footprint::default() }
    }
}

impl TransferCommand {
    /// The routing, who acts, at whose desk it rings, and for whom it shall.
    fn extend(&self, footprint: &mut Footprint, reach: &Reach) {
        let routing = routing::id(&self.contact);
        let mut people = vec![&self.by];
        people.extend(reach.targets.get(&routing.0));
        if let TransferAction::Announce { to } = &self.action {
            people.push(to);
            footprint.keys.push(presence::reserved_key(to));
        }
        footprint.aggregates.extend(people.into_iter().map(|employee| presence::id(employee)));
        footprint.aggregates.push(routing);
    }
}

impl PolicyCommand {
    fn footprint(&self) -> Footprint {
        match self {
            Self::Propose { propose, .. } => Footprint {
                aggregates: vec![AggregateId(propose.policy.clone())],
                counters: vec![shouwen_policy::revision_counter(propose.kind, &propose.scope)],
                ..Footprint::default()
            },
            Self::Approve { policy, .. } | Self::Reject { policy, .. } => {
                Footprint { aggregates: vec![policy.clone()], ..Footprint::default() }
            }
        }
    }
}
