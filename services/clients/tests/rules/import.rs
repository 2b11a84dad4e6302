//! Imports (L1): line by line, no good line lost, an operation to watch, and safe to send again.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message as _;
use shouwen_access::{Caller, status::reason_of};
use shouwen_proto::{
    access::v1::CallContext,
    clients::v1::{
        ClientInput, GetOperationRequest, ImportClientsRequest, ImportProgress, ListImportFaultsRequest,
        ListImportFaultsResponse, client_service_client::ClientServiceClient,
    },
    events::v1::clients_event::Event,
    longrunning::{Operation, operation},
};
use tokio::sync::mpsc;
use tonic::{
    Code, Response, Status,
    transport::{Endpoint, Server, server::TcpIncoming},
};
use tower::{ServiceExt as _, util::MapRequestLayer};

use crate::service::{
    Bed, MORNING, OTHER_BRANCH, account, crm, hq, identity_number, input, lines, refused, request_id,
    request_of, staff, stream_of,
};

async fn import(
    bed: &Bed,
    who: &CallContext,
    messages: Vec<ImportClientsRequest>,
) -> Result<Operation, Status> {
    bed.client().import_clients(stream_of(who, messages)).await.map(Response::into_inner)
}

fn progress(operation: &Operation) -> ImportProgress {
    ImportProgress::decode(operation.metadata.as_ref().unwrap().value.as_slice()).unwrap()
}

/// Created, updated, unchanged, rejected of as many lines.
fn counts(operation: &Operation) -> (i64, [i64; 4]) {
    let progress = progress(operation);
    (progress.lines, [progress.created, progress.updated, progress.unchanged, progress.rejected])
}

fn many(count: usize) -> impl Iterator<Item = ClientInput> {
    (0..count).map(|number| ClientInput {
        phone: format!("139{number:08}"),
        capital_accounts: vec![account(&format!("7{number:07}"), true)],
        ..input(&format!("M-{number}"))
    })
}

