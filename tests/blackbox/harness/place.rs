//! Where a deployment's schemas are: a database of the shared test cluster, or a cluster of the test's own that it may stop.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use shouwen_runtime::postgres_cluster::{Cluster, ClusterOptions};
use shouwen_testkit::TestDatabase;
use sqlx::{Connection as _, PgConnection};

use super::{ports, process};

/// The services in the order of their schemas.
pub(crate) const SERVICES: [&str; 5] = ["ownership", "calls", "callbacks", "clients", "complaints"];

/// Passwords that `migrate` gives to the runtime roles.
pub(crate) fn password(service: &str) -> String {
    format!("of-{service}")
}

/// A database with the URLs of its roles.
pub(crate) struct Place {
    pub(crate) admin_url: String,
    pub(crate) role_urls: BTreeMap<&'static str, String>,
    _database: Option<TestDatabase>,
}

impl Place {
    /// A migrated database of the shared cluster. The template is migrated by `shouwen migrate`, once per process.
    pub(crate) async fn shared() -> Self {
        Self::of(TestDatabase::create("suite", async |url| migrate(url)).await)
    }

    /// Any database of the shared cluster.
    pub(crate) fn of(database: TestDatabase) -> Self {
        let role_urls = SERVICES.map(|service| (service, database.url_as(&format!("shouwen_{service}"))));
        Self { admin_url: database.url(), role_urls: role_urls.into(), _database: Some(database) }
    }

    /// A superuser's connection with this service's schema first in its path.
    pub(crate) async fn connect(&self, service: &str) -> PgConnection {
        let url = format!("{}?options[search_path]={service}", self.admin_url);
        PgConnection::connect(&url).await.unwrap()
    }
}

/// `shouwen migrate` with a settings file, as an operator runs it; panics with what it said if it fails.
pub(crate) fn migrate(admin_url: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("migrate.toml");
    let passwords = SERVICES.map(|service| format!("{service} = \"{}\"\n", password(service))).concat();
    fs::write(&file, format!("[admin]\nurl = \"{admin_url}\"\n\n[passwords]\n{passwords}")).unwrap();
    let output = process::run(["migrate".as_ref(), "--config".as_ref(), file.as_os_str()]);
    assert!(output.status.success(), "{}", process::text(&output));
}

/// A cluster of the test's own, on a port that it keeps.
pub(crate) struct OwnCluster {
    dir: PathBuf,
    port: u16,
    cluster: Option<Cluster>,
    password: String,
}

/// The database in it.
const DATABASE: &str = "firm";

impl OwnCluster {
    /// A running cluster with a migrated database.
    pub(crate) async fn start_migrated(dir: &Path) -> Self {
        let mut own = Self {
            dir: dir.join("cluster"),
            port: ports::free().port(),
            cluster: None,
            password: String::new(),
        };
        own.start().await;
        own.create_database(DATABASE).await;
        migrate(&own.place(DATABASE).admin_url);
        own
    }

    pub(crate) async fn start(&mut self) {
        let mut options = ClusterOptions::new(&self.dir);
        options.port = Some(self.port);
        options.durable = false;
        options.settings = vec![("shared_buffers".to_owned(), "32MB".to_owned())];
        self.cluster = Some(Cluster::start(options).await.unwrap());
        fs::read_to_string(self.dir.join("password")).unwrap().trim().clone_into(&mut self.password);
    }

    pub(crate) async fn stop(&mut self) {
        self.cluster.take().unwrap().stop().await.unwrap();
    }

    pub(crate) async fn create_database(&self, name: &str) {
        let mut admin =
            PgConnection::connect(&self.url("postgres", &self.password, "postgres")).await.unwrap();
        let statement = sqlx::AssertSqlSafe(format!("create database {name}"));
        sqlx::query(statement).execute(&mut admin).await.unwrap();
    }

    /// The database that was migrated at the start.
    pub(crate) fn migrated(&self) -> Place {
        self.place(DATABASE)
    }

    /// Any database of the cluster.
    pub(crate) fn place(&self, database: &str) -> Place {
        let role_urls = SERVICES
            .map(|service| (service, self.url(&format!("shouwen_{service}"), &password(service), database)));
        let admin_url = self.url("postgres", &self.password, database);
        Place { admin_url, role_urls: role_urls.into(), _database: None }
    }

    fn url(&self, role: &str, password: &str, database: &str) -> String {
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}", self.port)
    }
}
