//! What a service is made of beside its database: keys, certificates, the ways to its peers. All of it is checked, then made, before anything is bound or
//! waited for; what is wrong is named by its setting.

use std::{collections::BTreeMap, fs::OpenOptions, io, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::signature::Ed25519KeyPair;
use shouwen_access::{
    context::{ContextKey, ContextSigner, ContextVerifier, GATEWAY},
    layer::MAX_MESSAGE_BYTES,
    page_token::PageTokens,
    token::{KeySource, TokenSettings, TokenVerifier},
};
use shouwen_engine::{FeedSource, options::CONTEXT_AGE};
use shouwen_gateway::{
    Directory,
    edge::{BackendConfig, EdgeConfig},
};
use shouwen_runtime::{
    channel::{self, Channel, ChannelConfigError},
    clock::MachineClock,
    config::Period,
    tls::TlsReloader,
};
use shouwen_serving::feed_source;
use shouwen_vault::Keyring;

use crate::{
    audit,
    cli::ServiceName,
    config::{AuditConfig, ServeConfig},
    keys,
    serve::ServeError,
};

/// The materials of one service.
pub(crate) struct Materials {
    pub(crate) keyring: Keyring,
    pub(crate) pages: PageTokens,
    /// Believes the contexts of those whose keys are configured.
    pub(crate) verifier: ContextVerifier,
    pub(crate) tls: Option<TlsReloader>,
    pub(crate) audit_key: Option<Ed25519KeyPair>,
    feeds: BTreeMap<&'static str, FeedSource>,
    /// The gateway only: finds clients by what they say.
    directory: Option<Directory>,
}

impl Materials {
    /// Of a configuration that was checked ([`check`]): makes what it names, and begins to connect to the peers. Only here is found whether the export can
    /// be opened, and what a key set behind a URL holds.
    pub(crate) async fn of(service: ServiceName, config: &ServeConfig) -> Result<Self, ServeError> {
        open_export(&config.audit)?;
        if service == ServiceName::Gateway {
            let keys = token_keys(config)?;
            if !keys.is_file() {
                read_token_keys(config, keys).await?;
            }
        }
        Ok(Self {
            keyring: keyring(config)?,
            pages: pages(config)?,
            verifier: verifier(service, config)?,
            tls: match &config.tls {
                Some(files) => {
                    Some(TlsReloader::start(files.clone()).map_err(|error| format!("tls: {error}"))?)
                }
                None => None,
            },
            audit_key: audit_key(&config.audit)?,
            feeds: feeds(service, config)?,
            directory: match service {
                ServiceName::Gateway => {
                    let (channel, signer) = peer(service, config, "clients")?;
                    Some(Directory::new(channel, signer, MachineClock::system()))
                }
                _ => None,
            },
        })
    }

    /// The directory of clients; the gateway's only.
    pub(crate) fn directory(&self) -> Result<Directory, ServeError> {
        self.directory.clone().ok_or_else(|| "only the gateway has a directory of clients".into())
    }

    /// The feed of a service that this one follows.
    pub(crate) fn feed(&self, of: &'static str) -> Result<FeedSource, ServeError> {
        self.feeds
            .get(of)
            .cloned()
            .ok_or_else(|| format!("the feed of `{of}` is not among those followed").into())
    }
}

/// Whether all that the configuration names is good: texts, addresses, keys, files. Whoever starts a service asks first. Nothing is connected to, so only
/// starting shows who answers, and what a key set behind a URL holds.
pub(crate) async fn check(service: ServiceName, config: &ServeConfig) -> Result<(), ServeError> {
    config.telemetry.check().map_err(|error| format!("telemetry: {error}"))?;
    check_numbers(config)?;
    check_database(config)?;
    keyring(config)?;
    pages(config)?;
    verifier(service, config)?;
    audit_key(&config.audit)?;
    check_export(&config.audit)?;
    if let Some(files) = &config.tls {
        files.load().map_err(|error| format!("tls: {error}"))?;
    }
    for of in followed(service) {
        let (_, setting, peer) = configured(service, config, of)?;
        channel::check(&peer.addresses, &config.channel)
            .map_err(|error| in_setting(&error, &setting, "channel"))?;
        context_key(&peer.key_id, peer.key.expose(), &setting)?;
    }
    if service == ServiceName::Gateway {
        check_edge(&config.edge)?;
        let keys = token_keys(config)?;
        if keys.is_file() {
            read_token_keys(config, keys).await?;
        }
        check_backends(config)?;
    }
    Ok(())
}

/// What the edge finds beyond what is followed.
fn check_backends(config: &ServeConfig) -> Result<(), ServeError> {
    for (service, backend) in &config.edge.backends {
        let setting = format!("edge.backends.{service}");
        if service == ServiceName::Gateway.service() {
            return Err(format!("{setting}: the gateway serves it itself; take it out").into());
        }
        channel::check(&backend.addresses, &config.edge.channel)
            .map_err(|error| in_setting(&error, &setting, "edge.channel"))?;
        context_key(&backend.key_id, backend.key.expose(), &setting)?;
    }
    Ok(())
}

/// Whether the database's URL is one.
pub(crate) fn check_database(config: &ServeConfig) -> Result<(), ServeError> {
    if config.database.url.expose().is_empty() {
        return Err("database.url: is not set; give postgres://role:password@host:port/database".into());
    }
    config.database.connect_options().map_err(|error| format!("database.url: {error}"))?;
    Ok(())
}

/// Whose feeds a service follows.
fn followed(service: ServiceName) -> &'static [&'static str] {
    match service {
        ServiceName::Gateway => &["calls", "callbacks", "clients", "complaints"],
        ServiceName::Calls | ServiceName::Clients => &["ownership"],
        ServiceName::Callbacks => &["ownership", "calls", "complaints"],
        ServiceName::Complaints => &["ownership", "clients", "callbacks"],
    }
}

