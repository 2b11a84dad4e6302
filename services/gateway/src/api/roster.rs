//! `RosterService`.

use shouwen_access::{
    BranchName, Caller, EmployeeName, Failure, Language, ServiceAccountName,
    page_token::{PageTokens, Query},
};
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{
        Employee, GetEmployeeRequest, ImportRosterRequest, ImportRosterResponse, Line, ListBranchesRequest,
        ListBranchesResponse, ListEmployeesRequest, ListEmployeesResponse, ListLinesRequest,
        ListLinesResponse, RejectedEntry, RosterEntry, roster_entry::Entry, roster_service_server,
    },
    r#type::v1::Position,
};
use shouwen_serving::{Call, page, refusal, timestamps::to_proto};
use tonic::{Request, Response, Status};

use super::{messages, parent};
use crate::{
    domain::{
        Command, RosterState,
        roster::{self, RosterCommand},
    },
    ownership::Ownership,
    store::{self, roster::RosterRow},
};

/// The most entries of one import.
const ENTRIES: usize = 1000;

/// The most skills of one employee or line.
const SKILLS: usize = 32;

/// Serves the roster.
pub struct RosterServer {
    pub ownership: Ownership,
    pub pages: PageTokens,
}

impl RosterServer {
    async fn save(&self, call: &Call, entry: RosterState) -> Result<Saved, Failure> {
        let branches = call.caller.reach.branches();
        let submission = call.submission(Command::Roster(RosterCommand { entry, branches }));
        let request_id = call.request.as_ref().map_or("", |request| request.id.as_str());
        let outcome = call.submit(&self.ownership.engine, submission).await?;
        // The ledger tells the same for a repeated call as for the first.
        let pool = self.ownership.engine.pool();
        let wrote = store::roster::wrote(pool, &outcome.primary.0, outcome.version, request_id)
            .await
            .map_err(|error| refusal::database(&error))?;
        Ok(match (wrote, outcome.version) {
            (false, _) => Saved::Unchanged,
            (true, 1) => Saved::Created,
            (true, _) => Saved::Updated,
        })
    }

    /// One page of a collection, and the token of the next.
    async fn page(&self, list: Page<'_>) -> Result<(Vec<RosterRow>, String), Failure> {
        let size = page::size(list.size, 100, 500)?;
        let branch = if list.parent.is_empty() { None } else { parent(list.parent)? };
        let arguments = [list.parent];
        let query = Query { method: list.collection, caller: list.caller, arguments: &arguments };
        let after = match self.pages.open(&query, list.token)? {
            Some(position) => String::from_utf8(position).map_err(|_| Failure::page_token_invalid())?,
            None => String::new(),
        };
        let pool = self.ownership.engine.pool();
        let rows = store::roster::list(pool, list.collection, branch.as_deref(), &after, size + 1)
            .await
            .map_err(|error| refusal::database(&error))?;
        let (rows, more) = page::cut(rows, size);
        let next = rows
            .last()
            .filter(|_| more)
            .map_or_else(String::new, |last| self.pages.issue(&query, last.id.as_bytes()));
        Ok((rows, next))
    }
}

struct Page<'a> {
    collection: &'static str,
    caller: &'a Caller,
    parent: &'a str,
    size: i32,
    token: &'a str,
}

