//! What a superuser of the database can do to a ledger, and that `shouwen audit verify` finds it: each kind of tampering, with the position.

use std::{fs, path::PathBuf};

use chrono::{DateTime, Utc};
use shouwen_engine::ledger::LedgerRow;
use shouwen_proto::events::v1::CallOutcome;
use shouwen_testkit::{TestPostgres, until};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};

use crate::harness::{
    PATIENCE, Shape, Suite,
    deployment::Deployment,
    place::Place,
    ports,
    process::{run, text},
    requests::{answer, end, record, register},
    suite::audit,
};

/// A deployment that has ended, with a short ledger of calls and its checkpoints exported.
struct Evidence {
    suite: Suite,
    database: String,
    /// The last position of calls.
    head: i64,
}

impl Evidence {
    async fn gathered() -> Self {
        let suite = Suite::start().await;
        let li = suite.employee("li");
        for call in ["audit-1", "audit-2", "audit-3"] {
            suite.account("telephony").calls().register_call(register(call)).await.unwrap();
            li.calls().answer_call(answer(call)).await.unwrap();
            li.calls().record_call(record(call)).await.unwrap();
            li.calls().end_call(end(call, CallOutcome::AnsweredClear)).await.unwrap();
        }
        suite.stop().await;
        // Whatever the services exported while they ran, the end is exported now.
        let exported =
            audit(&suite.deployment, "export", &suite.place.admin_url, &suite.deployment.checkpoints());
        assert_eq!(exported.status.code(), Some(0), "{}", text(&exported));
        let mut calls = suite.place.connect("calls").await;
        let head =
            sqlx::query_scalar("select position from ledger_head").fetch_one(&mut calls).await.unwrap();
        calls.close().await.unwrap();
        let database = suite.place.admin_url.rsplit('/').next().unwrap().to_owned();
        Self { suite, database, head }
    }

    /// A copy of the database on which `statements` ran as superuser in the schema of calls.
    async fn tampered(&self, number: usize, statements: &[String]) -> String {
        let postgres = TestPostgres::shared().await;
        let name = format!("{}_tampered_{number}", self.database);
        let copy = format!("create database {name} template {}", self.database);
        postgres.admin().await.execute(AssertSqlSafe(copy)).await.unwrap();
        let url = postgres.url_as("postgres", &name);
        let mut connection =
            PgConnection::connect(&format!("{url}?options[search_path]=calls")).await.unwrap();
        for statement in statements {
            connection.execute(AssertSqlSafe(statement.clone())).await.unwrap();
        }
        connection.close().await.unwrap();
        url
    }

    /// Verification must fail and say this about calls alone.
    fn found(&self, what: &str, url: &str, checkpoints: &PathBuf, expected: &str) {
        let verified = audit(&self.suite.deployment, "verify", url, checkpoints);
        let said = text(&verified);
        assert_eq!(verified.status.code(), Some(1), "{what}: {said}");
        assert!(said.contains("calls: NOT INTACT") && said.contains(expected), "{what}: {said}");
        assert_eq!(said.matches(": intact: ").count(), 4, "{what}: {said}");
    }
}

#[tokio::test]
async fn each_kind_of_tampering_is_found_with_its_position() {
    let evidence = Evidence::gathered().await;
    let checkpoints = evidence.suite.deployment.checkpoints();
    let head = evidence.head;
    assert!(head >= 12, "{head}");

    let clean = evidence.suite.audit_verify();
    assert_eq!(clean.status.code(), Some(0), "{}", text(&clean));
    assert_eq!(text(&clean).matches(": intact: ").count(), 5, "{}", text(&clean));

    let flip =
        "update ledger set payload = set_byte(payload, 3, get_byte(payload, 3) # 1) where position = 4";
    let rename = "update ledger set actor = 'employees/nobody' where position = 6";
    let later = "update ledger set time = time + interval '1 second' where position = 7";
    let shift = "update ledger set actor = on_behalf || actor, on_behalf = '' where position = 6";
    let delete = "delete from ledger where position = 5";
    let insert = format!(
        "insert into ledger select {next}, type, aggregate, version, payload, actor, on_behalf, capacity, case_name, branch, request_id, \
         cause, time, hash from ledger where position = 2;
         update ledger_head set position = {next}",
        next = head + 1
    );
    let swap = "update ledger set position = position + 1000000 where position in (3, 4);
                update ledger set position = 1000007 - position where position > 1000000";
    let behind_the_head = format!("delete from ledger where position > {}", head - 2);
    let forged = "insert into checkpoint (incarnation, position, hash, time, signature)
                  select incarnation, 3, (select hash from ledger where position = 3), time, '\\x00' from ledger_head";
    let cases = [
        ("a byte is flipped", flip.to_owned(), "position 4 does not follow".to_owned()),
        ("somebody else did it", rename.to_owned(), "position 6 does not follow".to_owned()),
        ("it was another time", later.to_owned(), "position 7 does not follow".to_owned()),
        ("bytes move between columns", shift.to_owned(), "position 6 does not follow".to_owned()),
        ("an event is deleted", delete.to_owned(), "position 5 is missing".to_owned()),
        ("an event is added", insert, format!("position {} does not follow", head + 1)),
        ("two events are swapped", swap.to_owned(), "position 3 does not follow".to_owned()),
        ("the end is cut, the head stays", behind_the_head, format!("the ledger ends at {}", head - 2)),
        ("a checkpoint is forged", forged.to_owned(), "position 3 is not signed by the given key".to_owned()),
    ];
    for (number, (what, statement, expected)) in cases.into_iter().enumerate() {
        let url = evidence.tampered(number, &[statement]).await;
        evidence.found(what, &url, &checkpoints, &expected);
    }
}

