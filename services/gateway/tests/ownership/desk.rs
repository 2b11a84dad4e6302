//! An employee at work: calls to the service in their name, as the gateway forwards them, and what they are answered.

use std::collections::HashMap;

use prost::Message;
use shouwen_access::{Caller, context::body_digest};
use shouwen_proto::{
    access::v1::{CallContext, Role},
    events::v1::CloseKind,
    ownership::v1::{
        AcceptOfferRequest, BatchGetCasesRequest, BatchGetCasesResponse, BeginOverrideRequest, Branch, Case,
        ClaimRequest, ClaimResponse, CloseCaseRequest, ConfirmSatisfactionRequest, DeclineOfferRequest,
        Employee, EndOverrideRequest, GetCaseRequest, GetReceiptRequest, GetTimelineRequest,
        GetTimelineResponse, IdentifyClientRequest, ImportRosterRequest, ImportRosterResponse,
        ListCasesRequest, ListCasesResponse, OfferTransferRequest, Receipt, ReopenCaseRequest,
        ResolveCaseRequest, RosterEntry, WithdrawOfferRequest, absence_service_client::AbsenceServiceClient,
        case_service_client::CaseServiceClient, roster_entry::Entry,
        roster_service_client::RosterServiceClient,
    },
    policy::v1::policy_service_client::PolicyServiceClient,
    routing::v1::{WatchDeskRequest, WatchDeskResponse, desk_service_client::DeskServiceClient},
    r#type::v1::Channel,
};
use shouwen_runtime::ids;
use tonic::{Code, Request, Response, Status, Streaming, service::Routes};
use tonic_types::StatusExt as _;

/// An answer, or the refusal as a program sees it.
pub(crate) type Answer<T> = Result<T, Refused>;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) code: Code,
    pub(crate) reason: String,
    pub(crate) metadata: HashMap<String, String>,
    /// Paths of the fields that are wrong.
    pub(crate) fields: Vec<String>,
    /// The text for people.
    pub(crate) text: String,
}

impl From<Status> for Refused {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info().cloned().unwrap_or_else(|| panic!("no reason: {status:?}"));
        assert_eq!(info.domain, "shouwen");
        let fields = details.bad_request().map(|bad| &*bad.field_violations).unwrap_or_default();
        Self {
            code: status.code(),
            reason: info.reason,
            metadata: info.metadata,
            fields: fields.iter().map(|violation| violation.field.clone()).collect(),
            text: details.localized_message().unwrap().message.clone(),
        }
    }
}

/// Whether a text is Chinese throughout: no English word outside of the names between backticks.
pub(crate) fn is_chinese(text: &str) -> bool {
    text.split('`').step_by(2).all(|part| !part.bytes().any(|byte| byte.is_ascii_lowercase()))
}

/// The reason of a refusal.
pub(crate) fn reason<T: std::fmt::Debug>(answer: Answer<T>) -> String {
    answer.unwrap_err().reason
}

/// Employees of the usual roster: name, branch, roles, active.
const USUAL: [(&str, &str, &[Role], bool); 12] = [
    ("zhang", "b1", &[Role::Staff], true),
    ("li", "b1", &[Role::Staff], true),
    ("wang", "b1", &[Role::Staff], true),
    ("zhao", "b1", &[Role::Lead], true),
    ("qian", "b1", &[Role::Lead], true),
    ("sun", "b2", &[Role::Staff], true),
    ("zhou", "b2", &[Role::Lead], true),
    ("chen", "hq", &[Role::Hq], true),
    ("lin", "hq", &[Role::Hq], true),
    ("root", "hq", &[Role::Admin], true),
    ("gone", "b1", &[Role::Staff], false),
    ("auditor", "hq", &[Role::Auditor], true),
];

/// The name of an employee's resource.
pub(crate) fn employee(id: &str) -> String {
    format!("employees/{id}")
}

/// A client's desk at the service.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) routes: Routes,
    pub(crate) caller: Caller,
}

