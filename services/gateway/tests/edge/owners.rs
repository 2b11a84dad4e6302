//! Ownership in a few maps.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use shouwen_access::Failure;
use shouwen_gateway::domain::roster::{Employee, ServiceAccount};
use shouwen_gateway::domain::{Roster, RosterState};
use shouwen_gateway::edge::Owners;
use shouwen_gateway::ownership::{CaseView, Claim, PendingTouch};
use shouwen_proto::access::v1::Role;
use shouwen_runtime::clock::MachineClock;
use tonic::Code;

pub(crate) struct Maps {
    clock: MachineClock,
    roster: Arc<Roster>,
    pub(crate) state: Mutex<State>,
    /// How often a case was looked up.
    pub(crate) readings: AtomicUsize,
}

#[derive(Default)]
pub(crate) struct State {
    /// By every name that leads to it.
    pub(crate) cases: HashMap<String, CaseView>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) pending: Vec<PendingTouch>,
    /// Contact, request id, reason.
    pub(crate) voided: Vec<(String, String, String)>,
    /// The case that the next claim joins instead of opening one.
    pub(crate) joins: Option<CaseView>,
}

pub(crate) fn employee(name: &str, branch: &str, roles: &[Role]) -> Employee {
    Employee {
        name: format!("employees/{name}"),
        display_name: name.to_owned(),
        branch: format!("branches/{branch}"),
        roles: roles.iter().map(|role| i32::from(*role)).collect(),
        office_phone: String::new(),
        external_id: format!("CRM-{name}"),
        active: true,
        bootstrap: false,
        position: 0,
        skills: Vec::new(),
        vip_seat: false,
        duty: false,
    }
}

pub(crate) fn account(name: &str, branches: &[&str]) -> ServiceAccount {
    ServiceAccount {
        name: format!("serviceAccounts/{name}"),
        display_name: name.to_owned(),
        branches: branches.iter().map(|branch| format!("branches/{branch}")).collect(),
        act_for_employees: true,
        active: true,
    }
}

/// Zhang and Li serve clients in b1 and Wang in b2, Qian leads b1, Sun is at headquarters; three are not what they were.
fn roster() -> Roster {
    let employees = [
        employee("zhang", "b1", &[Role::Staff]),
        employee("li", "b1", &[Role::Staff]),
        employee("qian", "b1", &[Role::Lead]),
        employee("wang", "b2", &[Role::Staff]),
        employee("sun", "hq", &[Role::Hq]),
        employee("chief", "b1", &[Role::Hq, Role::Staff]),
        Employee { active: false, ..employee("gone", "b1", &[Role::Staff]) },
    ];
    let accounts = [
        account("crm", &["b1"]),
        ServiceAccount { act_for_employees: false, ..account("telephony", &["b1"]) },
        ServiceAccount { active: false, ..account("old", &["b1"]) },
    ];
    let employees = employees.into_iter().map(RosterState::Employee);
    Roster::of(employees.chain(accounts.into_iter().map(RosterState::ServiceAccount)))
}

impl Maps {
    pub(crate) fn new(clock: MachineClock) -> Self {
        let (roster, state) = (Arc::new(roster()), Mutex::default());
        Self { clock, roster, state, readings: AtomicUsize::new(0) }
    }

    /// A case of Zhang's in b1, handled by Li, under these names.
    pub(crate) fn case(&self, names: &[&str]) -> CaseView {
        let view = view(names[0]);
        self.put(names, &view);
        view
    }

    pub(crate) fn put(&self, names: &[&str], view: &CaseView) {
        let mut state = self.state.lock().unwrap();
        for name in names {
            state.cases.insert((*name).to_owned(), view.clone());
        }
    }

    pub(crate) fn readings(&self) -> usize {
        self.readings.load(Ordering::SeqCst)
    }
}

/// A case of b1: Zhang is first responder and accountable, Li handles.
pub(crate) fn view(case: &str) -> CaseView {
    CaseView {
        case: case.to_owned(),
        named: case.to_owned(),
        epoch: 3,
        read_at: chrono::DateTime::UNIX_EPOCH,
        branch: "branches/b1".to_owned(),
        contact: "contacts/first".to_owned(),
        first_responder: "employees/zhang".to_owned(),
        accountable: "employees/zhang".to_owned(),
        handler: "employees/li".to_owned(),
        deputies: Vec::new(),
        overriding: None,
        assistants: Vec::new(),
        complaints: Vec::new(),
        open: true,
    }
}

impl Owners for Maps {
    fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster)
    }

    async fn find(&self, name: &str) -> Result<Option<CaseView>, Failure> {
        self.readings.fetch_add(1, Ordering::SeqCst);
        let found = self.state.lock().unwrap().cases.get(name).cloned();
        Ok(found.map(|view| CaseView { read_at: self.clock.now(), ..view }))
    }

    async fn claim(&self, claim: Claim) -> Result<CaseView, Failure> {
        let mut state = self.state.lock().unwrap();
        let contact = format!("contacts/{}", claim.contact_id);
        let case = format!("cases/of-{}", claim.contact_id);
        if let Some(known) = state.claims.iter().find(|known| known.contact_id == claim.contact_id) {
            if known.employee != claim.employee {
                return Err(Failure::new(
                    Code::AlreadyExists,
                    "CONTACT_CLAIMED",
                    "A colleague answered.",
                    "同事已应答。",
                )
                .with("employee", &known.employee));
            }
        } else {
            let opened = CaseView {
                contact: contact.clone(),
                first_responder: claim.employee.clone(),
                accountable: claim.employee.clone(),
                handler: claim.employee.clone(),
                ..view(&case)
            };
            let joined = state.joins.take().unwrap_or(opened);
            state.cases.insert(contact.clone(), joined);
            state.pending.push(PendingTouch {
                contact: contact.clone(),
                employee: claim.employee.clone(),
                principal: claim.principal.clone(),
                method: claim.method.clone(),
                request: claim.request.clone(),
                request_id: claim.request_id.clone(),
            });
            state.claims.push(claim);
        }
        Ok(CaseView { read_at: self.clock.now(), ..state.cases[&contact].clone() })
    }

    async fn pending_touches(&self, limit: i64) -> Result<Vec<PendingTouch>, Failure> {
        let limit = usize::try_from(limit).unwrap();
        Ok(self.state.lock().unwrap().pending.iter().take(limit).cloned().collect())
    }

    async fn void_touch(&self, contact: &str, request_id: &str, reason: &str) -> Result<(), Failure> {
        let voided = (contact.to_owned(), request_id.to_owned(), reason.to_owned());
        self.state.lock().unwrap().voided.push(voided);
        Ok(())
    }
}
