//! The projection of desks: written as the difference between what is stored of some sources and what waits because of them now.

pub(crate) mod read;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use shouwen_engine::{Loaded, states};
use shouwen_proto::events::v1::Event;
use sqlx::{PgConnection, types::Json};

use crate::domain::{
    CaseState, OwnershipDomain,
    desk::{self, Item, Kind, People, Recipient, followed, followed::Followed},
};

/// What makes an item the same over its changes.
type Key = (String, String, &'static str, String);

fn key(source: &str, item: &Item) -> Key {
    (source.to_owned(), item.recipient.name(), item.kind.name(), item.subject.clone())
}

/// Makes the items of sources what they are now: each source with all that waits because of it. Answers how many changes that took.
///
/// The caller holds the lock of the ledger's head, or no other lock.
pub(crate) async fn apply(
    connection: &mut PgConnection,
    sources: &[(String, Vec<Item>)],
) -> sqlx::Result<i64> {
    if sources.is_empty() {
        return Ok(0);
    }
    let names: Vec<String> = sources.iter().map(|(source, _)| source.clone()).collect();
    let mut stored = stored(connection, &names).await?;
    let (mut gone, mut added) = (Vec::new(), Vec::new());
    for (source, items) in sources {
        for item in items {
            let replaces = match stored.remove(&key(source, item)) {
                Some((_, before)) if before == *item => continue,
                Some((since, before)) if before.barred == item.barred => Some(since),
                // Who is not shown it any more has to see it go.
                Some((since, _)) => {
                    gone.push(since);
                    None
                }
                None => None,
            };
            added.push(Added { source, item, replaces });
        }
    }
    // What goes comes first, in the order in which it came.
    gone.extend(stored.into_values().map(|(since, _)| since));
    gone.sort_unstable();
    let changes = i64::try_from(gone.len() + added.len()).unwrap_or(i64::MAX);
    if changes == 0 {
        return Ok(0);
    }
    let before = sqlx::query_scalar!(
        r#"update desk_head set position = position + $1 returning position - $1 as "before!""#,
        changes
    )
    .fetch_one(&mut *connection)
    .await?;
    write(connection, before, gone, &added).await?;
    Ok(changes)
}

/// An item that waits from now on, and the number of the row whose place it takes.
struct Added<'a> {
    source: &'a str,
    item: &'a Item,
    replaces: Option<i64>,
}

/// The rows of sources that wait, with their numbers.
async fn stored(
    connection: &mut PgConnection,
    sources: &[String],
) -> sqlx::Result<BTreeMap<Key, (i64, Item)>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select since, recipient, kind, subject, source, case_name, branch, due, level, barred, since_time
           from desk where source = any($1) and cleared is null"#,
        sources
    )
    .fetch_all(connection)
    .await?;
    // A row that only a newer release understands stays as it is.
    let known = rows.into_iter().filter_map(|row| {
        let (source, since) = (row.source.clone(), row.since);
        let item = row.item()?;
        Some((key(&source, &item), (since, item)))
    });
    Ok(known.collect())
}

