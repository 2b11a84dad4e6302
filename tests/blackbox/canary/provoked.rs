//! Requests that are refused although, or because, they are full of personal data.

use bytes::Bytes;
use prost::Message as _;
use shouwen_proto::{
    clients::v1::{
        AnswerVerificationRequest, ClientInput, GetFullClientRequest, ImportClientsRequest,
        ListClientsRequest, ResolveClientRequest, SaveClientRequest, StartVerificationRequest,
    },
    complaints::v1::ListComplaintsRequest,
    events::v1::IdentityFactor,
    ownership::v1::{IdentifyClientRequest, ListCasesRequest},
};
use shouwen_runtime::clock::now;
use tonic::{Response, Status};

use super::{
    bird::{
        BAD_PHONE, EMAIL, NAME, PHONE, WRONG_PHONE, account, bad_identity_number, identity_number, text,
        wrong_identity_number,
    },
    life::input,
};
use crate::harness::{Suite, complaints, files, id, raw, refused, requests, steps::answered};

const CALL: &str = "/shouwen.calls.v1.CallService/RecordCall";

/// What refusals said, as they came: messages and details of every language.
#[derive(Default)]
struct Said(Vec<u8>);

impl Said {
    fn note<T>(&mut self, what: &str, answer: Result<Response<T>, Status>) {
        let Err(status) = answer else { panic!("{what}: must be refused") };
        self.0.extend(status.message().as_bytes());
        self.0.extend(status.details());
        self.0.extend(format!("{:?}\n", refused::<()>(Err(status))).into_bytes());
    }
}

/// Provokes them.
pub(super) async fn refusals(suite: &Suite) -> Vec<u8> {
    let mut said = Said::default();
    of_calls(suite, &mut said).await;
    of_clients(suite, &mut said).await;
    of_cases_and_complaints(suite, &mut said).await;
    said.0
}

async fn of_calls(suite: &Suite, said: &mut Said) {
    let (li, telephony) = (suite.employee("li"), suite.account("telephony"));
    let case = answered(suite, "provoked-1", "li").await;
    let mut register = requests::register("provoked-2");
    register.caller = BAD_PHONE.into();
    said.note("a caller's number", telephony.calls().register_call(register).await);
    let full = || {
        let mut record = requests::record("provoked-1");
        (record.client_name, record.phone, record.summary) =
            (NAME.to_owned(), PHONE.to_owned(), text("摘要"));
        record
    };
    let mut phone = full();
    phone.phone = BAD_PHONE.into();
    let mut gender = full();
    gender.gender = NAME.into();
    let mut name = full();
    name.client_name = format!("{NAME}\u{7}");
    let mut long = full();
    long.summary = text("长").repeat(20_000);
    let mut etag = full();
    etag.etag = PHONE.into();
    for (what, record) in
        [("phone", phone), ("gender", gender), ("name", name), ("summary", long), ("etag", etag)]
    {
        said.note(what, li.calls().record_call(record).await);
    }
    // A colleague who may not, and a message that is cut short.
    said.note("a colleague", suite.employee("wang").calls().record_call(full()).await);
    let mut cut = full().encode_to_vec();
    cut.truncate(cut.len() - 3);
    said.note("a cut message", raw::call(&li, CALL, Bytes::from(cut), None).await);
    let mut promise = requests::promise("provoked-1", now() - chrono::TimeDelta::hours(1));
    (promise.phone, promise.subject) = (PHONE.to_owned(), text("事由"));
    said.note("a promise for yesterday", li.calls().promise_callback(promise).await);
    let mut offer = requests::offer(&case, "nobody");
    offer.explanation = text("说明");
    said.note("an offer to nobody", li.cases().offer_transfer(offer).await);
}

