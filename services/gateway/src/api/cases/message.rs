//! Messages for colleagues (K13): sealed on their way in, opened for whom they concern.

use shouwen_access::Failure;
use shouwen_proto::{
    events::v1::OfferMessage,
    ownership::v1::{Case, Message, PassMessageRequest, ReadMessageRequest},
};
use shouwen_runtime::ids;
use shouwen_serving::{Call, Sealer, refusal, timestamps::to_proto};
use shouwen_vault::{Phone, Sealed, Subject};
use tonic::{Response, Status};

use super::CaseServer;
use crate::{
    api::{case_id, employee, failures, required},
    domain::{
        Command, State,
        command::{Action, CaseCommand},
    },
};

impl CaseServer {
    pub(super) async fn pass(
        &self,
        call: &Call,
        message: PassMessageRequest,
    ) -> Result<Response<Case>, Status> {
        let case = case_id("name", &message.name)?;
        let to = employee("to", &message.to)?;
        let caller = required("caller", &message.caller)?;
        let number = required("callback_number", &message.callback_number)?;
        let number =
            Phone::parse(&number).map_err(|error| failures::phone_invalid("callback_number", error))?;
        let matter = required("matter", &message.matter)?;
        let subject = Subject::new(self.case(&case.0).await?.state.0.contact);
        let sealer = Sealer { vault: &self.ownership.vault, subject: &subject, aggregate: &case.0 };
        let fields = [("caller", &*caller), ("callback_number", number.expose()), ("matter", &*matter)];
        let [caller, callback_number, matter] = sealer.seal(fields).await?;
        let message_sealed = OfferMessage { caller, callback_number, matter, take_time: None };
        let action = Action::Pass { offer: ids::new_v7().to_string(), to, message: message_sealed };
        self.act(call, case, &message.etag, action).await
    }

    pub(super) async fn read(
        &self,
        call: &Call,
        message: ReadMessageRequest,
    ) -> Result<Response<Message>, Status> {
        let case = case_id("name", &message.name)?;
        let by = call.caller.require_employee()?.to_string();
        let command = CaseCommand { case, by, etag: None, action: Action::ReadMessage };
        let mut submission = call.submission(Command::Case(command));
        submission.fence = None;
        let outcome = call.submit(&self.ownership.engine, submission).await?;
        let Some(State::Case(state)) = outcome.state else { return Err(Failure::internal().into()) };
        let Some(passed) = state.message else { return Err(Failure::internal().into()) };
        Ok(Response::new(Message {
            offer: passed.offer,
            from: passed.from,
            to: passed.to,
            caller: self.opened(passed.caller.as_ref()).await?,
            callback_number: self.opened(passed.callback_number.as_ref()).await?,
            matter: self.opened(passed.matter.as_ref()).await?,
            take_time: Some(to_proto(passed.taken)),
        }))
    }
    async fn opened(&self, sealed: Option<&Sealed>) -> Result<String, Failure> {
        match sealed {
            Some(sealed) => self.ownership.vault.unseal(sealed).await.map_err(|error| refusal::vault(&error)),
            None => Ok(String::new()),
        }
    }
}
