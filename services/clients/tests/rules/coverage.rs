//! Each client has exactly one service manager (L8): by the assets, by name, by a lead's hand-over, and after the roster has changed.

use std::time::Duration;

use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::CallContext,
    clients::v1::{AssignServiceManagerRequest, Client, ClientInput, SaveClientRequest},
    events::v1::{ServiceManagerAssigned, clients_event::Event},
    r#type::v1::Position,
};
use shouwen_testkit::until;
use sqlx::Executor as _;
use tonic::{Code, Status};

use crate::service::{Bed, MORNING, OTHER_BRANCH, detail, hq, input, refused, request_id, request_of, staff};

fn with(id: &str, yuan: i64) -> ClientInput {
    ClientInput { assets_fen: yuan * 100, turnover_percent: 0, ..input(id) }
}

fn named(id: &str, yuan: i64, manager: &str) -> ClientInput {
    ClientInput { service_manager: format!("employees/{manager}"), ..with(id, yuan) }
}

async fn assigned(bed: &mut Bed) -> ServiceManagerAssigned {
    loop {
        if let (_, Event::ServiceManagerAssigned(assigned)) = bed.next().await {
            return assigned;
        }
    }
}

async fn assign(bed: &Bed, who: &CallContext, employee: &str, etag: &str) -> Result<Client, Status> {
    let request = AssignServiceManagerRequest {
        name: "clients/C-1".into(),
        employee: format!("employees/{employee}"),
        reason: "the client asked for it".into(),
        etag: etag.into(),
        request_id: request_id(),
    };
    bed.client().assign_service_manager(request_of(who, request)).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn l8_assets_decide_the_position_and_a_change_is_on_record() {
    let mut bed = Bed::at(MORNING).await;
    for (yuan, manager, position) in [
        (1_000_000, "head", Position::BranchHead),
        (500_000, "ma", Position::Manager),
        (100_000, "tan", Position::TeamLeader),
        (99_999, "an", Position::Unspecified),
    ] {
        let saved = bed.saved(with(&format!("C-{yuan}"), yuan)).await;
        assert_eq!(saved.service_manager, format!("employees/{manager}"));
        assert_eq!(saved.coverage(), position);
        let event = assigned(&mut bed).await;
        assert_eq!((event.former.as_str(), event.reason.as_str()), ("", "import"));
        assert_eq!(event.position(), position);
    }
    // More assets ask for somebody else, fewer do not.
    bed.saved(with("C-99999", 600_000)).await;
    let event = assigned(&mut bed).await;
    assert_eq!(
        (event.employee.as_str(), event.former.as_str(), event.reason.as_str()),
        ("employees/ma", "employees/an", "assets")
    );
    let kept = bed.saved(with("C-99999", 10)).await;
    assert_eq!((kept.service_manager.as_str(), kept.coverage()), ("employees/ma", Position::Unspecified));
}

#[tokio::test]
async fn l8_without_the_position_the_next_higher_one_serves_and_at_last_nobody() {
    let mut bed = Bed::at(MORNING).await;
    let nobody = bed.saved(ClientInput { branch: OTHER_BRANCH.into(), ..with("C-1", 10) }).await;
    assert_eq!(nobody.service_manager, "");
    bed.employee("tan", |saved| saved.active = false).await;
    bed.employee("ma", |saved| saved.roles = vec![shouwen_proto::access::v1::Role::Auditor.into()]).await;
    bed.taken_in().await;
    assert_eq!(bed.saved(with("C-2", 100_000)).await.service_manager, "employees/head");
    // Somebody comes: whom nobody served is served.
    bed.employee("wu", |saved| {
        saved.branch = OTHER_BRANCH.into();
        saved.position = Position::Manager.into();
    })
    .await;
    let event = assigned(&mut bed).await;
    let event = if event.employee == "employees/head" { assigned(&mut bed).await } else { event };
    assert_eq!((event.employee.as_str(), event.reason.as_str()), ("employees/wu", "roster"));
    assert_eq!(bed.get("clients/C-1").await.unwrap().service_manager, "employees/wu");
}

#[tokio::test]
async fn l8_whom_the_input_names_wins_if_high_enough_at_work_and_of_the_branch() {
    let bed = Bed::at(MORNING).await;
    bed.employee("wu", |saved| saved.branch = OTHER_BRANCH.into()).await;
    assert_eq!(bed.saved(named("C-1", 10, "head")).await.service_manager, "employees/head");
    let low = bed.save(&hq(), named("C-1", 500_000, "tan")).await.unwrap_err();
    assert_eq!((low.code(), reason_of(&low).unwrap().as_str()), (Code::InvalidArgument, "POSITION_TOO_LOW"));
    assert_eq!(detail(&low, "position"), "MANAGER");
    for stranger in ["wu", "nobody"] {
        let status = bed.save(&hq(), named("C-1", 10, stranger)).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).unwrap().as_str()),
            (Code::InvalidArgument, "MANAGER_INVALID")
        );
    }
    // Left to the service, who still may serves on.
    assert_eq!(bed.saved(with("C-1", 20)).await.service_manager, "employees/head");
}

