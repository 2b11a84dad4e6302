//! The service's refusals as the contract tells them: code, reason, what to do next. The only place that maps rejections to gRPC.

use chrono::{DateTime, Utc};
use shouwen_access::Failure;
use shouwen_calendar::SHANGHAI;
use shouwen_vault::{IdentityNumberError, PersonNameError, PhoneError};
use tonic::Code;

use super::texts::Remedy;
use crate::domain::Rejection;

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::NotFound(name) => Failure::not_found("client", name),
            Rejection::ImportNotFound(name) => Failure::not_found("operation", name),
            Rejection::EtagMismatch(name) => Failure::etag_mismatch("client", name),
            Rejection::BranchOutOfReach(branch) => {
                branch_out_of_reach(&branch).with("field", "client.branch")
            }
            Rejection::TooManyAccounts(allowed) => too_many_accounts(allowed),
            Rejection::EvidenceRequired(field) => evidence_required(field),
            Rejection::IdentityNumberTaken(client) => taken(
                "IDENTITY_NUMBER_TAKEN",
                "client.identity_number".to_owned(),
                client,
                ("The identity number", "该身份证号"),
            ),
            Rejection::CapitalAccountTaken { index, client } => taken(
                "CAPITAL_ACCOUNT_TAKEN",
                format!("client.capital_accounts[{index}].account"),
                client,
                ("The capital account", "该资金账号"),
            ),
            Rejection::ManagerInvalid => manager_invalid(),
            Rejection::PositionTooLow(needed) => Failure::new(
                Code::InvalidArgument,
                "POSITION_TOO_LOW",
                format!("The client's assets ask for the position {} or a higher one.", needed.as_str()),
                format!("按该客户的资产，服务经理的职务至少为 {}。", needed.as_str()),
            )
            .with("position", needed.as_str())
            .with("field", "client.service_manager"),
            Rejection::VerificationLocked(until) => Failure::new(
                Code::FailedPrecondition,
                "VERIFICATION_LOCKED",
                format!("Too many answers were wrong; nobody verifies this client before {}.", local(until)),
                format!("核对失败次数过多，{} 之前不能核对该客户身份。", local(until)),
            )
            .with("until", local(until)),
            Rejection::VerificationNotStarted => Failure::new(
                Code::FailedPrecondition,
                "VERIFICATION_NOT_STARTED",
                "You have not begun this verification, or it has expired; call StartVerification.",
                "您尚未开始核对，或核对已过期，请先调用 StartVerification。",
            ),
            Rejection::FactorAnswered(factor) => Failure::new(
                Code::FailedPrecondition,
                "FACTOR_ANSWERED",
                format!("{} was answered before; each factor counts once, ask for another.", factor.as_str()),
                format!("{} 已核对过，每项只计一次，请核对其他项目。", factor.as_str()),
            )
            .with("factor", factor.as_str()),
            Rejection::FactorNotOnFile(factor) => Failure::new(
                Code::FailedPrecondition,
                "FACTOR_NOT_ON_FILE",
                format!("{} is not on the client's file; ask for another factor.", factor.as_str()),
                format!("客户档案中没有 {}，请核对其他项目。", factor.as_str()),
            )
            .with("factor", factor.as_str()),
            Rejection::IdentityNotVerified => Failure::new(
                Code::FailedPrecondition,
                "IDENTITY_NOT_VERIFIED",
                "Verify the client's identity first: StartVerification, then AnswerVerification until it has passed.",
                "请先核对客户身份：调用 StartVerification，再以 AnswerVerification 核对至通过。",
            ),
            Rejection::LookupsUsedUp { until, wait } => Failure::new(
                Code::ResourceExhausted,
                "LOOKUPS_USED_UP",
                format!(
                    "You have looked for as many clients as you may for now; look again at {}, or read the client by its id.",
                    local(until)
                ),
                format!("您查找客户的次数已达上限，请于 {} 之后再查，或按客户编号读取。", local(until)),
            )
            .with("until", local(until))
            .retry_after(wait.to_std().unwrap_or_default()),
            Rejection::ImportSuperseded => Failure::new(
                Code::Aborted,
                "IMPORT_SUPERSEDED",
                "The same import was begun again meanwhile; the later one goes on.",
                "同一导入已重新开始，以后一次为准。",
            ),
            Rejection::PolicyUnknown(problem) => {
                tracing::error!(problem, "a verification's policy version is not known");
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

/// L1. Programs may look the holder up; who reaches this method may read it.
fn taken(
    reason: &'static str,
    field: String,
    client: String,
    (english, chinese): (&'static str, &'static str),
) -> Failure {
    Failure::new(
        Code::AlreadyExists,
        reason,
        format!("{english} is that of `{client}`; correct whichever file is wrong."),
        format!("{chinese}已登记在 `{client}` 名下，请更正有误的一方。"),
    )
    .with("client", client)
    .with("field", &field)
    .field(field, "a number that is no other client's", "其他客户未使用的号码")
}

/// L9
fn evidence_required(field: &'static str) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "EVIDENCE_REQUIRED",
        format!("`client.{field}` changes: refer to the recording or the signed form in `client.contact_evidence`."),
        format!("`client.{field}` 有变更，请在 `client.contact_evidence` 中注明录音或签字表单。"),
    )
    .with("changed", field)
    .with("field", "client.contact_evidence")
    .field("client.contact_evidence", "the recording's or the form's reference", "录音或表单的编号")
}

