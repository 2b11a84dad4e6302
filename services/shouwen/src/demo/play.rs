//! Plays the month through the public API: each step in the name of who did it, at its time. What the product refuses or accepts against the
//! files is noted with its line, and the play goes on; only a stack that does not answer ends it.

mod action;
mod client;
mod complaint;
mod contact;
mod identity;

use std::{
    collections::{HashMap, HashSet},
    future::Future,
};

use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{
        Branch, Case, Employee, GetCaseRequest, ImportRosterRequest, Line, RosterEntry, ServiceAccount,
        case_service_client::CaseServiceClient, roster_entry::Entry,
        roster_service_client::RosterServiceClient,
    },
    policy::v1::{ApprovePolicyRequest, ProposePolicyRequest, policy_service_client::PolicyServiceClient},
};
use shouwen_runtime::channel::Channel;
use shouwen_serving::timestamps::to_proto;
use tonic::{Request, Response, Status};

use super::{
    DemoError, Difference,
    api::{Api, Refused, Who, request_id},
    feeds::Feeds,
    input::{CallbackKind, Client, Deed, Input, LookUp, Place, RejectedLine},
    progress::Progress,
    simulation::{Service, Simulation},
    timeline::{self, What},
};

/// How many roster entries go into one request.
const ENTRIES: usize = 1_000;
/// After how many steps the feeds are read on.
const READ_EVERY: usize = 64;
/// Mergers that are followed from one case.
const MERGERS: usize = 100;

/// What the product answered: its result or its refusal.
type Answered<R> = Result<Result<R, Refused>, DemoError>;

/// The play as it goes.
pub(super) struct Play<'a> {
    pub(super) input: &'a Input,
    pub(super) api: &'a Api,
    pub(super) simulation: Simulation<'a>,
    pub(super) feeds: Feeds<'a>,
    pub(super) observer: Who,
    /// The case of each contact that was answered.
    cases: HashMap<&'a str, String>,
    /// Contacts whose answer was refused: nothing further can happen to them.
    unanswered: HashSet<&'a str>,
    /// The newest offer known of each case.
    offers: HashMap<String, String>,
    /// Full names of the complaints by their names in the file.
    complaints: HashMap<&'a str, String>,
    /// Files of clients as they were changed since the import.
    changed_files: HashMap<&'a str, Client>,
    pub(super) tally: Tally,
}

/// What only who calls can see.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) second_answers_refused: u64,
    pub(super) refused_actions: u64,
    pub(super) differences: Vec<Difference>,
    /// Lines of clients.csv that the product did not take.
    pub(super) rejected: Vec<RejectedLine>,
}

impl<'a> Play<'a> {
    pub(super) fn new(input: &'a Input, api: &'a Api, simulation: Simulation<'a>) -> Self {
        let observer = Who::of(input.observer());
        Self {
            input,
            api,
            simulation,
            feeds: Feeds::new(api, &observer),
            observer,
            cases: HashMap::new(),
            unanswered: HashSet::new(),
            offers: HashMap::new(),
            complaints: HashMap::new(),
            changed_files: HashMap::new(),
            tally: Tally::default(),
        }
    }

    /// Imports roster and clients and plays all steps, then lets one more day pass.
    pub(super) async fn run(
        &mut self,
        calendar: Option<&str>,
        progress: &mut Progress,
    ) -> Result<(), DemoError> {
        self.import_roster().await?;
        if let Some(calendar) = calendar {
            self.put_in_force(calendar).await?;
        }
        // Who serves a client is chosen from the roster as the clients service knows it.
        self.simulation.settle().await?;
        self.import_clients(progress).await?;
        let steps = timeline::steps(self.input);
        let mut contacts = 0;
        for (number, step) in steps.iter().enumerate() {
            if number % READ_EVERY == 0 {
                self.simulation.doubt();
            }
            self.simulation.advance(step.at, services(&step.what)).await?;
            if number % READ_EVERY == 0 {
                self.feeds.read_until(self.simulation.heads()).await?;
            }
            match step.what {
                What::Register(contact) => {
                    contacts += 1;
                    self.register(contact).await?;
                }
                What::Answer(contact) => self.answer(contact).await?,
                What::End(contact) => self.end(contact).await?,
                What::Miss(contact) => self.miss(contact).await?,
                What::Act(action) => self.act(action).await?,
            }
            progress.step(number, self.simulation.now(), contacts, self.cases.len());
        }
        let last = steps.last().map_or(self.simulation.now(), |step| step.at);
        self.simulation.doubt();
        self.simulation.advance(last + chrono::TimeDelta::days(1), &[]).await?;
        self.feeds.read_to_the_end(self.simulation.heads()).await
    }

