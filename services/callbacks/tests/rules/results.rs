//! Results are superseded, never edited (C11): who may, what stays visible, what the ledger tells.

use std::collections::HashSet;

use futures_util::future::{join, join_all};
use shouwen_callbacks::domain::Rejection;
use shouwen_proto::{
    access::v1::CallContext,
    callbacks::v1::{
        Callback, CompleteCallbackRequest, RecordAttemptRequest, SupersedeResultRequest, callback::State,
    },
    events::v1::{AttemptOutcome, callbacks_event, callbacks_event::Event},
    r#type::v1::{MeasuresFound, Satisfaction},
};
use shouwen_serving::timestamps::to_proto;
use tonic::{Code, Status};

use crate::{
    api::completed,
    bench::{Bench, LI, WANG, ZHANG, at},
    service::{Bed, colleague, detail, handler, refused, request_id, request_of},
    verification::{NAME, closed, handled, verifying},
};

fn superseding(name: &str, measures: MeasuresFound) -> SupersedeResultRequest {
    SupersedeResultRequest {
        name: name.into(),
        reason: "the recording says otherwise".into(),
        solved: false,
        attitude: Satisfaction::Neutral.into(),
        overall: Satisfaction::Dissatisfied.into(),
        score: 2,
        charged: true,
        measures: measures.into(),
        request_id: request_id(),
    }
}

async fn supersede(
    bed: &Bed,
    who: &CallContext,
    request: SupersedeResultRequest,
) -> Result<Callback, Status> {
    bed.client().supersede_result(request_of(who, request)).await.map(tonic::Response::into_inner)
}

/// A verification that Zhang, who is a lead too, has completed.
async fn verified() -> Bed {
    let mut bed = verifying().await;
    let zhang = colleague("zhang");
    bed.lease(&zhang, NAME).await.unwrap();
    let done = CompleteCallbackRequest { measures: MeasuresFound::CarriedOut.into(), ..completed(NAME) };
    bed.client().complete_callback(request_of(&zhang, done)).await.unwrap();
    bed.next_types(2).await;
    bed
}

#[tokio::test]
async fn c11_a_superseded_result_stays_visible_beside_the_one_that_stands() {
    let mut bed = verified().await;
    let request = superseding(NAME, MeasuresFound::WithoutEffect);
    let shown = supersede(&bed, &colleague("li"), request.clone()).await.unwrap();
    assert_eq!(shown.state(), State::Completed);
    let standing = shown.result.clone().unwrap();
    assert_eq!((standing.solved, standing.score, standing.charged), (false, 2, true));
    assert_eq!(
        (standing.overall(), standing.measures()),
        (Satisfaction::Dissatisfied, MeasuresFound::WithoutEffect)
    );
    assert_eq!((standing.employee.as_str(), standing.superseded_reason.as_str()), ("employees/li", ""));
    let [former] = &shown.superseded_results[..] else { panic!("{shown:?}") };
    assert_eq!((former.solved, former.measures()), (true, MeasuresFound::CarriedOut));
    assert_eq!(
        (former.employee.as_str(), former.superseded_reason.as_str()),
        ("employees/zhang", "the recording says otherwise")
    );
    assert_eq!(
        supersede(&bed, &colleague("li"), request).await.unwrap(),
        shown,
        "repeating answers the same"
    );
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackResultSuperseded(event) = event else { panic!("{event:?}") };
    assert_eq!((row.case_name.as_str(), event.reason.as_str()), ("cases/1", "the recording says otherwise"));
    let result = event.result.unwrap();
    assert_eq!((result.complaint.as_str(), result.round), ("cases/1/complaints/k1", 1));
    assert_eq!((result.case.as_str(), result.employee.as_str()), ("cases/1", "employees/li"));
    assert_eq!(result.measures(), MeasuresFound::WithoutEffect);

    // The one who was corrected may correct in turn; everything stays, oldest first.
    let again = supersede(&bed, &colleague("zhang"), superseding(NAME, MeasuresFound::NotCarriedOut)).await;
    let again = again.unwrap();
    let former: Vec<&str> = again.superseded_results.iter().map(|result| result.employee.as_str()).collect();
    assert_eq!(former, ["employees/zhang", "employees/li"]);
    assert_eq!(again.superseded_results[0], shown.superseded_results[0]);
    assert_eq!(again, bed.get(&colleague("wu"), NAME).await.unwrap());
}

