//! Reading cases for the API.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, PgPool, Postgres, QueryBuilder, types::Json};

use crate::domain::{CaseState, ContactState};

/// A case as stored.
pub(crate) struct CaseRow {
    pub(crate) id: String,
    pub(crate) version: i64,
    pub(crate) state: Json<CaseState>,
    /// Whether its client has a file.
    pub(crate) filed: bool,
}

pub(crate) async fn get(pool: &PgPool, ids: &[String]) -> sqlx::Result<Vec<CaseRow>> {
    sqlx::query_as!(
        CaseRow,
        r#"select c.id as "id!", c.version as "version!", c.state as "state!: Json<CaseState>", f.client is not null as "filed!"
           from cases c left join client_file f on f.client = c.client where c.id = any($1)"#,
        ids
    )
    .fetch_all(pool)
    .await
}

/// What a list asks for; absent terms do not restrict.
#[derive(Clone, Debug, Default)]
pub(crate) struct CaseFilter {
    pub(crate) branches: Option<Vec<String>>,
    pub(crate) handler: Option<String>,
    pub(crate) accountable: Option<String>,
    /// Handler, accountable person, or deputy of either (O9).
    pub(crate) responsible: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) phase: Option<&'static str>,
    pub(crate) overdue: Option<bool>,
}

impl CaseFilter {
    /// Whether it asks by name for what this employee is responsible for.
    pub(crate) fn is_of(&self, employee: &str) -> bool {
        self.people().any(|person| person == employee)
    }

    fn people(&self) -> impl Iterator<Item = &str> {
        [&self.handler, &self.accountable, &self.responsible].into_iter().flatten().map(String::as_str)
    }

    fn is_of_somebody(&self) -> bool {
        self.people().next().is_some()
    }
}

/// The order of a list, and the case after which it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Newest first.
    Newest(Option<String>),
    /// Owed answers, soonest first (K15).
    Due(Option<(DateTime<Utc>, String)>),
    /// The cases that owe none, newest first: they follow the owed ones.
    NothingDue(Option<String>),
}

/// A case of a list, and the place after it.
pub(crate) struct Listed {
    pub(crate) case: CaseRow,
    pub(crate) after: After,
}

/// Name, version, state, whether the client has a file, and when the answer is due.
type Columns = (String, i64, Json<CaseState>, bool, Option<DateTime<Utc>>);

/// Begins a list: one state of the database for all of it, and no plan that collects a branch's cases to sort them where an index holds them in order. Of
/// one person little is open, which is sorted sooner than their history is walked through.
fn begin(filter: &CaseFilter) -> &'static str {
    if filter.is_of_somebody() {
        "begin isolation level repeatable read, read only; set local enable_bitmapscan = off; set local jit = off"
    } else {
        "begin isolation level repeatable read, read only; set local enable_bitmapscan = off; set local enable_sort = off;
         set local jit = off"
    }
}

/// Cases after a place. `now` decides what is overdue.
pub(crate) async fn list(
    pool: &PgPool,
    filter: &CaseFilter,
    after: &After,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    let mut tx = pool.begin_with(begin(filter)).await?;
    let mut listed = part(&mut tx, filter, after, now, limit).await?;
    let left = limit - i64::try_from(listed.len()).unwrap_or(limit);
    if matches!(after, After::Due(_)) && left > 0 {
        listed.extend(part(&mut tx, filter, &After::NothingDue(None), now, left).await?);
    }
    tx.commit().await?;
    Ok(listed)
}

