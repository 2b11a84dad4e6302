//! Reading desks: all that waits for somebody, and what changed since.

use sqlx::PgPool;

use super::Row;

/// For whom a desk is read: all that an employee is, by name and role, and who it is and who watches, for what either is not to be shown (O12, B7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reader {
    pub(crate) employee: String,
    pub(crate) recipients: Vec<String>,
    /// `employees/{employee}`: the employee, or a colleague who may see the desk.
    pub(crate) watcher: String,
}

/// Number of the last change, and of the last that is forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) position: i64,
    pub(crate) forgotten: i64,
}

pub(crate) async fn head(pool: &PgPool) -> sqlx::Result<Head> {
    sqlx::query_as!(Head, "select position, forgotten from desk_head").fetch_one(pool).await
}

/// Whose desks changed after one change and up to another.
pub(crate) async fn touched(pool: &PgPool, after: i64, to: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select recipient as "recipient!" from desk where since > $1 and since <= $2
           union select recipient from desk where cleared > $1 and cleared <= $2"#,
        after,
        to
    )
    .fetch_all(pool)
    .await
}

/// What came after one change and up to another and still waits, oldest first.
pub(crate) async fn waiting(
    pool: &PgPool,
    reader: &Reader,
    after: i64,
    to: i64,
    limit: i64,
) -> sqlx::Result<Vec<Row>> {
    sqlx::query_as!(
        Row,
        r#"select d.since as "since!", d.recipient as "recipient!", d.kind as "kind!", d.subject as "subject!", d.source as "source!",
                  d.case_name as "case_name!", d.branch as "branch!", d.due, d.level as "level!", d.barred as "barred!",
                  d.since_time as "since_time!"
           from unnest($1::text[]) as reader (recipient) cross join lateral (
               select * from desk where recipient = reader.recipient and cleared is null and since > $3 and since <= $4
                      and not $2 = any(barred) and not $6 = any(barred)
               order by since limit $5
           ) d order by d.since limit $5"#,
        &reader.recipients,
        &reader.employee,
        after,
        to,
        limit,
        &reader.watcher
    )
    .fetch_all(pool)
    .await
}

/// A change of a desk.
pub(crate) struct Change {
    pub(crate) number: i64,
    /// It does not wait any more.
    pub(crate) gone: bool,
    /// It waited before, in another way.
    pub(crate) follows: bool,
    pub(crate) row: Row,
}

/// The changes after a number, in their order, and where the head stood then: one look, so that nothing is forgotten unseen.
pub(crate) async fn changes(
    pool: &PgPool,
    reader: &Reader,
    after: i64,
    limit: i64,
) -> sqlx::Result<(Head, Vec<Change>)> {
    let rows = sqlx::query!(
        r#"select h.position, h.forgotten, c.number as "number?", c.gone as "gone?", c.follows as "follows?", c.recipient as "recipient?",
                  c.kind as "kind?", c.subject as "subject?", c.source as "source?", c.case_name as "case_name?", c.branch as "branch?",
                  c.due as "due?", c.level as "level?", c.barred as "barred?", c.since as "since?", c.since_time as "since_time?"
           from desk_head h left join lateral (
               select d.* from unnest($1::text[]) as reader (recipient) cross join lateral (
                   (select since as number, false as gone, * from desk
                    where recipient = reader.recipient and since > $3 and not $2 = any(barred) and not $5 = any(barred)
                    order by since limit $4)
                   union all
                   (select cleared, true, * from desk
                    where recipient = reader.recipient and cleared > $3 and not followed
                          and not $2 = any(barred) and not $5 = any(barred)
                    order by cleared limit $4)
               ) d order by d.number limit $4
           ) c on true order by c.number"#,
        &reader.recipients,
        &reader.employee,
        after,
        limit,
        &reader.watcher
    )
    .fetch_all(pool)
    .await?;
    let mut head = Head { position: after, forgotten: 0 };
    let mut changes = Vec::with_capacity(rows.len());
    for found in rows {
        head = Head { position: found.position, forgotten: found.forgotten };
        let change = (|| {
            let row = Row {
                since: found.since?,
                recipient: found.recipient?,
                kind: found.kind?,
                subject: found.subject?,
                source: found.source?,
                case_name: found.case_name?,
                branch: found.branch?,
                due: found.due,
                level: found.level?,
                barred: found.barred?,
                since_time: found.since_time?,
            };
            Some(Change { number: found.number?, gone: found.gone?, follows: found.follows?, row })
        })();
        changes.extend(change);
    }
    Ok((head, changes))
}