/// `MANAGER_INVALID`: L8.
fn manager_invalid() -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "MANAGER_INVALID",
        "The service manager must be an active employee of the client's branch.",
        "服务经理须为客户所在营业部的在职员工。",
    )
    .with("field", "client.service_manager")
}

/// `TOO_MANY_ACCOUNTS`: L1.
pub(super) fn too_many_accounts(allowed: impl std::fmt::Display) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "TOO_MANY_ACCOUNTS",
        format!("A client has at most {allowed} capital accounts."),
        format!("一位客户最多 {allowed} 个资金账号。"),
    )
    .with("allowed", &allowed)
    .with("field", "client.capital_accounts")
    .field("client.capital_accounts", format!("at most {allowed}"), format!("最多 {allowed} 个"))
}

/// `PRIMARY_ACCOUNT_REQUIRED`: L1.
pub(super) fn primary_account_required(found: usize) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "PRIMARY_ACCOUNT_REQUIRED",
        format!("{found} capital accounts are primary; mark exactly one, the one that trades."),
        format!("有 {found} 个主资金账号，须有且仅有一个用于交易的主账号。"),
    )
    .with("found", found)
    .with("field", "client.capital_accounts")
    .field("client.capital_accounts", "exactly one with `primary`", "有且仅有一个 `primary`")
}

/// `BRANCH_UNKNOWN`: ownership has told of no such branch.
pub(super) fn branch_unknown(branch: &str) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        "BRANCH_UNKNOWN",
        format!("There is no `{branch}`; check the name, or enter the branch in the roster first."),
        format!("不存在 `{branch}`，请核对名称，或先在名册中登记该营业部。"),
    )
    .with("branch", branch)
    .with("field", "client.branch")
    .field("client.branch", "a branch of the roster", "名册中的营业部")
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

/// `PHONE_INVALID`.
pub(super) fn phone(field: &'static str, error: PhoneError) -> Failure {
    spelled("PHONE_INVALID", field, error.to_string(), "电话号码无效，请填写 11 位手机号，或带区号的固定电话")
}

/// `IDENTITY_NUMBER_INVALID`.
pub(super) fn identity_number(field: &'static str, error: IdentityNumberError) -> Failure {
    spelled(
        "IDENTITY_NUMBER_INVALID",
        field,
        error.to_string(),
        "身份证号无效，请按证件填写 18 位号码，并核对校验位",
    )
}

/// A name of a person that cannot be read.
pub(super) fn display_name(field: &'static str, error: PersonNameError) -> Failure {
    Failure::field_invalid(field, error.to_string(), "姓名无效，请填写客户姓名，最多 64 字")
}

/// A field of a known form.
pub(super) fn text(field: impl Into<String>, remedy: Remedy) -> Failure {
    Failure::field_invalid(field, remedy.english, remedy.chinese)
}

/// A name that is no client's.
pub(super) fn client_name(field: &'static str) -> Failure {
    Failure::field_invalid(
        field,
        "write `clients/{client}`, the id with 1-64 of `a-z A-Z 0-9 . _ -`",
        "请填写 `clients/{client}`，编号为 1 至 64 位字母、数字或 . _ -",
    )
}

/// `STREAM_BROKEN`: an import ended before its stream did.
pub(super) fn stream_broken() -> Failure {
    Failure::new(
        Code::Aborted,
        "STREAM_BROKEN",
        "The stream broke; what was taken stays. Send all lines again with the same request_id.",
        "数据流中断，已导入的保留；请使用相同的 request_id 重新发送全部行。",
    )
}

/// The error of the texts says what is wrong and what to do, and never repeats the value.
fn spelled(reason: &'static str, field: &'static str, english: String, chinese: &'static str) -> Failure {
    Failure::new(
        Code::InvalidArgument,
        reason,
        format!("Field `{field}` is invalid: {english}"),
        format!("字段 `{field}` 无效：{chinese}"),
    )
    .with("field", field)
    .field(field, english, chinese)
}

/// As people in the firm read it.
fn local(time: DateTime<Utc>) -> String {
    time.with_timezone(&SHANGHAI).to_rfc3339()
}
