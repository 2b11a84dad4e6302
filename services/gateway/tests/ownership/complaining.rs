//! O8, C9, C10, C16: a case does not end before its complaints, is taken up again with them, and ends with the last of them. The complaints feed alone
//! says so.

use chrono::TimeDelta;
use shouwen_proto::{
    events::v1::{CallOutcome, CloseKind, ComplaintEnd, ComplaintFiled, complaints_event},
    ownership::v1::{Case, case::State},
    r#type::v1::{CallbackKind, Satisfaction},
};
use tonic::Code;

use crate::{
    desk::employee,
    ground::{Ground, Office, at, tuesday},
};

/// A case of `zhang` under which a complaint about nobody is open; case and complaint.
async fn complained(office: &Office, number: usize) -> (String, String) {
    let name = office.desk("zhang").open(&format!("call-{number}"), &format!("C-{number}")).await;
    let complaint = format!("{name}/complaints/cp-1");
    office.complaints().filed(office.here().await, &complaint, &[]);
    office.followed().await;
    (name, complaint)
}

async fn case(office: &Office, name: &str) -> Case {
    office.desk("zhang").get(name).await.unwrap()
}

#[tokio::test]
async fn o8_a_case_does_not_end_before_its_complaints() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let (name, complaint) = complained(&office, 1).await;
    assert_eq!(case(&office, &name).await.open_complaints, std::slice::from_ref(&complaint));
    for refused in [zhang.confirm(&name, true).await, office.desk("zhao").close(&name).await] {
        let refused = refused.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "COMPLAINT_OPEN"));
        assert_eq!(refused.metadata["complaint"], complaint);
    }
    // Nor by what else ends a case: an answer confirmed clear, a satisfied callback, a touch that was none.
    office.calls().ended(office.here().await, "call-1", "zhang", CallOutcome::AnsweredClear);
    office.callbacks().scheduled(office.here().await, "cb-1", &name, tuesday());
    office.callbacks().completed(office.here().await, "cb-1", &name, true, Satisfaction::Satisfied);
    office.followed().await;
    let open = case(&office, &name).await;
    assert_eq!((open.state(), open.promises[0].settled, open.reopen_count), (State::Open, true, 0));
    // Who works on it still does, and may say that the answer was given.
    let resolved = zhang.resolve(&name).await.unwrap();
    assert_eq!(resolved.state(), State::AwaitingSatisfaction);
    assert_eq!(zhang.confirm(&name, true).await.unwrap_err().reason, "COMPLAINT_OPEN");
    assert_eq!(zhang.confirm(&name, false).await.unwrap().state(), State::Open);
    assert_eq!(ground.count("case_closed").await, 0);
}

/// A complaint under a case that branch b2 received.
async fn received_elsewhere(office: &Office, case: &str) -> String {
    let complaint = format!("{case}/complaints/cp-1");
    let filed = ComplaintFiled {
        complaint: complaint.clone(),
        case: case.to_owned(),
        receiving_unit: "branches/b2".to_owned(),
        ..ComplaintFiled::default()
    };
    let filed = complaints_event::Event::ComplaintFiled(filed);
    office.complaints().complaint(tuesday(), "complaint_filed", &complaint, filed);
    office.followed().await;
    complaint
}

#[tokio::test]
async fn c2_the_unit_that_received_a_complaint_is_known_with_its_case() {
    let (_ground, office) = Ground::at(tuesday()).await;
    office.desk("zhang").open("call-1", "C-1").await;
    let merged = office.desk("li").claim("call-2").await.unwrap().case.unwrap().name;
    let complaint = received_elsewhere(&office, &merged).await;
    office.desk("li").identify("call-2", "C-1").await.unwrap();
    // Also where the case was merged: what hangs under it keeps its name.
    let survivor = office.ownership.find(&complaint).await.unwrap().unwrap();
    assert_eq!(survivor.complaints, [(complaint, "branches/b2".to_owned())]);
}

