//! `AbsenceService`.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use prost_types::Timestamp;
use shouwen_access::{
    Caller, Failure,
    page_token::{PageTokens, Query},
};
use shouwen_engine::AggregateId;
use shouwen_proto::{
    access::v1::Role,
    events::v1::AbsenceKind,
    ownership::v1::{
        Absence, CancelAbsenceRequest, ChangeDeputyRequest, CreateAbsenceRequest, EndAbsenceRequest,
        GetAbsenceRequest, ListAbsencesRequest, ListAbsencesResponse, ReassignCasesRequest, Reassignment,
        SelectedDeputy, absence_service_server,
    },
};
use shouwen_runtime::ids;
use shouwen_serving::{Call, Sealer, call::etag_version, page, refusal};
use shouwen_vault::Subject;
use tonic::{Request, Response, Status};

use super::{absence_id, case_id, employee, messages, own, parent, required, time, within_reach};
use crate::{
    domain::{
        AbsenceState, Command, State,
        absence::Naming,
        command::{AbsenceAction, AbsenceCommand, Arranger, Enter, REASSIGNED, Reassign},
    },
    ownership::Ownership,
    store::{self, absences::AbsenceFilter},
};

/// Serves absences and reassignments.
pub struct AbsenceServer {
    pub ownership: Ownership,
    pub pages: PageTokens,
}

impl AbsenceServer {
    async fn act(
        &self,
        call: &Call,
        absence: AggregateId,
        action: AbsenceAction,
    ) -> Result<Response<Absence>, Status> {
        let command = Command::Absence(AbsenceCommand { absence, action });
        let outcome = call.submit(&self.ownership.engine, call.submission(command)).await?;
        let Some(State::Absence(state)) = outcome.state else { return Err(Failure::internal().into()) };
        self.ownership.catch_up().await?;
        self.shown(&call.caller, &outcome.primary.0, outcome.version, &state).await.map(Response::new)
    }

    /// The absence with its reason, for whom that concerns.
    async fn shown(
        &self,
        caller: &Caller,
        name: &str,
        version: i64,
        state: &AbsenceState,
    ) -> Result<Absence, Status> {
        let mut absence = messages::absence(name, version, state);
        let own = caller.employee.as_ref().is_some_and(|employee| employee.as_str() == state.employee);
        if let Some(reason) = state.reason.as_ref().filter(|_| own || leads(caller)) {
            let vault = &self.ownership.vault;
            absence.reason = vault.unseal(reason).await.map_err(|error| refusal::vault(&error))?;
        }
        Ok(absence)
    }
}

