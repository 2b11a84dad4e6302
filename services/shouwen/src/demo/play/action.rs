//! What employees do apart from contacts, on cases and on callbacks; what they do about complaints and clients stands beside it. An action that must be refused has to be refused with its very reason.

use shouwen_proto::{
    callbacks::v1::{
        CancelCallbackRequest, CompleteCallbackRequest, LeaseCallbackRequest, PostponeCallbackRequest,
        RecordAttemptRequest, SupersedeResultRequest, callback_service_client::CallbackServiceClient,
    },
    events::v1::AttemptOutcome,
    ownership::v1::{
        AcceptOfferRequest, BeginOverrideRequest, Case, CloseCaseRequest, ConfirmSatisfactionRequest,
        DeclineOfferRequest, EndOverrideRequest, OfferTransferRequest, ReopenCaseRequest, ResolveCaseRequest,
        WithdrawOfferRequest, case_service_client::CaseServiceClient,
    },
};
use shouwen_serving::timestamps::to_proto;

use super::{
    super::{
        DemoError,
        api::{Refused, Who, no_offer, request_id},
        input::{Action, CallbackDeed, CallbackKind, CallbackRef, CaseDeed, Deed, Met, Opinion},
        simulation::Service,
    },
    Answered, Play,
};

/// A call to a method of cases that answers with the case.
macro_rules! case_call {
    ($play:expr, $who:expr, $method:ident, $request:expr) => {
        $play
            .ask($who, $request, |channel, request| async move {
                CaseServiceClient::new(channel).$method(request).await
            })
            .await
    };
}

/// A call to a method of callbacks, whose answer nobody needs.
macro_rules! callback_call {
    ($play:expr, $who:expr, $method:ident, $request:expr) => {
        $play
            .ask($who, $request, |channel, request| async move {
                CallbackServiceClient::new(channel).$method(request).await
            })
            .await
            .map(|answered| answered.map(drop))
    };
}

impl<'a> Play<'a> {
    /// Carries an action out, and compares what the product says with what the file says.
    pub(super) async fn act(&mut self, action: &'a Action) -> Result<(), DemoError> {
        let answered = match &action.deed {
            Deed::OnCase { contact, deed } => self.act_on_case(action, contact, deed).await?,
            Deed::OnCallback { callback, deed } => self.act_on_callback(action, callback, deed).await?,
            Deed::File { contact, filing } => self.file_complaint(action, contact, filing).await?,
            Deed::OnComplaint { complaint, deed } => self.act_on_complaint(action, complaint, deed).await?,
            Deed::OnClient { client, deed } => self.act_on_client(action, client, deed).await?,
        };
        let Some(answered) = answered else { return Ok(()) };
        self.tally.refused_actions += u64::from(answered.is_err());
        let step = format!("{} by {}", action.name, action.by);
        self.check(action.place, &step, action.expect.as_deref(), &answered);
        Ok(())
    }

    /// `None` where there is no such case.
    async fn act_on_case(
        &mut self,
        action: &Action,
        contact: &str,
        deed: &CaseDeed,
    ) -> Result<Option<Result<(), Refused>>, DemoError> {
        let Some(case) = self.case_of(contact).await? else {
            let expected = format!("contact {contact} to have led to a case");
            self.note(action.place, &action.name, expected, "it has none");
            return Ok(None);
        };
        self.simulation.called(Service::Ownership);
        let answered = self.on_case(action, deed, &case).await?;
        if let Ok(Case { name, offer: Some(offer), .. }) = &answered {
            self.offers.insert(name.clone(), offer.offer.clone());
        }
        Ok(Some(answered.map(drop)))
    }

    async fn on_case(&self, action: &Action, deed: &CaseDeed, case: &Case) -> Answered<Case> {
        let who = &Who::of(format!("employees/{}", action.by));
        let (name, etag) = (case.name.clone(), String::new());
        let request_id = request_id(&action.text, &action.name);
        // A late answer to an offer names the offer that there was.
        let offer = || {
            let pending = case.offer.as_ref().map(|offer| offer.offer.clone());
            pending.or_else(|| self.offers.get(&case.name).cloned()).unwrap_or_else(no_offer)
        };
        match deed {
            CaseDeed::Offer { to, reason, explanation } => {
                let (reason, explanation) = (reason.clone(), explanation.clone());
                let to = format!("employees/{to}");
                let request = OfferTransferRequest { name, to, reason, explanation, etag, request_id };
                case_call!(self, who, offer_transfer, request)
            }
            CaseDeed::Accept => {
                case_call!(self, who, accept_offer, AcceptOfferRequest { name, offer: offer(), request_id })
            }
            CaseDeed::Decline { reason } => {
                let request =
                    DeclineOfferRequest { name, offer: offer(), reason: reason.clone(), request_id };
                case_call!(self, who, decline_offer, request)
            }
            CaseDeed::Withdraw => {
                case_call!(
                    self,
                    who,
                    withdraw_offer,
                    WithdrawOfferRequest { name, offer: offer(), request_id }
                )
            }
            CaseDeed::BeginOverride { reason } => {
                let request = BeginOverrideRequest { name, reason: reason.clone(), etag, request_id };
                case_call!(self, who, begin_override, request)
            }
            CaseDeed::EndOverride => {
                case_call!(self, who, end_override, EndOverrideRequest { name, request_id })
            }
            CaseDeed::Resolve { answer } => {
                let request = ResolveCaseRequest { name, answer: answer.clone(), etag, request_id };
                case_call!(self, who, resolve_case, request)
            }
            CaseDeed::Confirm { satisfied, reason } => {
                let (satisfied, reason) = (*satisfied, reason.clone());
                let request = ConfirmSatisfactionRequest { name, satisfied, reason, etag, request_id };
                case_call!(self, who, confirm_satisfaction, request)
            }
            CaseDeed::Close { kind, reason } => {
                let (kind, reason) = ((*kind).into(), reason.clone());
                let request = CloseCaseRequest { name, kind, reason, etag, request_id };
                case_call!(self, who, close_case, request)
            }
            CaseDeed::Reopen { reason } => {
                let request = ReopenCaseRequest { name, reason: reason.clone(), request_id };
                case_call!(self, who, reopen_case, request)
            }
        }
    }

