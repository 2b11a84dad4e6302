//! `CaseService`.

mod message;

use std::collections::HashMap;

use shouwen_access::{
    BranchName, Caller, EmployeeName, Failure,
    page_token::{PageTokens, Query},
};
use shouwen_engine::{AggregateId, Outcome, SubmitError};
use shouwen_proto::{
    access::v1::Capacity,
    events::v1::{CloseKind, Cursor},
    ownership::v1::{
        AcceptOfferRequest, BatchGetCasesRequest, BatchGetCasesResponse, BeginOverrideRequest, Case,
        ClaimRequest, ClaimResponse, CloseCaseRequest, ConfirmSatisfactionRequest, DeclineOfferRequest,
        EndOverrideRequest, FeedPosition, GetCaseRequest, GetReceiptRequest, GetTimelineRequest,
        GetTimelineResponse, IdentifyClientRequest, ListCasesRequest, ListCasesResponse, Message,
        OfferTransferRequest, PassMessageRequest, ReadMessageRequest, Receipt, ReopenCaseRequest,
        ResolveCaseRequest, WithdrawOfferRequest, case_service_server,
    },
    r#type::v1::{Channel, Private},
};
use shouwen_runtime::ids;
use shouwen_serving::{Call, Sealer, call::etag_version, page, refusal};
use shouwen_vault::Subject;
use tonic::{Request, Response, Status};

use super::{
    bounded, case_id, contact_id, employee, failures, filter,
    identify::{self, Named},
    messages, parent, place, receipt, required, timeline, within_reach,
};
use crate::{
    directory::Directory,
    domain::{
        self, Command, State,
        command::{Action, CaseCommand, Claim, ContactCommand},
    },
    ownership::{self, Ownership},
    store::{
        self,
        cases::{After, CaseFilter, CaseRow},
        timeline::AsOf,
    },
};

/// Serves cases.
pub struct CaseServer {
    pub ownership: Ownership,
    pub directory: Directory,
    pub pages: PageTokens,
}

impl CaseServer {
    /// An action of the caller on a case.
    async fn act(
        &self,
        call: &Call,
        case: AggregateId,
        etag: &str,
        action: Action,
    ) -> Result<Response<Case>, Status> {
        let by = call.caller.require_employee()?.to_string();
        let command = Command::Case(CaseCommand { case, by, etag: etag_version(etag)?, action });
        // Responsibility is judged on the locked case itself, newer than any epoch that was read.
        let mut submission = call.submission(command);
        submission.fence = None;
        let outcome = call.submit(&self.ownership.engine, submission).await?;
        Ok(Response::new(self.answer(outcome).await?))
    }

    /// The case as the answer to a call, with its client's file.
    async fn answer(&self, outcome: Outcome<State>) -> Result<Case, Failure> {
        let Some(State::Case(state)) = outcome.state else { return Err(Failure::internal()) };
        let filed = match &state.client {
            Some(client) => store::clients::filed(self.ownership.engine.pool(), client)
                .await
                .map_err(|error| refusal::database(&error))?,
            None => false,
        };
        Ok(messages::case(&outcome.primary.0, outcome.version, &state, filed))
    }

    /// Seals a text that belongs to a case under the contact that opened it.
    async fn seal(
        &self,
        case: &AggregateId,
        field: &'static str,
        text: &str,
    ) -> Result<Option<Private>, Failure> {
        if text.is_empty() {
            return Ok(None);
        }
        let row = self.case(&case.0).await?;
        let subject = Subject::new(row.state.0.contact);
        let sealer = Sealer { vault: &self.ownership.vault, subject: &subject, aggregate: &case.0 };
        let [sealed] = sealer.seal([(field, text)]).await?;
        Ok(sealed)
    }

    /// How far the ledger and the projections of the other feeds reach.
    async fn heads(&self) -> sqlx::Result<AsOf> {
        let engine = &self.ownership.engine;
        let head = shouwen_engine::ledger::head(engine.pool()).await?;
        let own = Cursor { incarnation: head.incarnation.to_string(), position: head.position };
        let mut heads = vec![("ownership".to_owned(), own)];
        for feed in ["calls", "callbacks", "complaints", "clients"] {
            heads.push((feed.to_owned(), shouwen_engine::follower::cursor(engine, feed).await?));
        }
        Ok(AsOf(heads))
    }

