//! What is away for a while: the database, its schema, a replica. Services wait, say what they wait for, and recover by themselves.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use shouwen_proto::{
    calls::v1::GetCallRequest,
    events::v1::{WatchRequest, watch_response::Item},
};
use shouwen_testkit::{TestDatabase, TestPostgres, until};
use sqlx::{Connection as _, Executor as _};
use tonic::Code;

use crate::harness::{
    Client, PATIENCE, Refusal, Shape, Suite,
    collector::Collector,
    deployment::Kind,
    place::{self, OwnCluster, Place, SERVICES},
    ports, process, refused,
    requests::{answer, record, register},
};

#[tokio::test]
async fn services_wait_for_a_database_that_is_away_at_start_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = OwnCluster::start_migrated(dir.path()).await;
    cluster.stop().await;
    let suite = Suite::prepared(cluster.migrated(), &Shape::default());
    suite.start_all();
    for process in suite.processes() {
        let page = process.unready("is not reachable yet", PATIENCE).await;
        assert!(page.contains("127.0.0.1") && !page.contains("of-"), "{page}");
        assert!(process.alive().await);
    }
    let address = format!("http://{}", suite.gateways[0].address);
    let health = process::run(["healthcheck", "--timeout", "1", "--address", &address]);
    assert_eq!(health.status.code(), Some(1), "{}", process::text(&health));

    cluster.start().await;
    suite.ready().await;
    let health = process::run(["healthcheck", "--address", &address]);
    assert_eq!(health.status.code(), Some(0), "{}", process::text(&health));
    suite.fill_roster().await;
    suite.account("telephony").calls().register_call(register("late")).await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn what_keeps_a_service_from_starting_is_exported_before_the_process_ends() {
    let collector = Collector::start();
    let suite = Suite::prepared(Place::shared().await, &Shape::default());
    let nowhere = TestPostgres::shared().await.url_as("shouwen_calls", "nowhere");
    let mut command = process::command();
    command.args(["serve", "calls", "--config"]).arg(suite.deployment.settings(Kind::Calls));
    for setting in [
        format!("database.url={nowhere}"),
        format!("listen={}", ports::free()),
        format!("admin_listen={}", ports::free()),
        format!("telemetry.otlp_endpoint={}", collector.endpoint()),
        "telemetry.level=info".to_owned(),
    ] {
        command.args(["--set", &setting]);
    }
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    let output = tokio::time::timeout(PATIENCE, output).await.expect("it ends").unwrap();
    let said = process::text(&output);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("refuses the connection"), "{said}");
    let received = collector.received();
    let traces = String::from_utf8_lossy(&received);
    assert!(traces.contains("start") && traces.contains("refuses the connection"), "{traces}");
}

#[tokio::test]
async fn a_ledger_that_runs_out_of_ranges_shows_in_readiness() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = OwnCluster::start_migrated(dir.path()).await;
    let suite = Suite::prepared(cluster.migrated(), &Shape::default());
    suite.start_all();
    suite.ready().await;
    let mut admin = suite.place.connect("calls").await;
    // As where the owner's function cannot make any.
    let last = "create or replace function ensure_ledger_ranges() returns integer language sql as 'select 0';
        alter table ledger detach partition ledger_1;
        alter table ledger detach partition ledger_2";
    admin.execute(last).await.unwrap();
    let calls = &suite.calls[0];
    let page = calls.unready("no range follows", PATIENCE).await;
    assert!(page.contains("ledger calls"), "{page}");
    assert!(calls.alive().await);
    // There is room in the range that is begun.
    suite.fill_roster().await;
    suite.account("telephony").calls().register_call(register("in-time")).await.unwrap();

    let next = "alter table ledger attach partition ledger_1 for values from (20000000) to (40000000)";
    admin.execute(next).await.unwrap();
    suite.ready().await;
    admin.close().await.unwrap();
    cluster.stop().await;
}

