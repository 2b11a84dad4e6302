//! Reading: lists with filters and pages, several cases at once, and the timeline over all services (O3).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use shouwen_proto::{
    events::v1::CallOutcome,
    ownership::v1::{Case, ListCasesRequest, TimelineEntry},
    r#type::v1::Satisfaction,
};
use tonic::Code;

use crate::{
    desk::{Desk, reason},
    ground::{Ground, at, tuesday},
};

fn asking(parent: &str, filter: &str, page_size: i32, page_token: &str) -> ListCasesRequest {
    ListCasesRequest {
        parent: parent.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        filter: filter.to_owned(),
    }
}

fn names(cases: &[Case]) -> Vec<&str> {
    cases.iter().map(|case| &*case.name).collect()
}

async fn listed(desk: &Desk, parent: &str, filter: &str) -> Vec<String> {
    let cases = desk.list(asking(parent, filter, 0, "")).await.unwrap().cases;
    cases.into_iter().map(|case| case.name).collect()
}

#[tokio::test]
async fn o3_a_branchs_cases_come_newest_first_in_pages_of_any_size() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let mut opened = Vec::new();
    for number in 0..7 {
        opened.push(zhang.open(&format!("call-{number}"), &format!("C-{number}")).await);
    }
    office.desk("sun").open("elsewhere", "C-99").await;
    opened.reverse();
    for size in [1, 2, 3, 7, 8, 200, 1000] {
        let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = zhang.list(asking("branches/b1", "", size, &token)).await.unwrap();
            assert!(!page.cases.is_empty() && i32::try_from(page.cases.len()).unwrap() <= size);
            seen.extend(page.cases.into_iter().map(|case| case.name));
            pages += 1;
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(
            (&seen, pages),
            (&opened, 7_usize.div_ceil(usize::try_from(size).unwrap())),
            "pages of {size}"
        );
    }
}

#[tokio::test]
async fn o3_a_page_token_is_good_for_its_caller_and_arguments_only() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    for number in 0..3 {
        zhang.open(&format!("call-{number}"), "").await;
    }
    let token = zhang.list(asking("branches/b1", "state = OPEN", 1, "")).await.unwrap().next_page_token;
    // Another size is the same query.
    assert_eq!(zhang.list(asking("branches/b1", "state = OPEN", 5, &token)).await.unwrap().cases.len(), 2);
    let mut forged = token.clone().into_bytes();
    forged[20] ^= 1;
    for (desk, request) in [
        (office.desk("li"), asking("branches/b1", "state = OPEN", 1, &token)),
        (zhang.clone(), asking("branches/b1", "", 1, &token)),
        (office.desk("chen"), asking("branches/b2", "state = OPEN", 1, &token)),
        (zhang.clone(), asking("branches/b1", "state = OPEN", 1, &String::from_utf8_lossy(&forged))),
        (zhang.clone(), asking("branches/b1", "state = OPEN", 1, "nonsense")),
    ] {
        let refused = desk.list(request).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::InvalidArgument, "PAGE_TOKEN_INVALID"));
    }
    assert_eq!(reason(zhang.timeline("cases/x", 1, &token).await), "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn o3_filters_narrow_a_list_term_by_term() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let open = zhang.open("call-1", "C-1").await;
    let handed = zhang.open("call-2", "C-2").await;
    li.accept(&handed, &zhang.offered(&handed, "li").await).await.unwrap();
    let resolved = li.open("call-3", "C-3").await;
    li.resolve(&resolved).await.unwrap();
    let closed = zhang.open("call-4", "C-4").await;
    zhang.confirm(&closed, true).await.unwrap();
    let merged = li.claim("call-5").await.unwrap().case.unwrap().name;
    li.identify("call-5", "C-1").await.unwrap();
    let void = li.claim("call-6").await.unwrap().case.unwrap().name;
    office.calls().ended(tuesday(), "call-6", "li", CallOutcome::Silent);
    office.followed().await;
    let elsewhere = office.desk("sun").open("call-7", "C-7").await;

    for (filter, expected) in [
        ("", vec![&void, &merged, &closed, &resolved, &handed, &open]),
        ("state = OPEN", vec![&handed, &open]),
        ("state = STATE_AWAITING_SATISFACTION", vec![&resolved]),
        ("state = CLOSED", vec![&closed]),
        ("state = MERGED", vec![&merged]),
        ("state = VOID", vec![&void]),
        ("client = C-4", vec![&closed]),
        ("client = \"C-1\"", vec![&open]),
        ("handler = employees/li AND state = OPEN", vec![&handed]),
        // What somebody handled stays theirs in a list, however it ended.
        ("handler = employees/zhang", vec![&closed, &open]),
        ("accountable = employees/zhang", vec![&closed, &handed, &open]),
        ("accountable = employees/zhang AND handler = employees/li", vec![&handed]),
        ("client = nobody", vec![]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(listed(&zhang, "branches/b1", filter).await, expected, "{filter}");
    }
    // All branches: what lies within reach.
    assert_eq!(
        listed(&office.desk("chen"), "branches/-", "state = OPEN").await,
        [&elsewhere, &handed, &open].map(Clone::clone)
    );
    assert_eq!(listed(&zhang, "branches/-", "state = OPEN").await, [handed, open]);
    assert_eq!(reason(zhang.list(asking("branches/b2", "", 0, "")).await), "BRANCH_OUT_OF_REACH");
    assert_eq!(listed(&office.desk("sun"), "branches/b2", "").await, [elsewhere]);
}

#[tokio::test]
async fn o3_several_cases_come_in_the_order_asked_all_or_none() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let (first, second) = (zhang.open("call-1", "C-1").await, zhang.open("call-2", "C-2").await);
    let elsewhere = office.desk("sun").open("call-3", "C-3").await;
    let found = zhang.batch(&[&second, &first, &second]).await.unwrap().cases;
    assert_eq!(names(&found), [&*second, &*first, &*second]);
    assert_eq!(found[1], zhang.get(&first).await.unwrap());
    let missing = zhang.batch(&[&first, "cases/none"]).await.unwrap_err();
    assert_eq!((missing.code, &*missing.reason), (Code::NotFound, "CASE_NOT_FOUND"));
    assert_eq!(reason(zhang.batch(&[&first, &elsewhere]).await), "BRANCH_OUT_OF_REACH");
    assert_eq!(office.desk("chen").batch(&[&first, &elsewhere]).await.unwrap().cases.len(), 2);
    assert_eq!(reason(zhang.batch(&[]).await), "FIELD_INVALID");
    assert_eq!(zhang.batch(&[&*first; 100]).await.unwrap().cases.len(), 100);
    assert_eq!(reason(zhang.batch(&[&*first; 101]).await), "FIELD_INVALID");
    assert_eq!(reason(zhang.batch(&["contacts/call-1"]).await), "FIELD_INVALID");
}

