//! A private cluster with real processes: started, stopped, killed and left behind.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use shouwen_runtime::postgres::{self, DatabaseConfig, DatabaseError};
use shouwen_runtime::postgres_cluster::{Cluster, ClusterError, ClusterOptions};
use shouwen_testkit::until;
use sqlx::{Connection, PgConnection};

const LIMIT: Duration = Duration::from_secs(20);

/// Tells a second process of this test binary where to start a cluster and then to wait for its end.
const CHILD_DIR: &str = "SHOUWEN_TEST_CLUSTER_DIR";

fn options(dir: &Path) -> ClusterOptions {
    ClusterOptions { durable: false, ..ClusterOptions::new(dir) }
}

/// A directory that the user `postgres` can reach.
fn reachable_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

async fn count_notes(cluster: &Cluster) -> i64 {
    let mut connection = PgConnection::connect(&cluster.admin_url()).await.unwrap();
    sqlx::query_scalar("SELECT count(*) FROM note").fetch_one(&mut connection).await.unwrap()
}

fn server_pid(dir: &Path) -> Option<String> {
    let text = std::fs::read_to_string(dir.join("pgdata/postmaster.pid")).ok()?;
    Some(text.lines().next()?.to_owned())
}

fn kill(signal: &str, pid: &str) {
    assert!(Command::new("kill").args([signal, pid]).status().unwrap().success());
}

#[tokio::test]
async fn a_cluster_keeps_its_data_over_a_restart_and_starts_again_quickly() {
    let dir = reachable_dir();
    let data = dir.path().join("postgres");
    let cluster = Cluster::start(ClusterOptions::new(&data)).await.unwrap();
    let mut connection = PgConnection::connect(&cluster.admin_url()).await.unwrap();
    sqlx::query("CREATE TABLE note AS SELECT 1 AS a").execute(&mut connection).await.unwrap();
    cluster.stop().await.unwrap();
    assert!(server_pid(&data).is_none());

    let started = Instant::now();
    let cluster = Cluster::start(ClusterOptions::new(&data)).await.unwrap();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(2), "start took {took:?}");
    assert_eq!(count_notes(&cluster).await, 1);
    assert!(!format!("{cluster:?}").contains(&std::fs::read_to_string(data.join("password")).unwrap()));
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_password_is_demanded_and_a_wrong_one_is_final() {
    let dir = reachable_dir();
    let cluster = Cluster::start(options(&dir.path().join("postgres"))).await.unwrap();
    let pool = postgres::connect(&DatabaseConfig::at(cluster.admin_url())).await.unwrap();
    for limit in ["SHOW statement_timeout", "SHOW idle_in_transaction_session_timeout"] {
        assert_eq!(sqlx::query_scalar::<_, String>(limit).fetch_one(&pool).await.unwrap(), "10s");
    }
    let wrong = DatabaseConfig::at(cluster.role_url("postgres", "wrong", "postgres"));
    let error = postgres::connect(&wrong).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Refused { .. }), "{error}");
    pool.close().await;
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn the_way_leads_over_the_socket_or_over_tcp_where_the_directory_can_hold_none() {
    let dir = reachable_dir();
    for (name, over_socket) in
        [("postgres", true), ("a name with spaces", false), (&*"long".repeat(30), false)]
    {
        let cluster = Cluster::start(options(&dir.path().join(name))).await.unwrap();
        let mut connection = PgConnection::connect(&cluster.admin_url()).await.unwrap();
        let local: bool =
            sqlx::query_scalar("SELECT inet_client_addr() IS NULL").fetch_one(&mut connection).await.unwrap();
        assert_eq!(local, over_socket, "{name}");
        cluster.stop().await.unwrap();
    }
}

#[tokio::test]
async fn an_unclean_stop_is_recovered_from() {
    let dir = reachable_dir();
    let data = dir.path().join("postgres");
    let cluster = Cluster::start(options(&data)).await.unwrap();
    let mut connection = PgConnection::connect(&cluster.admin_url()).await.unwrap();
    sqlx::query("CREATE TABLE note AS SELECT 1 AS a").execute(&mut connection).await.unwrap();
    kill("-KILL", &server_pid(&data).unwrap());
    drop(cluster);
    let cluster = Cluster::start(options(&data)).await.unwrap();
    assert_eq!(count_notes(&cluster).await, 1);
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_lock_file_whose_process_number_belongs_to_another_program_does_not_block() {
    let dir = reachable_dir();
    let data = dir.path().join("postgres");
    Cluster::initialize(&data, false).await.unwrap();
    std::fs::write(data.join("pgdata/postmaster.pid"), format!("{}\n", std::process::id())).unwrap();
    Cluster::start(options(&data)).await.unwrap().stop().await.unwrap();
}

#[tokio::test]
async fn a_data_directory_in_use_is_refused_with_the_process_that_uses_it() {
    let dir = reachable_dir();
    let data = dir.path().join("postgres");
    let cluster = Cluster::start(options(&data)).await.unwrap();
    let error = Cluster::start(options(&data)).await.unwrap_err();
    assert!(matches!(error, ClusterError::InUse { .. }), "{error}");
    cluster.stop().await.unwrap();
}

#[tokio::test]
async fn a_wrong_setting_is_reported_in_the_words_of_the_server() {
    let dir = reachable_dir();
    let mut options = options(&dir.path().join("postgres"));
    options.settings = vec![("shared_buffers".to_owned(), "lots".to_owned())];
    let error = Cluster::start(options).await.unwrap_err().to_string();
    assert!(error.contains("shared_buffers"), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_reported() {
    let dir = reachable_dir();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options(&dir.path().join("postgres"));
    options.port = Some(taken.local_addr().unwrap().port());
    let error = Cluster::start(options).await.unwrap_err().to_string();
    assert!(error.contains("could not bind") || error.contains("Address already in use"), "{error}");
}

/// Not a test of its own: what the next test runs in a process to be killed.
#[tokio::test]
async fn child_process_with_a_cluster() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let mut options = options(Path::new(&dir));
    options.ephemeral = true;
    let _cluster = Cluster::start(options).await.unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn the_server_does_not_outlive_a_killed_process() {
    let dir = reachable_dir();
    let data = dir.path().join("postgres");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_process_with_a_cluster"])
        .env(CHILD_DIR, &data)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ready = async || {
        let text = std::fs::read_to_string(data.join("pgdata/postmaster.pid")).ok()?;
        text.contains("ready").then(|| server_pid(&data)).flatten()
    };
    let server = until("the child's server is ready", LIMIT, ready).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let gone = async || (!Path::new(&format!("/proc/{server}")).exists()).then_some(());
    until("the server stops after its parent was killed", LIMIT, gone).await;
    let emptied = async || (!data.join("pgdata").exists()).then_some(());
    until("an ephemeral cluster's data are removed", LIMIT, emptied).await;
}

#[tokio::test]
async fn a_pool_waits_for_a_database_that_is_not_there_yet() {
    let dir = reachable_dir();
    let data = dir.path().join("postgres");
    let cluster = Cluster::start(options(&data)).await.unwrap();
    let (port, config) = (cluster.port(), DatabaseConfig::at(cluster.admin_url()));
    cluster.stop().await.unwrap();
    let waiting = tokio::spawn(async move { postgres::connect(&config).await });
    let cluster = Cluster::start(ClusterOptions { port: Some(port), ..options(&data) }).await.unwrap();
    let pool = waiting.await.unwrap().unwrap();
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await.unwrap();
    assert_eq!(one, 1);
    pool.close().await;
    cluster.stop().await.unwrap();
}
