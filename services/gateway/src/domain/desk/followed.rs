//! Callbacks and complaints as far as something of them waits for somebody, folded from the events of their services.
//!
//! What was promised waits by the case itself; here is what waits for a branch, for a role, for an employee whom the other service names, and, of a
//! complaint that is handled and of a missed limit, for people of the case.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use serde::{Deserialize, Serialize};
use shouwen_proto::events::v1::{
    ApprovalLevel, ComplaintLimit, Event, LimitSet, ReplyKind, callbacks_event, complaints_event, event::Body,
};
use shouwen_serving::timestamps::from_proto;

use super::{Item, Kind, People, Recipient, barred, escalations, unit};

/// What is known of a callback or a complaint that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Followed {
    Callback(Callback),
    Complaint(Complaint),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Callback {
    /// Full name.
    pub name: String,
    /// Empty where it has none.
    pub case: String,
    pub branch: String,
    pub due: Option<DateTime<Utc>>,
    /// Who holds the lease (B8).
    pub leased: Option<String>,
    /// The attempts are used up (B6).
    pub unreached: bool,
    /// The highest level told of the missed limit.
    pub level: i32,
    /// None of them calls (B7), sorted.
    pub barred: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    /// Full name.
    pub name: String,
    pub case: String,
    /// The receiving unit.
    pub unit: String,
    /// Until when it is accepted or declined; `None` once it is.
    pub acceptance: Option<DateTime<Utc>>,
    /// It is accepted and not handled yet: the next step is its case's, unless it waits for approval.
    #[serde(default)]
    pub handling: bool,
    /// The limits of its handling that were not met yet, each with when it is due: numbers of `ComplaintLimit`.
    #[serde(default)]
    pub owed: Vec<(i32, DateTime<Utc>)>,
    /// Who still has to approve the proposal, lowest first: numbers of `shouwen.events.v1.ApprovalLevel`.
    pub approvals: Vec<i32>,
    /// Number and employee of the measures that are to be carried out.
    pub measures: Vec<(i32, String)>,
    /// The proposal was approved by all: its measures are to be carried out.
    pub approved: bool,
    /// The missed limits that were not met since, each with when it was due and the highest level told: numbers of `ComplaintLimit`.
    pub missed: Vec<(i32, DateTime<Utc>, i32)>,
    /// Whom it is about (O12), sorted.
    pub barred: Vec<String>,
}

/// What is known after an event; `None` where nothing is, or nothing can wait any more.
pub fn after(known: Option<Followed>, event: &Event) -> Option<Followed> {
    match (&event.body, known) {
        (Some(Body::Callbacks(body)), known) => {
            let Some(body) = &body.event else { return known };
            callback(known, event, body).map(Followed::Callback)
        }
        (Some(Body::Complaints(body)), known) => {
            let Some(body) = &body.event else { return known };
            complaint(known, body).map(Followed::Complaint)
        }
        (_, known) => known,
    }
}

fn callback(known: Option<Followed>, event: &Event, body: &callbacks_event::Event) -> Option<Callback> {
    use callbacks_event::Event as Told;
    if let Told::CallbackScheduled(scheduled) = body {
        return Some(Callback {
            name: scheduled.callback.clone(),
            case: scheduled.case.clone(),
            branch: if scheduled.branch.is_empty() { event.branch.clone() } else { scheduled.branch.clone() },
            due: time(scheduled.due.as_ref()),
            barred: sorted(&scheduled.recused),
            ..Callback::default()
        });
    }
    let Some(Followed::Callback(mut callback)) = known else { return None };
    match body {
        // K14: only with a limit is another attempt owed.
        Told::CallbackCoalesced(joined) if joined.due.is_some() => {
            callback.unreached = false;
            callback.set_anew(joined.due.as_ref());
        }
        Told::CallbackLeased(leased) => callback.leased = Some(leased.employee.clone()),
        Told::CallbackReleased(_) => callback.leased = None,
        Told::CallbackPostponed(postponed) => {
            (callback.leased, callback.unreached) = (None, false);
            callback.set_anew(postponed.due.as_ref());
        }
        Told::AttemptRecorded(attempt) => {
            callback.leased = None;
            callback.set_anew(attempt.due.as_ref());
        }
        Told::CallbackExhausted(_) => (callback.leased, callback.unreached) = (None, true),
        Told::CallbackEscalated(escalated) => callback.level = callback.level.max(escalated.level),
        Told::CallbackLimitMoved(moved) => callback.due = time(moved.due.as_ref()),
        Told::CallbackCompleted(_) | Told::CallbackCancelled(_) => return None,
        _ => {}
    }
    Some(callback)
}