    async fn import_roster(&mut self) -> Result<(), DemoError> {
        self.simulation.called(Service::Ownership);
        let who = Who::of(self.input.administrator());
        let entries = roster(self.input);
        for (number, entries) in entries.chunks(ENTRIES).enumerate() {
            let request_id = request_id("roster", &format!("{number} {entries:?}"));
            let request = ImportRosterRequest { entries: entries.to_vec(), request_id };
            let imported = self
                .ask(&who, request, |channel, request| async move {
                    RosterServiceClient::new(channel).import_roster(request).await
                })
                .await?
                .map_err(|refused| DemoError::call("ImportRoster", refused))?;
            for rejected in imported.rejected {
                let entry = usize::try_from(rejected.index).ok().and_then(|index| entries.get(index));
                self.tally.differences.push(Difference {
                    what: format!("roster: {}: {}", entry.map_or("?", name), rejected.field),
                    expected: "to be imported".to_owned(),
                    actual: format!("{}: {}", rejected.reason, rejected.description),
                });
            }
        }
        Ok(())
    }

    /// One person of HQ proposes a calendar, another approves it (P3).
    async fn put_in_force(&mut self, calendar: &str) -> Result<(), DemoError> {
        let people: Vec<Who> = self
            .input
            .employees
            .iter()
            .filter(|employee| employee.has("hq"))
            .map(|employee| Who::of(format!("employees/{}", employee.id)))
            .collect();
        let [proposer, approver, ..] = people.as_slice() else {
            return Err(DemoError::Calendar(
                "the roster needs two people of HQ, one to propose and one to approve",
            ));
        };
        let text =
            prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(calendar.to_owned())) };
        let request = ProposePolicyRequest {
            kind: "calendar".to_owned(),
            scope: "firm".to_owned(),
            document: Some(prost_types::Struct { fields: [("toml".to_owned(), text)].into() }),
            effective_time: Some(to_proto(self.simulation.now())),
            request_id: request_id("calendar", "propose"),
        };
        let proposed = self
            .ask(proposer, request, |channel, request| async move {
                PolicyServiceClient::new(channel).propose_policy(request).await
            })
            .await?
            .map_err(|refused| DemoError::call("ProposePolicy", refused))?;
        let request = ApprovePolicyRequest {
            name: proposed.name,
            etag: String::new(),
            request_id: request_id("calendar", "approve"),
        };
        self.ask(approver, request, |channel, request| async move {
            PolicyServiceClient::new(channel).approve_policy(request).await
        })
        .await?
        .map_err(|refused| DemoError::call("ApprovePolicy", refused))?;
        self.simulation.called(Service::Ownership);
        Ok(())
    }

    /// Calls; a refusal is an answer, a stack that does not answer is the end.
    async fn ask<M, R, F>(
        &self,
        who: &Who,
        message: M,
        method: impl Fn(Channel, Request<M>) -> F,
    ) -> Answered<R>
    where
        M: Clone,
        F: Future<Output = Result<Response<R>, Status>>,
    {
        match self.api.send(who, message, method).await {
            Err(refused) if refused.is_outage() => Err(DemoError::call("the gateway", refused)),
            answered => Ok(answered),
        }
    }

    /// What the product said must be what the files say: notes where it is not.
    fn check<R>(
        &mut self,
        place: Place,
        step: &str,
        expect: Option<&str>,
        answered: &Result<R, Refused>,
    ) -> bool {
        let got = answered.as_ref().err().map(|refused| refused.reason.as_str());
        if got == expect {
            return true;
        }
        let expected =
            expect.map_or_else(|| "to be accepted".to_owned(), |reason| format!("{reason} as refusal"));
        let actual = match answered {
            Ok(_) => "accepted".to_owned(),
            Err(refused) => format!("{} ({})", refused.reason, refused.message),
        };
        self.note(place, step, expected, actual);
        false
    }

    fn note(&mut self, place: Place, step: &str, expected: impl Into<String>, actual: impl Into<String>) {
        let what = format!("{}:{}: {step}", place.file, place.line);
        self.tally.differences.push(Difference { what, expected: expected.into(), actual: actual.into() });
    }

    /// The case to which a contact belongs now, through all mergers.
    async fn case_of(&mut self, contact: &str) -> Result<Option<Case>, DemoError> {
        let Some((&contact, name)) = self.cases.get_key_value(contact) else { return Ok(None) };
        let mut name = name.clone();
        for _ in 0..MERGERS {
            let request = GetCaseRequest { name: name.clone() };
            let case = self
                .ask(&self.observer, request, |channel, request| async move {
                    CaseServiceClient::new(channel).get_case(request).await
                })
                .await?
                .map_err(|refused| DemoError::call("GetCase", refused))?;
            if case.merged_into.is_empty() {
                self.cases.insert(contact, name);
                return Ok(Some(case));
            }
            name = case.merged_into;
        }
        Err(DemoError::EndlessMergers { case: name })
    }
}

