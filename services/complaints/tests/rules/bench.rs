//! A complaint on which commands are tried, without service or database.

use chrono::{DateTime, Utc};
use shouwen_complaints::{
    Mutants,
    domain::{
        Command, Complaint, Rejection, Setting,
        command::{Act, Action, Filing, Proposing, Verify, Who},
        evolve, intake,
        limits::Limit,
        terms::{ApprovalLevel, Channel, Finding, Kind, LimitKind, Measures, ReplyKind, Severity},
        transitions,
    },
};
use shouwen_policy::PolicyBook;
use shouwen_proto::events::v1::complaints_event::Event;

pub(crate) const ZHANG: &str = "employees/zhang";
pub(crate) const LEAD: &str = "employees/lead";
pub(crate) const HQ: &str = "employees/hq";
pub(crate) const LEADER: &str = "employees/leader";
pub(crate) const OFFICER: &str = "employees/officer";

/// Shanghai time, `2025-09-22T09:00` or with seconds.
pub(crate) fn at(text: &str) -> DateTime<Utc> {
    let seconds = if text.len() == 16 { ":00" } else { "" };
    format!("{text}{seconds}+08:00").parse::<DateTime<chrono::FixedOffset>>().unwrap().to_utc()
}

/// A complaint with its history.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) complaint: Complaint,
    pub(crate) history: Vec<(DateTime<Utc>, Event)>,
    pub(crate) book: PolicyBook,
    pub(crate) mutants: Mutants,
}

impl Bench {
    pub(crate) fn filed(kind: Kind, now: DateTime<Utc>, complained_about: &[&str]) -> Self {
        let filing = Filing {
            name: "cases/1/complaints/c".parse().unwrap(),
            kind,
            channel: Channel::Counter,
            category: "service".into(),
            receiving_unit: "branches/b1".into(),
            client: "7".into(),
            client_name: None,
            client_name_masked: "王*".into(),
            phone: None,
            phone_masked: "138****5678".into(),
            subject: None,
            place: None,
            course: None,
            first_proposal: None,
            persons_involved: None,
            complained_about: complained_about.iter().map(ToString::to_string).collect(),
            occurred: None,
            received: None,
            filed_by: ZHANG.into(),
        };
        let book = PolicyBook::standard();
        let setting = Setting { now, at: now, book: &book, mutants: Mutants::default(), number: None };
        let event = intake::file(&filing, &setting).unwrap();
        let Event::ComplaintFiled(filed) = &event else { panic!("{event:?}") };
        let complaint = evolve::begun(filed, now).unwrap();
        Self { complaint, history: vec![(now, event)], book, mutants: Mutants::default() }
    }

    /// Filed and accepted at one moment.
    pub(crate) fn accepted(kind: Kind, severity: Severity, now: &str) -> Self {
        let mut bench = Self::filed(kind, at(now), &[]);
        bench.act(at(now), OFFICER, accept(severity)).unwrap();
        bench
    }

    /// Decides a command and applies what was decided.
    pub(crate) fn tell(
        &mut self,
        now: DateTime<Utc>,
        cause: DateTime<Utc>,
        command: &Command,
    ) -> Result<Vec<Event>, Rejection> {
        let number = Some("b1-2509-0001");
        let setting = Setting { now, at: cause, book: &self.book, mutants: self.mutants, number };
        let events = transitions::decide(&self.complaint, command, &setting)?;
        for event in &events {
            evolve::apply(&mut self.complaint, event, now);
            self.history.push((now, event.clone()));
        }
        Ok(events)
    }

    /// An employee with the authority that goes with the name.
    pub(crate) fn act(
        &mut self,
        now: DateTime<Utc>,
        employee: &str,
        action: Action,
    ) -> Result<Vec<Event>, Rejection> {
        let who = Who { employee: employee.into(), authority: authority(employee) };
        let complaint = self.complaint.name.aggregate();
        self.tell(now, now, &Command::Act(Box::new(Act { complaint, who, revision: None, action })))
    }

    pub(crate) fn verify(&mut self, now: DateTime<Utc>, verify: Verify) -> Result<Vec<Event>, Rejection> {
        self.tell(now, now, &Command::Verify(Box::new(verify)))
    }

    /// The attempts to verify a round are used up.
    pub(crate) fn exhaust(&mut self, now: DateTime<Utc>, round: u32) -> Vec<Event> {
        let complaint = self.complaint.name.aggregate();
        self.tell(now, now, &Command::Exhausted { complaint, round }).unwrap()
    }

    /// What time alone does.
    pub(crate) fn sweep(&mut self, now: DateTime<Utc>) -> Vec<Event> {
        let complaint = self.complaint.name.aggregate();
        self.tell(now, now, &Command::Due { complaint }).unwrap()
    }

    /// A limit of the present round.
    pub(crate) fn limit(&self, kind: LimitKind) -> &Limit {
        let round = self.complaint.round;
        self.complaint.limits.iter().find(|limit| limit.kind == kind && limit.round == round).unwrap()
    }

    pub(crate) fn due(&self, kind: LimitKind) -> DateTime<Utc> {
        self.limit(kind).due
    }

    /// Steps of the deadlines that the state holds.
    pub(crate) fn steps(&self) -> Vec<&'static str> {
        self.complaint.deadlines().into_iter().map(|deadline| deadline.step).collect()
    }

    /// Leads an accepted complaint to the end of its handling, at one moment.
    pub(crate) fn handle(&mut self, now: DateTime<Utc>) {
        self.act(now, ZHANG, propose(Finding::NotUpheld, 0)).unwrap();
        self.act(now, LEAD, Action::Approve).unwrap();
        self.act(now, ZHANG, reply(ReplyKind::Outcome)).unwrap();
        self.act(now, ZHANG, complete()).unwrap();
    }
}

/// `employees/lead-2` has the authority of a lead.
fn authority(employee: &str) -> Option<ApprovalLevel> {
    match employee.trim_start_matches("employees/").split('-').next()? {
        "lead" => Some(ApprovalLevel::BranchHead),
        "hq" => Some(ApprovalLevel::Hq),
        "leader" => Some(ApprovalLevel::CompanyLeader),
        _ => None,
    }
}

pub(crate) fn accept(severity: Severity) -> Action {
    Action::Accept { severity, complex: false, vip: false }
}

pub(crate) fn propose(finding: Finding, measures: usize) -> Action {
    let measures = (0..measures).map(|_| ("employees/wu".to_owned(), None)).collect();
    Action::Propose(Proposing { finding, beyond_authority: false, malicious: false, text: None, measures })
}

pub(crate) fn reply(kind: ReplyKind) -> Action {
    Action::Reply { kind, text: None }
}

pub(crate) fn measure(measure: i32, done: bool) -> Action {
    Action::RecordMeasure { measure, done, note: None }
}

pub(crate) fn complete() -> Action {
    Action::Complete { client: String::new() }
}

pub(crate) fn reopen() -> Action {
    Action::Reopen { reason: "the client wrote again".into() }
}

/// What a client said who is satisfied, or is not.
pub(crate) fn said(bench: &Bench, round: u32, satisfied: bool) -> Verify {
    Verify {
        complaint: bench.complaint.name.aggregate(),
        round,
        callback: format!("branches/b1/callbacks/c-{round}"),
        satisfied,
        measures: Some(Measures::CarriedOut),
        employee: "employees/li".into(),
        supersedes_reason: String::new(),
    }
}
