//! The firm's clients: all of them through one stream before the month begins, and what employees do about one afterwards.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::stream;
use shouwen_proto::{
    clients::v1::{
        AssignServiceManagerRequest, CapitalAccount, ClientInput, ImportClientsRequest,
        ListImportFaultsRequest, SaveClientRequest, client_service_client::ClientServiceClient,
    },
    events::v1::ImportFault,
    longrunning::operation,
};

use super::{
    super::{
        DemoError,
        api::{Refused, Who, request_id},
        input::{Action, CLIENTS, Client, ClientDeed, RejectedLine},
        progress::Progress,
        simulation::Service,
    },
    Answered, Play,
};

/// Entries per page.
const PAGE: i32 = 1_000;
/// How often the progress of an import is looked at.
const LOOK: std::time::Duration = std::time::Duration::from_millis(100);

impl<'a> Play<'a> {
    /// Sends every client through one stream; lines that the product does not take are reported as those of the files are.
    pub(super) async fn import_clients(&mut self, progress: &mut Progress) -> Result<(), DemoError> {
        if self.input.clients.is_empty() {
            return Ok(());
        }
        self.simulation.called(Service::Clients);
        let who = Who::of(self.input.administrator());
        let lines: Arc<[ImportClientsRequest]> = self.input.clients.iter().map(line).collect();
        let total = lines.len();
        let sent = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sent);
        let import = self.api.stream(
            &who,
            move || {
                counted.store(0, Ordering::Relaxed);
                let (lines, counted) = (Arc::clone(&lines), Arc::clone(&counted));
                stream::unfold(0, move |next| {
                    let line = lines.get(next).cloned();
                    counted.store(next, Ordering::Relaxed);
                    async move { line.map(|line| (line, next + 1)) }
                })
            },
            |channel, request| async move { ClientServiceClient::new(channel).import_clients(request).await },
        );
        let mut import = std::pin::pin!(import);
        let operation = loop {
            tokio::select! {
                ended = &mut import => break ended,
                () = tokio::time::sleep(LOOK) => {
                    progress.before("导入客户 clients", sent.load(Ordering::Relaxed), total);
                }
            }
        };
        let operation = operation.map_err(|refused| DemoError::call("ImportClients", refused))?;
        progress.before("导入客户 clients", total, total);
        if let Some(operation::Result::Error(error)) = operation.result {
            return Err(DemoError::Import(error.message));
        }
        self.import_faults(&who, &operation.name).await
    }

    async fn import_faults(&mut self, who: &Who, operation: &str) -> Result<(), DemoError> {
        let mut page_token = String::new();
        loop {
            let request =
                ListImportFaultsRequest { parent: operation.to_owned(), page_size: PAGE, page_token };
            let page = self
                .ask(who, request, |channel, request| async move {
                    ClientServiceClient::new(channel).list_import_faults(request).await
                })
                .await?
                .map_err(|refused| DemoError::call("ListImportFaults", refused))?;
            self.tally.rejected.extend(page.faults.iter().map(rejected));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(());
            }
        }
    }

    /// A client's file as it stands.
    pub(super) fn file_of(&self, client: &str) -> Option<&Client> {
        self.changed_files.get(client).or_else(|| self.input.client(client))
    }

    /// `None` where there is no such client.
    pub(super) async fn act_on_client(
        &mut self,
        action: &'a Action,
        client: &'a str,
        deed: &ClientDeed,
    ) -> Result<Option<Result<(), Refused>>, DemoError> {
        let Some(mut file) = self.file_of(client).cloned() else { return Ok(None) };
        self.simulation.called(Service::Clients);
        let who = &Who::of(format!("employees/{}", action.by));
        let request_id = request_id(&action.text, &action.name);
        let answered: Answered<()> = match deed {
            ClientDeed::Save { assets_fen, turnover_percent, phone, evidence } => {
                file.assets_fen = assets_fen.unwrap_or(file.assets_fen);
                file.turnover_percent = turnover_percent.unwrap_or(file.turnover_percent);
                file.phone = phone.clone().unwrap_or(file.phone);
                let client = Some(ClientInput { contact_evidence: evidence.clone(), ..entry(&file) });
                let request = SaveClientRequest { client, etag: String::new(), request_id };
                let saved = self
                    .ask(who, request, |channel, request| async move {
                        ClientServiceClient::new(channel).save_client(request).await
                    })
                    .await;
                saved.map(|saved| saved.map(drop))
            }
            ClientDeed::AssignManager { employee, reason } => {
                let request = AssignServiceManagerRequest {
                    name: format!("clients/{client}"),
                    employee: format!("employees/{employee}"),
                    reason: reason.clone(),
                    etag: String::new(),
                    request_id,
                };
                let assigned = self
                    .ask(who, request, |channel, request| async move {
                        ClientServiceClient::new(channel).assign_service_manager(request).await
                    })
                    .await;
                assigned.map(|assigned| assigned.map(drop))
            }
            ClientDeed::Verify { said } => self.verify(action, client, said).await,
            ClientDeed::Disclose { purpose } => self.disclose(action, &file, purpose).await,
        };
        let answered = answered?;
        if answered.is_ok() {
            self.changed_files.insert(client, file);
        }
        Ok(Some(answered))
    }
}

fn line(client: &Client) -> ImportClientsRequest {
    ImportClientsRequest {
        request_id: request_id("clients", "import"),
        line: i64::try_from(client.place.line).unwrap_or_default(),
        client: Some(entry(client)),
    }
}

fn entry(client: &Client) -> ClientInput {
    let manager = &client.service_manager;
    let accounts = client.accounts.iter().map(|account| CapitalAccount {
        account: account.number.clone(),
        custodian_bank: account.bank.clone(),
        primary: account.primary,
    });
    ClientInput {
        name: format!("clients/{}", client.id),
        branch: format!("branches/{}", client.branch),
        display_name: client.name.clone(),
        phone: client.phone.clone(),
        identity_number: client.identity_number.clone(),
        email: String::new(),
        address: String::new(),
        capital_accounts: accounts.collect(),
        assets_fen: client.assets_fen,
        turnover_percent: client.turnover_percent,
        holdings: client.holdings.clone(),
        last_purchase: client.last_purchase.clone(),
        service_manager: if manager.is_empty() { String::new() } else { format!("employees/{manager}") },
        contact_evidence: String::new(),
    }
}

/// A line that the product did not take, in the words of the reader of files.
fn rejected(fault: &ImportFault) -> RejectedLine {
    let field = fault.field.strip_prefix("client.").unwrap_or(&fault.field);
    let column = match field.split(['[', '.']).next().unwrap_or_default() {
        "display_name" => "name",
        "capital_accounts" => "accounts",
        "assets_fen" => "assets",
        "turnover_percent" => "turnover",
        "name" => "client",
        other => other,
    };
    let (reason, remedy) =
        fault.description.split_once("; ").unwrap_or((&fault.description, "correct the line"));
    RejectedLine {
        file: CLIENTS,
        line: u64::try_from(fault.line).unwrap_or_default(),
        column: column.to_owned(),
        reason: format!("{}: {reason}", fault.reason),
        remedy: remedy.to_owned(),
    }
}
