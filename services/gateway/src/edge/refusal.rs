//! What the edge itself refuses, and what to do about it. Refusals that backends share are built in `shouwen_access`.

use std::time::Duration;

use http::header::HeaderName;
use shouwen_access::{Failure, Principal};
use tonic::Code;

use crate::{api, ownership::CaseView};

/// When a service that is away or overloaded may be asked again.
const RETRY: Duration = Duration::from_millis(500);

pub(super) fn account_unknown(account: &Principal) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "ACCOUNT_UNKNOWN",
        format!("The roster does not know `{account}`; ask an administrator of the roster to add it."),
        format!("名册中没有 `{account}`，请联系名册管理员添加。"),
    )
    .with("account", account)
}

pub(super) fn account_inactive(account: &Principal) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "ACCOUNT_INACTIVE",
        format!("`{account}` is inactive; ask an administrator of the roster."),
        format!("`{account}` 已停用，请联系名册管理员。"),
    )
    .with("account", account)
}

pub(super) fn account_cannot_act(account: &Principal) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "SERVICE_ACCOUNT_CANNOT_ACT",
        format!("`{account}` may not act for employees; call without x-shouwen-employee, or have it allowed in the roster."),
        format!("`{account}` 不得代表员工操作；请去掉 x-shouwen-employee，或在名册中授权。"),
    )
    .with("account", account)
}

pub(super) fn employee_unknown(employee: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "EMPLOYEE_UNKNOWN",
        format!("The roster does not know the employee `{employee}`; ask an administrator of the roster."),
        format!("名册中没有员工 `{employee}`，请联系名册管理员。"),
    )
    .with("employee", employee)
}

pub(super) fn employee_inactive(employee: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "EMPLOYEE_INACTIVE",
        format!(
            "The employee `{employee}` is inactive and may do nothing; ask an administrator of the roster."
        ),
        format!("员工 `{employee}` 已停用，不能进行任何操作；请联系名册管理员。"),
    )
    .with("employee", employee)
}

pub(super) fn employee_outside_account(account: &Principal, employee: &str, branch: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "EMPLOYEE_OUTSIDE_ACCOUNT",
        format!("`{employee}` belongs to `{branch}`, for which `{account}` may not act; use that branch's account."),
        format!("`{employee}` 属于 `{branch}`，`{account}` 无权代表该营业部；请使用该营业部的账号。"),
    )
    .with("account", account)
    .with("employee", employee)
    .with("branch", branch)
}

pub(super) fn employee_mismatch(principal: &Principal, named: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "EMPLOYEE_MISMATCH",
        format!("The token is that of `{principal}`, who cannot act for `{named}`; only service accounts name an employee."),
        format!("令牌属于 `{principal}`，不能代表 `{named}`；只有服务账号可以指明员工。"),
    )
    .with("principal", principal)
    .with("employee", named)
}

pub(super) fn employee_metadata_invalid(header: &HeaderName) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "EMPLOYEE_METADATA_INVALID",
        format!("Send `{header}` once, as `employees/{{employee}}` or the CRM's id of the employee."),
        format!("`{header}` 须只出现一次，取值为 `employees/{{employee}}` 或 CRM 中的员工编号。"),
    )
    .with("metadata", header)
}

pub(super) fn branch_out_of_reach(branch: &str) -> Failure {
    Failure::new(
        Code::PermissionDenied,
        "BRANCH_OUT_OF_REACH",
        format!("`{branch}` is not within your reach; name your own branch, or ask headquarters."),
        format!("`{branch}` 不在您的权限范围内；请使用本营业部，或联系总部。"),
    )
    .with("branch", branch)
}

pub(super) fn contact_not_found(name: &str) -> Failure {
    Failure::new(
        Code::NotFound,
        "CONTACT_NOT_FOUND",
        format!("Nobody has answered the contact `{name}`, or there is no such contact; answer it first, or check the name."),
        format!("来访 `{name}` 不存在或尚未有人应答；请先应答或核对名称。"),
    )
    .with("name", name)
    .resource("contact", name)
}

/// O7. Names who is responsible and how to get at the work.
pub(super) fn not_responsible(view: &CaseView, assisting: bool) -> Failure {
    let CaseView { case, first_responder, accountable, handler, deputies, .. } = view;
    let (acting, acting_chinese) = api::failures::acting(deputies);
    let (assists, assists_chinese) = if assisting {
        ("You assist here: you may record, but not decide. ", "您在此事项中为协助人：可以记录，不能作决定。")
    } else {
        ("", "")
    };
    Failure::new(
        Code::PermissionDenied,
        "NOT_RESPONSIBLE",
        format!(
            "`{case}` is handled by `{handler}`, accountable is `{accountable}`, first responder `{first_responder}`{acting}. \
             {assists}Ask the handler to offer you the case (OfferTransfer); a lead may take it over with a reason (BeginOverride)."
        ),
        format!(
            "事项 `{case}` 的承办人为 `{handler}`，责任人为 `{accountable}`，首问责任人为 `{first_responder}`{acting_chinese}。\
             {assists_chinese}请承办人向您转交（OfferTransfer）；主管可说明理由后代为处理（BeginOverride）。"
        ),
    )
    .with("case", case)
    .with("first_responder", first_responder)
    .with("accountable", accountable)
    .with("handler", handler)
    .with("deputies", deputies.join(" "))
    .resource("case", case)
}

