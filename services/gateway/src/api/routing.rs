//! `RoutingService`.

mod messages;
mod transfers;

use shouwen_access::{Caller, Failure};
use shouwen_engine::AggregateId;
use shouwen_proto::{
    clients::v1::ResolveClientRequest,
    events::v1::PresenceState as Wanted,
    routing::v1::{
        AcceptTransferRequest, AnnounceTransferRequest, CancelRoutingRequest, DeclineReservationRequest,
        GetPresenceRequest, GetRoutingRequest, HeartbeatRequest, HeartbeatResponse, ListPresencesRequest,
        ListPresencesResponse, ListQueueRequest, ListQueueResponse, Presence, RequestCallbackRequest,
        RouteContactRequest, Routing, SetPresenceRequest, WithdrawTransferRequest, routing_service_server,
    },
    r#type::v1::Channel,
};
use shouwen_serving::{Call, refusal, timestamps::to_proto};
use tonic::{Code, Request, Response, Status};

use super::{branch, contact_id, is_id, is_skill, within_reach};
use crate::{
    directory::Directory,
    domain::{
        Command, RoutingState, State,
        command::{PresenceCommand, Route, RoutingCommand},
        presence,
        routing::{self, Phase},
    },
    ownership::{self, Ownership},
    store::{self, routing::RoutingRow},
};

/// How often those who look free are looked for anew, before a contact has to wait.
const LOOKS: usize = 3;

/// The most skills that a request adds.
const SKILLS: usize = 32;

const PRESENCES: i64 = 500;
const QUEUE: i64 = 200;

/// Serves presence and routing.
pub struct RoutingServer {
    pub ownership: Ownership,
    pub directory: Directory,
}

impl RoutingServer {
    /// Where a contact is routed: the branch, and the line that was dialled.
    fn place(&self, message: &RouteContactRequest) -> Result<(String, String), Failure> {
        let roster = self.ownership.roster();
        if message.line.is_empty() {
            let named = branch("branch", &message.branch)?;
            roster.branch(&named).ok_or_else(|| Failure::not_found("branch", named.clone()))?;
            return Ok((named, String::new()));
        }
        let line =
            roster.line(&message.line).ok_or_else(|| Failure::not_found("line", message.line.clone()))?;
        if !message.branch.is_empty() && message.branch != line.branch {
            return Err(Failure::field_invalid(
                "branch",
                "must be the branch of the line, or empty",
                "须为线路所属营业部，或留空",
            ));
        }
        Ok((line.branch.clone(), line.name.clone()))
    }

    /// The client, if one is known by what was given. A client who cannot be found is no reason to let a contact wait.
    async fn client(&self, caller: &Caller, message: &RouteContactRequest) -> Result<Option<String>, Status> {
        let sought = match (&*message.client, &*message.phone, &*message.capital_account) {
            ("", "", "") => return Ok(None),
            (client, "", "") => return Ok(ownership::client(client)?),
            ("", phone, "") => ResolveClientRequest { phone: phone.to_owned(), ..Default::default() },
            ("", "", account) => {
                ResolveClientRequest { capital_account: account.to_owned(), ..Default::default() }
            }
            _ => {
                return Err(Failure::field_invalid(
                    "client",
                    "give at most one of `client`, `phone` and `capital_account`",
                    "client、phone、capital_account 至多填写一项",
                )
                .into());
            }
        };
        match self.directory.resolve(caller, sought).await {
            Ok(client) => Ok(Some(client)),
            Err(status) if status.code() == Code::InvalidArgument => Err(status),
            Err(_) => Ok(None),
        }
    }

    async fn row(&self, name: &AggregateId) -> Result<RoutingRow, Failure> {
        store::routing::routing(self.ownership.engine.pool(), &name.0)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| Failure::not_found("routing", name.0.clone()))
    }

    /// A step of a routing within the caller's reach.
    async fn step(
        &self,
        call: &Call,
        name: &str,
        step: impl FnOnce(AggregateId) -> RoutingCommand,
    ) -> Result<Response<Routing>, Status> {
        let name = routing_id(name)?;
        let row = self.row(&name).await?;
        within_reach(&call.caller, &row.state.0.branch)?;
        let mut submission = call.submission(Command::Routing(step(routing::contact(&name))));
        submission.branch.clone_from(&row.state.0.branch);
        let outcome = call.submit(&self.ownership.engine, submission).await?;
        self.answer(&name, outcome.version, outcome.state).await
    }

    async fn answer(
        &self,
        name: &AggregateId,
        version: i64,
        state: Option<State>,
    ) -> Result<Response<Routing>, Status> {
        match state {
            Some(State::Routing(state)) => Ok(Response::new(self.shown(&name.0, version, &state).await?)),
            _ => Err(Failure::not_found("routing", name.0.clone()).into()),
        }
    }

    async fn shown(&self, name: &str, version: i64, state: &RoutingState) -> Result<Routing, Failure> {
        let place = match &state.phase {
            Phase::Queued { .. } => Some(
                store::routing::place(self.ownership.engine.pool(), name, state)
                    .await
                    .map_err(|error| refusal::database(&error))?,
            ),
            _ => None,
        };
        Ok(messages::routing(name, version, state, place.as_ref(), &self.ownership.roster()))
    }

    async fn presence(&self, name: &str) -> Result<Presence, Failure> {
        let row = store::routing::presence(self.ownership.engine.pool(), name)
            .await
            .map_err(|error| refusal::database(&error))?;
        if let Some(row) = row {
            return Ok(messages::presence(row));
        }
        let employee = format!("employees/{}", name.trim_start_matches("presences/"));
        let roster = self.ownership.roster();
        let known = roster.employee(&employee).ok_or_else(|| Failure::not_found("employee", employee))?;
        Ok(messages::never_signed_on(known))
    }
}

