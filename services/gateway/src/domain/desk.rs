//! What waits for whom: the items of a desk as a pure function of each aggregate's state. The rows of the projection are its differences.

pub mod followed;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use shouwen_access::Roles;
use shouwen_proto::{access::v1::Role, r#type::v1::EscalationLevel};

use super::{
    RoutingState, StaffingState, State,
    case::{CaseState, Phase},
    roster::Employee,
    routing,
};

/// For whom something waits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    /// `employees/{employee}`
    Employee(String),
    /// Whoever serves clients in the branch.
    Staff(String),
    Leads(String),
    ComplaintOfficers(String),
    Headquarters,
    CompanyLeaders,
}

impl Recipient {
    /// As stored and shown.
    pub fn name(&self) -> String {
        match self {
            Self::Employee(employee) => employee.clone(),
            Self::Staff(branch) => format!("{branch}/staff"),
            Self::Leads(branch) => format!("{branch}/leads"),
            Self::ComplaintOfficers(branch) => format!("{branch}/complaintOfficers"),
            Self::Headquarters => "hq".to_owned(),
            Self::CompanyLeaders => "companyLeaders".to_owned(),
        }
    }

    /// What a name stands for.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "hq" => return Some(Self::Headquarters),
            "companyLeaders" => return Some(Self::CompanyLeaders),
            _ if name.starts_with("employees/") => return Some(Self::Employee(name.to_owned())),
            _ => {}
        }
        let (branch, role) = name.rsplit_once('/')?;
        let branch = branch.to_owned();
        match role {
            "staff" => Some(Self::Staff(branch)),
            "leads" => Some(Self::Leads(branch)),
            "complaintOfficers" => Some(Self::ComplaintOfficers(branch)),
            _ => None,
        }
    }

    /// All that an employee is, by name and by role.
    pub fn of(employee: &Employee) -> Vec<Self> {
        let (roles, branch) = (employee.role_set(), &employee.branch);
        let mut recipients = vec![Self::Employee(employee.name.clone())];
        let any = |wanted: &[Role], roles: Roles| wanted.iter().any(|role| roles.contains(*role));
        if any(&[Role::Staff, Role::Lead], roles) {
            recipients.push(Self::Staff(branch.clone()));
        }
        if any(&[Role::Lead], roles) {
            recipients.push(Self::Leads(branch.clone()));
        }
        if any(&[Role::ComplaintOfficer], roles) {
            recipients.push(Self::ComplaintOfficers(branch.clone()));
        }
        if any(&[Role::Hq], roles) {
            recipients.push(Self::Headquarters);
        }
        if any(&[Role::CompanyLeader], roles) {
            recipients.push(Self::CompanyLeaders);
        }
        recipients
    }

    /// The role that an escalation has reached; `None` for who is responsible by name (O10).
    fn at(level: EscalationLevel, branch: &str) -> Option<Self> {
        match level {
            EscalationLevel::Unspecified | EscalationLevel::Responsible => None,
            EscalationLevel::Lead => Some(Self::Leads(branch.to_owned())),
            EscalationLevel::Hq => Some(Self::Headquarters),
            EscalationLevel::CompanyLeader => Some(Self::CompanyLeaders),
        }
    }
}

/// What kind of thing waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Offer,
    Overdue,
    Escalation,
    Callback,
    Unreached,
    Complaint,
    Approval,
    Measure,
    Reservation,
    Unstaffed,
    Transfer,
    Returned,
    Message,
    Satisfaction,
}

impl Kind {
    pub const ALL: [Self; 14] = [
        Self::Offer,
        Self::Overdue,
        Self::Escalation,
        Self::Callback,
        Self::Unreached,
        Self::Complaint,
        Self::Approval,
        Self::Measure,
        Self::Reservation,
        Self::Unstaffed,
        Self::Transfer,
        Self::Returned,
        Self::Message,
        Self::Satisfaction,
    ];

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Overdue => "overdue",
            Self::Escalation => "escalation",
            Self::Callback => "callback",
            Self::Unreached => "unreached",
            Self::Complaint => "complaint",
            Self::Approval => "approval",
            Self::Measure => "measure",
            Self::Reservation => "reservation",
            Self::Unstaffed => "unstaffed",
            Self::Transfer => "transfer",
            Self::Returned => "returned",
            Self::Message => "message",
            Self::Satisfaction => "satisfaction",
        }
    }
}

/// One thing that waits for one recipient. Recipient, kind and subject make it the same item over all its changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Item {
    pub recipient: Recipient,
    pub kind: Kind,
    /// Resource name.
    pub subject: String,
    /// The case concerned, or empty.
    pub case: String,
    pub branch: String,
    pub due: Option<DateTime<Utc>>,
    /// A number of `shouwen.type.v1.EscalationLevel`.
    pub level: i32,
    /// Employees who are not shown it, neither by their role nor on a colleague's desk (O12, B7), sorted.
    pub barred: Vec<String>,
}