#[tokio::test]
async fn c11_it_takes_a_second_person_who_is_not_recused() {
    let mut bed = verified().await;
    let own = supersede(&bed, &colleague("zhang"), superseding(NAME, MeasuresFound::CarriedOut)).await;
    let status = own.unwrap_err();
    assert_eq!(
        (status.code(), detail(&status, "employee")),
        (Code::PermissionDenied, "employees/zhang".into())
    );
    assert_eq!(refused(Err::<(), _>(status)), "SECOND_PERSON_REQUIRED");
    let recused = supersede(&bed, &colleague("wang"), superseding(NAME, MeasuresFound::CarriedOut)).await;
    assert_eq!(refused(recused), "RECUSED");
    let elsewhere =
        CallContext { branch: "branches/b2".into(), branches: vec!["branches/b2".into()], ..colleague("wu") };
    let refusal = supersede(&bed, &elsewhere, superseding(NAME, MeasuresFound::CarriedOut)).await;
    assert_eq!(refused(refusal), "BRANCH_OUT_OF_REACH");
    let unknown = superseding("branches/b1/callbacks/none", MeasuresFound::CarriedOut);
    assert_eq!(refused(supersede(&bed, &colleague("li"), unknown).await), "CALLBACK_NOT_FOUND");
    for (reason, bad) in [
        ("MEASURES_REQUIRED", superseding(NAME, MeasuresFound::Unspecified)),
        (
            "FIELD_INVALID",
            SupersedeResultRequest { reason: " ".into(), ..superseding(NAME, MeasuresFound::CarriedOut) },
        ),
        (
            "FIELD_INVALID",
            SupersedeResultRequest { score: 11, ..superseding(NAME, MeasuresFound::CarriedOut) },
        ),
        (
            "FIELD_INVALID",
            SupersedeResultRequest { overall: 0, ..superseding(NAME, MeasuresFound::CarriedOut) },
        ),
        (
            "REQUEST_ID_REQUIRED",
            SupersedeResultRequest {
                request_id: String::new(),
                ..superseding(NAME, MeasuresFound::CarriedOut)
            },
        ),
    ] {
        assert_eq!(refused(supersede(&bed, &colleague("li"), bad).await), reason);
    }
    // Refusals left no trace: the next event is that of the first accepted one.
    supersede(&bed, &colleague("li"), superseding(NAME, MeasuresFound::CarriedOut)).await.unwrap();
    assert_eq!(bed.next().await.0.version, 4);
}

#[tokio::test]
async fn c11_only_a_recorded_result_is_superseded() {
    let mut bed = verifying().await;
    let li = colleague("li");
    let early = supersede(&bed, &li, superseding(NAME, MeasuresFound::CarriedOut)).await.unwrap_err();
    assert_eq!((early.code(), detail(&early, "state")), (Code::FailedPrecondition, "WAITING".into()));
    assert_eq!(refused(Err::<(), _>(early)), "NOT_COMPLETED");
    bed.complaint_event("complaints/k1", closed()).await;
    assert_eq!(bed.next_types(1).await, ["callback_cancelled"]);
    let late = supersede(&bed, &li, superseding(NAME, MeasuresFound::CarriedOut)).await;
    assert_eq!(refused(late), "NOT_COMPLETED");
}

