//! `shouwen token`: a token signed with the key of `up`, and the first administrator of an empty roster.

use std::{process::ExitCode, sync::Arc};

use chrono::TimeDelta;
use shouwen_access::Principal;
use shouwen_engine::{Engine, Options, SubmitError};
use shouwen_gateway::domain::{Mutants, OwnershipDomain, Rejection, Roster};
use shouwen_policy::PolicyBook;
use shouwen_runtime::{clock::MachineClock, postgres::DatabaseConfig};
use tokio_util::sync::CancellationToken;

use crate::{
    CommandResult, cli,
    config::ServeConfig,
    private_stack::{StackState, key_folder, sign, state_file},
    serve::ServeError,
};

pub(crate) async fn run(options: cli::Token) -> CommandResult {
    let subject = Principal::of_subject(&options.subject).ok_or_else(|| {
        format!(
            "--subject: `{}` is neither `employees/{{employee}}` nor `serviceAccounts/{{account}}`",
            options.subject
        )
    })?;
    if options.bootstrap {
        let made = if options.settings.config.is_some() || !options.settings.settings.is_empty() {
            let config: ServeConfig = options.settings.load()?;
            administrator(&config.database, &options.subject).await?
        } else {
            let state = running(&options.data.data_dir)?;
            make_administrator(state.admin_url.expose(), &options.subject).await?
        };
        if !made {
            return Err(
                "the roster is not empty: the first administrator was made before; ask them for access"
                    .into(),
            );
        }
        eprintln!("{} is the first administrator", options.subject);
    }
    let issuer = key_folder(&options.data.data_dir)?.issuer()?;
    println!("{}", sign(&issuer, &subject, TimeDelta::minutes(i64::from(options.minutes))));
    Ok(ExitCode::SUCCESS)
}

/// The state of the stack that runs on a data directory.
pub(crate) fn running(data_dir: &std::path::Path) -> Result<StackState, ServeError> {
    let path = state_file(data_dir);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        format!("{}: {error}; is `shouwen up` running with this --data-dir?", path.display())
    })?;
    Ok(toml::from_str(&text)?)
}

/// Makes the first administrator through an administrator's connection; false if there was one before.
pub(crate) async fn make_administrator(admin_url: &str, employee: &str) -> Result<bool, ServeError> {
    let separator = if admin_url.contains('?') { '&' } else { '?' };
    let url = format!("{admin_url}{separator}options[search_path]=ownership");
    administrator(&DatabaseConfig { max_connections: 2, ..DatabaseConfig::at(url) }, employee).await
}

async fn administrator(database: &DatabaseConfig, employee: &str) -> Result<bool, ServeError> {
    let pool = shouwen_runtime::postgres::connect(database).await?;
    let domain = OwnershipDomain::new(Roster::default(), PolicyBook::standard(), Mutants::default());
    let stop = CancellationToken::new();
    let engine = Engine::start(
        Arc::new(domain),
        pool,
        database.connect_options()?,
        MachineClock::system(),
        Options::default(),
        stop.clone(),
    )
    .await?;
    let made = shouwen_gateway::bootstrap(&engine, employee).await;
    stop.cancel();
    engine.stopped().await?;
    match made {
        Ok(()) => Ok(true),
        Err(SubmitError::Rejected(Rejection::RosterNotEmpty)) => Ok(false),
        Err(other) => Err(other.into()),
    }
}