fn complaint(known: Option<Followed>, body: &complaints_event::Event) -> Option<Complaint> {
    use complaints_event::Event as Told;
    if let Told::ComplaintFiled(filed) = body {
        return Some(Complaint {
            name: filed.complaint.clone(),
            case: filed.case.clone(),
            unit: filed.receiving_unit.clone(),
            acceptance: filed.acceptance.as_ref().and_then(|limit| time(limit.due.as_ref())),
            barred: sorted(&filed.complained_about),
            ..Complaint::default()
        });
    }
    let Some(Followed::Complaint(mut complaint)) = known else { return None };
    match body {
        Told::ComplaintAccepted(accepted) => {
            (complaint.acceptance, complaint.missed) = (None, Vec::new());
            complaint.take_up(&accepted.limits);
        }
        Told::ReplyRecorded(replied) => complaint.meet(met_by(replied.kind())),
        Told::HandlingProposed(proposed) => {
            // Whatever a release that did not know of handling made of the acceptance.
            complaint.handling = true;
            complaint.meet(&[ComplaintLimit::Proposal]);
            complaint.approvals.clone_from(&proposed.levels);
            complaint.approved = proposed.levels.is_empty();
            complaint.measures =
                proposed.measures.iter().map(|it| (it.measure, it.responsible.clone())).collect();
        }
        Told::ProposalApproved(approved) => {
            // A higher level may stand in for a lower one.
            complaint.approvals.retain(|level| *level > approved.level);
            complaint.approved |= approved.r#final;
        }
        Told::ProposalReturned(_) => {
            complaint.handling = true;
            (complaint.approvals, complaint.measures) = (Vec::new(), Vec::new());
        }
        Told::MeasureRecorded(recorded) => {
            complaint.measures.retain(|(number, _)| *number != recorded.measure || !recorded.done);
        }
        Told::ComplaintEscalated(escalated) => {
            let due = time(escalated.due.as_ref()).unwrap_or_default();
            complaint.missed.retain(|(limit, ..)| *limit != escalated.limit);
            complaint.missed.push((escalated.limit, due, escalated.level));
        }
        Told::ComplaintReopened(reopened) => {
            complaint.begin_anew();
            // Only what was declined has such a limit again; anything else is accepted already.
            let acceptance = reopened.limits.iter().find(|set| set.limit() == ComplaintLimit::Acceptance);
            complaint.acceptance = acceptance.and_then(|limit| time(limit.due.as_ref()));
            if acceptance.is_none() {
                complaint.take_up(&reopened.limits);
            }
        }
        Told::ComplaintLimitMoved(moved) => {
            for limit in &moved.limits {
                complaint.set_anew(limit);
            }
        }
        Told::HandlingCompleted(_) | Told::ComplaintClosed(_) | Told::ComplaintDeclined(_) => {
            complaint.begin_anew();
        }
        _ => {}
    }
    Some(complaint)
}

/// The limits that a reply meets: a later kind includes the earlier ones (C5, C7).
fn met_by(reply: ReplyKind) -> &'static [ComplaintLimit] {
    use ComplaintLimit::{DefiniteAnswer, FirstReply, Outcome};
    match reply {
        ReplyKind::Unspecified => &[],
        ReplyKind::First => &[FirstReply],
        ReplyKind::Definite => &[FirstReply, DefiniteAnswer],
        ReplyKind::Outcome => &[FirstReply, DefiniteAnswer, Outcome],
    }
}

impl Callback {
    /// The case whose people are responsible for it; `None` where it has none, or is a verification, which the unit makes (B7).
    fn of_case(&self) -> Option<&str> {
        Some(&*self.case).filter(|case| !case.is_empty() && unit(&self.name).is_none())
    }

    /// Nobody is told any more of the limit before (O10); where none was set anew, its time stays.
    fn set_anew(&mut self, due: Option<&Timestamp>) {
        self.level = 0;
        self.due = time(due).or(self.due);
    }
}

impl Complaint {
    /// It is handled from now on, within these limits (C5-C7).
    fn take_up(&mut self, limits: &[LimitSet]) {
        self.handling = true;
        self.owed = limits.iter().filter_map(|set| Some((set.limit, time(set.due.as_ref())?))).collect();
    }

    /// S3: a limit that runs ends at another time.
    fn set_anew(&mut self, set: &LimitSet) {
        let Some(due) = time(set.due.as_ref()) else { return };
        if set.limit() == ComplaintLimit::Acceptance {
            self.acceptance = self.acceptance.and(Some(due));
        }
        for (_, before) in self.owed.iter_mut().filter(|(limit, _)| *limit == set.limit) {
            *before = due;
        }
    }

    /// Nobody owes these limits any more, nor is told of them where they were missed (O10).
    fn meet(&mut self, met: &[ComplaintLimit]) {
        let is_met = |limit: i32| ComplaintLimit::try_from(limit).is_ok_and(|limit| met.contains(&limit));
        self.missed.retain(|(limit, ..)| !is_met(*limit));
        self.owed.retain(|(limit, _)| !is_met(*limit));
    }

    /// Whether who works on its case has the next step. While a proposal waits for approval, only the replies that do not depend on it are theirs.
    fn is_with_handler(&self) -> bool {
        self.handling && (self.approvals.is_empty() || self.next_limit().is_some())
    }

    /// When the first of the limits ends that can be met at present.
    fn next_limit(&self) -> Option<DateTime<Utc>> {
        let replies = [ComplaintLimit::FirstReply, ComplaintLimit::DefiniteAnswer].map(i32::from);
        let possible = |limit: &i32| self.approvals.is_empty() || replies.contains(limit);
        self.owed.iter().filter(|(limit, _)| possible(limit)).map(|(_, due)| *due).min()
    }

