//! Presences and routings as the contract's messages, and why a contact went where it went, in words.

use chrono::{DateTime, Utc};
use prost_types::Duration;
use shouwen_access::Language;
use shouwen_calendar::SHANGHAI;
use shouwen_proto::{
    events::v1::{CandidateRank, PresenceState as Wanted, RoutingReason},
    routing::v1::{
        AfterHours, PastReservation, PastTransfer, Presence, QueuePlace, Reservation, Routing, Transfer,
        routing::State,
    },
};
use shouwen_serving::timestamps::to_proto;

use crate::{
    domain::{
        PresenceState, Roster, RoutingState,
        roster::Employee,
        routing::{self, PastTransfer as PastState, Phase, Transfer as TransferState, candidates::Standing},
    },
    store::routing::{Place, PresenceRow},
};

pub(super) fn presence(row: PresenceRow) -> Presence {
    let known: PresenceState = row.state.0;
    let ringing = row.ringing.filter(|_| matches!(known.standing(), Standing::Free { .. }));
    let state = match known.standing() {
        Standing::Free { .. } if ringing.is_some() => Wanted::Reserved,
        Standing::Free { .. } | Standing::Reserved => Wanted::Available,
        Standing::Busy => Wanted::Busy,
        Standing::Paused => Wanted::Paused,
        Standing::Offline => Wanted::Offline,
    };
    let rings = ringing.map(|routing| routing::contact(&routing.into()).0);
    Presence {
        name: row.id,
        etag: row.version.to_string(),
        employee: known.employee,
        branch: known.branch,
        state: state.into(),
        since_time: Some(to_proto(known.since)),
        session: known.session,
        contact: known.on.or(rings).unwrap_or_default(),
        cause: known.cause,
        missed: known.missed,
        seen_time: row.seen.map(to_proto),
    }
}

/// Who has never signed on is offline.
pub(super) fn never_signed_on(employee: &Employee) -> Presence {
    Presence {
        name: crate::domain::presence::id(&employee.name).0,
        employee: employee.name.clone(),
        branch: employee.branch.clone(),
        state: Wanted::Offline.into(),
        ..Presence::default()
    }
}

pub(super) fn routing(
    name: &str,
    version: i64,
    state: &RoutingState,
    place: Option<&Place>,
    roster: &Roster,
) -> Routing {
    let reason = reason(&state.phase);
    let mut message = Routing {
        name: name.to_owned(),
        etag: version.to_string(),
        contact: routing::contact(&name.into()).0,
        branch: state.branch.clone(),
        line: state.line.clone(),
        channel: state.channel,
        client: state.client.clone().unwrap_or_default(),
        topic: state.topic.clone(),
        skills: state.skills.clone(),
        vip: state.vip,
        case: state.case.clone().unwrap_or_default(),
        state: State::Unspecified.into(),
        reason: reason.into(),
        reason_text: words(reason, Language::current()).to_owned(),
        candidates: state.considered.iter().map(Into::into).collect(),
        reservation: None,
        queue: None,
        after_hours: None,
        past: state
            .past
            .iter()
            .map(|past| PastReservation {
                employee: past.employee.clone(),
                reserve_time: Some(to_proto(past.since)),
                end_time: Some(to_proto(past.at)),
                end: past.end,
            })
            .collect(),
        employee: String::new(),
        for_colleague: false,
        create_time: Some(to_proto(state.begun)),
        end_time: None,
        transfer: state.transfer.as_ref().map(|transfer| self::transfer(transfer, roster)),
        past_transfers: state.transfers.iter().map(past_transfer).collect(),
        on_call: state.on_call.clone().unwrap_or_default(),
    };
    match &state.phase {
        Phase::Reserved { employee, rank, since, expires } => {
            message.state = State::Reserved.into();
            let known = roster.employee(employee);
            message.reservation = Some(Reservation {
                employee: employee.clone(),
                display_name: known.map(|known| known.display_name.clone()).unwrap_or_default(),
                office_phone: known.map(|known| known.office_phone.clone()).unwrap_or_default(),
                rank: *rank,
                reserve_time: Some(to_proto(*since)),
                expire_time: Some(to_proto(*expires)),
            });
        }
        Phase::Queued { .. } => {
            message.state = State::Queued.into();
            message.queue = Some(QueuePlace {
                position: place.map_or(1, |place| i32::try_from(place.before + 1).unwrap_or(i32::MAX)),
                queue_time: Some(to_proto(state.queued.unwrap_or(state.begun))),
                expected_wait: place
                    .and_then(|place| place.expected)
                    .map(|seconds| Duration { seconds, nanos: 0 }),
            });
        }
        Phase::AfterHours { next_working, due, .. } => {
            message.state = State::AfterHours.into();
            message.after_hours = Some(AfterHours {
                next_working_time: Some(to_proto(*next_working)),
                due_time: Some(to_proto(*due)),
                wording: after_hours(*next_working, *due, Language::current()),
            });
        }
        Phase::Answered { employee, for_colleague, at, gone: _ } => {
            message.state = State::Answered.into();
            message.employee.clone_from(employee);
            message.for_colleague = *for_colleague;
            message.end_time = Some(to_proto(*at));
        }
        Phase::Abandoned { at } => {
            message.state = State::Abandoned.into();
            message.end_time = Some(to_proto(*at));
        }
        Phase::Callback { at } => {
            message.state = State::Callback.into();
            message.end_time = Some(to_proto(*at));
        }
    }
    message
}