#[tokio::test]
async fn c2_a_complaint_that_has_ended_stays_with_the_unit_that_received_it_though_its_case_is_merged() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let survivor = zhang.open("call-1", "C-1").await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    let complaint = received_elsewhere(&office, &merged).await;
    office.complaints().declined(tuesday(), &complaint);
    office.followed().await;
    li.identify("call-2", "C-1").await.unwrap();
    let found = office.ownership.find(&complaint).await.unwrap().unwrap();
    assert_eq!((&found.case, &found.named), (&survivor, &merged));
    assert_eq!(found.complaints, [(complaint.clone(), "branches/b2".to_owned())]);
    // By its own name the survivor has none.
    assert_eq!(office.ownership.find(&survivor).await.unwrap().unwrap().complaints, []);
    // Taken up again it hangs under the survivor, and is there once.
    office.complaints().handled_anew(tuesday(), &complaint, "superseded");
    office.followed().await;
    for name in [&complaint, &survivor] {
        let found = office.ownership.find(name).await.unwrap().unwrap();
        assert_eq!(found.complaints, [(complaint.clone(), "branches/b2".to_owned())], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o8_a_complaint_racing_the_clients_word_leaves_the_case_open() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    for round in 0..20 {
        let name = one.desk("zhang").open(&format!("r-{round}"), &format!("R-{round}")).await;
        let complaint = format!("{name}/complaints/cp-{round}");
        one.complaints().filed(one.here().await, &complaint, &["zhang"]);
        let zhang = other.desk("zhang");
        let (confirmed, ()) = tokio::join!(zhang.confirm(&name, true), one.followed());
        // Too late either way: the complaint is open, or the person is not responsible any more.
        if let Err(refused) = &confirmed {
            assert!(["COMPLAINT_OPEN", "NOT_RESPONSIBLE"].contains(&&*refused.reason), "{refused:?}");
        }
        let after = case(&one, &name).await;
        assert_eq!((after.state(), &after.open_complaints[..]), (State::Open, &[complaint][..]));
        assert_eq!(after.reopen_count, i32::from(confirmed.is_ok()));
    }
}

#[tokio::test]
async fn c9_the_case_ends_with_its_last_complaint_as_that_ended() {
    use ComplaintEnd::{Answered, Declined, Explained, Satisfied, Unreachable};
    let (_ground, office) = Ground::at(tuesday()).await;
    let ends = [
        (Satisfied, State::Closed, CloseKind::Satisfied),
        (Unreachable, State::Closed, CloseKind::Unreachable),
        (Explained, State::Closed, CloseKind::Explained),
        (Answered, State::AwaitingSatisfaction, CloseKind::Unspecified),
        (Declined, State::Open, CloseKind::Unspecified),
    ];
    for (number, (end, state, kind)) in ends.into_iter().enumerate() {
        let (name, complaint) = complained(&office, number).await;
        let second = format!("{name}/complaints/cp-2-{number}");
        office.complaints().filed(office.here().await, &second, &[]);
        let now = office.here().await;
        let close = |complaint: &str| match end {
            Declined => office.complaints().declined(now, complaint),
            _ => office.complaints().complaint_closed(now, complaint, end, "so it ended"),
        };
        close(&complaint);
        office.followed().await;
        let waiting = case(&office, &name).await;
        assert_eq!((waiting.state(), &*waiting.open_complaints), (State::Open, &[second.clone()][..]));
        close(&second);
        // Told again it changes nothing.
        close(&second);
        office.followed().await;
        let ended = case(&office, &name).await;
        assert_eq!((ended.state(), ended.close_kind()), (state, kind), "{end:?}");
        assert_eq!(ended.open_complaints, [""; 0]);
        let reason = if state == State::Closed { "so it ended" } else { "" };
        assert_eq!((&*ended.close_reason, ended.epoch, ended.reopen_count), (reason, 1, 0));
        assert_eq!(ended.clocks[0].met_time.is_some(), state != State::Open);
        // Answered or declined, the client's word still decides.
        if state != State::Closed {
            assert_eq!(
                office.desk("zhang").confirm(&name, true).await.unwrap().close_kind(),
                CloseKind::Satisfied
            );
        }
    }
}

#[tokio::test]
async fn c9_the_end_of_a_complaint_finds_a_case_that_waits_for_the_clients_word() {
    let (_ground, office) = Ground::at(tuesday()).await;
    for (number, (end, state)) in [
        (ComplaintEnd::Satisfied, State::Closed),
        (ComplaintEnd::Answered, State::AwaitingSatisfaction),
        (ComplaintEnd::Declined, State::AwaitingSatisfaction),
    ]
    .into_iter()
    .enumerate()
    {
        let (name, complaint) = complained(&office, number).await;
        office.desk("zhang").resolve(&name).await.unwrap();
        office.complaints().complaint_closed(office.here().await, &complaint, end, "");
        office.followed().await;
        assert_eq!(case(&office, &name).await.state(), state, "{end:?}");
    }
}

#[tokio::test]
async fn c10_a_complaint_takes_a_closed_case_up_again_and_once() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    zhang.confirm(&name, true).await.unwrap();
    office.pass(TimeDelta::days(1)).await;
    let complaint = format!("{name}/complaints/cp-1");
    let filed_at = office.here().await;
    for _ in 0..2 {
        office.complaints().filed(filed_at, &complaint, &[]);
    }
    office.followed().await;
    let reopened = case(&office, &name).await;
    assert_eq!((reopened.state(), reopened.reopen_count, reopened.clocks.len()), (State::Open, 1, 2));
    assert_eq!((&*reopened.accountable, reopened.epoch), (&*employee("zhang"), 1));
    assert_eq!(
        ground.events(&name).await,
        ["case_opened", "case_closed", "complaint_opened", "case_reopened"]
    );
    let reason = format!(
        "select encode(payload, 'escape') from ledger where aggregate = '{name}' and type = 'case_reopened'"
    );
    assert!(ground.texts(&reason).await[0].contains("complaint"));

    // Filed again after its end, it is the same complaint, and the case stays closed.
    office.complaints().complaint_closed(filed_at, &complaint, ComplaintEnd::Satisfied, "");
    office.complaints().filed(filed_at, &complaint, &[]);
    office.followed().await;
    let closed = case(&office, &name).await;
    assert_eq!((closed.state(), closed.close_kind()), (State::Closed, CloseKind::Satisfied));
    assert_eq!(ground.count("complaint_opened").await, 1);
}

