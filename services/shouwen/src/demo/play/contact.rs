//! Steps of a contact. Telephony registers calls and reports missed ones, employees answer the telephone themselves, and what happens at the
//! counter or by e-mail comes from the CRM in the employee's name.

use shouwen_proto::{
    calls::v1::{
        AnswerCallRequest, Call, ConfirmRecordRequest, EndCallRequest, MissCallRequest,
        PromiseCallbackRequest, RecordCallRequest, RegisterCallRequest,
        call_service_client::CallServiceClient,
    },
    ownership::v1::{IdentifyClientRequest, case_service_client::CaseServiceClient},
};
use shouwen_serving::timestamps::to_proto;

use super::{
    super::{
        DemoError,
        api::{Refused, Who, request_id},
        input::{Account, Answer, Channel, Contact, Identified, LookUp, Promise, Sheet},
        simulation::Service,
    },
    Answered, Play,
};

impl<'a> Play<'a> {
    /// It rings, comes in or arrives.
    pub(super) async fn register(&mut self, contact: &'a Contact) -> Result<(), DemoError> {
        let callback = self.callback_carried_out(contact).await?;
        let request = RegisterCallRequest {
            parent: format!("branches/{}", contact.branch),
            call_id: contact.id.clone(),
            channel: contact.channel.into(),
            direction: contact.direction.into(),
            line: if contact.line.is_empty() { String::new() } else { format!("lines/{}", contact.line) },
            caller: contact.phone.clone(),
            client: String::new(),
            occur_time: contact.entered_later_at.map(|_| to_proto(contact.time)),
            external_id: String::new(),
            callback,
            request_id: request_id(&contact.id, "register"),
        };
        let who = self.registrar(contact);
        self.simulation.called(Service::Calls);
        let answered = self
            .ask(&who, request, |channel, request| async move {
                CallServiceClient::new(channel).register_call(request).await
            })
            .await?;
        self.check(contact.place, "register", None, &answered);
        Ok(())
    }

    /// Everything that happens at the answer, in the order that the README gives.
    pub(super) async fn answer(&mut self, contact: &'a Contact) -> Result<(), DemoError> {
        let Some(answer) = &contact.answer else { return Ok(()) };
        self.simulation.called(Service::Calls);
        let who = self.agent(contact, &answer.by);
        let answered = self.first_touch(contact, answer, &who, "answer").await?;
        let accepted = self.check(contact.place, "answer", None, &answered);
        match answered {
            Ok(call) if accepted => self.cases.insert(&contact.id, call.case),
            _ => {
                self.unanswered.insert(&contact.id);
                return Ok(());
            }
        };
        if !answer.also_by.is_empty() {
            self.second_answer(contact, answer).await?;
        }
        if let Some(client) = &answer.client {
            self.identify(contact, client, &who).await?;
        }
        if let Some(sheet) = &answer.sheet {
            self.record(contact, sheet, &who).await?;
        }
        if let Some(promise) = &answer.promise {
            self.promise(contact, promise, &who).await?;
        }
        Ok(())
    }

    /// It ends, by whom and as what.
    pub(super) async fn end(&mut self, contact: &'a Contact) -> Result<(), DemoError> {
        let Some(answer) = &contact.answer else { return Ok(()) };
        if self.unanswered.contains(contact.id.as_str()) {
            return Ok(());
        }
        let request = EndCallRequest {
            name: format!("calls/{}", contact.id),
            ended_by: answer.ended_by.into(),
            outcome: answer.outcome.into(),
            request_id: request_id(&contact.id, "end"),
        };
        self.simulation.called(Service::Calls);
        let who = self.agent(contact, &answer.by);
        let answered = self
            .ask(&who, request, |channel, request| async move {
                CallServiceClient::new(channel).end_call(request).await
            })
            .await?;
        self.check(contact.place, "end", None, &answered);
        Ok(())
    }