#[tokio::test]
async fn what_leaves_no_contradiction_in_the_database_is_found_by_exported_checkpoints() {
    let evidence = Evidence::gathered().await;
    let checkpoints = evidence.suite.deployment.checkpoints();
    let head = evidence.head;
    let nowhere = evidence.suite.deployment.dir().join("none.jsonl");
    fs::write(&nowhere, "").unwrap();

    // The end cut off, the head moved back, the database's own checkpoints gone.
    let end = head - 3;
    let cut = [
        format!("delete from ledger where position > {end}"),
        format!(
            "update ledger_head set (position, hash, time) = (select position, hash, time from ledger where position = {end})"
        ),
        "delete from checkpoint".to_owned(),
    ];
    let url = evidence.tampered(0, &cut).await;
    let alone = audit(&evidence.suite.deployment, "verify", &url, &nowhere);
    assert_eq!(alone.status.code(), Some(0), "consistent in itself: {}", text(&alone));
    let expected = format!("checkpoint of position {head} lies beyond the ledger's end at {end}");
    evidence.found("the end is cut off", &url, &checkpoints, &expected);

    // One event changed, and every hash after it made anew.
    let url = evidence
        .tampered(1, &["update ledger set actor = 'employees/nobody' where position = 2".to_owned()])
        .await;
    rewrite(&url).await;
    let alone = audit(&evidence.suite.deployment, "verify", &url, &nowhere);
    assert_eq!(alone.status.code(), Some(0), "consistent in itself: {}", text(&alone));
    let expected = format!("checkpoint of position {head} has another hash");
    evidence.found("everything is rewritten", &url, &checkpoints, &expected);

    // Under another name the rewritten ledger is another ledger.
    let renamed = [
        "update ledger_head set incarnation = gen_random_uuid()".to_owned(),
        "delete from checkpoint".to_owned(),
    ];
    let url = evidence.tampered(2, &renamed).await;
    evidence.found("another incarnation", &url, &checkpoints, "belongs to another incarnation");

    // An export that was tampered with is no proof of anything.
    let text = fs::read_to_string(&checkpoints).unwrap();
    let hash = text.find("\"hash\":\"").unwrap() + 8;
    let digit = if &text[hash..=hash] == "0" { "1" } else { "0" };
    let changed = evidence.suite.deployment.dir().join("changed.jsonl");
    fs::write(&changed, format!("{}{digit}{}", &text[..hash], &text[hash + 1..])).unwrap();
    let verified = audit(&evidence.suite.deployment, "verify", &evidence.suite.place.admin_url, &changed);
    assert_eq!(verified.status.code(), Some(1), "{}", crate::harness::process::text(&verified));
    assert!(crate::harness::process::text(&verified).contains("is not signed by the given key"));
}

