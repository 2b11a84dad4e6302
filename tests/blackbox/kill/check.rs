//! What must hold afterwards: everything acknowledged is there, read back through the API, and the ledgers show that nothing happened twice.

mod complaints;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use shouwen_proto::{
    callbacks::v1::{Callback, GetCallbackRequest, callback},
    calls::v1::{Call, ListCallsRequest, call},
    clients::v1::{Client as File, ListClientsRequest},
    events::v1::Event,
    ownership::v1::{BatchGetCasesRequest, Case, case},
};

use super::journal::Line;
use crate::harness::{Suite, ledgers, place::SERVICES};

/// The ledgers by service.
type Ledgers = BTreeMap<&'static str, Vec<Event>>;

/// Compares the acknowledged writes with what the API says now, and counts events.
pub(super) async fn all_is_there_once(suite: &Suite, lines: Vec<Line>) {
    let calls = calls(suite).await;
    let said = |what: &str| {
        let lines = lines.iter().filter(move |line| line.what == what);
        lines.map(|line| (line.about.clone(), line.said.clone())).collect::<Vec<_>>()
    };
    let mut names = BTreeSet::new();
    for (_, said) in said("answered") {
        names.insert(said.split_once(' ').unwrap().1.to_owned());
    }
    let cases = cases(suite, names).await;
    let promised = said("promised");
    let leased = said("leased");
    let callbacks = callbacks(suite, leased.iter().chain(&promised).map(named_callback).collect()).await;
    let call = |id: &str| &calls[&format!("calls/{id}")];

    for (id, _) in said("registered") {
        assert!(calls.contains_key(&format!("calls/{id}")), "{id} is lost");
    }
    for (id, said) in said("answered") {
        let (employee, case) = said.split_once(' ').unwrap();
        assert_eq!((&*call(&id).employee, &*call(&id).case), (employee, case), "{id}");
        assert_eq!(cases[case].first_responder, employee, "{case}");
    }
    for (id, mark) in said("recorded") {
        assert_eq!(call(&id).record.as_ref().unwrap().inquiry_type, mark, "{id}");
    }
    for (id, outcome) in said("ended") {
        assert_eq!(call(&id).state(), call::State::Ended, "{id}");
        assert_eq!(call(&id).outcome().as_str_name(), outcome, "{id}");
        // K19, O8: what was confirmed clear is closed by itself.
        if outcome == "CALL_OUTCOME_ANSWERED_CLEAR" {
            assert_eq!(cases[&call(&id).case].state(), case::State::Closed, "{id}");
        }
    }
    let accepted: HashMap<String, String> = said("accepted").into_iter().collect();
    for (case, to) in said("offered") {
        match accepted.get(&case) {
            Some(handler) => assert_eq!(&cases[&case].handler, handler, "{case}"),
            None => assert_eq!(cases[&case].offer.as_ref().unwrap().to, to, "{case}"),
        }
    }
    for (id, callback) in &promised {
        assert_eq!(call(id).callbacks, std::slice::from_ref(callback), "{id}");
    }
    for (callback, employee) in leased {
        assert!(
            callbacks[&callback].leased_by == employee || is_completed(&callbacks[&callback]),
            "{callback}"
        );
    }
    for (callback, score) in said("completed") {
        let shown = &callbacks[&callback];
        assert!(is_completed(shown), "{shown:?}");
        assert_eq!(shown.result.as_ref().unwrap().score.to_string(), score, "{callback}");
        // B5
        let (case, _) = callback.split_once("/callbacks/").unwrap();
        assert_eq!(cases[case].state(), case::State::Closed, "{case}");
    }
    let files = files(suite).await;
    for (client, _) in said("saved") {
        assert!(files.contains_key(&format!("clients/{client}")), "{client} is lost");
    }
    // O1: the CRM's ids are bound to the files.
    for case in cases.values().filter(|case| !case.client.is_empty()) {
        assert_eq!(case.client_file, format!("clients/{}", case.client), "{case:?}");
    }
    let mut ledgers = Ledgers::new();
    for service in SERVICES {
        ledgers.insert(service, ledgers::events(suite, service).await);
    }
    once_each(&ledgers, &lines);
    complaints::each_went_its_way_once(&ledgers, &lines, &cases);
}

/// The callback of a journal's line, wherever it stands in it.
fn named_callback((about, said): &(String, String)) -> String {
    if said.contains("/callbacks/") { said.clone() } else { about.clone() }
}

fn is_completed(callback: &Callback) -> bool {
    callback.state() == callback::State::Completed
}