    /// Nobody answered.
    pub(super) async fn miss(&mut self, contact: &'a Contact) -> Result<(), DemoError> {
        let request = MissCallRequest {
            name: format!("calls/{}", contact.id),
            request_id: request_id(&contact.id, "miss"),
        };
        self.simulation.called(Service::Calls);
        let who = self.registrar(contact);
        let answered = self
            .ask(&who, request, |channel, request| async move {
                CallServiceClient::new(channel).miss_call(request).await
            })
            .await?;
        self.check(contact.place, "miss", None, &answered);
        Ok(())
    }

    async fn first_touch(&self, contact: &Contact, answer: &Answer, who: &Who, step: &str) -> Answered<Call> {
        let request = AnswerCallRequest {
            name: format!("calls/{}", contact.id),
            topic: answer.topic.clone(),
            // Who the client is, is established during the contact.
            client: String::new(),
            channel: contact.channel.into(),
            request_id: request_id(&contact.id, step),
        };
        self.ask(who, request, |channel, request| async move {
            CallServiceClient::new(channel).answer_call(request).await
        })
        .await
    }

    /// O1: a second person is refused and told who was first.
    async fn second_answer(&mut self, contact: &Contact, answer: &Answer) -> Result<(), DemoError> {
        let who = self.agent(contact, &answer.also_by);
        let answered = self.first_touch(contact, answer, &who, "second answer").await?;
        if self.check(contact.place, "also_answered_by", Some("CONTACT_CLAIMED"), &answered) {
            self.tally.second_answers_refused += 1;
            let winner = format!("employees/{}", answer.by);
            let named = answered.err().and_then(|refused: Refused| refused.metadata.get("employee").cloned());
            if named.as_ref() != Some(&winner) {
                let named = named.unwrap_or_else(|| "nobody".to_owned());
                self.note(contact.place, "also_answered_by", format!("{winner} to be named"), named);
            }
        }
        Ok(())
    }

    /// By the CRM's id, or by what the client says, which must lead to the same client.
    async fn identify(&mut self, contact: &Contact, said: &Identified, who: &Who) -> Result<(), DemoError> {
        let mut request = IdentifyClientRequest {
            contact: format!("contacts/{}", contact.id),
            request_id: request_id(&contact.id, "identify"),
            ..IdentifyClientRequest::default()
        };
        if said.by != LookUp::Id {
            self.simulation.called(Service::Clients);
        }
        let file = self.file_of(&said.client);
        match (said.by, file) {
            (LookUp::Phone, Some(file)) => request.phone.clone_from(&file.phone),
            (LookUp::IdentityNumber, Some(file)) => request.identity_number.clone_from(&file.identity_number),
            (LookUp::CapitalAccount, Some(file)) => {
                file.primary_account().clone_into(&mut request.capital_account);
            }
            (LookUp::Id, _) | (_, None) => request.client.clone_from(&said.client),
        }
        let answered = self
            .ask(who, request, |channel, request| async move {
                CaseServiceClient::new(channel).identify_client(request).await
            })
            .await?;
        self.check(contact.place, "client", None, &answered);
        if let Ok(case) = answered
            && case.client != said.client
        {
            self.note(contact.place, "client", said.client.clone(), case.client);
        }
        Ok(())
    }