#[tokio::test]
async fn c10_a_complaint_handled_anew_reopens_its_case_with_a_clock_from_then() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (name, complaint) = complained(&office, 1).await;
    office.complaints().complaint_closed(office.here().await, &complaint, ComplaintEnd::Satisfied, "");
    office.followed().await;
    assert_eq!(case(&office, &name).await.state(), State::Closed);
    office.pass(TimeDelta::days(1)).await;
    let then = office.here().await - TimeDelta::hours(3);
    office.complaints().handled_anew(then, &complaint, "superseded");
    office.complaints().handled_anew(then, &complaint, "superseded");
    office.followed().await;
    let reopened = case(&office, &name).await;
    assert_eq!((reopened.state(), reopened.reopen_count), (State::Open, 1));
    assert_eq!(reopened.open_complaints, std::slice::from_ref(&complaint));
    // It began when the complaint was reopened, however late ownership learnt of it.
    assert_eq!(at(reopened.clocks[1].start_time), then);
    assert_eq!(
        ground.texts("select type from ledger where type like 'c%_opened' or type like 'c%_reopened' order by position").await,
        ["case_opened", "complaint_opened", "complaint_opened", "case_reopened"]
    );

    // While the complaint is open and the case waits for the client's word: the case goes on, the complaint is the same.
    office.desk("zhang").resolve(&name).await.unwrap();
    office.complaints().handled_anew(office.here().await, &complaint, "measures");
    office.followed().await;
    let again = case(&office, &name).await;
    assert_eq!((again.state(), again.reopen_count, again.clocks.len()), (State::Open, 2, 3));
    assert_eq!(ground.count("complaint_opened").await, 2);
    // An open case stays as it is, and so does one that never heard of the complaint.
    office.complaints().handled_anew(office.here().await, &complaint, "dissatisfied");
    office.complaints().handled_anew(office.here().await, &format!("{name}/complaints/other"), "x");
    office.complaints().handled_anew(office.here().await, "cases/unknown/complaints/cp-9", "x");
    office.followed().await;
    assert_eq!(case(&office, &name).await, again);
}

