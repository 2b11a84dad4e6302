//! Attempts at other people's data: guessing who they are, asking without having asked, importing what is no client.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{future::join_all, stream};
use shouwen_proto::{
    clients::v1::{
        AnswerVerificationRequest, GetClientRequest, GetFullClientRequest, ImportClientsRequest,
        ResolveClientRequest, SaveClientRequest, StartVerificationRequest, Verification,
    },
    events::v1::{ClientsEvent, IdentityFactor, clients_event, event::Body},
    ownership::v1::IdentifyClientRequest,
};
use tonic::{Code, Response, Status};

use super::{answered, meets};
use crate::harness::{
    Client, Shared, Suite,
    files::{self, identity_number, input, phone},
    id, ledgers, refused,
};

async fn started(client: &Client, name: &str) -> String {
    let start = StartVerificationRequest { name: name.to_owned(), request_id: id() };
    client.clients().start_verification(start).await.unwrap().into_inner().verification
}

async fn answers(
    client: &Client,
    name: &str,
    verification: &str,
    factor: IdentityFactor,
    value: String,
) -> Result<Response<Verification>, Status> {
    let answer = AnswerVerificationRequest {
        name: name.to_owned(),
        verification: verification.to_owned(),
        factor: factor.into(),
        value,
        request_id: id(),
    };
    client.clients().answer_verification(answer).await
}

#[tokio::test]
async fn k11_guessing_an_identity_locks_it_after_three_wrong_answers_however_many_guess_at_once() {
    const SERIAL: u32 = 41_001;
    let suite = Suite::start().await;
    let name = "clients/guessed";
    files::save(&suite.account("crm-east"), input("guessed", "east", SERIAL)).await;
    let guessers = ["li", "wang", "zhang", "lead", "chen", "west-lead", "hq", "officer"];
    let begun = join_all(guessers.map(async |name_of| {
        let client = suite.employee(name_of);
        let verification = started(&client, name).await;
        (client, verification)
    }))
    .await;
    let wrong = AtomicUsize::new(0);
    let guesses = begun.iter().enumerate().map(async |(index, (client, verification))| {
        for factor in [IdentityFactor::ReservedPhone, IdentityFactor::IdentityNumber] {
            let serial = 42_000 + u32::try_from(index).unwrap();
            match answers(client, name, verification, factor, files::answer(serial, factor)).await {
                Ok(told) => {
                    assert!(!told.get_ref().passed && told.get_ref().matched.is_empty(), "{told:?}");
                    wrong.fetch_add(1, Ordering::SeqCst);
                }
                Err(status) => {
                    let refusal = refused::<()>(Err(status));
                    meets("a guess too many", &refusal, Code::FailedPrecondition, "VERIFICATION_LOCKED");
                    assert!(refusal.metadata.contains_key("until"));
                }
            }
        }
    });
    join_all(guesses).await;
    assert_eq!(wrong.load(Ordering::SeqCst), 3);

    // Locked for everybody, also for who would know, and nothing is shown.
    let (client, verification) = &begun[0];
    let right = answers(client, name, verification, IdentityFactor::LastPurchase, "000858".to_owned()).await;
    meets("the right answer", &refused(right), Code::FailedPrecondition, "VERIFICATION_LOCKED");
    let start = StartVerificationRequest { name: name.to_owned(), request_id: id() };
    let refusal = refused(client.clients().start_verification(start).await);
    meets("beginning again", &refusal, Code::FailedPrecondition, "VERIFICATION_LOCKED");
    let full = GetFullClientRequest { name: name.to_owned(), purpose: "查看".to_owned(), request_id: id() };
    let refusal = refused(client.clients().get_full_client(full).await);
    assert_eq!(refusal.code, Code::FailedPrecondition, "{refusal:?}");
    let get = GetClientRequest { name: name.to_owned() };
    let shown = client.clients().get_client(get).await.unwrap().into_inner();
    assert!(shown.verification_locked_until.is_some());

    let mut happened = [0, 0, 0];
    for event in ledgers::events(&suite, "clients").await {
        let Some(Body::Clients(ClientsEvent { event: Some(event) })) = event.body else { continue };
        match event {
            clients_event::Event::VerificationAnswered(answered) if !answered.matched => happened[0] += 1,
            clients_event::Event::VerificationLocked(_) => happened[1] += 1,
            clients_event::Event::ClientDisclosed(_) => happened[2] += 1,
            _ => {}
        }
    }
    assert_eq!(happened, [3, 1, 0]);
}