#[tonic::async_trait]
impl roster_service_server::RosterService for RosterServer {
    async fn import_roster(
        &self,
        request: Request<ImportRosterRequest>,
    ) -> Result<Response<ImportRosterResponse>, Status> {
        let call = Call::mutation(&request, "ImportRoster", &request.get_ref().request_id)?;
        let entries = request.into_inner().entries;
        if entries.is_empty() || entries.len() > ENTRIES {
            return Err(Failure::field_invalid(
                "entries",
                format!("give 1 to {ENTRIES} entries"),
                format!("请提供 1 至 {ENTRIES} 条"),
            )
            .into());
        }
        let language = call.caller.language;
        let mut response = ImportRosterResponse::default();
        // One after the other: an entry may name what an earlier one creates.
        for (index, entry) in entries.into_iter().enumerate() {
            let rejected = match parse(entry) {
                Ok(entry) => match self.save(&call.entry(index), entry).await {
                    Ok(Saved::Created) => {
                        response.created += 1;
                        continue;
                    }
                    Ok(Saved::Updated) => {
                        response.updated += 1;
                        continue;
                    }
                    Ok(Saved::Unchanged) => {
                        response.unchanged += 1;
                        continue;
                    }
                    Err(failure) if matches!(failure.reason(), "OPEN_CASES" | "STILL_DEPUTY") => {
                        RejectedEntry {
                            index: 0,
                            field: "employee.active".to_owned(),
                            description: failure.message(language).to_owned(),
                            reason: failure.reason().to_owned(),
                        }
                    }
                    Err(failure) if failure.reason() == "ROSTER_INVALID" => RejectedEntry {
                        index: 0,
                        field: failure.metadata("field").unwrap_or_default().to_owned(),
                        description: failure.message(language).to_owned(),
                        reason: failure.reason().to_owned(),
                    },
                    Err(other) => return Err(other.into()),
                },
                Err(Invalid { field, english, chinese }) => RejectedEntry {
                    index: 0,
                    field: field.to_owned(),
                    description: match language {
                        Language::ZhCn => chinese,
                        Language::En => english,
                    },
                    reason: "FIELD_INVALID".to_owned(),
                },
            };
            let index = i32::try_from(index).unwrap_or(i32::MAX);
            response.rejected.push(RejectedEntry { index, ..rejected });
        }
        self.ownership.catch_up().await?;
        Ok(Response::new(response))
    }

    async fn get_employee(&self, request: Request<GetEmployeeRequest>) -> Result<Response<Employee>, Status> {
        let name = super::employee("name", &request.get_ref().name)?;
        let row = store::roster::get(self.ownership.engine.pool(), &name)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| Failure::not_found("employee", name))?;
        Ok(Response::new(messages::employee(row.version, row.state.0).ok_or_else(Failure::internal)?))
    }

    async fn list_employees(
        &self,
        request: Request<ListEmployeesRequest>,
    ) -> Result<Response<ListEmployeesResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let message = request.into_inner();
        parent(&message.parent)?;
        let (rows, next_page_token) = self
            .page(Page {
                collection: "employees",
                caller: &caller,
                parent: &message.parent,
                size: message.page_size,
                token: &message.page_token,
            })
            .await?;
        let employees =
            rows.into_iter().filter_map(|row| messages::employee(row.version, row.state.0)).collect();
        Ok(Response::new(ListEmployeesResponse { employees, next_page_token }))
    }

    async fn list_branches(
        &self,
        request: Request<ListBranchesRequest>,
    ) -> Result<Response<ListBranchesResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let message = request.into_inner();
        let (rows, next_page_token) = self
            .page(Page {
                collection: "branches",
                caller: &caller,
                parent: "",
                size: message.page_size,
                token: &message.page_token,
            })
            .await?;
        let branches =
            rows.into_iter().filter_map(|row| messages::branch(row.version, row.state.0)).collect();
        Ok(Response::new(ListBranchesResponse { branches, next_page_token }))
    }

    async fn list_lines(
        &self,
        request: Request<ListLinesRequest>,
    ) -> Result<Response<ListLinesResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let message = request.into_inner();
        parent(&message.parent)?;
        let (rows, next_page_token) = self
            .page(Page {
                collection: "lines",
                caller: &caller,
                parent: &message.parent,
                size: message.page_size,
                token: &message.page_token,
            })
            .await?;
        let unstaffed = store::routing::unstaffed(self.ownership.engine.pool())
            .await
            .map_err(|error| refusal::database(&error))?;
        let lines = rows.into_iter().filter_map(|row| messages::line(row.version, row.state.0)).map(|line| {
            let unstaffed_time = unstaffed.get(&line.name).copied().map(to_proto);
            Line { unstaffed_time, ..line }
        });
        let lines = lines.collect();
        Ok(Response::new(ListLinesResponse { lines, next_page_token }))
    }
}

/// What an import did to an entry.
enum Saved {
    Created,
    Updated,
    Unchanged,
}

/// What is wrong with an entry: the field, and what it should be.
struct Invalid {
    field: &'static str,
    english: String,
    chinese: String,
}

fn invalid(field: &'static str, english: impl Into<String>, chinese: impl Into<String>) -> Invalid {
    Invalid { field, english: english.into(), chinese: chinese.into() }
}

/// The field must be a name of this form.
fn no_name(field: &'static str, form: &str) -> Invalid {
    invalid(
        field,
        format!("must be `{form}`, 1-40 of `a-z 0-9 -` behind the collection"),
        format!("格式须为 `{form}`，编号为 1-40 个 `a-z 0-9 -`"),
    )
}

