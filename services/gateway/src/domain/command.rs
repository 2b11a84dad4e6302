//! The commands of the domain, and what each may touch.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use shouwen_engine::{AggregateId, Footprint, Key};
use shouwen_policy::Propose;
use shouwen_proto::{
    events::v1::{CallOutcome, CloseKind, ComplaintEnd, OfferMessage, PresenceState},
    r#type::v1::{CallbackKind, Private},
};

use super::{absence::Naming, case::open_key, presence, roster::RosterCommand, routing, staffing};

/// A command. Employees are named `employees/{employee}`.
#[derive(Clone, Debug)]
pub enum Command {
    Roster(RosterCommand),
    Policy(PolicyCommand),
    Contact(ContactCommand),
    Case(CaseCommand),
    FollowUp(FollowUp),
    Absence(AbsenceCommand),
    Reassign(Reassign),
    Presence(PresenceCommand),
    Routing(RoutingCommand),
    Transfer(TransferCommand),
    Staffing(StaffingCommand),
}

/// Whether somebody is at the desk for a published line (K1).
#[derive(Clone, Debug)]
pub struct StaffingCommand {
    pub line: String,
    pub branch: String,
    pub unstaffed: bool,
}

/// Whether employees can be given contacts.
#[derive(Clone, Debug)]
pub enum PresenceCommand {
    /// An employee says so.
    Set { employee: String, branch: String, hq: bool, state: PresenceState, session: String, take_over: bool },
    /// A desk has been silent.
    Lost { employee: String, session: String },
}

/// Who answers a contact. `contact` is `contacts/{contact}`.
#[derive(Clone, Debug)]
pub enum RoutingCommand {
    Route(Box<Route>),
    /// The reserved employee does not take it.
    Decline {
        contact: AggregateId,
        by: String,
    },
    /// The client is gone.
    Cancel {
        contact: AggregateId,
    },
    /// The client will be called back.
    Callback {
        contact: AggregateId,
    },
    /// A reservation, a wait or the night is over.
    Due {
        contact: AggregateId,
    },
    /// Somebody seems to be free for a contact that waits.
    Dispatch {
        contact: AggregateId,
    },
}

/// The transfer of a running call (K5). `by` is the employee who acts.
#[derive(Clone, Debug)]
pub struct TransferCommand {
    pub contact: AggregateId,
    pub by: String,
    pub action: TransferAction,
}

#[derive(Clone, Debug)]
pub enum TransferAction {
    /// Who is on the call announces it to a colleague.
    Announce { to: String },
    /// The colleague takes it.
    Accept,
    /// Who announced it goes on with the call.
    Withdraw,
}

/// A contact to be routed.
#[derive(Clone, Debug)]
pub struct Route {
    pub contact: AggregateId,
    pub branch: String,
    pub line: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    pub client: Option<String>,
    pub topic: String,
    pub skills: Vec<String>,
    /// As the clients service last told (L8, L12).
    pub vip: bool,
    pub service_manager: Option<String>,
    /// The client's open case as last read (O6).
    pub case: Option<AggregateId>,
    /// Waits where those who looked free are taken by now; otherwise that is refused, so that others are looked for.
    pub settle: bool,
}

/// Proposals of policies (P1-P3).
#[derive(Clone, Debug)]
pub enum PolicyCommand {
    Propose { propose: Propose, proposer: String, branches: Option<Vec<String>> },
    Approve { policy: AggregateId, approver: String, branches: Option<Vec<String>>, etag: Option<i64> },
    Reject { policy: AggregateId, by: String, branches: Option<Vec<String>>, reason: String },
}

/// What happens to a contact.
#[derive(Clone, Debug)]
pub enum ContactCommand {
    /// An employee answers it (O1).
    Claim(Claim),
    /// Somebody learns who the client is.
    Identify { contact: AggregateId, client: String, topic: Option<String>, by: String },
    /// The backend took the first touch.
    CompleteTouch { contact: AggregateId, employee: String, case: String },
    /// The backend refused the call with this request id for good.
    VoidTouch { contact: AggregateId, request_id: String, reason: String },
}