#[tokio::test]
async fn k11_a_verification_serves_its_own_employee_and_each_factor_once() {
    const SERIAL: u32 = 41_002;
    let suite = Shared::suite().await;
    let name = "clients/verified-once";
    files::save(&suite.account("crm-east"), input("verified-once", "east", SERIAL)).await;
    let (li, wang) = (suite.employee("li"), suite.employee("wang"));
    let verification = started(&li, name).await;
    let right = |factor| files::answer(SERIAL, factor);
    let phone = IdentityFactor::ReservedPhone;
    let stolen = answers(&wang, name, &verification, phone, right(phone)).await;
    meets("a colleague's", &refused(stolen), Code::FailedPrecondition, "VERIFICATION_NOT_STARTED");
    let first = answers(&li, name, &verification, phone, right(phone)).await.unwrap().into_inner();
    assert_eq!((first.passed, first.factors_missing), (false, 1));
    let again = answers(&li, name, &verification, phone, right(phone)).await;
    meets("the same factor twice", &refused(again), Code::FailedPrecondition, "FACTOR_ANSWERED");
    let number = IdentityFactor::IdentityNumber;
    assert!(answers(&li, name, &verification, number, right(number)).await.unwrap().into_inner().passed);
    // Passed, but by another employee.
    let full = GetFullClientRequest { name: name.to_owned(), purpose: "查看".to_owned(), request_id: id() };
    let refusal = refused(wang.clients().get_full_client(full.clone()).await);
    meets("somebody else's verification", &refusal, Code::FailedPrecondition, "IDENTITY_NOT_VERIFIED");
    let shown = li.clients().get_full_client(full).await.unwrap().into_inner();
    assert_eq!(shown.identity_number, identity_number(SERIAL));
}

