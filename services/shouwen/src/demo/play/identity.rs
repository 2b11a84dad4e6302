//! Who a client is, and the file in full for who has verified it (K11, L10).

use std::collections::BTreeSet;

use shouwen_proto::{
    clients::v1::{
        AnswerVerificationRequest, FullClient, GetFullClientRequest, StartVerificationRequest,
        client_service_client::ClientServiceClient,
    },
    events::v1::IdentityFactor,
};
use shouwen_vault::Phone;

use super::{
    super::{
        api::{Who, request_id},
        input::{Action, Client},
    },
    Answered, Play,
};

impl Play<'_> {
    /// Begins to verify, and gives what the client said, one answer after the other until one is refused.
    pub(super) async fn verify(
        &self,
        action: &Action,
        client: &str,
        said: &[(IdentityFactor, String)],
    ) -> Answered<()> {
        let who = &Who::of(format!("employees/{}", action.by));
        let name = format!("clients/{client}");
        let request = StartVerificationRequest {
            name: name.clone(),
            request_id: request_id(&action.text, &action.name),
        };
        let started = self
            .ask(who, request, |channel, request| async move {
                ClientServiceClient::new(channel).start_verification(request).await
            })
            .await?;
        let verification = match started {
            Ok(started) => started.verification,
            Err(refused) => return Ok(Err(refused)),
        };
        for (number, (factor, answer)) in said.iter().enumerate() {
            let request = AnswerVerificationRequest {
                name: name.clone(),
                verification: verification.clone(),
                factor: (*factor).into(),
                value: answer.clone(),
                request_id: request_id(&action.text, &format!("answer {number}")),
            };
            let answered = self
                .ask(who, request, |channel, request| async move {
                    ClientServiceClient::new(channel).answer_verification(request).await
                })
                .await?;
            if let Err(refused) = answered {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(()))
    }

    /// Sees the file in full; what is shown is compared with what was entered.
    pub(super) async fn disclose(&mut self, action: &Action, file: &Client, purpose: &str) -> Answered<()> {
        let who = &Who::of(format!("employees/{}", action.by));
        let request = GetFullClientRequest {
            name: format!("clients/{}", file.id),
            purpose: purpose.to_owned(),
            request_id: request_id(&action.text, &action.name),
        };
        let shown = self
            .ask(who, request, |channel, request| async move {
                ClientServiceClient::new(channel).get_full_client(request).await
            })
            .await?;
        if shown.as_ref().is_ok_and(|shown| !is_of(shown, file)) {
            self.note(action.place, &action.name, "the client's file in full", "something else");
        }
        Ok(shown.map(drop))
    }
}

fn is_of(shown: &FullClient, file: &Client) -> bool {
    let phone = |text: &str| Phone::parse(text).ok();
    // The order of the securities held is nobody's.
    let codes = |codes: &[String]| codes.iter().cloned().collect::<BTreeSet<_>>();
    let accounts = shown.capital_accounts.iter().map(|account| (&account.account, account.primary));
    phone(&shown.phone) == phone(&file.phone)
        && shown.display_name == file.name
        && shown.identity_number == file.identity_number
        && codes(&shown.holdings) == codes(&file.holdings)
        && shown.last_purchase == file.last_purchase
        && accounts.eq(file.accounts.iter().map(|account| (&account.number, account.primary)))
}
