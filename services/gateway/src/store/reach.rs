//! Reads without locks: what commands will touch, and whose a case is.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use shouwen_engine::AggregateId;
use sqlx::{PgConnection, PgExecutor, types::Json};

use crate::domain::{
    CaseState,
    case::Complaint,
    command::{CaseReach, Reach},
    presence, routing,
};

/// The cases of contacts, which routings and presences there are, and of each case its client, topic and survivors.
pub(crate) async fn read(
    connection: &mut PgConnection,
    cases: &BTreeSet<String>,
    contacts: &BTreeSet<String>,
    answering: &BTreeSet<String>,
) -> sqlx::Result<Reach> {
    let mut reach = Reach::default();
    let mut cases: Vec<String> = cases.iter().cloned().collect();
    if !contacts.is_empty() {
        let contacts: Vec<String> = contacts.iter().cloned().collect();
        let routings: Vec<String> =
            contacts.iter().map(|contact| routing::id(&AggregateId(contact.clone())).0).collect();
        let presences: Vec<String> = answering.iter().map(|employee| presence::id(employee).0).collect();
        let answering: Vec<String> = answering.iter().cloned().collect();
        let rows = sqlx::query!(
            r#"with answered as (
                   select id, case_name, state ->> 'employee' as employee from contacts where id = any($1)
               )
               select id as "id!", case_name, employee, null as on_call, null as target from answered
               union all select id, null, null, state ->> 'on_call', state -> 'transfer' ->> 'to'
                         from routings where id = any($2)
               union all select id, null, reserved, null, null from routings where reserved = any($4)
               union all select id, null, null, null, null from presences
                         where id = any($3) or id in (select 'presences/' || substr(employee, 11) from answered)"#,
            &contacts,
            &routings,
            &presences,
            &answering
        )
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            match (row.case_name, row.employee) {
                (Some(case), employee) => {
                    cases.push(case.clone());
                    reach.employees_of_contacts.insert(row.id.clone(), employee.unwrap_or_default());
                    reach.cases_of_contacts.insert(row.id, case);
                }
                (None, Some(employee)) => {
                    reach.ringing.insert(employee, row.id);
                }
                (None, None) => {
                    reach.on_call.extend(row.on_call.map(|employee| (row.id.clone(), employee)));
                    reach.targets.extend(row.target.map(|employee| (row.id.clone(), employee)));
                    reach.on_the_line.insert(row.id);
                }
            }
        }
    }
    if cases.is_empty() {
        return Ok(reach);
    }
    let rows = sqlx::query!(
        r#"with recursive chain as (
               select id, client, topic, merged_into from cases where id = any($1)
               union
               select c.id, c.client, c.topic, c.merged_into from cases c join chain on c.id = chain.merged_into
           )
           select id as "id!", client, topic as "topic!", merged_into from chain"#,
        &cases
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let case = CaseReach { client: row.client, topic: row.topic, merged_into: row.merged_into };
        reach.cases.insert(row.id, case);
    }
    Ok(reach)
}

/// A case behind a name, its merges followed.
pub(crate) struct Found {
    /// As named, or as the contact names it.
    pub(crate) named: String,
    pub(crate) id: String,
    pub(crate) state: CaseState,
    /// Complaints as the cases hold them that were merged on the way: those that had ended by then are nowhere else.
    pub(crate) merged: Vec<Complaint>,
    /// Business time of the reading.
    pub(crate) now: DateTime<Utc>,
}

/// Finds by case or by contact; exactly one of the two is given.
pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    case: Option<&str>,
    contact: Option<&str>,
) -> sqlx::Result<Option<Found>> {
    let row = sqlx::query!(
        r#"with recursive named as (
               select coalesce($1, (select case_name from contacts where id = $2)) as id
           ), chain as (
               select c.id, c.merged_into from cases c join named on named.id = c.id
               union
               select c.id, c.merged_into from cases c join chain on c.id = chain.merged_into
           )
           select named.id as "named!", c.id as "id!", c.state as "state!: Json<CaseState>",
                  (select jsonb_agg(it) from chain passed join cases m on m.id = passed.id
                          cross join lateral jsonb_array_elements(m.state -> 'complaints') it
                   where passed.merged_into is not null) as "merged?: Json<Vec<Complaint>>",
                  coalesce((select simulated_at from clock), clock_timestamp()) as "now!"
           from named, chain join cases c on c.id = chain.id where chain.merged_into is null"#,
        case,
        contact
    )
    .fetch_optional(executor)
    .await?;
    Ok(row.map(|row| {
        let merged = row.merged.map(|complaints| complaints.0).unwrap_or_default();
        Found { named: row.named, id: row.id, state: row.state.0, merged, now: row.now }
    }))
}
