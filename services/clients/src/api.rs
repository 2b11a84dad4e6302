//! `ClientService`: protobuf to commands and states to protobuf, and how far the caller reaches. What is possible when is the domain's.

mod disclosure;
mod entry;
mod failures;
mod filter;
mod import;
mod keys;
mod messages;
mod parse;
pub(crate) mod requests;
mod saving;
mod sealing;
mod texts;

use shouwen_access::{BranchName, Caller, Failure, PageTokens, page_token::Query};
use shouwen_engine::{Engine, Outcome};
use shouwen_proto::{
    clients::v1::{
        AnswerVerificationRequest, AssignServiceManagerRequest, Client as ClientMessage, FullClient,
        GetClientRequest, GetFullClientRequest, GetOperationRequest, ImportClientsRequest,
        ListClientsRequest, ListClientsResponse, ListImportFaultsRequest, ListImportFaultsResponse,
        ResolveClientRequest, ResolveClientResponse, SaveClientRequest, StartVerificationRequest,
        Verification, client_service_server,
    },
    longrunning::Operation,
};
use shouwen_runtime::ids;
use shouwen_serving::{Call, call::etag_version, page, refusal};
use shouwen_vault::Vault;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    domain::{Client, ClientName, Command, Import, Lookup, OperationName, State, verification},
    store,
    write_path::ClientsDomain,
};
use import::Importer;
use saving::{Desk, Line};

/// Clients that one lookup shows at most.
const MOST_RESOLVED: i64 = 20;

/// Serves `ClientService`.
pub(crate) struct Api {
    desk: Desk,
    pages: PageTokens,
}

impl Api {
    pub(crate) fn new(engine: Engine<ClientsDomain>, vault: Vault, pages: PageTokens) -> Self {
        Self { desk: Desk { engine, vault }, pages }
    }

    fn engine(&self) -> &Engine<ClientsDomain> {
        &self.desk.engine
    }

    async fn find(&self, name: &ClientName) -> Result<Client, Failure> {
        store::clients::find(self.engine().pool(), name)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| Failure::not_found("client", name.as_str()))
    }

    async fn find_import(&self, name: &OperationName) -> Result<Import, Failure> {
        store::imports::find(self.engine().pool(), name)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| Failure::not_found("operation", name.as_str()))
    }

    async fn submit(&self, call: &Call, command: Command) -> Result<Client, Failure> {
        of_client(call.submit(self.engine(), call.submission(command)).await?)
    }

    /// L10: on record before anything is shown. A read has no request id: what is looked for twice counts twice.
    async fn record_lookup(&self, caller: &Caller, lookup: Lookup) -> Result<(), Failure> {
        let call = Call { caller: caller.clone(), method: "ResolveClient", request: None, bytes: 0 };
        call.submit(self.engine(), call.submission(Command::RecordLookup(lookup))).await?;
        Ok(())
    }

    /// K11: what was shown once is shown again only while the identity is verified.
    async fn still_verified(&self, name: &ClientName, employee: &str) -> Result<(), Failure> {
        let client = self.find(name).await?;
        let now = self.engine().now().await.map_err(|error| refusal::database(&error))?;
        verification::verified(&client, employee, now)?;
        Ok(())
    }

    fn verification(&self, client: &Client, employee: &str) -> Result<Response<Verification>, Failure> {
        let book = self.engine().domain().policies().book();
        messages::verification(client, employee, &book).map(Response::new)
    }
}

/// The client after a command.
fn of_client(outcome: Outcome<State>) -> Result<Client, Failure> {
    match outcome.state {
        Some(State::Client(client)) => Ok(*client),
        _ => Err(Failure::internal()),
    }
}

