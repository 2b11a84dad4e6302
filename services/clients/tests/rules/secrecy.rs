//! Personal data are kept secret (L10): nothing lies in clear in any table, and only services of the suite receive it over the feed.

use futures_util::StreamExt as _;
use shouwen_proto::{
    access::v1::CallContext,
    clients::v1::{
        AnswerVerificationRequest, ClientInput, GetFullClientRequest, ResolveClientRequest,
        StartVerificationRequest, Verification,
    },
    events::v1::{
        ClientSaved, IdentityFactor, WatchRequest, clients_event::Event, event::Body,
        event_feed_client::EventFeedClient, watch_response::Item,
    },
    r#type::v1::private::Form,
};
use shouwen_vault::Subject;
use sqlx::AssertSqlSafe;

use crate::service::{
    Bed, MORNING, account, hq, identity_number, input, lines, of_the_suite, refused, request_id, request_of,
    staff, stream_of,
};

/// Values that occur nowhere else.
fn canary() -> ClientInput {
    ClientInput {
        display_name: "欧阳珂芸".into(),
        phone: "13755502468".into(),
        identity_number: identity_number(913),
        email: "keyun.ouyang@canary.example".into(),
        address: "琥珀路九十七号金丝雀楼".into(),
        capital_accounts: vec![account("8086402951", true), account("8086402952", false)],
        holdings: vec!["CNRY01".into(), "CNRY02".into()],
        last_purchase: "CNRY03".into(),
        ..input("C-1")
    }
}

fn clear_texts() -> Vec<String> {
    let ClientInput { display_name, phone, identity_number, email, address, capital_accounts, .. } = canary();
    let mut texts = vec![display_name, phone, identity_number, email, address, "13766600000".into()];
    texts.extend(capital_accounts.into_iter().map(|account| account.account));
    texts.extend(["CNRY01", "CNRY02", "CNRY03", "CNRY99", "13755502468"].map(str::to_owned));
    texts
}

async fn verified(bed: &Bed) -> Verification {
    let zhang = staff("zhang");
    let start = StartVerificationRequest { name: "clients/C-1".into(), request_id: request_id() };
    let begun = bed.client().start_verification(request_of(&zhang, start)).await.unwrap().into_inner();
    let mut heard = begun.clone();
    for (factor, value) in [
        (IdentityFactor::ReservedPhone, "13755502468"),
        (IdentityFactor::LastPurchase, "CNRY99"),
        (IdentityFactor::Holdings, "CNRY02"),
    ] {
        let says = AnswerVerificationRequest {
            name: begun.client.clone(),
            verification: begun.verification.clone(),
            factor: factor.into(),
            value: value.into(),
            request_id: request_id(),
        };
        heard = bed.client().answer_verification(request_of(&zhang, says)).await.unwrap().into_inner();
    }
    heard
}

#[tokio::test]
async fn l10_nothing_of_a_client_lies_in_clear_in_any_table() {
    let bed = Bed::at(MORNING).await;
    bed.saved(canary()).await;
    let moved = ClientInput { phone: "13766600000".into(), contact_evidence: "R-1".into(), ..canary() };
    bed.client().import_clients(stream_of(&hq(), lines(&request_id(), [moved]))).await.unwrap();
    bed.saved(ClientInput { contact_evidence: "R-2".into(), ..canary() }).await;
    // Refused lines leave faults, and those no values.
    let mut twin = canary();
    twin.name = "clients/C-2".into();
    let bad = ClientInput { identity_number: "110105194912310021".into(), ..twin.clone() };
    bed.client().import_clients(stream_of(&hq(), lines(&request_id(), [twin, bad]))).await.unwrap();
    assert!(verified(&bed).await.passed);
    let full = GetFullClientRequest {
        name: "clients/C-1".into(),
        purpose: "reads back".into(),
        request_id: request_id(),
    };
    bed.client().get_full_client(request_of(&staff("zhang"), full)).await.unwrap();
    let nothing = ResolveClientRequest::default;
    for looked_for in [
        ResolveClientRequest { phone: canary().phone, ..nothing() },
        ResolveClientRequest { identity_number: canary().identity_number, ..nothing() },
        ResolveClientRequest { capital_account: "8086402951".into(), ..nothing() },
    ] {
        let found = bed.client().resolve_client(request_of(&staff("zhang"), looked_for)).await.unwrap();
        assert_eq!(found.into_inner().clients.len(), 1);
    }

    let mut superuser = bed.database.connect().await;
    let tables: Vec<String> = sqlx::query_scalar(
        "select quote_ident(schemaname) || '.' || quote_ident(tablename) from pg_tables where schemaname = 'clients'",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    let mut rows = 0;
    for table in &tables {
        let dump: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("select to_jsonb(t)::text from {table} t")))
                .fetch_all(&mut superuser)
                .await
                .unwrap();
        rows += dump.len();
        for row in dump {
            for text in clear_texts() {
                // Bytes are dumped in hex.
                assert!(!row.contains(&text), "a text lies in clear in {table}");
                assert!(!row.contains(&hex::encode(&text)), "a text lies in clear in {table}");
            }
        }
    }
    assert!(tables.len() > 15 && rows > 40, "{} tables, {rows} rows", tables.len());
}

