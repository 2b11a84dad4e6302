//! Callers: a channel to one gateway and a token. What they send is what any gRPC client would.

use std::{net::SocketAddr, time::Duration};

use chrono::{DateTime, Utc};
use prost_types::Timestamp;
use serde_json::{Value, json};
use shouwen_proto::{
    callbacks::v1::callback_service_client::CallbackServiceClient,
    calls::v1::call_service_client::CallServiceClient,
    clients::v1::client_service_client::ClientServiceClient,
    complaints::v1::complaint_service_client::ComplaintServiceClient,
    events::v1::event_feed_client::EventFeedClient,
    operator::v1::operator_service_client::OperatorServiceClient,
    ownership::v1::{case_service_client::CaseServiceClient, roster_service_client::RosterServiceClient},
    policy::v1::policy_service_client::PolicyServiceClient,
    routing::v1::{desk_service_client::DeskServiceClient, routing_service_client::RoutingServiceClient},
};
use shouwen_runtime::{clock::now, ids};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use super::deployment::{AUDIENCE, ISSUER};

/// A fresh request id.
pub(crate) fn id() -> String {
    ids::new_v4().to_string()
}

/// A time as messages carry it.
#[allow(clippy::unnecessary_wraps, reason = "message fields are optional")]
pub(crate) fn timestamp(time: DateTime<Utc>) -> Option<Timestamp> {
    Some(Timestamp {
        seconds: time.timestamp(),
        nanos: i32::try_from(time.timestamp_subsec_nanos()).unwrap(),
    })
}

/// The claims of a good token for an hour.
pub(crate) fn claims(subject: &str) -> Value {
    let now = now().timestamp();
    json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "nbf": now - 5, "exp": now + 3600})
}

/// A channel that connects when it is used, and again when it was cut.
pub(crate) fn channel(address: SocketAddr) -> Channel {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .connect_timeout(Duration::from_secs(2))
        .connect_lazy()
}

/// Adds the token and other metadata to each request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metadata {
    entries: Vec<(&'static str, MetadataValue<Ascii>)>,
}

impl Metadata {
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.entries.retain(|(known, _)| *known != name);
        self.entries.push((name, value.parse().unwrap()));
        self
    }
}

impl Interceptor for Metadata {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for (name, value) in &self.entries {
            request.metadata_mut().insert(*name, value.clone());
        }
        Ok(request)
    }
}

pub(crate) type Authorized = InterceptedService<Channel, Metadata>;

/// Somebody who calls.
#[derive(Clone)]
pub(crate) struct Client {
    channel: Channel,
    metadata: Metadata,
}

impl Client {
    /// A caller without a token.
    pub(crate) fn anonymous(channel: Channel) -> Self {
        Self { channel, metadata: Metadata::default() }
    }

    /// The same caller with this token.
    pub(crate) fn token(self, token: &str) -> Self {
        self.with("authorization", &format!("Bearer {token}"))
    }

    /// The same caller at another address.
    pub(crate) fn at(self, channel: Channel) -> Self {
        Self { channel, ..self }
    }

    /// The same caller with one more entry of metadata.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.metadata = self.metadata.with(name, value);
        self
    }

    /// For requests that no generated client makes.
    pub(crate) fn service(&self) -> Authorized {
        InterceptedService::new(self.channel.clone(), self.metadata.clone())
    }

    pub(crate) fn cases(&self) -> CaseServiceClient<Authorized> {
        CaseServiceClient::new(self.service())
    }

    pub(crate) fn routing(&self) -> RoutingServiceClient<Authorized> {
        RoutingServiceClient::new(self.service())
    }

    pub(crate) fn roster(&self) -> RosterServiceClient<Authorized> {
        RosterServiceClient::new(self.service())
    }

    pub(crate) fn policies(&self) -> PolicyServiceClient<Authorized> {
        PolicyServiceClient::new(self.service())
    }

    pub(crate) fn calls(&self) -> CallServiceClient<Authorized> {
        CallServiceClient::new(self.service())
    }

    pub(crate) fn callbacks(&self) -> CallbackServiceClient<Authorized> {
        CallbackServiceClient::new(self.service())
    }

    pub(crate) fn clients(&self) -> ClientServiceClient<Authorized> {
        ClientServiceClient::new(self.service())
    }

    pub(crate) fn complaints(&self) -> ComplaintServiceClient<Authorized> {
        ComplaintServiceClient::new(self.service())
    }

    pub(crate) fn desks(&self) -> DeskServiceClient<Authorized> {
        DeskServiceClient::new(self.service())
    }

    pub(crate) fn feed(&self) -> EventFeedClient<Authorized> {
        EventFeedClient::new(self.service())
    }

    pub(crate) fn operator(&self) -> OperatorServiceClient<Authorized> {
        OperatorServiceClient::new(self.service())
    }
}
