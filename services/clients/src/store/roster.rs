//! The firm's branches and employees as ownership's feed tells of them: read when a client is entered, written with the feed's cursor.

use std::collections::BTreeMap;

use shouwen_proto::r#type::v1::Position as PositionMessage;
use sqlx::{PgConnection, PgPool};

use crate::domain::{BranchRoster, Colleague};

/// The rosters of those of the branches that exist.
pub(crate) async fn of_branches(
    pool: &PgPool,
    branches: &[String],
) -> sqlx::Result<BTreeMap<String, BranchRoster>> {
    let rows = sqlx::query!(
        r#"select b.id as "branch!", e.id as "employee?", e.position as "position?", e.serves as "serves?"
           from known_branch b left join known_employee e on e.branch = b.id and e.active where b.id = any($1)"#,
        branches
    )
    .fetch_all(pool)
    .await?;
    let mut colleagues: BTreeMap<String, Vec<Colleague>> = BTreeMap::new();
    for row in rows {
        let of_branch = colleagues.entry(row.branch).or_default();
        if let Some(name) = row.employee {
            let position = PositionMessage::try_from(i32::from(row.position.unwrap_or_default()));
            of_branch.push(Colleague {
                name,
                position: position.unwrap_or_default().into(),
                serves: row.serves.unwrap_or_default(),
            });
        }
    }
    Ok(colleagues
        .into_iter()
        .map(|(branch, colleagues)| (branch.clone(), BranchRoster::new(branch, colleagues)))
        .collect())
}

/// Takes in branches.
pub(crate) async fn save_branches(connection: &mut PgConnection, branches: &[String]) -> sqlx::Result<()> {
    sqlx::query!("insert into known_branch (id) select unnest($1::text[]) on conflict do nothing", branches)
        .execute(connection)
        .await?;
    Ok(())
}

/// An employee's entry as far as it matters here.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) employee: &'a str,
    pub(crate) branch: &'a str,
    /// Number of `shouwen.type.v1.Position`.
    pub(crate) position: i16,
    pub(crate) serves: bool,
    pub(crate) active: bool,
}

/// Takes in an employee's entry; answers whether anything changed that matters here.
pub(crate) async fn save_employee(connection: &mut PgConnection, entry: &Entry<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "insert into known_employee as known (id, branch, position, serves, active) values ($1, $2, $3, $4, $5)
         on conflict (id) do update
         set branch = excluded.branch, position = excluded.position, serves = excluded.serves, active = excluded.active
         where (known.branch, known.position, known.serves, known.active)
             is distinct from (excluded.branch, excluded.position, excluded.serves, excluded.active)",
        entry.employee,
        entry.branch,
        entry.position,
        entry.serves,
        entry.active
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
