//! Imports and the lines that they did not take.

use sqlx::{PgConnection, PgPool, types::Json};

use crate::domain::{Import, OperationName, import::Fault};

/// One import.
pub(crate) async fn find(pool: &PgPool, name: &OperationName) -> sqlx::Result<Option<Import>> {
    let state = sqlx::query_scalar!(
        r#"select state as "state: Json<Import>" from import where id = $1"#,
        name.as_str()
    )
    .fetch_optional(pool)
    .await?;
    Ok(state.map(|state| state.0))
}

/// A page of the faults of one attempt behind a number, with their numbers.
pub(crate) async fn faults(
    pool: &PgPool,
    name: &OperationName,
    attempt: i64,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<(i64, Fault)>> {
    let rows = sqlx::query!(
        "select number, line, field, reason, description from import_fault
         where import = $1 and attempt = $2 and number > $3 order by number limit $4",
        name.as_str(),
        attempt,
        after,
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let fault =
                Fault { line: row.line, field: row.field, reason: row.reason, description: row.description };
            (row.number, fault)
        })
        .collect())
}

/// Writes the faults that were found.
pub(super) async fn write_faults(connection: &mut PgConnection, import: &Import) -> sqlx::Result<()> {
    if import.found.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Fault) -> &String| -> Vec<String> {
        import.found.iter().map(|(_, fault)| of(fault).clone()).collect()
    };
    let numbers: Vec<i64> = import.found.iter().map(|(number, _)| *number).collect();
    let lines: Vec<i64> = import.found.iter().map(|(_, fault)| fault.line).collect();
    sqlx::query!(
        "insert into import_fault (import, attempt, number, line, field, reason, description)
         select $1::text, $2::bigint, * from unnest($3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::text[])",
        import.name.as_str(),
        import.attempt,
        &numbers,
        &lines,
        &column(|fault| &fault.field),
        &column(|fault| &fault.reason),
        &column(|fault| &fault.description)
    )
    .execute(connection)
    .await?;
    Ok(())
}
