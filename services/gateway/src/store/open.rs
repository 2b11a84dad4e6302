//! Reads of open cases: what is somebody's, and what does not stand yet as an absence says (O9).

use sqlx::{PgConnection, types::Json};

use crate::domain::{
    AbsenceState, LeftBehind, Roster,
    command::{CHUNK, REASSIGNED, Sought},
};

/// The most cases that a leaving employee is told to have.
const LEFT: i64 = 10_000;

/// The cases that are sought, by name. Without locks: what it finds is looked at again under them.
pub(crate) async fn find(connection: &mut PgConnection, sought: &Sought) -> sqlx::Result<Vec<String>> {
    let limit = |limit: usize| i64::try_from(limit).unwrap_or(i64::MAX);
    match sought {
        Sought::Of { employee, limit: most } => theirs(connection, employee, limit(*most)).await,
        Sought::Around { employee, limit: most } => {
            let mut cases = theirs(connection, employee, limit(*most)).await?;
            cases.extend(deputised(connection, "employee", employee, limit(CHUNK)).await?);
            Ok(cases)
        }
        Sought::ByAbsence { absence } => {
            let employee =
                sqlx::query_scalar!(r#"select employee as "employee!" from absences where id = $1"#, absence)
                    .fetch_optional(&mut *connection)
                    .await?;
            match employee {
                Some(employee) => theirs(connection, &employee, limit(REASSIGNED + 1)).await,
                None => Ok(Vec::new()),
            }
        }
        Sought::Under { absence } => deputised(connection, "absence", absence, limit(CHUNK)).await,
        Sought::Unsettled { absence } => unsettled(connection, absence, limit(CHUNK)).await,
    }
}

async fn theirs(connection: &mut PgConnection, employee: &str, limit: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select id from (
               select id from cases where handler = $1 and phase in ('open', 'awaiting_satisfaction')
               union
               select id from cases where accountable = $1 and phase in ('open', 'awaiting_satisfaction')
           ) theirs order by id limit $2"#,
        employee,
        limit
    )
    .fetch_all(connection)
    .await
    .map(|ids| ids.into_iter().flatten().collect())
}

/// The cases that have a deputy of whom `key`, the employee or the absence, is `value`.
async fn deputised(
    connection: &mut PgConnection,
    key: &str,
    value: &str,
    limit: i64,
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        "select id from cases where deputies is not null
         and deputies @> jsonb_build_array(jsonb_build_object($1::text, $2::text)) order by id limit $3",
        key,
        value,
        limit
    )
    .fetch_all(connection)
    .await
}

/// While it is planned or runs: what is theirs without a deputy by its present naming, and where the absent person deputises unnamed; after it: where
/// somebody still deputises.
async fn unsettled(connection: &mut PgConnection, absence: &str, limit: i64) -> sqlx::Result<Vec<String>> {
    let known = sqlx::query!(
        r#"select employee as "employee!", status as "status!", revision as "revision!" from absences where id = $1"#,
        absence
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(known) = known else { return Ok(Vec::new()) };
    if !matches!(&*known.status, "planned" | "running") {
        return deputised(connection, "absence", absence, limit).await;
    }
    sqlx::query_scalar!(
        r#"select id from (
               select id, deputies from cases where handler = $1 and phase in ('open', 'awaiting_satisfaction')
               union
               select id, deputies from cases where accountable = $1 and phase in ('open', 'awaiting_satisfaction')
           ) theirs
           where deputies is null
               or not deputies @> jsonb_build_array(jsonb_build_object('absence', $2::text, 'revision', $3::bigint))
           union
           select id from cases where deputies is not null
               and deputies @> jsonb_build_array(jsonb_build_object('employee', $1::text))
           order by id limit $4"#,
        known.employee,
        absence,
        known.revision,
        limit
    )
    .fetch_all(connection)
    .await
    .map(|ids| ids.into_iter().flatten().collect())
}

/// What an employee would leave behind. Read under the head's lock it is exact: whoever makes somebody responsible commits before that lock is free.
pub(crate) async fn left_behind(connection: &mut PgConnection, employee: &str) -> sqlx::Result<LeftBehind> {
    let cases = theirs(connection, employee, LEFT).await?;
    let absences = sqlx::query_scalar!(
        r#"select distinct deputy ->> 'absence' as "absence!" from cases, jsonb_array_elements(deputies) deputy
           where deputies is not null and deputies @> jsonb_build_array(jsonb_build_object('employee', $1::text))
               and deputy ->> 'employee' = $1"#,
        employee
    )
    .fetch_all(connection)
    .await?;
    Ok(LeftBehind { cases: cases.into(), absences: absences.into() })
}

/// Cases in which somebody overrides whom the roster does not let (any more, O7): a bounded number, the others come up again. Of the few overrides that run
/// the holders are read, and only of those who may not the cases.
pub(crate) async fn unentitled(connection: &mut PgConnection, roster: &Roster) -> sqlx::Result<Vec<String>> {
    let held = sqlx::query!(
        r#"select distinct overriding as "holder!", branch as "branch!" from cases where overriding is not null"#
    )
    .fetch_all(&mut *connection)
    .await?;
    let held = held.into_iter().filter(|held| !roster.may_override(&held.holder, &held.branch));
    let (holders, branches): (Vec<String>, Vec<String>) = held.map(|held| (held.holder, held.branch)).unzip();
    if holders.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar!(
        r#"select c.id as "id!" from unnest($1::text[], $2::text[]) as held (holder, branch)
           join cases c on c.overriding = held.holder and c.branch = held.branch order by c.id limit $3"#,
        &holders,
        &branches,
        i64::try_from(CHUNK).unwrap_or(i64::MAX)
    )
    .fetch_all(connection)
    .await
}

/// The absences that are planned or running.
pub(crate) async fn current(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, AbsenceState)>> {
    let rows = sqlx::query!(
        r#"select id, state as "state: Json<AbsenceState>" from absences
           where status in ('planned', 'running') order by id"#
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.state.0)).collect())
}
