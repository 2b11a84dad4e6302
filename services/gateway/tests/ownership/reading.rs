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
    absence::sudden,
    desk::{Desk, reason},
    ground::{Ground, at, tuesday},
};

fn asking(parent: &str, filter: &str, page_size: i32, page_token: &str) -> ListCasesRequest {
    ListCasesRequest {
        parent: parent.to_owned(),
        page_size,
        page_token: page_token.to_owned(),
        filter: filter.to_owned(),
        order_by: String::new(),
    }
}

fn by_due_time(filter: &str, page_size: i32, page_token: &str) -> ListCasesRequest {
    ListCasesRequest {
        order_by: "due_time".to_owned(),
        ..asking("branches/b1", filter, page_size, page_token)
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
        ("responsible = employees/li", vec![&void, &merged, &resolved, &handed]),
        ("responsible = employees/zhang AND handler = employees/li", vec![&handed]),
        ("responsible = employees/zhang AND state = CLOSED", vec![&closed]),
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
async fn o6_a_list_of_ones_own_holds_what_one_is_responsible_for_whichever_branch_has_it() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, sun) = (office.desk("zhang"), office.desk("sun"));
    let own = sun.open("call-1", "C-1").await;
    let handed = zhang.open("call-2", "C-2").await;
    sun.accept(&handed, &zhang.offered(&handed, "sun").await).await.unwrap();
    let other = zhang.open("call-3", "C-3").await;
    let holds = async |desk: &Desk, parent: &str, filter: &str, expected: &[&String]| {
        let found = listed(desk, parent, filter).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{parent} {filter}");
    };
    for parent in ["branches/b2", "branches/-"] {
        holds(&sun, parent, "handler = employees/sun", &[&handed, &own]).await;
        holds(&sun, parent, "responsible = employees/sun AND state = OPEN", &[&handed, &own]).await;
        holds(&sun, parent, "responsible = employees/sun AND client = C-2", &[&handed]).await;
        holds(&sun, parent, "accountable = employees/sun", &[&own]).await;
    }
    holds(&zhang, "branches/b1", "responsible = employees/zhang", &[&other, &handed]).await;
    // Nobody else's, and nothing by any other question.
    holds(&sun, "branches/b2", "", &[&own]).await;
    holds(&sun, "branches/-", "state = OPEN", &[&own]).await;
    holds(&sun, "branches/-", "accountable = employees/zhang", &[]).await;
    holds(&office.desk("zhou"), "branches/b2", "responsible = employees/sun", &[&own]).await;
    holds(&office.desk("chen"), "branches/-", "responsible = employees/sun", &[&handed, &own]).await;
    holds(&office.desk("chen"), "branches/b1", "responsible = employees/sun", &[&handed]).await;
    // O9: who stands in for them, each in what is theirs.
    let absences = [
        sun.be_absent(sudden("sun", "zhou")).await.unwrap(),
        zhang.be_absent(sudden("zhang", "wang")).await.unwrap(),
    ];
    holds(&office.desk("zhou"), "branches/b2", "responsible = employees/zhou", &[&handed, &own]).await;
    holds(&office.desk("wang"), "branches/b1", "responsible = employees/wang", &[&other, &handed]).await;
    sun.be_back(&absences[0].name).await.unwrap();
    holds(&office.desk("zhou"), "branches/b2", "responsible = employees/zhou", &[]).await;
    holds(&office.desk("wang"), "branches/b1", "responsible = employees/wang", &[&other, &handed]).await;
    // O12: who is complained about is responsible for it no longer.
    office.complaints().filed(tuesday(), &format!("{handed}/complaints/cp-1"), &["sun"]);
    office.followed().await;
    holds(&sun, "branches/-", "responsible = employees/sun", &[&own]).await;
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

#[tokio::test]
async fn k15_cases_come_by_what_is_due_in_pages_of_any_size_and_those_that_owe_nothing_last() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let mut opened = Vec::new();
    for number in 0..6 {
        opened.push(zhang.open(&format!("call-{number}"), &format!("C-{number}")).await);
        office.pass(TimeDelta::days(1)).await;
    }
    zhang.resolve(&opened[1]).await.unwrap();
    zhang.confirm(&opened[3], true).await.unwrap();
    office.desk("sun").open("elsewhere", "C-99").await;
    // Monday: the first of what is still owed is overdue, and so is what was opened before the weekend.
    let owed = [&opened[0], &opened[2], &opened[4], &opened[5]].map(Clone::clone);
    let nothing = [&opened[3], &opened[1]].map(Clone::clone);
    let whole = [&owed[..], &nothing[..]].concat();
    let dues = zhang.list(by_due_time("", 0, "")).await.unwrap().cases;
    let dues: Vec<_> = dues[..4].iter().map(|case| at(case.clocks.last().unwrap().due_time)).collect();
    assert!(dues.is_sorted());
    let now = office.here().await;
    let late = dues.iter().filter(|due| **due <= now).count();
    assert!(late > 0 && late < 4, "{dues:?}");
    for (filter, expected) in [
        ("", whole.clone()),
        ("overdue = true", owed[..late].to_vec()),
        ("overdue = false", [&owed[late..], &nothing[..]].concat()),
        ("state = OPEN", owed.to_vec()),
        ("state = OPEN AND overdue = true", owed[..late].to_vec()),
        ("state = AWAITING_SATISFACTION", vec![opened[1].clone()]),
        ("state = AWAITING_SATISFACTION AND overdue = true", Vec::new()),
        ("handler = employees/zhang AND accountable = employees/zhang", whole.clone()),
        ("handler = employees/zhang AND overdue = true", owed[..late].to_vec()),
        ("responsible = employees/zhang", whole.clone()),
        ("responsible = employees/zhang AND overdue = true", owed[..late].to_vec()),
        ("responsible = employees/zhang AND overdue = false", [&owed[late..], &nothing[..]].concat()),
        ("responsible = employees/sun", Vec::new()),
        ("client = C-2", vec![opened[2].clone()]),
    ] {
        for size in [1, 3, 4, 200] {
            let (mut seen, mut token) = (Vec::new(), String::new());
            loop {
                let page = zhang.list(by_due_time(filter, size, &token)).await.unwrap();
                assert!(page.cases.len() <= usize::try_from(size).unwrap());
                seen.extend(page.cases.into_iter().map(|case| case.name));
                token = page.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            assert_eq!(seen, expected, "{filter} in pages of {size}");
        }
        let mut newest = expected;
        newest.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(listed(&zhang, "branches/b1", filter).await, newest, "{filter}, newest first");
    }
    // A token is good for its order only, and another order there is not.
    let token = zhang.list(by_due_time("", 1, "")).await.unwrap().next_page_token;
    assert_eq!(reason(zhang.list(asking("branches/b1", "", 1, &token)).await), "PAGE_TOKEN_INVALID");
    let token = zhang.list(asking("branches/b1", "", 1, "")).await.unwrap().next_page_token;
    assert_eq!(reason(zhang.list(by_due_time("", 1, &token)).await), "PAGE_TOKEN_INVALID");
    let other = ListCasesRequest { order_by: "client".to_owned(), ..by_due_time("", 0, "") };
    assert_eq!(zhang.list(other).await.unwrap_err().fields, ["order_by"]);
}

#[tokio::test]
async fn o3_all_branches_give_what_is_due_in_one_order() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let first = office.desk("zhang").open("call-1", "C-1").await;
    office.pass(TimeDelta::days(1)).await;
    let second = office.desk("sun").open("call-2", "C-2").await;
    office.pass(TimeDelta::days(1)).await;
    let third = office.desk("zhang").open("call-3", "C-3").await;
    for size in [1, 2, 10] {
        let (mut seen, mut token) = (Vec::new(), String::new());
        loop {
            let everywhere =
                ListCasesRequest { parent: "branches/-".to_owned(), ..by_due_time("", size, &token) };
            let page = office.desk("chen").list(everywhere).await.unwrap();
            seen.extend(page.cases.into_iter().map(|case| case.name));
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, [&first, &second, &third].map(Clone::clone));
    }
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
        ("ownership", "contact_claimed", "contacts/call-1"),
        ("ownership", "case_opened", &*survivor),
        // At the same moment: it names the case, so it came after.
        ("calls", "call_answered", "calls/call-1"),
        ("ownership", "contact_claimed", "contacts/call-2"),
        ("ownership", "case_opened", &*merged),
        ("callbacks", "callback_scheduled", "callbacks/cb-1"),
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
    assert_eq!(whole.entries[0].on_behalf, "employees/zhang");

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
async fn o3_no_effect_is_listed_before_its_cause_though_the_clocks_of_services_differ() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, slow, fast) = (office.desk("zhang"), TimeDelta::minutes(-7), TimeDelta::minutes(9));
    let name = zhang.open("call-1", "C-1").await;
    // The clock of calls is slow, that of callbacks is fast: what ownership does about it bears an earlier time.
    office.calls().answered(tuesday() + slow, "call-1", &name);
    office.callbacks().scheduled(tuesday() + fast, "cb-1", &name, tuesday() + TimeDelta::days(1));
    office.followed().await;
    office.pass(TimeDelta::minutes(1)).await;
    office.callbacks().completed(tuesday() + fast * 2, "cb-1", &name, true, Satisfaction::Satisfied);
    office.followed().await;
    let whole = zhang.timeline(&name, 0, "").await.unwrap().entries;
    let expected = [
        ("ownership", "contact_claimed", "contacts/call-1"),
        ("ownership", "case_opened", &*name),
        ("calls", "call_answered", "calls/call-1"),
        ("callbacks", "callback_scheduled", "callbacks/cb-1"),
        ("ownership", "promise_noted", &*name),
        ("callbacks", "callback_completed", "callbacks/cb-1"),
        ("ownership", "promise_settled", &*name),
        ("ownership", "case_closed", &*name),
    ];
    assert_eq!(whole.iter().map(line).collect::<Vec<_>>(), expected);
    assert!(!whole.is_sorted_by_key(|entry| at(entry.time)));
}

#[tokio::test]
async fn o3_pages_of_a_timeline_tell_what_was_known_when_the_first_was_read() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let name = zhang.open("call-1", "C-1").await;
    zhang.resolve(&name).await.unwrap();
    let whole = zhang.timeline(&name, 0, "").await.unwrap();
    let first = zhang.timeline(&name, 1, "").await.unwrap();
    // A call whose clock is far behind, and the end of the case, become known between the pages.
    office.calls().answered(tuesday() - TimeDelta::hours(9), "call-1", &name);
    office.followed().await;
    zhang.confirm(&name, true).await.unwrap();
    let rest = zhang.timeline(&name, 100, &first.next_page_token).await.unwrap();
    assert_eq!([first.entries, rest.entries].concat(), whole.entries);
    assert_eq!((&rest.as_of, rest.next_page_token), (&first.as_of, String::new()));
    assert!(zhang.timeline(&name, 0, "").await.unwrap().entries.len() > whole.entries.len());
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