    /// `None` where there is no such callback.
    async fn act_on_callback(
        &mut self,
        action: &Action,
        callback: &CallbackRef,
        deed: &CallbackDeed,
    ) -> Result<Option<Result<(), Refused>>, DemoError> {
        self.feeds.read_until(self.simulation.heads()).await?;
        let name = if callback.kind == CallbackKind::Verification {
            self.complaint(&callback.contact).and_then(|complaint| self.feeds.verification(complaint))
        } else {
            self.feeds.callback(callback)
        };
        let Some(name) = name.map(str::to_owned) else {
            let kind = callback.kind.as_str_name();
            let expected = format!("{} to have led to a {kind}", callback.contact);
            self.note(action.place, &action.name, expected, "there is none");
            return Ok(None);
        };
        self.simulation.called(Service::Callbacks);
        self.on_callback(action, deed, name).await.map(Some)
    }

    async fn on_callback(&self, action: &Action, deed: &CallbackDeed, name: String) -> Answered<()> {
        let who = &Who::of(format!("employees/{}", action.by));
        let request_id = |step: &str| request_id(&action.text, step);
        let reason = |reason: &String| reason.clone();
        match deed {
            CallbackDeed::Lease => self.lease(who, name, request_id("lease")).await,
            CallbackDeed::Attempt(met) => {
                let leased = self.lease(who, name.clone(), request_id("lease")).await?;
                if leased.is_err() {
                    return Ok(leased);
                }
                let (outcome, agreed_time, client_asked) = match met {
                    Met::Unreached(outcome) => (*outcome, None, false),
                    Met::Inconvenient { agreed, client_asked } => {
                        (AttemptOutcome::Inconvenient, Some(to_proto(*agreed)), *client_asked)
                    }
                };
                let (outcome, request_id) = (outcome.into(), request_id("attempt"));
                let request = RecordAttemptRequest { name, outcome, agreed_time, client_asked, request_id };
                callback_call!(self, who, record_attempt, request)
            }
            CallbackDeed::Complete(result) => {
                let leased = self.lease(who, name.clone(), request_id("lease")).await?;
                if leased.is_err() {
                    return Ok(leased);
                }
                callback_call!(self, who, complete_callback, completion(name, result, request_id("complete")))
            }
            CallbackDeed::Supersede { reason: why, result } => {
                let request = SupersedeResultRequest {
                    name,
                    reason: reason(why),
                    solved: result.solved,
                    attitude: result.attitude.into(),
                    overall: result.overall.into(),
                    score: result.score,
                    charged: result.charged,
                    measures: result.measures.into(),
                    request_id: request_id("supersede"),
                };
                callback_call!(self, who, supersede_result, request)
            }
            CallbackDeed::Postpone { not_before, reason: why } => {
                let (not_before, request_id) = (Some(to_proto(*not_before)), request_id("postpone"));
                let request = PostponeCallbackRequest { name, not_before, reason: reason(why), request_id };
                callback_call!(self, who, postpone_callback, request)
            }
            CallbackDeed::Cancel { reason: why } => {
                let request =
                    CancelCallbackRequest { name, reason: reason(why), request_id: request_id("cancel") };
                callback_call!(self, who, cancel_callback, request)
            }
        }
    }

    async fn lease(&self, who: &Who, name: String, request_id: String) -> Answered<()> {
        callback_call!(self, who, lease_callback, LeaseCallbackRequest { name, request_id })
    }
}

fn completion(name: String, result: &Opinion, request_id: String) -> CompleteCallbackRequest {
    CompleteCallbackRequest {
        name,
        solved: result.solved,
        attitude: result.attitude.into(),
        overall: result.overall.into(),
        score: result.score,
        suggestions: result.suggestions.clone(),
        charged: result.charged,
        answers: result.answers.clone(),
        request_id,
        measures: result.measures.into(),
    }
}