/// Planned for its values each time: a plan that suits a large branch would walk through everybody's cases in search of a small one's.
async fn part(
    connection: &mut PgConnection,
    filter: &CaseFilter,
    after: &After,
    now: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<Listed>> {
    let Some(mut query) = listing(filter, after, now, limit) else { return Ok(Vec::new()) };
    let rows: Vec<Columns> = query.build_query_as().persistent(false).fetch_all(connection).await?;
    let listed = rows.into_iter().map(|(id, version, state, filed, due)| {
        let here = Some(id.clone());
        let after = match (after, due) {
            (After::Newest(_), _) => After::Newest(here),
            (After::Due(_), Some(due)) => After::Due(Some((due, id.clone()))),
            (After::Due(_) | After::NothingDue(_), _) => After::NothingDue(here),
        };
        Listed { case: CaseRow { id, version, state, filed }, after }
    });
    Ok(listed.collect())
}

/// One statement per shape of filter, since absent terms would hide the indexes; `None` where nothing can match.
fn listing(
    filter: &CaseFilter,
    after: &After,
    now: DateTime<Utc>,
    limit: i64,
) -> Option<QueryBuilder<Postgres>> {
    let states_fit = match after {
        After::Newest(_) => true,
        After::Due(_) => filter.phase.is_none_or(|phase| phase == OPEN),
        After::NothingDue(_) => filter.phase != Some(OPEN) && filter.overdue != Some(true),
    };
    let overdue_open = filter.overdue != Some(true) || filter.phase.is_none_or(|phase| phase == OPEN);
    if !states_fit || !overdue_open {
        return None;
    }
    Some(match &filter.responsible {
        Some(employee) => of_responsible(employee, filter, after, now, limit),
        None => of_branches(filter, after, now, limit),
    })
}

/// What of a case is listed.
const COLUMNS: &str = "select c.id, c.version, c.state, f.client is not null, c.answer_due from ";

fn order(after: &After) -> &'static str {
    if matches!(after, After::Due(_)) { "c.answer_due, c.id" } else { "c.id desc" }
}

/// The cases for which somebody is responsible, by each way to be so: what stands before and behind the employee. Each is found by an index of its own.
const RESPONSIBLE: [(&str, &str); 3] = [
    ("cases c where c.handler = ", ""),
    ("cases c where c.accountable = ", ""),
    ("deputised(", ") c where true"),
];

/// The first of each way to be responsible, merged, each case once: of somebody's history no more than pages are read.
fn of_responsible(
    employee: &str,
    filter: &CaseFilter,
    after: &After,
    now: DateTime<Utc>,
    limit: i64,
) -> QueryBuilder<Postgres> {
    let order = order(after);
    let once = if matches!(after, After::Due(_)) { "c.answer_due, c.id" } else { "c.id" };
    let mut query = QueryBuilder::new(COLUMNS);
    query.push("(select distinct on (").push(once).push(") * from (");
    for (number, (way, end)) in RESPONSIBLE.into_iter().enumerate() {
        query.push(if number == 0 { "(" } else { " union all (" });
        query.push("select * from ").push(way).push_bind(employee.to_owned()).push(end);
        if let Some(branches) = &filter.branches {
            query.push(" and c.branch = any(").push_bind(branches.clone()).push(")");
        }
        narrow(&mut query, filter, after, now);
        query.push(" order by ").push(order).push(" limit ").push_bind(limit).push(")");
    }
    query.push(") c order by ").push(order).push(" limit ").push_bind(limit).push(") c");
    query.push(" left join client_file f on f.client = c.client order by ").push(order);
    query.push(" limit ").push_bind(limit);
    query
}