impl Desk {
    /// Of an employee of the usual roster, or of a colleague in b1 who is staff.
    pub(crate) fn of(routes: Routes, id: &str) -> Self {
        let usual = USUAL.iter().find(|(name, ..)| *name == id);
        let (branch, roles) =
            usual.map_or(("b1", &[Role::Staff][..]), |(_, branch, roles, _)| (*branch, *roles));
        let everywhere = [Role::Hq, Role::Admin, Role::Auditor].iter().any(|role| roles.contains(role));
        let context = CallContext {
            principal: employee(id),
            employee: employee(id),
            branch: format!("branches/{branch}"),
            roles: roles.iter().map(|role| i32::from(*role)).collect(),
            branches: vec![format!("branches/{branch}")],
            all_branches: everywhere,
            ..CallContext::default()
        };
        Self { routes, caller: Caller::of_context(context).unwrap() }
    }

    /// Of a connected system that calls in its own name.
    pub(crate) fn of_account(routes: Routes, account: &str) -> Self {
        let context = CallContext {
            principal: format!("serviceAccounts/{account}"),
            roles: vec![Role::ServiceAccount.into()],
            all_branches: true,
            ..CallContext::default()
        };
        Self { routes, caller: Caller::of_context(context).unwrap() }
    }

    /// The same employee, asking for answers in Chinese.
    pub(crate) fn in_chinese(mut self) -> Self {
        self.caller.language = shouwen_access::Language::ZhCn;
        self
    }

    /// A request of this employee; its digest is that of the message.
    pub(crate) fn request<M: Message>(&self, message: M) -> Request<M> {
        let digest = body_digest(&message.encode_to_vec());
        let mut request = Request::new(message);
        request.extensions_mut().insert(Caller { body_digest: Some(digest), ..self.caller.clone() });
        request
    }

    /// Calls a method of cases.
    pub(crate) async fn cases<M: Message, R>(
        &self,
        message: M,
        call: impl AsyncFnOnce(CaseServiceClient<Routes>, Request<M>) -> Result<Response<R>, Status>,
    ) -> Answer<R> {
        let client = CaseServiceClient::new(self.routes.clone());
        // As the layer in front of the routes does.
        let called = self.caller.language.scope(call(client, self.request(message))).await;
        Ok(called?.into_inner())
    }

    /// Calls a method of the roster.
    pub(crate) async fn roster<M: Message, R>(
        &self,
        message: M,
        call: impl AsyncFnOnce(RosterServiceClient<Routes>, Request<M>) -> Result<Response<R>, Status>,
    ) -> Answer<R> {
        let client = RosterServiceClient::new(self.routes.clone());
        let called = self.caller.language.scope(call(client, self.request(message))).await;
        Ok(called?.into_inner())
    }

    /// Calls a method of absences.
    pub(crate) async fn absences<M: Message, R>(
        &self,
        message: M,
        call: impl AsyncFnOnce(AbsenceServiceClient<Routes>, Request<M>) -> Result<Response<R>, Status>,
    ) -> Answer<R> {
        let client = AbsenceServiceClient::new(self.routes.clone());
        let called = self.caller.language.scope(call(client, self.request(message))).await;
        Ok(called?.into_inner())
    }

    /// Calls a method of policies.
    pub(crate) async fn policies<M: Message, R>(
        &self,
        message: M,
        call: impl AsyncFnOnce(PolicyServiceClient<Routes>, Request<M>) -> Result<Response<R>, Status>,
    ) -> Answer<R> {
        let client = PolicyServiceClient::new(self.routes.clone());
        let called = self.caller.language.scope(call(client, self.request(message))).await;
        Ok(called?.into_inner())
    }

    /// Watches what waits for an employee; empty names mean oneself and from the beginning.
    pub(crate) async fn watch(&self, employee: &str, cursor: &str) -> Answer<Streaming<WatchDeskResponse>> {
        let request = WatchDeskRequest { employee: employee.to_owned(), cursor: cursor.to_owned() };
        let mut client = DeskServiceClient::new(self.routes.clone());
        Ok(client.watch_desk(self.request(request)).await?.into_inner())
    }

    pub(crate) async fn claim_as(&self, request: ClaimRequest) -> Answer<ClaimResponse> {
        self.cases(request, async |mut cases, request| cases.claim(request).await).await
    }

