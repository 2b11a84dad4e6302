//! `CallbackService`: protobuf to commands and states to protobuf, and whether the callback is within the caller's context. What is possible when
//! is the domain's.

mod failures;
mod messages;
mod parse;

use shouwen_access::{Caller, Failure, PageTokens, page_token::Query};
use shouwen_engine::{Engine, Outcome};
use shouwen_proto::callbacks::v1::{
    Callback as CallbackMessage, CancelCallbackRequest, CompleteCallbackRequest, GetCallbackRequest,
    LeaseCallbackRequest, LeaseCallbackResponse, ListDueCallbacksRequest, ListDueCallbacksResponse,
    PostponeCallbackRequest, RecordAttemptRequest, ReleaseCallbackRequest, SupersedeResultRequest,
    callback_service_server,
};
use shouwen_serving::{Call, Sealer, page, refusal};
use shouwen_vault::{Place, Sealed, Subject, Vault};
use tonic::{Request, Response, Status};

use crate::{
    domain::{Callback, CallbackName, Command, Parent, State},
    store::{self, After, Row},
    write_path::CallbacksDomain,
};

/// Field of a callback in which the number is sealed.
pub(crate) const PHONE: &str = "phone";
/// Field of a callback in which what it is about is sealed.
pub(crate) const SUBJECT: &str = "subject";
const SUGGESTIONS: &str = "suggestions";
const ANSWERS: &str = "answers";

/// Serves `CallbackService`.
pub(crate) struct Api {
    pub(crate) engine: Engine<CallbacksDomain>,
    pub(crate) vault: Vault,
    pub(crate) pages: PageTokens,
}

impl Api {
    /// The callback, if the caller's context covers it.
    async fn reachable(&self, caller: &Caller, name: &str) -> Result<Row, Failure> {
        let parsed = parse::name(name)?;
        if let Parent::Branch(branch) = parsed.parent()
            && !caller.reach.covers(branch)
        {
            return Err(failures::branch_out_of_reach(branch));
        }
        if let Parent::Case(case) = parsed.parent()
            && !caller.case.as_ref().is_some_and(|view| view.named == *case || view.name == *case)
        {
            return Err(failures::case_mismatch(name));
        }
        store::find(self.engine.pool(), &parsed.aggregate())
            .await
            .map_err(|error| refusal::database(&error))?
            .filter(|row| row.callback.name == parsed)
            .ok_or_else(|| Failure::not_found("callback", name))
    }

    async fn submit(&self, call: &Call, command: Command) -> Result<Done, Failure> {
        Done::of(call.submit(&self.engine, call.submission(command)).await?)
    }

    /// Whether the employee has the callback leased now (B8).
    async fn is_leased_to(&self, name: &CallbackName, employee: &str) -> Result<bool, Failure> {
        let unavailable = |error: sqlx::Error| refusal::database(&error);
        let row = store::find(self.engine.pool(), &name.aggregate()).await.map_err(unavailable)?;
        let now = self.engine.now().await.map_err(unavailable)?;
        Ok(row.is_some_and(|row| row.callback.is_leased_to(employee, now)))
    }

    /// Opens what is sealed in a callback's state; empty where nothing is.
    async fn open(
        &self,
        callback: &Callback,
        field: &str,
        sealed: Option<&Sealed>,
    ) -> Result<String, Failure> {
        let Some(sealed) = sealed else { return Ok(String::new()) };
        let aggregate = callback.sealed_for(sealed);
        let sealed =
            sealed.at(Place { aggregate: &aggregate, field }).map_err(|error| refusal::vault(&error))?;
        self.vault.unseal(sealed).await.map_err(|error| refusal::vault(&error))
    }
}

/// A callback after a command.
struct Done {
    version: i64,
    callback: Callback,
}

impl Done {
    fn of(outcome: Outcome<State>) -> Result<Self, Failure> {
        match outcome.state {
            Some(State::Callback(callback)) => Ok(Self { version: outcome.version, callback: *callback }),
            _ => Err(Failure::internal()),
        }
    }

    fn respond(&self) -> Response<CallbackMessage> {
        Response::new(messages::callback(&self.callback, self.version))
    }
}

