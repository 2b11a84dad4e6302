//! L1, L10, O1: a case shows its client's file, whichever came first; clients are found by what they say, in the clients service.

use chrono::TimeDelta;
use shouwen_access::Failure;
use shouwen_proto::{
    access::v1::Capacity,
    clients::v1::ResolveClientRequest,
    events::v1::{
        ClientClassified, ClientMarked, ClientSaved, ImportBegun, ServiceManagerAssigned,
        clients_event::Event,
    },
    ownership::v1::{Case, IdentifyClientRequest, ListCasesRequest, case::State},
    routing::v1::RouteContactRequest,
};
use tonic::Code;

use crate::{
    desk::{Answer, Desk, id, reason},
    directory::{Clients, Script, listening},
    ground::{Ground, Office, tuesday},
    telephone::call,
};

fn saved(branch: &str) -> Event {
    Event::ClientSaved(ClientSaved { branch: branch.to_owned(), ..ClientSaved::default() })
}

async fn told(office: &Office, client: &str, event: Event) {
    office.clients().client(office.here().await, client, "", event);
    office.followed().await;
}

#[tokio::test]
async fn l1_a_case_shows_its_clients_file_also_when_the_file_came_later() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    let before = zhang.open("call-1", "C-1").await;
    let stranger = zhang.claim("call-2").await.unwrap().case.unwrap();
    assert_eq!(
        (zhang.get(&before).await.unwrap().client_file, stranger.client_file),
        (String::new(), String::new())
    );
    told(&office, "C-1", saved("branches/b1")).await;
    told(&office, "C-2", saved("branches/b1")).await;
    // By every way of reading, and in the answer of what changes the case.
    let file = "clients/C-1";
    assert_eq!(zhang.get(&before).await.unwrap().client_file, file);
    assert_eq!(zhang.batch(&[&before]).await.unwrap().cases[0].client_file, file);
    let all = ListCasesRequest { parent: "branches/b1".to_owned(), ..ListCasesRequest::default() };
    let listed = zhang.list(all).await.unwrap().cases;
    let files: Vec<&str> = listed.iter().map(|case| &*case.client_file).collect();
    assert_eq!(files, ["", file]);
    assert_eq!(zhang.resolve(&before).await.unwrap().client_file, file);
    let claimed = zhang.claim_of("call-3", "C-2").await.unwrap().case.unwrap();
    assert_eq!((&*claimed.client_file, &*claimed.client), ("clients/C-2", "C-2"));
    assert_eq!(
        zhang.identify("call-2", "C-9").await.unwrap().client_file,
        "",
        "an id of the CRM without a file"
    );
    told(&office, "C-9", saved("branches/b2")).await;
    assert_eq!(zhang.get(&stranger.name).await.unwrap().client_file, "clients/C-9");
    // A file changes no case, and so no etag.
    assert_eq!(zhang.get(&stranger.name).await.unwrap().etag, "2");
}

#[tokio::test]
async fn l1_the_projection_keeps_what_was_last_told_of_each_client() {
    let (ground, office) = Ground::at(tuesday()).await;
    let line = "select concat_ws(' ', client, coalesce(branch, '-'), coalesce(client_class::text, '-'), coalesce(vip::text, '-'),
                                 coalesce(core::text, '-'), coalesce(service_manager, '-')) from client_file order by client";
    // In one batch and over several, repeated too.
    let now = office.here().await;
    let classified =
        |class| Event::ClientClassified(ClientClassified { client_class: class, ..Default::default() });
    office.clients().client(now, "C-1", "", saved("branches/b1"));
    office.clients().client(now, "C-1", "", classified(4));
    office.clients().client(now, "C-2", "", saved("branches/b2"));
    office.clients().client(now, "C-1", "", saved("branches/b2"));
    office.followed().await;
    assert_eq!(ground.texts(line).await, ["C-1 branches/b2 4 - - -", "C-2 branches/b2 - - - -"]);
    let marked = Event::ClientMarked(ClientMarked { vip: true, core: false, ..Default::default() });
    let assigned = ServiceManagerAssigned { employee: "employees/li".to_owned(), ..Default::default() };
    told(&office, "C-1", marked).await;
    told(&office, "C-1", Event::ServiceManagerAssigned(assigned.clone())).await;
    told(&office, "C-1", classified(1)).await;
    let nobody = ServiceManagerAssigned { employee: String::new(), ..assigned };
    told(&office, "C-2", Event::ServiceManagerAssigned(nobody)).await;
    told(&office, "C-3", Event::ImportBegun(ImportBegun::default())).await;
    assert_eq!(
        ground.texts(line).await,
        ["C-1 branches/b2 1 true false employees/li", "C-2 branches/b2 - - - "]
    );
}

