//! Who looks for a client by a number may guess it: each lookup of an employee is on record, and their number is bounded (L10).

use futures_util::future::join_all;
use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::CallContext,
    clients::v1::{ClientInput, ResolveClientRequest},
    events::v1::{ClientSought, SoughtBy, clients_event::Event},
};
use shouwen_serving::timestamps;
use tonic::{Code, Response, Status};

use crate::service::{
    BRANCH, Bed, MORNING, at, crm, detail, identity_number, input, of_the_suite, refused, request_of, staff,
};

fn by_phone(phone: &str) -> ResolveClientRequest {
    ResolveClientRequest { phone: phone.into(), ..ResolveClientRequest::default() }
}

/// Names of the clients that are found.
async fn find(bed: &Bed, who: &CallContext, request: ResolveClientRequest) -> Result<Vec<String>, Status> {
    let found = bed.client().resolve_client(request_of(who, request)).await.map(Response::into_inner)?;
    Ok(found.clients.into_iter().map(|client| client.name).collect())
}

async fn sought(bed: &mut Bed) -> ClientSought {
    match bed.next().await.1 {
        Event::ClientSought(sought) => sought,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn l10_each_lookup_of_an_employee_is_on_record_without_what_was_looked_for() {
    let mut bed = Bed::at(MORNING).await;
    let client =
        ClientInput { phone: "13812345678".into(), identity_number: identity_number(7), ..input("C-1") };
    bed.saved(client).await;
    bed.next_types(3).await;
    let zhang = staff("zhang");
    assert_eq!(find(&bed, &zhang, by_phone("138 1234 5678")).await.unwrap(), ["clients/C-1"]);
    let (row, event) = bed.next().await;
    let Event::ClientSought(first) = event else { panic!("{event:?}") };
    assert_eq!((row.aggregate.as_str(), row.on_behalf.as_str()), ("lookups/zhang", "employees/zhang"));
    assert_eq!((row.branch.as_str(), row.case_name.as_str()), (BRANCH, ""));
    assert_eq!((first.employee.as_str(), first.by(), first.number), ("employees/zhang", SoughtBy::Phone, 1));
    assert_eq!(first.clients, ["clients/C-1"]);
    assert_eq!(first.period_start, Some(timestamps::to_proto(at(MORNING))));
    assert_eq!(first.policy_version, "clients@default");
    assert!(!String::from_utf8_lossy(&row.payload).contains("12345678"));

    // What finds nobody is a guess as much.
    let number = ResolveClientRequest { identity_number: identity_number(8), ..by_phone("") };
    assert!(find(&bed, &zhang, number).await.unwrap().is_empty());
    let second = sought(&mut bed).await;
    assert_eq!((second.by(), second.number, second.clients.len()), (SoughtBy::IdentityNumber, 2, 0));
    // Through the CRM it is the employee's lookup too; in its own name, or in that of a service of the suite, it is nobody's.
    let system = of_the_suite();
    for who in [&crm(), &system] {
        assert_eq!(find(&bed, who, by_phone("13812345678")).await.unwrap(), ["clients/C-1"]);
    }
    let through_crm = CallContext { principal: "serviceAccounts/crm".into(), ..staff("zhang") };
    let capital_account = input("C-1").capital_accounts[0].account.clone();
    let account = ResolveClientRequest { capital_account, ..by_phone("") };
    assert_eq!(find(&bed, &through_crm, account).await.unwrap(), ["clients/C-1"]);
    let (row, event) = bed.next().await;
    let Event::ClientSought(third) = event else { panic!("{event:?}") };
    assert_eq!((row.actor.as_str(), row.on_behalf.as_str()), ("serviceAccounts/crm", "employees/zhang"));
    assert_eq!((third.by(), third.number), (SoughtBy::CapitalAccount, 3));
}

#[tokio::test]
async fn l10_guesses_are_bounded_whether_they_find_anybody_or_not() {
    let mut bed = Bed::at(MORNING).await;
    bed.saved(ClientInput { phone: "13812345678".into(), ..input("C-1") }).await;
    bed.policy(&serde_json::json!({"lookups": 3, "lookup_minutes": 30})).await;
    let (zhang, li) = (staff("zhang"), staff("li"));
    for phone in ["13812345670", "13812345671"] {
        assert!(find(&bed, &zhang, by_phone(phone)).await.unwrap().is_empty());
    }
    // What nobody can have says nothing about anybody.
    assert_eq!(refused(find(&bed, &zhang, by_phone("12")).await), "PHONE_INVALID");
    bed.advance("2026-05-06T09:20").await;
    assert_eq!(find(&bed, &zhang, by_phone("13812345678")).await.unwrap(), ["clients/C-1"]);
    for phone in ["13812345678", "13812345679"] {
        let status = find(&bed, &zhang, by_phone(phone)).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).unwrap().as_str()),
            (Code::ResourceExhausted, "LOOKUPS_USED_UP"),
            "it tells nothing of the number"
        );
        assert_eq!(detail(&status, "until"), "2026-05-06T09:30:00+08:00");
    }
    // Of others the number stays theirs.
    assert_eq!(find(&bed, &li, by_phone("13812345678")).await.unwrap(), ["clients/C-1"]);
    // The period begins with the first lookup, and the next one with the first behind it.
    bed.advance("2026-05-06T09:30").await;
    assert_eq!(find(&bed, &zhang, by_phone("13812345678")).await.unwrap(), ["clients/C-1"]);
    assert_eq!(bed.ledger("lookups/zhang").await, ["client_sought"; 4], "a refused one leaves no trace");
}

#[tokio::test]
async fn l10_of_many_guesses_at_once_no_more_than_the_policys_are_answered() {
    let mut bed = Bed::at(MORNING).await;
    bed.policy(&serde_json::json!({"lookups": 5})).await;
    let another = bed.another().await;
    let zhang = staff("zhang");
    let guesses = (0..16).map(|number| {
        let mut client = if number % 2 == 0 { bed.client() } else { another.client.clone() };
        let request = request_of(&zhang, by_phone(&format!("138123456{number:02}")));
        async move { client.resolve_client(request).await }
    });
    let (answered, refusals): (Vec<_>, Vec<_>) = join_all(guesses).await.into_iter().partition(Result::is_ok);
    assert_eq!(answered.len(), 5);
    for refusal in refusals {
        assert_eq!(refused(refusal), "LOOKUPS_USED_UP");
    }
    assert_eq!(bed.ledger("lookups/zhang").await.len(), 5);
}
