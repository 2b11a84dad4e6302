//! One client, one file (L1), and what reaches the client changes only with evidence (L9).

use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::CallContext,
    clients::v1::{ClientInput, GetClientRequest, ResolveClientRequest, SaveClientRequest},
    events::v1::clients_event::Event,
};
use tonic::Code;

use crate::service::{
    BRANCH, Bed, MORNING, OTHER_BRANCH, account, crm, detail, hq, identity_number, input, refused,
    request_id, request_of, staff,
};

/// What makes a file another one.
type Change = fn(&mut ClientInput);

fn save(client: ClientInput, etag: &str) -> SaveClientRequest {
    SaveClientRequest { client: Some(client), etag: etag.into(), request_id: request_id() }
}

#[tokio::test]
async fn l1_a_client_is_entered_once_and_the_same_file_again_changes_nothing() {
    let mut bed = Bed::at(MORNING).await;
    let first = bed.saved(input("C-1")).await;
    assert_eq!(bed.next_types(3).await, ["client_saved", "client_classified", "service_manager_assigned"]);
    assert_eq!((first.name.as_str(), first.branch.as_str()), ("clients/C-1", BRANCH));
    assert_eq!(first.capital_accounts.len(), 1);
    assert_eq!(first.create_time, first.update_time);
    // Sealing is random, spelling differs: it is the same file all the same.
    let spelled = |phone: &str| ClientInput {
        phone: phone.into(),
        holdings: vec!["000001".into(), "６００５１９".into()],
        ..input("C-1")
    };
    let phone = input("C-1").phone;
    let again = bed.saved(spelled(&format!("+86 {}-{}", &phone[..3], &phone[3..]))).await;
    assert_eq!(again, first);
    assert_eq!(bed.ledger("clients/C-1").await.len(), 3);
    // Each field counts.
    let changes: [Change; 9] = [
        |client| client.display_name = "王大明".into(),
        |client| client.address = "北京市".into(),
        |client| client.capital_accounts[0].custodian_bank = "建设银行".into(),
        |client| client.capital_accounts.push(account("90001234", false)),
        |client| client.assets_fen += 1,
        |client| client.turnover_percent += 1,
        |client| client.holdings.push("600000".into()),
        |client| client.last_purchase = "600000".into(),
        |client| client.identity_number = identity_number(1),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut client = input("C-1");
        change(&mut client);
        bed.saved(client).await;
        assert_eq!(bed.next().await.0.r#type, "client_saved", "{index}");
        bed.saved(input("C-1")).await;
        assert_eq!(bed.next().await.0.r#type, "client_saved", "{index} back");
    }
}

#[tokio::test]
async fn l1_a_repeated_request_is_answered_from_the_ledger_and_another_under_its_id_is_not() {
    let bed = Bed::at(MORNING).await;
    let request = save(input("C-1"), "");
    let first = bed.client().save_client(request_of(&hq(), request.clone())).await.unwrap().into_inner();
    bed.saved(ClientInput { assets_fen: 5, ..input("C-1") }).await;
    let again = bed.client().save_client(request_of(&hq(), request.clone())).await.unwrap().into_inner();
    assert_eq!(again, first, "as it was then");
    assert_eq!(bed.get("clients/C-1").await.unwrap().assets_fen, 5);
    let other = SaveClientRequest { client: Some(input("C-2")), ..request };
    assert_eq!(refused(bed.client().save_client(request_of(&hq(), other)).await), "REQUEST_ID_REUSED");
    let without = SaveClientRequest { request_id: String::new(), ..save(input("C-1"), "") };
    assert_eq!(refused(bed.client().save_client(request_of(&hq(), without)).await), "REQUEST_ID_REQUIRED");
}

#[tokio::test]
async fn l1_a_stale_etag_is_refused_and_verifying_makes_none_stale() {
    let bed = Bed::at(MORNING).await;
    let read = bed.saved(input("C-1")).await;
    let start = shouwen_proto::clients::v1::StartVerificationRequest {
        name: read.name.clone(),
        request_id: request_id(),
    };
    bed.client().start_verification(request_of(&staff("zhang"), start)).await.unwrap();
    let changed = ClientInput { assets_fen: 7, ..input("C-1") };
    let saved = bed.client().save_client(request_of(&hq(), save(changed, &read.etag))).await;
    assert_ne!(saved.unwrap().into_inner().etag, read.etag);
    let stale = bed.client().save_client(request_of(&hq(), save(input("C-1"), &read.etag))).await;
    let status = stale.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).unwrap().as_str()), (Code::Aborted, "ETAG_MISMATCH"));
    let unread = bed.client().save_client(request_of(&hq(), save(input("C-9"), "\"3\""))).await;
    assert_eq!(refused(unread), "ETAG_MISMATCH");
}