/// Chains the ledger of calls anew from its first row, as somebody could who may do everything in the database.
async fn rewrite(url: &str) {
    let mut connection = PgConnection::connect(&format!("{url}?options[search_path]=calls")).await.unwrap();
    let rows =
        sqlx::query("select * from ledger order by position").fetch_all(&mut connection).await.unwrap();
    let mut hash = vec![0; 32];
    for row in rows {
        let text = |column: &str| row.get::<String, _>(column);
        let entry = LedgerRow {
            position: row.get("position"),
            r#type: text("type"),
            aggregate: text("aggregate"),
            version: row.get("version"),
            payload: row.get("payload"),
            actor: text("actor"),
            on_behalf: text("on_behalf"),
            capacity: text("capacity"),
            case_name: text("case_name"),
            branch: text("branch"),
            request_id: text("request_id"),
            cause: text("cause"),
            time: row.get::<DateTime<Utc>, _>("time"),
            hash: Vec::new(),
        };
        hash = entry.chained(&hash);
        let update = sqlx::query("update ledger set hash = $1 where position = $2").bind(&hash);
        update.bind(entry.position).execute(&mut connection).await.unwrap();
    }
    sqlx::query("update ledger_head set hash = $1").bind(&hash).execute(&mut connection).await.unwrap();
    connection.execute("delete from checkpoint").await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_verified_is_neither_intact_nor_tampered_with() {
    let deployment = Deployment::new();
    let checkpoints = deployment.checkpoints();
    let nobody = format!("postgres://postgres:hunter2@{}/firm", ports::free());
    let verified = audit(&deployment, "verify", &nobody, &checkpoints);
    let said = text(&verified);
    assert_eq!(verified.status.code(), Some(2), "{said}");
    assert!(said.contains("cannot be reached") && !said.contains("hunter2"), "{said}");

    let postgres = TestPostgres::shared().await;
    let empty = audit(&deployment, "verify", &postgres.admin_url(), &checkpoints);
    assert_eq!(empty.status.code(), Some(2), "{}", text(&empty));

    fs::write(&checkpoints, "{\"service\":\n").unwrap();
    let broken = audit(&deployment, "verify", &postgres.admin_url(), &checkpoints);
    assert_eq!(broken.status.code(), Some(2), "{}", text(&broken));
    assert!(text(&broken).contains("checkpoints.jsonl:1:"), "{}", text(&broken));

    let moved = deployment.dir().join("moved.jsonl");
    let missing = audit(&deployment, "verify", &postgres.admin_url(), &moved);
    let said = text(&missing);
    assert_eq!(missing.status.code(), Some(2), "{said}");
    assert!(said.contains("--checkpoints: ") && said.contains("moved.jsonl"), "{said}");

    // Nobody's key is made where none is.
    let data = deployment.dir().join("data").display().to_string();
    let url = postgres.admin_url();
    let keyless = run(["audit", "verify", "--database-url", &url, "--data-dir", &data]);
    let said = text(&keyless);
    assert_eq!(keyless.status.code(), Some(2), "{said}");
    assert!(said.contains("data/keys/audit.pem: is not there") && said.contains("--public-key"), "{said}");
    assert!(!deployment.dir().join("data").exists());
}

#[tokio::test]
async fn a_process_that_does_not_live_for_an_interval_exports_a_checkpoint() {
    let set = vec![("audit.interval", "3600s".to_owned())];
    let suite = Suite::prepared(Place::shared().await, &Shape { set, ..Shape::default() });
    let made = suite.bootstrap();
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    let gateway = &suite.gateways[0];
    gateway.start();
    until("a checkpoint is exported", PATIENCE, async || {
        let exported = fs::read_to_string(suite.deployment.checkpoints()).unwrap();
        exported.contains("\"service\":\"ownership\"").then_some(())
    })
    .await;
    gateway.terminate();
    assert_eq!(gateway.ended(PATIENCE).await.code(), Some(0));
    let verified = suite.audit_verify();
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified));
}

#[tokio::test]
async fn who_verifies_needs_the_public_half_of_the_key_and_nothing_to_sign_with() {
    let suite = Suite::prepared(Place::shared().await, &Shape::default());
    // One event is enough, and needs no service that runs.
    let made = suite.bootstrap();
    assert_eq!(made.status.code(), Some(0), "{}", text(&made));
    let (deployment, url) = (&suite.deployment, suite.place.admin_url.as_str());
    let exported = audit(deployment, "export", url, &deployment.checkpoints());
    assert_eq!(exported.status.code(), Some(0), "{}", text(&exported));
    assert!(text(&exported).contains("ownership: 1 new checkpoints"), "{}", text(&exported));

    let key = deployment.audit_key().display().to_string();
    let public_half = |of: &Deployment, name: &str| {
        let printed = run(["audit", "public-key", "--key", &of.audit_key().display().to_string()]);
        assert_eq!(printed.status.code(), Some(0), "{}", text(&printed));
        let file = deployment.dir().join(name);
        fs::write(&file, &printed.stdout).unwrap();
        file.display().to_string()
    };
    let (own, other) = (public_half(deployment, "own.pub"), public_half(&Deployment::new(), "other.pub"));
    let checkpoints = deployment.checkpoints().display().to_string();
    let verify = |keys: &[&str]| {
        let mut arguments = vec!["audit", "verify", "--database-url", url, "--checkpoints", &checkpoints];
        arguments.extend_from_slice(keys);
        let output = run(arguments);
        (output.status.code(), text(&output))
    };

    let (code, said) = verify(&["--public-key", &own]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches(": intact: ").count(), 5, "{said}");
    assert!(said.contains(", 2 checkpoints"), "the database's own and the exported one: {said}");
    let (code, said) = verify(&["--public-key", &other]);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("ownership: NOT INTACT") && said.contains("is not signed by the given key"),
        "{said}"
    );
    let (code, said) = verify(&["--public-key", &key]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("--public-key: ") && said.contains("PUBLIC KEY"), "{said}");
    let (code, said) = verify(&["--public-key", &own, "--key", &key]);
    assert_eq!(code, Some(2), "{said}");
}