#[tokio::test]
async fn c11_the_result_of_any_other_callback_is_superseded_the_same_way() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = bed.promise("cases/1", "c1", "2026-05-06T15:00").await;
    let (zhang, li) = (handler("zhang", "cases/1", 1), handler("li", "cases/1", 1));
    bed.lease(&zhang, &name).await.unwrap();
    bed.client().complete_callback(request_of(&zhang, completed(&name))).await.unwrap();
    let asked = supersede(&bed, &li, superseding(&name, MeasuresFound::CarriedOut)).await;
    assert_eq!(refused(asked), "FIELD_INVALID");
    let shown = supersede(&bed, &li, superseding(&name, MeasuresFound::Unspecified)).await.unwrap();
    assert_eq!((shown.result.unwrap().score, shown.superseded_results[0].score), (2, 3));
    bed.next_types(2).await;
    let callbacks_event::Event::CallbackResultSuperseded(event) = bed.next().await.1 else { panic!() };
    let result = event.result.unwrap();
    // The outcome stays, so nothing is said about the case.
    assert_eq!((result.case.as_str(), result.complaint.as_str(), result.round), ("", "", 0));
}

/// Zhang talks with the client about a case: content or not.
async fn talked(bed: &mut Bed, case: &str, id: &str, content: bool) -> String {
    let name = bed.promise(case, id, "2026-05-06T15:00").await;
    let zhang = handler("zhang", case, 1);
    bed.lease(&zhang, &name).await.unwrap();
    let overall = if content { Satisfaction::Satisfied } else { Satisfaction::Dissatisfied };
    let done = CompleteCallbackRequest { overall: overall.into(), ..completed(&name) };
    bed.client().complete_callback(request_of(&zhang, done)).await.unwrap();
    bed.next_types(2).await;
    name
}

/// The client was content after all, or was not.
fn correcting(name: &str, content: bool) -> SupersedeResultRequest {
    let overall = if content { Satisfaction::Neutral } else { Satisfaction::Dissatisfied };
    SupersedeResultRequest {
        solved: content,
        overall: overall.into(),
        ..superseding(name, MeasuresFound::Unspecified)
    }
}

/// Somebody corrects a result of `cases/1`. Answers the case that the correction says something about, and the number of the talk.
async fn corrected(bed: &mut Bed, who: &str, name: &str, content: bool) -> (String, i64) {
    supersede(bed, &handler(who, "cases/1", 1), correcting(name, content)).await.unwrap();
    let (row, event) = bed.next().await;
    let callbacks_event::Event::CallbackResultSuperseded(event) = event else { panic!("{event:?}") };
    assert_eq!(row.case_name, "cases/1", "the ledger names it whatever it says");
    let result = event.result.unwrap();
    (result.case, result.number)
}

#[tokio::test]
async fn c11_a_correction_behind_which_another_talk_was_recorded_says_nothing_about_the_case() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let first = talked(&mut bed, "cases/1", "c1", false).await;
    let second = talked(&mut bed, "cases/1", "c2", false).await;
    // B5: the first one would close the case although the client said no since, and would take it up again although they said yes.
    assert_eq!(corrected(&mut bed, "li", &first, true).await, (String::new(), 1));
    assert_eq!(corrected(&mut bed, "li", &second, true).await, ("cases/1".into(), 2));
    assert_eq!(corrected(&mut bed, "wu", &first, false).await, (String::new(), 1));
    // Both stand as corrected, and both former results beside them.
    for (name, content) in [(&first, false), (&second, true)] {
        let shown = bed.get(&handler("li", "cases/1", 1), name).await.unwrap();
        assert_eq!(shown.result.unwrap().solved, content);
        assert!(!shown.superseded_results.is_empty());
    }
    // Of another case nothing has been said since.
    let other = talked(&mut bed, "cases/2", "c3", false).await;
    let request = request_of(&handler("li", "cases/2", 1), correcting(&other, true));
    bed.client().supersede_result(request).await.unwrap();
    let callbacks_event::Event::CallbackResultSuperseded(event) = bed.next().await.1 else { panic!() };
    assert_eq!(event.result.unwrap().case, "cases/2");
}

#[tokio::test]
async fn c11_a_correction_that_leaves_the_outcome_says_nothing_about_the_case() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = talked(&mut bed, "cases/1", "c1", true).await;
    // The case may have been taken up again since: what was closed then is not closed once more.
    assert_eq!(corrected(&mut bed, "li", &name, true).await, (String::new(), 1));
    assert_eq!(corrected(&mut bed, "wu", &name, false).await, ("cases/1".into(), 1));
    assert_eq!(corrected(&mut bed, "li", &name, false).await, (String::new(), 1));
    assert_eq!(corrected(&mut bed, "wu", &name, true).await, ("cases/1".into(), 1));
}

