//! `shouwen migrate`: schemas, roles and grants, by a role that may create them.

use std::process::ExitCode;

use shouwen_runtime::telemetry::Telemetry;

use crate::{
    CommandResult,
    cli::{self, ServiceName},
    config::MigrateConfig,
    serve::{ServeError, schema},
};

pub(crate) async fn run(options: cli::Migrate) -> CommandResult {
    let config: MigrateConfig = options.settings.load()?;
    let telemetry = Telemetry::start(&config.telemetry, "migrate")?;
    let outcome = migrate(&config, options.service).await;
    telemetry.flush().await;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn migrate(config: &MigrateConfig, only: Option<ServiceName>) -> Result<(), ServeError> {
    let admin = config.admin.connect_options()?;
    // Waits for Postgres, and says so.
    shouwen_runtime::postgres::connect(&config.admin).await?.close().await;
    for service in ServiceName::ALL.into_iter().filter(|service| only.is_none_or(|only| only == *service)) {
        let schema = schema(service);
        let password = config.passwords.get(service.service()).map(|password| password.expose().as_str());
        schema.provision(&admin, password).await?;
        println!(
            "schema {} is up to date; its service connects as role {}",
            schema.service,
            schema.runtime_role()
        );
    }
    Ok(())
}
