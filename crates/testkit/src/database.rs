//! A database per test, cloned from a template that is migrated once per process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use shouwen_runtime::postgres_cluster::SUPERUSER;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tokio::sync::Mutex;

use crate::TestPostgres;

/// An isolated database; dropped some time after this value is.
#[derive(Debug)]
pub struct TestDatabase {
    cluster: &'static TestPostgres,
    name: String,
}

impl TestDatabase {
    /// A fresh copy of the template `template_name` (an SQL identifier in lower case). The first call of the process
    /// makes the template: `prepare` gets the superuser's URL of an empty database and migrates it; it panics if it
    /// cannot. Preparations run one after the other, but in one cluster: what they create beside the database (roles)
    /// must be created only if it is not there yet.
    pub async fn create(template_name: &str, prepare: impl AsyncFnOnce(&str)) -> Self {
        static TEMPLATES: Mutex<Option<HashMap<String, String>>> = Mutex::const_new(None);
        let cluster = TestPostgres::shared().await;
        let mut templates = TEMPLATES.lock().await;
        let templates_by_name = templates.get_or_insert_default();
        let template = if let Some(template) = templates_by_name.get(template_name) {
            template.clone()
        } else {
            let template = format!("template_{template_name}_{}", next());
            let mut admin = cluster.admin().await;
            run(&mut admin, format!("CREATE DATABASE {template}")).await;
            prepare(&cluster.url_as(SUPERUSER, &template)).await;
            run(&mut admin, format!("ALTER DATABASE {template} ALLOW_CONNECTIONS false")).await;
            let leftover = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = ";
            run(&mut admin, format!("{leftover}'{template}'")).await;
            templates_by_name.insert(template_name.to_owned(), template.clone());
            template
        };
        drop(templates);
        let name = format!("test_{template_name}_{}", next());
        run(&mut cluster.admin().await, format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { cluster, name }
    }

    /// An empty database without a template.
    pub async fn empty() -> Self {
        let cluster = TestPostgres::shared().await;
        let name = format!("test_{}", next());
        run(&mut cluster.admin().await, format!("CREATE DATABASE {name}")).await;
        Self { cluster, name }
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The superuser's URL.
    pub fn url(&self) -> String {
        self.url_as(SUPERUSER)
    }

    /// The URL for a role that may log in; no password is asked for.
    pub fn url_as(&self, role: &str) -> String {
        self.cluster.url_as(role, &self.name)
    }

    /// A superuser's connection.
    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.cluster.drop_later(self.name.clone());
    }
}

fn next() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

async fn run(connection: &mut PgConnection, sql: String) {
    if let Err(error) = connection.execute(AssertSqlSafe(sql.as_str())).await {
        panic!("{sql}: {error}");
    }
}
