//! O11 and callbacks: what was promised shows on the case until it is settled, and stands on the client's receipt.

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_proto::{
    access::v1::Role,
    events::v1::{AttemptOutcome, AttemptRecorded, CallbackPostponed, callbacks_event::Event as Callback},
    ownership::v1::{Employee, roster_entry::Entry},
    r#type::v1::{CallbackKind, Satisfaction},
};
use shouwen_serving::timestamps::to_proto;

use crate::{
    absence::{planned, sudden},
    desk::{IntoEntry as _, colleague, employee},
    ground::{Ground, Office, at, tuesday},
    watching::Watch,
};

#[tokio::test]
async fn o11_what_was_promised_shows_on_the_case_until_it_is_settled() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    let due = tuesday() + TimeDelta::hours(5);
    for id in ["kept", "cancelled", "open"] {
        office.callbacks().scheduled(tuesday(), id, &name, due);
    }
    // Told again, it is the same promise; of a case that is not known here nothing is noted.
    office.callbacks().scheduled(tuesday(), "kept", &name, due);
    office.callbacks().scheduled(tuesday(), "lost", "cases/unknown", due);
    office.callbacks().scheduled(tuesday(), "missed", "", due);
    office.followed().await;
    let promises = zhang.get(&name).await.unwrap().promises;
    assert_eq!(promises.len(), 3);
    assert_eq!(promises[0].callback, format!("{name}/callbacks/kept"));
    assert_eq!((promises[0].kind(), at(promises[0].due_time)), (CallbackKind::Promised, due));
    assert!(promises.iter().all(|promise| !promise.settled));

    office.callbacks().completed(tuesday(), "kept", &name, false, Satisfaction::Neutral);
    office.callbacks().cancelled(tuesday(), "cancelled", &name);
    office.callbacks().cancelled(tuesday(), "cancelled", &name);
    office.followed().await;
    let promises = zhang.get(&name).await.unwrap().promises;
    let settled: Vec<bool> = promises.iter().map(|promise| promise.settled).collect();
    assert_eq!(settled, [true, true, false]);
    assert_eq!(ground.count("promise_settled").await, 2);
    assert_eq!(zhang.receipt(&name).await.unwrap().promises.len(), 1);
}

#[tokio::test]
async fn s3_a_promise_moves_with_its_callback_until_it_is_settled() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let survivor = zhang.open("call-1", "C-1").await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    let hour = |hours| tuesday() + TimeDelta::hours(hours);
    for (id, case) in [("cb-1", &survivor), ("cb-2", &merged)] {
        office.callbacks().scheduled(tuesday(), id, case, hour(5));
    }
    office.followed().await;
    li.identify("call-2", "C-1").await.unwrap();
    // Told twice it has moved once; another callback, and one of no case, are not meant.
    for (id, case) in [("cb-2", &*merged), ("cb-2", &merged), ("cb-9", &merged), ("cb-1", "")] {
        office.callbacks().moved(tuesday(), id, case, hour(7));
    }
    office.followed().await;
    let dues = async || {
        let promises = zhang.get(&survivor).await.unwrap().promises;
        promises.iter().map(|promise| at(promise.due_time)).collect::<Vec<_>>()
    };
    assert_eq!(dues().await, [hour(5), hour(7)]);
    assert_eq!(ground.count("promise_moved").await, 1);
    office.callbacks().cancelled(tuesday(), "cb-2", &merged);
    office.callbacks().moved(tuesday(), "cb-2", &merged, hour(8));
    office.followed().await;
    assert_eq!(dues().await, [hour(5), hour(7)], "what is settled does not move");
}

/// Until when the client is called back by the case, its receipt and the handler's desk.
async fn promised(office: &Office, case: &str) -> [DateTime<Utc>; 3] {
    let zhang = office.desk("zhang");
    let (shown, receipt) = (zhang.get(case).await.unwrap(), zhang.receipt(case).await.unwrap());
    let desk = Watch::of(office, "zhang").await;
    let item = &desk.items[&format!("employees/zhang callback {case}/callbacks/cb-1")];
    [shown.promises[0].due_time, receipt.promises[0].due_time, item.due_time].map(at)
}

