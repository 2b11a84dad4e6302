//! Personal data (L10): sealed where they are kept, masked where they are shown, absent from refusals.

use shouwen_proto::calls::v1::{PromiseCallbackRequest, RecordCallRequest, RegisterCallRequest};
use shouwen_vault::Subject;

use crate::{
    harness::{PHONE, Running, by, call_from, employee, metadata, proto_time, reason, request_id},
    reads,
    steps::{Step, sheet},
};

const DIGITS: &str = "13812345678";

#[tokio::test]
async fn l10_reads_show_masks_only() {
    let running = Running::start().await;
    let name = Step::Confirm.prepare(&running, "c1").await;
    let call = reads::get(&running, employee("li"), &name).await.unwrap().into_inner();
    assert_eq!(call.caller, "138****5678");
    let record = call.record.unwrap();
    assert_eq!((record.client_name.as_str(), record.phone.as_str()), ("张**", "138****5678"));
    assert_eq!((record.gender.as_str(), record.inquiry_type.as_str()), ("female", "账户"));
    assert_eq!(record.identity_checks, ["holdings", "reserved_phone"]);
    assert_eq!(
        (record.computer_familiarity, record.trading_familiarity, record.securities_familiarity),
        (2, 3, 4)
    );
}

#[tokio::test]
async fn l10_nothing_lies_in_clear_in_the_database() {
    let running = Running::start().await;
    let name = Step::Promise.prepare(&running, "c1").await;
    Step::Record.take(&running, &name, Step::Record.actor(), &request_id()).await.unwrap();
    let request = PromiseCallbackRequest {
        name: name.clone(),
        agreed_time: Some(proto_time("14:00:00")),
        phone: PHONE.into(),
        subject: "约定回复开户事宜".into(),
        request_id: request_id(),
        ..PromiseCallbackRequest::default()
    };
    running.client().promise_callback(by(Step::Promise.actor(), request)).await.unwrap();
    let states: String = sqlx::query_scalar("select string_agg(state::text, '') from call")
        .fetch_one(&running.pool)
        .await
        .unwrap();
    let payloads: Vec<u8> = sqlx::query_scalar("select string_agg(payload, '') from ledger")
        .fetch_one(&running.pool)
        .await
        .unwrap();
    for clear in [DIGITS, "+86", "小红", "开户", "谨慎"] {
        assert!(!states.contains(clear), "{clear}");
        assert!(!payloads.windows(clear.len()).any(|window| window == clear.as_bytes()), "{clear}");
    }
}

#[tokio::test]
async fn l10_after_an_erasure_the_contact_remains_without_its_person() {
    let running = Running::start().await;
    let name = Step::Confirm.prepare(&running, "c1").await;
    running.vault.erase(&Subject::contact("c1")).await.unwrap();
    let record = reads::get(&running, employee("li"), &name).await.unwrap().into_inner().record.unwrap();
    assert_eq!((record.client_name.as_str(), record.phone.as_str()), ("", ""));
    assert_eq!(record.gender, "female");
    let refused = Step::Record.take(&running, &name, Step::Record.actor(), &request_id()).await;
    assert_eq!(reason(refused), "DATA_ERASED");
}

#[tokio::test]
async fn l10_refusals_never_repeat_what_was_written() {
    let running = Running::start().await;
    let name = Step::Record.prepare(&running, "c1").await;
    let number = "1381234567X";
    let refused = running
        .register(employee("zhang"), RegisterCallRequest { caller: number.into(), ..call_from("c2") })
        .await
        .unwrap_err();
    assert_eq!(metadata(&refused, "field"), "caller");
    assert!(!format!("{refused:?}").contains("1381234567"));
    let wrong = [
        RecordCallRequest { phone: number.into(), ..sheet(&name) },
        RecordCallRequest { client_name: "王\u{0}小明".into(), ..sheet(&name) },
        RecordCallRequest { gender: "王小明".into(), ..sheet(&name) },
        RecordCallRequest { identity_checks: vec!["王小明".into()], ..sheet(&name) },
        RecordCallRequest { summary: "王小明".repeat(4_000), ..sheet(&name) },
    ];
    for request in wrong {
        let refused = running.client().record_call(by(Step::Record.actor(), request)).await.unwrap_err();
        let told = format!("{refused:?} {}", String::from_utf8_lossy(refused.details()));
        assert!(!told.contains("小明") && !told.contains("1381234567"), "{told}");
    }
}
