//! What events make of states. Total: every event that was ever decided can be folded again.

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use shouwen_engine::Recorded;
use shouwen_policy::PolicyState;
use shouwen_proto::{
    events::v1::{CaseOpened, CloseKind, ownership_event::Event},
    r#type::v1::EscalationLevel,
};
use shouwen_serving::{private, timestamps::from_proto};

use super::{
    LeftBehind, State, absence, assisting,
    case::{CaseState, Clock, Complaint, Deputy, Override, Phase, Promise},
    contact::{ContactState, Touch},
    offers, presence, reassign, roster, routing, staffing,
};

/// The name of an event on the ledger: its field in the oneof.
pub fn name(event: &Event) -> &'static str {
    match event {
        Event::BranchSaved(_) => "branch_saved",
        Event::EmployeeSaved(_) => "employee_saved",
        Event::LineSaved(_) => "line_saved",
        Event::ServiceAccountSaved(_) => "service_account_saved",
        Event::PolicyProposed(_) => "policy_proposed",
        Event::PolicyApproved(_) => "policy_approved",
        Event::PolicyRejected(_) => "policy_rejected",
        Event::ContactClaimed(_) => "contact_claimed",
        Event::ContactJoined(_) => "contact_joined",
        Event::TouchCompleted(_) => "touch_completed",
        Event::TouchVoided(_) => "touch_voided",
        Event::CaseOpened(_) => "case_opened",
        Event::ClientIdentified(_) => "client_identified",
        Event::CaseMerged(_) => "case_merged",
        Event::CaseAbsorbed(_) => "case_absorbed",
        Event::AssistantAdded(_) => "assistant_added",
        Event::OfferMade(_) => "offer_made",
        Event::OfferAccepted(_) => "offer_accepted",
        Event::OfferDeclined(_) => "offer_declined",
        Event::OfferWithdrawn(_) => "offer_withdrawn",
        Event::OfferExpired(_) => "offer_expired",
        Event::OverrideBegun(_) => "override_begun",
        Event::OverrideEnded(_) => "override_ended",
        Event::CaseResolved(_) => "case_resolved",
        Event::CaseClosed(_) => "case_closed",
        Event::CaseReopened(_) => "case_reopened",
        Event::CaseVoided(_) => "case_voided",
        Event::LimitMissed(_) => "limit_missed",
        Event::PromiseNoted(_) => "promise_noted",
        Event::PromiseSettled(_) => "promise_settled",
        Event::LimitMoved(_) => "limit_moved",
        Event::LimitEscalated(_) => "limit_escalated",
        Event::PromiseMoved(_) => "promise_moved",
        Event::ComplaintOpened(_) => "complaint_opened",
        Event::ComplaintSettled(_) => "complaint_settled",
        Event::AccountabilityMoved(_) => "accountability_moved",
        Event::ContactLeft(_) => "contact_left",
        Event::DeputyAppointed(_) => "deputy_appointed",
        Event::DeputyEnded(_) => "deputy_ended",
        Event::CaseReassigned(_) => "case_reassigned",
        Event::MessageShown(_) => "message_shown",
        Event::MessageReturned(_) => "message_returned",
        Event::ClientHeard(_) => "client_heard",
        Event::AbsencePlanned(_) => "absence_planned",
        Event::AbsenceBegun(_) => "absence_begun",
        Event::AbsenceEnded(_) => "absence_ended",
        Event::AbsenceCancelled(_) => "absence_cancelled",
        Event::AbsenceDeputyChanged(_) => "absence_deputy_changed",
        Event::AbsenceApplied(_) => "absence_applied",
        Event::CasesReassigned(_) => "cases_reassigned",
        Event::PresenceChanged(_) => "presence_changed",
        Event::PresenceEngaged(_) => "presence_engaged",
        Event::PresenceReleased(_) => "presence_released",
        Event::ReservationCounted(_) => "reservation_counted",
        Event::RoutingBegun(_) => "routing_begun",
        Event::ReservationMade(_) => "reservation_made",
        Event::ReservationEnded(_) => "reservation_ended",
        Event::RoutingQueued(_) => "routing_queued",
        Event::RoutingAfterHours(_) => "routing_after_hours",
        Event::RoutingAnswered(_) => "routing_answered",
        Event::RoutingEnded(_) => "routing_ended",
        Event::LineUnstaffed(_) => "line_unstaffed",
        Event::LineStaffed(_) => "line_staffed",
        Event::TransferAnnounced(_) => "transfer_announced",
        Event::TransferAccepted(_) => "transfer_accepted",
        Event::TransferReturned(_) => "transfer_returned",
        Event::CallOver(_) => "call_over",
        Event::ClientLeft(_) => "client_left",
    }
}

