//! Many cases, written past the product: through its API, millions would take hours. Their likeness is taken from two that the product has made.

use shouwen_proto::ownership::v1::{
    ConfirmSatisfactionRequest, ResolveCaseRequest, case_service_client::CaseServiceClient,
};
use shouwen_runtime::ids;
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::{
    Failure,
    client::{Clients, claim, with},
};

/// Cases of one statement; so that progress shows, and the next ranges of the ledger are there in time.
const AT_ONCE: i64 = 250_000;

/// Makes an open and a closed case through the API.
pub(super) async fn make_templates(clients: &Clients) -> Result<(), Failure> {
    let token = &clients.tokens[0];
    let mut cases = CaseServiceClient::new(clients.channel());
    cases.claim(with(token, claim())).await?;
    let closed = cases.claim(with(token, claim())).await?.into_inner().case.unwrap_or_default();
    let resolve = ResolveCaseRequest {
        name: closed.name.clone(),
        answer: "已说明".to_owned(),
        request_id: ids::new_v4().to_string(),
        ..ResolveCaseRequest::default()
    };
    cases.resolve_case(with(token, resolve)).await?;
    let confirm = ConfirmSatisfactionRequest {
        name: closed.name,
        satisfied: true,
        request_id: ids::new_v4().to_string(),
        ..ConfirmSatisfactionRequest::default()
    };
    cases.confirm_satisfaction(with(token, confirm)).await?;
    Ok(())
}

/// What fills the tables.
pub(super) struct Filling {
    connection: PgConnection,
    filled: i64,
}

impl Filling {
    pub(super) async fn begin(admin_url: &str) -> Result<Self, Failure> {
        let mut connection = PgConnection::connect(admin_url).await?;
        connection.execute("set search_path = ownership").await?;
        connection.execute(include_str!("schema.sql")).await?;
        Ok(Self { connection, filled: 0 })
    }

    /// How many cases are missing until there are so many.
    pub(super) fn missing(&self, cases: i64) -> i64 {
        cases - self.filled
    }

    /// Adds cases until there are so many.
    pub(super) async fn up_to(&mut self, cases: i64) -> Result<(), Failure> {
        while self.filled < cases {
            let next = cases.min(self.filled + AT_ONCE);
            sqlx::query("call bench.fill($1, $2)")
                .bind(self.filled)
                .bind(next - 1)
                .execute(&mut self.connection)
                .await?;
            self.filled = next;
            eprintln!("bench: {} of {cases} cases", self.filled);
        }
        Ok(())
    }

    /// As if the server had been at rest for long.
    pub(super) async fn rest(&mut self) -> Result<(), Failure> {
        self.connection.execute("vacuum (freeze, analyze)").await?;
        self.connection.execute("checkpoint").await?;
        Ok(())
    }

    /// The names of these cases.
    pub(super) async fn cases(&mut self, numbers: &[i64]) -> Result<Vec<String>, Failure> {
        let names = sqlx::query_scalar("select bench.case_name(n) from unnest($1::bigint[]) as n")
            .bind(numbers)
            .fetch_all(&mut self.connection)
            .await?;
        Ok(names)
    }

    /// How many indexes each table of ownership has: so many descents does a new row take.
    pub(super) async fn indexes(&mut self) -> Result<Vec<(String, i64)>, Failure> {
        let indexes = sqlx::query_as(
            "select tablename::text, count(*) from pg_indexes where schemaname = 'ownership' group by 1",
        )
        .fetch_all(&mut self.connection)
        .await?;
        Ok(indexes)
    }

    /// Whether statements are explained to the log from now on.
    pub(super) async fn explain(&mut self, all: bool) -> Result<(), Failure> {
        let duration = if all { "0" } else { "-1" };
        let statement = format!("alter system set auto_explain.log_min_duration = {duration}");
        self.connection.execute(sqlx::AssertSqlSafe(statement)).await?;
        self.connection.execute("select pg_reload_conf()").await?;
        Ok(())
    }
}
