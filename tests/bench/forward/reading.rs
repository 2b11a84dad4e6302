//! The constant read: one callback, whose case decides who may see it. It is made once through the API; the ready-made context says of it what the
//! gateway would.

use std::time::{Duration, Instant};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use chrono::TimeDelta;
use http::HeaderValue;
use prost::Message as _;
use prost_types::Timestamp;
use shouwen_access::context::{ContextKey, ContextSigner, GATEWAY, HEADER, body_digest};
use shouwen_proto::{
    access::v1::{CallContext, Capacity, Role},
    callbacks::v1::{
        GetCallbackRequest, ListDueCallbacksRequest, callback_service_client::CallbackServiceClient,
    },
    calls::v1::{
        AnswerCallRequest, PromiseCallbackRequest, RegisterCallRequest,
        call_service_client::CallServiceClient,
    },
    r#type::v1::Channel as ContactChannel,
};
use shouwen_runtime::{channel::Channel, clock, ids};
use tokio::time::sleep;
use tonic::{
    Request, Status,
    metadata::{Binary, MetadataValue},
};

use crate::{
    Failure,
    client::{BRANCHES, Clients, Token, branch, employee, with},
    deployment::Deployment,
};

const METHOD: &str = "/shouwen.callbacks.v1.CallbackService/GetCallback";
const PATIENCE: Duration = Duration::from_secs(30);

/// The callback that is read.
pub(crate) struct Reading {
    request: GetCallbackRequest,
    case: String,
}

impl Reading {
    /// A contact is answered, a callback promised; waits until that is there.
    pub(crate) async fn prepare(clients: &Clients) -> Result<Self, Failure> {
        let token = &clients.tokens[0];
        let mut calls = CallServiceClient::new(clients.channel());
        let register = RegisterCallRequest {
            parent: branch(1),
            channel: ContactChannel::Phone.into(),
            caller: "13812345678".to_owned(),
            request_id: ids::new_v4().to_string(),
            ..RegisterCallRequest::default()
        };
        let name = calls.register_call(with(token, register)).await?.into_inner().name;
        let answer = AnswerCallRequest {
            name: name.clone(),
            channel: ContactChannel::Phone.into(),
            request_id: ids::new_v4().to_string(),
            ..AnswerCallRequest::default()
        };
        let case = calls.answer_call(with(token, answer)).await?.into_inner().case;
        let agreed = clock::now() + TimeDelta::hours(20);
        let promise = PromiseCallbackRequest {
            name,
            agreed_time: Some(Timestamp { seconds: agreed.timestamp(), nanos: 0 }),
            client_asked: true,
            subject: "到账情况".to_owned(),
            request_id: ids::new_v4().to_string(),
            ..PromiseCallbackRequest::default()
        };
        calls.promise_callback(with(token, promise)).await?;
        let callback = Self::callback_of(&case, clients).await?;
        Ok(Self { request: GetCallbackRequest { name: callback }, case })
    }

    async fn callback_of(case: &str, clients: &Clients) -> Result<String, Failure> {
        let begun = Instant::now();
        let mut callbacks = CallbackServiceClient::new(clients.channel());
        while begun.elapsed() < PATIENCE {
            for number in 1..=BRANCHES {
                let list = ListDueCallbacksRequest { parent: branch(number), ..Default::default() };
                let listed = callbacks.list_due_callbacks(with(&clients.tokens[0], list)).await?.into_inner();
                let ours = |name: &&String| name.starts_with(case);
                if let Some(name) = listed.callbacks.iter().map(|callback| &callback.name).find(ours) {
                    return Ok(name.clone());
                }
            }
            sleep(Duration::from_millis(20)).await;
        }
        Err("a promised callback did not appear".into())
    }

    /// What the gateway would sign for the first employee, to be used for hours.
    pub(crate) fn context(&self, deployment: &Deployment) -> Result<HeaderValue, Failure> {
        let (id, secret) = deployment.context_key(GATEWAY, "callbacks");
        let key = ContextKey::new(id, &STANDARD.decode(secret)?).ok_or("the context key is too short")?;
        let now = clock::now();
        Ok(ContextSigner::new(GATEWAY, "callbacks", key).sign(CallContext {
            method: METHOD.to_owned(),
            body_digest: body_digest(&self.request.encode_to_vec()).to_vec(),
            principal: employee(1),
            employee: employee(1),
            branch: branch(2),
            roles: vec![Role::Hq.into()],
            all_branches: true,
            capacity: Capacity::Reader.into(),
            case: self.case.clone(),
            named_case: self.case.clone(),
            epoch: 1,
            read_at: now.timestamp_micros(),
            expires_at: (now + TimeDelta::hours(12)).timestamp_micros(),
            language: "zh-CN".to_owned(),
            ..CallContext::default()
        }))
    }

    /// The request of an employee, to whatever stands before the backend.
    pub(crate) fn by(&self, token: &Token) -> Request<GetCallbackRequest> {
        with(token, self.request.clone())
    }

    /// The request straight to the backend.
    pub(crate) fn under(&self, context: &MetadataValue<Binary>) -> Request<GetCallbackRequest> {
        let mut request = Request::new(self.request.clone());
        request.metadata_mut().insert_bin(HEADER, context.clone());
        request
    }
}

/// A signed context as metadata of a client.
pub(crate) fn metadata(context: &HeaderValue) -> Result<MetadataValue<Binary>, Failure> {
    Ok(MetadataValue::from_bytes(&STANDARD_NO_PAD.decode(context.as_bytes())?))
}

pub(crate) async fn get(channel: Channel, request: Request<GetCallbackRequest>) -> Result<(), Status> {
    CallbackServiceClient::new(channel).get_callback(request).await.map(drop)
}
