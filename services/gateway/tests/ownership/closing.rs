//! O2, O8: a case ends when the client is satisfied; resolved is not the end, and an unsatisfied client reopens it under the same accountable person.

use chrono::TimeDelta;
use shouwen_proto::{
    events::v1::{CallOutcome, CloseKind},
    ownership::v1::{CloseCaseRequest, case::State},
    r#type::v1::Satisfaction,
};

use crate::{
    desk::{employee, id, reason},
    ground::{Ground, Office, at, tuesday},
};

#[tokio::test]
async fn o8_resolved_is_not_the_end_and_the_clients_word_is() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    office.pass(TimeDelta::hours(1)).await;
    let resolved = zhang.resolve(&name).await.unwrap();
    assert_eq!((resolved.state(), resolved.close_time), (State::AwaitingSatisfaction, None));
    assert_eq!(at(resolved.clocks[0].met_time), tuesday() + TimeDelta::hours(1));
    office.pass(TimeDelta::hours(1)).await;
    let closed = zhang.confirm(&name, true).await.unwrap();
    assert_eq!((closed.state(), closed.close_kind()), (State::Closed, CloseKind::Satisfied));
    assert_eq!(at(closed.close_time), tuesday() + TimeDelta::hours(2));
    assert_eq!(at(closed.clocks[0].met_time), tuesday() + TimeDelta::hours(1), "met when it was answered");
    assert_eq!((&*closed.close_reason, closed.epoch), ("the client said so", 1));
    let clear = "select count(*) from ledger where encode(payload, 'escape') like '%refunded%'";
    assert_eq!(ground.number(clear).await, 0, "the answer is sealed");
}

#[tokio::test]
async fn o8_a_dissatisfied_client_takes_the_case_up_again_with_both_clocks() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    assert_eq!(reason(li.confirm(&name, false).await), "ILLEGAL_TRANSITION");
    li.resolve(&name).await.unwrap();
    office.pass(TimeDelta::days(1)).await;
    let again = li.confirm(&name, false).await.unwrap();
    assert_eq!((again.state(), again.reopen_count, again.epoch), (State::Open, 1, 2));
    assert_eq!((again.accountable, again.handler), (employee("zhang"), employee("li")));
    let [original, running] = &again.clocks[..] else { panic!("{:?}", again.clocks) };
    assert_eq!((at(original.start_time), original.met_time.is_some()), (tuesday(), true));
    assert_eq!((at(running.start_time), running.met_time), (tuesday() + TimeDelta::days(1), None));
    assert_eq!(at(running.due_time) - at(original.due_time), TimeDelta::days(1));

    let closed = li.confirm(&name, true).await.unwrap();
    assert_eq!(closed.state(), State::Closed);
    assert!(closed.clocks.iter().all(|clock| clock.met_time.is_some() && !clock.missed));
    let reopened = zhang.reopen(&name).await.unwrap();
    assert_eq!((reopened.state(), reopened.reopen_count, reopened.clocks.len()), (State::Open, 2, 3));
    assert_eq!((reopened.close_time, reopened.close_kind()), (None, CloseKind::Unspecified));
}

#[tokio::test]
async fn o8_a_case_that_takes_another_in_goes_on_with_the_earlier_limit() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let reopened = zhang.open("call-1", "C-1").await;
    zhang.confirm(&reopened, true).await.unwrap();
    let newer = li.open("call-2", "C-1").await;
    let limit = li.get(&newer).await.unwrap().clocks[0];
    office.pass(TimeDelta::days(1)).await;
    let merged = li.reopen(&reopened).await.unwrap();
    let running = merged.clocks.last().unwrap();
    assert_eq!((running.start_time, running.due_time), (limit.start_time, limit.due_time));
    assert_eq!(li.get(&newer).await.unwrap().merged_into, reopened);
    office.until(at(limit.due_time)).await;
    assert!(zhang.get(&reopened).await.unwrap().clocks.last().unwrap().missed);
    // What is identified later has the later limit: nothing moves.
    let earlier = zhang.open("call-3", "C-2").await;
    office.pass(TimeDelta::days(1)).await;
    li.claim("call-4").await.unwrap();
    li.identify("call-4", "C-2").await.unwrap();
    assert!(!ground.events(&earlier).await.contains(&"limit_moved".to_owned()));
}