#[tokio::test]
async fn c11_an_attempt_that_met_nobody_leaves_the_last_talk_the_last_one() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = talked(&mut bed, "cases/1", "c1", false).await;
    let open = bed.promise("cases/1", "c2", "2026-05-06T15:00").await;
    let zhang = handler("zhang", "cases/1", 1);
    bed.lease(&zhang, &open).await.unwrap();
    let attempt = RecordAttemptRequest {
        name: open,
        outcome: AttemptOutcome::NoAnswer.into(),
        request_id: request_id(),
        ..RecordAttemptRequest::default()
    };
    bed.client().record_attempt(request_of(&zhang, attempt)).await.unwrap();
    bed.next_types(2).await;
    assert_eq!(corrected(&mut bed, "li", &name, true).await, ("cases/1".into(), 1));
}

#[tokio::test]
async fn c11_a_verification_is_a_talk_about_its_case_too() {
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let name = talked(&mut bed, "cases/1", "c1", true).await;
    bed.complaint_event("complaints/k1", handled(1)).await;
    let zhang = colleague("zhang");
    bed.next_types(1).await;
    bed.lease(&zhang, NAME).await.unwrap();
    let done = CompleteCallbackRequest {
        overall: Satisfaction::Satisfied.into(),
        measures: MeasuresFound::CarriedOut.into(),
        ..completed(NAME)
    };
    bed.client().complete_callback(request_of(&zhang, done)).await.unwrap();
    assert_eq!(bed.next_types(1).await, ["callback_leased"]);
    let callbacks_event::Event::CallbackCompleted(verified) = bed.next().await.1 else { panic!() };
    assert_eq!((verified.case.as_str(), verified.number), ("cases/1", 2));
    assert_eq!(corrected(&mut bed, "li", &name, false).await, (String::new(), 1));
    // What was found about the complaint is the complaint's to judge, round by round (C10).
    let request = superseding(NAME, MeasuresFound::WithoutEffect);
    supersede(&bed, &colleague("li"), request).await.unwrap();
    let callbacks_event::Event::CallbackResultSuperseded(event) = bed.next().await.1 else { panic!() };
    let result = event.result.unwrap();
    assert_eq!((result.case.as_str(), result.number, result.round), ("cases/1", 2, 1));
}

