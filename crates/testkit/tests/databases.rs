//! The test databases themselves: isolated, cloned, prepared once.

use std::sync::atomic::{AtomicU32, Ordering};

use shouwen_testkit::TestDatabase;
use sqlx::{Connection, Executor, PgConnection};

static PREPARED: AtomicU32 = AtomicU32::new(0);

async fn prepare(url: &str) {
    PREPARED.fetch_add(1, Ordering::SeqCst);
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute("CREATE TABLE note (text text)").await.unwrap();
    connection.execute("CREATE ROLE note_reader LOGIN").await.unwrap();
    connection.execute("GRANT SELECT ON note TO note_reader").await.unwrap();
}

#[tokio::test]
async fn each_test_has_its_own_copy_of_a_template_that_is_prepared_once() {
    let (one, two) =
        tokio::join!(TestDatabase::create("notes", prepare), TestDatabase::create("notes", prepare));
    one.connect().await.execute("INSERT INTO note VALUES ('mine')").await.unwrap();
    let notes: i64 =
        sqlx::query_scalar("SELECT count(*) FROM note").fetch_one(&mut two.connect().await).await.unwrap();
    assert_eq!(notes, 0);
    assert_eq!(PREPARED.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_test_can_be_any_role_and_has_only_its_rights() {
    let database = TestDatabase::create("notes", prepare).await;
    let mut reader = PgConnection::connect(&database.url_as("note_reader")).await.unwrap();
    reader.execute("SELECT * FROM note").await.unwrap();
    let refused = reader.execute("INSERT INTO note VALUES ('x')").await.unwrap_err();
    assert!(refused.to_string().contains("permission denied"), "{refused}");
}

#[tokio::test]
async fn an_empty_database_has_no_tables() {
    let database = TestDatabase::empty().await;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut database.connect().await)
        .await
        .unwrap();
    assert_eq!(tables, 0);
}