/// To whom, beside ownership, a step gives something to do: who is called, and who makes something of what that leads to.
fn services(step: &What<'_>) -> &'static [Service] {
    let action = match step {
        What::Register(_) => return &[Service::Calls],
        What::Answer(contact) => {
            let promises = contact.answer.as_ref().is_some_and(|answer| answer.promise.is_some());
            // Who looks for a client by what they say is on record with the clients (L10).
            let client = contact.answer.as_ref().and_then(|answer| answer.client.as_ref());
            return match (client.is_some_and(|client| client.by != LookUp::Id), promises) {
                (false, false) => &[Service::Calls],
                (false, true) => &[Service::Calls, Service::Callbacks],
                (true, false) => &[Service::Calls, Service::Clients],
                (true, true) => &[Service::Calls, Service::Clients, Service::Callbacks],
            };
        }
        // A missed call, one after hours and one without a concern concern the callbacks (K14, O5).
        What::End(_) | What::Miss(_) => return &[Service::Calls, Service::Callbacks],
        What::Act(action) => action,
    };
    match &action.deed {
        Deed::OnCase { .. } => &[],
        Deed::OnCallback { callback, .. } if callback.kind != CallbackKind::Verification => {
            &[Service::Callbacks]
        }
        // What is handled is verified, and what is verified settles it (C9).
        Deed::OnCallback { .. } | Deed::File { .. } | Deed::OnComplaint { .. } => {
            &[Service::Callbacks, Service::Complaints]
        }
        Deed::OnClient { .. } => &[Service::Clients],
    }
}

/// The roster as entries of an import, in an order in which each finds what it refers to.
fn roster(input: &Input) -> Vec<RosterEntry> {
    let branch = |id: &str| format!("branches/{id}");
    let employee = |id: &str| if id.is_empty() { String::new() } else { format!("employees/{id}") };
    let branches = input.branches.iter().map(|entry| {
        Entry::Branch(Branch {
            name: branch(&entry.id),
            display_name: entry.display_name.clone(),
            complaints_phone: entry.complaints_phone.clone(),
            etag: String::new(),
        })
    });
    let employees = input.employees.iter().map(|entry| {
        Entry::Employee(Employee {
            name: employee(&entry.id),
            display_name: entry.display_name.clone(),
            branch: branch(&entry.branch),
            roles: entry.roles.iter().map(|role| role_of(role).into()).collect(),
            office_phone: entry.office_phone.clone(),
            external_id: entry.external_id.clone(),
            active: true,
            etag: String::new(),
            position: entry.position.into(),
            skills: Vec::new(),
            vip_seat: false,
            duty: false,
        })
    });
    let lines = input.lines.iter().map(|entry| {
        Entry::Line(Line {
            name: format!("lines/{}", entry.id),
            branch: branch(&entry.branch),
            number: entry.number.clone(),
            published: entry.published,
            employee: employee(&entry.employee),
            etag: String::new(),
            skills: Vec::new(),
            unstaffed_time: None,
        })
    });
    let accounts = input.accounts.iter().map(|entry| {
        Entry::ServiceAccount(ServiceAccount {
            name: format!("serviceAccounts/{}", entry.id),
            display_name: entry.display_name.clone(),
            branches: entry.branches.iter().map(|id| branch(id)).collect(),
            act_for_employees: entry.act_for_employees,
            active: true,
            etag: String::new(),
        })
    });
    branches
        .chain(employees)
        .chain(lines)
        .chain(accounts)
        .map(|entry| RosterEntry { entry: Some(entry) })
        .collect()
}

fn role_of(role: &str) -> Role {
    Role::from_str_name(&format!("ROLE_{}", role.to_ascii_uppercase())).unwrap_or_default()
}

fn name(entry: &RosterEntry) -> &str {
    match &entry.entry {
        Some(Entry::Branch(entry)) => &entry.name,
        Some(Entry::Employee(entry)) => &entry.name,
        Some(Entry::Line(entry)) => &entry.name,
        Some(Entry::ServiceAccount(entry)) => &entry.name,
        None => "?",
    }
}