#[tokio::test]
async fn l1_identity_number_and_capital_account_belong_to_one_client() {
    let bed = Bed::at(MORNING).await;
    let number = identity_number(17);
    let with_number = |id: &str| ClientInput { identity_number: number.clone(), ..input(id) };
    bed.saved(with_number("C-1")).await;
    let status = bed.save(&hq(), with_number("C-2")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::AlreadyExists, "IDENTITY_NUMBER_TAKEN")
    );
    assert_eq!(detail(&status, "client"), "clients/C-1");
    let mut twin = input("C-2");
    twin.capital_accounts.push(account(&input("C-1").capital_accounts[0].account, false));
    let status = bed.save(&hq(), twin).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::AlreadyExists, "CAPITAL_ACCOUNT_TAKEN")
    );
    assert_eq!(detail(&status, "field"), "client.capital_accounts[1].account");
    // What one gives up another may have.
    bed.saved(input("C-1")).await;
    bed.saved(with_number("C-2")).await;
    assert_eq!(refused(bed.get("clients/C-9").await), "CLIENT_NOT_FOUND");
}

#[tokio::test]
async fn l1_at_most_the_policys_accounts_with_one_primary() {
    let mut bed = Bed::at(MORNING).await;
    let with = |count: usize| ClientInput {
        capital_accounts: (0..count).map(|index| account(&format!("5000000{index}"), index == 0)).collect(),
        ..input("C-1")
    };
    assert_eq!(refused(bed.save(&hq(), with(6)).await), "TOO_MANY_ACCOUNTS");
    assert_eq!(refused(bed.save(&hq(), with(0)).await), "PRIMARY_ACCOUNT_REQUIRED");
    let saved = bed.saved(with(5)).await;
    assert_eq!(saved.capital_accounts.iter().filter(|account| account.primary).count(), 1);
    bed.policy(&serde_json::json!({"capital_accounts": 6})).await;
    assert_eq!(bed.saved(with(6)).await.capital_accounts.len(), 6);
}

#[tokio::test]
async fn l1_an_unknown_branch_or_one_out_of_reach_is_refused() {
    let bed = Bed::at(MORNING).await;
    let elsewhere = |branch: &str| ClientInput { branch: branch.into(), ..input("C-1") };
    let status = bed.save(&hq(), elsewhere("branches/none")).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::InvalidArgument, "BRANCH_UNKNOWN")
    );
    let status = bed.save(&crm(), elsewhere(OTHER_BRANCH)).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).unwrap().as_str()),
        (Code::PermissionDenied, "BRANCH_OUT_OF_REACH")
    );
    // Nor is a client of another branch taken over.
    bed.saved(elsewhere(OTHER_BRANCH)).await;
    let status = bed.save(&crm(), input("C-1")).await.unwrap_err();
    assert_eq!(reason_of(&status).unwrap(), "BRANCH_OUT_OF_REACH");
    assert_eq!(detail(&status, "branch"), OTHER_BRANCH);
    assert_eq!(bed.saved(input("C-1")).await.branch, BRANCH);
}

