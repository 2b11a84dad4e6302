//! Where methods are served: in this process, or behind a balanced channel with the key that the service knows as the gateway's.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use shouwen_access::context::{ContextKey, ContextSigner, GATEWAY};
use shouwen_access::contract::{Backend, Method};
use shouwen_access::{Contract, Failure};
use shouwen_runtime::channel::{Channel, ChannelConfigError, ChannelOptions, connect_on};
use shouwen_runtime::cores::Cores;
use tonic::service::Routes;

use super::config::BackendConfig;
use super::refusal;

pub(super) struct Backends {
    known: HashMap<String, Route>,
    /// Every service that the contract speaks of, configured or not.
    named: BTreeSet<String>,
}

/// One service.
pub(super) struct Route {
    pub(super) service: Arc<str>,
    pub(super) way: Way,
}

pub(super) enum Way {
    Local(Routes),
    Remote(Box<Remote>),
}

/// A service in other processes.
pub(super) struct Remote {
    pub(super) channel: Channel,
    pub(super) signer: ContextSigner,
}

/// A service is configured wrongly.
#[derive(Debug, thiserror::Error)]
pub enum BackendConfigError {
    /// The addresses or the TLS files cannot be used.
    #[error("backend {service}: {cause}")]
    Channel {
        /// Which service.
        service: String,
        /// What is wrong.
        cause: ChannelConfigError,
    },
    /// The key is missing or too weak.
    #[error(
        "backend {service}: `key_id` must be set and `key` be base64 of 32 or more random bytes (`openssl rand -base64 32`)"
    )]
    Key {
        /// Which service.
        service: String,
    },
    /// The service runs in this process.
    #[error("backend {service}: it is served by this process; take it out of the configuration")]
    Local {
        /// Which service.
        service: String,
    },
}

impl Backends {
    pub(super) fn new(
        contract: &Contract,
        local: Vec<(String, Routes)>,
        remote: &BTreeMap<String, BackendConfig>,
        channel: &ChannelOptions,
        cores: &Cores,
    ) -> Result<Self, BackendConfigError> {
        let mut known = HashMap::new();
        for (service, routes) in local {
            let way = Way::Local(routes.prepare());
            known.insert(service.clone(), Route { service: service.into(), way });
        }
        for (service, config) in remote {
            let service = service.clone();
            if known.contains_key(&service) {
                return Err(BackendConfigError::Local { service });
            }
            let secret = STANDARD.decode(config.key.expose()).unwrap_or_default();
            let Some(key) = ContextKey::new(&config.key_id, &secret) else {
                return Err(BackendConfigError::Key { service });
            };
            let channel = connect_on(cores, &config.addresses, channel)
                .map_err(|cause| BackendConfigError::Channel { service: service.clone(), cause })?;
            let signer = ContextSigner::new(GATEWAY, &service, key);
            let way = Way::Remote(Box::new(Remote { channel, signer }));
            known.insert(service.clone(), Route { service: service.into(), way });
        }
        let named = contract.methods().into_iter().filter_map(|method| match &method.backend {
            Backend::Service(service) => Some(service.clone()),
            Backend::Named(_) => None,
        });
        Ok(Self { named: named.chain(known.keys().cloned()).collect(), known })
    }

    /// Who serves the method; `named` is what the request says where the method leaves it to the request.
    pub(super) fn route(&self, method: &Method, named: &str) -> Result<&Route, Failure> {
        match &method.backend {
            Backend::Service(service) => {
                self.known.get(service).ok_or_else(|| refusal::backend_not_configured(service))
            }
            Backend::Named(field) => match self.known.get(named) {
                Some(route) => Ok(route),
                None if self.named.contains(named) => Err(refusal::backend_not_configured(named)),
                None => {
                    let services = self.named.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                    let chinese = format!("须为下列之一：{services}");
                    Err(Failure::field_invalid(&field.name, format!("one of {services}"), chinese))
                }
            },
        }
    }
}
