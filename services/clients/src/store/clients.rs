//! Clients' files, and by what they are found.

use sqlx::{PgConnection, PgPool, types::Json};

use crate::domain::{Client, ClientClass, ClientName, OpaqueKey};

/// Which clients are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) manager: Option<String>,
    pub(crate) class: Option<ClientClass>,
    pub(crate) vip: Option<bool>,
}

/// One client.
pub(crate) async fn find(pool: &PgPool, name: &ClientName) -> sqlx::Result<Option<Client>> {
    let state = sqlx::query_scalar!(
        r#"select state as "state: Json<Client>" from client where id = $1"#,
        name.as_str()
    )
    .fetch_optional(pool)
    .await?;
    Ok(state.map(|state| state.0))
}

/// The clients found by a key, by id.
pub(crate) async fn resolve(pool: &PgPool, key: &OpaqueKey, limit: i64) -> sqlx::Result<Vec<Client>> {
    let states = sqlx::query_scalar!(
        r#"select state as "state: Json<Client>" from client_lookup join client on id = client
           where key = $1 order by id limit $2"#,
        key.as_bytes(),
        limit
    )
    .fetch_all(pool)
    .await?;
    Ok(states.into_iter().map(|state| state.0).collect())
}

/// A page of clients by id, of one branch or of all. Which index serves depends on the filter, so each has a statement of its own: one for all would
/// be planned for none.
pub(crate) async fn list(
    pool: &PgPool,
    branch: Option<&str>,
    filter: &Filter,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<Client>> {
    let class = filter.class.map(ClientClass::as_str);
    let states = match (branch, &filter.manager, class, filter.vip) {
        (_, Some(manager), class, vip) => {
            sqlx::query_scalar!(
                r#"select state as "state: Json<Client>" from client
                   where manager = $1 and id > $2 and ($3::text is null or branch = $3) and ($4::text is null or class = $4)
                       and ($5::boolean is null or vip = $5)
                   order by id limit $6"#,
                manager,
                after,
                branch,
                class,
                vip,
                limit
            )
            .fetch_all(pool)
            .await?
        }
        (Some(branch), None, Some(class), vip) => {
            sqlx::query_scalar!(
                r#"select state as "state: Json<Client>" from client
                   where branch = $1 and class = $2 and id > $3 and ($4::boolean is null or vip = $4) order by id limit $5"#,
                branch,
                class,
                after,
                vip,
                limit
            )
            .fetch_all(pool)
            .await?
        }
        (Some(branch), None, None, Some(true)) => {
            sqlx::query_scalar!(
                r#"select state as "state: Json<Client>" from client
                   where branch = $1 and vip and id > $2 order by id limit $3"#,
                branch,
                after,
                limit
            )
            .fetch_all(pool)
            .await?
        }
        (Some(branch), None, None, vip) => {
            sqlx::query_scalar!(
                r#"select state as "state: Json<Client>" from client
                   where branch = $1 and id > $2 and ($3::boolean is null or vip = $3) order by id limit $4"#,
                branch,
                after,
                vip,
                limit
            )
            .fetch_all(pool)
            .await?
        }
        (None, None, class, vip) => {
            sqlx::query_scalar!(
                r#"select state as "state: Json<Client>" from client
                   where id > $1 and ($2::text is null or class = $2) and ($3::boolean is null or vip = $3)
                   order by id limit $4"#,
                after,
                class,
                vip,
                limit
            )
            .fetch_all(pool)
            .await?
        }
    };
    Ok(states.into_iter().map(|state| state.0).collect())
}

/// Forgets by what clients were found and are not any more.
pub(super) async fn forget_lookups(connection: &mut PgConnection, clients: &[&Client]) -> sqlx::Result<()> {
    let names: Vec<String> = clients.iter().map(|client| client.name.as_str().to_owned()).collect();
    let (keys, of) = lookups(clients);
    sqlx::query!(
        "delete from client_lookup where client = any($1)
         and (key, client) not in (select k, c from unnest($2::bytea[], $3::text[]) as u (k, c))",
        &names,
        &keys,
        &of
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes by what clients are found.
pub(super) async fn add_lookups(connection: &mut PgConnection, clients: &[&Client]) -> sqlx::Result<()> {
    let (keys, of) = lookups(clients);
    sqlx::query!(
        "insert into client_lookup (key, client) select * from unnest($1::bytea[], $2::text[]) on conflict do nothing",
        &keys,
        &of
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The keys by which clients are found, each beside the client's name.
fn lookups(clients: &[&Client]) -> (Vec<Vec<u8>>, Vec<String>) {
    let of = |client: &&Client| {
        let name = client.name.as_str().to_owned();
        client.lookup_keys().map(|key| (key.as_bytes().to_vec(), name.clone())).collect::<Vec<_>>()
    };
    clients.iter().flat_map(of).unzip()
}