    /// Claims a contact of an unknown client.
    pub(crate) async fn claim(&self, contact: &str) -> Answer<ClaimResponse> {
        self.claim_as(claim(contact, "")).await
    }

    /// Claims a contact of a client who is known.
    pub(crate) async fn claim_of(&self, contact: &str, client: &str) -> Answer<ClaimResponse> {
        self.claim_as(claim(contact, client)).await
    }

    /// Opens a case of a client and answers its name.
    pub(crate) async fn open(&self, contact: &str, client: &str) -> String {
        self.claim_of(contact, client).await.unwrap().case.unwrap().name
    }

    pub(crate) async fn identify(&self, contact: &str, client: &str) -> Answer<Case> {
        let request = IdentifyClientRequest {
            contact: format!("contacts/{contact}"),
            client: client.to_owned(),
            request_id: id(),
            ..IdentifyClientRequest::default()
        };
        self.cases(request, async |mut cases, request| cases.identify_client(request).await).await
    }

    pub(crate) async fn get(&self, case: &str) -> Answer<Case> {
        let request = GetCaseRequest { name: case.to_owned() };
        self.cases(request, async |mut cases, request| cases.get_case(request).await).await
    }

    pub(crate) async fn batch(&self, names: &[&str]) -> Answer<BatchGetCasesResponse> {
        let request = BatchGetCasesRequest { names: names.iter().map(|name| (*name).to_owned()).collect() };
        self.cases(request, async |mut cases, request| cases.batch_get_cases(request).await).await
    }

    pub(crate) async fn list(&self, request: ListCasesRequest) -> Answer<ListCasesResponse> {
        self.cases(request, async |mut cases, request| cases.list_cases(request).await).await
    }

    pub(crate) async fn offer(&self, case: &str, to: &str) -> Answer<Case> {
        let request = OfferTransferRequest {
            name: case.to_owned(),
            to: employee(to),
            reason: "knows margin accounts".to_owned(),
            explanation: "a colleague will call".to_owned(),
            etag: String::new(),
            request_id: id(),
        };
        self.cases(request, async |mut cases, request| cases.offer_transfer(request).await).await
    }

    /// Offers the work and answers the offer's id.
    pub(crate) async fn offered(&self, case: &str, to: &str) -> String {
        self.offer(case, to).await.unwrap().offer.unwrap().offer
    }

    pub(crate) async fn accept(&self, case: &str, offer: &str) -> Answer<Case> {
        let request = AcceptOfferRequest { name: case.to_owned(), offer: offer.to_owned(), request_id: id() };
        self.cases(request, async |mut cases, request| cases.accept_offer(request).await).await
    }

    pub(crate) async fn decline(&self, case: &str, offer: &str) -> Answer<Case> {
        let request = DeclineOfferRequest {
            name: case.to_owned(),
            offer: offer.to_owned(),
            reason: "on leave tomorrow".to_owned(),
            request_id: id(),
        };
        self.cases(request, async |mut cases, request| cases.decline_offer(request).await).await
    }

    pub(crate) async fn withdraw(&self, case: &str, offer: &str) -> Answer<Case> {
        let request =
            WithdrawOfferRequest { name: case.to_owned(), offer: offer.to_owned(), request_id: id() };
        self.cases(request, async |mut cases, request| cases.withdraw_offer(request).await).await
    }

    pub(crate) async fn begin_override(&self, case: &str) -> Answer<Case> {
        let request = BeginOverrideRequest {
            name: case.to_owned(),
            reason: "the handler is unreachable".to_owned(),
            etag: String::new(),
            request_id: id(),
        };
        self.cases(request, async |mut cases, request| cases.begin_override(request).await).await
    }

    pub(crate) async fn end_override(&self, case: &str) -> Answer<Case> {
        let request = EndOverrideRequest { name: case.to_owned(), request_id: id() };
        self.cases(request, async |mut cases, request| cases.end_override(request).await).await
    }

    pub(crate) async fn resolve(&self, case: &str) -> Answer<Case> {
        let request = ResolveCaseRequest {
            name: case.to_owned(),
            answer: "the fee was refunded".to_owned(),
            etag: String::new(),
            request_id: id(),
        };
        self.cases(request, async |mut cases, request| cases.resolve_case(request).await).await
    }

