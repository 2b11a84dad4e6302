//! Protobuf to domain and back, for cases, roster and policies. Decides nothing.

pub mod absences;
pub mod cases;
pub mod desk;
pub mod failures;
pub mod feed;
pub mod filter;
mod identify;
pub mod messages;
mod place;
pub mod policies;
pub mod receipt;
pub mod roster;
pub mod routing;
mod timeline;

use chrono::{DateTime, Utc};
use shouwen_access::{BranchName, Caller, EmployeeName, Failure};
use shouwen_engine::AggregateId;
use shouwen_proto::access::v1::Role;
use shouwen_serving::timestamps;
use tonic::Code;

/// A text that must be there.
pub(crate) fn required(field: &'static str, text: &str) -> Result<String, Failure> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Failure::field_invalid(field, "must not be empty", "不能为空"));
    }
    bounded(field, text)
}

/// The most characters of a free text.
const TEXT: usize = 4000;

/// A text within bounds.
pub(crate) fn bounded(field: &'static str, text: &str) -> Result<String, Failure> {
    if text.chars().count() > TEXT {
        return Err(Failure::field_invalid(
            field,
            format!("must not exceed {TEXT} characters"),
            format!("不能超过 {TEXT} 个字符"),
        ));
    }
    Ok(text.to_owned())
}

/// `cases/{case}`
pub(crate) fn case_id(field: &'static str, name: &str) -> Result<AggregateId, Failure> {
    let mut parts = name.split('/');
    match (parts.next(), parts.next().filter(|id| is_id(id)), parts.next()) {
        (Some("cases"), Some(id), None) => Ok(AggregateId(format!("cases/{id}"))),
        _ => Err(Failure::field_invalid(field, "must be `cases/{case}`", "格式须为 `cases/{case}`")),
    }
}

/// `absences/{absence}`
pub(crate) fn absence_id(field: &'static str, name: &str) -> Result<AggregateId, Failure> {
    match name.strip_prefix("absences/").filter(|id| is_id(id)) {
        Some(id) => Ok(AggregateId(format!("absences/{id}"))),
        None => Err(Failure::field_invalid(
            field,
            "must be `absences/{absence}`",
            "格式须为 `absences/{absence}`",
        )),
    }
}

/// `contacts/{contact}`, also as `calls/{call}`.
pub(crate) fn contact_id(field: &'static str, name: &str) -> Result<AggregateId, Failure> {
    let mut parts = name.split('/');
    match (parts.next(), parts.next().filter(|id| is_id(id)), parts.next()) {
        (Some("contacts" | "calls"), Some(id), None) => Ok(AggregateId(format!("contacts/{id}"))),
        _ => Err(Failure::field_invalid(
            field,
            "must be `contacts/{contact}` with 1-64 of `a-z A-Z 0-9 . _ -`",
            "格式须为 `contacts/{contact}`，编号为 1-64 个 `a-z A-Z 0-9 . _ -`",
        )),
    }
}

/// A skill as the roster names it.
pub(crate) fn is_skill(skill: &str) -> bool {
    (1..=40).contains(&skill.len())
        && skill.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// An id of a case, a contact or an absence.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

pub(crate) fn employee(field: &'static str, name: &str) -> Result<String, Failure> {
    EmployeeName::parse(name).map(|name| name.to_string()).map_err(|_| {
        Failure::field_invalid(
            field,
            "must be `employees/{employee}` with 1-40 of `a-z 0-9 -`",
            "格式须为 `employees/{employee}`，编号为 1-40 个 `a-z 0-9 -`",
        )
    })
}

pub(crate) fn branch(field: &'static str, name: &str) -> Result<String, Failure> {
    BranchName::parse(name).map(|name| name.to_string()).map_err(|_| {
        Failure::field_invalid(
            field,
            "must be `branches/{branch}` with 1-40 of `a-z 0-9 -`",
            "格式须为 `branches/{branch}`，编号为 1-40 个 `a-z 0-9 -`",
        )
    })
}

pub(crate) fn time(
    field: &'static str,
    value: Option<&prost_types::Timestamp>,
) -> Result<DateTime<Utc>, Failure> {
    value
        .and_then(timestamps::from_proto)
        .ok_or_else(|| Failure::field_invalid(field, "must be a valid time", "必须是有效的时间"))
}

/// The parent of a list: `branches/{branch}`, or `branches/-` for all.
pub(crate) fn parent(name: &str) -> Result<Option<String>, Failure> {
    if name == "branches/-" { Ok(None) } else { branch("parent", name).map(Some) }
}

/// Refuses what lies outside the caller's branches.
pub(crate) fn within_reach(caller: &Caller, branch: &str) -> Result<(), Failure> {
    if caller.reach.covers(branch) {
        return Ok(());
    }
    Err(Failure::new(
        Code::PermissionDenied,
        "BRANCH_OUT_OF_REACH",
        format!("`{branch}` lies outside your branches; ask a colleague there or HQ."),
        format!("`{branch}` 不在您的权限范围内，请联系该营业部或总部。"),
    )
    .with("branch", branch))
}

/// For which branches the caller speaks; `None` for the firm and all of them. Only HQ speaks for more than the own branch, whoever else may read or keep
/// the roster of them all (P2, O9).
pub(crate) fn own(caller: &Caller) -> Option<Vec<String>> {
    if caller.roles.contains(Role::Hq) {
        return caller.reach.branches();
    }
    Some(caller.branch.iter().map(ToString::to_string).collect())
}
