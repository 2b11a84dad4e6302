//! A case (事项): one concern of one client from first question to satisfaction (O1-O8).
//!
//! The first responder never changes. Work moves by offers that are accepted; overrides are temporary and stay visible; closed is not the end, a
//! dissatisfied client reopens.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_calendar::AcceptanceDay;
use shouwen_engine::{AggregateId, Key, Refusal, World};
use shouwen_proto::r#type::v1::EscalationLevel;
use shouwen_vault::Sealed;

use super::{
    Snapshot, State,
    rejection::{Rejection, Responsible},
};

/// The state of a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseState {
    pub branch: String,
    pub topic: String,
    /// A number of `shouwen.type.v1.Channel`.
    pub channel: i32,
    /// The client's external id.
    pub client: Option<String>,
    /// The contact that opened it.
    pub contact: String,
    /// First responder (首问责任人): a fact of history.
    pub first_responder: String,
    /// Accountable person (责任人).
    pub accountable: String,
    /// Handler (承办人).
    pub handler: String,
    /// Rises at every change of who may act.
    pub epoch: i64,
    pub phase: Phase,
    pub offer: Option<Offer>,
    /// The offer that last came to nothing, until something is done about the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<Returned>,
    /// Messages of cases that were merged into this one, back with who is to pass them on (K13): until they pass one on, or the case is answered or closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unpassed: Vec<Unpassed>,
    #[serde(rename = "override")]
    pub overriding: Option<Override>,
    /// The original clock first, the running one last (O8).
    pub clocks: Vec<Clock>,
    pub assistants: Vec<String>,
    /// Who answered a later contact when they could decide: when they cannot any more, they assist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answered: Vec<String>,
    /// By which contacts both assist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<Help>,
    pub promises: Vec<Promise>,
    pub opened_at: DateTime<Utc>,
    /// Versions of the policies under which it began: ownership, then hours.
    pub policy: String,
    pub reopenings: i32,
    /// Complaints that hang under it, in the order in which they were filed.
    #[serde(default)]
    pub complaints: Vec<Complaint>,
    /// Who acts in place of an absent handler or accountable person (O9).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deputies: Vec<Deputy>,
    /// The message that was passed on last (K13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// When the client said last how they find it, whether that closed or reopened it or left it as it was; what they said before that says nothing about it
    /// any more (B5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<DateTime<Utc>>,
    /// When it was answered last, also while the client's word about that is not awaited any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<DateTime<Utc>>,
}

/// Somebody's part in a contact of the case: they answered it, or took it over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Help {
    pub employee: String,
    /// Empty for what is not known by its contact: of releases before this was kept, and of so many contacts that the first are not kept by name.
    pub contact: String,
}

/// A full message for a colleague whose phone was answered (代接留言, K13).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The offer by which it was passed on.
    pub offer: String,
    pub from: String,
    pub to: String,
    pub taken: DateTime<Utc>,
    pub caller: Option<Sealed>,
    pub callback_number: Option<Sealed>,
    pub matter: Option<Sealed>,
}

/// Where a case is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Phase {
    Open,
    /// The answer was given; the client's word is awaited.
    AwaitingSatisfaction,
    Closed {
        at: DateTime<Utc>,
        kind: i32,
        reason: String,
    },
    /// A redirect to the survivor.
    Merged {
        into: String,
    },
    /// The contact held no concern.
    Void {
        reason: String,
    },
}

/// An offer of the work (O4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub id: String,
    pub from: String,
    pub to: String,
    pub reason: String,
    pub expires: DateTime<Utc>,
    /// It passes a message on (K13).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub message: bool,
    /// Its acceptance moves no work: the message is from somebody who assists (O6).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub moves_nothing: bool,
}

/// An offer that its receiver declined or let expire (O4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    pub offer: String,
    /// Who had made it.
    pub to: String,
}

/// A message that could not wait in the case that its own was merged into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unpassed {
    /// The case under whose name it is read.
    pub case: String,
    pub offer: String,
    /// Who had given it; empty for whoever handles the case.
    pub to: String,
}

/// An override by a lead or HQ (O7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub employee: String,
    pub reason: String,
    pub begun: DateTime<Utc>,
    pub expires: DateTime<Utc>,
}

