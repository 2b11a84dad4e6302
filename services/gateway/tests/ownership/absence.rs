//! Arranging absences as tests do it, and what a case says about its deputies.

use chrono::{DateTime, Utc};
use shouwen_proto::{
    events::v1::AbsenceKind,
    ownership::v1::{
        Absence, CancelAbsenceRequest, Case, ChangeDeputyRequest, CreateAbsenceRequest, EndAbsenceRequest,
        GetAbsenceRequest, ListAbsencesRequest, ListAbsencesResponse, ReassignCasesRequest, Reassignment,
        SelectedDeputy,
    },
};
use shouwen_serving::timestamps::to_proto;

use crate::desk::{Answer, Desk, employee, id};

/// A sudden absence of an employee without an end; `deputy` may be empty.
pub(crate) fn sudden(who: &str, deputy: &str) -> CreateAbsenceRequest {
    CreateAbsenceRequest {
        employee: employee(who),
        kind: AbsenceKind::Illness.into(),
        start_time: None,
        end_time: None,
        reason: "a cold".to_owned(),
        deputy: if deputy.is_empty() { String::new() } else { employee(deputy) },
        selected: Vec::new(),
        request_id: id(),
    }
}

/// A sudden one in which one case has a deputy and no other.
pub(crate) fn sudden_for(who: &str, case: &str, deputy: &str) -> CreateAbsenceRequest {
    CreateAbsenceRequest { selected: vec![selected(case, deputy)], ..sudden(who, "") }
}

/// A planned one.
pub(crate) fn planned(
    who: &str,
    deputy: &str,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> CreateAbsenceRequest {
    CreateAbsenceRequest {
        kind: AbsenceKind::Leave.into(),
        start_time: Some(to_proto(start)),
        end_time: Some(to_proto(end)),
        ..sudden(who, deputy)
    }
}

/// A deputy for one case.
pub(crate) fn selected(case: &str, deputy: &str) -> SelectedDeputy {
    SelectedDeputy { case: case.to_owned(), deputy: employee(deputy) }
}

/// Each deputy of a case and for whom, without their collection.
pub(crate) fn deputies(case: &Case) -> Vec<(&str, &str)> {
    let short = |name: &'_ str| name.len() - name.trim_start_matches("employees/").len();
    case.deputies
        .iter()
        .map(|deputy| (&deputy.employee[short(&deputy.employee)..], &deputy.of[short(&deputy.of)..]))
        .collect()
}

impl Desk {
    pub(crate) async fn be_absent(&self, request: CreateAbsenceRequest) -> Answer<Absence> {
        self.absences(request, async |mut it, request| it.create_absence(request).await).await
    }

    pub(crate) async fn be_back(&self, absence: &str) -> Answer<Absence> {
        let (name, etag, request_id) = (absence.to_owned(), String::new(), id());
        self.end_absence(EndAbsenceRequest { name, etag, request_id }).await
    }

    pub(crate) async fn end_absence(&self, request: EndAbsenceRequest) -> Answer<Absence> {
        self.absences(request, async |mut it, request| it.end_absence(request).await).await
    }

    pub(crate) async fn cancel_absence(&self, absence: &str, etag: &str) -> Answer<Absence> {
        let (name, etag, request_id) = (absence.to_owned(), etag.to_owned(), id());
        let request = CancelAbsenceRequest { name, etag, request_id };
        self.absences(request, async |mut it, request| it.cancel_absence(request).await).await
    }

    pub(crate) async fn change_deputy(&self, absence: &str, deputy: &str) -> Answer<Absence> {
        self.change(ChangeDeputyRequest {
            name: absence.to_owned(),
            deputy: employee(deputy),
            selected: Vec::new(),
            etag: String::new(),
            request_id: id(),
        })
        .await
    }

    pub(crate) async fn change(&self, request: ChangeDeputyRequest) -> Answer<Absence> {
        self.absences(request, async |mut it, request| it.change_deputy(request).await).await
    }

    pub(crate) async fn absence(&self, name: &str) -> Answer<Absence> {
        let request = GetAbsenceRequest { name: name.to_owned() };
        self.absences(request, async |mut it, request| it.get_absence(request).await).await
    }

    pub(crate) async fn list_absences(&self, request: ListAbsencesRequest) -> Answer<ListAbsencesResponse> {
        self.absences(request, async |mut it, request| it.list_absences(request).await).await
    }

    pub(crate) async fn reassign(&self, from: &str, to: &[&str], cases: &[&str]) -> Answer<Reassignment> {
        self.reassign_as(reassign(from, to, cases)).await
    }

    pub(crate) async fn reassign_as(&self, request: ReassignCasesRequest) -> Answer<Reassignment> {
        self.absences(request, async |mut it, request| it.reassign_cases(request).await).await
    }
}

pub(crate) fn reassign(from: &str, to: &[&str], cases: &[&str]) -> ReassignCasesRequest {
    ReassignCasesRequest {
        from: employee(from),
        to: to.iter().map(|to| employee(to)).collect(),
        cases: cases.iter().map(|case| (*case).to_owned()).collect(),
        reason: "leaves the firm".to_owned(),
        request_id: id(),
    }
}
