//! The rules of contacts, each on its own.

use chrono::TimeDelta;
use shouwen_policy::{PolicyBook, PolicyVersion};
use shouwen_proto::{
    events::v1::{CallOutcome, Direction, Party, PolicyAdopted, calls_event::Event},
    r#type::v1::Channel,
};
use shouwen_serving::{private, timestamps::to_proto};

use super::{
    answer,
    call::{CallState, Phase},
    codec,
    command::{AnswerContact, Confirm, FillIn, MakePromise, Miss, Register, Void},
    ending,
    fixtures::*,
    promise, record, register,
    rejection::Rejection,
};

fn one(events: Result<Vec<Event>, Rejection>) -> Event {
    let mut events = events.unwrap();
    assert_eq!(events.len(), 1, "{events:?}");
    events.remove(0)
}

fn version(kind: &str, document: &serde_json::Value) -> PolicyVersion {
    serde_json::from_value(serde_json::json!({
        "policy": "policies/p1", "kind": kind, "scope": "firm", "revision": 1, "document": document,
        "effective_from": "2025-01-01T00:00:00Z",
    }))
    .unwrap()
}

fn late(ring: &Register, after: TimeDelta, policies: &PolicyBook) -> bool {
    let call = registered(ring, at("09:00:00"));
    let command = AnswerContact { channel: ring.channel, ..answering() };
    match one(answer::answer(&call, &command, at("09:00:00") + after, policies)) {
        Event::CallAnswered(answered) => answered.late,
        other => panic!("{other:?}"),
    }
}

#[test]
fn k2_late_is_later_than_three_rings_of_five_seconds() {
    assert!(!late(&ring(), TimeDelta::seconds(15), &book()));
    assert!(late(&ring(), TimeDelta::milliseconds(15_001), &book()));
}

#[test]
fn k2_what_does_not_ring_here_is_never_late() {
    let hour = TimeDelta::hours(1);
    assert!(!late(&Register { channel: Channel::Email, ..ring() }, hour, &book()));
    assert!(!late(&Register { direction: Direction::Outbound, ..ring() }, hour, &book()));
    let paper = Register { occur_time: Some(at("08:00:00")), ..ring() };
    assert!(!late(&paper, hour, &book()));
}

#[test]
fn k2_a_call_is_judged_by_the_policy_under_which_it_began() {
    let four_rings = book().with(version("calls", &serde_json::json!({ "rings": 4 }))).unwrap();
    let call = registered(&ring(), at("09:00:00"));
    assert_eq!(call.policy_version, "calls@default");
    // It began before the new version was known here.
    assert!(late(&ring(), TimeDelta::seconds(18), &four_rings));
    let began = one(register::decide(false, &ring(), at("09:00:00"), &four_rings));
    let call = fold(None, &[began], at("09:00:00"));
    let answered = one(answer::answer(&call, &answering(), at("09:00:18"), &four_rings));
    assert!(matches!(answered, Event::CallAnswered(answered) if !answered.late));
}

#[test]
fn k20_what_happened_before_is_entered_later_with_its_true_time() {
    let paper = Register { occur_time: Some(at("08:40:00")), channel: Channel::Counter, ..ring() };
    let call = answered(&paper, at("15:00:00"));
    assert!(call.entered_later);
    assert_eq!(call.occur_time, at("08:40:00"));
    assert_eq!(call.answer().unwrap().at, at("08:40:00"));
    assert!(!registered(&ring(), at("15:00:00")).entered_later);
    let now = Register { occur_time: Some(at("15:00:00")), ..ring() };
    assert!(!registered(&now, at("15:00:00")).entered_later);
}

#[test]
fn k20_a_contact_in_the_future_is_refused() {
    let future = Register { occur_time: Some(at("15:00:01")), ..ring() };
    let refused = register::decide(false, &future, at("15:00:00"), &book());
    assert_eq!(refused, Err(Rejection::OccurTimeFuture));
}

