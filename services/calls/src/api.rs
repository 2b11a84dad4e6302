//! `CallService`: protobuf to commands and states to protobuf, personal data sealed on the way in and masked on the way out. What is possible when
//! is the domain's.

mod failures;
mod masks;
mod messages;
mod parse;

use shouwen_access::{BranchName, Caller, EmployeeName, Failure, PageTokens, page_token::Query};
use shouwen_engine::{AggregateId, Engine, Outcome};
use shouwen_proto::{
    access::v1::Capacity,
    calls::v1::{
        AnswerCallRequest, Call as CallMessage, ConfirmRecordRequest, EndCallRequest, GetCallRequest,
        ListCallsRequest, ListCallsResponse, MissCallRequest, PromiseCallbackRequest, RecordCallRequest,
        RegisterCallRequest, call_service_server,
    },
    r#type::v1::Private,
};
use shouwen_runtime::ids;
use shouwen_serving::{Call, Sealer, page, private, refusal};
use shouwen_vault::{IndexKind, Phone, Sealed, Subject, Vault};
use tonic::{Request, Response, Status};

use crate::{
    answering::TimeToAnswer,
    domain::{
        CallState, CallsDomain, Command, State,
        call::Number,
        command::{Acting, AnswerContact, Confirm, End, FillIn, MakePromise, Miss, Register},
    },
    store,
};

/// Serves `CallService`.
pub(crate) struct Api {
    pub(crate) engine: Engine<CallsDomain>,
    pub(crate) vault: Vault,
    pub(crate) pages: PageTokens,
    pub(crate) time_to_answer: TimeToAnswer,
}

/// Where a phone number of a contact is sealed.
const CALLER: &str = "caller";
const CALLBACK_PHONE: &str = "callback_phone";

impl Api {
    async fn submit(&self, call: &Call, command: Command) -> Result<Response<CallMessage>, Status> {
        let outcome = call.submit(&self.engine, call.submission(command)).await?;
        Ok(Response::new(self.shown(outcome).await?))
    }

    async fn shown(&self, outcome: Outcome<State>) -> Result<CallMessage, Failure> {
        let Some(State::Call(state)) = outcome.state else { return Err(Failure::internal()) };
        self.masked(&state, outcome.version).await
    }

    async fn masked(&self, state: &CallState, version: i64) -> Result<CallMessage, Failure> {
        let masks = masks::of(&self.vault, &[state]).await?;
        Ok(messages::call(state, version, masks.into_iter().next().unwrap_or_default()))
    }

    /// Whose call it is (K14), and from which number: the client's where one is named, who may have several numbers and share one with others, otherwise the
    /// number's. Another branch has other keys: each calls its own clients back.
    fn caller_and_number_key(
        &self,
        branch: &BranchName,
        client: &str,
        caller: Option<&Phone>,
    ) -> (Vec<u8>, Vec<u8>) {
        let key = |kind: IndexKind, value: &str| {
            self.vault.blind_index().compute(kind, &format!("{branch} {value}")).to_vec()
        };
        let number_key = caller.map(|phone| key(IndexKind::Phone, phone.expose())).unwrap_or_default();
        let caller_key =
            if client.is_empty() { number_key.clone() } else { key(IndexKind::ExternalId, client) };
        (caller_key, number_key)
    }

    /// A number of a contact, sealed; `None` for an empty text.
    async fn number(
        &self,
        call: &AggregateId,
        field: &'static str,
        phone: Option<&Phone>,
    ) -> Result<Option<Number>, Failure> {
        let Some(phone) = phone else { return Ok(None) };
        let subject = subject(call);
        let sealer = Sealer { vault: &self.vault, subject: &subject, aggregate: &call.0 };
        let [sealed] = sealer.seal([(field, phone.expose())]).await?;
        Ok(Some(Number { sealed: kept(sealed.as_ref())?, masked: phone.masked() }))
    }
}

