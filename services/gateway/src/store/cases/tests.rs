use std::str::FromStr as _;

use shouwen_testkit::TestDatabase;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};

use super::{CaseFilter, listing};

/// Many cases: of 100 usual branches, and of one that has hardly any.
const MANY: &str = "
    insert into cases select 'cases/' || lpad(i::text, 8, '0'), 1,
           jsonb_build_object('branch', 'branches/' || case i % 1000 when 0 then 'few' else 'b' || i % 100 end,
                              'topic', 'x', 'client', 'C-' || i, 'handler', 'employees/e' || i % 100)
      from generate_series(1, 20000) i;
    insert into client_file select 'C-' || i from generate_series(1, 20000) i;
    analyze cases, client_file";

/// How Postgres reads a page of a list, planned for these values as the service has it planned.
async fn explained(connection: &mut PgConnection, filter: &CaseFilter, arguments: &[&str]) -> String {
    let query = listing(filter, Some("cases/99999999"), 51);
    let arguments: Vec<String> = arguments.iter().map(|argument| format!("'{argument}', ")).collect();
    let types = "text, ".repeat(arguments.len());
    let statements = format!(
        "deallocate all; set plan_cache_mode = force_custom_plan; prepare listing ({types} text, bigint) as {}",
        query.sql().as_str()
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(&mut *connection).await.unwrap();
    let explain = format!("explain execute listing ({} 'cases/99999999', 51)", arguments.concat());
    let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn o3_every_list_reads_its_newest_cases_by_the_index_that_holds_them_in_order() {
    let database = TestDatabase::create("ownership", async |url: &str| {
        let admin = PgConnectOptions::from_str(url).unwrap();
        crate::schema().provision(&admin, None).await.unwrap();
    })
    .await;
    let options = PgConnectOptions::from_str(&database.url()).unwrap();
    let mut connection =
        PgConnection::connect_with(&options.options([("search_path", "ownership")])).await.unwrap();
    sqlx::raw_sql(MANY).execute(&mut connection).await.unwrap();

    let of_branch =
        |branch: &str| CaseFilter { branches: Some(vec![branch.to_owned()]), ..CaseFilter::default() };
    let of_handler = CaseFilter { handler: Some("employees/e1".to_owned()), ..CaseFilter::default() };
    let lists = [
        (of_branch("branches/b7"), &["branches/b7"][..], "Index Scan using cases_branch"),
        (of_handler, &["employees/e1"][..], "Index Scan using cases_handler"),
        (CaseFilter::default(), &[][..], "Index Scan Backward using cases_pkey"),
    ];
    for (filter, arguments, index) in lists {
        let plan = explained(&mut connection, &filter, arguments).await;
        assert!(plan.contains(index) && !plan.contains("Sort") && !plan.contains("Seq Scan"), "{plan}");
    }
    // The few cases of a small branch are found by it too, not by walking through everybody's.
    let plan = explained(&mut connection, &of_branch("branches/few"), &["branches/few"]).await;
    assert!(plan.contains("cases_branch") && !plan.contains("cases_pkey"), "{plan}");
}