/// The claim of a contact.
#[derive(Clone, Debug)]
pub struct Claim {
    pub contact: AggregateId,
    /// The id that a new case gets.
    pub case: AggregateId,
    pub employee: String,
    pub branch: String,
    pub topic: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    pub client: Option<String>,
    /// The call that is owed to a backend.
    pub touch: Option<OwedTouch>,
}

/// A first touch that a backend still has to take.
#[derive(Clone, Debug)]
pub struct OwedTouch {
    pub method: String,
    pub request: Option<Private>,
    pub request_id: String,
}

/// What somebody does about a case. `by` is the employee who acts.
#[derive(Clone, Debug)]
pub struct CaseCommand {
    pub case: AggregateId,
    pub by: String,
    pub etag: Option<i64>,
    pub action: Action,
}

#[derive(Clone, Debug)]
pub enum Action {
    Offer {
        offer: String,
        to: String,
        reason: String,
        explanation: Option<Private>,
    },
    /// A message for a colleague, whose phone was answered (K13).
    Pass {
        offer: String,
        to: String,
        message: OfferMessage,
    },
    /// The message is shown to who acts.
    ReadMessage,
    Accept {
        offer: String,
    },
    Decline {
        offer: String,
        reason: String,
    },
    Withdraw {
        offer: String,
    },
    BeginOverride {
        reason: String,
    },
    EndOverride,
    Resolve {
        answer: Option<Private>,
    },
    Confirm {
        satisfied: bool,
        reason: String,
    },
    Close {
        kind: CloseKind,
        reason: String,
    },
    Reopen {
        reason: String,
    },
}

/// What happens to an absence (O9).
#[derive(Clone, Debug)]
pub struct AbsenceCommand {
    pub absence: AggregateId,
    pub action: AbsenceAction,
}

#[derive(Clone, Debug)]
pub enum AbsenceAction {
    Enter(Box<Enter>),
    End {
        by: Arranger,
        etag: Option<i64>,
    },
    Cancel {
        by: Arranger,
        etag: Option<i64>,
    },
    Change {
        by: Arranger,
        etag: Option<i64>,
        naming: Naming,
    },
    /// The time of one of its deadlines has come.
    Due(AbsenceStep),
}

/// An absence to enter. Without a start it begins now.
#[derive(Clone, Debug)]
pub struct Enter {
    pub by: Arranger,
    pub employee: String,
    /// A number of `shouwen.events.v1.AbsenceKind`.
    pub kind: i32,
    pub start: Option<DateTime<Utc>>,
    pub end: Option<DateTime<Utc>>,
    pub reason: Option<Private>,
    pub naming: Naming,
}

/// Who arranges an absence or hands cases over.
#[derive(Clone, Debug)]
pub struct Arranger {
    pub employee: String,
    /// As a lead or HQ.
    pub leads: bool,
    /// Branches in reach; `None` for all.
    pub branches: Option<Vec<String>>,
}

/// What a deadline of an absence stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbsenceStep {
    Begin,
    End,
    /// Another round over the cases.
    Apply,
}

/// Open cases that move from one employee to others (O9).
#[derive(Clone, Debug)]
pub struct Reassign {
    pub reassignment: AggregateId,
    pub by: Arranger,
    pub from: String,
    pub to: Vec<String>,
    /// Empty: all that are theirs.
    pub cases: Vec<AggregateId>,
    pub reason: String,
}

/// The most cases to which one command carries an absence.
pub const CHUNK: usize = 100;

/// The most cases that one act moves.
pub const REASSIGNED: usize = 1000;

/// Cases that a read without locks is to find for a command.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sought {
    /// Open ones that the employee handles or is accountable for, at most so many.
    Of { employee: String, limit: usize },
    /// As `Of`, all that belong to the absence's employee.
    ByAbsence { absence: String },
    /// Those in which somebody deputises by the absence.
    Under { absence: String },
    /// Those that do not stand as the absence says.
    Unsettled { absence: String },
}