    async fn case(&self, name: &str) -> Result<CaseRow, Failure> {
        let rows = store::cases::get(self.ownership.engine.pool(), &[name.to_owned()])
            .await
            .map_err(|error| refusal::database(&error))?;
        rows.into_iter().next().ok_or_else(|| Failure::not_found("case", name))
    }
}

#[tonic::async_trait]
impl case_service_server::CaseService for CaseServer {
    async fn claim(&self, request: Request<ClaimRequest>) -> Result<Response<ClaimResponse>, Status> {
        let call = Call::mutation(&request, "Claim", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let me = call.caller.require_employee()?.to_string();
        let channel = Channel::try_from(message.channel).unwrap_or_default();
        if channel == Channel::Unspecified {
            return Err(Failure::field_invalid(
                "channel",
                "name the channel, e.g. CHANNEL_PHONE",
                "请填写联系渠道",
            )
            .into());
        }
        let command = Command::Contact(ContactCommand::Claim(Claim {
            contact: contact_id("contact", &message.contact)?,
            case: AggregateId(format!("cases/{}", ids::new_v7())),
            employee: me.clone(),
            branch: call.caller.branch.as_ref().map(ToString::to_string).unwrap_or_default(),
            topic: ownership::topic(&message.topic)?,
            channel: channel.into(),
            client: ownership::client(&message.client)?,
            touch: None,
        }));
        let outcome = call.submit(&self.ownership.engine, call.submission(command)).await?;
        let case = self.answer(outcome).await?;
        let first_responder = case.first_responder == me;
        Ok(Response::new(ClaimResponse { case: Some(case), first_responder }))
    }

    async fn identify_client(
        &self,
        request: Request<IdentifyClientRequest>,
    ) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "IdentifyClient", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let by = call.caller.require_employee()?.to_string();
        let contact = contact_id("contact", &message.contact)?;
        let topic = if message.topic.is_empty() { None } else { Some(ownership::topic(&message.topic)?) };
        let client = match identify::parse(&message)? {
            Named::Id(client) => client,
            Named::Sought(sought) => {
                // What was identified once stays so, whatever the clients service says by now, and also while it is away.
                if let Some(former) = former(&call, &self.ownership).await? {
                    return Ok(Response::new(self.answer(former).await?));
                }
                self.directory.resolve(&call.caller, sought).await?
            }
        };
        let command = Command::Contact(ContactCommand::Identify { contact, client, topic, by });
        let mut submission = call.submission(command);
        submission.fence = None;
        let outcome = call.submit(&self.ownership.engine, submission).await?;
        Ok(Response::new(self.answer(outcome).await?))
    }

    async fn get_case(&self, request: Request<GetCaseRequest>) -> Result<Response<Case>, Status> {
        let name = case_id("name", &request.get_ref().name)?;
        let row = self.case(&name.0).await?;
        Ok(Response::new(messages::case(&row.id, row.version, &row.state.0, row.filed)))
    }

