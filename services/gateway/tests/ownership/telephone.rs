//! Presence and routing as the telephony's account and the desks of employees use them.

use prost::Message;
use shouwen_proto::{
    events::v1::PresenceState as Wanted,
    routing::v1::{
        AcceptTransferRequest, AnnounceTransferRequest, CancelRoutingRequest, DeclineReservationRequest,
        GetPresenceRequest, GetRoutingRequest, HeartbeatRequest, HeartbeatResponse, ListPresencesRequest,
        ListPresencesResponse, ListQueueRequest, ListQueueResponse, Presence, RequestCallbackRequest,
        RouteContactRequest, Routing, SetPresenceRequest, WithdrawTransferRequest, routing::State,
        routing_service_client::RoutingServiceClient,
    },
    r#type::v1::Channel,
};
use tonic::{Request, Response, Status, service::Routes};

use crate::{
    desk::{Answer, Desk, employee, id},
    ground::Office,
};

impl Office {
    /// The telephony, which calls in its own name.
    pub(crate) fn telephony(&self) -> Desk {
        Desk::of_account(self.routes(), "telephony")
    }

    /// Employees sign on, one after the other.
    pub(crate) async fn at_their_desks(&self, employees: &[&str]) {
        for employee in employees {
            self.desk(employee).is(Wanted::Available).await.unwrap();
        }
    }

    /// Who is at the desk where a contact rings; nobody where it does not ring.
    pub(crate) async fn rings_at(&self, contact: &str) -> String {
        let routing = self.telephony().routing(contact).await.unwrap();
        routing.reservation.map(|reservation| reservation.employee).unwrap_or_default()
    }
}

/// A call in b1 of a client who is not known.
pub(crate) fn call(contact: &str) -> RouteContactRequest {
    RouteContactRequest {
        contact: format!("contacts/{contact}"),
        channel: Channel::Phone.into(),
        branch: "branches/b1".to_owned(),
        request_id: id(),
        ..RouteContactRequest::default()
    }
}

/// A call of a client.
pub(crate) fn call_of(contact: &str, client: &str) -> RouteContactRequest {
    RouteContactRequest { client: client.to_owned(), ..call(contact) }
}

/// Who has it reserved, or the state as a word.
pub(crate) fn outcome(routing: &Routing) -> String {
    match (&routing.reservation, routing.state()) {
        (Some(reservation), State::Reserved) => reservation.employee.clone(),
        (_, state) => state.as_str_name().trim_start_matches("STATE_").to_ascii_lowercase(),
    }
}

fn name(contact: &str) -> String {
    format!("routings/{contact}")
}

impl Desk {
    /// Calls a method of routing.
    pub(crate) async fn routings<M: Message, R>(
        &self,
        message: M,
        call: impl AsyncFnOnce(RoutingServiceClient<Routes>, Request<M>) -> Result<Response<R>, Status>,
    ) -> Answer<R> {
        let client = RoutingServiceClient::new(self.routes.clone());
        let called = self.caller.language.scope(call(client, self.request(message))).await;
        Ok(called?.into_inner())
    }

    pub(crate) async fn route(&self, request: RouteContactRequest) -> Answer<Routing> {
        self.routings(request, async |mut it, request| it.route_contact(request).await).await
    }

    pub(crate) async fn routing(&self, contact: &str) -> Answer<Routing> {
        let request = GetRoutingRequest { name: name(contact) };
        self.routings(request, async |mut it, request| it.get_routing(request).await).await
    }

    pub(crate) async fn decline_ringing(&self, contact: &str) -> Answer<Routing> {
        let request = DeclineReservationRequest { name: name(contact), request_id: id() };
        self.routings(request, async |mut it, request| it.decline_reservation(request).await).await
    }

    pub(crate) async fn cancel(&self, contact: &str) -> Answer<Routing> {
        let request = CancelRoutingRequest { name: name(contact), request_id: id() };
        self.routings(request, async |mut it, request| it.cancel_routing(request).await).await
    }

    pub(crate) async fn call_back(&self, contact: &str) -> Answer<Routing> {
        let request = RequestCallbackRequest { name: name(contact), request_id: id() };
        self.routings(request, async |mut it, request| it.request_callback(request).await).await
    }

    /// Transfers the call that this employee is on.
    pub(crate) async fn transfer(&self, contact: &str, to: &str) -> Answer<Routing> {
        self.transfer_as(announcement(contact, to, &id())).await
    }

    pub(crate) async fn transfer_as(&self, request: AnnounceTransferRequest) -> Answer<Routing> {
        self.routings(request, async |mut it, request| it.announce_transfer(request).await).await
    }

    /// Takes the call that is transferred to this employee.
    pub(crate) async fn take(&self, contact: &str) -> Answer<Routing> {
        self.take_as(contact, &id()).await
    }

    pub(crate) async fn take_as(&self, contact: &str, request_id: &str) -> Answer<Routing> {
        let request = AcceptTransferRequest { name: name(contact), request_id: request_id.to_owned() };
        self.routings(request, async |mut it, request| it.accept_transfer(request).await).await
    }

    pub(crate) async fn withdraw_transfer(&self, contact: &str) -> Answer<Routing> {
        let request = WithdrawTransferRequest { name: name(contact), request_id: id() };
        self.routings(request, async |mut it, request| it.withdraw_transfer(request).await).await
    }

    pub(crate) async fn queue(&self, branch: &str) -> Answer<ListQueueResponse> {
        let request = ListQueueRequest { parent: format!("branches/{branch}") };
        self.routings(request, async |mut it, request| it.list_queue(request).await).await
    }

    pub(crate) async fn set_presence(&self, request: SetPresenceRequest) -> Answer<Presence> {
        self.routings(request, async |mut it, request| it.set_presence(request).await).await
    }

    /// Says what this employee is, from their usual desk.
    pub(crate) async fn is(&self, state: Wanted) -> Answer<Presence> {
        self.set_presence(presence(state, "desk-1")).await
    }

    pub(crate) async fn beat(&self, session: &str) -> Answer<HeartbeatResponse> {
        let request = HeartbeatRequest { session: session.to_owned() };
        self.routings(request, async |mut it, request| it.heartbeat(request).await).await
    }

    pub(crate) async fn presence_of(&self, who: &str) -> Answer<Presence> {
        let request = GetPresenceRequest { name: employee(who).replace("employees/", "presences/") };
        self.routings(request, async |mut it, request| it.get_presence(request).await).await
    }

    pub(crate) async fn present(&self, branch: &str) -> Answer<ListPresencesResponse> {
        let request = ListPresencesRequest { parent: format!("branches/{branch}") };
        self.routings(request, async |mut it, request| it.list_presences(request).await).await
    }
}

/// The transfer of a call.
pub(crate) fn announcement(contact: &str, to: &str, request_id: &str) -> AnnounceTransferRequest {
    AnnounceTransferRequest { name: name(contact), to: employee(to), request_id: request_id.to_owned() }
}

/// A presence to be set.
pub(crate) fn presence(state: Wanted, session: &str) -> SetPresenceRequest {
    SetPresenceRequest {
        state: state.into(),
        session: session.to_owned(),
        take_over: false,
        request_id: id(),
    }
}