#[test]
fn o5_outside_working_hours_is_judged_by_the_true_time_and_the_calendar() {
    let outside = |occurred| {
        registered(&Register { occur_time: Some(occurred), ..ring() }, on("2025-10-10", "10:00:00"))
            .outside_working_hours
    };
    assert!(!outside(at("08:30:00")));
    assert!(outside(at("11:30:00")), "the lunch break");
    assert!(outside(at("17:00:00")));
    assert!(outside(on("2025-10-01", "10:00:00")), "a public holiday");
    assert!(!outside(on("2025-09-28", "10:00:00")), "a Sunday worked in exchange");
}

#[test]
fn o5_a_branch_with_its_own_hours_is_judged_by_them() {
    let hours = serde_json::json!({ "working_hours": [["10:00", "16:00"]] });
    let book = book().with(version("hours", &hours)).unwrap();
    let event = one(register::decide(false, &ring(), at("09:00:00"), &book));
    assert!(matches!(event, Event::CallRegistered(registered) if registered.outside_working_hours));
}

#[test]
fn k21_a_contact_is_registered_once_and_only_for_branches_in_reach() {
    let now = at("09:00:00");
    assert_eq!(register::decide(true, &ring(), now, &book()), Err(Rejection::CallExists(NAME.into())));
    let elsewhere = Register { branch: "branches/b2".into(), ..ring() };
    let refused = Rejection::BranchOutOfReach("branches/b2".into());
    // Also where the id is taken: whether it exists is not told.
    assert_eq!(register::decide(true, &elsewhere, now, &book()), Err(refused));
}

#[test]
fn o1_the_winner_may_answer_again_and_nobody_else() {
    let call = answered(&ring(), at("09:00:00"));
    let now = at("09:01:00");
    assert_eq!(answer::answer(&call, &answering(), now, &book()), Ok(Vec::new()));
    let mut other = answering();
    other.by.employee = "employees/li".into();
    let refused = answer::answer(&call, &other, now, &book()).unwrap_err();
    let answered = Some((EMPLOYEE.to_owned(), CASE.to_owned()));
    let action = "AnswerCall";
    assert_eq!(
        refused,
        Rejection::IllegalTransition { call: NAME.into(), state: "ANSWERED", action, answered }
    );
    let end = ending(Party::Client, CallOutcome::AnswerOwed);
    let call = ended(call, &end, now);
    assert_eq!(answer::answer(&call, &answering(), now, &book()), Ok(Vec::new()));
    assert!(answer::answer(&call, &other, now, &book()).is_err());
}

#[test]
fn o1_nothing_is_answered_without_a_claim_or_on_another_channel() {
    let call = registered(&ring(), at("09:00:00"));
    let mut unclaimed = answering();
    unclaimed.by.case = None;
    let refused = answer::answer(&call, &unclaimed, at("09:00:01"), &book());
    assert_eq!(refused, Err(Rejection::CaseMismatch(NAME.into())));
    let other = AnswerContact { channel: Channel::Counter, ..answering() };
    let refused = answer::answer(&call, &other, at("09:00:01"), &book());
    assert_eq!(refused, Err(Rejection::ChannelDiffers(NAME.into())));
}

#[test]
fn k14_only_a_ringing_inbound_call_is_missed_and_then_nobody_answers_it() {
    let now = at("09:01:00");
    let command = Miss { call: ring().call, reach: reach() };
    for other in [
        Register { channel: Channel::Counter, ..ring() },
        Register { direction: Direction::Outbound, ..ring() },
    ] {
        let refused = answer::miss(&registered(&other, now), &command);
        assert_eq!(refused, Err(Rejection::NotAnInboundCall(NAME.into())));
    }
    let call = missed(registered(&ring(), at("09:00:00")), now);
    assert_eq!(call.phase, Phase::Missed { at: now });
    for refused in [answer::miss(&call, &command), answer::answer(&call, &answering(), now, &book())] {
        assert!(matches!(refused, Err(Rejection::IllegalTransition { state: "MISSED", answered: None, .. })));
    }
    let refused = answer::miss(&answered(&ring(), now), &command);
    assert!(matches!(refused, Err(Rejection::IllegalTransition { state: "ANSWERED", .. })));
}