/// Of several branches each gives its first. The newest of a branch are asked for in the order of the branch's index, its one branch as a range: with `=`
/// that order would be the one of everybody's cases too, and walking through those looks cheap while a few branches have them all.
fn of_branches(filter: &CaseFilter, after: &After, now: DateTime<Utc>, limit: i64) -> QueryBuilder<Postgres> {
    let owed = matches!(after, After::Due(_));
    let of_branches =
        !owed && !filter.is_of_somebody() && filter.client.is_none() && filter.branches.is_some();
    let order = order(after);
    let mut query = QueryBuilder::new(COLUMNS);
    let several = filter.branches.as_ref().is_some_and(|branches| branches.len() > 1);
    let branch = if of_branches { "c.branch between b.name and b.name" } else { "c.branch = b.name" };
    match filter.branches.as_deref() {
        None => query.push("(select * from cases c where true"),
        Some([branch]) if of_branches => query
            .push("(select * from cases c where c.branch >= ")
            .push_bind(branch.clone())
            .push(" and c.branch <= $1"),
        Some([branch]) => query.push("(select * from cases c where c.branch = ").push_bind(branch.clone()),
        Some(branches) => query
            .push("unnest(")
            .push_bind(branches.to_vec())
            .push(") as b (name) cross join lateral (select * from cases c where ")
            .push(branch),
    };
    narrow(&mut query, filter, after, now);
    let by_branch = if of_branches { "c.branch, " } else { "" };
    query.push(" order by ").push(by_branch).push(order).push(" limit ").push_bind(limit).push(") c");
    // The first of several branches are merged; those of one are in order already.
    let by_branch = if several { "" } else { by_branch };
    query.push(" left join client_file f on f.client = c.client order by ").push(by_branch).push(order);
    query.push(" limit ").push_bind(limit);
    query
}

/// The terms of the filter but for branches and [`RESPONSIBLE`], and the place after which the list goes on.
fn narrow(query: &mut QueryBuilder<Postgres>, filter: &CaseFilter, after: &After, now: DateTime<Utc>) {
    for (column, value) in
        [("handler", &filter.handler), ("accountable", &filter.accountable), ("client", &filter.client)]
    {
        if let Some(value) = value {
            query.push(" and c.").push(column).push(" = ").push_bind(value.clone());
        }
    }
    // Literal, so that the partial indexes are known to hold what is asked for. Exactly open cases owe an answer: saying both where one suffices would
    // make the planner expect hardly any.
    let phase = match after {
        After::Due(_) => filter.is_of_somebody().then_some(OPEN),
        _ if filter.overdue == Some(true) => Some(OPEN),
        _ => filter.phase,
    };
    if let Some(phase) = phase {
        query.push(" and c.phase = '").push(phase).push("'");
    }
    match filter.overdue {
        Some(true) => {
            query.push(" and c.answer_due <= ").push_bind(now);
        }
        Some(false) if matches!(after, After::Due(_)) => {
            query.push(" and c.answer_due > ").push_bind(now);
        }
        Some(false) => {
            query.push(" and (c.answer_due is null or c.answer_due > ").push_bind(now).push(")");
        }
        None => {}
    }
    match after {
        After::Newest(before) | After::NothingDue(before) => {
            if matches!(after, After::NothingDue(_)) {
                query.push(" and c.answer_due is null");
            }
            if let Some(before) = before {
                query.push(" and c.id < ").push_bind(before.clone());
            }
        }
        After::Due(last) => {
            query.push(" and c.answer_due is not null");
            if let Some((due, id)) = last {
                query
                    .push(" and (c.answer_due, c.id) > (")
                    .push_bind(*due)
                    .push(", ")
                    .push_bind(id.clone())
                    .push(")");
            }
        }
    }
}

/// The state in which an answer is owed.
const OPEN: &str = "open";

/// A contact whose first touch a backend has not taken yet.
pub(crate) struct PendingContact {
    pub(crate) id: String,
    pub(crate) state: Json<ContactState>,
}

/// Whether the answer of a contact came to nothing.
pub(crate) async fn is_voided(pool: &PgPool, contact: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select exists (select from contacts where id = $1 and touch = 'voided') as "voided!""#,
        contact
    )
    .fetch_one(pool)
    .await
}

/// First touches that are still owed, of contacts claimed before a moment, oldest first.
pub(crate) async fn pending(
    pool: &PgPool,
    before: DateTime<Utc>,
    limit: i64,
) -> sqlx::Result<Vec<PendingContact>> {
    sqlx::query_as!(
        PendingContact,
        r#"select id, state as "state: Json<ContactState>" from contacts
           where touch = 'pending' and (state ->> 'claimed_at')::timestamptz <= $1
           order by (state ->> 'claimed_at')::timestamptz, id limit $2"#,
        before,
        limit
    )
    .fetch_all(pool)
    .await
}

#[cfg(test)]
mod tests;