fn line(entry: &TimelineEntry) -> (&str, &str, &str) {
    (&entry.service, &entry.r#type, &entry.aggregate)
}

#[tokio::test]
async fn o3_the_timeline_tells_all_services_in_order_with_what_was_merged() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let survivor = zhang.open("call-1", "C-1").await;
    office.calls().answered(office.here().await, "call-1", &survivor);
    office.followed().await;
    office.pass(TimeDelta::minutes(1)).await;
    let merged = li.claim("call-2").await.unwrap().case.unwrap().name;
    office.callbacks().scheduled(office.here().await, "cb-1", &merged, tuesday() + TimeDelta::days(1));
    office.followed().await;
    office.pass(TimeDelta::minutes(1)).await;
    li.identify("call-2", "C-1").await.unwrap();
    office.calls().ended(office.here().await, "call-2", "li", CallOutcome::AnsweredClear);
    office.followed().await;
    office.pass(TimeDelta::minutes(1)).await;
    office.callbacks().completed(office.here().await, "cb-1", &merged, true, Satisfaction::Satisfied);
    office.followed().await;
    // Another client's events are not among them.
    office.desk("wang").open("call-3", "C-3").await;
    office.calls().answered(office.here().await, "call-3", "");
    office.followed().await;

    let whole = zhang.timeline(&survivor, 0, "").await.unwrap();
    assert_eq!(whole.next_page_token, "");
    let expected = [
        ("calls", "call_answered", "calls/call-1"),
        ("ownership", "contact_claimed", "contacts/call-1"),
        ("ownership", "case_opened", &*survivor),
        ("callbacks", "callback_scheduled", "callbacks/cb-1"),
        ("ownership", "contact_claimed", "contacts/call-2"),
        ("ownership", "case_opened", &*merged),
        ("ownership", "promise_noted", &*merged),
        ("calls", "call_ended", "calls/call-2"),
        ("ownership", "case_merged", &*merged),
        ("ownership", "case_absorbed", &*survivor),
        ("ownership", "promise_noted", &*survivor),
        ("ownership", "contact_joined", "contacts/call-2"),
        ("callbacks", "callback_completed", "callbacks/cb-1"),
        ("ownership", "promise_settled", &*survivor),
        ("ownership", "case_closed", &*survivor),
    ];
    assert_eq!(whole.entries.iter().map(line).collect::<Vec<_>>(), expected);
    assert!(whole.entries.is_sorted_by_key(|entry| at(entry.time)));
    let closed = whole.entries.last().unwrap();
    assert_eq!(
        (&*closed.cause, &*closed.actor, &*closed.capacity),
        ("callbacks:2", "services/gateway", "system")
    );
    assert_eq!(whole.entries[1].on_behalf, "employees/zhang");

    for size in [1, 4, 15, 16] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let page = zhang.timeline(&survivor, size, &token).await.unwrap();
            assert!(!page.entries.is_empty());
            seen.extend(page.entries);
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, whole.entries, "pages of {size}");
    }
    // How far each feed has been read.
    let as_of: Vec<_> =
        whole.as_of.iter().map(|feed| (&*feed.service, feed.cursor.as_ref().unwrap().position)).collect();
    let head = office.engine.status().await.unwrap().head.position;
    let read = [("ownership", head), ("calls", 3), ("callbacks", 2), ("complaints", 0), ("clients", 0)];
    assert_eq!(as_of, read);
    // The merged case tells its own part, its contact's call and its callback included.
    let part = zhang.timeline(&merged, 0, "").await.unwrap().entries;
    let aggregates: BTreeSet<&str> = part.iter().map(|entry| &*entry.aggregate).collect();
    assert_eq!(aggregates, ["callbacks/cb-1", "calls/call-2", &*merged, "contacts/call-2"].into());
    assert_eq!(reason(zhang.timeline("cases/none", 0, "").await), "CASE_NOT_FOUND");
}

#[tokio::test]
async fn o3_the_timeline_finds_its_rows_by_indexes() {
    let (ground, office) = Ground::at(tuesday()).await;
    office.desk("zhang").open("call-1", "C-1").await;
    let explained = ground.explained_timeline(20_000).await;
    for table in ["ledger_0", "timeline", "contacts", "cases"] {
        assert!(!explained.contains(&format!("Seq Scan on {table}")), "{explained}");
    }
}