#[test]
fn k14_a_missed_call_tells_who_called_without_telling() {
    let call = registered(&ring(), at("09:00:00"));
    let Event::CallMissed(missed) = one(answer::miss(&call, &Miss { call: ring().call, reach: reach() }))
    else {
        panic!()
    };
    assert_eq!((missed.caller_key, missed.number_key), (vec![7; 32], vec![7; 32]));
    assert_eq!(private::sealed(missed.caller.as_ref()), Some(sealed("caller")));
    assert_eq!((missed.caller_masked.as_str(), missed.branch.as_str()), ("138****5678", BRANCH));
    assert_eq!(missed.occur_time, Some(to_proto(at("09:00:00"))));
}

#[test]
fn k8_k10_a_record_is_complete_only_when_confirmed_and_a_new_filling_is_unconfirmed() {
    let now = at("09:01:00");
    let call = answered(&ring(), at("09:00:00"));
    let confirm = Confirm { call: ring().call, by: acting() };
    assert_eq!(record::confirm(&call, &confirm), Err(Rejection::RecordMissing(NAME.into())));
    let call = fold(Some(call.clone()), &record::fill_in(&call, &sheet(), 2).unwrap(), now);
    assert!(!call.record.as_ref().unwrap().is_complete());
    let call = fold(Some(call.clone()), &record::confirm(&call, &confirm).unwrap(), now);
    assert!(call.record.as_ref().unwrap().is_complete());
    assert_eq!(record::confirm(&call, &confirm), Ok(Vec::new()), "confirming again changes nothing");
    let call = fold(Some(call.clone()), &record::fill_in(&call, &sheet(), 4).unwrap(), now);
    assert!(!call.record.as_ref().unwrap().confirmed);
}

#[test]
fn k8_a_record_missing_a_field_is_incomplete_although_confirmed() {
    let call = answered(&ring(), at("09:00:00"));
    let events = record::fill_in(&call, &sheet(), 2).unwrap();
    let mut record = fold(Some(call), &events, at("09:01:00")).record.unwrap();
    record.confirmed = true;
    assert!(record.is_complete());
    assert!(!super::call::RecordSheet { handling: None, ..record.clone() }.is_complete());
    assert!(!super::call::RecordSheet { gender: String::new(), ..record }.is_complete());
}

#[test]
fn k9_the_additions_of_an_inquiry_stay_with_the_record() {
    let call = answered(&ring(), at("09:00:00"));
    let written = FillIn { assessment: Some(sealed("assessment")), ..sheet() };
    let events = record::fill_in(&call, &written, 2).unwrap();
    let record = fold(Some(call), &events, at("09:01:00")).record.unwrap();
    assert_eq!(record.familiarity, written.familiarity);
    assert_eq!(record.inquiry_type, "account");
    assert_eq!(record.identity_checks, ["holdings"]);
    assert_eq!(record.assessment, written.assessment);
}

#[test]
fn k8_a_record_is_filled_in_on_the_version_that_was_seen() {
    let call = answered(&ring(), at("09:00:00"));
    let seen = |etag| record::fill_in(&call, &FillIn { etag: Some(etag), ..sheet() }, 2);
    assert!(seen(2).is_ok());
    assert_eq!(seen(1), Err(Rejection::EtagMismatch(NAME.into())));
}

