//! The limits of C3 and C5-C7 on days of every kind (S1, S2), on the pure domain.

use shouwen_complaints::{
    Mutants,
    domain::{
        command::Action,
        terms::{Finding, Kind, LimitKind, ReplyKind, Severity},
    },
};
use shouwen_proto::events::v1::complaints_event::Event;

use crate::bench::{Bench, OFFICER, ZHANG, accept, at, propose, reply};

fn accepted(now: &str) -> Bench {
    Bench::accepted(Kind::Complaint, Severity::Minor, now)
}

#[test]
fn c3_a_record_reaches_the_officer_who_accepts_it_on_the_day_of_filing() {
    let due = |now: &str| Bench::filed(Kind::Complaint, at(now), &[]).due(LimitKind::Acceptance);
    assert_eq!(due("2025-09-22T09:00"), at("2025-09-22T17:00"));
    // On a Saturday, on a holiday: the next working day is the first.
    assert_eq!(due("2025-09-27T09:00"), at("2025-09-28T17:00"), "a make-up Sunday");
    assert_eq!(due("2025-10-01T09:00"), at("2025-10-09T17:00"));
    // After closing time the day has passed already: the limit is simply due.
    let mut late = Bench::filed(Kind::Complaint, at("2025-09-22T23:59:59"), &[]);
    assert_eq!(late.due(LimitKind::Acceptance), at("2025-09-22T17:00"));
    let events = late.sweep(at("2025-09-22T23:59:59"));
    assert!(matches!(&events[0], Event::ComplaintLimitMissed(_)));
    assert!(late.limit(LimitKind::Acceptance).missed);
}

#[test]
fn c5_the_first_reply_and_the_settlement_do_not_count_the_day_of_acceptance() {
    let monday = accepted("2025-09-22T10:00");
    assert_eq!(monday.due(LimitKind::FirstReply), at("2025-09-23T17:00"));
    assert_eq!(monday.due(LimitKind::Settlement), at("2025-09-28T17:00"), "a make-up Sunday is the fifth");
    let before_the_holiday = accepted("2025-09-30T10:00");
    assert_eq!(before_the_holiday.due(LimitKind::FirstReply), at("2025-10-09T17:00"));
    assert_eq!(before_the_holiday.due(LimitKind::Settlement), at("2025-10-14T17:00"));
}

#[test]
fn c5_l12_the_definite_answer_is_counted_in_clock_hours_by_category_and_client() {
    for (complex, vip, due) in [
        (false, false, "2025-09-23T01:59:59"),
        (true, false, "2025-09-23T23:59:59"),
        (false, true, "2025-09-23T00:59:59"),
        (true, true, "2025-09-23T11:59:59"),
    ] {
        let mut bench = Bench::filed(Kind::Complaint, at("2025-09-22T16:00"), &[]);
        let accept = Action::Accept { severity: Severity::Minor, complex, vip };
        bench.act(at("2025-09-22T23:59:59"), OFFICER, accept).unwrap();
        assert_eq!(bench.due(LimitKind::DefiniteAnswer), at(due), "complex {complex}, vip {vip}");
    }
}

#[test]
fn l12_vip_and_core_clients_have_limits_of_their_own() {
    let mut bench = Bench::filed(Kind::Complaint, at("2025-09-22T10:00"), &[]);
    let accept = Action::Accept { severity: Severity::Minor, complex: false, vip: true };
    bench.act(at("2025-09-22T10:00"), OFFICER, accept).unwrap();
    assert_eq!(bench.due(LimitKind::Proposal), at("2025-09-23T17:00"));
    assert_eq!(bench.due(LimitKind::Outcome), at("2025-09-24T17:00"));
    assert_eq!(bench.due(LimitKind::Settlement), at("2025-09-26T17:00"));
}

