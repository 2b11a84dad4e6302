//! B5, C11, K19: a word of the client that ownership learns of late is not set against what the client has said since.

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_proto::{
    events::v1::{CallOutcome, CloseKind, ComplaintEnd},
    ownership::v1::{CloseCaseRequest, case::State},
    r#type::v1::Satisfaction::{Dissatisfied, Neutral, Satisfied},
};

use crate::{
    desk::id,
    ground::{Ground, Office, tuesday},
};

/// How the case stands: its state, and how often it was taken up again.
async fn stands(office: &Office, case: &str) -> (State, i32) {
    office.followed().await;
    let case = office.desk("zhang").get(case).await.unwrap();
    (case.state(), case.reopen_count)
}

/// An hour passes; answers when it began.
async fn an_hour(office: &Office) -> DateTime<Utc> {
    let before = office.here().await;
    office.pass(TimeDelta::hours(1)).await;
    before
}

#[tokio::test]
async fn b5_a_result_that_is_told_late_is_not_set_against_what_the_client_said_since() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, callbacks) = (office.desk("zhang"), office.callbacks());
    let name = zhang.open("call-1", "C-1").await;
    callbacks.scheduled(tuesday(), "cb-1", &name, tuesday() + TimeDelta::hours(5));
    office.followed().await;
    let before = an_hour(&office).await;
    zhang.confirm(&name, true).await.unwrap();
    callbacks.completed(before, "cb-1", &name, false, Neutral);
    assert_eq!(stands(&office, &name).await, (State::Closed, 0));
    assert_eq!(
        ground.events(&name).await,
        ["case_opened", "promise_noted", "case_closed", "promise_settled"],
        "the promise is kept all the same"
    );
    let before = an_hour(&office).await;
    zhang.reopen(&name).await.unwrap();
    callbacks.completed(before, "cb-2", &name, true, Satisfied);
    // Told of once more.
    callbacks.completed(before, "cb-2", &name, true, Satisfied);
    assert_eq!(stands(&office, &name).await, (State::Open, 1));
    callbacks.completed(office.here().await + TimeDelta::minutes(1), "cb-3", &name, true, Satisfied);
    assert_eq!(stands(&office, &name).await, (State::Closed, 1));
}

#[tokio::test]
async fn b5_results_count_in_the_order_of_the_talks_however_late_they_are_told() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let before = an_hour(&office).await;
    let minutes = |minutes| before + TimeDelta::minutes(minutes);
    office.callbacks().completed(minutes(1), "cb-1", &name, true, Satisfied);
    assert_eq!(stands(&office, &name).await, (State::Closed, 0));
    for _ in 0..2 {
        office.callbacks().completed(minutes(2), "cb-2", &name, true, Dissatisfied);
        assert_eq!(stands(&office, &name).await, (State::Open, 1));
    }
    office.callbacks().completed(minutes(3), "cb-3", &name, true, Neutral);
    assert_eq!(stands(&office, &name).await, (State::Closed, 1));
}

#[tokio::test]
async fn b5_of_words_at_the_very_same_time_the_one_counts_that_is_told_last() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let here = office.here().await;
    for (earlier, expected) in [(1, (State::Closed, 0)), (0, (State::Open, 1))] {
        let name = zhang.open(&format!("call-{earlier}"), &format!("C-{earlier}")).await;
        zhang.confirm(&name, true).await.unwrap();
        let said = here - TimeDelta::microseconds(earlier);
        office.callbacks().completed(said, &format!("cb-{earlier}"), &name, false, Neutral);
        assert_eq!(stands(&office, &name).await, expected, "{earlier} microseconds before");
    }
}

#[tokio::test]
async fn b5_dissatisfaction_from_before_an_answer_says_nothing_about_it_and_satisfaction_does() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    let before = an_hour(&office).await;
    zhang.resolve(&name).await.unwrap();
    office.callbacks().completed(before, "cb-1", &name, true, Dissatisfied);
    assert_eq!(stands(&office, &name).await, (State::AwaitingSatisfaction, 0));
    // Had it been told at once, there would have been nothing left to answer.
    office.callbacks().completed(before, "cb-2", &name, true, Satisfied);
    assert_eq!(stands(&office, &name).await, (State::Closed, 0));
    let other = zhang.open("call-2", "C-2").await;
    zhang.resolve(&other).await.unwrap();
    office.callbacks().completed(office.here().await, "cb-3", &other, true, Dissatisfied);
    assert_eq!(stands(&office, &other).await, (State::Open, 1));
}

#[tokio::test]
async fn b5_a_word_from_before_the_client_was_dissatisfied_in_an_open_case_does_not_close_it() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let first = an_hour(&office).await;
    let second = an_hour(&office).await;
    for way in ["a callback", "a call", "a complaint"] {
        let contact = format!("call-{}", way.replace(' ', "-"));
        let name = zhang.open(&contact, &contact).await;
        let complaint = format!("{name}/complaints/cp-{contact}");
        if way == "a complaint" {
            office.complaints().filed(first, &complaint, &[]);
            office.followed().await;
        }
        // Told twice, it is heard once.
        for _ in 0..2 {
            office.callbacks().completed(second, &format!("cb-{contact}"), &name, true, Dissatisfied);
            assert_eq!(stands(&office, &name).await, (State::Open, 0), "{way}");
        }
        match way {
            "a callback" => office.callbacks().completed(first, "cb-late", &name, true, Satisfied),
            "a call" => office.calls().ended(first, &contact, "zhang", CallOutcome::AnsweredClear),
            _ => office.complaints().complaint_closed(first, &complaint, ComplaintEnd::Satisfied, ""),
        }
        assert_eq!(stands(&office, &name).await, (State::Open, 0), "{way}");
        let heard = ground.events(&name).await.into_iter().filter(|event| event == "client_heard").count();
        assert_eq!(heard, 1, "{way}");
        // What they say after it closes the case.
        office.callbacks().completed(office.here().await, "cb-last", &name, true, Satisfied);
        assert_eq!(stands(&office, &name).await, (State::Closed, 0), "{way}");
    }
}

