//! Completing, verifying, reopening, closing (C9-C11, C16, O8), on the pure domain.

use shouwen_complaints::{
    Mutants,
    domain::{
        Rejection,
        command::{Action, Verify},
        complaint::{Attempts, Complaint, Stage},
        terms::{End, Finding, Kind, LimitKind, Measures, ReplyKind, Severity},
    },
};
use shouwen_proto::events::v1::complaints_event::Event;

use crate::bench::{
    Bench, LEAD, OFFICER, ZHANG, accept, at, complete, measure, propose, reopen, reply, said,
};

const NOW: &str = "2025-09-22T10:00";

fn handled() -> Bench {
    let mut bench = Bench::accepted(Kind::Complaint, Severity::Minor, NOW);
    bench.handle(at(NOW));
    bench
}

fn close(end: End) -> Action {
    Action::Close { end, reason: "explained again".into() }
}

fn reopened(events: &[Event]) -> Option<&str> {
    events.iter().find_map(|event| match event {
        Event::ComplaintReopened(reopened) => Some(reopened.reason.as_str()),
        _ => None,
    })
}

#[test]
fn c9_handling_is_complete_with_the_outcome_told_and_every_measure_carried_out() {
    let mut bench = Bench::accepted(Kind::Complaint, Severity::Minor, NOW);
    let not_approved = Err(Rejection::NotApproved("cases/1/complaints/c".into()));
    assert_eq!(bench.act(at(NOW), ZHANG, complete()), not_approved);
    assert_eq!(bench.act(at(NOW), ZHANG, reply(ReplyKind::Outcome)), not_approved, "C7");
    assert_eq!(bench.act(at(NOW), ZHANG, measure(1, true)), not_approved);
    bench.act(at(NOW), ZHANG, propose(Finding::Upheld, 2)).unwrap();
    assert_eq!(bench.act(at(NOW), ZHANG, complete()), not_approved);
    bench.act(at(NOW), LEAD, Action::Approve).unwrap();
    bench.act(at(NOW), ZHANG, reply(ReplyKind::Definite)).unwrap();
    let missing = Err(Rejection::ReplyMissing(ReplyKind::Outcome));
    assert_eq!(bench.act(at(NOW), ZHANG, complete()), missing);
    bench.act(at(NOW), ZHANG, reply(ReplyKind::Outcome)).unwrap();
    assert_eq!(bench.act(at(NOW), ZHANG, complete()), Err(Rejection::MeasuresOpen(vec![1, 2])));
    for unknown in [0, -1, 3] {
        let refused = bench.act(at(NOW), ZHANG, measure(unknown, true));
        assert_eq!(refused, Err(Rejection::MeasureUnknown(unknown)));
    }
    bench.act(at(NOW), ZHANG, measure(1, true)).unwrap();
    bench.act(at(NOW), ZHANG, measure(2, true)).unwrap();
    // The last word on each measure counts.
    bench.act(at(NOW), ZHANG, measure(2, false)).unwrap();
    assert_eq!(bench.act(at(NOW), ZHANG, complete()), Err(Rejection::MeasuresOpen(vec![2])));
    bench.act(at(NOW), ZHANG, measure(2, true)).unwrap();
    let events = bench.act(at(NOW), ZHANG, complete()).unwrap();
    let [Event::HandlingCompleted(completed)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((completed.round, completed.without_verification), (1, false));
    assert!(bench.steps().is_empty(), "nothing is owed but the client's word");
}

#[test]
fn c9_what_is_no_complaint_is_settled_by_its_answer() {
    for kind in [Kind::Opinion, Kind::Suggestion, Kind::Inquiry] {
        let mut bench = Bench::accepted(kind, Severity::Minor, NOW);
        let needless = bench.act(at(NOW), ZHANG, propose(Finding::NotUpheld, 0));
        assert_eq!(needless, Err(Rejection::NoProposalNeeded));
        bench.act(at(NOW), ZHANG, reply(ReplyKind::First)).unwrap();
        let missing = Err(Rejection::ReplyMissing(ReplyKind::Definite));
        assert_eq!(bench.act(at(NOW), ZHANG, complete()), missing);
        bench.act(at(NOW), ZHANG, reply(ReplyKind::Outcome)).unwrap();
        let events = bench.act(at(NOW), ZHANG, complete()).unwrap();
        assert!(matches!(&events[..], [Event::HandlingCompleted(done), Event::ComplaintClosed(closed)]
                if done.without_verification && closed.end == End::Answered.number()));
        assert_eq!(bench.complaint.stage, Stage::Closed { proposal: None, end: End::Answered });
        assert_eq!(bench.limit(LimitKind::Settlement).met, Some(at(NOW)));
    }
}

#[test]
fn c10_a_dissatisfied_client_sends_it_back_with_new_limits() {
    for (measures, reason) in [
        (Some(Measures::CarriedOut), "dissatisfied"),
        (Some(Measures::NotCarriedOut), "measures"),
        (Some(Measures::WithoutEffect), "measures"),
        (None, "dissatisfied"),
    ] {
        let mut bench = handled();
        let verify = Verify { measures, ..said(&bench, 1, false) };
        let events = bench.verify(at("2025-09-23T10:00"), verify).unwrap();
        assert_eq!(reopened(&events), Some(reason));
        assert_eq!((bench.complaint.round, &bench.complaint.stage), (2, &Stage::Handling));
        assert_eq!(bench.due(LimitKind::Proposal), at("2025-09-25T17:00"));
        let steps = ["first_reply", "definite_answer", "proposal", "outcome", "settlement"];
        assert_eq!(bench.steps(), steps);
        assert_eq!(bench.complaint.limits.len(), 11, "the former round's stay");
    }
}

#[test]
fn c10_an_approved_handling_begins_anew_only_if_a_measure_of_it_was_not_carried_out() {
    let mut bench = Bench::accepted(Kind::Complaint, Severity::Minor, NOW);
    bench.act(at(NOW), ZHANG, propose(Finding::Upheld, 2)).unwrap();
    bench.act(at(NOW), LEAD, Action::Approve).unwrap();
    bench.act(at(NOW), ZHANG, reply(ReplyKind::Outcome)).unwrap();
    // Carried out after all, and the other one may still be.
    for done in [false, true] {
        bench.act(at(NOW), ZHANG, measure(1, done)).unwrap();
    }
    let early = bench.act(at(NOW), LEAD, reopen());
    assert!(matches!(early, Err(Rejection::IllegalTransition { state: "APPROVED", .. })), "{early:?}");
    bench.act(at(NOW), ZHANG, measure(2, false)).unwrap();
    assert_eq!(bench.act(at(NOW), ZHANG, complete()), Err(Rejection::MeasuresOpen(vec![2])));
    let events = bench.act(at("2025-09-23T10:00"), LEAD, reopen()).unwrap();
    assert_eq!(reopened(&events), Some("the client wrote again"));
    assert_eq!((bench.complaint.round, &bench.complaint.stage), (2, &Stage::Handling));
    assert_eq!(bench.due(LimitKind::Proposal), at("2025-09-25T17:00"));
    assert_eq!(bench.steps(), ["first_reply", "definite_answer", "proposal", "outcome", "settlement"]);
    let former = bench.complaint.limits.iter().find(|it| it.kind == LimitKind::Settlement).unwrap();
    assert_eq!((former.round, former.met, former.given_up), (1, None, true));
    // Approved, told and carried out anew.
    let late = bench.act(at("2025-09-23T10:00"), ZHANG, complete());
    assert_eq!(late, Err(Rejection::NotApproved("cases/1/complaints/c".into())));
    bench.handle(at("2025-09-23T11:00"));
    assert_eq!(bench.complaint.handled, Some(at("2025-09-23T11:00")));
}

#[test]
fn c10_a_satisfied_client_ends_it() {
    let mut bench = handled();
    let events = bench.verify(at(NOW), said(&bench, 1, true)).unwrap();
    assert!(matches!(&events[..], [Event::VerificationRecorded(_), Event::ComplaintClosed(_)]));
    assert!(matches!(bench.complaint.stage, Stage::Closed { end: End::Satisfied, .. }));
}

#[test]
fn c10_the_mutant_closes_what_a_dissatisfied_client_says() {
    let mut bench = handled();
    bench.mutants = Mutants { dissatisfied_does_not_reopen: true, ..Mutants::default() };
    bench.verify(at(NOW), said(&bench, 1, false)).unwrap();
    assert!(matches!(bench.complaint.stage, Stage::Closed { end: End::Satisfied, .. }));
}

#[test]
fn c10_a_lead_closes_what_is_handled_or_was_sent_back_and_nothing_else() {
    for end in [End::Unreachable, End::Explained] {
        let mut bench = handled();
        if end == End::Unreachable {
            bench.exhaust(at(NOW), 1);
        }
        bench.act(at(NOW), LEAD, close(end)).unwrap();
        assert!(matches!(&bench.complaint.stage, Stage::Closed { end: known, .. } if *known == end));
    }
    let mut sent_back = handled();
    sent_back.verify(at(NOW), said(&sent_back, 1, false)).unwrap();
    let mut proposed = sent_back.clone();
    sent_back.act(at(NOW), LEAD, close(End::Explained)).unwrap();
    assert!(sent_back.steps().is_empty(), "the round's limits are given up");
    proposed.act(at(NOW), ZHANG, propose(Finding::NotUpheld, 0)).unwrap();
    proposed.act(at(NOW), LEAD, close(End::Explained)).unwrap();

    let mut accepted = Bench::accepted(Kind::Complaint, Severity::Minor, NOW);
    let mut by_a_lead = handled();
    by_a_lead.act(at(NOW), LEAD, reopen()).unwrap();
    for bench in [&mut accepted, &mut by_a_lead, &mut sent_back] {
        let refused = bench.act(at(NOW), LEAD, close(End::Explained));
        assert!(matches!(refused, Err(Rejection::IllegalTransition { .. })), "{refused:?}");
    }
}

fn attempts_open(round: u32) -> Result<Vec<Event>, Rejection> {
    Err(Rejection::AttemptsOpen(format!("branches/b1/callbacks/c-{round}")))
}

#[test]
fn o8_a_client_counts_as_unreachable_once_the_attempts_to_verify_are_used_up() {
    let mut bench = handled();
    assert_eq!(bench.act(at(NOW), LEAD, close(End::Unreachable)), attempts_open(1));
    let revision = bench.complaint.revision;
    let events = bench.exhaust(at("2025-09-24T10:00"), 1);
    let [Event::VerificationExhausted(exhausted)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((exhausted.round, &*exhausted.callback), (1, "branches/b1/callbacks/c-1"));
    assert_eq!(bench.complaint.revision, revision, "what a lead has read still stands");
    assert!(matches!(bench.complaint.stage, Stage::Handled { .. }), "a lead decides");
    assert!(bench.exhaust(at("2025-09-26T10:00"), 1).is_empty(), "another round of attempts, in vain too");
    bench.act(at("2025-09-26T11:00"), LEAD, close(End::Unreachable)).unwrap();
    assert!(matches!(bench.complaint.stage, Stage::Closed { end: End::Unreachable, .. }));
    assert!(bench.exhaust(at("2025-09-26T12:00"), 1).is_empty(), "it has ended");
}

#[test]
fn o8_who_is_reached_after_all_has_the_word() {
    for satisfied in [true, false] {
        let mut bench = handled();
        bench.exhaust(at(NOW), 1);
        bench.verify(at(NOW), said(&bench, 1, satisfied)).unwrap();
        assert_eq!(bench.complaint.is_open(), !satisfied);
    }
}

#[test]
fn o8_every_round_has_attempts_of_its_own() {
    let mut bench = handled();
    bench.exhaust(at(NOW), 1);
    bench.act(at(NOW), LEAD, reopen()).unwrap();
    bench.handle(at(NOW));
    assert!(bench.exhaust(at(NOW), 1).is_empty(), "of the round before");
    assert_eq!(bench.act(at(NOW), LEAD, close(End::Unreachable)), attempts_open(2));
    bench.exhaust(at(NOW), 2);
    bench.act(at(NOW), LEAD, close(End::Unreachable)).unwrap();
    // Who was reached and sent it back is not unreachable before it is handled anew.
    let mut sent_back = handled();
    sent_back.verify(at(NOW), said(&sent_back, 1, false)).unwrap();
    assert_eq!(sent_back.act(at(NOW), LEAD, close(End::Unreachable)), attempts_open(2));
    sent_back.act(at(NOW), LEAD, close(End::Explained)).unwrap();
}

#[test]
fn o8_where_an_earlier_release_took_no_note_of_attempts_a_lead_is_believed() {
    let mut bench = handled();
    let mut stored = serde_json::to_value(&bench.complaint).unwrap();
    assert_eq!(stored.as_object_mut().unwrap().remove("attempts"), Some("open".into()));
    bench.complaint = serde_json::from_value::<Complaint>(stored).unwrap();
    bench.clone().act(at(NOW), LEAD, close(End::Unreachable)).unwrap();
    bench.exhaust(at(NOW), 1);
    assert_eq!(bench.complaint.attempts, Some(Attempts::UsedUp));
    // From its next round on there is a note.
    bench.act(at(NOW), LEAD, reopen()).unwrap();
    assert_eq!(bench.complaint.attempts, Some(Attempts::Open));
}

#[test]
fn c11_a_superseding_result_reopens_what_was_closed_as_satisfied() {
    let mut bench = handled();
    bench.verify(at(NOW), said(&bench, 1, true)).unwrap();
    let wrong = "the colleague ticked the wrong box".to_owned();
    let verify = Verify { supersedes_reason: wrong, ..said(&bench, 1, false) };
    let events = bench.verify(at("2025-09-23T10:00"), verify).unwrap();
    assert_eq!(reopened(&events), Some("superseded"));
    let results: Vec<(bool, bool)> =
        bench.complaint.verifications.iter().map(|it| (it.satisfied, it.superseded)).collect();
    assert_eq!(results, [(true, true), (false, false)], "both stay");
}

#[test]
fn c11_a_better_result_of_the_round_before_is_on_record_and_a_lead_may_close() {
    let mut bench = handled();
    bench.verify(at(NOW), said(&bench, 1, false)).unwrap();
    let verify = Verify { supersedes_reason: "misheard".into(), ..said(&bench, 1, true) };
    let events = bench.verify(at(NOW), verify).unwrap();
    assert!(matches!(&events[..], [Event::VerificationRecorded(_)]));
    assert_eq!((bench.complaint.round, &bench.complaint.stage), (2, &Stage::Handling));
    bench.act(at(NOW), LEAD, close(End::Explained)).unwrap();
}

#[test]
fn c11_a_result_of_a_former_round_changes_nothing_else() {
    let mut bench = handled();
    bench.act(at(NOW), LEAD, reopen()).unwrap();
    for satisfied in [true, false] {
        let events = bench.verify(at(NOW), said(&bench, 1, satisfied)).unwrap();
        assert!(matches!(&events[..], [Event::VerificationRecorded(_)]), "{satisfied}");
    }
    assert_eq!((bench.complaint.round, &bench.complaint.stage), (2, &Stage::Handling));
    let unknown = bench.verify(at(NOW), said(&bench, 3, true));
    assert!(matches!(unknown, Err(Rejection::RoundUnknown { round: 3, .. })));
}

#[test]
fn c10_a_result_after_a_leads_word() {
    // Not to be reached, and then reached after all: the client's word counts.
    let mut unreachable = handled();
    unreachable.exhaust(at(NOW), 1);
    unreachable.act(at(NOW), LEAD, close(End::Unreachable)).unwrap();
    let events = unreachable.verify(at(NOW), said(&unreachable, 1, false)).unwrap();
    assert_eq!(reopened(&events), Some("dissatisfied"));
    // Explained again: a lead has decided with that in view.
    let mut explained = handled();
    explained.act(at(NOW), LEAD, close(End::Explained)).unwrap();
    let events = explained.verify(at(NOW), said(&explained, 1, false)).unwrap();
    assert!(matches!(&events[..], [Event::VerificationRecorded(_)]));
}

#[test]
fn c10_reopening_begins_with_the_cause_not_with_its_arrival() {
    let mut bench = handled();
    let verify = shouwen_complaints::domain::Command::Verify(Box::new(said(&bench, 1, false)));
    bench.tell(at("2025-09-24T09:00"), at("2025-09-22T16:00"), &verify).unwrap();
    assert_eq!(bench.due(LimitKind::Proposal), at("2025-09-24T17:00"));
    assert_eq!(bench.limit(LimitKind::Proposal).began, at("2025-09-22T16:00"));
}

#[test]
fn c16_a_declined_complaint_waits_for_the_officer_when_reopened_and_keeps_its_number() {
    let mut bench = Bench::filed(Kind::Complaint, at(NOW), &[]);
    bench.act(at(NOW), OFFICER, Action::Decline { explanation: None }).unwrap();
    assert_eq!(bench.complaint.stage, Stage::Declined);
    assert!(bench.steps().is_empty());
    bench.act(at("2025-09-23T10:00"), LEAD, reopen()).unwrap();
    assert_eq!((&bench.complaint.stage, bench.complaint.round), (&Stage::Filed, 2));
    assert_eq!(bench.due(LimitKind::Acceptance), at("2025-09-23T17:00"));
    let events = bench.act(at("2025-09-23T11:00"), OFFICER, accept(Severity::Minor)).unwrap();
    let [Event::ComplaintAccepted(accepted)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(accepted.number, "b1-2509-0001");
    assert_eq!(bench.due(LimitKind::Outcome), at("2025-09-26T17:00"));
}