#[tokio::test]
async fn o8_an_unsatisfied_client_is_heard_by_whoever_answers() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    assert_eq!(reason(office.desk("li").reopen(&name).await), "ILLEGAL_TRANSITION");
    office.desk("zhang").resolve(&name).await.unwrap();
    office.desk("li").claim_of("call-2", "C-1").await.unwrap();
    let again = office.desk("li").reopen(&name).await.unwrap();
    assert_eq!((again.state(), again.reopen_count, again.accountable), (State::Open, 1, employee("zhang")));
}

#[tokio::test]
async fn o8_a_lead_closes_what_cannot_be_brought_to_satisfaction_and_o2_nothing_else_ends_a_case() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhao = office.desk("zhao");
    for (number, kind) in [CloseKind::Unreachable, CloseKind::Explained].into_iter().enumerate() {
        let name = office.desk("zhang").open(&format!("call-{number}"), "C-1").await;
        let request = |kind: CloseKind, why: &str| CloseCaseRequest {
            name: name.clone(),
            kind: kind.into(),
            reason: why.to_owned(),
            etag: String::new(),
            request_id: id(),
        };
        for kind in [CloseKind::Satisfied, CloseKind::Unspecified] {
            let refused =
                zhao.cases(request(kind, "x"), async |mut cases, it| cases.close_case(it).await).await;
            let refused = refused.unwrap_err();
            assert_eq!((&*refused.reason, refused.fields), ("FIELD_INVALID", vec!["kind".to_owned()]));
        }
        let refused = zhao.cases(request(kind, " "), async |mut cases, it| cases.close_case(it).await).await;
        assert_eq!(refused.unwrap_err().fields, ["reason"]);
        let closed = zhao.cases(request(kind, "why"), async |mut cases, it| cases.close_case(it).await).await;
        let closed = closed.unwrap();
        assert_eq!(
            (closed.state(), closed.close_kind(), &*closed.close_reason),
            (State::Closed, kind, "why")
        );
        assert!(closed.clocks[0].met_time.is_some());
        assert_eq!(reason(zhao.close(&name).await), "ILLEGAL_TRANSITION");
    }
}

#[tokio::test]
async fn o8_a_reopening_that_finds_a_newer_case_takes_it_in() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let older = zhang.open("call-1", "C-1").await;
    zhang.confirm(&older, true).await.unwrap();
    let newer = li.open("call-2", "C-1").await;
    office.desk("sun").claim_of("call-3", "C-1").await.unwrap();
    office.desk("wang").accept(&newer, &li.offered(&newer, "wang").await).await.unwrap();
    let offer = office.desk("wang").offered(&newer, "li").await;

    let reopened = zhang.reopen(&older).await.unwrap();
    assert_eq!((reopened.state(), &reopened.handler), (State::Open, &employee("zhang")));
    // Who answered, who handled and who assisted there assists here.
    assert_eq!(reopened.assistants, ["li", "wang", "sun"].map(employee));
    let merged = li.get(&newer).await.unwrap();
    assert_eq!((merged.state(), merged.merged_into, merged.epoch), (State::Merged, older.clone(), 3));
    assert_eq!(merged.offer, None, "{offer} is withdrawn");
    assert_eq!(
        ground.texts("select holder from unique_key where kind = 'open_case'").await,
        std::slice::from_ref(&older)
    );
    // The client's next contact finds the reopened one.
    assert_eq!(li.claim_of("call-4", "C-1").await.unwrap().case.unwrap().name, older);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o8_a_reopening_racing_a_new_claim_leaves_one_open_case() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for round in 0..20 {
        let client = format!("C-{round}");
        let older = one.desk("zhang").open(&format!("a-{round}"), &client).await;
        one.desk("zhang").confirm(&older, true).await.unwrap();
        let (zhang, li) = (one.desk("zhang"), other.desk("li"));
        let contact = format!("b-{round}");
        let (reopened, claimed) = tokio::join!(zhang.reopen(&older), li.claim_of(&contact, &client));
        reopened.unwrap();
        let claimed = claimed.unwrap().case.unwrap().name;
        let open = format!("select id from cases where client = '{client}' and phase = 'open'");
        assert_eq!(ground.texts(&open).await, std::slice::from_ref(&older));
        let found = one.ownership.find(&claimed).await.unwrap().unwrap();
        assert_eq!(found.case, older);
    }
}