#[tokio::test]
async fn l8_a_lead_hands_a_client_over_with_a_reason() {
    let mut bed = Bed::at(MORNING).await;
    let saved = bed.saved(with("C-1", 100_000)).await;
    assigned(&mut bed).await;
    assert_eq!(refused(assign(&bed, &staff("lead"), "an", "").await), "POSITION_TOO_LOW");
    assert_eq!(refused(assign(&bed, &staff("lead"), "nobody", "").await), "MANAGER_INVALID");
    assert_eq!(refused(assign(&bed, &staff("lead"), "Nobody", "").await), "FIELD_INVALID");
    let handed = assign(&bed, &staff("lead"), "ma", &saved.etag).await.unwrap();
    assert_eq!(handed.service_manager, "employees/ma");
    let event = assigned(&mut bed).await;
    assert_eq!((event.former.as_str(), event.reason.as_str()), ("employees/tan", "the client asked for it"));
    // Again it changes nothing; the etag has moved on.
    assert_eq!(assign(&bed, &staff("lead"), "ma", "").await.unwrap(), handed);
    assert_eq!(refused(assign(&bed, &staff("lead"), "head", &saved.etag).await), "ETAG_MISMATCH");
    let stranger =
        CallContext { branch: OTHER_BRANCH.into(), branches: vec![OTHER_BRANCH.into()], ..staff("wu") };
    assert_eq!(refused(assign(&bed, &stranger, "head", "").await), "BRANCH_OUT_OF_REACH");
    assert_eq!(assign(&bed, &hq(), "head", "").await.unwrap().service_manager, "employees/head");
    let unknown = AssignServiceManagerRequest {
        name: "clients/none".into(),
        employee: "employees/ma".into(),
        reason: "why".into(),
        request_id: request_id(),
        ..AssignServiceManagerRequest::default()
    };
    let answer = bed.client().assign_service_manager(request_of(&hq(), unknown.clone())).await;
    assert_eq!(refused(answer), "CLIENT_NOT_FOUND");
    let silent = AssignServiceManagerRequest { reason: " ".into(), name: "clients/C-1".into(), ..unknown };
    let answer = bed.client().assign_service_manager(request_of(&hq(), silent)).await;
    assert_eq!(refused(answer), "FIELD_INVALID");
}

#[tokio::test]
async fn l8_who_leaves_moves_or_falls_hands_over_all_clients_that_they_cannot_serve() {
    let mut bed = Bed::at(MORNING).await;
    let _another = bed.another().await;
    bed.employee("tao", |saved| saved.position = Position::TeamLeader.into()).await;
    bed.taken_in().await;
    for number in 0..230 {
        bed.saved(named(&format!("C-{number}"), if number < 3 { 100_000 } else { 10 }, "tan")).await;
    }
    for _ in 0..230 {
        assert_eq!(assigned(&mut bed).await.employee, "employees/tan");
    }
    // Fallen in position: only those clients go who ask for it.
    bed.employee("tan", |_| {}).await;
    for _ in 0..3 {
        let event = assigned(&mut bed).await;
        assert_eq!((event.employee.as_str(), event.reason.as_str()), ("employees/tao", "roster"));
        assert_eq!(event.former, "employees/tan");
    }
    // Gone: all the others, page by page, each once, whichever replica is at it.
    bed.employee("tan", |saved| saved.active = false).await;
    for _ in 0..227 {
        let event = assigned(&mut bed).await;
        assert_eq!((event.employee.as_str(), event.former.as_str()), ("employees/an", "employees/tan"));
    }
    // Moved: the same.
    bed.employee("an", |saved| saved.branch = OTHER_BRANCH.into()).await;
    for _ in 0..227 {
        assert_eq!(assigned(&mut bed).await.employee, "employees/tao", "nobody else is left in no position");
    }
    let left: i64 =
        sqlx::query_scalar("select count(*) from client where manager in ('employees/tan', 'employees/an')")
            .fetch_one(&bed.pool)
            .await
            .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l8_who_leaves_while_a_client_is_entered_does_not_keep_it() {
    let mut bed = Bed::at(MORNING).await;
    let mut superuser = bed.database.connect().await;
    superuser.execute("set search_path = clients").await.unwrap();
    // The save has read the roster and waits for the ledger.
    superuser.execute("begin; select 1 from ledger_head for update").await.unwrap();
    let mut client = bed.client();
    let request = SaveClientRequest {
        client: Some(with("C-1", 10)),
        request_id: request_id(),
        ..SaveClientRequest::default()
    };
    let saving = tokio::spawn(async move { client.save_client(request_of(&hq(), request)).await });
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    until("the save waits", Duration::from_secs(30), async || {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&bed.pool).await.unwrap();
        (waiting > 0).then_some(())
    })
    .await;
    // Whoever hands over the clients of those who left has found nothing to do.
    sqlx::query("update known_employee set active = false where id = 'employees/an'")
        .execute(&bed.pool)
        .await
        .unwrap();
    superuser.execute("commit").await.unwrap();
    saving.await.unwrap().unwrap();
    assert_eq!(assigned(&mut bed).await.employee, "employees/an");
    let event = assigned(&mut bed).await;
    assert_eq!((event.employee.as_str(), event.former.as_str()), ("employees/tan", "employees/an"));
    assert_eq!(event.reason, "roster");
}