#[tokio::test]
async fn c10_a_complaint_about_a_closed_case_takes_the_newer_case_in() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let older = zhang.open("call-1", "C-1").await;
    zhang.confirm(&older, true).await.unwrap();
    let newer = li.open("call-2", "C-1").await;
    office.complaints().filed(office.here().await, &format!("{newer}/complaints/new"), &[]);
    office.complaints().filed(office.here().await, &format!("{older}/complaints/old"), &[]);
    office.followed().await;
    let reopened = case(&office, &older).await;
    let both = [format!("{older}/complaints/old"), format!("{newer}/complaints/new")];
    assert_eq!((reopened.state(), &reopened.open_complaints[..]), (State::Open, &both[..]));
    let merged = case(&office, &newer).await;
    assert_eq!((merged.state(), merged.open_complaints.len()), (State::Merged, 0));
    // Each ends under the name that it has.
    office.complaints().complaint_closed(office.here().await, &both[1], ComplaintEnd::Satisfied, "");
    office.followed().await;
    assert_eq!(case(&office, &older).await.open_complaints, both[..1]);
    office.complaints().complaint_closed(office.here().await, &both[0], ComplaintEnd::Explained, "explained");
    office.followed().await;
    assert_eq!(case(&office, &older).await.close_kind(), CloseKind::Explained);
    // Taken up again, the one that was filed under the merged case is known by the survivor.
    office.complaints().handled_anew(office.here().await, &both[1], "superseded");
    office.followed().await;
    let again = case(&office, &older).await;
    assert_eq!((again.state(), &again.open_complaints[..]), (State::Open, &both[1..]));
}

#[tokio::test]
async fn c3_a_complaint_under_a_merged_case_hangs_under_the_survivor_whichever_came_first() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    for (number, filed_first) in [true, false].into_iter().enumerate() {
        let client = format!("C-{number}");
        let survivor = zhang.open(&format!("a-{number}"), &client).await;
        let merged = li.claim(&format!("b-{number}")).await.unwrap().case.unwrap().name;
        let complaint = format!("{merged}/complaints/cp-{number}");
        if filed_first {
            office.complaints().filed(office.here().await, &complaint, &["wang"]);
            office.followed().await;
            // A contact about which somebody complains is not without a concern (K12).
            office.calls().ended(office.here().await, &format!("b-{number}"), "li", CallOutcome::Silent);
            office.followed().await;
            assert_eq!(case(&office, &merged).await.state(), State::Open);
        }
        li.identify(&format!("b-{number}"), &client).await.unwrap();
        if !filed_first {
            office.complaints().filed(office.here().await, &complaint, &["wang"]);
            office.followed().await;
        }
        let open = case(&office, &survivor).await;
        assert_eq!(open.open_complaints, std::slice::from_ref(&complaint), "filed first: {filed_first}");
        assert_eq!(open.recused, [employee("wang")]);
        assert_eq!(zhang.confirm(&survivor, true).await.unwrap_err().reason, "COMPLAINT_OPEN");
        office.complaints().complaint_closed(office.here().await, &complaint, ComplaintEnd::Satisfied, "");
        office.followed().await;
        let closed = case(&office, &survivor).await;
        assert_eq!((closed.state(), closed.recused.len()), (State::Closed, 0));
    }
}

#[tokio::test]
async fn k12_of_a_void_or_unknown_case_a_complaint_says_nothing() {
    let (ground, office) = Ground::at(tuesday()).await;
    let void = office.desk("zhang").claim("call-1").await.unwrap().case.unwrap().name;
    office.calls().ended(office.here().await, "call-1", "zhang", CallOutcome::WrongNumber);
    office.followed().await;
    for name in [&*void, "cases/unknown"] {
        let complaint = format!("{name}/complaints/cp-1");
        office.complaints().filed(office.here().await, &complaint, &["zhang"]);
        office.complaints().handled_anew(office.here().await, &complaint, "dissatisfied");
        office.complaints().declined(office.here().await, &complaint);
        office.complaints().complaint_closed(office.here().await, &complaint, ComplaintEnd::Satisfied, "");
    }
    office.followed().await;
    assert_eq!(case(&office, &void).await.state(), State::Void);
    assert_eq!(ground.number("select count(*) from ledger where type like 'complaint%'").await, 0);
}