/// Parses an entry.
fn parse(entry: RosterEntry) -> Result<RosterState, Invalid> {
    let branch_name =
        |field, name: &str| BranchName::parse(name).map_err(|_| no_name(field, "branches/{branch}"));
    match entry.entry {
        None => Err(invalid(
            "entry",
            "must be a branch, employee, line or service account",
            "须为营业部、员工、线路或服务账号",
        )),
        Some(Entry::Branch(branch)) => {
            branch_name("branch.name", &branch.name)?;
            present("branch.display_name", &branch.display_name)?;
            Ok(RosterState::Branch(roster::Branch {
                name: branch.name,
                display_name: branch.display_name,
                complaints_phone: branch.complaints_phone,
            }))
        }
        Some(Entry::Employee(employee)) => {
            EmployeeName::parse(&employee.name)
                .map_err(|_| no_name("employee.name", "employees/{employee}"))?;
            present("employee.display_name", &employee.display_name)?;
            branch_name("employee.branch", &employee.branch)?;
            let mut roles = employee.roles;
            roles.sort_unstable();
            roles.dedup();
            let assignable = |role: &i32| {
                Role::try_from(*role).is_ok_and(|role| {
                    !matches!(role, Role::Unspecified | Role::System | Role::ServiceAccount)
                })
            };
            if roles.is_empty() || !roles.iter().all(assignable) {
                return Err(invalid(
                    "employee.roles",
                    "name at least one role of employees, e.g. ROLE_STAFF",
                    "请至少填写一个员工角色，例如 ROLE_STAFF",
                ));
            }
            if Position::try_from(employee.position).is_err() {
                return Err(invalid(
                    "employee.position",
                    "must be a position, e.g. POSITION_MANAGER, or POSITION_UNSPECIFIED",
                    "须为职位，例如 POSITION_MANAGER，或 POSITION_UNSPECIFIED",
                ));
            }
            Ok(RosterState::Employee(roster::Employee {
                name: employee.name,
                display_name: employee.display_name,
                branch: employee.branch,
                roles,
                office_phone: employee.office_phone,
                external_id: employee.external_id,
                active: employee.active,
                bootstrap: false,
                position: employee.position,
                skills: skills("employee.skills", employee.skills)?,
                vip_seat: employee.vip_seat,
                duty: employee.duty,
            }))
        }
        Some(Entry::Line(line)) => {
            let id = line.name.strip_prefix("lines/").unwrap_or_default();
            if BranchName::parse(&format!("branches/{id}")).is_err() {
                return Err(no_name("line.name", "lines/{line}"));
            }
            branch_name("line.branch", &line.branch)?;
            present("line.number", &line.number)?;
            if !line.employee.is_empty() {
                EmployeeName::parse(&line.employee)
                    .map_err(|_| no_name("line.employee", "employees/{employee}"))?;
            }
            Ok(RosterState::Line(roster::Line {
                name: line.name,
                branch: line.branch,
                number: line.number,
                published: line.published,
                employee: line.employee,
                skills: skills("line.skills", line.skills)?,
            }))
        }
        Some(Entry::ServiceAccount(account)) => {
            ServiceAccountName::parse(&account.name)
                .map_err(|_| no_name("service_account.name", "serviceAccounts/{account}"))?;
            present("service_account.display_name", &account.display_name)?;
            for branch in &account.branches {
                branch_name("service_account.branches", branch)?;
            }
            Ok(RosterState::ServiceAccount(roster::ServiceAccount {
                name: account.name,
                display_name: account.display_name,
                branches: account.branches,
                act_for_employees: account.act_for_employees,
                active: account.active,
            }))
        }
    }
}

/// Skills in order, each once.
fn skills(field: &'static str, mut skills: Vec<String>) -> Result<Vec<String>, Invalid> {
    if skills.len() > SKILLS || !skills.iter().all(|skill| super::is_skill(skill)) {
        return Err(invalid(
            field,
            format!("must be at most {SKILLS}, each 1-40 of `a-z 0-9 -`"),
            format!("至多 {SKILLS} 项，每项为 1-40 个 `a-z 0-9 -`"),
        ));
    }
    skills.sort_unstable();
    skills.dedup();
    Ok(skills)
}

fn present(field: &'static str, text: &str) -> Result<(), Invalid> {
    if text.trim().is_empty() { Err(invalid(field, "must not be empty", "不能为空")) } else { Ok(()) }
}