    async fn batch_get_cases(
        &self,
        request: Request<BatchGetCasesRequest>,
    ) -> Result<Response<BatchGetCasesResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let names = request.into_inner().names;
        if names.is_empty() || names.len() > 100 {
            return Err(
                Failure::field_invalid("names", "name 1 to 100 cases", "请填写 1 至 100 个事项").into()
            );
        }
        let ids: Vec<String> =
            names.iter().map(|name| case_id("names", name).map(|id| id.0)).collect::<Result<_, Failure>>()?;
        let rows = store::cases::get(self.ownership.engine.pool(), &ids)
            .await
            .map_err(|error| refusal::database(&error))?;
        let known: HashMap<&str, &CaseRow> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
        let mut cases = Vec::with_capacity(ids.len());
        for id in &ids {
            let row = known.get(id.as_str()).ok_or_else(|| Failure::not_found("case", id.clone()))?;
            if !caller.employee.as_ref().is_some_and(|employee| row.state.may_decide(employee.as_str())) {
                within_reach(&caller, &row.state.branch)?;
            }
            cases.push(messages::case(id, row.version, &row.state.0, row.filed));
        }
        Ok(Response::new(BatchGetCasesResponse { cases }))
    }

    async fn list_cases(
        &self,
        request: Request<ListCasesRequest>,
    ) -> Result<Response<ListCasesResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let message = request.into_inner();
        let mut filter = filter::parse(&message.filter)?;
        let parent = parent(&message.parent)?;
        if let Some(branch) = &parent {
            within_reach(&caller, branch)?;
        }
        let own = is_own(&caller, parent.as_deref(), &filter);
        filter.branches = match parent {
            _ if own => None,
            Some(branch) => Some(vec![branch]),
            None => caller.reach.branches(),
        };
        let size = page::size(message.page_size, 50, 200)?;
        let begin = filter::order(&message.order_by)?;
        let order = if begin == After::Newest(None) { None } else { Some("due_time") };
        let arguments: Vec<&str> = [&*message.parent, &*message.filter].into_iter().chain(order).collect();
        let query = Query { method: "ListCases", caller: &caller, arguments: &arguments };
        let after = match self.pages.open(&query, &message.page_token)? {
            Some(position) => place::after(&begin, &position).ok_or_else(Failure::page_token_invalid)?,
            None => begin,
        };
        let engine = &self.ownership.engine;
        let now = engine.now().await.map_err(|error| refusal::database(&error))?;
        let rows = store::cases::list(engine.pool(), &filter, &after, now, size + 1)
            .await
            .map_err(|error| refusal::database(&error))?;
        let (rows, more) = page::cut(rows, size);
        let next_page_token = rows
            .last()
            .filter(|_| more)
            .map_or_else(String::new, |last| self.pages.issue(&query, &place::bytes(&last.after)));
        let case = |row: &CaseRow| messages::case(&row.id, row.version, &row.state.0, row.filed);
        let cases = rows.iter().map(|row| case(&row.case)).collect();
        Ok(Response::new(ListCasesResponse { cases, next_page_token }))
    }

    async fn offer_transfer(&self, request: Request<OfferTransferRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "OfferTransfer", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let case = case_id("name", &message.name)?;
        let explanation = required("explanation", &message.explanation)?;
        let action = Action::Offer {
            offer: ids::new_v7().to_string(),
            to: employee("to", &message.to)?,
            reason: required("reason", &message.reason)?,
            explanation: self.seal(&case, "explanation", &explanation).await?,
        };
        self.act(&call, case, &message.etag, action).await
    }

    async fn pass_message(&self, request: Request<PassMessageRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "PassMessage", &request.get_ref().request_id)?;
        self.pass(&call, request.into_inner()).await
    }

    async fn read_message(&self, request: Request<ReadMessageRequest>) -> Result<Response<Message>, Status> {
        let call = Call::mutation(&request, "ReadMessage", &request.get_ref().request_id)?;
        self.read(&call, request.into_inner()).await
    }

    async fn accept_offer(&self, request: Request<AcceptOfferRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "AcceptOffer", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let action = Action::Accept { offer: required("offer", &message.offer)? };
        self.act(&call, case_id("name", &message.name)?, "", action).await
    }

    async fn decline_offer(&self, request: Request<DeclineOfferRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "DeclineOffer", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let action = Action::Decline {
            offer: required("offer", &message.offer)?,
            reason: required("reason", &message.reason)?,
        };
        self.act(&call, case_id("name", &message.name)?, "", action).await
    }

    async fn withdraw_offer(&self, request: Request<WithdrawOfferRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "WithdrawOffer", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let action = Action::Withdraw { offer: required("offer", &message.offer)? };
        self.act(&call, case_id("name", &message.name)?, "", action).await
    }

    async fn begin_override(&self, request: Request<BeginOverrideRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "BeginOverride", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let action = Action::BeginOverride { reason: required("reason", &message.reason)? };
        self.act(&call, case_id("name", &message.name)?, &message.etag, action).await
    }

    async fn end_override(&self, request: Request<EndOverrideRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "EndOverride", &request.get_ref().request_id)?;
        let message = request.into_inner();
        self.act(&call, case_id("name", &message.name)?, "", Action::EndOverride).await
    }

    async fn resolve_case(&self, request: Request<ResolveCaseRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "ResolveCase", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let case = case_id("name", &message.name)?;
        let text = required("answer", &message.answer)?;
        let action = Action::Resolve { answer: self.seal(&case, "answer", &text).await? };
        self.act(&call, case, &message.etag, action).await
    }

    async fn confirm_satisfaction(
        &self,
        request: Request<ConfirmSatisfactionRequest>,
    ) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "ConfirmSatisfaction", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let reason = if message.satisfied {
            bounded("reason", &message.reason)?
        } else {
            required("reason", &message.reason)?
        };
        let action = Action::Confirm { satisfied: message.satisfied, reason };
        self.act(&call, case_id("name", &message.name)?, &message.etag, action).await
    }

    async fn close_case(&self, request: Request<CloseCaseRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "CloseCase", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let kind = message.kind();
        if !matches!(kind, CloseKind::Unreachable | CloseKind::Explained) {
            return Err(Failure::field_invalid(
                "kind",
                "must be CLOSE_KIND_UNREACHABLE or CLOSE_KIND_EXPLAINED",
                "须为 CLOSE_KIND_UNREACHABLE 或 CLOSE_KIND_EXPLAINED",
            )
            .into());
        }
        let action = Action::Close { kind, reason: required("reason", &message.reason)? };
        self.act(&call, case_id("name", &message.name)?, &message.etag, action).await
    }

    async fn reopen_case(&self, request: Request<ReopenCaseRequest>) -> Result<Response<Case>, Status> {
        let call = Call::mutation(&request, "ReopenCase", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let action = Action::Reopen { reason: required("reason", &message.reason)? };
        self.act(&call, case_id("name", &message.name)?, "", action).await
    }

    async fn get_timeline(
        &self,
        request: Request<GetTimelineRequest>,
    ) -> Result<Response<GetTimelineResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let message = request.into_inner();
        let case = case_id("name", &message.name)?;
        let size = page::size(message.page_size, 100, 500)?;
        let arguments = [case.0.as_str()];
        let query = Query { method: "GetTimeline", caller: &caller, arguments: &arguments };
        let place = self.pages.open(&query, &message.page_token)?;
        let place = place.map(|bytes| timeline::Place::read(&bytes).ok_or_else(Failure::page_token_invalid));
        let place = place.transpose()?;
        self.case(&case.0).await?;
        // All pages tell what was known when the first was read, so that nothing moves between them.
        let as_of = match &place {
            Some(place) => place.as_of.clone(),
            None => self.heads().await.map_err(|error| refusal::database(&error))?,
        };
        let lines = store::timeline::read(self.ownership.engine.pool(), &case.0, &as_of)
            .await
            .map_err(|error| refusal::database(&error))?;
        let rest = domain::timeline::after(
            domain::timeline::ordered(lines),
            place.as_ref().map(timeline::Place::last),
        );
        let (lines, more) = page::cut(rest, size);
        let next_page_token = match lines.last().filter(|_| more) {
            Some(last) => self.pages.issue(&query, &timeline::Place::behind(last, &as_of).bytes()),
            None => String::new(),
        };
        let entries = lines.into_iter().map(messages::timeline_entry).collect();
        let as_of =
            as_of.0.into_iter().map(|(service, cursor)| FeedPosition { service, cursor: Some(cursor) });
        Ok(Response::new(GetTimelineResponse { entries, next_page_token, as_of: as_of.collect() }))
    }

    async fn get_receipt(&self, request: Request<GetReceiptRequest>) -> Result<Response<Receipt>, Status> {
        let language = Caller::from_request(&request)?.language;
        let name = case_id("name", &request.get_ref().name)?;
        // A client who holds the name of a merged case learns who answers for it now.
        let found = store::reach::find(self.ownership.engine.pool(), Some(&name.0), None)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| Failure::not_found("case", name.0))?;
        Ok(Response::new(receipt::receipt(&found.id, &found.state, &self.ownership.roster(), language)))
    }
}

/// Whether a list of these branches holds the caller's cases of all: they ask by name for what they are responsible for, which is theirs to read and to
/// answer whichever branch has it (O6).
fn is_own(caller: &Caller, parent: Option<&str>, filter: &CaseFilter) -> bool {
    let own_branch = caller.branch.as_ref().map(BranchName::as_str);
    let me = caller.employee.as_ref().map(EmployeeName::as_str);
    me.is_some_and(|me| filter.is_of(me)) && (parent.is_none() || parent == own_branch)
}

/// The result of an earlier call with the same request id, if there was one.
async fn former(call: &Call, ownership: &Ownership) -> Result<Option<Outcome<State>>, Failure> {
    let Some(request) = &call.request else { return Ok(None) };
    match ownership.engine.replay(request).await {
        Ok(former) => Ok(Some(former)),
        Err(SubmitError::NotAReplay) if call.caller.capacity != Capacity::Replay => Ok(None),
        Err(refused) => Err(failures::failure(refused)),
    }
}
