//! The domain's rejections as the contract tells them: code, reason, what to do next.

use shouwen_access::Failure;
use shouwen_vault::PhoneError;
use tonic::Code;

use crate::domain::Rejection;

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::CallExists(name) => Self::new(
                Code::AlreadyExists,
                "CALL_EXISTS",
                format!("`{name}` is registered already; choose another id, or none."),
                format!("`{name}` 已登记，请更换编号或留空。"),
            )
            .with("name", &name)
            .resource("call", name),
            Rejection::CallNotFound(name) => Self::not_found("call", name),
            Rejection::BranchOutOfReach(branch) => branch_out_of_reach(&branch),
            Rejection::CaseMismatch(name) => Self::new(
                Code::PermissionDenied,
                "CASE_MISMATCH",
                "The call was admitted for another case than the contact belongs to; read the contact and call again.",
                "本次调用所针对的事项与该联系不符，请重新读取后再试。",
            )
            .with("name", &name)
            .resource("call", name),
            Rejection::IllegalTransition { call, state, action, answered } => {
                let failure = Self::illegal_transition("call", call, state, action);
                match answered {
                    Some((employee, case)) => failure.with("employee", employee).with("case", case),
                    None => failure,
                }
            }
            Rejection::OccurTimeFuture => {
                Self::field_invalid("occur_time", "not in the future", "不得晚于当前时间")
            }
            Rejection::ChannelDiffers(_) => {
                Self::field_invalid("channel", "the channel that was registered", "须与登记的渠道一致")
            }
            Rejection::NotAnInboundCall(name) => Self::new(
                Code::FailedPrecondition,
                "NOT_AN_INBOUND_CALL",
                "Only an inbound call can be missed; end other contacts with their outcome.",
                "仅呼入电话可标记为未接，其他联系请填写结果后结束。",
            )
            .with("name", &name)
            .precondition("CHANNEL", name.clone(), "an inbound phone call")
            .resource("call", name),
            Rejection::EtagMismatch(name) => Self::etag_mismatch("call", name),
            Rejection::RecordMissing(name) => Self::new(
                Code::FailedPrecondition,
                "RECORD_MISSING",
                "There is no record to confirm; fill it in and repeat it back to the client first.",
                "尚无记录可供确认，请先填写并向客户复述。",
            )
            .with("name", &name)
            .precondition("RECORD", name.clone(), "call RecordCall first")
            .resource("call", name),
            Rejection::AgreedTimePast => Self::new(
                Code::InvalidArgument,
                "AGREED_TIME_PAST",
                "The agreed time has passed; agree a later one with the client.",
                "约定的时间已过，请与客户另行约定。",
            )
            .with("field", "agreed_time")
            .field("agreed_time", "a time to come", "请填写将来的时间"),
            Rejection::OutsideCallingWindows { next_open } => {
                let next_open = next_open.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
                Self::new(
                    Code::InvalidArgument,
                    "OUTSIDE_CALLING_WINDOWS",
                    format!("Clients are not called at this time unless they ask for it; the next window opens at {next_open}."),
                    format!("除非客户要求，该时间不在可回访时段内；下一时段自 {next_open} 开始。"),
                )
                .with("next_open", &next_open)
                .with("field", "agreed_time")
                .field("agreed_time", "a time within the calling windows, or `client_asked`", "可回访时段内的时间，或填写 `client_asked`")
            }
            Rejection::PhoneRequired => Self::new(
                Code::InvalidArgument,
                "PHONE_REQUIRED",
                "The caller's number is not known; ask the client where to call.",
                "来电号码未知，请向客户询问回访电话。",
            )
            .with("field", "phone")
            .field("phone", "the number to call", "回访电话"),
            Rejection::PromiseMissing(name) => Self::new(
                Code::FailedPrecondition,
                "PROMISE_MISSING",
                "No callback was promised during this contact; call PromiseCallback first, or choose another outcome.",
                "本次联系未约定回访，请先调用 PromiseCallback 或更换结果。",
            )
            .with("name", &name)
            .precondition("PROMISE", name.clone(), "call PromiseCallback first")
            .resource("call", name),
            Rejection::PolicyInvalid(problem) => {
                tracing::error!(%problem, "an approved policy is not valid here");
                Self::internal()
            }
        }
    }
}

/// `BRANCH_OUT_OF_REACH`: the contact is another branch's.
pub(super) fn branch_out_of_reach(branch: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "BRANCH_OUT_OF_REACH",
        format!("`{branch}` is not within your reach; ask a colleague of that branch."),
        format!("`{branch}` 不在您的权限范围内，请联系该营业部人员。"),
    )
    .with("branch", branch)
}

/// `PHONE_INVALID`. The number itself is never repeated.
pub(super) fn phone_invalid(field: &'static str, error: PhoneError) -> Failure {
    let problem = error.to_string();
    Failure::new(
        Code::InvalidArgument,
        "PHONE_INVALID",
        format!("Field `{field}` is no phone number: {problem}."),
        format!("字段 `{field}` 不是有效的电话号码，请填写手机号码或带区号的固定电话。"),
    )
    .with("field", field)
    .field(field, problem, "手机号码，或带区号的固定电话")
}
