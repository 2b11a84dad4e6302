use std::str::FromStr as _;

use chrono::{DateTime, TimeDelta, Utc};
use shouwen_testkit::TestDatabase;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, Row as _, postgres::PgConnectOptions};

use super::{After, CaseFilter, begin, listing};

/// Many cases of 50 usual branches and 500 people, of which few are not closed, and of one branch that has hardly any; the oldest are overdue.
const MANY: &str = r#"
    insert into cases select 'cases/' || lpad(i::text, 8, '0'), 1,
           jsonb_build_object('branch', 'branches/' || case i % 10000 when 0 then 'few' else 'b' || i % 50 end,
                              'topic', 'x', 'client', 'C-' || i, 'handler', 'employees/e' || i % 500,
                              'accountable', 'employees/e' || i % 500,
                              'phase', jsonb_build_object('state', case when i / 50 % 33 = 0 then 'open' when i / 50 % 300 = 5 then 'awaiting_satisfaction'
                                                                        when i / 50 % 20 = 9 then 'void' else 'closed' end),
                              'clocks', jsonb_build_array(jsonb_build_object(
                                  'due', to_char(timestamp '2025-09-01' + i * interval '1 minute', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
                                  'met', case when i / 50 % 33 = 0 then null else '2025-09-01T00:00:00Z' end)))
      from generate_series(1, 100000) i;
    insert into client_file select 'C-' || i from generate_series(1, 100000) i;
    analyze cases, client_file"#;

/// What is overdue when some are.
fn now() -> DateTime<Utc> {
    "2025-09-10T00:00:00Z".parse().unwrap()
}

/// How Postgres reads a page of a list, planned for these values as the service has it planned.
async fn explained(
    connection: &mut PgConnection,
    filter: &CaseFilter,
    after: &After,
    arguments: &[&str],
) -> String {
    let mut query = listing(filter, after, now(), 51).unwrap().sql().as_str().to_owned();
    let arguments = [arguments, &["51", "51"]].concat();
    assert!(!query.contains(&format!("${}", arguments.len() + 1)), "{query}");
    for (index, argument) in arguments.iter().enumerate().rev() {
        let number = index + 1;
        assert!(query.contains(&format!("${number}")), "{query}");
        query = query.replace(&format!("${number}"), argument);
    }
    let mut tx = connection.begin_with(begin(filter)).await.unwrap();
    let rows = sqlx::raw_sql(AssertSqlSafe(format!("explain {query}"))).fetch_all(&mut *tx).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

async fn database() -> (TestDatabase, PgConnection) {
    let database = TestDatabase::create("ownership", async |url: &str| {
        let admin = PgConnectOptions::from_str(url).unwrap();
        crate::schema().provision(&admin, None).await.unwrap();
    })
    .await;
    let options = PgConnectOptions::from_str(&database.url()).unwrap();
    let mut connection =
        PgConnection::connect_with(&options.options([("search_path", "ownership")])).await.unwrap();
    sqlx::raw_sql(MANY).execute(&mut connection).await.unwrap();
    (database, connection)
}

fn of_branch(branch: &str) -> CaseFilter {
    CaseFilter { branches: Some(vec![branch.to_owned()]), ..CaseFilter::default() }
}

fn of_responsible() -> CaseFilter {
    CaseFilter { responsible: Some("employees/e1".to_owned()), ..CaseFilter::default() }
}

fn of_handler() -> CaseFilter {
    CaseFilter { handler: Some("employees/e1".to_owned()), ..CaseFilter::default() }
}

const NOW: &str = "'2025-09-10T00:00:00Z'::timestamptz";

#[tokio::test]
async fn o3_every_list_reads_its_cases_by_an_index_that_holds_them_in_order() {
    let (_database, mut connection) = database().await;
    let newest = After::Newest(Some("cases/99999999".to_owned()));
    let due = After::Due(Some((now() - TimeDelta::days(8), "cases/1".to_owned())));
    let nothing_due = After::NothingDue(Some("cases/99999999".to_owned()));
    let place = "'cases/99999999'";
    let past = ["'2025-09-02T00:00:00Z'::timestamptz", "'cases/1'"];
    let branch = "'branches/b7'";
    let in_phase = |filter: CaseFilter, phase| CaseFilter { phase: Some(phase), ..filter };
    let overdue = |filter: CaseFilter, overdue| CaseFilter { overdue: Some(overdue), ..filter };
    let everywhere = CaseFilter::default;
    let lists = [
        (of_branch("branches/b7"), &newest, vec![branch, place], "cases_branch "),
        (in_phase(of_branch("branches/b7"), "closed"), &newest, vec![branch, place], "cases_branch "),
        (in_phase(of_branch("branches/b7"), "open"), &newest, vec![branch, place], "cases_branch_phase "),
        (in_phase(of_branch("branches/b7"), "void"), &newest, vec![branch, place], "cases_branch_phase "),
        (of_branch("branches/b7"), &due, vec![branch, past[0], past[1]], "cases_branch_due "),
        (
            overdue(of_branch("branches/b7"), true),
            &due,
            vec![branch, NOW, past[0], past[1]],
            "cases_branch_due ",
        ),
        (
            overdue(of_branch("branches/b7"), false),
            &due,
            vec![branch, NOW, past[0], past[1]],
            "cases_branch_due ",
        ),
        (overdue(of_branch("branches/b7"), false), &newest, vec![branch, NOW, place], "cases_branch "),
        (of_branch("branches/b7"), &nothing_due, vec![branch, place], "cases_branch "),
        (of_handler(), &newest, vec!["'employees/e1'", place], "cases_handler "),
        (of_handler(), &due, vec!["'employees/e1'", past[0], past[1]], "cases_handler_live "),
        (
            overdue(of_handler(), true),
            &due,
            vec!["'employees/e1'", NOW, past[0], past[1]],
            "cases_handler_live ",
        ),
        (of_handler(), &nothing_due, vec!["'employees/e1'", place], "cases_handler "),
        (everywhere(), &newest, vec![place], "cases_pkey "),
        (in_phase(everywhere(), "awaiting_satisfaction"), &newest, vec![place], "cases_phase "),
        (everywhere(), &due, vec![past[0], past[1]], "cases_due "),
        (overdue(everywhere(), true), &due, vec![NOW, past[0], past[1]], "cases_due "),
    ];
    for (filter, after, arguments, index) in lists {
        let plan = explained(&mut connection, &filter, after, &arguments).await;
        let by_index = plan.contains(&format!("using {index}"));
        assert!(
            by_index && !plan.contains("Sort") && !plan.contains("Seq Scan"),
            "{filter:?} {after:?} {plan}"
        );
    }
}

#[tokio::test]
async fn o6_what_somebody_is_responsible_for_is_read_by_an_index_of_each_way_to_be_so() {
    let (_database, mut connection) = database().await;
    let newest = After::Newest(Some("cases/99999999".to_owned()));
    let due = After::Due(Some((now() - TimeDelta::days(8), "cases/1".to_owned())));
    let nothing_due = After::NothingDue(Some("cases/99999999".to_owned()));
    let (person, page) = ("'employees/e1'", "51");
    let by_id = [person, "'cases/99999999'", page].repeat(3);
    let by_due = [person, "'2025-09-02T00:00:00Z'::timestamptz", "'cases/1'", page].repeat(3);
    let of_branch = CaseFilter { branches: Some(vec!["branches/b1".to_owned()]), ..of_responsible() };
    let in_branch = [person, "'{branches/b1}'::text[]", "'cases/99999999'", page].repeat(3);
    let history = ["cases_handler ", "cases_accountable "];
    let open = ["cases_handler_live ", "cases_accountable_live "];
    for (filter, after, arguments, indexes) in [
        (of_responsible(), &newest, &by_id, history),
        (of_branch, &newest, &in_branch, history),
        (of_responsible(), &nothing_due, &by_id, history),
        (of_responsible(), &due, &by_due, open),
        (CaseFilter { phase: Some("open"), ..of_responsible() }, &newest, &by_id, open),
    ] {
        let plan = explained(&mut connection, &filter, after, arguments).await;
        for index in indexes {
            assert!(plan.contains(&format!("using {index}")), "{filter:?} {after:?} {index} {plan}");
        }
        assert!(
            plan.contains("Function Scan on deputised") && !plan.contains("Seq Scan"),
            "{filter:?} {after:?} {plan}"
        );
    }
}

#[tokio::test]
async fn o3_what_has_to_be_sorted_is_the_little_that_is_open_or_the_first_of_each_branch() {
    let (_database, mut connection) = database().await;
    let newest = After::Newest(Some("cases/99999999".to_owned()));
    let place = "'cases/99999999'";
    // The few cases of a small branch are found by its index too, not by walking through everybody's.
    let plan =
        explained(&mut connection, &of_branch("branches/few"), &newest, &["'branches/few'", place]).await;
    assert!(plan.contains("cases_branch") && !plan.contains("cases_pkey"), "{plan}");
    // What is open, or overdue, of one person or branch.
    for (filter, arguments, index) in [
        (
            CaseFilter { phase: Some("open"), ..of_handler() },
            vec!["'employees/e1'", place],
            "cases_handler_live",
        ),
        (
            CaseFilter { overdue: Some(true), ..of_handler() },
            vec!["'employees/e1'", NOW, place],
            "cases_handler_live",
        ),
        (
            CaseFilter { overdue: Some(true), ..of_branch("branches/b7") },
            vec!["'branches/b7'", NOW, place],
            "cases_branch_",
        ),
    ] {
        let plan = explained(&mut connection, &filter, &newest, &arguments).await;
        assert!(plan.contains(index) && !plan.contains("Seq Scan"), "{filter:?} {plan}");
    }
    // Several branches: no more than a page of each.
    let several = CaseFilter {
        branches: Some(vec!["branches/b7".to_owned(), "branches/b8".to_owned()]),
        ..CaseFilter::default()
    };
    let plan =
        explained(&mut connection, &several, &newest, &["'{branches/b7,branches/b8}'::text[]", place]).await;
    let (outer, inner) = plan.split_once("Nested Loop").unwrap();
    assert!(
        outer.contains("Limit") && !inner.contains("Sort") && inner.contains("using cases_branch "),
        "{plan}"
    );
}