#[test]
fn k8_k10_the_record_may_be_completed_after_the_contact_and_nothing_else_may() {
    let call = answered(&ring(), at("09:00:00"));
    let call = ended(call, &ending(Party::Client, CallOutcome::AnswerOwed), at("09:05:00"));
    let steps = steps(&call, &acting(), at("09:06:00"));
    assert!(steps[0].is_ok());
    assert_eq!(steps[1], Err(Rejection::RecordMissing(NAME.into())));
    for step in &steps[2..] {
        assert!(matches!(step, Err(Rejection::IllegalTransition { state: "ENDED", .. })), "{step:?}");
    }
}

#[test]
fn o7_no_step_is_taken_before_an_answer_or_for_another_case() {
    let now = at("10:00:00");
    for call in [registered(&ring(), now), missed(registered(&ring(), now), now)] {
        for step in steps(&call, &acting(), now) {
            assert!(matches!(step, Err(Rejection::IllegalTransition { .. })), "{step:?}");
        }
    }
    let call = answered(&ring(), now);
    let mut nowhere = acting();
    nowhere.case = None;
    for by in [acting_on("cases/k2", "cases/k2"), nowhere] {
        for step in steps(&call, &by, now) {
            assert_eq!(step, Err(Rejection::CaseMismatch(NAME.into())));
        }
    }
    // The case was merged into another, or the contact's case is the survivor.
    for by in [acting_on(CASE, "cases/k2"), acting_on("cases/k0", CASE)] {
        assert!(!steps(&call, &by, now).contains(&Err(Rejection::CaseMismatch(NAME.into()))));
    }
}

fn promised(call: &CallState, promise: &MakePromise) -> Result<Vec<Event>, Rejection> {
    promise::promise(call, promise, at("09:01:00"), &book())
}

#[test]
fn k6_a_promise_hangs_under_the_contacts_case_and_calls_the_callers_number() {
    let call = answered(&ring(), at("09:00:00"));
    let Event::CallbackPromised(event) = one(promised(&call, &promising(at("10:00:00")))) else { panic!() };
    assert_eq!(event.callback, "cases/k1/callbacks/p1");
    assert_eq!(
        (event.case.as_str(), event.branch.as_str(), event.employee.as_str()),
        (CASE, BRANCH, EMPLOYEE)
    );
    assert_eq!(private::sealed(event.phone.as_ref()), Some(sealed("caller")));
    let other = MakePromise { phone: Some(number("callback_phone")), ..promising(at("10:00:00")) };
    let Event::CallbackPromised(event) = one(promised(&call, &other)) else { panic!() };
    assert_eq!(private::sealed(event.phone.as_ref()), Some(sealed("callback_phone")));
}

#[test]
fn k6_without_any_number_there_is_nothing_to_promise() {
    let call = answered(&Register { caller: None, ..ring() }, at("09:00:00"));
    assert_eq!(promised(&call, &promising(at("10:00:00"))), Err(Rejection::PhoneRequired));
}

#[test]
fn k6_b2_a_promise_lies_ahead_and_within_the_calling_windows_unless_the_client_asked() {
    let call = answered(&ring(), at("09:00:00"));
    assert_eq!(promised(&call, &promising(at("09:00:59"))), Err(Rejection::AgreedTimePast));
    assert!(promised(&call, &promising(at("09:01:00"))).is_ok());
    assert!(promised(&call, &promising(at("19:59:59"))).is_ok());
    let refused = promised(&call, &promising(at("12:00:00")));
    assert_eq!(refused, Err(Rejection::OutsideCallingWindows { next_open: at("13:30:00") }));
    let refused = promised(&call, &promising(at("20:00:00")));
    let next_open = on("2025-09-23", "09:00:00");
    assert_eq!(refused, Err(Rejection::OutsideCallingWindows { next_open }));
    assert!(promised(&call, &MakePromise { client_asked: true, ..promising(at("21:00:00")) }).is_ok());
    let past = MakePromise { client_asked: true, ..promising(at("08:00:00")) };
    assert_eq!(promised(&call, &past), Err(Rejection::AgreedTimePast));
}