fn feeds(
    service: ServiceName,
    config: &ServeConfig,
) -> Result<BTreeMap<&'static str, FeedSource>, ServeError> {
    let mut feeds = BTreeMap::new();
    for of in followed(service) {
        let (channel, signer) = peer(service, config, of)?;
        feeds.insert(*of, feed_source(channel, signer, MachineClock::system()));
    }
    Ok(feeds)
}

/// The way to another service, and what signs for it.
fn peer(
    service: ServiceName,
    config: &ServeConfig,
    of: &'static str,
) -> Result<(Channel, ContextSigner), ServeError> {
    let (issuer, setting, peer) = configured(service, config, of)?;
    let channel = channel::connect(&peer.addresses, &config.channel)
        .map_err(|error| in_setting(&error, &setting, "channel"))?;
    let key = context_key(&peer.key_id, peer.key.expose(), &setting)?;
    Ok((channel, ContextSigner::new(issuer, of, key)))
}

/// As whom a service calls another one, and what is configured of that one, with the name of the setting.
fn configured<'a>(
    service: ServiceName,
    config: &'a ServeConfig,
    of: &str,
) -> Result<(&'static str, String, &'a BackendConfig), ServeError> {
    // What the gateway follows are the backends that it serves.
    let (issuer, table, peers) = match service {
        ServiceName::Gateway => (GATEWAY, "edge.backends", &config.edge.backends),
        _ => (service.service(), "peers", &config.peers),
    };
    let setting = format!("{table}.{of}");
    let Some(peer) = peers.get(of) else {
        return Err(format!(
            "{setting}: addresses and key of service `{of}` are not configured, but its feed must be followed"
        )
        .into());
    };
    Ok((issuer, setting, peer))
}

/// Names the setting that keeps a channel from being made: the peer's addresses, or the files of TLS.
fn in_setting(error: &ChannelConfigError, peer: &str, channel: &str) -> String {
    match error {
        ChannelConfigError::NoTarget | ChannelConfigError::Target(_) => format!("{peer}.addresses: {error}"),
        ChannelConfigError::Tls(_) => format!("{channel}.tls: {error}"),
    }
}

fn keyring(config: &ServeConfig) -> Result<Keyring, ServeError> {
    Ok(Keyring::load(&config.vault.keyring).map_err(|error| format!("vault.keyring: {error}"))?)
}

/// The key that signs checkpoints, where they are to be signed.
fn audit_key(config: &AuditConfig) -> Result<Option<Ed25519KeyPair>, ServeError> {
    let Some(path) = &config.key else {
        return match &config.export {
            Some(_) => Err("audit.export: needs audit.key, the key that signs; set both or neither".into()),
            None => Ok(None),
        };
    };
    Ok(Some(keys::read_signing_key(path).map_err(|error| format!("audit.key: {error}"))?))
}

/// Makes sure that checkpoints can be exported: a proof that cannot be written is missed only when it is needed.
fn open_export(config: &AuditConfig) -> Result<(), ServeError> {
    let Some(path) = &config.export else { return Ok(()) };
    Ok(audit::append(path, &[]).map_err(|error| no_export(path, &error))?)
}

/// As [`open_export`], making nothing: whoever checks may be another user than the one who is to write.
fn check_export(config: &AuditConfig) -> Result<(), ServeError> {
    let Some(path) = &config.export else { return Ok(()) };
    let looked = match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .map_or(Ok(()), |folder| folder.metadata().map(drop)),
        opened => opened.map(drop),
    };
    Ok(looked.map_err(|error| no_export(path, &error))?)
}

fn no_export(path: &Path, error: &io::Error) -> String {
    format!(
        "audit.export: {}: {error}; name a file in a directory that the service may write to",
        path.display()
    )
}

