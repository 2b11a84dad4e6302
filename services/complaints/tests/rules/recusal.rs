//! O12: who a complaint is about takes no part in handling it.

use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::{CallContext, Role},
    complaints::v1::{FileComplaintRequest, GetComplaintRecordRequest},
    events::v1::{ComplaintEnd, ReplyKind, Severity},
};
use tonic::{Code, Status};

use crate::{
    calls::{form, proposal},
    people::{detail, handler, lead, officer, refused, request_id},
    service::Bed,
};

/// A complaint about lead, officer and its own handler.
async fn about_everybody(bed: &Bed) -> String {
    bed.open_case("cases/1", "7").await;
    let about = ["employees/zhang", "employees/officer", "employees/lead"].map(str::to_owned);
    let form = FileComplaintRequest { complained_about: about.to_vec(), ..form("cases/1") };
    bed.file(&handler("zhang", "cases/1"), form).await.unwrap().name
}

fn recused<T: std::fmt::Debug>(answer: Result<T, Status>, name: &str) {
    let status = answer.unwrap_err();
    assert_eq!((status.code(), reason_of(&status).as_deref()), (Code::PermissionDenied, Some("RECUSED")));
    assert_eq!(detail(Err::<(), _>(status), "complaint"), name);
}

#[tokio::test]
async fn o12_they_may_take_the_complaint_down_and_nothing_after_it() {
    let bed = Bed::at("2025-09-22T10:00").await;
    let name = about_everybody(&bed).await;
    let zhang = handler("zhang", "cases/1");
    recused(bed.accept("cases/1", &name).await, &name);
    recused(bed.decline(&officer("cases/1"), &name, "no grounds").await, &name);
    recused(bed.communicate(&zhang, &name, None).await, &name);
    recused(bed.reply(&zhang, &name, ReplyKind::First).await, &name);
    recused(bed.propose(&zhang, proposal(&name)).await, &name);
    recused(bed.approve(&lead("cases/1"), &name, "\"1\"").await, &name);
    recused(bed.send_back(&lead("cases/1"), &name).await, &name);
    recused(bed.measure(&zhang, &name, 1, true).await, &name);
    recused(bed.complete(&zhang, &name).await, &name);
    recused(bed.reopen(&lead("cases/1"), &name, "again").await, &name);
    recused(bed.close(&lead("cases/1"), &name, ComplaintEnd::Explained).await, &name);
    recused(bed.get(&zhang, &name).await, &name);
    recused(bed.review(&lead("cases/1"), &name).await, &name);
    let request =
        GetComplaintRecordRequest { name: name.clone(), purpose: "curious".into(), request_id: request_id() };
    recused(bed.record(&zhang, request).await, &name);
    assert_eq!(bed.ledger().await, ["complaint_filed"]);
}

#[tokio::test]
async fn o12_another_officer_accepts_and_the_names_go_to_who_verifies() {
    let mut bed = Bed::at("2025-09-22T10:00").await;
    let name = about_everybody(&bed).await;
    let other = CallContext {
        principal: "employees/sun".into(),
        employee: "employees/sun".into(),
        ..officer("cases/1")
    };
    bed.accept_as(&other, &name, Severity::Minor).await.unwrap();
    let li = handler("li", "cases/1");
    let proposed = bed.propose(&li, proposal(&name)).await.unwrap();
    assert_eq!(refused(bed.approve(&lead("cases/1"), &name, &proposed.etag).await), "RECUSED");
    let other_lead = CallContext { roles: vec![Role::Lead.into()], ..other };
    bed.approve(&other_lead, &name, &proposed.etag).await.unwrap();
    for measure in [1, 2] {
        bed.measure(&li, &name, measure, true).await.unwrap();
    }
    bed.reply(&li, &name, ReplyKind::Outcome).await.unwrap();
    bed.complete(&li, &name).await.unwrap();
    let (_, event) = bed.next_of("handling_completed").await;
    let shouwen_proto::events::v1::complaints_event::Event::HandlingCompleted(completed) = event else {
        panic!("{event:?}")
    };
    assert_eq!(completed.recused, ["employees/lead", "employees/officer", "employees/zhang"]);
}