fn end(ring: &Register, by: Party, outcome: CallOutcome) -> shouwen_proto::events::v1::CallEnded {
    let call = answered(ring, ring.occur_time.unwrap_or(at("10:00:00")));
    match one(ending::end(&call, &ending(by, outcome))) {
        Event::CallEnded(ended) => ended,
        other => panic!("{other:?}"),
    }
}

#[test]
fn k7_an_employee_ending_a_call_first_is_a_violation_save_for_special_calls() {
    use CallOutcome::*;
    for outcome in [AnsweredClear, AnswerOwed] {
        assert!(end(&ring(), Party::Employee, outcome).violation, "{outcome:?}");
        assert!(!end(&ring(), Party::Client, outcome).violation);
        assert!(!end(&ring(), Party::System, outcome).violation);
        let visit = Register { channel: Channel::Counter, ..ring() };
        assert!(!end(&visit, Party::Employee, outcome).violation);
    }
    // K12
    for outcome in
        [WrongNumber, Silent, Private, Inaudible, NoisyLine, Dialect, Harassment, Abuse, SystemFailure]
    {
        assert!(!end(&ring(), Party::Employee, outcome).violation, "{outcome:?}");
    }
}

#[test]
fn k7_a_promise_as_the_outcome_needs_one() {
    let call = answered(&ring(), at("09:00:00"));
    let command = ending(Party::Client, CallOutcome::CallbackPromised);
    assert_eq!(ending::end(&call, &command), Err(Rejection::PromiseMissing(NAME.into())));
    let events = promised(&call, &promising(at("10:00:00"))).unwrap();
    let call = fold(Some(call), &events, at("09:01:00"));
    let Event::CallEnded(ended) = one(ending::end(&call, &command)) else { panic!() };
    assert_eq!((ended.case.as_str(), ended.employee.as_str()), (CASE, EMPLOYEE));
}

#[test]
fn o6_whoever_only_assists_is_marked_at_the_end() {
    let call = answered(&ring(), at("09:00:00"));
    let command =
        super::command::End { assisting: true, ..ending(Party::Client, CallOutcome::AnsweredClear) };
    assert!(matches!(one(ending::end(&call, &command)), Event::CallEnded(ended) if ended.assisting));
}

#[test]
fn o5_an_answer_owed_after_hours_says_where_to_reach_the_client() {
    use CallOutcome::*;
    let evening = Register { occur_time: Some(at("19:00:00")), ..ring() };
    for outcome in [AnswerOwed, Inaudible, NoisyLine, SystemFailure] {
        let ended = end(&evening, Party::Client, outcome);
        assert!(ended.outside_working_hours);
        assert_eq!(private::sealed(ended.phone.as_ref()), Some(sealed("caller")), "{outcome:?}");
        assert_eq!((ended.phone_masked.as_str(), ended.branch.as_str()), ("138****5678", BRANCH));
        assert_eq!(end(&ring(), Party::Client, outcome).phone, None, "within working hours");
    }
    for outcome in [AnsweredClear, WrongNumber, Silent, Private, Dialect, Harassment, Abuse] {
        assert_eq!(end(&evening, Party::Client, outcome).phone, None, "{outcome:?}");
    }
    for other in [
        Register { caller: None, ..evening.clone() },
        Register { channel: Channel::Email, ..evening.clone() },
        Register { direction: Direction::Outbound, ..evening.clone() },
    ] {
        assert_eq!(end(&other, Party::Client, AnswerOwed).phone, None);
    }
}

