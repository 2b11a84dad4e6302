//! One throw-away Postgres per test process, started when the first test asks and gone with the process. It keeps no
//! promise to disk: fsync is off.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::thread;

use shouwen_runtime::postgres_cluster::{Binaries, Cluster, ClusterOptions, SUPERUSER};
use sqlx::{Connection, Executor, PgConnection};

/// Raised when what a template holds changes.
const TEMPLATE_FORMAT: u32 = 2;

/// Connections from this machine need no password, so that a test can be any role.
const ACCESS: &str = "local all all trust\nhost all all 127.0.0.1/32 trust\n";

const SETTINGS: [(&str, &str); 8] = [
    ("max_connections", "400"),
    ("shared_buffers", "96MB"),
    ("autovacuum", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "4GB"),
    ("checkpoint_timeout", "1h"),
    ("log_checkpoints", "off"),
];

/// The running test cluster.
#[derive(Debug)]
pub struct TestPostgres {
    port: u16,
    dropped: mpsc::Sender<String>,
}

impl TestPostgres {
    /// The cluster of this process; starts it (well under a second, initdb runs once per machine) if nobody has yet.
    pub async fn shared() -> &'static Self {
        static SHARED: OnceLock<TestPostgres> = OnceLock::new();
        if let Some(shared) = SHARED.get() {
            return shared;
        }
        tokio::task::spawn_blocking(|| SHARED.get_or_init(start))
            .await
            .unwrap_or_else(|error| panic!("the test cluster did not start: {error}"))
    }

    /// The superuser's URL of the database `postgres`.
    pub fn admin_url(&self) -> String {
        self.url_as(SUPERUSER, "postgres")
    }

    /// The URL of a database for any role that may log in; no password is asked for.
    pub fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// The TCP port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A superuser's connection to the database `postgres`.
    pub async fn admin(&self) -> PgConnection {
        PgConnection::connect(&self.admin_url())
            .await
            .unwrap_or_else(|error| panic!("the test cluster is not reachable: {error}"))
    }

    /// Drops a database some time soon.
    pub(crate) fn drop_later(&self, database: String) {
        // Nobody listens once the process ends; the whole cluster goes then.
        let _ = self.dropped.send(database);
    }
}

/// Starts the cluster on a thread of its own, which no test's runtime takes down, and which drops used databases.
fn start() -> TestPostgres {
    let (started, start) = mpsc::channel();
    let (dropped, drops) = mpsc::channel::<String>();
    let run = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("no runtime for the test cluster: {error}"));
        let cluster = runtime.block_on(start_cluster());
        let admin_url = cluster.admin_url();
        // Whoever waits is gone only if its test was aborted.
        let _ = started.send(cluster.port());
        for database in drops {
            runtime.block_on(drop_database(&admin_url, &database));
        }
    };
    let spawned = thread::Builder::new().name("test-postgres".to_owned()).spawn(run);
    spawned.unwrap_or_else(|error| panic!("no thread for the test cluster: {error}"));
    let port = start.recv().unwrap_or_else(|_| panic!("the test cluster did not start; see above"));
    TestPostgres { port, dropped }
}

async fn start_cluster() -> Cluster {
    let template = template().await;
    let data_dir = std::env::temp_dir().join(format!("shouwen-test-{}", unique()));
    copy(&template, &data_dir);
    let mut options = ClusterOptions::new(data_dir);
    options.durable = false;
    options.ephemeral = true;
    options.settings =
        SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Cluster::start(options).await.unwrap_or_else(|error| panic!("the test cluster did not start: {error}"))
}

/// A fresh data directory to copy, made once per machine, user and server version. Processes that start at once wait
/// for each other on a lock file.
async fn template() -> PathBuf {
    let binaries = Binaries::find(None).await.unwrap_or_else(|error| panic!("{error}"));
    let user =
        fs::metadata("/proc/self").map_or(0, |metadata| std::os::unix::fs::MetadataExt::uid(&metadata));
    let name = format!("shouwen-test-template-{user}-pg{}-{TEMPLATE_FORMAT}", binaries.major);
    let template = std::env::temp_dir().join(&name);
    let lock_path = std::env::temp_dir().join(format!("{name}.lock"));
    let lock = File::create(&lock_path).unwrap_or_else(|error| panic!("{}: {error}", lock_path.display()));
    lock.lock().unwrap_or_else(|error| panic!("{}: {error}", lock_path.display()));
    if !template.exists() {
        let making = template.with_extension("making");
        let _ = fs::remove_dir_all(&making);
        Cluster::initialize(&making, false).await.unwrap_or_else(|error| panic!("{error}"));
        let access = making.join("pgdata/pg_hba.conf");
        fs::write(&access, ACCESS).unwrap_or_else(|error| panic!("{}: {error}", access.display()));
        fs::rename(&making, &template).unwrap_or_else(|error| panic!("{}: {error}", template.display()));
    }
    template
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cannot copy {} to {}",
        from.display(),
        to.display()
    );
}

fn unique() -> String {
    format!("{}-{:08x}", std::process::id(), shouwen_runtime::clock::unix_micros() & 0xffff_ffff)
}

async fn drop_database(admin_url: &str, database: &str) {
    if let Ok(mut admin) = PgConnection::connect(admin_url).await {
        // A database that stays is removed with the cluster.
        let _ = admin
            .execute(sqlx::AssertSqlSafe(format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)")))
            .await;
    }
}