/// What follows by itself from deadlines and from other services' events.
#[derive(Clone, Debug)]
pub enum FollowUp {
    /// The time of a deadline has come.
    Due {
        case: AggregateId,
        step: Step,
    },
    /// Recompute the running clock after a change of calendar (S3).
    Recompute(AggregateId),
    CallEnded {
        contact: AggregateId,
        by: String,
        outcome: CallOutcome,
    },
    /// `callback` is the full name.
    Promised {
        case: AggregateId,
        callback: String,
        kind: CallbackKind,
        due: DateTime<Utc>,
    },
    /// The time of a promise was recomputed (S3). Here and below, callbacks are meant by the part behind `callbacks/`.
    PromiseMoved {
        case: AggregateId,
        callback: String,
        due: DateTime<Utc>,
    },
    /// A callback has its result, also in place of a former one (B5, C11).
    CallbackCompleted {
        case: AggregateId,
        callback: String,
        satisfied: bool,
    },
    /// A promise was kept or given up, and nothing else follows from it here: what a verification means is said by its complaint.
    PromiseOver {
        case: AggregateId,
        callback: String,
    },
    /// A complaint was filed about these employees.
    ComplaintOpened {
        case: AggregateId,
        complaint: String,
        about: Vec<String>,
    },
    /// A complaint is handled anew (C10).
    ComplaintReopened {
        case: AggregateId,
        complaint: String,
        reason: String,
    },
    ComplaintEnded {
        case: AggregateId,
        complaint: String,
        end: ComplaintEnd,
        reason: String,
    },
}

/// What a deadline of a case stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The offer expires (O4).
    Offer,
    /// The override ends (O7).
    Override,
    /// The answer's limit has passed (K15).
    Answer,
    /// A missed limit goes one level higher (O10).
    Escalation,
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
        Footprint { aggregates: chain.into_iter().map(AggregateId).collect(), keys, counters: Vec::new() }
    }
}

impl Command {
    /// The case that the command names.
    pub fn case(&self) -> Option<&AggregateId> {
        match self {
            Self::Case(command) => Some(&command.case),
            Self::FollowUp(
                FollowUp::Due { case, .. }
                | FollowUp::Recompute(case)
                | FollowUp::Promised { case, .. }
                | FollowUp::PromiseMoved { case, .. }
                | FollowUp::CallbackCompleted { case, .. }
                | FollowUp::PromiseOver { case, .. }
                | FollowUp::ComplaintOpened { case, .. }
                | FollowUp::ComplaintReopened { case, .. }
                | FollowUp::ComplaintEnded { case, .. },
            ) => Some(case),
            _ => None,
        }
    }

    /// The contact that the command names.
    pub fn contact(&self) -> Option<&AggregateId> {
        match self {
            Self::Contact(
                ContactCommand::Claim(Claim { contact, .. })
                | ContactCommand::Identify { contact, .. }
                | ContactCommand::CompleteTouch { contact, .. }
                | ContactCommand::VoidTouch { contact, .. },
            )
            | Self::FollowUp(FollowUp::CallEnded { contact, .. })
            | Self::Transfer(TransferCommand { contact, .. }) => Some(contact),
            _ => None,
        }
    }

    /// The cases that have to be found for it.
    pub fn sought(&self) -> Option<Sought> {
        match self {
            Self::Absence(AbsenceCommand { absence, action }) => match action {
                // Without a deputy for all each open case must have its own.
                AbsenceAction::Enter(enter) => Some(Sought::Of {
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

    /// The employee whose presence changes with the contact.
    pub fn answers(&self) -> Option<&str> {
        match self {
            Self::Contact(ContactCommand::Claim(claim)) => Some(&claim.employee),
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
                keys: Vec::<Key>::new(),
                counters: vec![shouwen_policy::revision_counter(propose.kind, &propose.scope)],
            },
            Self::Approve { policy, .. } | Self::Reject { policy, .. } => {
                Footprint { aggregates: vec![policy.clone()], ..Footprint::default() }
            }
        }
    }
}