    /// Nothing of the round is owed any more. What is closed or declined may be taken up again.
    fn begin_anew(&mut self) {
        let Self { name, case, unit, barred, .. } = std::mem::take(self);
        *self = Self { name, case, unit, barred, ..Self::default() };
    }
}

impl Followed {
    /// The case for whose people something of it waits; `None` where nothing does, or it is nobody's by name.
    pub fn case(&self) -> Option<&str> {
        match self {
            Self::Callback(callback) => callback.of_case().filter(|_| callback.level > 0),
            Self::Complaint(complaint) => {
                let waits = complaint.handling || !complaint.missed.is_empty();
                waits.then_some(&*complaint.case)
            }
        }
    }
}

/// What waits because of it. `people` are those of [`Followed::case`].
pub fn items(followed: &Followed, people: &People) -> Vec<Item> {
    match followed {
        Followed::Callback(callback) => of_callback(callback, &people.responsible),
        Followed::Complaint(complaint) => of_complaint(complaint, people),
    }
}

fn of_callback(callback: &Callback, responsible: &[Recipient]) -> Vec<Item> {
    let item = |recipient, kind, level| Item {
        barred: barred(&recipient, &callback.barred),
        recipient,
        kind,
        subject: callback.name.clone(),
        case: callback.case.clone(),
        branch: callback.branch.clone(),
        due: callback.due,
        level,
    };
    let branch = || callback.branch.clone();
    let mut items = Vec::new();
    if callback.unreached {
        items.push(item(Recipient::Leads(branch()), Kind::Unreached, 0));
    } else if callback.case.is_empty() {
        // One with a case waits by what its case promised.
        let recipient = match &callback.leased {
            Some(employee) => Recipient::Employee(employee.clone()),
            None => Recipient::Staff(branch()),
        };
        items.push(item(recipient, Kind::Callback, 0));
    }
    // What no case is responsible for is whose lease it is (B8).
    let holder = callback.leased.clone().filter(|_| callback.of_case().is_none()).map(Recipient::Employee);
    let responsible: Vec<Recipient> = responsible.iter().cloned().chain(holder).collect();
    items.extend(
        escalations(callback.level, &callback.branch, &unbarred(&responsible, &callback.barred))
            .into_iter()
            .map(|(recipient, level)| item(recipient, Kind::Escalation, level)),
    );
    items
}

fn of_complaint(complaint: &Complaint, people: &People) -> Vec<Item> {
    let item = |recipient, kind, due| Item {
        barred: barred(&recipient, &complaint.barred),
        recipient,
        kind,
        subject: complaint.name.clone(),
        case: complaint.case.clone(),
        branch: complaint.unit.clone(),
        due,
        level: 0,
    };
    let unit = || complaint.unit.clone();
    let mut items = Vec::new();
    if let Some(due) = complaint.acceptance {
        items.push(item(Recipient::ComplaintOfficers(unit()), Kind::Complaint, Some(due)));
    }
    if complaint.is_with_handler() {
        let (mut handlers, due) = (unbarred(&people.working, &complaint.barred), complaint.next_limit());
        // Of a case that is void, or whose people it is about, nobody has the next step by name.
        if handlers.is_empty() {
            handlers.push(Recipient::Leads(unit()));
        }
        items.extend(handlers.into_iter().map(|recipient| item(recipient, Kind::Complaint, due)));
    }
    if let Some(level) = complaint.approvals.first() {
        let approver = match ApprovalLevel::try_from(*level).unwrap_or_default() {
            ApprovalLevel::Unspecified | ApprovalLevel::BranchHead => Recipient::Leads(unit()),
            ApprovalLevel::Hq => Recipient::Headquarters,
            ApprovalLevel::CompanyLeader => Recipient::CompanyLeaders,
        };
        items.push(item(approver, Kind::Approval, None));
    }
    if complaint.approved {
        for (number, employee) in complaint.measures.iter().filter(|(_, who)| who.starts_with("employees/")) {
            let subject = format!("{}/measures/{number}", complaint.name);
            items.push(Item { subject, ..item(Recipient::Employee(employee.clone()), Kind::Measure, None) });
        }
    }
    // One per level: several limits that reached it are one concern of whoever is told, due when the first was.
    let highest = complaint.missed.iter().map(|(.., level)| *level).max().unwrap_or_default();
    let responsible = unbarred(&people.responsible, &complaint.barred);
    for (recipient, level) in escalations(highest, &complaint.unit, &responsible) {
        let due = complaint.missed.iter().filter(|(.., told)| *told >= level).map(|(_, due, _)| *due).min();
        items.push(Item { level, ..item(recipient, Kind::Escalation, due) });
    }
    items
}

/// Those of them who are not barred.
fn unbarred(people: &[Recipient], barred: &[String]) -> Vec<Recipient> {
    people.iter().filter(|recipient| !barred.contains(&recipient.name())).cloned().collect()
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    names
}

fn time(value: Option<&Timestamp>) -> Option<DateTime<Utc>> {
    value.and_then(from_proto)
}
