//! The service's refusals as the contract tells them: code, reason, what to do next. The only place that maps rejections to gRPC.

use chrono::{DateTime, Utc};
use shouwen_access::Failure;
use shouwen_calendar::SHANGHAI;
use tonic::Code;

use crate::domain::Rejection;

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound(name) => Failure::not_found("callback", name),
            Rejection::LeasedByAnother { employee, until } => Failure::new(
                Code::FailedPrecondition,
                "LEASED_BY_ANOTHER",
                format!(
                    "{employee} is calling this client until {}; wait or take another callback.",
                    local(until)
                ),
                format!("{employee} 正在处理该回访，至 {}；请等待或处理其他回访。", local(until)),
            )
            .with("employee", employee)
            .with("expire_time", local(until)),
            Rejection::TooEarly(not_before) => Failure::new(
                Code::FailedPrecondition,
                "TOO_EARLY",
                format!("The client is called at {} or later; lease it again then.", local(not_before)),
                format!("该回访不得早于 {}，请届时再领取。", local(not_before)),
            )
            .with("not_before", local(not_before)),
            Rejection::OutsideWindows(next_open) => outside_windows(Code::FailedPrecondition, next_open),
            Rejection::AgreedOutsideWindows(next_open) => outside_windows(Code::InvalidArgument, next_open)
                .field(
                    "agreed_time",
                    "a time within the calling windows, or client_asked",
                    "可回访时段内的时间，或注明由客户要求",
                ),
            Rejection::LeadDecides => Failure::new(
                Code::FailedPrecondition,
                "LEAD_DECIDES",
                "The attempts are used up; ask a lead to postpone or cancel the callback, or to close the complaint that it verifies.",
                "回访次数已用完，请由营业部主管决定延期或取消；核实回访则由主管决定延期或对投诉结案。",
            ),
            Rejection::NotLeased => Failure::new(
                Code::FailedPrecondition,
                "NOT_LEASED",
                "You do not hold the lease (any more); lease the callback first.",
                "您未持有该回访的租约（或租约已到期），请先领取。",
            ),
            Rejection::AgreedTimePast => Failure::new(
                Code::InvalidArgument,
                "AGREED_TIME_PAST",
                "The agreed time has passed; give the time at which the client is to be called.",
                "约定时间已过，请填写将要回访的时间。",
            )
            .with("field", "agreed_time")
            .field("agreed_time", "a time to come", "将来的时间"),
            Rejection::NotBeforePast => {
                Failure::field_invalid("not_before", "a time to come", "请填写将来的时间")
            }
            Rejection::Recused(complaint) => Failure::new(
                Code::PermissionDenied,
                "RECUSED",
                format!("`{complaint}` is about you; leave its verification to a colleague of the unit that received it."),
                format!("`{complaint}` 涉及您本人，请由受理单位的其他人员核实回访。"),
            )
            .with("complaint", complaint),
            Rejection::MeasuresRequired => Failure::new(
                Code::InvalidArgument,
                "MEASURES_REQUIRED",
                "A verification says whether the measures were carried out; ask the client and fill it in.",
                "核实回访须填写整改措施是否落实，请向客户询问后填写。",
            )
            .with("field", "measures")
            .field(
                "measures",
                "CARRIED_OUT, NOT_CARRIED_OUT or WITHOUT_EFFECT",
                "请填写已落实、未落实或无效果",
            ),
            Rejection::MeasuresUnasked => Failure::field_invalid(
                "measures",
                "leave it empty: only the verification of a complaint asks for measures",
                "请留空：仅投诉核实回访填写整改措施",
            ),
            Rejection::VerificationNotCancellable(complaint) => Failure::new(
                Code::FailedPrecondition,
                "VERIFICATION_NOT_CANCELLABLE",
                format!("`{complaint}` waits for this verification; close or reopen the complaint, which ends it."),
                format!("`{complaint}` 尚待本次核实回访，不能取消；请对该投诉结案或重新办理，回访随之结束。"),
            )
            .with("complaint", complaint),
            Rejection::NotCompleted { name, state } => Failure::new(
                Code::FailedPrecondition,
                "NOT_COMPLETED",
                format!("`{name}` is {state} and has no result to supersede; record one with CompleteCallback."),
                format!("`{name}` 当前为 {state}，尚无可更正的结果，请先调用 CompleteCallback 登记。"),
            )
            .with("name", name)
            .with("state", state),
            Rejection::SecondPersonRequired(employee) => Failure::new(
                Code::PermissionDenied,
                "SECOND_PERSON_REQUIRED",
                format!("{employee} recorded the result that stands; another lead or HQ supersedes it."),
                format!("现行结果由 {employee} 登记，须由其他主管或总部人员更正。"),
            )
            .with("employee", employee),
            Rejection::IllegalTransition { name, state, action } => {
                Failure::illegal_transition("callback", name, state, action)
            }
            Rejection::PolicyUnknown(problem) => {
                tracing::error!(problem, "a callback's policy version is not known");
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

fn outside_windows(code: Code, next_open: DateTime<Utc>) -> Failure {
    Failure::new(
        code,
        "OUTSIDE_CALLING_WINDOWS",
        format!("Clients are not called at this time; the next window opens at {}.", local(next_open)),
        format!("该时间不在可回访时段内，下一时段自 {} 开始。", local(next_open)),
    )
    .with("next_open", local(next_open))
}

/// `AGREED_TIME_REQUIRED`: inconvenient, but no time was agreed (B3).
pub(super) fn agreed_time_required() -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "AGREED_TIME_REQUIRED",
        "Where it is not convenient, give the time agreed with the client.",
        "客户不便时，请填写与客户约定的时间。",
    )
    .with("field", "agreed_time")
    .field("agreed_time", "the time agreed with the client", "与客户约定的时间")
}

/// `CASE_MISMATCH`: the context is about another case than the callback is named under.
pub(super) fn case_mismatch(name: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "CASE_MISMATCH",
        "The call was admitted for another case than the callback belongs to.",
        "本次调用所针对的事项与该回访不符。",
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

/// As people in the firm read it.
fn local(time: DateTime<Utc>) -> String {
    time.with_timezone(&SHANGHAI).to_rfc3339()
}
