//! `shouwen audit`: verification of the ledgers, and export of signed checkpoints.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use indicatif::{ProgressBar, ProgressStyle};
use shouwen_engine::audit::{self, Checkpoint, Verification};
use shouwen_runtime::postgres::DatabaseConfig;
use sqlx::{ConnectOptions as _, Connection as _, PgPool};

use crate::{
    CommandResult,
    cli::{self, AuditCommand, AuditOptions, ServiceName},
    keys,
    private_stack::key_folder,
    serve::ServeError,
    token::running,
};

pub(crate) async fn run(options: cli::Audit) -> CommandResult {
    match options.command {
        AuditCommand::Verify(options) => verify(&options).await,
        AuditCommand::Export(options) => export(&options).await,
    }
}

/// Where ledgers, key and checkpoints are.
struct Place {
    url: String,
    key: PathBuf,
    checkpoints: PathBuf,
}

fn place(options: &AuditOptions) -> Result<Place, ServeError> {
    let data_dir = &options.data.data_dir;
    let url = match &options.database_url {
        Some(url) => url.clone(),
        None => running(data_dir)?.admin_url.expose().clone(),
    };
    let key = match &options.key {
        Some(key) => key.clone(),
        None => key_folder(data_dir)?.audit_key()?,
    };
    let checkpoints = options.checkpoints.clone().unwrap_or_else(|| data_dir.join("checkpoints.jsonl"));
    Ok(Place { url, key, checkpoints })
}

fn services(options: &AuditOptions) -> impl Iterator<Item = &'static str> + use<> {
    let only = options.service;
    ServiceName::ALL
        .into_iter()
        .filter(move |service| only.is_none_or(|only| only == *service))
        .map(ServiceName::service)
}

async fn open(url: &str, service: &str) -> Result<PgPool, ServeError> {
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}options[search_path]={service}");
    let config = DatabaseConfig { max_connections: 2, ..DatabaseConfig::at(url) };
    // An operator learns at once that it is away; services are more patient.
    let attempt = config.connect_options()?.connect().await;
    let connection =
        attempt.map_err(|error| format!("the database at {} cannot be reached: {error}", config.place()))?;
    connection.close().await?;
    Ok(shouwen_runtime::postgres::pool(&config)?)
}

async fn verify(options: &AuditOptions) -> CommandResult {
    let place = place(options)?;
    let public_key = keys::public_key(&keys::read_signing_key(&place.key)?);
    let exported = read(&place.checkpoints)?;
    let mut intact = true;
    for service in services(options) {
        let pool = open(&place.url, service).await?;
        let mut checkpoints = audit::checkpoints(&pool, service).await?;
        checkpoints.extend(exported.iter().filter(|checkpoint| checkpoint.service == service).cloned());
        let bar = progress(service);
        let result = audit::verify(&pool, &checkpoints, &public_key, |done, total| {
            bar.set_length(u64::try_from(total).unwrap_or_default());
            bar.set_position(u64::try_from(done).unwrap_or_default());
        })
        .await?;
        bar.finish_and_clear();
        println!("{}", line(service, &result));
        for finding in &result.findings {
            println!("  {finding}");
        }
        intact &= result.findings.is_empty();
    }
    Ok(if intact { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The summary of one ledger.
pub(crate) fn line(service: &str, result: &Verification) -> String {
    let verdict = if result.findings.is_empty() { "intact" } else { "NOT INTACT" };
    format!("{service}: {verdict}: {} events, {} checkpoints", result.events, result.checkpoints)
}

/// Verifies one service's ledger against the database's own checkpoints.
pub(crate) async fn verify_service(url: &str, service: &str, key: &Path) -> Result<Verification, ServeError> {
    let key = keys::read_signing_key(key)?;
    let pool = open(url, service).await?;
    audit::checkpoint(&pool, service, &key).await?;
    let checkpoints = audit::checkpoints(&pool, service).await?;
    Ok(audit::verify(&pool, &checkpoints, &keys::public_key(&key), |_, _| {}).await?)
}

fn progress(service: &str) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{msg:12} {wide_bar} {pos}/{len} events {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(service.to_owned());
    bar
}

async fn export(options: &AuditOptions) -> CommandResult {
    let place = place(options)?;
    let key = keys::read_signing_key(&place.key)?;
    let known = read(&place.checkpoints)?;
    for service in services(options) {
        let pool = open(&place.url, service).await?;
        audit::checkpoint(&pool, service, &key).await?;
        let fresh: Vec<Checkpoint> = audit::checkpoints(&pool, service)
            .await?
            .into_iter()
            .filter(|checkpoint| !known.contains(checkpoint))
            .collect();
        append(&place.checkpoints, &fresh)?;
        println!("{service}: {} new checkpoints in {}", fresh.len(), place.checkpoints.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Appends checkpoints to an export file, and makes sure that they are on the disk.
pub(crate) fn append(path: &Path, checkpoints: &[Checkpoint]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    for checkpoint in checkpoints {
        writeln!(file, "{}", serde_json::to_string(checkpoint)?)?;
    }
    file.sync_all()
}

fn read(path: &Path) -> Result<Vec<Checkpoint>, ServeError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    };
    let mut checkpoints = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let checkpoint = serde_json::from_str(line)
            .map_err(|error| format!("{}:{}: {error}", path.display(), number + 1))?;
        checkpoints.push(checkpoint);
    }
    Ok(checkpoints)
}
