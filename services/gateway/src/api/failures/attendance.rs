//! What O9 refuses, as the contract tells it.

use shouwen_access::Failure;
use tonic::Code;

use super::problems::in_chinese;
use crate::domain::rejection::AttendanceRejection;

pub(super) fn failure(rejection: AttendanceRejection) -> Failure {
    match rejection {
        AttendanceRejection::EmployeeNotFound(name) => Failure::not_found("employee", name),
        AttendanceRejection::AbsenceNotFound(name) => Failure::not_found("absence", name),
        AttendanceRejection::AbsencePhase { absence, phase, action } => {
            Failure::illegal_transition("absence", absence, phase, action)
        }
        AttendanceRejection::ReceiverAbsent { employee, deputy } if deputy.is_empty() => {
            receiver_absent(&employee, &deputy, "a lead deputises", "由主管代理")
        }
        AttendanceRejection::ReceiverAbsent { employee, deputy } => {
            let (english, chinese) = (format!("`{deputy}` deputises"), format!("由 `{deputy}` 代理"));
            receiver_absent(&employee, &deputy, &english, &chinese)
        }
        AttendanceRejection::NotTheirLead(employee) => Failure::new(
            Code::PermissionDenied,
            "NOT_THEIR_LEAD",
            format!("Only `{employee}`, a lead of their branch or HQ can do this; ask one of them."),
            format!("只有 `{employee}` 本人、其营业部主管或总部可以办理，请联系他们。"),
        )
        .with("employee", employee),
        AttendanceRejection::OpenCases { employee, count, cases } => precondition(
            "OPEN_CASES",
            format!("`{employee}` still has {count} open cases, of them {}; move them with ReassignCases first.", listed(&cases)),
            format!("`{employee}` 名下还有 {count} 个未办结事项（{}），请先用 ReassignCases 移交。", listed(&cases)),
        )
        .with("employee", employee)
        .with("count", count)
        .with("cases", cases.join(" ")),
        AttendanceRejection::StillDeputy { employee, absences } => precondition(
            "STILL_DEPUTY",
            format!("`{employee}` deputises in {}; name somebody else with ChangeDeputy first.", listed(&absences)),
            format!("`{employee}` 在 {} 中担任代理人，请先用 ChangeDeputy 更换。", listed(&absences)),
        )
        .with("employee", employee)
        .with("absences", absences.join(" ")),
        AttendanceRejection::CaseNotTheirs { case, employee } => Failure::new(
            Code::InvalidArgument,
            "CASE_NOT_THEIRS",
            format!("`{case}` is no open case that `{employee}` handles or is accountable for; leave it out."),
            format!("`{case}` 不是由 `{employee}` 承办或负责的未办结事项，请去掉。"),
        )
        .with("case", case)
        .with("employee", employee),
        AttendanceRejection::CasesTooMany { limit } => precondition(
            "CASES_TOO_MANY",
            format!("More than {limit} open cases are theirs; name at most {limit} in `cases`, and repeat for the others."),
            format!("未办结事项超过 {limit} 个，请在 `cases` 中分批列出，每批不超过 {limit} 个。"),
        )
        .with("limit", limit),
        AttendanceRejection::ReceiversRecused { case } => precondition(
            "RECEIVERS_RECUSED",
            format!("A complaint of `{case}` is about everybody who would receive it; name another colleague for it."),
            format!("`{case}` 的投诉涉及全部接收人，请为其另选他人。"),
        )
        .with("case", case),
        AttendanceRejection::AbsenceWindow { field, problem } => Failure::new(
            Code::InvalidArgument,
            "ABSENCE_WINDOW_INVALID",
            format!("`{field}` {problem}."),
            format!("`{field}` {}。", in_chinese(problem)),
        )
        .with("field", field)
        .with("problem", problem)
        .field(field, problem, in_chinese(problem)),
        AttendanceRejection::AbsenceOverlap { absence } => precondition(
            "ABSENCE_OVERLAP",
            format!("The employee is absent then already by `{absence}`; end or cancel that, or choose another time."),
            format!("该员工在此期间已有离岗安排 `{absence}`，请先结束或取消，或另选时间。"),
        )
        .with("absence", absence),
        AttendanceRejection::Deputises { employee, absences } => precondition(
            "DEPUTISES",
            format!("`{employee}` deputises in that time, in {}; deputies have no deputies: name somebody else there with ChangeDeputy first.", listed(&absences)),
            format!("`{employee}` 在此期间担任 {} 的代理人，代理人不得再由他人代理，请先用 ChangeDeputy 更换。", listed(&absences)),
        )
        .with("employee", employee)
        .with("absences", absences.join(" ")),
        AttendanceRejection::DeputyInvalid { employee, problem } => Failure::new(
            Code::InvalidArgument,
            "DEPUTY_INVALID",
            format!("`{employee}` {problem}; name an active colleague who serves clients."),
            format!("`{employee}` {}，不能担任代理人；请填写在岗的其他服务人员。", in_chinese(problem)),
        )
        .with("employee", employee)
        .with("problem", problem)
        .field("deputy", problem, in_chinese(problem)),
        AttendanceRejection::DeputyAbsent { employee, absence } => precondition(
            "DEPUTY_ABSENT",
            format!("`{employee}` is absent in that time by `{absence}`; deputies have no deputies, name another colleague."),
            format!("`{employee}` 在此期间离岗（`{absence}`），代理人不得再由他人代理，请另选他人。"),
        )
        .with("employee", employee)
        .with("absence", absence),
        AttendanceRejection::DeputyRecused { case, employee } => precondition(
            "DEPUTY_RECUSED",
            format!("A complaint of `{case}` is about `{employee}`; name another deputy for it."),
            format!("`{case}` 的投诉涉及 `{employee}`，请为其另选代理人。"),
        )
        .with("case", case)
        .with("employee", employee),
        AttendanceRejection::CasesUncovered { count, cases } => precondition(
            "CASES_UNCOVERED",
            format!("{count} open cases have no deputy, of them {}; name one for each, or one for all.", listed(&cases)),
            format!("有 {count} 个未办结事项没有代理人（{}），请逐一指定，或指定统一代理人。", listed(&cases)),
        )
        .with("count", count)
        .with("cases", cases.join(" ")),
    }
}

fn precondition(reason: &'static str, english: String, chinese: String) -> Failure {
    Failure::new(Code::FailedPrecondition, reason, english, chinese)
}

fn receiver_absent(employee: &str, deputy: &str, english: &str, chinese: &str) -> Failure {
    precondition(
        "RECEIVER_ABSENT",
        format!("`{employee}` is absent and {english}; offer the work to somebody at work."),
        format!("`{employee}` 已离岗，{chinese}；请转交给在岗人员。"),
    )
    .with("employee", employee)
    .with("deputy", deputy)
}

/// Names in a sentence.
fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
