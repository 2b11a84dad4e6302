//! `PolicyService` (P1-P3).

use shouwen_access::{
    Caller, Failure,
    page_token::{PageTokens, Query},
};
use shouwen_engine::{AggregateId, Outcome};
use shouwen_policy::{Kind, Propose, Scope};
use shouwen_proto::policy::v1::{
    ApprovePolicyRequest, EffectivePolicy, GetEffectivePolicyRequest, GetPolicyRequest, ListPoliciesRequest,
    ListPoliciesResponse, Policy, ProposePolicyRequest, Provenance, RejectPolicyRequest,
    policy_service_server,
};
use shouwen_runtime::ids;
use shouwen_serving::{Call, call::etag_version, page, refusal};
use tonic::{Code, Request, Response, Status};

use super::{branch, messages, own, required, time};
use crate::{
    domain::{Command, State, command::PolicyCommand},
    ownership::Ownership,
    store,
};

/// Serves policies.
pub struct PolicyServer {
    pub ownership: Ownership,
    pub pages: PageTokens,
}

impl PolicyServer {
    async fn submit(&self, call: &Call, command: PolicyCommand) -> Result<Response<Policy>, Status> {
        let outcome = call.submit(&self.ownership.engine, call.submission(Command::Policy(command))).await?;
        self.ownership.catch_up().await?;
        Ok(Response::new(answer(outcome)?))
    }
}

fn answer(outcome: Outcome<State>) -> Result<Policy, Failure> {
    match outcome.state {
        Some(State::Policy(state)) => Ok(messages::policy(&outcome.primary.0, outcome.version, &state)),
        _ => Err(Failure::internal()),
    }
}

#[tonic::async_trait]
impl policy_service_server::PolicyService for PolicyServer {
    async fn propose_policy(
        &self,
        request: Request<ProposePolicyRequest>,
    ) -> Result<Response<Policy>, Status> {
        let call = Call::mutation(&request, "ProposePolicy", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let document = message.document.ok_or_else(|| {
            Failure::field_invalid("document", "must hold the values to set", "须包含要设定的内容")
        })?;
        let document = shouwen_policy::document_from_struct(&document).map_err(|error| {
            Failure::field_invalid(format!("document.{}", error.field), error.remedy, error.chinese)
        })?;
        let propose = Propose {
            policy: format!("policies/{}", ids::new_v7()),
            kind: kind(&message.kind)?,
            scope: scope(&message.scope)?,
            document,
            effective_from: time("effective_time", message.effective_time.as_ref())?,
        };
        let proposer = call.caller.require_employee()?.to_string();
        let branches = own(&call.caller);
        self.submit(&call, PolicyCommand::Propose { propose, proposer, branches }).await
    }

    async fn approve_policy(
        &self,
        request: Request<ApprovePolicyRequest>,
    ) -> Result<Response<Policy>, Status> {
        let call = Call::mutation(&request, "ApprovePolicy", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let command = PolicyCommand::Approve {
            policy: policy_id(&message.name)?,
            approver: call.caller.require_employee()?.to_string(),
            branches: own(&call.caller),
            etag: etag_version(&message.etag)?,
        };
        self.submit(&call, command).await
    }

    async fn reject_policy(&self, request: Request<RejectPolicyRequest>) -> Result<Response<Policy>, Status> {
        let call = Call::mutation(&request, "RejectPolicy", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let command = PolicyCommand::Reject {
            policy: policy_id(&message.name)?,
            by: call.caller.require_employee()?.to_string(),
            branches: own(&call.caller),
            reason: required("reason", &message.reason)?,
        };
        self.submit(&call, command).await
    }

    async fn get_policy(&self, request: Request<GetPolicyRequest>) -> Result<Response<Policy>, Status> {
        let name = policy_id(&request.get_ref().name)?;
        let row = store::roster::policy(self.ownership.engine.pool(), &name.0)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| Failure::not_found("policy", name.0))?;
        Ok(Response::new(messages::policy(&row.id, row.version, &row.state.0)))
    }

    async fn list_policies(
        &self,
        request: Request<ListPoliciesRequest>,
    ) -> Result<Response<ListPoliciesResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let message = request.into_inner();
        let size = page::size(message.page_size, 50, 200)?;
        if !message.kind.is_empty() {
            kind(&message.kind)?;
        }
        if !message.scope.is_empty() {
            scope(&message.scope)?;
        }
        let arguments = [message.kind.as_str(), message.scope.as_str()];
        let query = Query { method: "ListPolicies", caller: &caller, arguments: &arguments };
        let before = match self.pages.open(&query, &message.page_token)? {
            Some(position) => Some(String::from_utf8(position).map_err(|_| Failure::page_token_invalid())?),
            None => None,
        };
        let rows = store::roster::policies(
            self.ownership.engine.pool(),
            &message.kind,
            &message.scope,
            before.as_deref(),
            size + 1,
        )
        .await
        .map_err(|error| refusal::database(&error))?;
        let (rows, more) = page::cut(rows, size);
        let next_page_token = rows
            .last()
            .filter(|_| more)
            .map_or_else(String::new, |last| self.pages.issue(&query, last.id.as_bytes()));
        let policies = rows.iter().map(|row| messages::policy(&row.id, row.version, &row.state.0)).collect();
        Ok(Response::new(ListPoliciesResponse { policies, next_page_token }))
    }

    async fn get_effective_policy(
        &self,
        request: Request<GetEffectivePolicyRequest>,
    ) -> Result<Response<EffectivePolicy>, Status> {
        let message = request.into_inner();
        let kind = kind(&message.kind)?;
        let named = if message.branch.is_empty() { None } else { Some(branch("branch", &message.branch)?) };
        let at = match &message.at {
            Some(at) => time("at", Some(at))?,
            None => self.ownership.engine.now().await.map_err(|error| refusal::database(&error))?,
        };
        let effective = self.ownership.engine.domain().policies().effective(kind, named.as_deref(), at);
        let provenance = effective
            .provenance
            .iter()
            .map(|(field, source)| Provenance { field: field.clone(), source: source.to_string() })
            .collect();
        Ok(Response::new(EffectivePolicy {
            kind: kind.to_string(),
            branch: message.branch,
            document: Some(
                shouwen_policy::document_to_struct(&effective.document).map_err(|_| Failure::internal())?,
            ),
            version: effective.version.to_string(),
            provenance,
        }))
    }
}

fn kind(text: &str) -> Result<Kind, Failure> {
    text.parse().map_err(|_| {
        let known: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
        let known = known.join(", ");
        Failure::new(
            Code::InvalidArgument,
            "POLICY_KIND_UNKNOWN",
            format!("There is no kind of policy `{text}`; use one of {known}."),
            format!("没有该类制度 `{text}`，可用：{known}。"),
        )
        .with("kind", text)
        .field("kind", format!("must be one of {known}"), format!("须为：{known}"))
    })
}

fn scope(text: &str) -> Result<Scope, Failure> {
    text.parse().map_err(|_| {
        Failure::field_invalid(
            "scope",
            "must be `firm` or `branches/{branch}`",
            "须为 `firm` 或 `branches/{branch}`",
        )
    })
}

fn policy_id(name: &str) -> Result<AggregateId, Failure> {
    name.strip_prefix("policies/")
        .filter(|id| uuid::Uuid::try_parse(id).is_ok())
        .map(|_| AggregateId(name.to_owned()))
        .ok_or_else(|| {
            Failure::field_invalid("name", "must be `policies/{policy}`", "格式须为 `policies/{policy}`")
        })
}