/// A case of `zhang` whose contact ended so, told by `by`.
async fn ended(office: &Office, number: usize, client: &str, by: &str, outcome: CallOutcome) -> (State, i64) {
    let contact = format!("call-{number}");
    let zhang = office.desk("zhang");
    let name = match client {
        "" => zhang.claim(&contact).await.unwrap().case.unwrap().name,
        client => zhang.open(&contact, client).await,
    };
    office.calls().ended(office.here().await, &contact, by, outcome);
    office.followed().await;
    let case = zhang.get(&name).await.unwrap();
    (case.state(), case.epoch)
}

#[tokio::test]
async fn k19_an_answer_confirmed_clear_is_satisfaction_when_the_responsible_say_so() {
    let (ground, office) = Ground::at(tuesday()).await;
    let clear = CallOutcome::AnsweredClear;
    assert_eq!(ended(&office, 1, "", "zhang", clear).await, (State::Closed, 1));
    assert_eq!(ended(&office, 2, "C-2", "zhang", clear).await, (State::Closed, 1));
    // O6: who assists ends the contact, not the case.
    assert_eq!(ended(&office, 3, "C-3", "li", clear).await, (State::Open, 1));
    assert_eq!(ended(&office, 4, "C-4", "zhang", CallOutcome::AnswerOwed).await, (State::Open, 1));
    assert_eq!(ended(&office, 5, "C-5", "zhang", CallOutcome::CallbackPromised).await, (State::Open, 1));
    // A later contact answered by the handler, about a case that awaits satisfaction.
    let zhang = office.desk("zhang");
    let name = zhang.open("call-6", "C-6").await;
    zhang.resolve(&name).await.unwrap();
    zhang.claim_of("call-7", "C-6").await.unwrap();
    office.calls().ended(office.here().await, "call-7", "zhang", clear);
    office.followed().await;
    let closed = zhang.get(&name).await.unwrap();
    assert_eq!((closed.state(), closed.close_kind()), (State::Closed, CloseKind::Satisfied));
    let cause = ground
        .texts(&format!("select cause from ledger where aggregate = '{name}' order by position desc limit 1"))
        .await;
    assert_eq!(cause, ["calls:6"]);
    // An event about a contact that nobody claimed changes nothing.
    office.calls().ended(office.here().await, "unheard-of", "zhang", clear);
    office.calls().answered(office.here().await, "unheard-of", "");
    office.followed().await;
}

#[tokio::test]
async fn k12_a_contact_without_a_concern_voids_only_its_own_provisional_case() {
    let (ground, office) = Ground::at(tuesday()).await;
    let outcomes = [CallOutcome::WrongNumber, CallOutcome::Silent, CallOutcome::Private];
    for (number, outcome) in outcomes.into_iter().enumerate() {
        assert_eq!(ended(&office, number, "", "zhang", outcome).await, (State::Void, 2));
        let client = format!("C-{number}");
        assert_eq!(ended(&office, number + 10, &client, "zhang", outcome).await, (State::Open, 1));
    }
    let reasons = ground
        .texts("select state -> 'phase' ->> 'reason' from cases where phase = 'void' order by id")
        .await;
    assert_eq!(reasons, ["wrong_number", "silent", "private"]);
    // A wrong number that joined a client's case says nothing about it.
    office.desk("li").claim_of("call-20", "C-0").await.unwrap();
    office.calls().ended(office.here().await, "call-20", "li", CallOutcome::WrongNumber);
    office.followed().await;
    assert_eq!(ground.number("select count(*) from cases where phase = 'void'").await, 3);
    for outcome in [CallOutcome::Inaudible, CallOutcome::Abuse, CallOutcome::SystemFailure] {
        let number = 30 + usize::try_from(i32::from(outcome)).unwrap();
        assert_eq!(
            ended(&office, number, "", "zhang", outcome).await,
            (State::Open, 1),
            "still owed an answer"
        );
    }
    // What was void cannot be worked on or reopened.
    let void = ground.texts("select id from cases where phase = 'void' limit 1").await.remove(0);
    assert_eq!(reason(office.desk("zhang").resolve(&void).await), "ILLEGAL_TRANSITION");
    assert_eq!(reason(office.desk("zhang").reopen(&void).await), "ILLEGAL_TRANSITION");
}