#[tokio::test]
async fn c11_of_a_correction_and_a_later_talk_at_once_the_ledger_says_which_came_first() {
    const CASES: usize = 16;
    let mut bed = Bed::at("2026-05-06T15:00").await;
    let another = bed.another().await;
    let mut pairs = Vec::new();
    for number in 0..CASES {
        let case = format!("cases/{number}");
        let first = talked(&mut bed, &case, &format!("a{number}"), false).await;
        let second = bed.promise(&case, &format!("b{number}"), "2026-05-06T15:00").await;
        bed.lease(&handler("zhang", &case, 1), &second).await.unwrap();
        bed.next_types(1).await;
        pairs.push((case, first, second));
    }
    let at_once = pairs.iter().map(|(case, first, second)| {
        let (mut corrects, mut talks) = (bed.client(), another.client.clone());
        let correction = request_of(&handler("li", case, 1), correcting(first, true));
        let talk = request_of(&handler("zhang", case, 1), completed(second));
        async move { join(corrects.supersede_result(correction), talks.complete_callback(talk)).await }
    });
    for (corrected, talked) in join_all(at_once).await {
        corrected.unwrap();
        talked.unwrap();
    }
    let mut talked_since = HashSet::new();
    for _ in 0..2 * CASES {
        let (row, event) = bed.next().await;
        match event {
            callbacks_event::Event::CallbackCompleted(talk) => {
                assert_eq!(talk.number, 2);
                talked_since.insert(row.case_name);
            }
            callbacks_event::Event::CallbackResultSuperseded(correction) => {
                let says_nothing = correction.result.unwrap().case.is_empty();
                assert_eq!(says_nothing, talked_since.contains(&row.case_name), "{}", row.case_name);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(talked_since.len(), CASES);
}

#[tokio::test]
async fn c11_of_many_leads_at_once_no_result_is_lost() {
    let bed = verified().await;
    let another = bed.another().await;
    let answers = join_all((0..16).map(|number| {
        let mut client = if number % 2 == 0 { bed.client() } else { another.client.clone() };
        let request = superseding(NAME, MeasuresFound::CarriedOut);
        let who = colleague(&format!("lead{number}"));
        async move { client.supersede_result(request_of(&who, request)).await }
    }))
    .await;
    assert!(answers.iter().all(Result::is_ok));
    let shown = bed.get(&colleague("li"), NAME).await.unwrap();
    let mut recorded: Vec<String> =
        shown.superseded_results.iter().chain(&shown.result).map(|result| result.employee.clone()).collect();
    assert_eq!(recorded[0], "employees/zhang");
    recorded.sort();
    recorded.dedup();
    assert_eq!(recorded.len(), 17);
}

#[test]
fn c11_who_recorded_the_standing_result_counts_not_who_recorded_the_first() {
    let mut bench = Bench::verification("2026-05-06T15:00");
    let now = at("2026-05-06T15:00");
    bench.lease(now, ZHANG).unwrap();
    bench.complete(now, ZHANG).unwrap();
    for (employee, refusal) in [
        (ZHANG, Some(Rejection::SecondPersonRequired(ZHANG.into()))),
        (LI, None),
        (LI, Some(Rejection::SecondPersonRequired(LI.into()))),
        (ZHANG, None),
        (WANG, Some(Rejection::Recused("cases/1/complaints/c".into()))),
    ] {
        let command = bench.superseding(employee, false);
        assert_eq!(bench.tell(now, &command).err(), refusal);
    }
}

#[test]
fn c11_a_correction_says_when_the_talk_was_whose_result_it_corrects() {
    let talk_time = |events: &[Event]| match events {
        [Event::CallbackCompleted(result)] => result.talk_time,
        [Event::CallbackResultSuperseded(correction)] => correction.result.as_ref().unwrap().talk_time,
        other => panic!("{other:?}"),
    };
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.try_in_vain("2026-05-07T10:00");
    let reached = at("2026-05-07T13:30");
    bench.lease(reached, ZHANG).unwrap();
    assert_eq!(talk_time(&bench.complete(reached, ZHANG).unwrap()), None, "the event's own time");
    for (now, who) in [("2026-05-07T14:00", LI), ("2026-05-08T09:00", ZHANG)] {
        let correction = bench.superseding(who, false);
        let events = bench.tell(at(now), &correction).unwrap();
        assert_eq!(talk_time(&events), Some(to_proto(reached)), "corrected at {now}");
    }
}

#[test]
fn c11_a_result_that_an_earlier_release_stored_is_its_last_callers() {
    let mut bench = Bench::promised("2026-05-07T10:00", false);
    bench.lease(at("2026-05-07T10:00"), ZHANG).unwrap();
    bench.complete(at("2026-05-07T10:01"), ZHANG).unwrap();
    let mut stored = serde_json::to_value(&bench.callback).unwrap();
    for (within, new) in
        [("stage", "employee"), ("stage", "superseded"), ("stage", "measures"), ("stage", "number")]
    {
        assert!(stored[within].as_object_mut().unwrap().remove(new).is_some());
    }
    assert!(stored.as_object_mut().unwrap().remove("escalation").is_some());
    bench.callback = serde_json::from_value(stored).unwrap();
    let own = bench.superseding(ZHANG, false);
    assert_eq!(bench.tell(at("2026-05-07T11:00"), &own), Err(Rejection::SecondPersonRequired(ZHANG.into())));
    let others = bench.superseding(LI, false);
    assert!(bench.tell(at("2026-05-07T11:00"), &others).is_ok());
}