#[tonic::async_trait]
impl absence_service_server::AbsenceService for AbsenceServer {
    async fn create_absence(
        &self,
        request: Request<CreateAbsenceRequest>,
    ) -> Result<Response<Absence>, Status> {
        let call = Call::mutation(&request, "CreateAbsence", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let kind = message.kind();
        if kind == AbsenceKind::Unspecified {
            return Err(Failure::field_invalid(
                "kind",
                "say why, e.g. ABSENCE_KIND_LEAVE",
                "请填写离岗类别，例如 ABSENCE_KIND_LEAVE",
            )
            .into());
        }
        let who = employee("employee", &message.employee)?;
        let naming = naming(&message.deputy, &message.selected)?;
        if naming.all.is_none() && naming.selected.is_empty() {
            return Err(deputy_missing().into());
        }
        let (start, end) = (moment("start_time", message.start_time)?, moment("end_time", message.end_time)?);
        let text = required("reason", &message.reason)?;
        let absence = AggregateId(format!("absences/{}", ids::new_v7()));
        let subject = Subject::new(who.clone());
        let sealer = Sealer { vault: &self.ownership.vault, subject: &subject, aggregate: &absence.0 };
        let [reason] = sealer.seal([("reason", &text)]).await?;
        let enter =
            Enter { by: arranger(&call)?, employee: who, kind: kind.into(), start, end, reason, naming };
        self.act(&call, absence, AbsenceAction::Enter(Box::new(enter))).await
    }

    async fn end_absence(&self, request: Request<EndAbsenceRequest>) -> Result<Response<Absence>, Status> {
        let call = Call::mutation(&request, "EndAbsence", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let action = AbsenceAction::End { by: arranger(&call)?, etag: etag_version(&message.etag)? };
        self.act(&call, absence_id("name", &message.name)?, action).await
    }

    async fn cancel_absence(
        &self,
        request: Request<CancelAbsenceRequest>,
    ) -> Result<Response<Absence>, Status> {
        let call = Call::mutation(&request, "CancelAbsence", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let action = AbsenceAction::Cancel { by: arranger(&call)?, etag: etag_version(&message.etag)? };
        self.act(&call, absence_id("name", &message.name)?, action).await
    }

    async fn change_deputy(
        &self,
        request: Request<ChangeDeputyRequest>,
    ) -> Result<Response<Absence>, Status> {
        let call = Call::mutation(&request, "ChangeDeputy", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let naming = naming(&message.deputy, &message.selected)?;
        if naming.all.is_none() && naming.selected.is_empty() {
            return Err(deputy_missing().into());
        }
        let action =
            AbsenceAction::Change { by: arranger(&call)?, etag: etag_version(&message.etag)?, naming };
        self.act(&call, absence_id("name", &message.name)?, action).await
    }

    async fn get_absence(&self, request: Request<GetAbsenceRequest>) -> Result<Response<Absence>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let name = absence_id("name", &request.get_ref().name)?;
        let row = store::absences::get(self.ownership.engine.pool(), &name.0)
            .await
            .map_err(|error| refusal::database(&error))?
            .ok_or_else(|| Failure::not_found("absence", name.0))?;
        within_reach(&caller, &row.state.branch)?;
        self.shown(&caller, &row.id, row.version, &row.state).await.map(Response::new)
    }

    async fn list_absences(
        &self,
        request: Request<ListAbsencesRequest>,
    ) -> Result<Response<ListAbsencesResponse>, Status> {
        let caller = Caller::from_request(&request)?.clone();
        let message = request.into_inner();
        let branches = match parent(&message.parent)? {
            Some(branch) => {
                within_reach(&caller, &branch)?;
                Some(vec![branch])
            }
            None => caller.reach.branches(),
        };
        let who = if message.employee.is_empty() {
            String::new()
        } else {
            employee("employee", &message.employee)?
        };
        let size = page::size(message.page_size, 50, 200)?;
        let current = if message.current { "current" } else { "" };
        let arguments = [message.parent.as_str(), who.as_str(), current];
        let query = Query { method: "ListAbsences", caller: &caller, arguments: &arguments };
        let before = self
            .pages
            .open(&query, &message.page_token)?
            .map(|position| String::from_utf8(position).map_err(|_| Failure::page_token_invalid()))
            .transpose()?;
        let filter =
            AbsenceFilter { branches: branches.as_deref(), employee: &who, current: message.current };
        let rows = store::absences::list(self.ownership.engine.pool(), &filter, before.as_deref(), size + 1)
            .await
            .map_err(|error| refusal::database(&error))?;
        let (rows, more) = page::cut(rows, size);
        let next_page_token = rows
            .last()
            .filter(|_| more)
            .map_or_else(String::new, |last| self.pages.issue(&query, last.id.as_bytes()));
        let absences = rows.iter().map(|row| messages::absence(&row.id, row.version, &row.state)).collect();
        Ok(Response::new(ListAbsencesResponse { absences, next_page_token }))
    }

    async fn reassign_cases(
        &self,
        request: Request<ReassignCasesRequest>,
    ) -> Result<Response<Reassignment>, Status> {
        let call = Call::mutation(&request, "ReassignCases", &request.get_ref().request_id)?;
        let message = request.into_inner();
        let mut to: Vec<String> = Vec::new();
        for name in &message.to {
            let name = employee("to", name)?;
            if !to.contains(&name) {
                to.push(name);
            }
        }
        if to.is_empty() {
            return Err(
                Failure::field_invalid("to", "name at least one receiver", "请至少填写一位接收人").into()
            );
        }
        if message.cases.len() > REASSIGNED {
            return Err(Failure::field_invalid(
                "cases",
                format!("name at most {REASSIGNED} cases"),
                format!("最多填写 {REASSIGNED} 个事项"),
            )
            .into());
        }
        let reassign = Reassign {
            reassignment: AggregateId(format!("reassignments/{}", ids::new_v7())),
            by: arranger(&call)?,
            from: employee("from", &message.from)?,
            to,
            cases: message.cases.iter().map(|case| case_id("cases", case)).collect::<Result<_, _>>()?,
            reason: required("reason", &message.reason)?,
        };
        let submission = call.submission(Command::Reassign(reassign));
        let outcome = call.submit(&self.ownership.engine, submission).await?;
        let Some(State::Reassignment(state)) = outcome.state else { return Err(Failure::internal().into()) };
        Ok(Response::new(messages::reassignment(&outcome.primary.0, &state)))
    }
}

/// Who calls, as the one who arranges.
fn arranger(call: &Call) -> Result<Arranger, Failure> {
    let employee = call.caller.require_employee()?.to_string();
    Ok(Arranger { employee, leads: leads(&call.caller), branches: own(&call.caller) })
}

fn leads(caller: &Caller) -> bool {
    [Role::Lead, Role::Hq].into_iter().any(|role| caller.roles.contains(role))
}

fn naming(deputy: &str, selected: &[SelectedDeputy]) -> Result<Naming, Failure> {
    if selected.len() > REASSIGNED {
        return Err(Failure::field_invalid(
            "selected",
            format!("name at most {REASSIGNED} cases; a deputy for all covers the others"),
            format!("最多填写 {REASSIGNED} 个事项，其余由统一代理人代理"),
        ));
    }
    let all = if deputy.is_empty() { None } else { Some(employee("deputy", deputy)?) };
    let mut by_case = BTreeMap::new();
    for it in selected {
        let (case, deputy) =
            (case_id("selected.case", &it.case)?.0, employee("selected.deputy", &it.deputy)?);
        if by_case.insert(case, deputy).is_some() {
            return Err(Failure::field_invalid("selected.case", "names a case twice", "同一事项重复"));
        }
    }
    Ok(Naming { all, selected: by_case })
}

fn deputy_missing() -> Failure {
    Failure::field_invalid(
        "deputy",
        "name a deputy for all cases, or one for each in `selected`",
        "请填写统一代理人，或在 `selected` 中逐一指定",
    )
}

/// A time as Postgres keeps it.
fn moment(field: &'static str, value: Option<Timestamp>) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(value) = value else { return Ok(None) };
    let exact = time(field, Some(&value))?;
    Ok(Some(exact.duration_trunc(TimeDelta::microseconds(1)).unwrap_or(exact)))
}