    pub(crate) async fn confirm(&self, case: &str, satisfied: bool) -> Answer<Case> {
        let request = ConfirmSatisfactionRequest {
            name: case.to_owned(),
            satisfied,
            reason: "the client said so".to_owned(),
            etag: String::new(),
            request_id: id(),
        };
        self.cases(request, async |mut cases, request| cases.confirm_satisfaction(request).await).await
    }

    pub(crate) async fn close(&self, case: &str) -> Answer<Case> {
        let request = CloseCaseRequest {
            name: case.to_owned(),
            kind: CloseKind::Unreachable.into(),
            reason: "three attempts".to_owned(),
            etag: String::new(),
            request_id: id(),
        };
        self.cases(request, async |mut cases, request| cases.close_case(request).await).await
    }

    pub(crate) async fn reopen(&self, case: &str) -> Answer<Case> {
        let request = ReopenCaseRequest {
            name: case.to_owned(),
            reason: "the client called again".to_owned(),
            request_id: id(),
        };
        self.cases(request, async |mut cases, request| cases.reopen_case(request).await).await
    }

    pub(crate) async fn timeline(&self, case: &str, size: i32, token: &str) -> Answer<GetTimelineResponse> {
        let request =
            GetTimelineRequest { name: case.to_owned(), page_size: size, page_token: token.to_owned() };
        self.cases(request, async |mut cases, request| cases.get_timeline(request).await).await
    }

    pub(crate) async fn receipt(&self, case: &str) -> Answer<Receipt> {
        let request = GetReceiptRequest { name: case.to_owned() };
        self.cases(request, async |mut cases, request| cases.get_receipt(request).await).await
    }

    pub(crate) async fn import(&self, entries: Vec<RosterEntry>) -> Answer<ImportRosterResponse> {
        let request = ImportRosterRequest { entries, request_id: id() };
        self.roster(request, async |mut roster, request| roster.import_roster(request).await).await
    }

    /// Imports the usual roster: two branches, headquarters, and who works there.
    pub(crate) async fn import_usual(&self) {
        let branches = [("b1", "浦东营业部"), ("b2", "静安营业部"), ("hq", "经纪业务总部")]
            .map(|(branch, name)| entry_of_branch(branch, name));
        let employees = USUAL.map(|(name, branch, roles, active)| {
            Entry::Employee(Employee { active, ..colleague(name, branch, roles) }).into_entry()
        });
        let imported = self.import(branches.into_iter().chain(employees).collect()).await.unwrap();
        assert_eq!(imported.rejected, []);
    }
}

/// A request to claim a contact by telephone.
pub(crate) fn claim(contact: &str, client: &str) -> ClaimRequest {
    ClaimRequest {
        contact: format!("contacts/{contact}"),
        topic: String::new(),
        channel: Channel::Phone.into(),
        client: client.to_owned(),
        request_id: id(),
    }
}

/// A new request id.
pub(crate) fn id() -> String {
    ids::new_v4().to_string()
}

/// An entry of the roster.
pub(crate) trait IntoEntry {
    fn into_entry(self) -> RosterEntry;
}

impl IntoEntry for Entry {
    fn into_entry(self) -> RosterEntry {
        RosterEntry { entry: Some(self) }
    }
}

pub(crate) fn entry_of_branch(branch: &str, display_name: &str) -> RosterEntry {
    Entry::Branch(Branch {
        name: format!("branches/{branch}"),
        display_name: display_name.to_owned(),
        complaints_phone: "021-95500".to_owned(),
        etag: String::new(),
    })
    .into_entry()
}

/// An active employee.
pub(crate) fn colleague(id: &str, branch: &str, roles: &[Role]) -> Employee {
    Employee {
        name: employee(id),
        display_name: id.to_uppercase(),
        branch: format!("branches/{branch}"),
        roles: roles.iter().map(|role| i32::from(*role)).collect(),
        office_phone: format!("021-5000-{}", id.len()),
        external_id: format!("E-{id}"),
        active: true,
        etag: String::new(),
        position: 0,
        skills: Vec::new(),
        vip_seat: false,
        duty: false,
    }
}
