//! The projection of clients' files.

use sqlx::{PgConnection, PgExecutor};

/// What events told about one client; absent values stay as they are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    /// The id behind `clients/`.
    pub(crate) client: String,
    pub(crate) branch: Option<String>,
    pub(crate) class: Option<i32>,
    pub(crate) vip: Option<bool>,
    pub(crate) core: Option<bool>,
    pub(crate) service_manager: Option<String>,
}

/// Takes in what was told, each client at most once.
pub(crate) async fn project(connection: &mut PgConnection, told: &[Told]) -> sqlx::Result<()> {
    let clients: Vec<String> = told.iter().map(|told| told.client.clone()).collect();
    let branches: Vec<Option<String>> = told.iter().map(|told| told.branch.clone()).collect();
    let classes: Vec<Option<i32>> = told.iter().map(|told| told.class).collect();
    let vip: Vec<Option<bool>> = told.iter().map(|told| told.vip).collect();
    let core: Vec<Option<bool>> = told.iter().map(|told| told.core).collect();
    let managers: Vec<Option<String>> = told.iter().map(|told| told.service_manager.clone()).collect();
    sqlx::query!(
        "insert into client_file as f (client, branch, client_class, vip, core, service_manager)
         select * from unnest($1::text[], $2::text[], $3::int[], $4::bool[], $5::bool[], $6::text[])
         on conflict (client) do update set
             branch = coalesce(excluded.branch, f.branch),
             client_class = coalesce(excluded.client_class, f.client_class),
             vip = coalesce(excluded.vip, f.vip),
             core = coalesce(excluded.core, f.core),
             service_manager = coalesce(excluded.service_manager, f.service_manager)",
        &clients,
        &branches as &[Option<String>],
        &classes as &[Option<i32>],
        &vip as &[Option<bool>],
        &core as &[Option<bool>],
        &managers as &[Option<String>]
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the client has a file.
pub(crate) async fn filed(executor: impl PgExecutor<'_>, client: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar!(r#"select exists (select 1 from client_file where client = $1) as "filed!""#, client)
        .fetch_one(executor)
        .await
}