/// Numbers the changes and writes them: what goes first; a row is replaced at the very change at which another takes its place.
async fn write(
    connection: &mut PgConnection,
    before: i64,
    gone: Vec<i64>,
    added: &[Added<'_>],
) -> sqlx::Result<()> {
    let mut numbers: Vec<i64> = (before + 1..).take(gone.len()).collect();
    let mut followed = vec![false; gone.len()];
    let fresh: Vec<i64> = (numbers.last().unwrap_or(&before) + 1..).take(added.len()).collect();
    let mut rows = gone;
    for (number, added) in fresh.iter().zip(added) {
        if let Some(replaced) = added.replaces {
            rows.push(replaced);
            numbers.push(*number);
            followed.push(true);
        }
    }
    if !rows.is_empty() {
        sqlx::query!(
            "update desk d set cleared = u.number, followed = u.followed,
                    cleared_time = coalesce((select simulated_at from clock), clock_timestamp())
             from unnest($1::bigint[], $2::bigint[], $3::bool[]) as u (since, number, followed) where d.since = u.since",
            &rows,
            &numbers,
            &followed
        )
        .execute(&mut *connection)
        .await?;
    }
    if added.is_empty() {
        return Ok(());
    }
    let text =
        |value: fn(&Item) -> String| -> Vec<String> { added.iter().map(|added| value(added.item)).collect() };
    let sources: Vec<String> = added.iter().map(|added| added.source.to_owned()).collect();
    let follows: Vec<bool> = added.iter().map(|added| added.replaces.is_some()).collect();
    let dues: Vec<Option<DateTime<Utc>>> = added.iter().map(|added| added.item.due).collect();
    let levels: Vec<i32> = added.iter().map(|added| added.item.level).collect();
    sqlx::query!(
        "insert into desk (since, follows, recipient, kind, subject, source, case_name, branch, due, level, barred, since_time)
         select n, f, r, k, s, o, c, b, d, l, string_to_array(x, ','), coalesce((select simulated_at from clock), clock_timestamp())
         from unnest($1::bigint[], $2::bool[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::timestamptz[], $10::int[], $11::text[]) as u (n, f, r, k, s, o, c, b, d, l, x)",
        &fresh,
        &follows,
        &text(|item| item.recipient.name()),
        &text(|item| item.kind.name().to_owned()),
        &text(|item| item.subject.clone()),
        &sources,
        &text(|item| item.case.clone()),
        &text(|item| item.branch.clone()),
        &dues as &[Option<DateTime<Utc>>],
        &levels,
        &text(|item| item.barred.join(","))
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes in what another service's events say, each source once.
pub(crate) async fn follow(connection: &mut PgConnection, events: &[Event]) -> sqlx::Result<()> {
    let mut aggregates: Vec<String> = events.iter().map(|event| event.aggregate.clone()).collect();
    aggregates.sort_unstable();
    aggregates.dedup();
    let known = load_followed(connection, &aggregates).await?;
    let mut now = known.clone();
    for event in events {
        if let Some(state) = followed::after(now.remove(&event.aggregate), event) {
            now.insert(event.aggregate.clone(), state);
        }
    }
    if known == now {
        return Ok(());
    }
    let gone: Vec<String> = known.keys().filter(|aggregate| !now.contains_key(*aggregate)).cloned().collect();
    let (mut changed, mut states) = (Vec::new(), Vec::new());
    for (aggregate, state) in now.iter().filter(|(aggregate, state)| known.get(*aggregate) != Some(state)) {
        changed.push(aggregate.clone());
        states.push(serde_json::to_value(state).map_err(|error| sqlx::Error::Encode(error.into()))?);
    }
    sqlx::query!("delete from desk_followed where aggregate = any($1)", &gone)
        .execute(&mut *connection)
        .await?;
    sqlx::query!(
        "insert into desk_followed (aggregate, state) select * from unnest($1::text[], $2::jsonb[])
         on conflict (aggregate) do update set state = excluded.state",
        &changed,
        &states
    )
    .execute(&mut *connection)
    .await?;
    let people = people(connection, now.values()).await?;
    let sources: Vec<(String, Vec<Item>)> = gone
        .into_iter()
        .chain(changed)
        .map(|aggregate| {
            let items = now.get(&aggregate).map(|state| followed::items(state, who(&people, state)));
            (aggregate, items.unwrap_or_default())
        })
        .collect();
    apply(connection, &sources).await?;
    Ok(())
}

/// What is known of other services' aggregates.
async fn load_followed(
    connection: &mut PgConnection,
    aggregates: &[String],
) -> sqlx::Result<BTreeMap<String, Followed>> {
    let rows = sqlx::query!(
        r#"select aggregate, state as "state: Json<Followed>" from desk_followed where aggregate = any($1)"#,
        aggregates
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.aggregate, row.state.0)).collect())
}

/// The people of the cases for which something waits, by the cases' names; where one was merged, those of its survivor.
async fn people(
    connection: &mut PgConnection,
    all: impl Iterator<Item = &Followed>,
) -> sqlx::Result<BTreeMap<String, People>> {
    let cases: BTreeSet<&str> = all.filter_map(Followed::case).collect();
    if cases.is_empty() {
        return Ok(BTreeMap::new());
    }
    let cases: Vec<String> = cases.into_iter().map(str::to_owned).collect();
    let rows = sqlx::query!(
        r#"with recursive chain as (
               select id as named, id, merged_into from cases where id = any($1)
               union
               select chain.named, c.id, c.merged_into from cases c join chain on c.id = chain.merged_into
           )
           select chain.named as "named!", c.state as "state!: Json<CaseState>"
           from chain join cases c on c.id = chain.id where chain.merged_into is null"#,
        &cases
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.named, desk::people(&row.state.0))).collect())
}

/// Of a case that is not known.
static NOBODY: People = People { working: Vec::new(), responsible: Vec::new() };

fn who<'a>(people: &'a BTreeMap<String, People>, followed: &Followed) -> &'a People {
    followed.case().and_then(|case| people.get(case)).unwrap_or(&NOBODY)
}