async fn get(bed: &Bed, name: &str) -> Result<Operation, Status> {
    let request = GetOperationRequest { name: name.into() };
    bed.client().get_operation(request_of(&hq(), request)).await.map(Response::into_inner)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_an_import_enters_every_good_line_and_reports_each_bad_one() {
    let mut bed = Bed::at(MORNING).await;
    let mut clients: Vec<ClientInput> = many(450).collect();
    clients[3].phone = "12".into();
    clients[10].identity_number = "110105194912310021".into();
    clients[11].assets_fen = -1;
    clients[12].capital_accounts[0].primary = false;
    clients[13].branch = "branches/none".into();
    clients[14].capital_accounts[0].account.clone_from(&many(3).last().unwrap().capital_accounts[0].account);
    clients[15].service_manager = "employees/nobody".into();
    clients[449].display_name = String::new();
    let mut messages = lines(&request_id(), clients);
    messages[16].client = None;
    messages[449].line = 1001;
    let done = import(&bed, &hq(), messages).await.unwrap();
    assert!(done.done);
    assert_eq!(counts(&done), (450, [441, 0, 0, 9]));
    let faults: Vec<(i64, String, String)> = progress(&done)
        .faults
        .into_iter()
        .map(|fault| {
            assert!(!fault.description.is_empty());
            (fault.line, fault.field, fault.reason)
        })
        .collect();
    let expected = [
        (4, "client.phone", "PHONE_INVALID"),
        (11, "client.identity_number", "IDENTITY_NUMBER_INVALID"),
        (12, "client.assets_fen", "FIELD_INVALID"),
        (13, "client.capital_accounts", "PRIMARY_ACCOUNT_REQUIRED"),
        (14, "client.branch", "BRANCH_UNKNOWN"),
        (15, "client.capital_accounts[0].account", "CAPITAL_ACCOUNT_TAKEN"),
        (16, "client.service_manager", "MANAGER_INVALID"),
        (17, "client", "FIELD_INVALID"),
        (1001, "client.display_name", "FIELD_INVALID"),
    ]
    .map(|(line, field, reason)| (line, field.to_owned(), reason.to_owned()));
    assert_eq!(faults, expected);
    // In the order in which they came, and the operation tells the same as the answer did.
    assert_eq!(bed.next().await.0.r#type, "import_begun");
    assert_eq!(get(&bed, &done.name).await.unwrap(), done);
    let Some(operation::Result::Response(response)) = done.result else { panic!("no response") };
    assert_eq!(Some(response), done.metadata);
    let entered: i64 = sqlx::query_scalar("select count(*) from client").fetch_one(&bed.pool).await.unwrap();
    assert_eq!(entered, 441);
}

#[tokio::test]
async fn l1_faults_are_listed_in_pages_beyond_those_that_the_operation_shows() {
    let bed = Bed::at(MORNING).await;
    let bad = many(250).map(|client| ClientInput { phone: String::new(), ..client });
    let done = import(&bed, &crm(), lines(&request_id(), bad)).await.unwrap();
    assert_eq!((progress(&done).rejected, progress(&done).faults.len()), (250, 100));
    let list = async |who: &CallContext, size, token: &str| {
        let request =
            ListImportFaultsRequest { parent: done.name.clone(), page_size: size, page_token: token.into() };
        let answer = bed.client().list_import_faults(request_of(who, request)).await;
        answer.map(Response::<ListImportFaultsResponse>::into_inner)
    };
    let mut listed = Vec::new();
    let mut token = String::new();
    loop {
        let page = list(&hq(), 60, &token).await.unwrap();
        listed.extend(page.faults.into_iter().map(|fault| fault.line));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(listed, (1..=250).collect::<Vec<_>>());
    let token = list(&hq(), 60, "").await.unwrap().next_page_token;
    assert_eq!(refused(list(&crm(), 60, &token).await), "PAGE_TOKEN_INVALID");
    assert_eq!(refused(list(&hq(), -1, "").await), "FIELD_INVALID");
    let unknown = format!("operations/{}", "0".repeat(32));
    for name in [unknown.as_str(), "operations/x", "x"] {
        assert_eq!(refused(get(&bed, name).await), "OPERATION_NOT_FOUND");
    }
}

#[tokio::test]
async fn l1_a_later_line_about_the_same_client_is_a_change_of_the_former() {
    let bed = Bed::at(MORNING).await;
    let with = |assets_fen| ClientInput { assets_fen, ..input("C-1") };
    let clients = [with(1), with(2), with(2), input("C-2"), with(1)];
    let done = import(&bed, &hq(), lines(&request_id(), clients)).await.unwrap();
    assert_eq!(counts(&done), (5, [2, 2, 1, 0]));
    assert_eq!(bed.get("clients/C-1").await.unwrap().assets_fen, 1);
    // Of two with one identity number the first has it.
    let twin = |id: &str| ClientInput { identity_number: identity_number(5), ..input(id) };
    let done = import(&bed, &hq(), lines(&request_id(), [twin("T-1"), twin("T-2")])).await.unwrap();
    assert_eq!(progress(&done).faults[0].reason, "IDENTITY_NUMBER_TAKEN");
    assert!(bed.get("clients/T-1").await.is_ok() && bed.get("clients/T-2").await.is_err());
}

#[tokio::test]
async fn l1_a_finished_import_sent_again_is_answered_as_it_ended() {
    let bed = Bed::at(MORNING).await;
    let id = request_id();
    let done = import(&bed, &hq(), lines(&id, many(5))).await.unwrap();
    bed.saved(ClientInput { assets_fen: 9, ..many(1).next().unwrap() }).await;
    let other = many(300).map(|client| ClientInput { assets_fen: 77, ..client });
    assert_eq!(import(&bed, &hq(), lines(&id, other)).await.unwrap(), done);
    assert_eq!(bed.get("clients/M-0").await.unwrap().assets_fen, 9);
    assert_eq!(bed.ledger(&done.name).await, ["import_begun", "import_progressed", "import_ended"]);
    // Another caller's same id is another import; the same lines under another id change only what has changed since.
    let theirs = import(&bed, &crm(), lines(&id, many(5))).await.unwrap();
    assert_ne!(theirs.name, done.name);
    assert_eq!(counts(&theirs), (5, [0, 1, 4, 0]));
}

/// Calls `ImportClients` with a body that breaks behind these messages.
async fn broken(bed: &Bed, who: &CallContext, messages: Vec<ImportClientsRequest>) -> Status {
    let frames = stream::iter(messages).map(|message| {
        let message = message.encode_to_vec();
        let mut frame = vec![0];
        frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        frame.extend(message);
        Ok::<_, Status>(Frame::data(Bytes::from(frame)))
    });
    let cut = stream::once(async { Err(Status::cancelled("the caller is gone")) });
    let request = http::Request::post("http://clients/shouwen.clients.v1.ClientService/ImportClients")
        .header("content-type", "application/grpc")
        .extension(Caller::of_context(who.clone()).unwrap())
        .body(tonic::body::Body::new(StreamBody::new(frames.chain(cut))))
        .unwrap();
    let response = bed.first.service.routes().oneshot(request).await.unwrap();
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test]
async fn l1_what_a_broken_stream_brought_stays_and_all_lines_are_sent_again() {
    let mut bed = Bed::at(MORNING).await;
    let id = request_id();
    let status = broken(&bed, &hq(), lines(&id, many(3))).await;
    assert_eq!((status.code(), reason_of(&status).unwrap().as_str()), (Code::Aborted, "STREAM_BROKEN"));
    let (row, _) = bed.next().await;
    let operation = get(&bed, &row.aggregate).await.unwrap();
    assert!(operation.done);
    assert_eq!(counts(&operation), (3, [3, 0, 0, 0]));
    let Some(operation::Result::Error(error)) = &operation.result else { panic!("no error") };
    assert_eq!(error.code, i32::from(Code::Aborted));
    // Somebody changes a client meanwhile: the line that was taken before does not undo it.
    bed.saved(ClientInput { assets_fen: 9, ..many(1).next().unwrap() }).await;
    let mut clients: Vec<ClientInput> = many(5).collect();
    clients[4].phone = String::new();
    let again = import(&bed, &hq(), lines(&id, clients)).await.unwrap();
    assert_eq!(again.name, operation.name);
    assert_eq!(counts(&again), (5, [1, 0, 3, 1]), "the numbers are the last attempt's");
    assert_eq!(bed.get("clients/M-0").await.unwrap().assets_fen, 9);
    assert_eq!(
        bed.ledger(&again.name).await,
        [
            "import_begun",
            "import_progressed",
            "import_ended",
            "import_begun",
            "import_progressed",
            "import_ended"
        ]
    );
}

#[tokio::test]
async fn l1_a_caller_who_goes_away_breaks_the_stream() {
    let mut bed = Bed::at(MORNING).await;
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let caller = Caller::of_context(hq()).unwrap();
    let introduce = MapRequestLayer::new(move |mut request: http::Request<_>| {
        request.extensions_mut().insert(caller.clone());
        request
    });
    let server = Server::builder().layer(introduce).add_routes(bed.first.service.routes());
    tokio::spawn(server.serve_with_incoming(incoming));
    let channel = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let sent = stream::iter(lines(&request_id(), many(1))).chain(stream::pending());
    let mut client = ClientServiceClient::new(channel);
    let call = tokio::spawn(async move { client.import_clients(sent).await });
    let (begun, _) = bed.next().await;
    bed.next_types(4).await;
    call.abort();
    let (row, Event::ImportEnded(ended)) = bed.next().await else { panic!("no end") };
    assert_eq!((row.aggregate, ended.error.as_str()), (begun.aggregate, "STREAM_BROKEN"));
}

#[tokio::test]
async fn l1_lines_are_worked_on_as_they_arrive_and_a_second_attempt_stops_the_first() {
    let mut bed = Bed::at(MORNING).await;
    let id = request_id();
    let (sender, receiver) = mpsc::channel::<ImportClientsRequest>(10);
    let source = stream::unfold(receiver, |mut receiver| async move {
        let message = receiver.recv().await?;
        Some((message, receiver))
    });
    let mut request = tonic::Request::new(source);
    request.extensions_mut().insert(Caller::of_context(hq()).unwrap());
    let mut client = bed.client();
    let first = tokio::spawn(async move { client.import_clients(request).await });
    let messages = lines(&id, many(3));
    sender.send(messages[0].clone()).await.unwrap();
    let (begun, _) = bed.next().await;
    bed.next_types(3).await;
    let (row, Event::ImportProgressed(progressed)) = bed.next().await else { panic!("no progress") };
    assert_eq!((row.aggregate.as_str(), progressed.created), (begun.aggregate.as_str(), 1));
    let running = get(&bed, &begun.aggregate).await.unwrap();
    assert!(!running.done && running.result.is_none());
    assert_eq!(counts(&running), (1, [1, 0, 0, 0]));
    let second = import(&bed, &hq(), messages.clone()).await.unwrap();
    assert_eq!(counts(&second), (3, [2, 0, 1, 0]));
    // The first may send whatever it likes.
    sender.send(messages[1].clone()).await.unwrap();
    assert_eq!(refused(first.await.unwrap()), "IMPORT_SUPERSEDED");
    assert_eq!(get(&bed, &begun.aggregate).await.unwrap(), second);
}

#[tokio::test]
async fn l1_an_import_without_a_request_id_or_out_of_reach_enters_nothing() {
    let bed = Bed::at(MORNING).await;
    assert_eq!(refused(import(&bed, &hq(), Vec::new()).await), "REQUEST_ID_REQUIRED");
    assert_eq!(refused(import(&bed, &hq(), lines("", many(1))).await), "REQUEST_ID_REQUIRED");
    assert_eq!(refused(import(&bed, &hq(), lines("7", many(1))).await), "FIELD_INVALID");
    let elsewhere = many(1).map(|client| ClientInput { branch: OTHER_BRANCH.into(), ..client });
    let done = import(&bed, &crm(), lines(&request_id(), elsewhere)).await.unwrap();
    assert_eq!(progress(&done).faults[0].reason, "BRANCH_OUT_OF_REACH");
    let entered: i64 = sqlx::query_scalar("select count(*) from client").fetch_one(&bed.pool).await.unwrap();
    assert_eq!(entered, 0);
}

#[tokio::test]
async fn an_import_ends_when_the_service_does() {
    let mut bed = Bed::at(MORNING).await;
    let (sender, receiver) = mpsc::channel::<ImportClientsRequest>(10);
    let source = stream::unfold(receiver, |mut receiver| async move {
        let message = receiver.recv().await?;
        Some((message, receiver))
    });
    let mut request = tonic::Request::new(source);
    request.extensions_mut().insert(Caller::of_context(hq()).unwrap());
    let mut client = bed.client();
    let first = tokio::spawn(async move { client.import_clients(request).await });
    sender.send(lines(&request_id(), many(1)).remove(0)).await.unwrap();
    let (begun, _) = bed.next().await;
    bed.next_types(4).await;
    bed.first.stop.cancel();
    let answer = tokio::time::timeout(Duration::from_secs(30), first).await.unwrap().unwrap();
    assert_eq!(refused(answer), "SHUTTING_DOWN");
    let operation = get(&bed, &begun.aggregate).await.unwrap();
    let Some(operation::Result::Error(error)) = operation.result else { panic!("no error") };
    assert!(error.message.starts_with("INTERRUPTED"), "{}", error.message);
    drop(sender);
}

#[tokio::test]
async fn faults_are_told_in_the_callers_language() {
    let bed = Bed::at(MORNING).await;
    let bad = many(1).map(|client| ClientInput { phone: "12".into(), ..client });
    let chinese = CallContext { language: "zh-CN".into(), ..staff("admin") };
    let done = import(&bed, &chinese, lines(&request_id(), bad)).await.unwrap();
    assert!(progress(&done).faults[0].description.contains("电话号码"));
}