#[tokio::test]
async fn o11_a_promise_moves_with_a_time_that_is_agreed_anew_or_set_by_a_lead() {
    let (ground, office) = Ground::at(tuesday()).await;
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let hour = |hours| tuesday() + TimeDelta::hours(hours);
    office.callbacks().scheduled(tuesday(), "cb-1", &name, hour(1));
    office.followed().await;
    let told = async |r#type: &str, event: Callback| {
        office.callbacks().callback(tuesday(), r#type, "cb-1", &name, event);
        office.followed().await;
    };
    let attempt = |outcome: AttemptOutcome, due: Option<DateTime<Utc>>| {
        Callback::AttemptRecorded(AttemptRecorded {
            outcome: outcome.into(),
            not_before: Some(to_proto(hour(2))),
            due: due.map(to_proto),
            ..AttemptRecorded::default()
        })
    };
    // The next attempt after one in vain is nobody's promise.
    told("attempt_recorded", attempt(AttemptOutcome::NoAnswer, None)).await;
    assert_eq!(promised(&office, &name).await, [hour(1); 3]);
    // B3
    told("attempt_recorded", attempt(AttemptOutcome::Inconvenient, Some(hour(3)))).await;
    assert_eq!(promised(&office, &name).await, [hour(3); 3]);
    let receipt = office.desk("zhang").receipt(&name).await.unwrap();
    assert!(receipt.text.contains("We call you back by 2025-09-09 13:00"), "{}", receipt.text);
    // B6
    let postponed = CallbackPostponed { due: Some(to_proto(hour(26))), ..CallbackPostponed::default() };
    told("callback_postponed", Callback::CallbackPostponed(postponed)).await;
    assert_eq!(promised(&office, &name).await, [hour(26); 3]);
    assert_eq!(ground.count("promise_moved").await, 2);
}

#[tokio::test]
async fn o11_a_promise_of_a_merged_case_is_owed_by_the_survivor() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let survivor = zhang.open("call-1", "C-1").await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    let due = tuesday() + TimeDelta::hours(5);
    office.callbacks().scheduled(tuesday(), "cb-1", &merged, due);
    office.followed().await;
    li.identify("call-2", "C-1").await.unwrap();
    // One more, scheduled under the old name afterwards.
    office.callbacks().scheduled(tuesday(), "cb-2", &merged, due);
    office.followed().await;
    let case = zhang.get(&survivor).await.unwrap();
    let names: Vec<&str> = case.promises.iter().map(|promise| &*promise.callback).collect();
    assert_eq!(names, [format!("{merged}/callbacks/cb-1"), format!("{merged}/callbacks/cb-2")]);

    office.callbacks().completed(tuesday(), "cb-1", &merged, true, Satisfaction::Satisfied);
    office.followed().await;
    let case = zhang.get(&survivor).await.unwrap();
    assert_eq!(case.promises.iter().map(|promise| promise.settled).collect::<Vec<_>>(), [true, false]);
    assert!(case.close_time.is_some());
}

#[tokio::test]
async fn o11_the_receipt_says_who_what_until_when_and_where_to_complain() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    office.callbacks().scheduled(tuesday(), "cb-1", &name, tuesday() + TimeDelta::minutes(335));
    office.followed().await;

    let receipt = zhang.receipt(&name).await.unwrap();
    assert_eq!((&*receipt.first_responder, &*receipt.first_responder_phone), ("ZHANG", "021-5000-5"));
    assert_eq!((&*receipt.accountable, &*receipt.accountable_phone), ("ZHANG", "021-5000-5"));
    assert_eq!((&*receipt.branch, &*receipt.complaints_phone), ("浦东营业部", "021-95500"));
    assert_eq!(receipt.promises.len(), 1);
    assert!(receipt.answer_due_time.is_some());
    let english = [
        &*format!("Reference: {name}"),
        "Responsible: ZHANG (浦东营业部), phone 021-5000-5",
        "We call you back by 2025-09-09 15:35",
        "You have an answer by 2025-09-11 17:00",
        "Complaints: 021-95500",
    ];
    assert_eq!(receipt.text.lines().collect::<Vec<_>>(), english);

    // Handed over, answered and in Chinese.
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    let chinese = [
        &*format!("受理编号：{name}"),
        "首问责任人：ZHANG（浦东营业部），电话 021-5000-5",
        "现承办人：LI，电话 021-5000-2",
        "承诺回访：不晚于 2025-09-09 15:35",
        "答复期限：2025-09-11 17:00",
        "投诉电话：021-95500",
    ];
    let receipt = li.clone().in_chinese().receipt(&name).await.unwrap();
    assert_eq!(receipt.text.lines().collect::<Vec<_>>(), chinese);
    li.resolve(&name).await.unwrap();
    let answered = li.receipt(&name).await.unwrap();
    assert!(answered.answer_due_time.is_none() && answered.text.contains("Handled by: LI, phone 021-5000-2"));
    assert!(!answered.text.contains("You have an answer by"));
}