#[tonic::async_trait]
impl call_service_server::CallService for Api {
    async fn register_call(
        &self,
        request: Request<RegisterCallRequest>,
    ) -> Result<Response<CallMessage>, Status> {
        let call = Call::mutation(&request, "RegisterCall", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let branch = parse::branch(&request.parent)?;
        let id = match request.call_id.as_str() {
            "" => AggregateId(format!("calls/{}", ids::new_v7())),
            given => parse::call_id(given)?,
        };
        let direction = parse::direction(request.direction)?;
        let caller = parse::phone(CALLER, &request.caller)?;
        let client = parse::client(&request.client)?;
        let (caller_key, number_key) = self.caller_and_number_key(&branch, &client, caller.as_ref());
        let command = Register {
            branch: branch.to_string(),
            line: parse::line(&request.line)?,
            channel: parse::channel(request.channel)?,
            direction,
            occur_time: parse::optional_time("occur_time", request.occur_time.as_ref())?,
            external_id: parse::external_id(&request.external_id)?,
            callback: parse::callback(&request.callback, direction)?,
            reach: call.caller.reach.clone(),
            caller: self.number(&id, CALLER, caller.as_ref()).await?,
            caller_key,
            number_key,
            client,
            call: id,
        };
        self.submit(&call, Command::Register(Box::new(command))).await
    }

    async fn answer_call(
        &self,
        request: Request<AnswerCallRequest>,
    ) -> Result<Response<CallMessage>, Status> {
        let call = Call::mutation(&request, "AnswerCall", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let command = AnswerContact {
            call: parse::name(&request.name)?,
            by: acting(&call)?,
            channel: parse::channel(request.channel)?,
            client: parse::client(&request.client)?,
            reach: call.caller.reach.clone(),
            request_id: request.request_id.clone(),
        };
        let outcome = call.submit(&self.engine, call.submission(Command::Answer(command))).await?;
        if let (Some(State::Call(state)), false) = (&outcome.state, outcome.replayed) {
            self.time_to_answer.answered(state, &request.request_id);
        }
        Ok(Response::new(self.shown(outcome).await?))
    }

    async fn miss_call(&self, request: Request<MissCallRequest>) -> Result<Response<CallMessage>, Status> {
        let call = Call::mutation(&request, "MissCall", &request.get_ref().request_id)?;
        let command = Miss { call: parse::name(&request.get_ref().name)?, reach: call.caller.reach.clone() };
        self.submit(&call, Command::Miss(command)).await
    }

    async fn record_call(
        &self,
        request: Request<RecordCallRequest>,
    ) -> Result<Response<CallMessage>, Status> {
        let call = Call::mutation(&request, "RecordCall", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let id = parse::name(&request.name)?;
        let by = acting(&call)?;
        let sheet = parse::sheet(request)?;
        let subject = subject(&id);
        let sealer = Sealer { vault: &self.vault, subject: &subject, aggregate: &id.0 };
        let [client_name, phone, summary, handling, assessment] = sealer
            .seal([
                ("client_name", sheet.client_name.expose()),
                ("phone", sheet.phone.expose()),
                ("summary", sheet.summary),
                ("handling", sheet.handling),
                ("assessment", sheet.assessment),
            ])
            .await?;
        let command = FillIn {
            call: id,
            by,
            etag: sheet.etag,
            client_name: kept(client_name.as_ref())?,
            gender: sheet.gender,
            phone: kept(phone.as_ref())?,
            summary: kept(summary.as_ref())?,
            handling: kept(handling.as_ref())?,
            inquiry_type: sheet.inquiry_type,
            familiarity: sheet.familiarity,
            assessment: private::sealed(assessment.as_ref()),
            identity_checks: sheet.identity_checks,
        };
        self.submit(&call, Command::Record(Box::new(command))).await
    }

    async fn confirm_record(
        &self,
        request: Request<ConfirmRecordRequest>,
    ) -> Result<Response<CallMessage>, Status> {
        let call = Call::mutation(&request, "ConfirmRecord", &request.get_ref().request_id)?;
        let command = Confirm { call: parse::name(&request.get_ref().name)?, by: acting(&call)? };
        self.submit(&call, Command::Confirm(command)).await
    }

    async fn promise_callback(
        &self,
        request: Request<PromiseCallbackRequest>,
    ) -> Result<Response<CallMessage>, Status> {
        let call = Call::mutation(&request, "PromiseCallback", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let id = parse::name(&request.name)?;
        let by = acting(&call)?;
        let agreed_time = parse::required_time("agreed_time", request.agreed_time.as_ref())?;
        let about = parse::text("subject", &request.subject)?;
        let phone = parse::phone("phone", &request.phone)?;
        let subject = subject(&id);
        let sealer = Sealer { vault: &self.vault, subject: &subject, aggregate: &id.0 };
        let [about] = sealer.seal([("callback_subject", about)]).await?;
        let command = MakePromise {
            by,
            callback_id: ids::new_v7().to_string(),
            agreed_time,
            client_asked: request.client_asked,
            phone: self.number(&id, CALLBACK_PHONE, phone.as_ref()).await?,
            subject: private::sealed(about.as_ref()),
            call: id,
        };
        self.submit(&call, Command::Promise(Box::new(command))).await
    }

    async fn end_call(&self, request: Request<EndCallRequest>) -> Result<Response<CallMessage>, Status> {
        let call = Call::mutation(&request, "EndCall", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let command = End {
            call: parse::name(&request.name)?,
            by: acting(&call)?,
            ended_by: parse::party(request.ended_by)?,
            outcome: parse::outcome(request.outcome)?,
            assisting: call.caller.capacity == Capacity::Assisting,
        };
        self.submit(&call, Command::End(command)).await
    }

    async fn get_call(&self, request: Request<GetCallRequest>) -> Result<Response<CallMessage>, Status> {
        let caller = Caller::from_request(&request)?;
        let name = parse::name(&request.get_ref().name)?;
        let row = store::call(self.engine.pool(), &name.0)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| Failure::not_found("call", &*name.0))?;
        // O6: the client's case may be in the hands of another branch.
        let answered = |employee: &EmployeeName| {
            row.state.answer().is_some_and(|answer| answer.employee == employee.as_str())
        };
        if !caller.reach.covers(&row.state.branch) && !caller.employee.as_ref().is_some_and(answered) {
            return Err(failures::branch_out_of_reach(&row.state.branch).into());
        }
        Ok(Response::new(self.masked(&row.state, row.version).await?))
    }

    async fn list_calls(
        &self,
        request: Request<ListCallsRequest>,
    ) -> Result<Response<ListCallsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.get_ref();
        let branch = parse::branch(&request.parent)?;
        if !caller.reach.covers(branch.as_str()) {
            return Err(failures::branch_out_of_reach(branch.as_str()).into());
        }
        let size = page::size(request.page_size, 50, 200)?;
        let query = Query { method: "ListCalls", caller, arguments: &[branch.as_str()] };
        let after = match self.pages.open(&query, &request.page_token)? {
            None => None,
            Some(position) => Some(parse::position(&position)?),
        };
        // One more than asked for tells whether there is a next page.
        let rows = store::calls_of_branch(self.engine.pool(), branch.as_str(), after.as_ref(), size + 1)
            .await
            .map_err(|error| refusal::database(&error))?;
        let (rows, more) = page::cut(rows, size);
        let next_page_token = rows.last().filter(|_| more).map_or_else(String::new, |last| {
            let position = format!("{}/{}", last.state.occur_time.timestamp_micros(), last.state.name);
            self.pages.issue(&query, position.as_bytes())
        });
        let states: Vec<&CallState> = rows.iter().map(|row| &*row.state).collect();
        let masks = masks::of(&self.vault, &states).await?;
        let shown = rows.iter().zip(masks).map(|(row, masks)| messages::call(&row.state, row.version, masks));
        Ok(Response::new(ListCallsResponse { calls: shown.collect(), next_page_token }))
    }
}

/// Whose personal data a contact's are while its client is unknown (L10).
fn subject(call: &AggregateId) -> Subject {
    Subject::contact(call.0.strip_prefix("calls/").unwrap_or(&call.0))
}

/// The employee who acts, with the case on which ownership was asked.
fn acting(call: &Call) -> Result<Acting, Failure> {
    let employee = call.caller.require_employee()?.to_string();
    let capacity = call.caller.capacity;
    let responsible = matches!(capacity, Capacity::Handler | Capacity::Accountable | Capacity::Deputy);
    Ok(Acting { employee, case: call.caller.case.clone(), responsible: responsible && call.caller.joined })
}

/// What was just sealed, as the state keeps it.
fn kept(private: Option<&Private>) -> Result<Sealed, Failure> {
    private::sealed(private).ok_or_else(Failure::internal)
}