/// What waits because of an aggregate's state.
pub fn items(id: &str, state: &State) -> Vec<Item> {
    match state {
        State::Case(case) => of_case(id, case),
        State::Routing(routing) => of_routing(id, routing),
        State::Staffing(staffing) => of_staffing(id, staffing).into_iter().collect(),
        State::Contact(_)
        | State::Roster(..)
        | State::Policy(_)
        | State::Absence(_)
        | State::Reassignment(_)
        | State::Presence(_) => Vec::new(),
    }
}

/// K2, K5: what rings at a desk, and the call that is back from a transfer.
fn of_routing(id: &str, routing: &RoutingState) -> Vec<Item> {
    let item = |employee: &str, kind, due| Item {
        recipient: Recipient::Employee(employee.to_owned()),
        kind,
        subject: id.to_owned(),
        case: routing.case.clone().unwrap_or_default(),
        branch: routing.branch.clone(),
        due,
        level: 0,
        barred: Vec::new(),
    };
    let mut items = Vec::new();
    if let routing::Phase::Reserved { employee, expires, .. } = &routing.phase {
        items.push(item(employee, Kind::Reservation, Some(*expires)));
    }
    if let Some(transfer) = &routing.transfer {
        items.push(item(&transfer.to, Kind::Transfer, Some(transfer.expires)));
    }
    items.extend(routing.returned().map(|back| item(&back.from, Kind::Returned, None)));
    items
}

/// K1: the alarm of a published line.
fn of_staffing(id: &str, staffing: &StaffingState) -> Option<Item> {
    staffing.unstaffed?;
    Some(Item {
        recipient: Recipient::Leads(staffing.branch.clone()),
        kind: Kind::Unstaffed,
        subject: id.replacen("staffing/", "lines/", 1),
        case: String::new(),
        branch: staffing.branch.clone(),
        due: None,
        level: 0,
        barred: Vec::new(),
    })
}

fn of_case(id: &str, case: &CaseState) -> Vec<Item> {
    // What was promised is owed also when the client is satisfied.
    if is_none(case) {
        return Vec::new();
    }
    let recused: Vec<String> = case.recused().into_iter().map(str::to_owned).collect();
    let item = |recipient: Recipient, kind, subject: &str, due| Item {
        barred: barred(&recipient, &recused),
        recipient,
        kind,
        subject: subject.to_owned(),
        case: id.to_owned(),
        branch: case.branch.clone(),
        due,
        level: 0,
    };
    let mut items = Vec::new();
    if let Some(offer) = &case.offer {
        let subject = format!("{id}/offers/{}", offer.id);
        let kind = if offer.message { Kind::Message } else { Kind::Offer };
        items.push(item(Recipient::Employee(offer.to.clone()), kind, &subject, Some(offer.expires)));
    }
    if let Some(back) = &case.returned {
        let subject = format!("{id}/offers/{}", back.offer);
        let to = passing_on(case, &back.to);
        items.extend(at_work(case, to).map(|recipient| item(recipient, Kind::Returned, &subject, None)));
    }
    for back in &case.unpassed {
        let subject = format!("{}/offers/{}", back.case, back.offer);
        let to = passing_on(case, &back.to);
        items.extend(at_work(case, to).map(|recipient| item(recipient, Kind::Returned, &subject, None)));
    }
    if case.phase == Phase::AwaitingSatisfaction {
        items.extend(working(case).map(|recipient| item(recipient, Kind::Satisfaction, id, None)));
    }
    if let Some(clock) = case.running_clock().filter(|clock| clock.missed) {
        let due = Some(clock.due);
        items.extend(working(case).map(|recipient| item(recipient, Kind::Overdue, id, due)));
        let told = escalations(clock.escalation, &case.branch, &responsible(case));
        items.extend(
            told.into_iter()
                .map(|(recipient, level)| Item { level, ..item(recipient, Kind::Escalation, id, due) }),
        );
    }
    for promise in case.promises.iter().filter(|promise| !promise.settled) {
        let recipients = match unit(&promise.callback) {
            Some(unit) => vec![Recipient::Staff(unit)],
            // Who stands in for people of a closed case is asked for and not kept: the leads see to it that the promise is kept.
            None if matches!(case.phase, Phase::Closed { .. }) => {
                working(case).chain([Recipient::Leads(case.branch.clone())]).collect()
            }
            None => working(case).collect(),
        };
        let callback = |recipient| item(recipient, Kind::Callback, &promise.callback, Some(promise.due));
        items.extend(recipients.into_iter().map(callback));
    }
    items
}