#[test]
fn c6_c7_the_day_of_acceptance_counts_as_the_first() {
    for (accepted_at, proposal, outcome) in [
        ("2025-09-22T10:00", "2025-09-24T17:00", "2025-09-25T17:00"),
        ("2025-09-22T00:00:00", "2025-09-24T17:00", "2025-09-25T17:00"),
        // At 23:59:59 the day still counts.
        ("2025-09-22T23:59:59", "2025-09-24T17:00", "2025-09-25T17:00"),
        // Over a weekend.
        ("2025-09-18T10:00", "2025-09-22T17:00", "2025-09-23T17:00"),
        // On a Saturday: the make-up Sunday is the first day, then a holiday of eight days.
        ("2025-09-27T10:00", "2025-09-30T17:00", "2025-10-09T17:00"),
        // On a make-up Sunday.
        ("2025-09-28T10:00", "2025-09-30T17:00", "2025-10-09T17:00"),
        // On a holiday: the first day is the 9th, and Saturday the 11th is worked.
        ("2025-10-01T10:00", "2025-10-11T17:00", "2025-10-13T17:00"),
        ("2025-10-08T23:59:59", "2025-10-11T17:00", "2025-10-13T17:00"),
        // On a make-up Saturday.
        ("2025-10-11T10:00", "2025-10-14T17:00", "2025-10-15T17:00"),
        // On a Sunday that is none.
        ("2025-10-12T10:00", "2025-10-15T17:00", "2025-10-16T17:00"),
    ] {
        let bench = accepted(accepted_at);
        let due = (bench.due(LimitKind::Proposal), bench.due(LimitKind::Outcome));
        assert_eq!(due, (at(proposal), at(outcome)), "{accepted_at}");
    }
}

#[test]
fn c6_c7_the_mutant_begins_the_day_after() {
    let mut bench = Bench::filed(Kind::Complaint, at("2025-09-22T10:00"), &[]);
    bench.mutants = Mutants { day_of_acceptance_not_counted: true, ..Mutants::default() };
    bench.act(at("2025-09-22T10:00"), OFFICER, accept(Severity::Minor)).unwrap();
    assert_eq!(bench.due(LimitKind::Proposal), at("2025-09-25T17:00"));
    assert_eq!(bench.due(LimitKind::Outcome), at("2025-09-26T17:00"));
    assert_eq!(bench.due(LimitKind::FirstReply), at("2025-09-23T17:00"), "C5 is not touched");
}

#[test]
fn c1_what_is_no_complaint_has_neither_proposal_nor_outcome() {
    for kind in [Kind::Opinion, Kind::Suggestion, Kind::Inquiry] {
        let bench = Bench::accepted(kind, Severity::Minor, "2025-09-22T10:00");
        assert_eq!(bench.steps(), ["first_reply", "definite_answer", "settlement"], "{kind:?}");
    }
    let steps = accepted("2025-09-22T10:00").steps();
    assert_eq!(steps, ["first_reply", "definite_answer", "proposal", "outcome", "settlement"]);
}

#[test]
fn c5_a_later_kind_of_reply_meets_the_earlier_limits_too() {
    let mut bench = accepted("2025-09-22T10:00");
    bench.act(at("2025-09-22T10:30"), ZHANG, reply(ReplyKind::First)).unwrap();
    assert_eq!(bench.steps(), ["definite_answer", "proposal", "outcome", "settlement"]);
    assert_eq!(bench.limit(LimitKind::FirstReply).met, Some(at("2025-09-22T10:30")));
    let mut at_once = accepted("2025-09-22T10:00");
    at_once.act(at("2025-09-22T10:30"), ZHANG, reply(ReplyKind::Definite)).unwrap();
    assert_eq!(at_once.steps(), ["proposal", "outcome", "settlement"], "C4: answered at once");
}

#[test]
fn c6_a_returned_and_late_second_proposal_does_not_unmeet_the_limit() {
    let mut bench = accepted("2025-09-22T10:00");
    bench.act(at("2025-09-24T16:00"), ZHANG, propose(Finding::Upheld, 1)).unwrap();
    let met = Some(at("2025-09-24T16:00"));
    assert_eq!(bench.limit(LimitKind::Proposal).met, met);
    bench.act(at("2025-09-24T16:30"), "employees/lead", Action::Return { remarks: None }).unwrap();
    bench.act(at("2025-09-25T16:00"), ZHANG, propose(Finding::Upheld, 2)).unwrap();
    let limit = bench.limit(LimitKind::Proposal);
    assert_eq!((limit.met, limit.missed), (met, false));
}

#[test]
fn c6_a_limit_is_missed_at_its_very_instant() {
    let mut kept = accepted("2025-09-22T10:00");
    kept.act(at("2025-09-24T16:59:59"), ZHANG, propose(Finding::Upheld, 1)).unwrap();
    assert!(!kept.limit(LimitKind::Proposal).missed);
    let mut missed = accepted("2025-09-22T10:00");
    missed.act(at("2025-09-24T17:00"), ZHANG, propose(Finding::Upheld, 1)).unwrap();
    let limit = missed.limit(LimitKind::Proposal);
    assert_eq!((limit.missed, limit.met), (true, Some(at("2025-09-24T17:00"))), "missed, and met late");
}