#[tonic::async_trait]
impl client_service_server::ClientService for Api {
    async fn import_clients(
        &self,
        request: Request<Streaming<ImportClientsRequest>>,
    ) -> Result<Response<Operation>, Status> {
        let (metadata, extensions, mut stream) = request.into_parts();
        let first = stream.message().await.map_err(|_| failures::stream_broken())?;
        let first = first.ok_or_else(Failure::request_id_required)?;
        let request = Request::from_parts(metadata, extensions, ());
        let call = Call::mutation(&request, "ImportClients", &first.request_id)?;
        let importer = Importer { desk: self.desk.clone(), call };
        // A caller who goes away drops this future, but not the task.
        let task = tokio::spawn(importer.run(first, stream));
        let operation = task.await.map_err(|_| Failure::internal())??;
        Ok(Response::new(operation))
    }

    async fn get_operation(
        &self,
        request: Request<GetOperationRequest>,
    ) -> Result<Response<Operation>, Status> {
        let import = self.find_import(&parse::operation(&request.get_ref().name)?).await?;
        Ok(Response::new(messages::operation(&import)))
    }

    async fn list_import_faults(
        &self,
        request: Request<ListImportFaultsRequest>,
    ) -> Result<Response<ListImportFaultsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.get_ref();
        let import = self.find_import(&parse::operation(&request.parent)?).await?;
        let size = page::size(request.page_size, 100, 1000)?;
        let attempt = import.attempt.to_string();
        let arguments = [import.name.as_str(), attempt.as_str()];
        let query = Query { method: "ListImportFaults", caller, arguments: &arguments };
        let after = match self.pages.open(&query, &request.page_token)? {
            None => 0,
            Some(position) => parse::numbered(position)?,
        };
        let pool = self.engine().pool();
        let faults = store::imports::faults(pool, &import.name, import.attempt, after, size + 1)
            .await
            .map_err(|error| refusal::database(&error))?;
        let (faults, more) = page::cut(faults, size);
        let next_page_token = faults
            .last()
            .filter(|_| more)
            .map_or_else(String::new, |(number, _)| self.pages.issue(&query, number.to_string().as_bytes()));
        let faults = faults.iter().map(|(_, fault)| fault.into()).collect();
        Ok(Response::new(ListImportFaultsResponse { faults, next_page_token }))
    }

    async fn save_client(
        &self,
        request: Request<SaveClientRequest>,
    ) -> Result<Response<ClientMessage>, Status> {
        let call = Call::mutation(&request, "SaveClient", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let entry = entry::parse(request.client.as_ref())?;
        let line = Line { entry, etag: etag_version(&request.etag)?, call };
        let saved = self.desk.save(&[line]).await?.pop().ok_or_else(Failure::internal)?;
        Ok(Response::new(messages::client(&of_client(saved?)?)))
    }

    async fn get_client(
        &self,
        request: Request<GetClientRequest>,
    ) -> Result<Response<ClientMessage>, Status> {
        let client = self.find(&parse::client(&request.get_ref().name)?).await?;
        Ok(Response::new(messages::client(&client)))
    }

    async fn list_clients(
        &self,
        request: Request<ListClientsRequest>,
    ) -> Result<Response<ListClientsResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let request = request.get_ref();
        let branch = parse::listed_branch(&request.parent, &caller.reach)?;
        let filter = filter::parse(&request.filter)?;
        let size = page::size(request.page_size, 50, 200)?;
        let arguments = [request.parent.as_str(), request.filter.as_str()];
        let query = Query { method: "ListClients", caller, arguments: &arguments };
        let after = match self.pages.open(&query, &request.page_token)? {
            None => String::new(),
            Some(position) => parse::position(position)?,
        };
        // One more than asked for tells whether there is a next page.
        let branch = branch.as_ref().map(BranchName::as_str);
        let clients = store::clients::list(self.engine().pool(), branch, &filter, &after, size + 1)
            .await
            .map_err(|error| refusal::database(&error))?;
        let (clients, more) = page::cut(clients, size);
        let next_page_token = clients
            .last()
            .filter(|_| more)
            .map_or_else(String::new, |last| self.pages.issue(&query, last.name.as_str().as_bytes()));
        let clients = clients.iter().map(messages::client).collect();
        Ok(Response::new(ListClientsResponse { clients, next_page_token }))
    }

    async fn resolve_client(
        &self,
        request: Request<ResolveClientRequest>,
    ) -> Result<Response<ResolveClientResponse>, Status> {
        let caller = Caller::from_request(&request)?;
        let (by, key) = parse::lookup(request.get_ref(), &self.desk.vault.blind_index())?;
        let clients = store::clients::resolve(self.engine().pool(), &key, MOST_RESOLVED)
            .await
            .map_err(|error| refusal::database(&error))?;
        if let Some(employee) = &caller.employee {
            let found = clients.iter().map(|client| client.name.to_string()).collect();
            let branch = caller.branch.as_ref().map(ToString::to_string);
            let lookup = Lookup { employee: employee.to_string(), branch, by, found };
            self.record_lookup(caller, lookup).await?;
        }
        let clients = clients.iter().map(messages::client).collect();
        Ok(Response::new(ResolveClientResponse { clients }))
    }

    async fn start_verification(
        &self,
        request: Request<StartVerificationRequest>,
    ) -> Result<Response<Verification>, Status> {
        let call = Call::mutation(&request, "StartVerification", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let client = parse::client(&request.get_ref().name)?;
        let verification = ids::new_v7().to_string();
        let command = Command::StartVerification { client, employee: employee.clone(), verification };
        let client = self.submit(&call, command).await?;
        Ok(self.verification(&client, &employee)?)
    }

    async fn answer_verification(
        &self,
        request: Request<AnswerVerificationRequest>,
    ) -> Result<Response<Verification>, Status> {
        let call = Call::mutation(&request, "AnswerVerification", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let request = request.get_ref();
        let client = parse::client(&request.name)?;
        let (factor, key, security) = parse::answer(&client, request, &self.desk.vault.blind_index())?;
        let command = Command::AnswerVerification {
            client,
            employee: employee.clone(),
            verification: request.verification.clone(),
            factor,
            key,
            security,
        };
        let client = self.submit(&call, command).await?;
        Ok(self.verification(&client, &employee)?)
    }

    async fn get_full_client(
        &self,
        request: Request<GetFullClientRequest>,
    ) -> Result<Response<FullClient>, Status> {
        let call = Call::mutation(&request, "GetFullClient", &request.get_ref().request_id)?;
        let employee = call.caller.require_employee()?.to_string();
        let name = parse::client(&request.get_ref().name)?;
        let purpose = parse::reason("purpose", &request.get_ref().purpose)?;
        let command = Command::Disclose { client: name.clone(), employee: employee.clone(), purpose };
        let outcome = call.submit(self.engine(), call.submission(command)).await?;
        if outcome.replayed {
            self.still_verified(&name, &employee).await?;
        }
        Ok(Response::new(disclosure::full(&self.desk.vault, &of_client(outcome)?).await?))
    }

    async fn assign_service_manager(
        &self,
        request: Request<AssignServiceManagerRequest>,
    ) -> Result<Response<ClientMessage>, Status> {
        let call = Call::mutation(&request, "AssignServiceManager", &request.get_ref().request_id)?;
        let request = request.get_ref();
        let name = parse::client(&request.name)?;
        let employee = parse::employee(&request.employee)?.to_string();
        let reason = parse::reason("reason", &request.reason)?;
        let etag = etag_version(&request.etag)?;
        let branch = self.find(&name).await?.branch;
        if !call.caller.reach.covers(&branch) {
            return Err(failures::branch_out_of_reach(&branch).into());
        }
        let rosters = self.desk.rosters([branch.clone()].into()).await?;
        let roster = rosters.get(&branch).ok_or_else(|| failures::branch_unknown(&branch))?.clone();
        let command = Command::Assign { client: name.clone(), employee, roster, reason, etag };
        let client = self.submit(&call, command).await?;
        self.desk.settle(&rosters, vec![(name.to_string(), branch)]).await?;
        Ok(Response::new(messages::client(&client)))
    }
}