fn transfer(transfer: &TransferState, roster: &Roster) -> Transfer {
    let known = roster.employee(&transfer.to);
    Transfer {
        from: transfer.from.clone(),
        to: transfer.to.clone(),
        display_name: known.map(|known| known.display_name.clone()).unwrap_or_default(),
        office_phone: known.map(|known| known.office_phone.clone()).unwrap_or_default(),
        announce_time: Some(to_proto(transfer.since)),
        expire_time: Some(to_proto(transfer.expires)),
    }
}

fn past_transfer(past: &PastState) -> PastTransfer {
    PastTransfer {
        from: past.from.clone(),
        to: past.to.clone(),
        announce_time: Some(to_proto(past.since)),
        end_time: Some(to_proto(past.at)),
        accepted: past.end.is_none(),
        end: past.end.unwrap_or_default(),
    }
}

fn reason(phase: &Phase) -> RoutingReason {
    match phase {
        Phase::Reserved { rank, .. } => match CandidateRank::try_from(*rank).unwrap_or_default() {
            CandidateRank::Unspecified => RoutingReason::Unspecified,
            CandidateRank::Handler => RoutingReason::Handler,
            CandidateRank::Deputy => RoutingReason::Deputy,
            CandidateRank::Accountable => RoutingReason::Accountable,
            CandidateRank::ServiceManager => RoutingReason::ServiceManager,
            CandidateRank::Colleague => RoutingReason::Colleague,
            CandidateRank::Hq => RoutingReason::Hq,
        },
        Phase::Queued { .. } => RoutingReason::NobodyFree,
        Phase::AfterHours { .. } => RoutingReason::AfterHours,
        Phase::Answered { .. } => RoutingReason::Answered,
        Phase::Abandoned { .. } => RoutingReason::ClientGone,
        Phase::Callback { .. } => RoutingReason::CallbackAsked,
    }
}

fn words(reason: RoutingReason, language: Language) -> &'static str {
    let (english, chinese) = match reason {
        RoutingReason::Unspecified => ("", ""),
        RoutingReason::Handler => ("works on the client's open case", "承办该客户未结事项"),
        RoutingReason::Deputy => ("stands in for who works on the client's open case", "代理该客户未结事项"),
        RoutingReason::Accountable => ("answers for the client's open case", "该客户未结事项的责任人"),
        RoutingReason::ServiceManager => ("looks after this client", "该客户的服务经理"),
        RoutingReason::Colleague => {
            ("free colleague of the branch, longest idle", "营业部空闲时间最长的同事")
        }
        RoutingReason::Hq => {
            ("nobody of the branch is free; a colleague of HQ", "营业部无人空闲，由总部接听")
        }
        RoutingReason::NobodyFree => {
            ("nobody who may answer is free; the client waits", "暂无空闲人员，客户排队等候")
        }
        RoutingReason::AfterHours => {
            ("outside working hours, and nobody on duty is free", "非工作时间，且无空闲值班人员")
        }
        RoutingReason::Answered => ("answered", "已接听"),
        RoutingReason::ClientGone => ("the client is gone", "客户已挂断"),
        RoutingReason::CallbackAsked => ("the client prefers to be called back", "客户选择回拨"),
    };
    match language {
        Language::ZhCn => chinese,
        Language::En => english,
    }
}

/// O5: explained, the next working time, and by when the client hears from the firm.
fn after_hours(next: DateTime<Utc>, due: DateTime<Utc>, language: Language) -> String {
    let local = |at: DateTime<Utc>| at.with_timezone(&SHANGHAI);
    match language {
        Language::ZhCn => format!(
            "您好，现在是非工作时间。我们的下一工作时间为{}。请留下联系方式，我们将于{}前与您联系。",
            local(next).format("%m月%d日%H:%M"),
            local(due).format("%m月%d日%H:%M")
        ),
        Language::En => format!(
            "Hello, we are outside working hours; we are back on {}. Please leave how to reach you: we will contact you by {}.",
            local(next).format("%d %B, %H:%M"),
            local(due).format("%d %B, %H:%M")
        ),
    }
}