#[tokio::test]
async fn b5_a_word_from_before_the_client_was_satisfied_in_a_closed_case_does_not_reopen_it() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    zhang.confirm(&name, true).await.unwrap();
    an_hour(&office).await;
    let (before, after) = (an_hour(&office).await, office.here().await);
    office.callbacks().completed(after, "cb-1", &name, true, Satisfied);
    office.callbacks().completed(before, "cb-2", &name, true, Dissatisfied);
    assert_eq!(stands(&office, &name).await, (State::Closed, 0));
    assert_eq!(ground.events(&name).await, ["case_opened", "case_closed", "client_heard"]);
    office.callbacks().completed(after + TimeDelta::minutes(1), "cb-3", &name, true, Dissatisfied);
    assert_eq!(stands(&office, &name).await, (State::Open, 1));
}

#[tokio::test]
async fn c11_a_correction_says_what_the_client_said_when_they_said_it() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, callbacks) = (office.desk("zhang"), office.callbacks());
    let talk = office.here().await;
    // Nothing was heard since: the correction counts, and so does that of the correction.
    let name = zhang.open("call-1", "C-1").await;
    callbacks.completed(talk, "cb-1", &name, true, Satisfied);
    assert_eq!(stands(&office, &name).await, (State::Closed, 0));
    for (overall, expected) in [(Dissatisfied, (State::Open, 1)), (Neutral, (State::Closed, 1))] {
        an_hour(&office).await;
        callbacks.corrected((office.here().await, Some(talk)), "cb-1", &name, overall);
        assert_eq!(stands(&office, &name).await, expected, "{overall:?}");
    }
    // The client came back themselves after the talk.
    an_hour(&office).await;
    zhang.reopen(&name).await.unwrap();
    an_hour(&office).await;
    callbacks.corrected((office.here().await, Some(talk)), "cb-1", &name, Satisfied);
    assert_eq!(stands(&office, &name).await, (State::Open, 2));
    zhang.confirm(&name, true).await.unwrap();
    an_hour(&office).await;
    callbacks.corrected((office.here().await, Some(talk)), "cb-1", &name, Dissatisfied);
    assert_eq!(stands(&office, &name).await, (State::Closed, 2));
}

#[tokio::test]
async fn c11_a_correction_by_a_release_that_told_no_time_of_the_talk_counts_when_it_was_made() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    zhang.confirm(&name, true).await.unwrap();
    an_hour(&office).await;
    office.callbacks().superseded(office.here().await, "cb-1", &name, Dissatisfied);
    assert_eq!(stands(&office, &name).await, (State::Open, 1));
}

#[tokio::test]
async fn o6_what_the_client_said_in_a_merged_case_is_said_in_the_survivor() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let survivor = zhang.open("call-1", "C-1").await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    li.resolve(&merged).await.unwrap();
    let before = an_hour(&office).await;
    li.confirm(&merged, false).await.unwrap();
    li.identify("call-2", "C-1").await.unwrap();
    for (number, case) in [&merged, &survivor].into_iter().enumerate() {
        office.callbacks().completed(before, &format!("cb-{number}"), case, true, Satisfied);
        assert_eq!(stands(&office, &survivor).await, (State::Open, 0), "told of {case}");
    }
    office.callbacks().completed(office.here().await, "cb-2", &merged, true, Satisfied);
    assert_eq!(stands(&office, &survivor).await, (State::Closed, 0));
}

#[tokio::test]
async fn o8_a_lead_who_explained_it_again_has_heard_the_client_and_one_who_did_not_reach_them_has_not() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let cases = [(CloseKind::Explained, (State::Closed, 0)), (CloseKind::Unreachable, (State::Open, 1))];
    for (number, (kind, expected)) in cases.into_iter().enumerate() {
        let name = office.desk("zhang").open(&format!("call-{number}"), &format!("C-{number}")).await;
        let before = an_hour(&office).await;
        let request = CloseCaseRequest {
            name: name.clone(),
            kind: kind.into(),
            reason: "why".to_owned(),
            etag: String::new(),
            request_id: id(),
        };
        let zhao = office.desk("zhao");
        zhao.cases(request, async |mut cases, it| cases.close_case(it).await).await.unwrap();
        office.callbacks().completed(before, &format!("cb-{number}"), &name, true, Dissatisfied);
        assert_eq!(stands(&office, &name).await, expected, "{kind:?}");
    }
}

#[tokio::test]
async fn k19_an_answer_confirmed_clear_that_is_told_late_is_not_set_against_a_later_word_either() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    zhang.resolve(&name).await.unwrap();
    let before = an_hour(&office).await;
    zhang.confirm(&name, false).await.unwrap();
    office.calls().ended(before, "call-1", "zhang", CallOutcome::AnsweredClear);
    assert_eq!(stands(&office, &name).await, (State::Open, 1));
    zhang.claim_of("call-2", "C-1").await.unwrap();
    office.calls().ended(office.here().await, "call-2", "zhang", CallOutcome::AnsweredClear);
    assert_eq!(stands(&office, &name).await, (State::Closed, 1));
}