#[tokio::test]
async fn l1_a_client_is_found_by_phone_identity_number_and_account_in_any_spelling() {
    let bed = Bed::at(MORNING).await;
    let shared = |id: &str, sequence: u32| ClientInput {
        phone: "13812345678".into(),
        identity_number: identity_number(sequence),
        ..input(id)
    };
    bed.saved(shared("C-1", 1)).await;
    bed.saved(shared("C-2", 2)).await;
    bed.saved(ClientInput { branch: OTHER_BRANCH.into(), ..input("C-3") }).await;
    let find = async |request: ResolveClientRequest| {
        let found = bed.client().resolve_client(request_of(&staff("zhang"), request)).await?.into_inner();
        Ok(found.clients.into_iter().map(|client| client.name).collect::<Vec<_>>())
    };
    let by_phone =
        |phone: &str| ResolveClientRequest { phone: phone.into(), ..ResolveClientRequest::default() };
    assert_eq!(find(by_phone("+86 138-1234-5678")).await.unwrap(), ["clients/C-1", "clients/C-2"]);
    assert!(find(by_phone("13900000000")).await.unwrap().is_empty());
    let number = ResolveClientRequest { identity_number: identity_number(2), ..by_phone("") };
    assert_eq!(find(number).await.unwrap(), ["clients/C-2"]);
    let capital_account = input("C-3").capital_accounts[0].account.clone();
    let account = ResolveClientRequest { capital_account, ..by_phone("") };
    assert_eq!(find(account).await.unwrap(), ["clients/C-3"], "of any branch");
    let both = ResolveClientRequest { capital_account: "123456".into(), ..by_phone("13812345678") };
    for (bad, reason) in
        [(both, "FIELD_INVALID"), (by_phone(""), "FIELD_INVALID"), (by_phone("12"), "PHONE_INVALID")]
    {
        assert_eq!(refused(find(bad).await), reason);
    }
    // A number that was given up finds nobody any more.
    let moved =
        ClientInput { phone: "13911112222".into(), contact_evidence: "R-1".into(), ..shared("C-1", 1) };
    bed.saved(moved).await;
    assert_eq!(find(by_phone("13812345678")).await.unwrap(), ["clients/C-2"]);
    assert_eq!(find(by_phone("13911112222")).await.unwrap(), ["clients/C-1"]);
}

#[tokio::test]
async fn l9_phone_and_email_change_only_with_evidence() {
    let mut bed = Bed::at(MORNING).await;
    bed.saved(input("C-1")).await;
    bed.next_types(3).await;
    let changes: [(&str, Change); 3] = [
        ("phone", |client| client.phone = "13911112222".into()),
        ("email", |client| client.email = "new@example.com".into()),
        ("email", |client| client.email = String::new()),
    ];
    for (field, change) in changes {
        let mut client = input("C-1");
        change(&mut client);
        let status = bed.save(&hq(), client.clone()).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).unwrap().as_str()),
            (Code::InvalidArgument, "EVIDENCE_REQUIRED")
        );
        assert_eq!(detail(&status, "changed"), field);
        client.contact_evidence = "recordings/2026-05-06/17".into();
        bed.saved(client).await;
        let (_, Event::ClientSaved(saved)) = bed.next().await else { panic!("not saved") };
        assert_eq!(saved.contact_evidence, "recordings/2026-05-06/17");
        bed.saved(ClientInput { contact_evidence: "forms/9".into(), ..input("C-1") }).await;
        bed.next().await;
    }
    // Evidence alone is no change, and another change carries none.
    bed.saved(ClientInput { contact_evidence: "forms/10".into(), ..input("C-1") }).await;
    bed.saved(ClientInput { assets_fen: 3, contact_evidence: "forms/11".into(), ..input("C-1") }).await;
    let (_, Event::ClientSaved(saved)) = bed.next().await else { panic!("not saved") };
    assert_eq!((saved.contact_evidence.as_str(), saved.assets_fen), ("", 3));
}

#[tokio::test]
async fn what_is_no_name_is_told_apart_from_what_does_not_exist() {
    let bed = Bed::at(MORNING).await;
    let get = async |name: &str| {
        let request = GetClientRequest { name: name.into() };
        bed.client().get_client(request_of(&CallContext { roles: Vec::new(), ..hq() }, request)).await
    };
    assert_eq!(refused(get("C-1").await), "FIELD_INVALID");
    let status = get("clients/C-1").await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).unwrap().as_str()), (Code::NotFound, "CLIENT_NOT_FOUND"));
    assert_eq!(
        refused(bed.save(&hq(), ClientInput { name: "C-1".into(), ..input("C-1") }).await),
        "FIELD_INVALID"
    );
}