/// What waits for people of cases that have changed because of what hangs below: whoever they are now.
pub(crate) async fn below(
    connection: &mut PgConnection,
    cases: impl Iterator<Item = &CaseState>,
) -> sqlx::Result<Vec<(String, Vec<Item>)>> {
    let below: BTreeMap<String, People> = cases
        .flat_map(|case| desk::below(case).into_iter().map(|aggregate| (aggregate, desk::people(case))))
        .collect();
    if below.is_empty() {
        return Ok(Vec::new());
    }
    let aggregates: Vec<String> = below.keys().cloned().collect();
    let known = load_followed(connection, &aggregates).await?;
    let waiting = known.into_iter().filter(|(_, state)| state.case().is_some());
    Ok(waiting
        .map(|(aggregate, state)| {
            let items = followed::items(&state, &below[&aggregate]);
            (aggregate, items)
        })
        .collect())
}

/// Makes the items of up to `limit` sources behind a name what their states say, in their order. Answers the last name, if any, and how many changes it
/// took: none where the projection is as it should be.
pub(crate) async fn mend(
    connection: &mut PgConnection,
    behind: &str,
    limit: i64,
) -> sqlx::Result<Option<(String, i64)>> {
    // No state changes while its lock is held.
    sqlx::query_scalar!("select position from ledger_head for update").fetch_one(&mut *connection).await?;
    let names = sqlx::query_scalar!(
        r#"select name as "name!" from (
               (select id as name from cases where phase = 'open' and id > $1 order by id limit $2)
               union (select id from cases where phase = 'awaiting_satisfaction' and id > $1 order by id limit $2)
               union (select distinct source from desk where cleared is null and source > $1 order by source limit $2)
               union (select aggregate from desk_followed where aggregate > $1 order by aggregate limit $2)
               union (select id from routings where reserved is not null and id > $1 order by id limit $2)
               union (select id from staffing where unstaffed and id > $1 order by id limit $2)
           ) as sources order by name limit $2"#,
        behind,
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    let Some(last) = names.last().cloned() else { return Ok(None) };
    let states = states::load::<OwnershipDomain>(connection, &names).await?;
    let others = load_followed(connection, &names).await?;
    let people = people(connection, others.values()).await?;
    let mut items: BTreeMap<String, Vec<Item>> = names.into_iter().map(|name| (name, Vec::new())).collect();
    for Loaded { id, state, .. } in states {
        let waiting = desk::items(&id.0, &state);
        items.insert(id.0, waiting);
    }
    for (aggregate, state) in others {
        let waiting = followed::items(&state, who(&people, &state));
        items.insert(aggregate, waiting);
    }
    let changes = apply(connection, &items.into_iter().collect::<Vec<_>>()).await?;
    Ok(Some((last, changes)))
}

/// How much is forgotten in one transaction.
const FORGOTTEN_AT_ONCE: i64 = 5_000;

/// Forgets what was cleared before a moment.
pub(crate) async fn forget(connection: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<()> {
    loop {
        let gone = sqlx::query_scalar!(
            r#"with gone as (
                   delete from desk where ctid = any(array(
                       select ctid from desk where cleared is not null and cleared_time < $1 order by cleared_time limit $2))
                   returning cleared
               ), moved as (
                   update desk_head set forgotten = greatest(forgotten, (select max(cleared) from gone))
                   where exists (select 1 from gone)
               )
               select count(*) as "gone!" from gone"#,
            before,
            FORGOTTEN_AT_ONCE
        )
        .fetch_one(&mut *connection)
        .await?;
        if gone < FORGOTTEN_AT_ONCE {
            return Ok(());
        }
    }
}

/// A row as it shows an item.
pub(crate) struct Row {
    pub(crate) since: i64,
    pub(crate) recipient: String,
    pub(crate) kind: String,
    pub(crate) subject: String,
    pub(crate) source: String,
    pub(crate) case_name: String,
    pub(crate) branch: String,
    pub(crate) due: Option<DateTime<Utc>>,
    pub(crate) level: i32,
    pub(crate) barred: Vec<String>,
    pub(crate) since_time: DateTime<Utc>,
}

impl Row {
    fn item(self) -> Option<Item> {
        Some(Item {
            recipient: Recipient::parse(&self.recipient)?,
            kind: Kind::parse(&self.kind)?,
            subject: self.subject,
            case: self.case_name,
            branch: self.branch,
            due: self.due,
            level: self.level,
            barred: self.barred,
        })
    }
}
