//! States as the contract's messages.

use shouwen_policy::PolicyState;
use shouwen_proto::{
    events::v1::CloseKind,
    ownership::v1::{
        Absence, Branch, Case, Clock, Deputy, Employee, Line, Offer, Override, Promise, ReassignedCase,
        Reassignment, SelectedDeputy, TimelineEntry, absence, case,
    },
    policy::v1::{Policy, policy},
};
use shouwen_serving::timestamps::to_proto;

use crate::domain::{
    AbsenceState, CaseState, ReassignmentState, RosterState,
    absence::AbsencePhase,
    case::{Clock as ClockState, Deputy as DeputyState, Phase, Promise as PromiseState},
    timeline,
};

/// `filed`: the clients service has a file of the case's client.
pub(crate) fn case(name: &str, version: i64, state: &CaseState, filed: bool) -> Case {
    let mut message = Case {
        name: name.to_owned(),
        etag: version.to_string(),
        branch: state.branch.clone(),
        topic: state.topic.clone(),
        channel: state.channel,
        client: state.client.clone().unwrap_or_default(),
        state: case::State::Open.into(),
        first_responder: state.first_responder.clone(),
        accountable: state.accountable.clone(),
        handler: state.handler.clone(),
        epoch: state.epoch,
        offer: state.offer.as_ref().map(|offer| Offer {
            offer: offer.id.clone(),
            from: offer.from.clone(),
            to: offer.to.clone(),
            reason: offer.reason.clone(),
            expire_time: Some(to_proto(offer.expires)),
            message: offer.message,
            moves_nothing: offer.moves_nothing,
        }),
        r#override: state.overriding.as_ref().map(|running| Override {
            employee: running.employee.clone(),
            reason: running.reason.clone(),
            begin_time: Some(to_proto(running.begun)),
            expire_time: Some(to_proto(running.expires)),
        }),
        clocks: state.clocks.iter().map(clock).collect(),
        assistants: state.assistants.clone(),
        merged_into: String::new(),
        promises: state.promises.iter().map(promise).collect(),
        create_time: Some(to_proto(state.opened_at)),
        close_time: None,
        close_kind: CloseKind::Unspecified.into(),
        close_reason: String::new(),
        reopen_count: state.reopenings,
        open_complaints: state.open_complaints().map(|complaint| complaint.name.clone()).collect(),
        client_file: match &state.client {
            Some(client) if filed => format!("clients/{client}"),
            _ => String::new(),
        },
        recused: state.recused().into_iter().map(str::to_owned).collect(),
        deputies: state.deputies.iter().map(deputy).collect(),
    };
    match &state.phase {
        Phase::Open => {}
        Phase::AwaitingSatisfaction => message.state = case::State::AwaitingSatisfaction.into(),
        Phase::Closed { at, kind, reason } => {
            message.state = case::State::Closed.into();
            message.close_time = Some(to_proto(*at));
            message.close_kind = *kind;
            message.close_reason.clone_from(reason);
        }
        Phase::Merged { into } => {
            message.state = case::State::Merged.into();
            message.merged_into.clone_from(into);
        }
        Phase::Void { reason } => {
            message.state = case::State::Void.into();
            message.close_reason.clone_from(reason);
        }
    }
    message
}

fn deputy(deputy: &DeputyState) -> Deputy {
    Deputy {
        employee: deputy.employee.clone(),
        of: deputy.of.clone(),
        absence: deputy.absence.clone(),
        until_time: deputy.until.map(to_proto),
    }
}

/// Without its reason, which is sealed.
pub(crate) fn absence(name: &str, version: i64, state: &AbsenceState) -> Absence {
    let (phase, closed) = match state.phase {
        AbsencePhase::Planned => (absence::State::Planned, None),
        AbsencePhase::Running => (absence::State::Running, None),
        AbsencePhase::Ended { at } => (absence::State::Ended, Some(at)),
        AbsencePhase::Cancelled { at } => (absence::State::Cancelled, Some(at)),
    };
    let selected = state.naming.selected.iter();
    Absence {
        name: name.to_owned(),
        etag: version.to_string(),
        employee: state.employee.clone(),
        branch: state.branch.clone(),
        kind: state.kind,
        state: phase.into(),
        start_time: Some(to_proto(state.window.start)),
        end_time: state.window.end.map(to_proto),
        reason: String::new(),
        deputy: state.naming.all.clone().unwrap_or_default(),
        selected: selected
            .map(|(case, deputy)| SelectedDeputy { case: case.clone(), deputy: deputy.clone() })
            .collect(),
        close_time: closed.map(to_proto),
        applied: state.applying.is_none(),
    }
}