#[tokio::test]
async fn k12_a_void_case_withdraws_its_offer_and_ends_its_override() {
    let (ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").claim("call-1").await.unwrap().case.unwrap().name;
    office.desk("zhang").offer(&name, "li").await.unwrap();
    office.desk("zhao").begin_override(&name).await.unwrap();
    office.calls().ended(office.here().await, "call-1", "zhang", CallOutcome::Silent);
    office.followed().await;
    let void = office.desk("zhang").get(&name).await.unwrap();
    assert_eq!((void.state(), void.epoch, void.r#override, void.offer), (State::Void, 4, None, None));
    assert_eq!(ground.events(&name).await[3..], ["offer_withdrawn", "override_ended", "case_voided"]);
}

#[tokio::test]
async fn b5_a_callbacks_result_closes_the_case_or_takes_it_up_again() {
    use Satisfaction::{Dissatisfied, Neutral, Satisfied};
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let cases = [
        // How far the case is, solved, satisfied; then its state, reopenings and clocks.
        (State::Open, true, Satisfied, State::Closed, 0, 1),
        (State::Open, true, Neutral, State::Closed, 0, 1),
        (State::Open, false, Satisfied, State::Open, 0, 1),
        (State::Open, true, Dissatisfied, State::Open, 0, 1),
        (State::AwaitingSatisfaction, true, Neutral, State::Closed, 0, 1),
        (State::AwaitingSatisfaction, false, Neutral, State::Open, 1, 2),
        (State::AwaitingSatisfaction, true, Dissatisfied, State::Open, 1, 2),
        (State::Closed, true, Satisfied, State::Closed, 0, 1),
        (State::Closed, false, Satisfied, State::Open, 1, 2),
        (State::Closed, true, Dissatisfied, State::Open, 1, 2),
    ];
    for (number, (before, solved, overall, after, reopenings, clocks)) in cases.into_iter().enumerate() {
        let name = zhang.open(&format!("call-{number}"), &format!("C-{number}")).await;
        match before {
            State::AwaitingSatisfaction => drop(zhang.resolve(&name).await.unwrap()),
            State::Closed => drop(zhang.confirm(&name, true).await.unwrap()),
            _ => {}
        }
        office.callbacks().completed(office.here().await, &format!("cb-{number}"), &name, solved, overall);
        office.followed().await;
        let case = zhang.get(&name).await.unwrap();
        assert_eq!(
            (case.state(), case.reopen_count, case.clocks.len()),
            (after, reopenings, clocks),
            "{before:?} {solved} {overall:?}"
        );
        assert_eq!(case.clocks.last().unwrap().met_time.is_some(), after == State::Closed);
    }
}

#[tokio::test]
async fn c11_the_result_that_stands_counts_whatever_the_former_one_led_to() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    office.callbacks().completed(office.here().await, "cb-1", &name, true, Satisfaction::Satisfied);
    office.callbacks().superseded(office.here().await, "cb-1", &name, Satisfaction::Dissatisfied);
    office.followed().await;
    let reopened = zhang.get(&name).await.unwrap();
    assert_eq!((reopened.state(), reopened.reopen_count), (State::Open, 1));
    office.callbacks().superseded(office.here().await, "cb-1", &name, Satisfaction::Neutral);
    office.followed().await;
    assert_eq!(zhang.get(&name).await.unwrap().state(), State::Closed);
}

#[tokio::test]
async fn b5_an_unsolved_callback_reopens_over_a_newer_case_and_follows_a_merged_one() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let older = zhang.open("call-1", "C-1").await;
    zhang.confirm(&older, true).await.unwrap();
    let newer = li.open("call-2", "C-1").await;
    office.callbacks().completed(office.here().await, "cb-1", &older, false, Satisfaction::Neutral);
    office.followed().await;
    let reopened = zhang.get(&older).await.unwrap();
    assert_eq!((reopened.state(), reopened.reopen_count), (State::Open, 1));
    assert_eq!(li.get(&newer).await.unwrap().merged_into, older);
    // A callback that hangs under the merged one speaks about the survivor.
    office.callbacks().completed(office.here().await, "cb-2", &newer, true, Satisfaction::Satisfied);
    office.followed().await;
    assert_eq!(zhang.get(&older).await.unwrap().state(), State::Closed);
    // Of a void or an unknown case a result says nothing.
    office.callbacks().completed(office.here().await, "cb-3", "cases/unknown", false, Satisfaction::Neutral);
    office.callbacks().completed(office.here().await, "cb-4", "", false, Satisfaction::Neutral);
    office.followed().await;
}
