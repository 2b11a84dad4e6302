//! What the runtime role may not do, and the ranges of the ledger.

use std::str::FromStr as _;

use shouwen_engine::{
    operations::ranges_ready,
    provision::{MIGRATOR, Schema},
};
use sqlx::{Executor as _, PgPool, postgres::PgConnectOptions};

use crate::ground::{Ground, calm, deposit};

/// Insufficient privilege.
const REFUSED: &str = "42501";

async fn code(pool: &PgPool, sql: &'static str) -> Option<String> {
    let error = pool.execute(sql).await.err()?;
    error.as_database_error()?.code().map(Into::into)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_runtime_role_only_inserts_into_the_ledger() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    for sql in [
        "update ledger set actor = 'somebody'",
        "delete from ledger",
        "truncate ledger",
        "update ledger_0 set actor = 'somebody'",
        "delete from ledger_0",
        "truncate ledger_1",
        "drop table ledger_2",
        "alter table ledger drop column hash",
        "update checkpoint set position = 1",
        "delete from checkpoint",
        "truncate checkpoint",
        "update skipped_event set reason = ''",
        "delete from skipped_event",
        "update retried_event set actor = ''",
        "delete from retried_event",
        "create table mine (id bigint)",
        "drop table ledger_head",
        "set role shouwen_bank_owner",
        "set role shouwen_shop",
        "select * from shop.ledger",
        "select * from shop.account",
        "insert into shop.counter (name, value) values ('x', 1)",
        "select shop.ensure_ledger_ranges()",
    ] {
        assert_eq!(code(engine.pool(), sql).await.as_deref(), Some(REFUSED), "{sql}");
    }
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    ground.consistent().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_next_ranges_exist_and_are_as_closed_as_the_first() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    let ranges = "select count(*) from pg_inherits where inhparent = 'ledger'::regclass";
    assert_eq!(ground.number(ranges).await, 3);
    assert!(ranges_ready(engine.pool()).await.unwrap());
    // The ledger has grown into its last range.
    ground.tamper("update ledger_head set position = 59999999").await;
    assert!(!ranges_ready(engine.pool()).await.unwrap(), "running low must show");
    // Without a next range nothing is written, rather than somewhere else.
    engine.run(deposit("accounts/a", 1)).await.unwrap_err();
    // Upkeep runs with the runtime role.
    let made = "select ensure_ledger_ranges()";
    assert_eq!(sqlx::query_scalar::<_, i32>(made).fetch_one(engine.pool()).await.unwrap(), 2);
    assert_eq!(sqlx::query_scalar::<_, i32>(made).fetch_one(engine.pool()).await.unwrap(), 0);
    assert!(ranges_ready(engine.pool()).await.unwrap());
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    engine.run(deposit("accounts/a", 1)).await.unwrap();
    assert_eq!(ground.number("select count(*) from ledger_2").await, 0);
    assert_eq!(ground.number("select count(*) from ledger_3").await, 2);
    for sql in ["update ledger_3 set actor = ''", "delete from ledger_3", "truncate ledger_3"] {
        assert_eq!(code(engine.pool(), sql).await.as_deref(), Some(REFUSED), "{sql}");
    }
    // An aggregate's history and the feed go over the boundary.
    let rows = shouwen_engine::ledger::history(engine.pool(), "accounts/a", 100).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.position).collect::<Vec<_>>(), [1, 60_000_000, 60_000_001]);
    let rows = shouwen_engine::ledger::after(engine.pool(), 59_999_999, 10).await.unwrap();
    assert_eq!(rows.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_position_cannot_occur_twice() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    engine.open("accounts/a").await;
    let again = "insert into ledger select position, type, aggregate, version, payload, actor, on_behalf, capacity, case_name,
                                           branch, request_id, cause, time + interval '1 year', hash from ledger";
    assert_eq!(code(engine.pool(), again).await.as_deref(), Some("23505"));
    let elsewhere = "insert into ledger_1 select * from ledger";
    assert_eq!(code(engine.pool(), elsewhere).await.as_deref(), Some("23514"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn laying_out_a_schema_can_be_repeated_and_run_at_once() {
    let database = shouwen_testkit::TestDatabase::empty().await;
    let admin = PgConnectOptions::from_str(&database.url()).unwrap();
    let schema = Schema { service: "again", migrators: vec![&MIGRATOR] };
    let (one, two) = tokio::join!(
        schema.provision(&admin, Some("it's secret")),
        schema.provision(&admin, Some("it's secret"))
    );
    one.unwrap();
    two.unwrap();
    schema.provision(&admin, Some("another")).await.unwrap();
    let pool = PgPool::connect(&database.url_as(&schema.runtime_role())).await.unwrap();
    assert!(schema.state(&pool).await.unwrap().sufficient());
    let later = Schema { service: "again", migrators: vec![&MIGRATOR, &MIGRATOR] };
    assert!(later.state(&pool).await.unwrap().sufficient());
    let nothing = PgPool::connect(&database.url()).await.unwrap();
    let state = schema.state(&nothing).await.unwrap();
    assert!(!state.sufficient() && state.at == 0 && state.needs > 0, "{state:?}");
}