/// An identification by telephone number.
fn by_phone(contact: &str, phone: &str) -> IdentifyClientRequest {
    IdentifyClientRequest {
        contact: format!("contacts/{contact}"),
        phone: phone.to_owned(),
        request_id: id(),
        ..IdentifyClientRequest::default()
    }
}

async fn identify(desk: &Desk, request: IdentifyClientRequest) -> Answer<Case> {
    desk.cases(request, async |mut cases, it| cases.identify_client(it).await).await
}

#[tokio::test]
async fn o1_a_client_is_found_by_phone_identity_number_or_capital_account() {
    let (clients, directory, _end) = listening(Script::Finds(&["C-1"])).await;
    let (_ground, office) = Ground::asking(tuesday(), directory).await;
    let zhang = office.desk("zhang");
    let ways = [
        ResolveClientRequest { phone: "138 0013 8000".to_owned(), ..Default::default() },
        ResolveClientRequest { identity_number: "11010519491231002X".to_owned(), ..Default::default() },
        ResolveClientRequest { capital_account: "6600123401".to_owned(), ..Default::default() },
    ];
    let mut cases = Vec::new();
    for (number, way) in ways.iter().enumerate() {
        let contact = format!("call-{number}");
        zhang.claim(&contact).await.unwrap();
        let request = IdentifyClientRequest {
            phone: way.phone.clone(),
            identity_number: way.identity_number.clone(),
            capital_account: way.capital_account.clone(),
            ..by_phone(&contact, "")
        };
        cases.push(identify(&zhang, request).await.unwrap());
    }
    assert!(cases.iter().all(|case| case.client == "C-1" && case.name == cases[0].name), "{cases:?}");
    let seen = clients.seen();
    assert_eq!(seen.iter().map(|(_, asked)| asked.clone()).collect::<Vec<_>>(), ways);
    for (caller, _) in &seen {
        // L10: it is the employee who looks.
        assert_eq!(
            (&*caller.principal.to_string(), caller.capacity),
            ("employees/zhang", Capacity::Unspecified)
        );
        assert_eq!((&caller.employee, &caller.branch), (&zhang.caller.employee, &zhang.caller.branch));
        assert_eq!((caller.roles, &caller.reach), (zhang.caller.roles, &zhang.caller.reach));
    }
    // An id needs no asking.
    zhang.claim("call-9").await.unwrap();
    zhang.identify("call-9", "C-9").await.unwrap();
    assert_eq!(clients.seen().len(), 3);
}

#[tokio::test]
async fn o1_a_client_is_named_in_exactly_one_way() {
    let (clients, directory, _end) = listening(Script::Finds(&["C-1"])).await;
    let (_ground, office) = Ground::asking(tuesday(), directory).await;
    let zhang = office.desk("zhang");
    zhang.claim("call-1").await.unwrap();
    let twice = IdentifyClientRequest { client: "C-1".to_owned(), ..by_phone("call-1", "13800138000") };
    let blank = by_phone("call-1", "  ");
    let numbers = IdentifyClientRequest {
        identity_number: "11010519491231002X".to_owned(),
        capital_account: "6600123401".to_owned(),
        ..by_phone("call-1", "")
    };
    for request in [twice, blank, numbers] {
        let refused = identify(&zhang, request).await.unwrap_err();
        assert_eq!((&*refused.reason, &refused.fields[..]), ("FIELD_INVALID", &["client".to_owned()][..]));
    }
    assert_eq!(clients.seen().len(), 0);
}

#[tokio::test]
async fn l10_whom_nobody_several_or_a_wrong_number_stands_for_is_told_apart_without_repeating_it() {
    let (clients, directory, _end) = listening(Script::Finds(&[])).await;
    let (ground, office) = Ground::asking(tuesday(), directory).await;
    let zhang = office.desk("zhang");
    zhang.claim("call-1").await.unwrap();
    let phone = "13800138000";
    let refused = identify(&zhang, by_phone("call-1", phone)).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::NotFound, "CLIENT_NOT_FOUND"));
    assert!(!format!("{refused:?}").contains(phone));
    clients.play(Script::Finds(&["C-1", "C-2", "C-3"]));
    let refused = identify(&zhang, by_phone("call-1", phone)).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::FailedPrecondition, "CLIENT_AMBIGUOUS"));
    assert_eq!(refused.metadata["count"], "3");
    clients.play(Script::Refuses(Failure::field_invalid("phone", "is no phone", "不是电话号码").into()));
    let refused = identify(&zhang, by_phone("call-1", "1380")).await.unwrap_err();
    assert_eq!(
        (refused.code, &*refused.reason, &*refused.fields),
        (Code::InvalidArgument, "FIELD_INVALID", &["phone".to_owned()][..])
    );
    for status in [Failure::unavailable("DATABASE_UNAVAILABLE"), Failure::internal()] {
        clients.play(Script::Refuses(status.into()));
        let refused = identify(&zhang, by_phone("call-1", phone)).await.unwrap_err();
        assert_eq!((refused.code, &*refused.reason), (Code::Unavailable, "BACKEND_UNAVAILABLE"));
    }
    assert_eq!(ground.count("client_identified").await, 0);
    // What the clients service finds is no reason to touch a contact that is not there or somebody else's.
    clients.play(Script::Finds(&["C-1"]));
    assert_eq!(reason(identify(&zhang, by_phone("nowhere", phone)).await), "CONTACT_NOT_FOUND");
    assert_eq!(reason(identify(&office.desk("li"), by_phone("call-1", phone)).await), "NOT_RESPONSIBLE");
}

