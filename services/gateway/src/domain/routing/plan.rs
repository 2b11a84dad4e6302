//! What commands of routing and presence may touch: the people who look free by an unlocked read, best first, and what hangs together with them.
//!
//! Who is chosen is decided under the locks. Each command of a batch gets somebody of its own and a few to spare, so that a burst of contacts finds as
//! many desks.

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use shouwen_calendar::Calendar;
use shouwen_engine::{AggregateId, Footprint};
use shouwen_proto::events::v1::ownership_event::Event;

use super::{
    begun,
    candidates::{self, Inquiry, Person},
    evolve, seek,
    state::{RoutingState, id},
};
use crate::domain::{
    CaseState, Command, Snapshot,
    command::{PresenceCommand, RoutingCommand},
    presence::{self, PresenceState},
};

/// How many candidates beside its own a command locks.
const SPARE: usize = 2;

/// What an unlocked read found.
#[derive(Debug, Default)]
pub struct Found {
    pub now: DateTime<Utc>,
    /// By id.
    pub routings: HashMap<String, RoutingState>,
    /// The routings, whether they exist or not, of the calls that employees are on.
    pub lines: HashMap<String, AggregateId>,
    /// Cases of routings, by id.
    pub cases: HashMap<String, CaseState>,
    /// Everybody who may be asked, and whether a contact rings there.
    pub presences: Vec<(PresenceState, bool)>,
}

/// What has to be read for a batch.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Routings by id, and those that have these employees reserved.
    pub routings: BTreeSet<String>,
    pub reserved: BTreeSet<String>,
}

/// The routings that commands are about.
pub fn wanted(commands: &[&Command]) -> Wanted {
    let mut wanted = Wanted::default();
    for command in commands {
        match command {
            Command::Presence(
                PresenceCommand::Set { employee, .. } | PresenceCommand::Lost { employee, .. },
            ) => {
                wanted.reserved.insert(employee.clone());
            }
            Command::Routing(command) => {
                wanted.routings.insert(id(command.contact()).0);
            }
            _ => {}
        }
    }
    wanted
}

/// The routings that may look for somebody: those that were found, and those that begin.
pub fn seekers(commands: &[&Command], found: &Found) -> Vec<RoutingState> {
    let begins = commands.iter().filter_map(|command| match command {
        Command::Routing(RoutingCommand::Route(route)) => {
            evolve::after(None, &Event::RoutingBegun(begun(route)), found.now)
        }
        _ => None,
    });
    found.routings.values().cloned().chain(begins).collect()
}

/// The employees whom a routing names, beside the branch and HQ.
pub fn named(routing: &RoutingState, case: Option<&CaseState>, snapshot: &Snapshot) -> Vec<String> {
    seek::inquiry(routing, case, true, snapshot).named.into_iter().map(|(_, employee)| employee).collect()
}

/// The footprint of each command, in order; `None` for those of other kinds.
pub fn footprints(commands: &[&Command], found: &Found, snapshot: &Snapshot) -> Vec<Option<Footprint>> {
    let mut search = Search::new(found, snapshot);
    commands
        .iter()
        .map(|command| match command {
            Command::Presence(
                PresenceCommand::Set { employee, .. } | PresenceCommand::Lost { employee, .. },
            ) => {
                let mut footprint = Footprint::default();
                footprint.aggregates.push(presence::id(employee));
                footprint.keys.push(presence::reserved_key(employee));
                let ringing = found.routings.iter().find(|(_, routing)| {
                    routing.key().is_some_and(|key| key == presence::reserved_key(employee))
                });
                if let Some((name, routing)) = ringing {
                    footprint.aggregates.push(AggregateId(name.clone()));
                    // A call that is transferred goes to nobody else.
                    if routing.transfer.is_none() {
                        search.add(routing, &mut footprint);
                    }
                }
                footprint.aggregates.extend(found.lines.get(employee).cloned());
                Some(footprint)
            }
            Command::Routing(command) => Some(search.of_routing(command)),
            _ => None,
        })
        .collect()
}