/// The state after an event.
pub fn evolve(state: Option<State>, recorded: &Recorded<'_, Event>) -> State {
    let event = recorded.event;
    if let Some(entry) = roster::entry_of(event) {
        // What was read about the employee holds for the whole batch.
        let read = match state {
            Some(State::Roster(_, read)) => read,
            _ => LeftBehind::default(),
        };
        return State::Roster(entry, read);
    }
    match recorded.aggregate.collection() {
        "presences" => {
            let before = match state {
                Some(State::Presence(known)) => Some(*known),
                _ => None,
            };
            return presence::after(before, event, recorded.time)
                .map_or_else(|| unknown(recorded), |known| State::Presence(Box::new(known)));
        }
        "staffing" => {
            return staffing::after(event, recorded.time).map_or_else(|| unknown(recorded), State::Staffing);
        }
        "routings" => {
            let before = match state {
                Some(State::Routing(known)) => Some(*known),
                _ => None,
            };
            return routing::after(before, event, recorded.time)
                .map_or_else(|| unknown(recorded), |known| State::Routing(Box::new(known)));
        }
        _ => {}
    }
    match (state, event) {
        (_, Event::PolicyProposed(proposed)) => State::Policy(Box::new(PolicyState::from(proposed))),
        (Some(State::Policy(policy)), Event::PolicyApproved(approved)) => {
            State::Policy(Box::new(policy.approved(approved, recorded.time)))
        }
        (Some(State::Policy(policy)), Event::PolicyRejected(rejected)) => {
            State::Policy(Box::new(policy.rejected(rejected, recorded.on_behalf, recorded.time)))
        }
        (
            Some(State::Contact(contact)),
            event @ (Event::ContactJoined(_) | Event::TouchCompleted(_) | Event::TouchVoided(_)),
        ) => State::Contact(Box::new(contact_after(*contact, event))),
        (_, Event::ContactClaimed(claimed)) => State::Contact(Box::new(ContactState {
            employee: claimed.employee.clone(),
            case: claimed.case.clone(),
            first_responder: claimed.first_responder,
            branch: claimed.branch.clone(),
            channel: claimed.channel,
            claimed_at: recorded.time,
            touch: if claimed.touch_method.is_empty() {
                Touch::None
            } else {
                Touch::Pending {
                    method: claimed.touch_method.clone(),
                    request: private::sealed(claimed.touch_request.as_ref()),
                    request_id: claimed.touch_request_id.clone(),
                    principal: recorded.principal.to_owned(),
                }
            },
        })),
        (_, Event::CaseOpened(event)) => State::Case(Box::new(opened(event, recorded.time))),
        (_, Event::AbsencePlanned(planned)) => {
            State::Absence(Box::new(absence::planned(planned, recorded.time)))
        }
        (Some(State::Absence(mut state)), event) => {
            absence::after(&mut state, event, recorded.time);
            State::Absence(state)
        }
        (_, Event::CasesReassigned(done)) => {
            State::Reassignment(Box::new(reassign::done(done, recorded.time)))
        }
        (Some(State::Case(mut case)), event) => {
            case_after(&mut case, event, recorded.time);
            State::Case(case)
        }
        (Some(other), _) => other,
        (None, _) => unknown(recorded),
    }
}