#[tokio::test]
async fn l10_who_guesses_numbers_by_a_contact_is_bounded_as_who_looks_for_them() {
    let used_up = Failure::new(Code::ResourceExhausted, "LOOKUPS_USED_UP", "look again later", "请稍后再查")
        .with("until", "2025-09-09T11:00:00+08:00");
    let (clients, directory, _end) = listening(Script::Refuses(used_up.into())).await;
    let (ground, office) = Ground::asking(tuesday(), directory).await;
    let zhang = office.desk("zhang");
    zhang.claim("call-1").await.unwrap();
    let refused = identify(&zhang, by_phone("call-1", "13800138000")).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::ResourceExhausted, "LOOKUPS_USED_UP"));
    assert_eq!(refused.metadata["until"], "2025-09-09T11:00:00+08:00");
    assert_eq!(ground.count("client_identified").await, 0);
    // Who is named needs no looking.
    assert_eq!(zhang.identify("call-1", "C-1").await.unwrap().client, "C-1");
    // No contact waits for it, and its routing tells nothing of the number.
    let by_number = |contact| RouteContactRequest { phone: "13800138000".to_owned(), ..call(contact) };
    assert_eq!(zhang.route(by_number("call-2")).await.unwrap().client, "");
    let lookers = |clients: &Clients| -> Vec<String> {
        clients.seen().iter().map(|(caller, _)| caller.principal.to_string()).collect()
    };
    assert_eq!(lookers(&clients), ["employees/zhang"; 2]);
    // What a connected system looks for in its own name is nobody's lookup.
    clients.play(Script::Finds(&["C-1"]));
    assert_eq!(office.telephony().route(by_number("call-3")).await.unwrap().client, "C-1");
    assert_eq!(lookers(&clients)[2], "services/gateway");
    assert_eq!(clients.seen()[2].0.employee, None);
}

#[tokio::test]
async fn o1_a_repeated_call_tells_the_former_result_whatever_the_clients_service_says_by_now() {
    let (clients, directory, end) = listening(Script::Finds(&["C-1"])).await;
    let (ground, office) = Ground::asking(tuesday(), directory).await;
    let zhang = office.desk("zhang");
    zhang.claim("call-1").await.unwrap();
    let request = by_phone("call-1", "13800138000");
    let first = identify(&zhang, request.clone()).await.unwrap();
    assert_eq!((first.client.as_str(), first.state()), ("C-1", State::Open));
    clients.play(Script::Finds(&["C-2"]));
    assert_eq!(identify(&zhang, request.clone()).await.unwrap(), first);
    clients.play(Script::Finds(&[]));
    assert_eq!(identify(&zhang, request.clone()).await.unwrap(), first);
    drop(end);
    office.pass(TimeDelta::hours(1)).await;
    assert_eq!(identify(&zhang, request.clone()).await.unwrap(), first);
    assert_eq!((clients.seen().len(), ground.count("client_identified").await), (1, 1));
    // The same id for another number is something else.
    let other = IdentifyClientRequest { phone: "13900139000".to_owned(), ..request };
    assert_eq!(reason(identify(&zhang, other).await), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn o1_a_clients_service_that_is_away_or_silent_leaves_the_contact_as_it_was() {
    let (ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    zhang.claim("call-1").await.unwrap();
    let request = by_phone("call-1", "13800138000");
    let refused = identify(&zhang, request.clone()).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::Unavailable, "BACKEND_UNAVAILABLE"));
    assert_eq!(refused.metadata["service"], "clients");
    assert_eq!(ground.number("select count(*) from request where method = 'IdentifyClient'").await, 0);
    drop(office);

    let (clients, directory, _end) = listening(Script::Hangs).await;
    let (_ground, office) = Ground::asking(tuesday(), directory).await;
    let zhang = office.desk("zhang");
    zhang.claim("call-1").await.unwrap();
    assert_eq!(reason(identify(&zhang, request.clone()).await), "BACKEND_UNAVAILABLE");
    // Back again, the same call is done.
    clients.play(Script::Finds(&["C-1"]));
    assert_eq!(identify(&zhang, request).await.unwrap().client, "C-1");
}