#[tokio::test]
async fn c9_a_verification_shows_as_a_promise_and_means_nothing_but_through_its_complaint() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let due = tuesday() + TimeDelta::hours(24);
    for (number, overall) in [Satisfaction::Satisfied, Satisfaction::Dissatisfied].into_iter().enumerate() {
        // In both orders of the two feeds: the callback's result before and after the complaint's.
        for callback_first in [true, false] {
            let number = 10 * number + usize::from(callback_first);
            let (name, complaint) = complained(&office, number).await;
            let callback = format!("cb-{number}");
            office.callbacks().verification(office.here().await, &callback, &name, due);
            office.followed().await;
            let promise = case(&office, &name).await.promises.remove(0);
            assert_eq!(promise.callback, format!("branches/b1/callbacks/{callback}"));
            assert_eq!(
                (promise.kind(), at(promise.due_time), promise.settled),
                (CallbackKind::Verification, due, false)
            );
            let verified = async || {
                office.callbacks().verified(office.here().await, &callback, &name, overall);
                office.followed().await;
            };
            let decided = async || {
                let now = office.here().await;
                match overall {
                    Satisfaction::Satisfied => {
                        office.complaints().complaint_closed(now, &complaint, ComplaintEnd::Satisfied, "");
                    }
                    _ => office.complaints().handled_anew(now, &complaint, "dissatisfied"),
                }
                office.followed().await;
            };
            if callback_first {
                verified().await;
                let between = case(&office, &name).await;
                assert_eq!((between.state(), between.promises[0].settled), (State::Open, true));
                decided().await;
            } else {
                decided().await;
                verified().await;
            }
            let after = case(&office, &name).await;
            let expected = if overall == Satisfaction::Satisfied { State::Closed } else { State::Open };
            assert_eq!((after.state(), after.promises[0].settled), (expected, true));
            assert_eq!(after.reopen_count, 0, "B5 is the complaint's matter here");
        }
    }
    // Given up by a lead, the promise has lapsed; the complaint says what follows.
    let (name, _) = complained(&office, 30).await;
    office.callbacks().verification(office.here().await, "cb-30", &name, due);
    office.callbacks().unverified(office.here().await, "cb-30", &name);
    office.followed().await;
    let open = case(&office, &name).await;
    assert_eq!((open.state(), open.promises[0].settled), (State::Open, true));
}

#[tokio::test]
async fn o3_the_timeline_tells_of_complaints_and_of_clients_only_what_concerns_the_case() {
    use shouwen_proto::events::v1::{ClientDisclosed, ClientSaved, clients_event::Event};
    let (_ground, office) = Ground::at(tuesday()).await;
    let (name, complaint) = complained(&office, 1).await;
    office.clients().client(office.here().await, "C-1", "", Event::ClientSaved(ClientSaved::default()));
    let disclosed = Event::ClientDisclosed(ClientDisclosed::default());
    office.clients().client(office.here().await, "C-1", &name, disclosed);
    office.complaints().declined(office.here().await, &complaint);
    office.followed().await;
    let told = office.desk("zhang").timeline(&name, 0, "").await.unwrap();
    let lines: Vec<_> = told.entries.iter().map(|entry| (&*entry.service, entry.position)).collect();
    for line in [("complaints", 1), ("complaints", 2), ("clients", 2)] {
        assert!(lines.contains(&line), "{lines:?}");
    }
    assert!(!lines.contains(&("clients", 1)), "{lines:?}");
    let as_of: Vec<_> =
        told.as_of.iter().map(|feed| (&*feed.service, feed.cursor.as_ref().unwrap().position)).collect();
    assert_eq!(as_of[3..], [("complaints", 2), ("clients", 2)]);
}