#[tokio::test]
async fn l10_a_request_is_not_remembered_by_what_anybody_could_guess_from() {
    let bed = Bed::at(MORNING).await;
    bed.saved(canary()).await;
    let start = StartVerificationRequest { name: "clients/C-1".into(), request_id: request_id() };
    let begun =
        bed.client().start_verification(request_of(&staff("zhang"), start)).await.unwrap().into_inner();
    let says = AnswerVerificationRequest {
        name: begun.client,
        verification: begun.verification,
        factor: IdentityFactor::ReservedPhone.into(),
        value: "13755502468".into(),
        request_id: request_id(),
    };
    let request = request_of(&staff("zhang"), says);
    let digest = request.extensions().get::<shouwen_access::Caller>().unwrap().body_digest.unwrap();
    bed.client().answer_verification(request).await.unwrap();
    let remembered: Vec<u8> =
        sqlx::query_scalar("select fingerprint from request where method = 'AnswerVerification'")
            .fetch_one(&bed.pool)
            .await
            .unwrap();
    assert_eq!(remembered.len(), 32);
    assert_ne!(remembered, digest);
}

#[tokio::test]
async fn l10_two_clients_with_the_same_name_and_holdings_cannot_be_told_from_the_keys() {
    let mut bed = Bed::at(MORNING).await;
    let mut of = Vec::new();
    for id in ["C-1", "C-2"] {
        bed.saved(input(id)).await;
        let (_, Event::ClientSaved(saved)) = bed.next().await else { panic!("not saved") };
        bed.next_types(2).await;
        of.push(saved);
    }
    assert_eq!(of[0].text_keys.len(), 3);
    for (one, other) in of[0].text_keys.iter().zip(&of[1].text_keys) {
        assert_ne!(one, other);
    }
    assert_ne!(of[0].holdings_key, of[1].holdings_key);
    assert!(of[0].holding_keys.iter().all(|key| !of[1].holding_keys.contains(key)));
    assert_ne!(of[0].last_purchase_key, of[1].last_purchase_key);
}

async fn watched(bed: &Bed, who: &CallContext) -> ClientSaved {
    let request = WatchRequest { service: "clients".into(), after: None };
    let mut client = EventFeedClient::new(bed.first.service.routes());
    let mut items = client.watch(request_of(who, request)).await.unwrap().into_inner();
    loop {
        let item = items.next().await.unwrap().unwrap().item;
        let Some(Item::Event(event)) = item else { continue };
        let Some(Body::Clients(body)) = event.body else { panic!("another service's event") };
        if let Some(Event::ClientSaved(saved)) = body.event {
            return saved;
        }
    }
}

#[tokio::test]
async fn l10_services_of_the_suite_receive_the_file_in_clear_and_nobody_else_does() {
    let bed = Bed::at(MORNING).await;
    bed.saved(canary()).await;
    let system = of_the_suite();
    let clear = |private: Option<shouwen_proto::r#type::v1::Private>| match private.unwrap().form.unwrap() {
        Form::Clear(text) => text,
        Form::Sealed(_) => panic!("sealed"),
    };
    let seen = watched(&bed, &system).await;
    assert_eq!(clear(seen.name), "欧阳珂芸");
    assert_eq!(clear(seen.phone), "+8613755502468");
    assert_eq!(clear(seen.capital_accounts[1].account.clone()), "8086402952");
    assert_eq!(clear(seen.holdings), "CNRY01\nCNRY02");
    let seen = watched(&bed, &hq()).await;
    assert_eq!((seen.name, seen.phone, seen.email, seen.holdings), (None, None, None, None));
    assert_eq!((seen.name_masked.as_str(), seen.phone_masked.as_str()), ("欧***", "137****2468"));
    assert!(seen.capital_accounts.iter().all(|account| account.account.is_none()));
}

#[tokio::test]
async fn l10_an_erased_client_is_entered_no_more_and_holds_up_no_other() {
    let bed = Bed::at(MORNING).await;
    bed.saved(input("C-1")).await;
    // The service's own vault forgets an erased key within its lifetime; a fresh one at once.
    bed.vault().erase(&Subject::new("clients/C-2")).await.unwrap();
    assert_eq!(refused(bed.save(&hq(), input("C-2")).await), "DATA_ERASED");
    let messages = lines(&request_id(), [input("C-2"), input("C-3")]);
    bed.client().import_clients(stream_of(&hq(), messages)).await.unwrap();
    assert!(bed.get("clients/C-3").await.is_ok() && bed.get("clients/C-2").await.is_err());
}