#[tonic::async_trait]
impl routing_service_server::RoutingService for RoutingServer {
    async fn set_presence(&self, request: Request<SetPresenceRequest>) -> Result<Response<Presence>, Status> {
        let call = Call::mutation(&request, "SetPresence", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let employee = call.caller.require_employee()?.to_string();
        let state = message.state();
        if matches!(state, Wanted::Unspecified | Wanted::Reserved) {
            return Err(Failure::field_invalid(
                "state",
                "must be AVAILABLE, BUSY, PAUSED or OFFLINE",
                "须为 AVAILABLE、BUSY、PAUSED 或 OFFLINE",
            )
            .into());
        }
        let session = session(&message.session)?;
        let command = Command::Presence(PresenceCommand::Set {
            employee: employee.clone(),
            state,
            session,
            take_over: message.take_over,
        });
        call.submit(&self.ownership.engine, call.submission(command)).await?;
        Ok(Response::new(self.presence(&presence::id(&employee).0).await?))
    }

    async fn heartbeat(
        &self,
        request: Request<HeartbeatRequest>,
    ) -> Result<Response<HeartbeatResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let employee = caller.require_employee()?.to_string();
        let session = session(&request.get_ref().session)?;
        let seen = store::routing::heard(self.ownership.engine.pool(), &employee, &session)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| {
                Failure::new(
                    Code::NotFound,
                    "SESSION_NOT_FOUND",
                    "You are not signed on from this desk any more; call SetPresence.",
                    "该终端已不在席，请重新设置在席状态。",
                )
            })?;
        let branch = caller.branch.as_ref().map(ToString::to_string);
        let policy = self.ownership.engine.domain().policies().routing(branch.as_deref(), seen);
        let expire_time = Some(to_proto(seen + policy.value.session_length()));
        Ok(Response::new(HeartbeatResponse { expire_time }))
    }

    async fn get_presence(&self, request: Request<GetPresenceRequest>) -> Result<Response<Presence>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let name = presence_id(&request.get_ref().name)?;
        let presence = self.presence(&name).await?;
        within_reach(&caller, &presence.branch)?;
        Ok(Response::new(presence))
    }

    async fn list_presences(
        &self,
        request: Request<ListPresencesRequest>,
    ) -> Result<Response<ListPresencesResponse>, Status> {
        let parent = branch("parent", &request.get_ref().parent)?;
        let rows = store::routing::signed_on(self.ownership.engine.pool(), &parent, PRESENCES)
            .await
            .map_err(|error| refusal::database(&error))?;
        let presences = rows.into_iter().map(messages::presence).collect();
        Ok(Response::new(ListPresencesResponse { presences }))
    }

    async fn route_contact(
        &self,
        request: Request<RouteContactRequest>,
    ) -> Result<Response<Routing>, Status> {
        let call = Call::mutation(&request, "RouteContact", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let contact = contact_id("contact", &message.contact)?;
        let channel = message.channel();
        if channel == Channel::Unspecified {
            return Err(Failure::field_invalid("channel", "must be given", "必须填写").into());
        }
        if message.skills.len() > SKILLS || !message.skills.iter().all(|skill| is_skill(skill)) {
            return Err(Failure::field_invalid(
                "skills",
                format!("must be at most {SKILLS}, each 1-40 of `a-z 0-9 -`"),
                format!("至多 {SKILLS} 项，每项为 1-40 个 `a-z 0-9 -`"),
            )
            .into());
        }
        let (branch, line) = self.place(&message)?;
        within_reach(&call.caller, &branch)?;
        let topic = ownership::topic(&message.topic)?;
        let name = routing::id(&contact);
        let pool = self.ownership.engine.pool();
        // What is routed stays so, whatever is known of the client by now.
        let known =
            store::routing::routing(pool, &name.0).await.map_err(|error| refusal::database(&error))?;
        let client = if known.is_some() { None } else { self.client(&call.caller, &message).await? };
        let file = match &client {
            Some(client) => store::routing::client(pool, client, &topic)
                .await
                .map_err(|error| refusal::database(&error))?,
            None => store::routing::ClientFile::default(),
        };
        let mut route = Route {
            contact,
            branch: branch.clone(),
            line,
            channel: channel.into(),
            client,
            topic,
            skills: message.skills,
            vip: file.vip,
            service_manager: file.service_manager,
            case: file.case.map(AggregateId),
            settle: false,
        };
        for look in 1..=LOOKS {
            route.settle = look == LOOKS;
            let mut submission =
                call.submission(Command::Routing(RoutingCommand::Route(Box::new(route.clone()))));
            submission.branch.clone_from(&branch);
            match call.submit(&self.ownership.engine, submission).await {
                Ok(outcome) => return self.answer(&name, outcome.version, outcome.state).await,
                Err(failure) if !route.settle && failure.reason() == "CONTENTION" => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(Failure::contention().into())
    }

    async fn decline_reservation(
        &self,
        request: Request<DeclineReservationRequest>,
    ) -> Result<Response<Routing>, Status> {
        let call = Call::mutation(&request, "DeclineReservation", &request.get_ref().request_id)?;
        let by = call.caller.require_employee()?.to_string();
        let name = routing_id(&request.get_ref().name)?;
        // From another branch too: HQ helps out everywhere.
        let row = self.row(&name).await?;
        let contact = routing::contact(&name);
        let mut submission = call.submission(Command::Routing(RoutingCommand::Decline { contact, by }));
        submission.branch.clone_from(&row.state.0.branch);
        let outcome = call.submit(&self.ownership.engine, submission).await?;
        self.answer(&name, outcome.version, outcome.state).await
    }

    async fn announce_transfer(
        &self,
        request: Request<AnnounceTransferRequest>,
    ) -> Result<Response<Routing>, Status> {
        self.announce(request).await
    }

    async fn accept_transfer(
        &self,
        request: Request<AcceptTransferRequest>,
    ) -> Result<Response<Routing>, Status> {
        self.accept(request).await
    }

    async fn withdraw_transfer(
        &self,
        request: Request<WithdrawTransferRequest>,
    ) -> Result<Response<Routing>, Status> {
        self.withdraw(request).await
    }

    async fn cancel_routing(
        &self,
        request: Request<CancelRoutingRequest>,
    ) -> Result<Response<Routing>, Status> {
        let call = Call::mutation(&request, "CancelRouting", &request.get_ref().request_id)?;
        let step = |contact| RoutingCommand::Cancel { contact };
        self.step(&call, &request.get_ref().name, step).await
    }

    async fn request_callback(
        &self,
        request: Request<RequestCallbackRequest>,
    ) -> Result<Response<Routing>, Status> {
        let call = Call::mutation(&request, "RequestCallback", &request.get_ref().request_id)?;
        let step = |contact| RoutingCommand::Callback { contact };
        self.step(&call, &request.get_ref().name, step).await
    }

    async fn get_routing(&self, request: Request<GetRoutingRequest>) -> Result<Response<Routing>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let row = self.row(&routing_id(&request.get_ref().name)?).await?;
        within_reach(&caller, &row.state.0.branch)?;
        Ok(Response::new(self.shown(&row.id, row.version, &row.state.0).await?))
    }

    async fn list_queue(
        &self,
        request: Request<ListQueueRequest>,
    ) -> Result<Response<ListQueueResponse>, Status> {
        let parent = branch("parent", &request.get_ref().parent)?;
        let pool = self.ownership.engine.pool();
        let rows =
            store::routing::queue(pool, &parent, QUEUE).await.map_err(|error| refusal::database(&error))?;
        let expected = match rows.first() {
            Some(first) => {
                store::routing::place(pool, &first.id, &first.state.0)
                    .await
                    .map_err(|error| refusal::database(&error))?
                    .expected
            }
            None => None,
        };
        let roster = self.ownership.roster();
        let routings = (0i64..)
            .zip(rows)
            .map(|(before, row)| {
                let place = store::routing::Place { before, expected };
                messages::routing(&row.id, row.version, &row.state.0, Some(&place), &roster)
            })
            .collect();
        Ok(Response::new(ListQueueResponse { routings }))
    }
}

fn session(text: &str) -> Result<String, Failure> {
    if is_id(text) {
        return Ok(text.to_owned());
    }
    Err(Failure::field_invalid(
        "session",
        "must be 1-64 of `a-z A-Z 0-9 . _ -`",
        "须为 1-64 个 `a-z A-Z 0-9 . _ -`",
    ))
}

/// `routings/{contact}`
fn routing_id(name: &str) -> Result<AggregateId, Failure> {
    match name.strip_prefix("routings/").filter(|id| is_id(id)) {
        Some(_) => Ok(AggregateId(name.to_owned())),
        None => Err(Failure::field_invalid(
            "name",
            "must be `routings/{contact}`",
            "格式须为 `routings/{contact}`",
        )),
    }
}

/// `presences/{employee}`
fn presence_id(name: &str) -> Result<String, Failure> {
    let id = name.strip_prefix("presences/").unwrap_or_default();
    super::employee("name", &format!("employees/{id}")).map(|_| name.to_owned()).map_err(|_| {
        Failure::field_invalid("name", "must be `presences/{employee}`", "格式须为 `presences/{employee}`")
    })
}
