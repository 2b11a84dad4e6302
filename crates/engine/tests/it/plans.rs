//! The hot statements use indexes, also with the generic plans that prepared statements come to.

use std::ops::RangeInclusive;

use shouwen_engine::{feed::check_cursor, ledger};
use sqlx::Executor as _;

use crate::{
    bank::Command,
    ground::{Ground, Running, calm, deposit, fenced, open, request, requested},
};

const FILLED: &str = "
    insert into request (principal, method, id, fingerprint, aggregate, version)
        select 'serviceAccounts/crm', '/bank/Do', 'old' || n, 'x', 'accounts/' || n, 1 from generate_series(1, 40000) n;
    insert into aggregate select 'accounts/' || n, 1 from generate_series(1, 40000) n;
    insert into account select 'accounts/' || n, 1,
        '{\"balance\": 0, \"name\": null, \"partner\": null, \"number\": 0, \"lenient\": false, \"poisoned\": false, \"reminder\": null,
          \"fired\": [], \"heard\": []}' from generate_series(1, 40000) n;
    insert into unique_key select 'name', 'name' || n, 'accounts/' || n from generate_series(1, 40000) n;
    insert into fence select 'cases/' || n, 1 from generate_series(1, 40000) n;
    insert into counter select 'counter' || n, 1 from generate_series(1, 40000) n;
    insert into deadline select 'accounts/' || n, 'other', now() + n * interval '1 minute', 'p', 'c1', false
        from generate_series(1, 40000) n;
    insert into ledger select n, 'opened', 'fillers/' || n, 1, '', '', '', '', '', '', '', '', now(), ''
        from generate_series(1, 40000) n;
    update ledger_head set position = 40000, time = now();
    insert into parked_event select 'shop', n, 'calls/' || n, 'x', 'x', now() from generate_series(1, 40000) n;
    analyze;";

/// As much, while the engine runs and has its plans; nobody analyzes.
const GROWN: &str = "
    insert into request (principal, method, id, fingerprint, aggregate, version)
        select 'serviceAccounts/crm', '/bank/Do', 'old' || n, 'x', 'fillers/' || n, 1 from generate_series(1, 40000) n;
    insert into aggregate select 'fillers/' || n, 1 from generate_series(1, 40000) n;
    insert into account select 'fillers/' || n, 1, state from generate_series(1, 40000) n, (select state from account limit 1) a;
    insert into unique_key select 'name', 'filler' || n, 'fillers/' || n from generate_series(1, 40000) n;
    insert into fence select 'cases/filler' || n, 1 from generate_series(1, 40000) n;
    insert into counter select 'filler' || n, 1 from generate_series(1, 40000) n;
    insert into deadline select 'fillers/' || n, 'other', now() + n * interval '1 hour', 'p', '', false
        from generate_series(1, 40000) n;";

/// Every kind of hot statement, once for each number.
async fn drive(engine: &Running, numbers: RangeInclusive<i64>) {
    for n in numbers {
        let account = format!("accounts/{n}");
        let command = requested(deposit(&account, 1), format!("new{n}"));
        engine.submit(command.clone()).await.unwrap();
        engine.submit(command).await.unwrap();
        let fresh = format!("accounts/new{n}");
        engine.run(open(&fresh, Some(&fresh))).await.unwrap();
        engine.run(open(&format!("accounts/late{n}"), Some(&fresh))).await.unwrap_err();
        engine.submit(fenced(deposit(&account, 1), &format!("cases/{n}"), 2)).await.unwrap();
        let due = engine.now().await.unwrap();
        engine.run(Command::Remind { account: fresh.clone(), due }).await.unwrap();
        assert_eq!(engine.sweep_once().await.unwrap(), 1);
        engine
            .run(Command::Note { note: format!("notes/{n}"), counter: format!("counter{n}"), accept: true })
            .await
            .unwrap();
        engine.replay(&request(&deposit(&account, 1), format!("new{n}"))).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_hot_statements_use_indexes() {
    let ground = Ground::new().await;
    ground.tamper(FILLED).await;
    ground.tamper("select pg_stat_reset()").await;
    let engine = ground.engine(calm()).await;
    engine.domain().set_calendar("c1");
    // Often enough for every prepared statement to come to its generic plan.
    drive(&engine, 1..=20).await;
    for _ in 0..20 {
        check_cursor(&engine, "", 40_000).await.unwrap().unwrap();
        ledger::after(engine.pool(), 40_000, 10).await.unwrap();
        engine.parked("shop", 1000, 10).await.unwrap();
    }
    engine.end().await;
    ground.deadlocks().await;
    let mut superuser = ground.superuser("bank").await;
    superuser.execute("select pg_stat_clear_snapshot()").await.unwrap();
    let tables = sqlx::query_as::<_, (String, i64, i64)>(
        "select relname::text, seq_scan, idx_tup_fetch::bigint + seq_tup_read from pg_stat_user_tables
         where schemaname = 'bank' and seq_scan + idx_scan > 0 and relid in (select oid from pg_class where reltuples > 1)",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    assert!(tables.len() >= 9, "{tables:?}");
    for (table, scans, rows) in &tables {
        assert!(*scans == 0, "{table} was read as a whole {scans} times: {tables:?}");
        assert!(*rows < 2000, "{rows} rows of {table} were read for 200 commands: {tables:?}");
    }
}

/// A fresh service comes to its plans while its tables are empty; they have to serve it when it has grown, without anybody analyzing.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn plans_made_on_empty_tables_still_go_by_index_when_these_have_grown() {
    let ground = Ground::new().await;
    let engine = ground.engine(calm()).await;
    for n in 1..=40 {
        engine.open(&format!("accounts/{n}")).await;
    }
    drive(&engine, 1..=20).await;
    ground.tamper(GROWN).await;
    ground.tamper("select pg_stat_reset()").await;
    drive(&engine, 21..=40).await;
    engine.end().await;
    ground.deadlocks().await;
    let mut superuser = ground.superuser("bank").await;
    superuser.execute("select pg_stat_clear_snapshot()").await.unwrap();
    let tables = sqlx::query_as::<_, (String, i64)>(
        "select relname::text, seq_tup_read + coalesce(idx_tup_fetch, 0) from pg_stat_user_tables
         where schemaname = 'bank'
           and relname in ('request', 'aggregate', 'account', 'unique_key', 'fence', 'counter', 'deadline')",
    )
    .fetch_all(&mut superuser)
    .await
    .unwrap();
    assert_eq!(tables.len(), 7);
    for (table, rows) in &tables {
        assert!(*rows < 2000, "{rows} rows of {table} were read for 200 commands: {tables:?}");
    }
}
