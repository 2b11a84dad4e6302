//! The SQL on table `data_key`, and nothing else. The table is found by the connection's search path.

use sqlx::{PgConnection, PgExecutor};

/// A row of `data_key`.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct KeyRow {
    pub(crate) subject: String,
    /// The wrapped key and the id of the key-encryption key; both null once erased.
    pub(crate) wrapped: Option<Vec<u8>>,
    pub(crate) kek_id: Option<String>,
}

/// The rows that exist of these subjects, in no order.
pub(crate) async fn load(
    executor: impl PgExecutor<'_>,
    subjects: &[&str],
) -> Result<Vec<KeyRow>, sqlx::Error> {
    sqlx::query_as("select subject, wrapped, kek_id from data_key where subject = any($1)")
        .bind(subjects)
        .fetch_all(executor)
        .await
}

/// Inserts the keys whose subjects have no row yet; leaves all others as they are. The subjects must be sorted, so
/// that two inserts never wait for each other crosswise.
pub(crate) async fn insert_new(
    executor: impl PgExecutor<'_>,
    subjects: &[&str],
    wrapped: &[Vec<u8>],
    kek_id: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into data_key (subject, wrapped, kek_id)
         select new.subject, new.wrapped, $3 from unnest($1::text[], $2::bytea[]) as new (subject, wrapped)
         on conflict (subject) do nothing",
    )
    .bind(subjects)
    .bind(wrapped)
    .bind(kek_id)
    .execute(executor)
    .await?;
    Ok(())
}

/// Whether the subject's key still exists, holding off its erasure until the transaction ends. `None`: no row.
pub(crate) async fn lock_against_erasure(
    transaction: &mut PgConnection,
    subject: &str,
) -> Result<Option<bool>, sqlx::Error> {
    sqlx::query_scalar("select wrapped is not null from data_key where subject = $1 for share")
        .bind(subject)
        .fetch_optional(transaction)
        .await
}

/// Writes whose contact it is. False: the contact has no row.
pub(crate) async fn link(
    transaction: &mut PgConnection,
    contact: &str,
    client: &str,
) -> Result<bool, sqlx::Error> {
    let result = sqlx::query("update data_key set linked_to = $2 where subject = $1")
        .bind(contact)
        .bind(client)
        .execute(transaction)
        .await?;
    Ok(result.rows_affected() == 1)
}

/// Makes the subject's row a tombstone, and its creation too if it had none; the row is locked either way. True if
/// it was none before.
pub(crate) async fn entomb(transaction: &mut PgConnection, subject: &str) -> Result<bool, sqlx::Error> {
    let result = sqlx::query(
        "insert into data_key as existing (subject, erased_at) values ($1, now())
         on conflict (subject) do update set wrapped = null, kek_id = null, erased_at = now()
         where existing.wrapped is not null",
    )
    .bind(subject)
    .execute(transaction)
    .await?;
    Ok(result.rows_affected() == 1)
}

/// Makes tombstones of all rows linked to the subject, directly or through others; gives their subjects.
pub(crate) async fn entomb_linked(
    transaction: &mut PgConnection,
    subject: &str,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "with recursive bound (subject) as (
             select $1::text
             union
             select key.subject from data_key as key join bound on key.linked_to = bound.subject
         )
         update data_key set wrapped = null, kek_id = null, erased_at = now()
         where subject in (select subject from bound) and wrapped is not null
         returning subject",
    )
    .bind(subject)
    .fetch_all(transaction)
    .await
}

/// Locks up to `limit` keys wrapped by any of these key-encryption keys, passing over what others have locked.
pub(crate) async fn lock_wrapped_by(
    transaction: &mut PgConnection,
    kek_ids: &[&str],
    limit: i64,
) -> Result<Vec<KeyRow>, sqlx::Error> {
    sqlx::query_as(
        "select subject, wrapped, kek_id from data_key where kek_id = any($1)
         order by kek_id limit $2 for no key update skip locked",
    )
    .bind(kek_ids)
    .bind(limit)
    .fetch_all(transaction)
    .await
}

/// Replaces wrapped keys, each only where the old one still stands; gives how many it replaced.
pub(crate) async fn replace_wrapped(
    transaction: &mut PgConnection,
    subjects: &[&str],
    old: &[&[u8]],
    new: &[Vec<u8>],
    kek_id: &str,
) -> Result<u64, sqlx::Error> {
    let result = sqlx::query(
        "update data_key as key set wrapped = change.new, kek_id = $4
         from unnest($1::text[], $2::bytea[], $3::bytea[]) as change (subject, old, new)
         where key.subject = change.subject and key.wrapped = change.old",
    )
    .bind(subjects)
    .bind(old)
    .bind(new)
    .bind(kek_id)
    .execute(transaction)
    .await?;
    Ok(result.rows_affected())
}

/// The ids of all key-encryption keys in use, sorted: one index descent for each, however many keys there are.
pub(crate) async fn kek_ids_in_use(executor: impl PgExecutor<'_>) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "with recursive used (kek_id) as (
             (select kek_id from data_key where kek_id is not null order by kek_id limit 1)
             union all
             select (select key.kek_id from data_key as key where key.kek_id > used.kek_id
                     order by key.kek_id limit 1)
             from used where used.kek_id is not null
         )
         select kek_id from used where kek_id is not null",
    )
    .fetch_all(executor)
    .await
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use shouwen_testkit::{TestDatabase, until};
    use sqlx::PgPool;

    use super::*;
    use crate::MIGRATOR;

    #[tokio::test]
    async fn l10_an_erasure_waits_for_a_link_under_way_and_takes_its_contact_along() {
        let database = TestDatabase::create("vault_store", async |url: &str| {
            MIGRATOR.run(&PgPool::connect(url).await.unwrap()).await.unwrap();
        })
        .await;
        let pool = PgPool::connect(&database.url()).await.unwrap();
        insert_new(&pool, &["clients/1", "contacts/1"], &[vec![1], vec![2]], "1").await.unwrap();

        let mut linking = pool.begin().await.unwrap();
        assert_eq!(lock_against_erasure(&mut linking, "clients/1").await.unwrap(), Some(true));
        let mut erasing = pool.begin().await.unwrap();
        let erasure = tokio::spawn(async move {
            assert!(entomb(&mut erasing, "clients/1").await.unwrap());
            let erased = entomb_linked(&mut erasing, "clients/1").await.unwrap();
            erasing.commit().await.unwrap();
            erased
        });
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        until("the erasure waits", Duration::from_secs(10), async || {
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&pool).await.unwrap();
            (waiting > 0).then_some(())
        })
        .await;
        assert!(link(&mut linking, "contacts/1", "clients/1").await.unwrap());
        linking.commit().await.unwrap();
        assert_eq!(erasure.await.unwrap(), ["contacts/1"]);
        assert_eq!(
            lock_against_erasure(&mut pool.acquire().await.unwrap(), "clients/2").await.unwrap(),
            None
        );
    }
}