#[tokio::test]
async fn while_the_database_is_away_calls_are_refused_with_a_time_to_retry_and_afterwards_answered() {
    let dir = tempfile::tempdir().unwrap();
    let mut cluster = OwnCluster::start_migrated(dir.path()).await;
    let suite = Suite::prepared(cluster.migrated(), &Shape::default());
    suite.start_all();
    suite.ready().await;
    suite.fill_roster().await;
    let (li, telephony) = (suite.employee("li"), suite.account("telephony"));
    telephony.calls().register_call(register("before")).await.unwrap();
    li.calls().answer_call(answer("before")).await.unwrap();

    cluster.stop().await;
    let during = register("during");
    let recording = record("before");
    let read = GetCallRequest { name: "calls/before".to_owned() };
    // Each way in which a call meets the database: a write and a read of a backend, and the gateway's own reading of ownership.
    let refusals = [
        refused(telephony.calls().register_call(during.clone()).await),
        refused(li.calls().get_call(read.clone()).await),
        refused(li.calls().record_call(recording.clone()).await),
        refused(li.calls().answer_call(answer("during")).await),
    ];
    for refusal in &refusals {
        assert_eq!(refusal.code, Code::Unavailable, "{refusal:?}");
        assert!(["DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"].contains(&&*refusal.reason), "{refusal:?}");
        assert!(refusal.details.retry_info().is_some_and(|retry| retry.retry_delay.is_some()), "{refusal:?}");
    }
    for process in suite.processes() {
        process.unready("the database does not answer", PATIENCE).await;
        assert!(process.alive().await);
    }

    cluster.start().await;
    suite.ready().await;
    let insist = async |what: &str, client: &Client| {
        until(what, PATIENCE, async || match client.calls().register_call(during.clone()).await {
            Ok(call) => Some(call.into_inner()),
            Err(status) => {
                assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                None
            }
        })
        .await
    };
    assert_eq!(insist("the write is taken", &telephony).await.name, "calls/during");
    li.calls().record_call(recording).await.unwrap();
    li.calls().get_call(read).await.unwrap();
    // Followers go on, too.
    let case = li.calls().answer_call(answer("during")).await.unwrap().into_inner().case;
    let timeline = shouwen_proto::ownership::v1::GetTimelineRequest { name: case, ..Default::default() };
    until("the feeds are followed again", PATIENCE, async || {
        let entries = li.cases().get_timeline(timeline.clone()).await.unwrap().into_inner().entries;
        entries.into_iter().find(|entry| entry.r#type == "call_answered")
    })
    .await;
    for process in suite.processes() {
        assert!(process.runs(), "{}", process.name);
    }
    cluster.stop().await;
}

#[tokio::test]
async fn a_schema_that_is_too_old_is_waited_for_and_one_that_is_newer_is_good_enough() {
    // The roles exist once any database of the cluster was migrated.
    drop(Place::shared().await);
    let database = TestDatabase::empty().await;
    let suite = Suite::prepared(Place::of(database), &Shape::default());
    suite.start_all();
    for (process, service) in suite.processes().zip(SERVICES) {
        let page = process.unready(&format!("schema {service} is at 0, needs "), PATIENCE).await;
        assert!(page.contains("run `shouwen migrate`"), "{page}");
        assert!(process.alive().await);
    }
    place::migrate(&suite.place.admin_url);
    suite.ready().await;

    // As the next release will leave it.
    for service in SERVICES {
        let mut admin = suite.place.connect(service).await;
        let newer = format!(
            "insert into {service}_migrations (version, description, success, checksum, execution_time)
             values (99991231235959, 'of the next release', true, '', 0)"
        );
        admin.execute(sqlx::AssertSqlSafe(newer)).await.unwrap();
        admin.close().await.unwrap();
    }
    for process in suite.processes() {
        process.terminate();
        assert_eq!(process.ended(PATIENCE).await.code(), Some(0), "{}", process.name);
        process.start();
    }
    suite.ready().await;
    suite.fill_roster().await;
    suite.account("telephony").calls().register_call(register("newer")).await.unwrap();
}

#[tokio::test]
async fn a_backend_that_is_gone_is_said_to_be_unavailable_and_found_again() {
    let suite = Suite::start().await;
    let li = suite.employee("li");
    let read = GetCallRequest { name: "calls/gone".to_owned() };
    suite.account("telephony").calls().register_call(register("gone")).await.unwrap();
    suite.calls[0].kill();
    let refusal = until("the gateway notices", PATIENCE, async || {
        Some(refused(li.calls().get_call(read.clone()).await)).filter(|it| it.reason == "BACKEND_UNAVAILABLE")
    })
    .await;
    assert_eq!(refusal.code, Code::Unavailable);
    assert_eq!(refusal.metadata["service"], "calls");
    assert!(refusal.details.retry_info().is_some());
    // What concerns no other service is answered all the same.
    let cases = shouwen_proto::ownership::v1::ListCasesRequest {
        parent: "branches/east".to_owned(),
        ..Default::default()
    };
    li.cases().list_cases(cases).await.unwrap();
    suite.calls[0].start();
    until("the backend is found again", PATIENCE, async || li.calls().get_call(read.clone()).await.ok())
        .await;
}

#[tokio::test]
async fn a_replica_that_is_asked_to_end_answers_what_it_has_begun_and_exits_with_0() {
    let suite = Suite::of(Shape::doubled()).await;
    let li = suite.employee_at(1, "li");
    suite.account("telephony").calls().register_call(register("drained")).await.unwrap();
    li.calls().answer_call(answer("drained")).await.unwrap();
    // No caller at the other gateway notices that replicas of every service end and come back.
    let over = Cell::new(false);
    let answered = Cell::new(0_u32);
    let calling = async {
        while !over.get() {
            let written = li.calls().record_call(record("drained")).await;
            written.unwrap_or_else(|status| {
                panic!("after {} answers: {:?}", answered.get(), Refusal::of(&status))
            });
            answered.set(answered.get() + 1);
        }
    };
    let ending = async {
        for process in [
            &suite.calls[0],
            &suite.callbacks[0],
            &suite.clients[0],
            &suite.complaints[0],
            &suite.gateways[0],
            &suite.calls[1],
        ] {
            let enough = answered.get() + 20;
            until("some more answers", PATIENCE, async || (answered.get() >= enough).then_some(())).await;
            process.terminate();
            assert_eq!(process.ended(PATIENCE).await.code(), Some(0), "{}", process.name);
            process.start();
            process.ready(PATIENCE).await;
        }
        over.set(true);
    };
    tokio::join!(calling, ending);
}

#[tokio::test]
async fn a_stream_holds_up_an_ending_gateway_no_longer_than_its_drain_and_meanwhile_it_is_not_ready() {
    let suite = Suite::of(Shape { set: vec![("server.drain", "2s".to_owned())], ..Shape::default() }).await;
    let gateway = &suite.gateways[0];
    // The feed of a backend that does not end.
    let watch = WatchRequest { service: "calls".to_owned(), after: None };
    let mut feed = suite.employee("auditor").feed().watch(watch).await.unwrap().into_inner();
    loop {
        if let Some(Item::Heartbeat(_)) = feed.message().await.unwrap().unwrap().item {
            break;
        }
    }
    let asked = Instant::now();
    gateway.terminate();
    gateway.unready("shutting down", Duration::from_secs(2)).await;
    assert!(gateway.alive().await);
    assert_eq!(gateway.ended(PATIENCE).await.code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    // The stream ends, one way or the other.
    while let Ok(Some(_)) = feed.message().await {}
}
