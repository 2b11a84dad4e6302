//! The clients service as ownership asks it: which client has this phone, identity number or capital account.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use chrono::TimeDelta;
use prost::Message as _;
use shouwen_access::{
    Caller, Failure, Reach,
    context::{ContextSigner, HEADER, SystemCall, body_digest},
    status::reason_of,
};
use shouwen_proto::{
    access::v1::CallContext,
    clients::v1::{
        Client, ResolveClientRequest, ResolveClientResponse, client_service_client::ClientServiceClient,
    },
};
use shouwen_runtime::{channel::Channel, clock::MachineClock};
use tonic::{Code, Request, Status, metadata::MetadataValue};

use crate::{api::failures, edge::backend_unavailable, ownership};

const RESOLVE: &str = "/shouwen.clients.v1.ClientService/ResolveClient";

/// How long the clients service may take: much longer than it needs, much shorter than a caller at the telephone waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// Finds clients in the clients service, in the name of the employee who looks for them.
#[derive(Clone)]
pub struct Directory {
    channel: Channel,
    signer: ContextSigner,
    clock: MachineClock,
}

impl Directory {
    /// `signer` makes contexts for the audience `clients`.
    pub fn new(channel: Channel, signer: ContextSigner, clock: MachineClock) -> Self {
        Self { channel, signer, clock }
    }

    /// The id of the one client whom the request finds: `CLIENT_NOT_FOUND` where there is none, `CLIENT_AMBIGUOUS` where there are several,
    /// `BACKEND_UNAVAILABLE` where nobody answers.
    ///
    /// It is a lookup of the calling employee, counted and bounded like any other (L10): what is found or not tells of the number.
    pub(crate) async fn resolve(
        &self,
        caller: &Caller,
        wanted: ResolveClientRequest,
    ) -> Result<String, Status> {
        let request = self.signed(caller, wanted)?;
        let mut clients = ClientServiceClient::new(self.channel.clone());
        let answer = tokio::time::timeout(PATIENCE, clients.resolve_client(request)).await;
        let ResolveClientResponse { clients } = match answer {
            Ok(Ok(found)) => found.into_inner(),
            // What is wrong with the number is for the caller to know, the fields bear the same names; and that they have looked too often.
            Ok(Err(status)) if matches!(status.code(), Code::InvalidArgument | Code::ResourceExhausted) => {
                return Err(status);
            }
            Ok(Err(status)) => {
                let reason = reason_of(&status).unwrap_or_default();
                tracing::warn!(code = ?status.code(), reason, "the clients service cannot resolve a client");
                return Err(backend_unavailable("clients").into());
            }
            Err(_) => {
                tracing::warn!("the clients service has not resolved a client in time");
                return Err(backend_unavailable("clients").into());
            }
        };
        match &*clients {
            [] => Err(failures::client_not_found().into()),
            [client] => id(client).map_err(Status::from),
            several => Err(failures::client_ambiguous(several.len()).into()),
        }
    }

    fn signed(
        &self,
        caller: &Caller,
        wanted: ResolveClientRequest,
    ) -> Result<Request<ResolveClientRequest>, Failure> {
        let digest = body_digest(&wanted.encode_to_vec());
        let header = if caller.employee.is_some() {
            self.signer.sign(self.context(caller, digest))
        } else {
            // A connected system in its own name: its lookups are nobody's.
            self.signer.sign_system(&SystemCall {
                method: RESOLVE,
                body_digest: Some(digest),
                cause: "identify",
                now: self.clock.now(),
                lifetime: LIFETIME,
            })
        };
        // The client encodes binary metadata itself.
        let bytes = STANDARD_NO_PAD.decode(header.as_bytes()).map_err(|_| Failure::internal())?;
        let mut request = Request::new(wanted);
        request.metadata_mut().insert_bin(HEADER, MetadataValue::from_bytes(&bytes));
        request.set_timeout(PATIENCE);
        Ok(request)
    }

    /// The employee as the edge found them, for this call.
    fn context(&self, caller: &Caller, digest: [u8; 32]) -> CallContext {
        CallContext {
            method: RESOLVE.to_owned(),
            body_digest: digest.to_vec(),
            principal: caller.principal.to_string(),
            employee: caller.employee.as_ref().map(ToString::to_string).unwrap_or_default(),
            branch: caller.branch.as_ref().map(ToString::to_string).unwrap_or_default(),
            roles: caller.roles.to_numbers(),
            branches: caller.reach.branches().unwrap_or_default(),
            all_branches: caller.reach == Reach::All,
            expires_at: (self.clock.now() + LIFETIME).timestamp_micros(),
            language: caller.language.tag().to_owned(),
            ..CallContext::default()
        }
    }
}

/// The id behind `clients/`, as cases bear it.
fn id(client: &Client) -> Result<String, Failure> {
    let id = client.name.strip_prefix("clients/").unwrap_or_default();
    ownership::client(id)?.ok_or_else(Failure::internal)
}

/// How long a context may take to arrive.
const LIFETIME: TimeDelta = TimeDelta::seconds(10);