#[test]
fn o5_a_client_whose_number_was_withheld_is_reached_at_the_one_in_the_record() {
    let withheld = Register { caller: None, occur_time: Some(at("19:00:00")), ..ring() };
    let call = answered(&withheld, at("19:00:00"));
    let call = fold(Some(call.clone()), &record::fill_in(&call, &sheet(), 2).unwrap(), at("19:01:00"));
    let over = |call: &CallState, outcome| match one(ending::end(call, &ending(Party::Client, outcome))) {
        Event::CallEnded(ended) => ended,
        other => panic!("{other:?}"),
    };
    let ended = over(&call, CallOutcome::AnswerOwed);
    assert_eq!(private::sealed(ended.phone.as_ref()), Some(sealed("phone")));
    assert_eq!(ended.phone_masked, "");
    assert_eq!(over(&call, CallOutcome::AnsweredClear).phone, None, "nothing is owed");
    // The number that is known goes before the one in the record.
    let shown = answered(&Register { caller: Some(number("caller")), ..withheld }, at("19:00:00"));
    let shown = fold(Some(shown.clone()), &record::fill_in(&shown, &sheet(), 2).unwrap(), at("19:01:00"));
    let ended = over(&shown, CallOutcome::AnswerOwed);
    assert_eq!(private::sealed(ended.phone.as_ref()), Some(sealed("caller")));
}

#[test]
fn o5_a_promised_callback_makes_a_further_one_needless() {
    let evening = Register { occur_time: Some(at("19:00:00")), ..ring() };
    let call = answered(&evening, at("19:00:00"));
    let events = promise::promise(&call, &promising(at("19:30:00")), at("19:01:00"), &book()).unwrap();
    let call = fold(Some(call), &events, at("19:01:00"));
    let Event::CallEnded(ended) = one(ending::end(&call, &ending(Party::Client, CallOutcome::AnswerOwed)))
    else {
        panic!()
    };
    assert_eq!(ended.phone, None);
}

#[test]
fn o1_a_voided_touch_rings_again_and_nothing_else_changes() {
    let void =
        |request: &str| Void { call: ring().call, request_id: request.into(), reason: "refused".into() };
    let call = answered(&ring(), at("09:00:00"));
    let voided = answer::void(Some(&call), &void("r1"));
    assert_eq!(fold(Some(call.clone()), &voided, at("09:10:00")).phase, Phase::Ringing);
    // Of another touch.
    assert!(answer::void(Some(&call), &void("r2")).is_empty());
    assert!(answer::void(Some(&registered(&ring(), at("09:00:00"))), &void("r1")).is_empty());
    assert!(answer::void(None, &void("r1")).is_empty());
    let call = ended(call, &ending(Party::Client, CallOutcome::AnswerOwed), at("09:05:00"));
    assert!(answer::void(Some(&call), &void("r1")).is_empty());
}

#[test]
fn a_state_reads_back_as_it_was_stored() {
    let now = at("09:01:00");
    let call = answered(&ring(), at("09:00:00"));
    let call = fold(Some(call.clone()), &record::fill_in(&call, &sheet(), 2).unwrap(), now);
    let call = fold(Some(call.clone()), &promised(&call, &promising(at("10:00:00"))).unwrap(), now);
    let call = ended(call, &ending(Party::Client, CallOutcome::CallbackPromised), now);
    let stored = serde_json::to_value(&call).unwrap();
    assert_eq!(serde_json::from_value::<CallState>(stored).unwrap(), call);
    let ringing = registered(&Register { caller: None, ..ring() }, now);
    let stored = serde_json::to_value(&ringing).unwrap();
    assert_eq!(stored["occur_time"], now.timestamp_micros());
    assert_eq!(serde_json::from_value::<CallState>(stored).unwrap(), ringing);
}

#[test]
fn an_event_of_a_newer_release_changes_no_contact() {
    let call = answered(&ring(), at("09:00:00"));
    // Field 900, length-delimited, empty.
    let event = codec::decode(&[0xa2, 0x38, 0x00]).unwrap();
    assert_eq!(fold(Some(call.clone()), &[event], at("09:10:00")), call);
    let (name, bytes) = codec::encode(&Event::PolicyAdopted(PolicyAdopted::default()));
    assert_eq!(name, "policy_adopted");
    assert_eq!(codec::decode(&bytes).unwrap(), Event::PolicyAdopted(PolicyAdopted::default()));
}