pub(crate) fn reassignment(name: &str, state: &ReassignmentState) -> Reassignment {
    let moves = state.moves.iter();
    Reassignment {
        name: name.to_owned(),
        from: state.from.clone(),
        reason: state.reason.clone(),
        cases: moves.map(|(case, to)| ReassignedCase { case: case.clone(), to: to.clone() }).collect(),
        by: state.by.clone(),
        create_time: Some(to_proto(state.at)),
    }
}

fn clock(clock: &ClockState) -> Clock {
    Clock {
        start_time: Some(to_proto(clock.started)),
        due_time: Some(to_proto(clock.due)),
        met_time: clock.met.map(to_proto),
        missed: clock.missed,
        provisional: clock.provisional,
        escalation: clock.escalation,
    }
}

pub(crate) fn promise(promise: &PromiseState) -> Promise {
    Promise {
        callback: promise.callback.clone(),
        kind: promise.kind,
        due_time: Some(to_proto(promise.due)),
        settled: promise.settled,
    }
}

pub(crate) fn branch(version: i64, state: RosterState) -> Option<Branch> {
    let RosterState::Branch(branch) = state else { return None };
    Some(Branch {
        name: branch.name,
        display_name: branch.display_name,
        complaints_phone: branch.complaints_phone,
        etag: version.to_string(),
    })
}

pub(crate) fn employee(version: i64, state: RosterState) -> Option<Employee> {
    let RosterState::Employee(employee) = state else { return None };
    Some(Employee {
        name: employee.name,
        display_name: employee.display_name,
        branch: employee.branch,
        roles: employee.roles,
        office_phone: employee.office_phone,
        external_id: employee.external_id,
        active: employee.active,
        etag: version.to_string(),
        position: employee.position,
        skills: employee.skills,
        vip_seat: employee.vip_seat,
        duty: employee.duty,
    })
}

pub(crate) fn line(version: i64, state: RosterState) -> Option<Line> {
    let RosterState::Line(line) = state else { return None };
    Some(Line {
        name: line.name,
        branch: line.branch,
        number: line.number,
        published: line.published,
        employee: line.employee,
        etag: version.to_string(),
        skills: line.skills,
        unstaffed_time: None,
    })
}

pub(crate) fn timeline_entry(line: timeline::Line) -> TimelineEntry {
    TimelineEntry {
        service: line.service,
        position: line.position,
        time: Some(to_proto(line.time)),
        r#type: line.r#type,
        aggregate: line.aggregate,
        actor: line.actor,
        on_behalf: line.on_behalf,
        capacity: line.capacity,
        cause: line.cause,
    }
}

pub(crate) fn policy(name: &str, version: i64, state: &PolicyState) -> Policy {
    let (status, approver, reject_reason) = match &state.status {
        shouwen_policy::PolicyStatus::Proposed => (policy::State::Proposed, String::new(), String::new()),
        shouwen_policy::PolicyStatus::Approved { approver, .. } => {
            (policy::State::Approved, approver.clone(), String::new())
        }
        shouwen_policy::PolicyStatus::Rejected { reason, .. } => {
            (policy::State::Rejected, String::new(), reason.clone())
        }
    };
    Policy {
        name: name.to_owned(),
        etag: version.to_string(),
        kind: state.kind.clone(),
        scope: state.scope.clone(),
        revision: state.revision,
        document: Some(shouwen_policy::document_to_struct(&state.document).unwrap_or_default()),
        effective_time: Some(to_proto(state.effective_from)),
        state: status.into(),
        proposer: state.proposer.clone(),
        approver,
        reject_reason,
    }
}
