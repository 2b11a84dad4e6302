//! Decisions on one complaint: who may not, what was due before, and then what is asked.

use chrono::{DateTime, Utc};
use shouwen_policy::PolicyBook;
use shouwen_proto::events::v1::{ComplaintLimitMoved, LimitSet, complaints_event::Event};

use super::{
    Mutants, approval,
    command::{Act, Action, Command},
    complaint::Complaint,
    ending, handling, intake, limits,
    policies::InForce,
    rejection::Rejection,
    settle,
};

/// What a decision knows beside the complaint.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Business time.
    pub now: DateTime<Utc>,
    /// When the cause happened, at most `now`: clocks begin here.
    pub at: DateTime<Utc>,
    pub book: &'a PolicyBook,
    pub mutants: Mutants,
    /// The number to give to a complaint that has none (C15).
    pub number: Option<&'a str>,
}

/// Decides a command on the complaint that it is about.
pub fn decide(
    complaint: &Complaint,
    command: &Command,
    setting: &Setting<'_>,
) -> Result<Vec<Event>, Rejection> {
    if let Command::Act(act) = command {
        admit(complaint, act)?;
    }
    let (mut events, complaint) = settle::settled(complaint, setting.at, setting.book);
    events.extend(match command {
        Command::Act(act) => acted(&complaint, act, setting)?,
        Command::Verify(verify) => ending::verified(&complaint, verify, setting)?,
        Command::Exhausted { round, .. } => ending::exhausted(&complaint, *round),
        Command::Recompute { .. } => recomputed(&complaint, setting)?,
        Command::Due { .. } | Command::File(_) | Command::AdoptPolicy(_) => Vec::new(),
    });
    Ok(events)
}

/// Who it is about takes no part in handling it (O12); who read an older revision decides anew.
fn admit(complaint: &Complaint, act: &Act) -> Result<(), Rejection> {
    if complaint.is_about(&act.who.employee) {
        return Err(Rejection::Recused(complaint.name.to_string()));
    }
    match act.revision {
        Some(read) if read != complaint.revision => Err(Rejection::Changed(complaint.name.to_string())),
        _ => Ok(()),
    }
}

fn acted(complaint: &Complaint, act: &Act, setting: &Setting<'_>) -> Result<Vec<Event>, Rejection> {
    let who = &act.who;
    let employee = who.employee.as_str();
    match &act.action {
        Action::Accept { severity, complex, vip } => {
            intake::accept(complaint, employee, *severity, *complex, *vip, setting)
        }
        Action::Decline { explanation } => {
            intake::decline(complaint, employee, explanation.as_ref(), setting)
        }
        Action::Communicate { unit, person, content, time } => handling::communicate(
            complaint,
            employee,
            unit,
            person.as_ref(),
            content.as_ref(),
            *time,
            setting,
        ),
        Action::Reply { kind, text } => handling::reply(complaint, employee, *kind, text.as_ref()),
        Action::Propose(proposing) => handling::propose(complaint, employee, proposing, setting),
        Action::Approve => approval::approve(complaint, who),
        Action::Return { remarks } => approval::send_back(complaint, who, remarks.as_ref()),
        Action::RecordMeasure { measure, done, note } => {
            handling::record_measure(complaint, employee, *measure, *done, note.as_ref())
        }
        Action::Complete { client } => handling::complete(complaint, employee, client),
        Action::Reopen { reason } => ending::reopen(complaint, reason, setting),
        Action::Close { end, reason } => ending::close(complaint, employee, *end, reason),
        Action::ShowRecord { purpose } => Ok(ending::show(employee, purpose)),
    }
}

/// S3: the running limits by the calendar in force, from the policies under which they began.
fn recomputed(complaint: &Complaint, setting: &Setting<'_>) -> Result<Vec<Event>, Rejection> {
    let calendar = setting.book.calendar(setting.now);
    if complaint.calendar_version == calendar.version() {
        return Ok(Vec::new());
    }
    let mut moved: Vec<LimitSet> = Vec::new();
    for limit in complaint.limits.iter().filter(|limit| limit.runs() && limit.kind.is_by_calendar()) {
        let in_force = InForce::of(complaint, limit.began, setting.now, setting)?;
        moved.push(limits::limit(limit.kind, limit.began, complaint.terms(), in_force.rules()));
    }
    if moved.is_empty() {
        return Ok(Vec::new());
    }
    let calendar_version = calendar.version().to_owned();
    Ok(vec![Event::ComplaintLimitMoved(ComplaintLimitMoved { limits: moved, calendar_version })])
}

pub(super) fn illegal(complaint: &Complaint, action: &'static str) -> Rejection {
    Rejection::IllegalTransition { name: complaint.name.to_string(), state: complaint.stage_name(), action }
}