    async fn record(&mut self, contact: &Contact, sheet: &Sheet, who: &Who) -> Result<(), DemoError> {
        let name = format!("calls/{}", contact.id);
        let request = RecordCallRequest {
            name: name.clone(),
            client_name: sheet.client_name.clone(),
            gender: sheet.gender.clone(),
            phone: contact.phone.clone(),
            summary: sheet.summary.clone(),
            handling: sheet.handling.clone(),
            inquiry_type: sheet.inquiry_type.clone(),
            computer_familiarity: sheet.computer,
            trading_familiarity: sheet.trading,
            securities_familiarity: sheet.securities,
            assessment: sheet.assessment.clone(),
            identity_checks: sheet.identity_checks.clone(),
            etag: String::new(),
            request_id: request_id(&contact.id, "record"),
        };
        let answered = self
            .ask(who, request, |channel, request| async move {
                CallServiceClient::new(channel).record_call(request).await
            })
            .await?;
        self.check(contact.place, "record", None, &answered);
        if !sheet.confirmed || answered.is_err() {
            return Ok(());
        }
        let request = ConfirmRecordRequest { name, request_id: request_id(&contact.id, "confirm") };
        let answered = self
            .ask(who, request, |channel, request| async move {
                CallServiceClient::new(channel).confirm_record(request).await
            })
            .await?;
        self.check(contact.place, "record", None, &answered);
        Ok(())
    }

    async fn promise(&mut self, contact: &Contact, promise: &Promise, who: &Who) -> Result<(), DemoError> {
        let request = PromiseCallbackRequest {
            name: format!("calls/{}", contact.id),
            agreed_time: Some(to_proto(promise.at)),
            client_asked: promise.client_asked,
            phone: String::new(),
            subject: String::new(),
            request_id: request_id(&contact.id, "promise"),
        };
        let answered = self
            .ask(who, request, |channel, request| async move {
                CallServiceClient::new(channel).promise_callback(request).await
            })
            .await?;
        self.check(contact.place, "promise_at", None, &answered);
        Ok(())
    }

    /// The callback that an outbound contact carries out; empty for none.
    async fn callback_carried_out(&mut self, contact: &Contact) -> Result<String, DemoError> {
        if contact.callback_of.is_empty() {
            return Ok(String::new());
        }
        self.feeds.read_until(self.simulation.heads()).await?;
        if let Some(name) = self.feeds.callback_of_contact(&contact.callback_of) {
            return Ok(name.to_owned());
        }
        let origin = &contact.callback_of;
        self.note(contact.place, "callback_of", format!("a callback of {origin}"), "there is none");
        Ok(String::new())
    }

    /// Who registers a contact: telephony for calls, the CRM for what an employee receives.
    fn registrar(&self, contact: &Contact) -> Who {
        let by = contact.answer.as_ref().map(|answer| answer.by.as_str());
        match by {
            Some(by) if contact.channel != Channel::Phone => self.agent(contact, by),
            _ => {
                let telephony = |account: &&Account| {
                    !account.act_for_employees && account.branches.contains(&contact.branch)
                };
                let account = self.input.accounts.iter().find(telephony);
                let of_branch = || {
                    let mut employees = self.input.employees.iter();
                    let someone = employees
                        .find(|employee| employee.branch == contact.branch && employee.serves_clients());
                    by.or(someone.map(|employee| employee.id.as_str())).unwrap_or_default()
                };
                match account {
                    Some(account) => Who::of(format!("serviceAccounts/{}", account.id)),
                    None => Who::of(format!("employees/{}", of_branch())),
                }
            }
        }
    }

    /// In whose name an employee's step is made: with a token of their own at the telephone, through the CRM otherwise, if there is one. E-mails
    /// come with the employee's external id, visits with the name, so that both ways are walked.
    fn agent(&self, contact: &Contact, id: &str) -> Who {
        let name = format!("employees/{id}");
        let employee = self.input.employee(id);
        let acts = |account: &&Account| {
            account.act_for_employees
                && employee.is_some_and(|employee| account.branches.contains(&employee.branch))
        };
        let crm = self.input.accounts.iter().find(acts).filter(|_| contact.channel != Channel::Phone);
        let Some(crm) = crm else { return Who::of(name) };
        let external = employee.map(|employee| employee.external_id.clone()).filter(|id| !id.is_empty());
        let acting = if contact.channel == Channel::Email { external.unwrap_or(name) } else { name };
        Who { subject: format!("serviceAccounts/{}", crm.id), acting: Some(acting) }
    }
}
