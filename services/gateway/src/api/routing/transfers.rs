//! The transfer of running calls (K5). Colleagues of another branch and of HQ take part, so nobody's branch is asked for: who is on the call transfers it,
//! and for whom it rings takes it.

use shouwen_engine::AggregateId;
use shouwen_proto::routing::v1::{
    AcceptTransferRequest, AnnounceTransferRequest, Routing, WithdrawTransferRequest,
};
use shouwen_serving::Call;
use tonic::{Request, Response, Status};

use super::{RoutingServer, routing_id};
use crate::{
    api::employee,
    domain::{
        Command,
        command::{TransferAction, TransferCommand},
        routing,
    },
};

impl RoutingServer {
    pub(super) async fn announce(
        &self,
        request: Request<AnnounceTransferRequest>,
    ) -> Result<Response<Routing>, Status> {
        let call = Call::mutation(&request, "AnnounceTransfer", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let (name, to) = (routing_id(&message.name)?, employee("to", &message.to)?);
        self.transfer(&call, name, TransferAction::Announce { to }).await
    }

    pub(super) async fn accept(
        &self,
        request: Request<AcceptTransferRequest>,
    ) -> Result<Response<Routing>, Status> {
        let call = Call::mutation(&request, "AcceptTransfer", &request.get_ref().request_id)?;
        self.transfer(&call, routing_id(&request.get_ref().name)?, TransferAction::Accept).await
    }

    pub(super) async fn withdraw(
        &self,
        request: Request<WithdrawTransferRequest>,
    ) -> Result<Response<Routing>, Status> {
        let call = Call::mutation(&request, "WithdrawTransfer", &request.get_ref().request_id)?;
        self.transfer(&call, routing_id(&request.get_ref().name)?, TransferAction::Withdraw).await
    }

    async fn transfer(
        &self,
        call: &Call,
        name: AggregateId,
        action: TransferAction,
    ) -> Result<Response<Routing>, Status> {
        let by = call.caller.require_employee()?.to_string();
        let contact = routing::contact(&name);
        let command = Command::Transfer(TransferCommand { contact, by, action });
        let outcome = call.submit(&self.ownership.engine, call.submission(command)).await?;
        self.answer(&name, outcome.version, outcome.state).await
    }
}