#[tokio::test]
async fn o11_the_receipt_names_who_is_responsible_once_the_accountability_has_moved() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let name = zhang.open("call-1", "C-1").await;
    li.accept(&name, &zhang.offered(&name, "li").await).await.unwrap();
    // O12: the lead answers for the case now, the first responder stays a fact, and is not whom to call.
    office.complaints().filed(tuesday(), &format!("{name}/complaints/cp-1"), &["zhang"]);
    office.followed().await;
    let receipt = li.receipt(&name).await.unwrap();
    assert_eq!(
        (&*receipt.first_responder, &*receipt.accountable, &*receipt.handler),
        ("ZHANG", "QIAN", "LI")
    );
    assert_eq!(receipt.accountable_phone, "021-5000-4");
    let english = [
        &*format!("Reference: {name}"),
        "First responder: ZHANG (浦东营业部)",
        "Responsible now: QIAN, phone 021-5000-4",
        "Handled by: LI, phone 021-5000-2",
        "You have an answer by 2025-09-11 17:00",
        "Complaints: 021-95500",
    ];
    assert_eq!(receipt.text.lines().collect::<Vec<_>>(), english);
    // Who answers for it handles it, too.
    office.complaints().filed(tuesday(), &format!("{name}/complaints/cp-2"), &["li"]);
    office.followed().await;
    let chinese = [
        &*format!("受理编号：{name}"),
        "首问责任人：ZHANG（浦东营业部）",
        "现责任人：QIAN，电话 021-5000-4",
        "答复期限：2025-09-11 17:00",
        "投诉电话：021-95500",
    ];
    let receipt = li.in_chinese().receipt(&name).await.unwrap();
    assert_eq!(receipt.text.lines().collect::<Vec<_>>(), chinese);
}

#[tokio::test]
async fn o11_the_receipt_of_a_merged_case_names_who_answers_for_it_now() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let survivor = office.desk("zhang").open("call-1", "C-1").await;
    let merged = office.desk("li").claim("call-2").await.unwrap().case.unwrap().name;
    office.desk("li").identify("call-2", "C-1").await.unwrap();
    let receipt = office.desk("li").receipt(&merged).await.unwrap();
    assert_eq!((receipt.case, &*receipt.first_responder), (survivor.clone(), "ZHANG"));
    assert_eq!(office.desk("li").get(&survivor).await.unwrap().assistants, [employee("li")]);
}

/// Who reaches a callback by the edge's reading, as handler, as accountable person and as deputies.
async fn reached(office: &Office, callback: &str) -> (String, String, Vec<String>) {
    office.learned().await;
    let view = office.ownership.find(callback).await.unwrap().unwrap();
    assert!(!view.open, "{view:?}");
    (view.handler, view.accountable, view.deputies)
}