/// Contacts that wait although somebody looks free for them, in the order of the queue.
pub fn dispatchable(
    queue: &[(AggregateId, RoutingState)],
    found: &Found,
    snapshot: &Snapshot,
) -> Vec<Command> {
    let mut search = Search::new(found, snapshot);
    let free = |(name, routing): &(AggregateId, RoutingState)| {
        let contact = super::state::contact(name);
        let inquiry = search.inquiry(routing);
        search.allot(&inquiry).map(|_| Command::Routing(RoutingCommand::Dispatch { contact }))
    };
    queue.iter().filter_map(free).collect()
}

/// The people of a read, and who of them is spoken for by an earlier command of the batch.
struct Search<'a> {
    found: &'a Found,
    snapshot: &'a Snapshot,
    people: Vec<Person>,
    allotted: HashSet<String>,
}

impl<'a> Search<'a> {
    fn new(found: &'a Found, snapshot: &'a Snapshot) -> Self {
        let people = found
            .presences
            .iter()
            .filter_map(|(presence, reserved)| seek::person(presence, *reserved, found.now, snapshot))
            .collect();
        Self { found, snapshot, people, allotted: HashSet::new() }
    }

    fn inquiry(&self, routing: &RoutingState) -> Inquiry {
        let hours = self.snapshot.policies.hours(Some(&routing.branch), self.found.now);
        let calendar: &Calendar = &self.snapshot.policies.calendar(self.found.now);
        let working = calendar.is_working_time(self.found.now, &hours.value.working_hours).value;
        let case = routing.case.as_ref().and_then(|case| self.found.cases.get(case));
        seek::inquiry(routing, case, working, self.snapshot)
    }

    /// Somebody whom no earlier command has.
    fn allot(&mut self, inquiry: &Inquiry) -> Option<String> {
        let mut free = candidates::eligible(inquiry, &self.people);
        let own = free.find(|person| !self.allotted.contains(&person.employee))?.employee.clone();
        self.allotted.insert(own.clone());
        Some(own)
    }

    fn of_routing(&mut self, command: &RoutingCommand) -> Footprint {
        let contact = command.contact();
        let routing = id(contact);
        let mut footprint = Footprint { aggregates: vec![routing.clone()], ..Footprint::default() };
        let state = match command {
            RoutingCommand::Callback { .. } => return footprint,
            RoutingCommand::Cancel { .. } | RoutingCommand::Missed { .. } => None,
            RoutingCommand::Route(route) if !self.found.routings.contains_key(&routing.0) => {
                evolve::after(None, &Event::RoutingBegun(begun(route)), self.found.now)
            }
            _ => self.found.routings.get(&routing.0).cloned(),
        };
        // Answered meanwhile or not: who answered, and whether that is still owed to a backend, is known to the contact alone.
        footprint.aggregates.push(contact.clone());
        if let Some(state) = state {
            if let Some(reserved) = state.key() {
                footprint.aggregates.push(presence::id(&reserved.key));
                footprint.keys.push(reserved);
            }
            if state.transfer.is_none() {
                self.add(&state, &mut footprint);
            }
        }
        footprint
    }

    /// The case, whom it names and who is known, and the best of those who look free.
    fn add(&mut self, routing: &RoutingState, footprint: &mut Footprint) {
        footprint.aggregates.extend(
            routing
                .case
                .iter()
                .filter(|case| self.found.cases.contains_key(*case))
                .map(|case| AggregateId(case.clone())),
        );
        let mut inquiry = self.inquiry(routing);
        if candidates::eligible(&inquiry, &self.people).next().is_none() {
            inquiry.tried = seek::tried_lately(routing, self.found.now, self.snapshot);
        }
        let known = |employee: &String| self.people.iter().any(|person| person.employee == *employee);
        let mut people: BTreeSet<String> =
            inquiry.named.iter().map(|(_, employee)| employee.clone()).filter(known).collect();
        people.extend(
            candidates::eligible(&inquiry, &self.people)
                .take(SPARE + 1)
                .map(|person| person.employee.clone()),
        );
        people.extend(self.allot(&inquiry));
        for employee in people {
            footprint.aggregates.push(presence::id(&employee));
            footprint.keys.push(presence::reserved_key(&employee));
        }
    }
}

impl RoutingCommand {
    pub fn contact(&self) -> &AggregateId {
        match self {
            Self::Route(route) => &route.contact,
            Self::Decline { contact, .. }
            | Self::Cancel { contact }
            | Self::Missed { contact }
            | Self::Callback { contact }
            | Self::Due { contact }
            | Self::Dispatch { contact } => contact,
        }
    }
}
