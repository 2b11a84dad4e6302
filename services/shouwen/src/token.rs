//! `shouwen token`: a token signed with the key of `up`, and the first administrator of an empty roster. Tokens of a gateway with an identity
//! provider come from there: none is printed that it would refuse.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use chrono::TimeDelta;
use shouwen_access::{Principal, token::Issuer};
use shouwen_engine::{Engine, Options, SubmitError};
use shouwen_gateway::{
    domain::{Mutants, OwnershipDomain, Rejection, Roster},
    edge::TokenConfig,
};
use shouwen_policy::PolicyBook;
use shouwen_runtime::{clock::MachineClock, postgres::DatabaseConfig};
use tokio_util::sync::CancellationToken;

use crate::{
    CommandResult, cli,
    config::ServeConfig,
    keys,
    materials::check_database,
    private_stack::{AUDIENCE, ISSUER, StackState, key_folder, keys_of, sign, state_file},
    serve::ServeError,
};

pub(crate) async fn run(options: cli::Token) -> CommandResult {
    let subject = Principal::of_subject(&options.subject).ok_or_else(|| {
        format!(
            "--subject: `{}` is neither `employees/{{employee}}` nor `serviceAccounts/{{account}}`",
            options.subject
        )
    })?;
    let settings: Option<ServeConfig> =
        if options.settings.given() { Some(options.settings.load()?) } else { None };
    let issuer = if options.bootstrap {
        first_administrator(&options, &subject, settings.as_ref()).await?
    } else {
        let folder = keys_of(&options.data.data_dir);
        if let Some(tokens) = settings.as_ref().map(|settings| &settings.edge.tokens)
            && !accepts(tokens, &folder)
        {
            let other = provider(tokens);
            return Err(
                format!("the gateway of these settings takes tokens of {other} only, not ours").into()
            );
        }
        Some(keys::made_issuer(&folder)?)
    };
    if let Some(issuer) = issuer {
        println!("{}", sign(&issuer, &subject, TimeDelta::minutes(i64::from(options.minutes))));
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the first administrator. That works once, so whatever else can fail comes before it. Answers what signs tokens for them; nothing where an
/// identity provider does.
async fn first_administrator(
    options: &cli::Token,
    subject: &Principal,
    settings: Option<&ServeConfig>,
) -> Result<Option<Issuer>, ServeError> {
    let Principal::Employee(employee) = subject else {
        return Err(format!("--subject: `{subject}` is no employee, as the first administrator is").into());
    };
    let data_dir = &options.data.data_dir;
    let (issuer, made) = if let Some(settings) = settings {
        check_database(settings)?;
        let issuer = if accepts(&settings.edge.tokens, &keys_of(data_dir)) {
            Some(key_folder(data_dir)?.issuer()?)
        } else {
            None
        };
        (issuer, administrator(&settings.database, employee.as_str()).await?)
    } else {
        let state = running(data_dir).map_err(|error| {
            format!(
                "{error} Without it give the gateway's settings: --config, --set or SHOUWEN_DATABASE__URL"
            )
        })?;
        let issuer = keys::made_issuer(&keys_of(data_dir))?;
        (Some(issuer), make_administrator(state.admin_url.expose(), employee.as_str()).await?)
    };
    if !made {
        return Err(
            "the roster is not empty: the first administrator was made before; ask them for access".into()
        );
    }
    eprintln!("{employee} is the first administrator");
    if let (None, Some(settings)) = (&issuer, settings) {
        eprintln!("their tokens come from {}", provider(&settings.edge.tokens));
    }
    Ok(issuer)
}

/// Whether a gateway with these settings accepts what the keys in this folder sign.
fn accepts(tokens: &TokenConfig, folder: &Path) -> bool {
    let key_set = tokens.keys.strip_prefix("file://").unwrap_or(&tokens.keys);
    tokens.issuer == ISSUER
        && tokens.audience == AUDIENCE
        && in_full(Path::new(key_set)) == in_full(&keys::key_set_of(folder))
}

/// The path from the root, through links where it leads to something.
fn in_full(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}

/// Whose tokens a gateway takes, for messages.
fn provider(tokens: &TokenConfig) -> &str {
    if tokens.issuer.is_empty() { "its identity provider" } else { &tokens.issuer }
}

/// The state of the stack that runs on a data directory.
pub(crate) fn running(data_dir: &Path) -> Result<StackState, ServeError> {
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
