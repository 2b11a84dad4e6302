//! The service's refusals as the contract tells them: code, reason, what to do next. The only place that maps rejections to gRPC.

use std::time::Duration;

use shouwen_access::Failure;
use shouwen_vault::PhoneError;
use tonic::Code;

use super::roster::Named;
use crate::domain::{
    Rejection,
    terms::{ApprovalLevel, ReplyKind},
};

/// After which what is still on its way is asked for again.
const AGAIN: Duration = Duration::from_secs(1);

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound(name) => Failure::not_found("complaint", name),
            Rejection::Recused(name) => recused(name),
            Rejection::Changed(name) => Failure::etag_mismatch("complaint", name),
            Rejection::IllegalTransition { name, state, action } => {
                Failure::illegal_transition("complaint", name, state, action)
            }
            Rejection::InFuture(field) => Failure::field_invalid(
                field,
                "it lies in the future; give a time up to now, or leave it out",
                "不得晚于当前时间；请填写当前或更早的时间，或留空",
            ),
            Rejection::MeasuresRequired => measures_required(),
            Rejection::NoProposalNeeded => Failure::new(
                Code::FailedPrecondition,
                "NO_PROPOSAL_NEEDED",
                "Only complaints need a proposal; record the definite answer and complete the handling.",
                "仅投诉需要提出处理意见；请记录明确的答复后办结。",
            ),
            Rejection::SecondPersonRequired => Failure::new(
                Code::PermissionDenied,
                "SECOND_PERSON_REQUIRED",
                "You proposed this handling or approved a level of it; somebody else has to do this.",
                "您是该处理意见的提出人或已审批过其中一级，须由他人办理。",
            ),
            Rejection::LevelTooHigh(level) => level_too_high(level),
            Rejection::NotApproved(name) => Failure::new(
                Code::FailedPrecondition,
                "NOT_APPROVED",
                format!("`{name}` has no approved handling yet; propose it and have it approved first."),
                format!("`{name}` 的处理意见尚未审批通过，请先提出并报批。"),
            )
            .with("name", name),
            Rejection::MeasureUnknown(measure) => measure_unknown(measure),
            Rejection::ReplyMissing(kind) => reply_missing(kind),
            Rejection::MeasuresOpen(measures) => measures_open(&measures),
            Rejection::AttemptsOpen(callback) => attempts_open(callback),
            Rejection::RoundUnknown { .. } => {
                tracing::error!(problem = %rejection, "a verification does not fit its complaint");
                Failure::internal()
            }
            Rejection::PolicyUnknown(problem) => {
                tracing::error!(problem, "a complaint's policy version is not known");
                Failure::unavailable("POLICY_NOT_KNOWN")
            }
            Rejection::PolicyInvalid(problem) => {
                tracing::error!(%problem, "an approved policy is not valid here");
                Failure::internal()
            }
            Rejection::Internal(problem) => {
                tracing::error!(problem, "a command could not be decided");
                Failure::internal()
            }
        }
    }
}

fn recused(name: String) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "RECUSED",
        "The complaint is about you, so you take no part in handling it; leave it to a colleague whom it is not about.",
        "您是该投诉的被投诉人，应当回避，请由其他同事办理。",
    )
    .with("complaint", &name)
    .resource("complaint", name)
}

fn measures_required() -> Failure {
    let (english, chinese) =
        ("at least one, with who carries it out and its text", "至少一项，须写明责任人和内容");
    Failure::new(
        Code::InvalidArgument,
        "MEASURES_REQUIRED",
        "A finding of upheld or partly upheld needs at least one corrective measure; add it to `measures`.",
        "认定全部或部分责任的，至少须有一项整改措施，请填写 `measures`。",
    )
    .with("field", "measures")
    .field("measures", english, chinese)
}

fn level_too_high(level: ApprovalLevel) -> Failure {
    let level = level.as_str();
    Failure::new(
        Code::PermissionDenied,
        "LEVEL_TOO_HIGH",
        format!(
            "The proposal waits for the level {level}, which is beyond your role; ask somebody of that level."
        ),
        format!("该处理意见待 {level} 级审批，超出您的权限，请由相应层级人员办理。"),
    )
    .with("level", level)
}

fn measure_unknown(measure: i32) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "MEASURE_UNKNOWN",
        format!("The proposal has no measure {measure}; read the complaint for their numbers."),
        format!("处理意见中没有第 {measure} 项措施，请查看投诉中的措施编号。"),
    )
    .with("measure", measure)
    .with("field", "measure")
    .field("measure", "the number of a measure of the proposal", "处理意见中的措施编号")
}