/// Somebody who acts in place of an absent one (代理人, O9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deputy {
    pub employee: String,
    /// Handler or accountable person.
    pub of: String,
    /// `absences/{absence}`
    pub absence: String,
    /// When it ends by itself; `None` while nobody knows.
    pub until: Option<DateTime<Utc>>,
    /// Which naming of the absence's deputies it follows.
    pub revision: i64,
}

/// A limit for the answer (K15).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    pub started: DateTime<Utc>,
    pub due: DateTime<Utc>,
    pub met: Option<DateTime<Utc>>,
    pub missed: bool,
    pub provisional: bool,
    pub calendar: String,
    /// How high a missed limit has gone (O10), a number of `shouwen.type.v1.EscalationLevel`.
    #[serde(default)]
    pub escalation: i32,
    /// When it goes one level higher; `None` before the limit, and at the top.
    #[serde(default)]
    pub escalates: Option<DateTime<Utc>>,
    /// Version of the policy by which it does.
    #[serde(default)]
    pub escalation_policy: String,
}

/// A complaint of the case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// `cases/{case}/complaints/{complaint}`; the case as it was named when the complaint was filed.
    pub name: String,
    /// Employees whom it is about (O12).
    pub recused: Vec<String>,
    pub open: bool,
    /// The unit that received it (C2).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// What was promised to the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Full name of the callback.
    pub callback: String,
    pub kind: i32,
    pub due: DateTime<Utc>,
    pub settled: bool,
}

/// The key of which only one open case can exist: client and topic.
pub fn open_key(client: Option<&str>, topic: &str) -> Option<Key> {
    client.map(|client| Key { kind: "open_case", key: format!("{client}|{topic}") })
}

impl CaseState {
    /// Open or waiting for the client's word.
    pub fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::AwaitingSatisfaction)
    }

    /// The key that the case holds.
    pub fn key(&self) -> Option<Key> {
        if self.is_live() { open_key(self.client.as_deref(), &self.topic) } else { None }
    }

    /// Whether the employee acts in place of an absent handler or accountable person (O9).
    pub fn is_deputy(&self, employee: &str) -> bool {
        self.deputies.iter().any(|deputy| deputy.employee == employee)
    }

    /// Whether the employee may decide on the case (O7, O9).
    pub fn may_decide(&self, employee: &str) -> bool {
        self.handler == employee
            || self.accountable == employee
            || self.is_deputy(employee)
            || self.overriding.as_ref().is_some_and(|running| running.employee == employee)
    }

    /// Whether the employee answered a contact of the case, and so may record whatever becomes of it (O6).
    pub fn assists(&self, employee: &str) -> bool {
        self.assistants.iter().chain(&self.answered).any(|known| known == employee)
    }

    /// By which contacts the employee assists; for those that are not known the one that opened the case stands.
    pub fn helps_by(&self, employee: &str) -> Vec<String> {
        let known = self.help.iter().filter(|help| help.employee == employee);
        let contact =
            |help: &Help| if help.contact.is_empty() { &self.contact } else { &help.contact }.clone();
        let known: Vec<String> = known.map(contact).collect();
        if known.is_empty() { vec![self.contact.clone()] } else { known }
    }

    /// Whether the employee is known to assist by the contact.
    pub fn is_helped(&self, employee: &str, contact: &str) -> bool {
        self.help.iter().any(|help| help.employee == employee && help.contact == contact)
    }

    /// Whether what came back to somebody is for whoever handles the case: to nobody by name, or to somebody a complaint is about (O12).
    pub fn is_nobodys(&self, giver: &str) -> bool {
        giver.is_empty() || self.is_recused(giver)
    }

    /// Whether something is still promised to the client.
    pub fn owes_promise(&self) -> bool {
        self.promises.iter().any(|promise| !promise.settled)
    }

    pub fn responsible(&self, case: &AggregateId) -> Responsible {
        Responsible {
            case: case.0.clone(),
            first_responder: self.first_responder.clone(),
            accountable: self.accountable.clone(),
            handler: self.handler.clone(),
            deputies: self.deputies.iter().map(|deputy| deputy.employee.clone()).collect(),
        }
    }

    /// Whether what the client said at a time says nothing about where the case stands: they have said something else since, or were dissatisfied before the
    /// answer about which their word is awaited. Of what was said at the very same time the word that is told last counts.
    pub fn is_overtaken(&self, satisfied: bool, said: DateTime<Utc>) -> bool {
        let answered = self.resolved.filter(|_| !satisfied && self.phase == Phase::AwaitingSatisfaction);
        self.heard.max(answered).is_some_and(|since| said < since)
    }

    /// The clock that still runs.
    pub fn running_clock(&self) -> Option<&Clock> {
        self.clocks.last().filter(|clock| self.phase == Phase::Open && clock.met.is_none())
    }

    /// Complaints that have not ended yet; those of a merged case hang under the survivor.
    pub fn open_complaints(&self) -> impl Iterator<Item = &Complaint> {
        let merged = matches!(self.phase, Phase::Merged { .. });
        self.complaints.iter().filter(move |complaint| complaint.open && !merged)
    }

    /// Whether the case has to wait for a complaint's end.
    pub fn has_open_complaint(&self) -> bool {
        self.open_complaints().next().is_some()
    }

    /// An open complaint that is about the employee (O12).
    pub fn complaint_about(&self, employee: &str) -> Option<&Complaint> {
        self.open_complaints().find(|complaint| complaint.recused.iter().any(|recused| recused == employee))
    }

    pub fn is_recused(&self, employee: &str) -> bool {
        self.complaint_about(employee).is_some()
    }

    /// Whom the open complaints are about, by name (O12).
    pub fn recused(&self) -> BTreeSet<&str> {
        self.open_complaints().flat_map(|complaint| complaint.recused.iter().map(String::as_str)).collect()
    }

    fn phase_name(&self) -> &'static str {
        match self.phase {
            Phase::Open => "open",
            Phase::AwaitingSatisfaction => "awaiting satisfaction",
            Phase::Closed { .. } => "closed",
            Phase::Merged { .. } => "merged",
            Phase::Void { .. } => "void",
        }
    }

    /// The refusal of an action that does not fit the phase.
    pub(super) fn illegal(&self, case: &AggregateId, action: &'static str) -> Rejection {
        match &self.phase {
            Phase::Merged { into } => Rejection::Merged { case: case.0.clone(), survivor: into.clone() },
            _ => Rejection::IllegalTransition { case: case.0.clone(), phase: self.phase_name(), action },
        }
    }
}