/// A case of `zhang`, handed over if to somebody else, in which something is promised still when `handler` closes it.
async fn closed(office: &Office, contact: &str, handler: &str) -> (String, String) {
    let zhang = office.desk("zhang");
    let case = zhang.open(contact, contact).await;
    if handler != "zhang" {
        office.desk(handler).accept(&case, &zhang.offered(&case, handler).await).await.unwrap();
    }
    let id = format!("cb-{contact}");
    office.callbacks().scheduled(office.here().await, &id, &case, tuesday() + TimeDelta::days(1));
    office.followed().await;
    office.desk(handler).confirm(&case, true).await.unwrap();
    let callback = format!("{case}/callbacks/{id}");
    (case, callback)
}

#[tokio::test]
async fn o9_what_is_promised_in_a_closed_case_is_reached_by_the_deputy_of_an_absent_handler() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, nobody) = (employee("zhang"), Vec::<String>::new());
    let (case, callback) = closed(&office, "call-1", "zhang").await;
    let (start, end) = (tuesday() + TimeDelta::hours(2), tuesday() + TimeDelta::hours(4));
    office.desk("zhang").be_absent(planned("zhang", "li", start, end)).await.unwrap();
    assert_eq!(reached(&office, &callback).await, (zhang.clone(), zhang.clone(), nobody.clone()));
    // Exactly at its times, whether a sweep has come by or not.
    office.until(start - TimeDelta::microseconds(1)).await;
    assert_eq!(reached(&office, &callback).await.2, nobody);
    office.unswept(start).await;
    assert_eq!(reached(&office, &callback).await, (zhang.clone(), zhang.clone(), vec![employee("li")]));
    office.engine.sweep_once().await.unwrap();
    assert_eq!(reached(&office, &callback).await.2, [employee("li")]);
    office.until(end - TimeDelta::microseconds(1)).await;
    office.unswept(end).await;
    assert_eq!(reached(&office, &callback).await.2, nobody);
    // Nothing of it stands in the case, which is closed: who deputises is asked for as long as something is promised.
    office.until(end).await;
    office.desk("zhang").be_absent(sudden("zhang", "wang")).await.unwrap();
    assert_eq!(reached(&office, &callback).await.2, [employee("wang")]);
    assert_eq!(ground.events(&case).await, ["case_opened", "promise_noted", "case_closed"]);
    office.callbacks().cancelled(office.here().await, "cb-call-1", &case);
    office.followed().await;
    assert_eq!(reached(&office, &callback).await, (zhang.clone(), zhang, nobody));
    assert_eq!(office.desk("zhang").get(&case).await.unwrap().epoch, 1);
}

#[tokio::test]
async fn o9_what_is_promised_in_a_closed_case_is_reached_by_who_answers_for_it_when_the_handler_has_left() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (case, callback) = closed(&office, "call-1", "li").await;
    let leaves = async |who: &str| {
        let entry = Employee { active: false, ..colleague(who, "b1", &[Role::Staff]) };
        let imported = office.admin().import(vec![Entry::Employee(entry).into_entry()]).await.unwrap();
        assert_eq!((imported.updated, imported.rejected), (1, Vec::new()));
    };
    let [zhang, li, zhao, qian] = ["zhang", "li", "zhao", "qian"].map(employee);
    assert_eq!(reached(&office, &callback).await, (li.clone(), zhang.clone(), Vec::new()));
    leaves("li").await;
    assert_eq!(reached(&office, &callback).await, (zhang.clone(), zhang.clone(), Vec::new()));
    // The accountable person's deputy, too.
    let absence = office.desk("zhang").be_absent(sudden("zhang", "wang")).await.unwrap();
    assert_eq!(reached(&office, &callback).await, (zhang.clone(), zhang.clone(), vec![employee("wang")]));
    office.desk("zhang").be_back(&absence.name).await.unwrap();
    // With them gone the lead, as for a case that is reopened: who is at work.
    leaves("zhang").await;
    assert_eq!(reached(&office, &callback).await, (qian.clone(), qian, Vec::new()));
    office.desk("qian").be_absent(sudden("qian", "wang")).await.unwrap();
    assert_eq!(reached(&office, &callback).await, (zhao.clone(), zhao, Vec::new()));
    let kept = office.desk("auditor").get(&case).await.unwrap();
    assert_eq!((kept.handler, kept.accountable), (li, zhang), "as it was closed");
}