/// Counts in the ledgers: one first touch for each contact, one callback for each promise, one result for each talk.
fn once_each(ledgers: &Ledgers, lines: &[Line]) {
    let mut happened: HashMap<(String, String), usize> = HashMap::new();
    for event in ledgers.values().flatten() {
        *happened.entry((event.r#type.clone(), event.aggregate.clone())).or_default() += 1;
    }
    let times = |kind: &str, aggregate: String| {
        happened.get(&(kind.to_owned(), aggregate)).copied().unwrap_or_default()
    };
    for line in lines {
        let id = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
        let (kind, aggregate) = match &*line.what {
            "registered" => ("call_registered", format!("calls/{}", line.about)),
            "answered" => {
                let claimed = times("contact_claimed", format!("contacts/{}", line.about));
                assert_eq!(claimed, 1, "{line:?}");
                ("call_answered", format!("calls/{}", line.about))
            }
            "recorded" => ("call_recorded", format!("calls/{}", line.about)),
            "promised" => {
                let scheduled = times("callback_scheduled", format!("callbacks/{}", id(&line.said)));
                assert_eq!(scheduled, 1, "{line:?}");
                ("callback_promised", format!("calls/{}", line.about))
            }
            "ended" => ("call_ended", format!("calls/{}", line.about)),
            "offered" => ("offer_made", line.about.clone()),
            "accepted" => ("offer_accepted", line.about.clone()),
            "leased" => ("callback_leased", format!("callbacks/{}", id(&line.about))),
            "completed" | "verified" => ("callback_completed", format!("callbacks/{}", id(&line.about))),
            "saved" => ("client_saved", format!("clients/{}", line.about)),
            "disclosed" => ("client_disclosed", format!("clients/{}", line.about)),
            "filed" => ("complaint_filed", format!("complaints/{}", id(&line.about))),
            "taken-up" => ("complaint_accepted", format!("complaints/{}", id(&line.about))),
            // Each round's steps are counted with the complaint.
            "proposed" | "approved" | "told" | "measured" | "handled" => continue,
            other => panic!("{other}"),
        };
        assert_eq!(times(kind, aggregate), 1, "{kind} of {line:?}");
    }
    let total = |kind: &str| -> usize {
        happened.iter().filter(|((known, _), _)| known == kind).map(|(_, times)| times).sum()
    };
    let promised = lines.iter().filter(|line| line.what == "promised").count();
    assert_eq!(total("callback_promised"), promised);
    assert_eq!(total("contact_claimed"), total("case_opened"));
}

async fn calls(suite: &Suite) -> HashMap<String, Call> {
    let auditor = suite.employee("auditor");
    let mut all = HashMap::new();
    let mut page_token = String::new();
    loop {
        let parent = "branches/east".to_owned();
        let request = ListCallsRequest { parent, page_size: 200, page_token };
        let page = auditor.calls().list_calls(request).await.unwrap().into_inner();
        all.extend(page.calls.into_iter().map(|call| (call.name.clone(), call)));
        if page.next_page_token.is_empty() {
            return all;
        }
        page_token = page.next_page_token;
    }
}

async fn files(suite: &Suite) -> HashMap<String, File> {
    let auditor = suite.employee("auditor");
    let mut all = HashMap::new();
    let mut page_token = String::new();
    loop {
        let parent = "branches/east".to_owned();
        let request = ListClientsRequest { parent, page_size: 200, page_token, filter: String::new() };
        let page = auditor.clients().list_clients(request).await.unwrap().into_inner();
        all.extend(page.clients.into_iter().map(|file| (file.name.clone(), file)));
        if page.next_page_token.is_empty() {
            return all;
        }
        page_token = page.next_page_token;
    }
}

async fn cases(suite: &Suite, names: BTreeSet<String>) -> HashMap<String, Case> {
    let auditor = suite.employee_at(1, "auditor");
    let names: Vec<String> = names.into_iter().collect();
    let mut all = HashMap::new();
    for names in names.chunks(100) {
        let request = BatchGetCasesRequest { names: names.to_vec() };
        let read = auditor.cases().batch_get_cases(request).await.unwrap().into_inner().cases;
        all.extend(read.into_iter().map(|case| (case.name.clone(), case)));
    }
    all
}

async fn callbacks(suite: &Suite, names: Vec<String>) -> HashMap<String, Callback> {
    let auditor = suite.employee("auditor");
    stream::iter(names)
        .map(|name| {
            let client = auditor.clone();
            async move { client.callbacks().get_callback(GetCallbackRequest { name }).await }
        })
        .buffer_unordered(8)
        .map_ok(tonic::Response::into_inner)
        .map_ok(|callback| (callback.name.clone(), callback))
        .try_collect()
        .await
        .unwrap()
}