/// A clock that starts at `at`: the answer is due within the policy's working days, the day of acceptance not counted (K15, S2). It is computed
/// from the calendar in force `now`, whenever it started (S3).
pub fn clock(snapshot: &Snapshot, policy: &str, at: DateTime<Utc>, now: DateTime<Utc>) -> Clock {
    let (ownership, hours) = policy.split_once(' ').unwrap_or((policy, ""));
    let ownership = snapshot
        .policies
        .resolve_ownership(ownership)
        .unwrap_or_else(|_| snapshot.policies.ownership(None, at));
    let hours = snapshot.policies.resolve_hours(hours).unwrap_or_else(|_| snapshot.policies.hours(None, at));
    let calendar = snapshot.policies.calendar(now);
    let due = calendar.within_working_days(
        at,
        ownership.value.answer_working_days,
        AcceptanceDay::NotCounted,
        &hours.value.working_hours,
    );
    Clock {
        started: at,
        due: due.value,
        met: None,
        missed: false,
        provisional: due.provisional,
        calendar: calendar.version().to_owned(),
        escalation: EscalationLevel::Unspecified.into(),
        escalates: None,
        escalation_policy: String::new(),
    }
}

/// The versions of the policies that a case opened now keeps.
pub fn policy_versions(snapshot: &Snapshot, branch: &str, at: DateTime<Utc>) -> String {
    let policies = &snapshot.policies;
    format!("{} {}", policies.ownership(Some(branch), at).version, policies.hours(Some(branch), at).version)
}

/// The case of the world, or the refusal that it is unknown.
pub(super) fn find<'a>(
    world: &World<'a, State>,
    id: &AggregateId,
) -> Result<&'a CaseState, Refusal<Rejection>> {
    match world.state(id) {
        Some(State::Case(case)) => Ok(case),
        _ => Err(Rejection::CaseNotFound(id.0.clone()).into()),
    }
}