async fn of_clients(suite: &Suite, said: &mut Said) {
    let (crm, li) = (suite.account("crm-east"), suite.employee("li"));
    let other = |change: fn(&mut ClientInput)| {
        let mut client = input();
        client.name = "clients/canary-other".into();
        client.identity_number = String::new();
        client.capital_accounts[0].account = "880000000077".into();
        change(&mut client);
        client
    };
    let mut bad = vec![
        other(|client| client.phone = BAD_PHONE.into()),
        other(|client| client.identity_number = bad_identity_number()),
        other(|client| client.identity_number = NAME.into()),
        // Another client has it.
        other(|client| client.identity_number = identity_number()),
        other(|client| client.capital_accounts[0].account = account()),
        other(|client| client.capital_accounts[0].primary = false),
        other(|client| client.capital_accounts.push(client.capital_accounts[0].clone())),
        other(|client| client.email = format!("{EMAIL} or {EMAIL}")),
        other(|client| client.display_name = format!("{NAME}\u{7}")),
        other(|client| client.address = text("地址").repeat(20_000)),
        other(|client| client.holdings = vec![text("持仓"); 200]),
        other(|client| client.last_purchase = text("买入").repeat(1_000)),
        other(|client| client.branch = "branches/nowhere".into()),
    ];
    // L9: a phone that changes without evidence.
    let mut silent = input();
    silent.phone = WRONG_PHONE.into();
    bad.push(silent);
    for (index, client) in bad.iter().enumerate() {
        let save = SaveClientRequest { client: Some(client.clone()), etag: String::new(), request_id: id() };
        said.note(&format!("client {index}"), crm.clients().save_client(save).await);
    }
    let request_id = id();
    let lines: Vec<_> = bad
        .into_iter()
        .map(|client| ImportClientsRequest { request_id: request_id.clone(), line: 0, client: Some(client) })
        .collect();
    let count = i64::try_from(lines.len()).unwrap();
    let imported =
        crm.clients().import_clients(futures_util::stream::iter(lines)).await.unwrap().into_inner();
    let progress = files::progress(&imported);
    assert_eq!(progress.rejected, count, "{progress:?}");
    said.0.extend(format!("{progress:?}\n").into_bytes());

    let name = || "clients/canary".to_owned();
    let resolve = [
        ResolveClientRequest { phone: BAD_PHONE.to_owned(), ..Default::default() },
        ResolveClientRequest { identity_number: bad_identity_number(), ..Default::default() },
        ResolveClientRequest { phone: PHONE.to_owned(), capital_account: account(), ..Default::default() },
    ];
    for request in resolve {
        said.note("resolving", li.clients().resolve_client(request).await);
    }
    for filter in [format!("phone = {PHONE}"), format!("{NAME} = 1"), NAME.to_owned()] {
        let list = ListClientsRequest { parent: "branches/east".to_owned(), filter, ..Default::default() };
        said.note("a filter", li.clients().list_clients(list).await);
    }
    for filter in [format!("phone = {PHONE}"), format!("state = OPEN AND client = {NAME}"), NAME.to_owned()] {
        let list = ListCasesRequest { parent: "branches/east".to_owned(), filter, ..Default::default() };
        said.note("a filter", li.cases().list_cases(list).await);
    }
    let list = ListCasesRequest {
        parent: "branches/east".to_owned(),
        order_by: NAME.to_owned(),
        ..Default::default()
    };
    said.note("an order", li.cases().list_cases(list).await);
    let wang = suite.employee("wang");
    let full = GetFullClientRequest { name: name(), purpose: "查看".to_owned(), request_id: id() };
    said.note("without verification", wang.clients().get_full_client(full).await);
    let start = StartVerificationRequest { name: name(), request_id: id() };
    let verification = wang.clients().start_verification(start).await.unwrap().into_inner().verification;
    let answers = [
        (verification.clone(), IdentityFactor::ReservedPhone, BAD_PHONE.to_owned()),
        (verification.clone(), IdentityFactor::IdentityNumber, bad_identity_number()),
        (verification.clone(), IdentityFactor::Unspecified, identity_number()),
        (id(), IdentityFactor::IdentityNumber, identity_number()),
    ];
    for (verification, factor, value) in answers {
        let answer = AnswerVerificationRequest {
            name: name(),
            verification,
            factor: factor.into(),
            value,
            request_id: id(),
        };
        // Whether what nobody can have said is an error or a wrong answer, it is not repeated.
        match wang.clients().answer_verification(answer).await {
            Ok(answer) => said.0.extend(format!("{:?}\n", answer.into_inner()).into_bytes()),
            refused => said.note("an answer", refused),
        }
    }
}

async fn of_cases_and_complaints(suite: &Suite, said: &mut Said) {
    let li = suite.employee("li");
    let case = answered(suite, "provoked-3", "li").await;
    let identify = [
        IdentifyClientRequest { phone: WRONG_PHONE.to_owned(), ..Default::default() },
        IdentifyClientRequest { phone: BAD_PHONE.to_owned(), ..Default::default() },
        IdentifyClientRequest { identity_number: wrong_identity_number(), ..Default::default() },
        IdentifyClientRequest { identity_number: bad_identity_number(), ..Default::default() },
        IdentifyClientRequest { capital_account: format!("{}9", account()), ..Default::default() },
        IdentifyClientRequest { client: NAME.to_owned(), ..Default::default() },
        IdentifyClientRequest { client: "canary".to_owned(), phone: PHONE.to_owned(), ..Default::default() },
    ];
    for request in identify {
        let contact = "contacts/provoked-3".to_owned();
        let request = IdentifyClientRequest { contact, request_id: id(), ..request };
        said.note("identifying", li.cases().identify_client(request).await);
    }
    let full = || {
        let mut file = complaints::file(&case, &[]);
        (file.client_name, file.phone, file.course) = (NAME.to_owned(), PHONE.to_owned(), text("经过"));
        file
    };
    // Known by now, so that only what is wrong with it is refused.
    complaints::filed(&li, full()).await;
    let mut phone = full();
    phone.phone = BAD_PHONE.into();
    let mut category = full();
    category.category = text("类别");
    let mut name = full();
    name.client_name = format!("{NAME}\u{7}");
    let mut course = full();
    course.course = text("经过").repeat(20_000);
    let mut about = full();
    about.complained_about = vec![NAME.to_owned()];
    let mut unit = full();
    unit.receiving_unit = text("部门");
    for (what, file) in [
        ("phone", phone),
        ("category", category),
        ("name", name),
        ("course", course),
        ("complained about", about),
        ("unit", unit),
    ] {
        said.note(what, li.complaints().file_complaint(file).await);
    }
    said.note("a colleague", suite.employee("wang").complaints().file_complaint(full()).await);
    let filter = format!("client_name = {NAME}");
    let list = ListComplaintsRequest { parent: "branches/east".to_owned(), filter, ..Default::default() };
    said.note("a filter", li.complaints().list_complaints(list).await);
}
