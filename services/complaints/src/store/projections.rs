//! SQL: what the feeds of ownership and clients told, in this service's own tables.

use std::collections::BTreeMap;

use sqlx::{PgConnection, PgPool};

/// A case as far as this service knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownCase {
    /// `contacts/{contact}`, which opened it.
    pub(crate) contact: String,
    /// The client's external id; empty while unknown.
    pub(crate) client: String,
}

/// One case.
pub(crate) async fn known_case(pool: &PgPool, case: &str) -> sqlx::Result<Option<KnownCase>> {
    sqlx::query_as!(KnownCase, "select contact, client from known_case where case_name = $1", case)
        .fetch_optional(pool)
        .await
}

/// Takes in what was told of cases; what is empty here leaves what is known.
pub(crate) async fn note_cases(
    connection: &mut PgConnection,
    cases: &BTreeMap<&str, KnownCase>,
) -> sqlx::Result<()> {
    let names: Vec<String> = cases.keys().map(|name| (*name).to_owned()).collect();
    let (contacts, clients): (Vec<String>, Vec<String>) =
        cases.values().map(|case| (case.contact.clone(), case.client.clone())).unzip();
    sqlx::query!(
        "insert into known_case as k (case_name, contact, client)
         select * from unnest($1::text[], $2::text[], $3::text[])
         on conflict (case_name) do update
         set contact = coalesce(nullif(excluded.contact, ''), k.contact),
             client = coalesce(nullif(excluded.client, ''), k.client)",
        &names,
        &contacts,
        &clients
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a client has limits of their own (L12); not, while nothing is known of the client.
pub(crate) async fn is_marked(pool: &PgPool, client: &str) -> sqlx::Result<bool> {
    let marked =
        sqlx::query_scalar!(r#"select vip or core as "marked!" from client_mark where client = $1"#, client)
            .fetch_optional(pool)
            .await?;
    Ok(marked.unwrap_or_default())
}

/// Takes in marks of clients, VIP and core.
pub(crate) async fn note_marks(
    connection: &mut PgConnection,
    marks: &BTreeMap<&str, (bool, bool)>,
) -> sqlx::Result<()> {
    let clients: Vec<String> = marks.keys().map(|client| (*client).to_owned()).collect();
    let (vip, core): (Vec<bool>, Vec<bool>) = marks.values().copied().unzip();
    sqlx::query!(
        "insert into client_mark (client, vip, core) select * from unnest($1::text[], $2::boolean[], $3::boolean[])
         on conflict (client) do update set vip = excluded.vip, core = excluded.core",
        &clients,
        &vip,
        &core
    )
    .execute(connection)
    .await?;
    Ok(())
}