/// The case that an event opens.
pub(super) fn opened(opened: &CaseOpened, at: DateTime<Utc>) -> CaseState {
    CaseState {
        branch: opened.branch.clone(),
        topic: opened.topic.clone(),
        channel: opened.channel,
        client: Some(opened.client.clone()).filter(|client| !client.is_empty()),
        contact: opened.contact.clone(),
        first_responder: opened.first_responder.clone(),
        accountable: opened.first_responder.clone(),
        handler: opened.first_responder.clone(),
        epoch: opened.epoch,
        phase: Phase::Open,
        offer: None,
        returned: None,
        unpassed: Vec::new(),
        overriding: None,
        clocks: vec![clock(at, opened.answer_due.as_ref(), opened.provisional, &opened.calendar_version)],
        assistants: Vec::new(),
        answered: Vec::new(),
        help: Vec::new(),
        promises: Vec::new(),
        opened_at: at,
        policy: opened.policy_version.clone(),
        reopenings: 0,
        complaints: Vec::new(),
        deputies: Vec::new(),
        message: None,
        heard: None,
        resolved: None,
    }
}

/// Unreachable for what `decide` produces: the first event of an aggregate creates it.
fn unknown(recorded: &Recorded<'_, Event>) -> State {
    let branch = roster::RosterState::Branch(roster::Branch {
        name: recorded.aggregate.0.clone(),
        display_name: String::new(),
        complaints_phone: String::new(),
    });
    State::Roster(branch, LeftBehind::default())
}

fn contact_after(mut contact: ContactState, event: &Event) -> ContactState {
    match event {
        // The contact keeps the case in which it began, as its call does: the redirect leads on to the survivor.
        Event::ContactJoined(_) => contact.first_responder = false,
        Event::TouchCompleted(_) => contact.touch = Touch::Done,
        Event::TouchVoided(voided) => contact.touch = Touch::Voided { reason: voided.reason.clone() },
        _ => {}
    }
    contact
}

fn clock(started: DateTime<Utc>, due: Option<&Timestamp>, provisional: bool, calendar: &str) -> Clock {
    Clock {
        started,
        due: time(due, started),
        met: None,
        missed: false,
        provisional,
        calendar: calendar.to_owned(),
        escalation: EscalationLevel::Unspecified.into(),
        escalates: None,
        escalation_policy: String::new(),
    }
}

pub(super) fn time(value: Option<&Timestamp>, otherwise: DateTime<Utc>) -> DateTime<Utc> {
    value.and_then(from_proto).unwrap_or(otherwise)
}