pub(super) fn rate_limited(wait: Duration) -> Failure {
    Failure::new(
        Code::ResourceExhausted,
        "RATE_LIMITED",
        "Too many calls with this token; wait as long as RetryInfo says.",
        "该令牌的调用过于频繁，请按 RetryInfo 的时间等待后重试。",
    )
    .retry_after(wait)
}

pub(super) fn too_many_calls_at_once(principal: &Principal, limit: usize) -> Failure {
    too_many_at_once(
        format!("`{principal}` has {limit} calls under way, as many as one caller may; read their answers or cancel them, and try again."),
        format!("`{principal}` 有 {limit} 个调用正在进行，已达单个调用方的上限；请读完其响应或取消调用后重试。"),
        ("calls", principal, limit),
    )
    .retry_after(RETRY)
}

/// Without `RetryInfo`: waiting ends no stream.
pub(super) fn too_many_streams_at_once(principal: &Principal, limit: usize) -> Failure {
    too_many_at_once(
        format!(
            "`{principal}` has {limit} streams open, as many as one caller may; end one before you open another."
        ),
        format!("`{principal}` 已打开 {limit} 个数据流，已达单个调用方的上限；请先结束其中一个再打开新的。"),
        ("streams", principal, limit),
    )
}

fn too_many_at_once(
    english: String,
    chinese: String,
    (kind, principal, limit): (&str, &Principal, usize),
) -> Failure {
    Failure::new(Code::ResourceExhausted, "TOO_MANY_AT_ONCE", english, chinese)
        .with("principal", principal)
        .with("kind", kind)
        .with("limit", limit)
}

pub(super) fn overloaded() -> Failure {
    Failure::new(
        Code::ResourceExhausted,
        "OVERLOADED",
        "Too many calls are waiting; nothing was done, try again shortly.",
        "系统繁忙，本次未作任何更改，请稍后重试。",
    )
    .retry_after(RETRY)
}

pub(super) fn answer_too_large(limit: usize) -> Failure {
    Failure::new(
        Code::ResourceExhausted,
        "MESSAGE_TOO_LARGE",
        format!("The answer is larger than {limit} bytes; ask for smaller pages."),
        format!("响应超过 {limit} 字节，请减小分页。"),
    )
    .with("limit_bytes", limit)
}

pub(super) fn compression_unsupported() -> Failure {
    Failure::new(
        Code::Unimplemented,
        "COMPRESSION_UNSUPPORTED",
        "Requests are taken uncompressed only; switch compression off in the client.",
        "不支持压缩的请求，请在客户端关闭压缩。",
    )
}

pub(super) fn interrupted() -> Failure {
    Failure::new(
        Code::Cancelled,
        "REQUEST_INTERRUPTED",
        "The request ended before it was complete; nothing was done.",
        "请求在传输完成前中断，未作任何更改。",
    )
}

pub(super) fn deadline_exceeded(mutation: bool) -> Failure {
    let (english, chinese) = if mutation {
        (
            "The time for the call ran out; whether the change was made is not known, repeat the call with the same request_id.",
            "调用超时，尚不能确定更改是否已生效，请使用相同的 request_id 重试。",
        )
    } else {
        ("The time for the call ran out; try again with more.", "调用超时，请延长时限后重试。")
    };
    Failure::new(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", english, chinese)
}

pub(super) fn token_expired() -> Failure {
    Failure::new(
        Code::Unauthenticated,
        "TOKEN_EXPIRED",
        "The stream ends because its token has expired; open it again with a new one.",
        "令牌已过期，数据流结束；请使用新令牌重新建立。",
    )
}

pub(crate) fn backend_unavailable(service: &str) -> Failure {
    Failure::new(
        Code::Unavailable,
        "BACKEND_UNAVAILABLE",
        format!("The service `{service}` cannot be reached; nothing was done, try again."),
        format!("服务 `{service}` 暂时不可用，本次未作任何更改，请稍后重试。"),
    )
    .with("service", service)
    .retry_after(RETRY)
}

pub(super) fn backend_not_configured(service: &str) -> Failure {
    Failure::new(
        Code::Unimplemented,
        "BACKEND_NOT_CONFIGURED",
        format!("This deployment has no service `{service}`; ask its operator."),
        format!("本部署未配置服务 `{service}`，请联系运维人员。"),
    )
    .with("service", service)
}