#[tonic::async_trait]
impl callback_service_server::CallbackService for Api {
    async fn lease_callback(
        &self,
        request: Request<LeaseCallbackRequest>,
    ) -> Result<Response<LeaseCallbackResponse>, Status> {
        let call = Call::mutation(&request, "LeaseCallback", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let row = self.reachable(&call.caller, &request.get_ref().name).await?;
        let command = Command::Lease { callback: row.callback.name.aggregate(), employee: employee.clone() };
        let outcome = call.submit(&self.engine, call.submission(command)).await?;
        let replayed = outcome.replayed;
        let Done { version, callback } = Done::of(outcome)?;
        let mut response = LeaseCallbackResponse {
            callback: Some(messages::callback(&callback, version)),
            ..LeaseCallbackResponse::default()
        };
        // L10: the lease is what the number is shown for.
        if !replayed || self.is_leased_to(&callback.name, &employee).await? {
            response.phone = self.open(&callback, PHONE, callback.phone.as_ref()).await?;
            response.subject = self.open(&callback, SUBJECT, callback.subject.as_ref()).await?;
        }
        Ok(Response::new(response))
    }

    async fn release_callback(
        &self,
        request: Request<ReleaseCallbackRequest>,
    ) -> Result<Response<CallbackMessage>, Status> {
        let call = Call::mutation(&request, "ReleaseCallback", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let row = self.reachable(&call.caller, &request.get_ref().name).await?;
        let command = Command::Release { callback: row.callback.name.aggregate(), employee };
        Ok(self.submit(&call, command).await?.respond())
    }

    async fn record_attempt(
        &self,
        request: Request<RecordAttemptRequest>,
    ) -> Result<Response<CallbackMessage>, Status> {
        let call = Call::mutation(&request, "RecordAttempt", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let tried = parse::tried(request.get_ref())?;
        let row = self.reachable(&call.caller, &request.get_ref().name).await?;
        let command = Command::RecordAttempt { callback: row.callback.name.aggregate(), employee, tried };
        Ok(self.submit(&call, command).await?.respond())
    }

    async fn complete_callback(
        &self,
        request: Request<CompleteCallbackRequest>,
    ) -> Result<Response<CallbackMessage>, Status> {
        let call = Call::mutation(&request, "CompleteCallback", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let request = request.get_ref();
        let talk = parse::talk(request)?;
        let row = self.reachable(&call.caller, &request.name).await?;
        let (callback, case) = (row.callback.name.aggregate(), row.callback.case().to_owned());
        let sealer = Sealer { vault: &self.vault, subject: &subject(&row.callback), aggregate: &callback.0 };
        let [suggestions, answers] = sealer
            .seal([(SUGGESTIONS, request.suggestions.as_str()), (ANSWERS, request.answers.as_str())])
            .await?;
        let command = Command::Complete { callback, case, employee, talk, suggestions, answers };
        Ok(self.submit(&call, command).await?.respond())
    }

    async fn supersede_result(
        &self,
        request: Request<SupersedeResultRequest>,
    ) -> Result<Response<CallbackMessage>, Status> {
        let call = Call::mutation(&request, "SupersedeResult", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let talk = parse::corrected(request.get_ref())?;
        let reason = parse::reason(&request.get_ref().reason)?;
        let row = self.reachable(&call.caller, &request.get_ref().name).await?;
        let (callback, case) = (row.callback.name.aggregate(), row.callback.case().to_owned());
        let command = Command::Supersede { callback, case, employee, talk, reason };
        Ok(self.submit(&call, command).await?.respond())
    }

    async fn postpone_callback(
        &self,
        request: Request<PostponeCallbackRequest>,
    ) -> Result<Response<CallbackMessage>, Status> {
        let call = Call::mutation(&request, "PostponeCallback", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let request = request.get_ref();
        let not_before = parse::required_time("not_before", request.not_before.as_ref())?;
        let reason = parse::reason(&request.reason)?;
        let row = self.reachable(&call.caller, &request.name).await?;
        let callback = row.callback.name.aggregate();
        let command = Command::Postpone { callback, employee, not_before, reason };
        Ok(self.submit(&call, command).await?.respond())
    }

    async fn cancel_callback(
        &self,
        request: Request<CancelCallbackRequest>,
    ) -> Result<Response<CallbackMessage>, Status> {
        let call = Call::mutation(&request, "CancelCallback", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let reason = parse::reason(&request.get_ref().reason)?;
        let row = self.reachable(&call.caller, &request.get_ref().name).await?;
        let command = Command::Cancel { callback: row.callback.name.aggregate(), employee, reason };
        Ok(self.submit(&call, command).await?.respond())
    }

    async fn get_callback(
        &self,
        request: Request<GetCallbackRequest>,
    ) -> Result<Response<CallbackMessage>, Status> {
        let caller = Caller::from_request(&request)?;
        let row = self.reachable(caller, &request.get_ref().name).await?;
        Ok(Response::new(messages::callback(&row.callback, row.version)))
    }

    async fn list_due_callbacks(
        &self,
        request: Request<ListDueCallbacksRequest>,
    ) -> Result<Response<ListDueCallbacksResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.get_ref();
        let branch = parse::branch(&request.parent)?;
        if !caller.reach.covers(branch.as_str()) {
            return Err(failures::branch_out_of_reach(branch.as_str()).into());
        }
        let size = page::size(request.page_size, 50, 200)?;
        let query = Query { method: "ListDueCallbacks", caller, arguments: &[branch.as_str()] };
        let after = match self.pages.open(&query, &request.page_token)? {
            None => After { due: i64::MIN, id: String::new() },
            Some(position) => parse::position(&position)?,
        };
        // One more than asked for tells whether there is a next page.
        let rows = store::due(self.engine.pool(), branch.as_str(), &after, size + 1)
            .await
            .map_err(|error| refusal::database(&error))?;
        let (rows, more) = page::cut(rows, size);
        let next_page_token = rows.last().filter(|_| more).map_or_else(String::new, |last| {
            let position =
                format!("{}/{}", last.callback.due.timestamp_micros(), last.callback.name.aggregate());
            self.pages.issue(&query, position.as_bytes())
        });
        let callbacks = rows.iter().map(|row| messages::callback(&row.callback, row.version)).collect();
        Ok(Response::new(ListDueCallbacksResponse { callbacks, next_page_token }))
    }
}

/// Whose words a talk's answers are: those of the contact that the callback comes from.
fn subject(callback: &Callback) -> Subject {
    let sealed = callback.phone.as_ref().or(callback.subject.as_ref());
    sealed.map_or_else(|| Subject::contact(callback.name.id()), |sealed| sealed.subject.clone())
}