/// A case after one of its events.
pub(super) fn case_after(case: &mut CaseState, event: &Event, at: DateTime<Utc>) {
    offers::after(case, event, at);
    assisting::after(case, event);
    match event {
        Event::ClientIdentified(identified) => {
            case.client = Some(identified.client.clone());
            case.topic.clone_from(&identified.topic);
        }
        Event::CaseMerged(merged) => {
            case.phase = Phase::Merged { into: merged.into.clone() };
            case.epoch = merged.epoch;
        }
        Event::OfferAccepted(accepted) => {
            case.handler.clone_from(&accepted.handler);
            case.epoch = accepted.epoch;
        }
        Event::OverrideBegun(begun) => {
            case.overriding = Some(Override {
                employee: begun.employee.clone(),
                reason: begun.reason.clone(),
                begun: at,
                expires: time(begun.expire_time.as_ref(), at),
            });
            case.epoch = begun.epoch;
        }
        Event::OverrideEnded(ended) => {
            case.overriding = None;
            case.epoch = ended.epoch;
        }
        Event::CaseAbsorbed(absorbed) => {
            case.heard = case.heard.max(absorbed.said_time.as_ref().and_then(from_proto));
        }
        Event::ClientHeard(heard) => {
            case.heard = case.heard.max(heard.said_time.as_ref().and_then(from_proto));
        }
        Event::CaseResolved(resolved) => {
            case.phase = Phase::AwaitingSatisfaction;
            case.resolved = Some(time(resolved.answer_time.as_ref(), at));
            meet(case, at);
        }
        Event::CaseClosed(closed) => {
            case.phase = Phase::Closed { at, kind: closed.kind, reason: closed.reason.clone() };
            // Of a client who could not be reached nothing was heard.
            if closed.kind != i32::from(CloseKind::Unreachable) {
                case.heard = case.heard.max(Some(time(closed.said_time.as_ref(), at)));
            }
            meet(case, at);
        }
        Event::CaseReopened(reopened) => {
            case.phase = Phase::Open;
            case.heard = case.heard.max(Some(time(reopened.said_time.as_ref(), at)));
            case.reopenings += 1;
            let due = reopened.answer_due.as_ref();
            let started = time(reopened.answer_from.as_ref(), at);
            case.clocks.push(clock(started, due, reopened.provisional, &reopened.calendar_version));
        }
        Event::ContactLeft(left) => case.epoch = left.epoch,
        Event::CaseVoided(voided) => {
            case.phase = Phase::Void { reason: voided.reason.clone() };
            case.epoch = voided.epoch;
        }
        Event::LimitMissed(missed) => {
            if let Some(clock) = case.clocks.last_mut() {
                clock.missed = true;
                clock.escalation_policy.clone_from(&missed.policy_version);
            }
        }
        Event::LimitMoved(moved) => {
            if let Some(clock) = case.clocks.last_mut() {
                clock.started = time(moved.answer_from.as_ref(), clock.started);
                clock.due = time(moved.due.as_ref(), clock.due);
                clock.provisional = moved.provisional;
                clock.calendar.clone_from(&moved.calendar_version);
            }
        }
        Event::PromiseNoted(noted) => {
            case.promises.retain(|promise| promise.callback != noted.callback);
            case.promises.push(Promise {
                callback: noted.callback.clone(),
                kind: noted.kind,
                due: time(noted.due.as_ref(), at),
                settled: false,
            });
        }
        Event::PromiseSettled(settled) => {
            for promise in &mut case.promises {
                promise.settled |= promise.callback == settled.callback;
            }
        }
        Event::PromiseMoved(moved) => {
            for promise in case.promises.iter_mut().filter(|promise| promise.callback == moved.callback) {
                promise.due = time(moved.due.as_ref(), promise.due);
            }
        }
        Event::LimitEscalated(escalated) => {
            if let Some(clock) = case.clocks.last_mut() {
                clock.escalation = escalated.level;
                clock.escalates = escalated.next_due.as_ref().and_then(from_proto);
            }
        }
        Event::ComplaintOpened(opened) => {
            case.complaints.retain(|complaint| complaint.name != opened.complaint);
            case.complaints.push(Complaint {
                name: opened.complaint.clone(),
                recused: opened.recused.clone(),
                open: true,
                unit: opened.receiving_unit.clone(),
            });
        }
        Event::ComplaintSettled(settled) => {
            for complaint in case.complaints.iter_mut().filter(|known| known.name == settled.complaint) {
                complaint.open = false;
            }
        }
        Event::DeputyAppointed(appointed) => {
            case.deputies.push(Deputy {
                employee: appointed.employee.clone(),
                of: appointed.of.clone(),
                absence: appointed.absence.clone(),
                until: appointed.until.as_ref().and_then(from_proto),
                revision: appointed.revision,
            });
            case.epoch = appointed.epoch;
        }
        Event::DeputyEnded(ended) => {
            case.deputies.retain(|deputy| (&deputy.of, &deputy.absence) != (&ended.of, &ended.absence));
            case.epoch = ended.epoch;
        }
        Event::CaseReassigned(reassigned) => {
            case.accountable.clone_from(&reassigned.accountable);
            case.handler.clone_from(&reassigned.handler);
            case.epoch = reassigned.epoch;
        }
        Event::AccountabilityMoved(moved) => {
            case.accountable.clone_from(&moved.accountable);
            case.handler.clone_from(&moved.handler);
            case.epoch = moved.epoch;
        }
        _ => {}
    }
}

/// The running clock is met.
fn meet(case: &mut CaseState, at: DateTime<Utc>) {
    if let Some(clock) = case.clocks.last_mut() {
        clock.met.get_or_insert(at);
    }
}