fn verifier(service: ServiceName, config: &ServeConfig) -> Result<ContextVerifier, ServeError> {
    let mut accepted = Vec::new();
    for (index, known) in config.accept.iter().enumerate() {
        let key = context_key(&known.key_id, known.key.expose(), &format!("accept[{index}]"))?;
        accepted.push((known.issuer.clone(), key));
    }
    Ok(ContextVerifier::new(service.service(), accepted).map_err(|error| format!("accept: {error}"))?)
}

/// Numbers with which a service would do nothing, or nothing else.
fn check_numbers(config: &ServeConfig) -> Result<(), ServeError> {
    let ServeConfig { database, server, channel, engine, audit, edge, .. } = config;
    let zero = [
        ("database.max_connections", database.max_connections == 0),
        ("database.acquire_timeout", database.acquire_timeout.is_zero()),
        ("server.max_connections", server.max_connections == 0),
        ("server.max_concurrent_streams", server.max_concurrent_streams == 0),
        ("channel.connections", channel.connections == 0),
        ("channel.max_addresses", channel.max_addresses == 0),
        ("channel.resolve_interval", channel.resolve_interval.is_zero()),
        ("engine.queue", engine.queue == 0),
        ("engine.batch_commands", engine.batch_commands == 0),
        ("engine.write_timeout", engine.write_timeout.is_zero()),
        ("engine.sweep_interval", engine.sweep_interval.is_zero()),
        ("engine.feed_poll", engine.feed_poll.is_zero()),
        ("engine.feed_heartbeat", engine.feed_heartbeat.is_zero()),
        ("audit.interval", audit.interval.is_zero()),
        ("edge.touch_interval", edge.touch_interval.is_zero()),
        ("edge.touch_batch", edge.touch_batch <= 0),
        ("edge.tokens.refresh_interval", edge.tokens.refresh_interval.is_zero()),
        ("edge.limits.max_calls", edge.limits.max_calls == 0),
        ("edge.limits.max_message_bytes", edge.limits.max_message_bytes == 0),
        ("edge.limits.request_timeout", edge.limits.request_timeout.is_zero()),
    ];
    match zero.iter().find(|(_, zero)| *zero) {
        Some((setting, _)) => {
            Err(format!("{setting}: must be more than 0; leave it out for the default").into())
        }
        None => Ok(()),
    }
}

/// What the backends would refuse whatever the edge lets through.
fn check_edge(edge: &EdgeConfig) -> Result<(), ServeError> {
    let oldest = Period::from(CONTEXT_AGE);
    if edge.ownership_age >= oldest {
        return Err(format!(
            "edge.ownership_age: {}: backends refuse every change that rests on a reading older than {oldest}; stay well below, such as 900ms",
            edge.ownership_age
        )
        .into());
    }
    let largest = edge.limits.max_message_bytes;
    if largest > MAX_MESSAGE_BYTES {
        return Err(format!(
            "edge.limits.max_message_bytes: {largest}: backends take no message above {MAX_MESSAGE_BYTES} bytes; set at most that and split what is larger"
        )
        .into());
    }
    Ok(())
}

/// Where the identity provider's keys are.
fn token_keys(config: &ServeConfig) -> Result<KeySource, ServeError> {
    let tokens = &config.edge.tokens;
    for (setting, value) in
        [("issuer", &tokens.issuer), ("audience", &tokens.audience), ("keys", &tokens.keys)]
    {
        if value.is_empty() {
            return Err(format!("edge.tokens.{setting}: is not set").into());
        }
    }
    let source = KeySource::parse(&tokens.keys, tokens.keys_ca.as_deref());
    Ok(source.map_err(|error| format!("edge.tokens.keys: {}: {error}", tokens.keys))?)
}

/// Reads them once; the edge keeps them fresh.
async fn read_token_keys(config: &ServeConfig, source: KeySource) -> Result<(), ServeError> {
    let tokens = &config.edge.tokens;
    let settings = TokenSettings::new(&tokens.issuer, &tokens.audience);
    TokenVerifier::open(source, settings, MachineClock::system())
        .await
        .map_err(|error| format!("edge.tokens.keys: {}: {error}", tokens.keys))?;
    Ok(())
}

fn pages(config: &ServeConfig) -> Result<PageTokens, ServeError> {
    let key = STANDARD.decode(config.page_token_key.expose()).ok().and_then(|key| PageTokens::new(&key));
    key.ok_or_else(|| "page_token_key: must be base64 of 32 or more bytes (`openssl rand -base64 32`)".into())
}

fn context_key(id: &str, key: &str, setting: &str) -> Result<ContextKey, ServeError> {
    STANDARD.decode(key).ok().and_then(|key| ContextKey::new(id, &key)).ok_or_else(|| {
        format!("{setting}: `key_id` must be set and `key` be base64 of 32 or more bytes (`openssl rand -base64 32`)").into()
    })
}