fn reply_missing(kind: ReplyKind) -> Failure {
    let kind = kind.as_str();
    Failure::new(
        Code::FailedPrecondition,
        "REPLY_MISSING",
        format!("The client was not told yet: record a reply of kind {kind} first."),
        format!("尚未答复客户，请先记录 {kind} 类答复。"),
    )
    .with("kind", kind)
}

fn measures_open(measures: &[usize]) -> Failure {
    let measures = measures.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    Failure::new(
        Code::FailedPrecondition,
        "MEASURES_OPEN",
        format!(
            "Measures {measures} are not carried out; record them as done first, or as not carried out and have a lead reopen the complaint."
        ),
        format!(
            "第 {measures} 项措施尚未落实，请落实并记录后再办结；无法落实的，请记录未落实并由主管重新办理该投诉。"
        ),
    )
    .with("measures", measures)
}

/// O8, B6
fn attempts_open(callback: String) -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        "ATTEMPTS_OPEN",
        format!(
            "The client counts as unreachable only once the attempts of `{callback}` are used up: record them there, then call again (it appears when the handling is complete). A client who was reached and stays dissatisfied is closed as EXPLAINED."
        ),
        format!(
            "`{callback}` 的回访次数用尽后，方可按联系不上关闭：请先在该回访中逐次记录，再重试（该回访在办结后生成）。已联系上但仍不满意的，请以 EXPLAINED 关闭。"
        ),
    )
    .with("callback", &callback)
    .resource("callback", callback)
}

/// `CASE_MISMATCH`: the context is about another case than the complaint belongs to.
pub(super) fn case_mismatch(name: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "CASE_MISMATCH",
        "The call was admitted for another case than the complaint belongs to; name the complaint as it was returned when it was filed.",
        "本次调用所针对的事项与该投诉不符，请填写登记时返回的投诉名称。",
    )
    .with("name", name)
}

/// `BRANCH_OUT_OF_REACH`: the branch is not the caller's.
pub(super) fn branch_out_of_reach(branch: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "BRANCH_OUT_OF_REACH",
        format!("`{branch}` is not within your reach; ask a colleague of that branch."),
        format!("`{branch}` 不在您的权限范围内，请联系该营业部人员。"),
    )
    .with("branch", branch)
}

/// `CASE_NOT_KNOWN_YET`: ownership has opened the case, and its event is still on its way.
pub(super) fn case_not_known_yet(case: &str) -> Failure {
    Failure::new(
        Code::Unavailable,
        "CASE_NOT_KNOWN_YET",
        format!(
            "`{case}` was opened this very moment and has not arrived here yet; nothing was done, try again."
        ),
        format!("`{case}` 刚刚建立，尚未同步至投诉服务；本次未作任何更改，请稍后重试。"),
    )
    .with("case", case)
    .retry_after(AGAIN)
}

/// `EMPLOYEE_UNKNOWN`: ownership has told of no such employee (O12).
pub(super) fn employee_unknown(named: &Named) -> Failure {
    let Named { field, employee } = named;
    Failure::new(
        Code::InvalidArgument,
        "EMPLOYEE_UNKNOWN",
        format!(
            "Field `{field}` names `{employee}`, who is not in the roster; check the name, or have the employee entered first and call again."
        ),
        format!("字段 `{field}` 所填的 `{employee}` 不在名册中；请核对名称，或先登记该员工后重试。"),
    )
    .with("field", field)
    .with("employee", employee)
    .field(field, "an employee of the roster, `employees/{employee}`", "名册中的员工，`employees/{employee}`")
}

/// `ROSTER_NOT_KNOWN_YET`: whether there is such an employee will be known when ownership's feed was read.
pub(super) fn roster_not_known_yet(named: &Named) -> Failure {
    let Named { field, employee } = named;
    Failure::new(
        Code::Unavailable,
        "ROSTER_NOT_KNOWN_YET",
        format!(
            "Whether `{employee}` of field `{field}` exists is not known yet: the roster is still being read; nothing was done, try again."
        ),
        format!("字段 `{field}` 所填的 `{employee}` 是否存在尚不清楚：名册仍在读取；本次未作任何更改，请稍后重试。"),
    )
    .with("field", field)
    .with("employee", employee)
    .retry_after(AGAIN)
}

/// `PHONE_INVALID`. The number itself is never repeated.
pub(super) fn phone_invalid(error: PhoneError) -> Failure {
    let problem = error.to_string();
    Failure::new(
        Code::InvalidArgument,
        "PHONE_INVALID",
        format!("Field `phone` is no phone number: {problem}."),
        "字段 `phone` 不是有效的电话号码，请填写手机号码或带区号的固定电话。",
    )
    .with("field", "phone")
    .field("phone", problem, "手机号码，或带区号的固定电话")
}
