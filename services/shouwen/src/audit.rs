//! `shouwen audit`: verification of the ledgers, and export of signed checkpoints.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use indicatif::{ProgressBar, ProgressStyle};
use ring::signature::Ed25519KeyPair;
use shouwen_engine::audit::{self, Checkpoint, Verification};
use shouwen_runtime::postgres::DatabaseConfig;
use sqlx::{ConnectOptions as _, Connection as _, PgPool};

use crate::{
    CommandResult,
    cli::{self, AuditCommand, AuditKey, AuditOptions, AuditVerify, ServiceName},
    keys,
    private_stack::keys_of,
    serve::ServeError,
    token::running,
};

pub(crate) async fn run(options: cli::Audit) -> CommandResult {
    match options.command {
        AuditCommand::Verify(options) => verify(&options).await,
        AuditCommand::Export(options) => export(&options).await,
        AuditCommand::PublicKey(options) => print_public_key(&options),
    }
}

/// The URL of the database that holds the ledgers.
fn database(options: &AuditOptions) -> Result<String, ServeError> {
    match &options.database_url {
        Some(url) => Ok(url.clone()),
        None => Ok(running(&options.signer.data.data_dir)?.admin_url.expose().clone()),
    }
}

/// The key that signs checkpoints. Makes none.
fn signing_key(options: &AuditKey) -> Result<Ed25519KeyPair, ServeError> {
    let path = match &options.key {
        Some(path) => path.clone(),
        None => keys::made_audit_key(&keys_of(&options.data.data_dir)).map_err(|error| {
            format!("{error}; give the key with --key, or to verify its public half with --public-key")
        })?,
    };
    Ok(keys::read_signing_key(&path)?)
}

fn print_public_key(options: &AuditKey) -> CommandResult {
    print!("{}", keys::public_key_pem(&signing_key(options)?));
    Ok(ExitCode::SUCCESS)
}

/// The file of exported checkpoints.
fn export_file(options: &AuditOptions) -> PathBuf {
    let of_up = || options.signer.data.data_dir.join("checkpoints.jsonl");
    options.checkpoints.clone().unwrap_or_else(of_up)
}

/// The exported checkpoints. A file that was named must be there: compared with none, a ledger that was rewritten as a whole would pass.
fn exported(options: &AuditOptions) -> Result<Vec<Checkpoint>, ServeError> {
    let path = export_file(options);
    match read(&path)? {
        Some(exported) => Ok(exported),
        None if options.checkpoints.is_some() => {
            Err(format!("--checkpoints: {} is not there", path.display()).into())
        }
        None => {
            eprintln!("{} is not there: compared with the database's own checkpoints only", path.display());
            Ok(Vec::new())
        }
    }
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

async fn verify(AuditVerify { ledgers, public_key }: &AuditVerify) -> CommandResult {
    let url = database(ledgers)?;
    let public_key = match public_key {
        Some(path) => keys::read_public_key(path).map_err(|error| format!("--public-key: {error}"))?,
        None => keys::public_key(&signing_key(&ledgers.signer)?),
    };
    let exported = exported(ledgers)?;
    let mut intact = true;
    for service in services(ledgers) {
        let pool = open(&url, service).await?;
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
    let url = database(options)?;
    let key = signing_key(&options.signer)?;
    let file = export_file(options);
    let known = read(&file)?.unwrap_or_default();
    for service in services(options) {
        let pool = open(&url, service).await?;
        audit::checkpoint(&pool, service, &key).await?;
        let fresh: Vec<Checkpoint> = audit::checkpoints(&pool, service)
            .await?
            .into_iter()
            .filter(|checkpoint| !known.contains(checkpoint))
            .collect();
        append(&file, &fresh)?;
        println!("{service}: {} new checkpoints in {}", fresh.len(), file.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Appends checkpoints to an export file, and makes sure that they are on the disk.
pub(crate) fn append(path: &Path, checkpoints: &[Checkpoint]) -> io::Result<()> {
    let mut lines = Vec::new();
    for checkpoint in checkpoints {
        serde_json::to_writer(&mut lines, checkpoint)?;
        lines.push(b'\n');
    }
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
    // In one piece: services that export to one file do so at the same time, and a line within another could not be read.
    file.write_all(&lines)?;
    file.sync_all()
}

/// What an export file holds; `None` where there is no such file.
fn read(path: &Path) -> Result<Option<Vec<Checkpoint>>, ServeError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", path.display()).into()),
    };
    let mut checkpoints = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let checkpoint = serde_json::from_str(line)
            .map_err(|error| format!("{}:{}: {error}", path.display(), number + 1))?;
        checkpoints.push(checkpoint);
    }
    Ok(Some(checkpoints))
}