/// Of those whom it is about, all but who is named for it: some of it may be theirs to put right (O12, C10).
fn barred(recipient: &Recipient, recused: &[String]) -> Vec<String> {
    let named = |employee: &String| *recipient == Recipient::Employee(employee.clone());
    recused.iter().filter(|employee| !named(employee)).cloned().collect()
}

/// What is another case now, or none.
fn is_none(case: &CaseState) -> bool {
    matches!(case.phase, Phase::Merged { .. } | Phase::Void { .. })
}

/// Who was told so far, each with the level, lowest first: whoever is responsible by name, then the roles. What is nobody's by name is the leads' from the
/// first level on.
fn escalations(highest: i32, branch: &str, responsible: &[Recipient]) -> Vec<(Recipient, i32)> {
    (EscalationLevel::Responsible.into()..=highest)
        .filter_map(|number| Some((EscalationLevel::try_from(number).ok()?, number)))
        .flat_map(|(level, number)| {
            let told = match Recipient::at(level, branch) {
                Some(role) => vec![role],
                // One item for the leads, whose level rises.
                None if responsible.is_empty() && number == highest => {
                    vec![Recipient::Leads(branch.to_owned())]
                }
                None => responsible.to_vec(),
            };
            told.into_iter().map(move |recipient| (recipient, number))
        })
        .collect()
}

/// Who works on the case: the handler, and who stands in while they are absent (O9).
fn working(case: &CaseState) -> impl Iterator<Item = Recipient> {
    at_work(case, &case.handler)
}

/// Who is to do something about what came back to somebody.
fn passing_on<'a>(case: &'a CaseState, giver: &'a String) -> &'a String {
    if case.is_nobodys(giver) { &case.handler } else { giver }
}

/// An employee, and who stands in for them in the case while they are absent (O9).
fn at_work<'a>(case: &'a CaseState, employee: &'a String) -> impl Iterator<Item = Recipient> + 'a {
    let deputies = case.deputies.iter().filter(|deputy| deputy.of == *employee);
    each_once(std::iter::once(employee).chain(deputies.map(|deputy| &deputy.employee)))
}

/// Whom of a case what hangs under it concerns, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// The handler, and who stands in.
    pub working: Vec<Recipient>,
    /// The accountable person too.
    pub responsible: Vec<Recipient>,
}

/// Nobody for what is another case now, or none.
pub fn people(case: &CaseState) -> People {
    if is_none(case) {
        return People::default();
    }
    People { working: working(case).collect(), responsible: responsible(case) }
}

/// Who is responsible by name, and who stands in for them (O9).
fn responsible(case: &CaseState) -> Vec<Recipient> {
    let deputies = case.deputies.iter().map(|deputy| &deputy.employee);
    each_once([&case.handler, &case.accountable].into_iter().chain(deputies)).collect()
}

fn each_once<'a>(names: impl Iterator<Item = &'a String>) -> impl Iterator<Item = Recipient> {
    let names: BTreeSet<String> = names.cloned().collect();
    names.into_iter().map(Recipient::Employee)
}

/// The aggregates of other services that wait for people of the case; what hung under a merged one hangs under the survivor.
pub fn below(case: &CaseState) -> Vec<String> {
    if matches!(case.phase, Phase::Merged { .. }) {
        return Vec::new();
    }
    let promises = case.promises.iter().filter(|promise| !promise.settled).map(|promise| &promise.callback);
    let complaints = case.open_complaints().map(|complaint| &complaint.name);
    promises.chain(complaints).filter_map(|name| aggregate(name)).collect()
}

/// `complaints/{complaint}` of `cases/{case}/complaints/{complaint}`.
fn aggregate(name: &str) -> Option<String> {
    let (parents, id) = name.rsplit_once('/')?;
    let collection = parents.rsplit('/').next()?;
    Some(format!("{collection}/{id}"))
}

/// The unit that makes a verification, whoever is responsible for the case (B7): its callback is named below it.
fn unit(callback: &str) -> Option<String> {
    let branch = callback.starts_with("branches/").then(|| callback.split_once("/callbacks/"));
    branch.flatten().map(|(branch, _)| branch.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recipient_and_kind_is_found_by_its_name() {
        let branch = || "branches/b1".to_owned();
        for recipient in [
            Recipient::Employee("employees/hq".to_owned()),
            Recipient::Staff(branch()),
            Recipient::Leads(branch()),
            Recipient::ComplaintOfficers(branch()),
            Recipient::Headquarters,
            Recipient::CompanyLeaders,
        ] {
            assert_eq!(Recipient::parse(&recipient.name()), Some(recipient));
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
        }
    }
}
