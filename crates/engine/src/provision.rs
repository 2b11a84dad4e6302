//! Laying out a service's schema: roles, schema, migrations, grants.
//!
//! Two roles a service: an owner that migrates, and a runtime role that may not change what is append-only and sees no other schema.

use sqlx::{
    Connection as _, Executor as _, PgConnection, PgPool, migrate::Migrator, postgres::PgConnectOptions,
};

/// The engine's own migrations.
pub static MIGRATOR: Migrator = sqlx::migrate!();

/// Tables into which the runtime role may only insert.
const APPEND_ONLY: [&str; 4] = ["ledger", "checkpoint", "skipped_event", "retried_event"];

/// A service's place in the database.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Also the name of the schema.
    pub service: &'static str,
    /// Migrations in the order in which they build upon each other, the engine's first.
    pub migrators: Vec<&'static Migrator>,
}

/// What is there and what is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaState {
    /// Migrations applied.
    pub at: usize,
    /// Migrations that this binary knows.
    pub needs: usize,
}

impl SchemaState {
    /// Whether the binary can work; a newer schema does not stop an older binary.
    pub fn sufficient(&self) -> bool {
        self.at >= self.needs
    }
}

impl Schema {
    pub fn owner_role(&self) -> String {
        format!("shouwen_{}_owner", self.service)
    }

    pub fn runtime_role(&self) -> String {
        format!("shouwen_{}", self.service)
    }

    /// Creates roles and schema where they are missing, migrates, and grants; sets the runtime role's password where one is given. Run with a
    /// role that may create roles; safe to repeat and to run twice at once.
    pub async fn provision(
        &self,
        admin: &PgConnectOptions,
        runtime_password: Option<&str>,
    ) -> Result<(), ProvisionError> {
        let mut connection = PgConnection::connect_with(admin).await?;
        // A migration takes as long as the tables are large.
        run(&mut connection, "set statement_timeout = 0".to_owned()).await?;
        // One migration at a time in the database, whoever starts it.
        sqlx::query("select pg_advisory_lock(hashtext('shouwen.provision'))")
            .execute(&mut connection)
            .await?;
        let (owner, runtime, service) = (self.owner_role(), self.runtime_role(), self.service);
        for role in [&owner, &runtime] {
            let exists =
                sqlx::query_scalar::<_, bool>("select exists (select 1 from pg_roles where rolname = $1)")
                    .bind(role)
                    .fetch_one(&mut connection)
                    .await?;
            if !exists {
                run(&mut connection, format!("create role {role}")).await?;
            }
        }
        run(&mut connection, format!("alter role {runtime} login")).await?;
        if let Some(password) = runtime_password {
            let password = password.replace('\'', "''");
            run(&mut connection, format!("alter role {runtime} password '{password}'")).await?;
        }
        run(&mut connection, format!("alter role {runtime} set search_path = {service}")).await?;
        run(&mut connection, format!("grant {owner} to current_user")).await?;
        run(&mut connection, format!("create schema if not exists {service} authorization {owner}")).await?;
        run(&mut connection, format!("set role {owner}")).await?;
        run(&mut connection, format!("set search_path = {service}")).await?;
        for migrator in &self.migrators {
            migrator.run_direct(None, &mut connection, false).await?;
        }
        run(&mut connection, format!("grant usage on schema {service} to {runtime}")).await?;
        run(
            &mut connection,
            format!("grant select, insert, update, delete on all tables in schema {service} to {runtime}"),
        )
        .await?;
        run(&mut connection, format!("grant execute on all functions in schema {service} to {runtime}"))
            .await?;
        run(&mut connection, format!("alter function ensure_ledger_ranges() set search_path = {service}"))
            .await?;
        let ranges = sqlx::query_scalar::<_, String>(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'ledger'::regclass",
        )
        .fetch_all(&mut connection)
        .await?;
        for table in APPEND_ONLY.iter().map(|name| (*name).to_owned()).chain(ranges) {
            run(&mut connection, format!("revoke update, delete, truncate on {table} from {runtime}"))
                .await?;
        }
        sqlx::query("select pg_advisory_unlock(hashtext('shouwen.provision'))")
            .execute(&mut connection)
            .await?;
        connection.close().await?;
        Ok(())
    }

    /// How far the schema is, as seen by the runtime role.
    pub async fn state(&self, pool: &PgPool) -> sqlx::Result<SchemaState> {
        let mut state = SchemaState { at: 0, needs: 0 };
        for migrator in &self.migrators {
            state.needs += migrator.iter().count();
            let table = &migrator.table_name;
            let exists = sqlx::query_scalar::<_, bool>("select to_regclass($1) is not null")
                .bind(table.as_ref())
                .fetch_one(pool)
                .await?;
            if exists {
                let applied = format!("select count(*) from {table} where success");
                state.at += usize::try_from(
                    sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(applied)).fetch_one(pool).await?,
                )
                .unwrap_or_default();
            }
        }
        Ok(state)
    }
}

/// Names of roles and schemas cannot be parameters; all come from constants of this crate's callers.
async fn run(connection: &mut PgConnection, statement: String) -> sqlx::Result<()> {
    connection.execute(sqlx::AssertSqlSafe(statement)).await?;
    Ok(())
}

/// Why a schema could not be laid out.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
}