#[tokio::test]
async fn l1_a_client_that_cannot_be_taken_is_refused_by_its_field_and_an_import_keeps_the_good_lines() {
    const SERIAL: u32 = 41_100;
    let suite = Shared::suite().await;
    let crm = suite.account("crm-east");
    let good = |serial: u32| input(&format!("line-{serial}"), "east", serial);
    files::save(&crm, good(SERIAL)).await;
    let mut checksum = good(SERIAL + 1);
    checksum.identity_number = format!("{}0", &identity_number(SERIAL + 1)[..17]);
    if checksum.identity_number == identity_number(SERIAL + 1) {
        checksum.identity_number.replace_range(17.., "1");
    }
    let mut number = good(SERIAL + 2);
    number.phone = "1381234567".to_owned();
    let mut none = good(SERIAL + 3);
    none.capital_accounts[0].primary = false;
    let mut many = good(SERIAL + 4);
    many.capital_accounts = (0..6)
        .map(|index| shouwen_proto::clients::v1::CapitalAccount {
            account: files::account(90_000 + index),
            custodian_bank: "工商银行".to_owned(),
            primary: index == 0,
        })
        .collect();
    let mut negative = good(SERIAL + 5);
    negative.assets_fen = -1;
    let mut west = good(SERIAL + 6);
    west.branch = "branches/west".to_owned();
    let mut taken = good(SERIAL + 7);
    taken.identity_number = identity_number(SERIAL);
    let mut account = good(SERIAL + 8);
    account.capital_accounts[0].account = files::account(SERIAL);
    let mut silent = good(SERIAL);
    silent.phone = phone(SERIAL + 9);
    let bad = [
        ("checksum", checksum, Code::InvalidArgument, "IDENTITY_NUMBER_INVALID"),
        ("phone", number, Code::InvalidArgument, "PHONE_INVALID"),
        ("no primary account", none, Code::InvalidArgument, "PRIMARY_ACCOUNT_REQUIRED"),
        ("six accounts", many, Code::InvalidArgument, "TOO_MANY_ACCOUNTS"),
        ("negative assets", negative, Code::InvalidArgument, "FIELD_INVALID"),
        ("another branch", west, Code::PermissionDenied, "BRANCH_OUT_OF_REACH"),
        ("an identity number twice", taken, Code::AlreadyExists, "IDENTITY_NUMBER_TAKEN"),
        ("an account twice", account, Code::AlreadyExists, "CAPITAL_ACCOUNT_TAKEN"),
        ("a phone changed without evidence", silent, Code::InvalidArgument, "EVIDENCE_REQUIRED"),
    ];
    for (what, client, code, reason) in &bad {
        let request =
            SaveClientRequest { client: Some(client.clone()), etag: String::new(), request_id: id() };
        meets(what, &refused(crm.clients().save_client(request).await), *code, reason);
    }

    // The same lines with good ones between them.
    let mut lines = Vec::new();
    for (index, (_, client, ..)) in bad.iter().enumerate() {
        lines.push(client.clone());
        lines.push(good(SERIAL + 20 + u32::try_from(index).unwrap()));
    }
    let request_id = id();
    let numbered = lines.into_iter().enumerate().map(move |(index, client)| ImportClientsRequest {
        request_id: request_id.clone(),
        line: i64::try_from(index).unwrap() + 2,
        client: Some(client),
    });
    let operation = crm.clients().import_clients(stream::iter(numbered)).await.unwrap().into_inner();
    assert!(operation.done, "{operation:?}");
    let progress = files::progress(&operation);
    assert_eq!((progress.lines, progress.created, progress.rejected), (18, 9, 9));
    let faults: Vec<(i64, &str)> = progress.faults.iter().map(|fault| (fault.line, &*fault.reason)).collect();
    let expected: Vec<(i64, &str)> = bad
        .iter()
        .enumerate()
        .map(|(index, (.., reason))| (i64::try_from(index).unwrap() * 2 + 2, *reason))
        .collect();
    assert_eq!(faults, expected);
}

#[tokio::test]
async fn o1_who_a_client_is_must_be_found_and_found_once() {
    const SERIAL: u32 = 41_200;
    let suite = Shared::suite().await;
    let crm = suite.account("crm-east");
    for client in ["twin-a", "twin-b"] {
        let serial = SERIAL + u32::from(client == "twin-b");
        let mut twin = input(client, "east", serial);
        twin.phone = phone(SERIAL);
        files::save(&crm, twin).await;
    }
    let li = suite.employee("li");
    answered(&suite, "identify-1").await;
    let identify = |request: IdentifyClientRequest| IdentifyClientRequest {
        contact: "contacts/identify-1".to_owned(),
        request_id: id(),
        ..request
    };
    let by_phone =
        |serial: u32| identify(IdentifyClientRequest { phone: phone(serial), ..Default::default() });
    let refusal = refused(li.cases().identify_client(by_phone(SERIAL + 5)).await);
    meets("nobody", &refusal, Code::NotFound, "CLIENT_NOT_FOUND");
    let refusal = refused(li.cases().identify_client(by_phone(SERIAL)).await);
    meets("twins", &refusal, Code::FailedPrecondition, "CLIENT_AMBIGUOUS");
    assert_eq!(refusal.metadata["count"], "2");
    let both = identify(IdentifyClientRequest {
        phone: phone(SERIAL),
        client: "twin-a".to_owned(),
        ..Default::default()
    });
    assert_eq!(refused(li.cases().identify_client(both).await).code, Code::InvalidArgument);
    let resolve = ResolveClientRequest {
        phone: phone(SERIAL),
        identity_number: identity_number(SERIAL),
        ..Default::default()
    };
    assert_eq!(refused(li.clients().resolve_client(resolve).await).code, Code::InvalidArgument);
    let by_account =
        identify(IdentifyClientRequest { capital_account: files::account(SERIAL + 1), ..Default::default() });
    assert_eq!(li.cases().identify_client(by_account).await.unwrap().into_inner().client, "twin-b");
}
