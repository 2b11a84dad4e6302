//! The failures that every service knows. What only one service refuses is built where it is refused.

use std::borrow::Cow;
use std::time::Duration;

use tonic::Code;

use crate::identity::Roles;
use crate::status::Failure;

/// After losing a race a caller may try again soon; the client's own jitter spreads them.
const SOON: Duration = Duration::from_millis(100);

impl Failure {
    /// `FIELD_INVALID`: a field of the request cannot be used as it is. The remedy says what it should be, e.g. `1-40 of a-z 0-9 -`.
    pub fn field_invalid(
        field: impl Into<String>,
        remedy_english: impl Into<Cow<'static, str>>,
        remedy_chinese: impl Into<Cow<'static, str>>,
    ) -> Self {
        let (field, english, chinese) = (field.into(), remedy_english.into(), remedy_chinese.into());
        Self::new(
            Code::InvalidArgument,
            "FIELD_INVALID",
            format!("Field `{field}` is invalid: {english}"),
            format!("字段 `{field}` 无效：{chinese}"),
        )
        .with("field", &field)
        .field(field, english, chinese)
    }

    /// `{TYPE}_NOT_FOUND`, e.g. `CASE_NOT_FOUND` for the type `case`.
    pub fn not_found(resource_type: &'static str, name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(
            Code::NotFound,
            format!("{}_NOT_FOUND", resource_type.to_ascii_uppercase()),
            format!("There is no {} `{name}`; check the name.", resource_type.replace('_', " ")),
            format!("找不到 `{name}`，请核对名称。"),
        )
        .with("name", &name)
        .resource(resource_type, name)
    }

    /// `ETAG_MISMATCH`: the resource changed since the caller read it.
    pub fn etag_mismatch(resource_type: &'static str, name: impl Into<String>) -> Self {
        let name = name.into();
        Self::new(
            Code::Aborted,
            "ETAG_MISMATCH",
            format!("`{name}` has changed since its etag was read; read it again and decide anew."),
            format!("`{name}` 在读取之后已被修改，请重新读取后再操作。"),
        )
        .with("name", &name)
        .resource(resource_type, name)
    }

    /// `ILLEGAL_TRANSITION`: `action` (the RPC or verb) is not possible in `state`.
    pub fn illegal_transition(
        resource_type: &'static str,
        name: impl Into<String>,
        state: &str,
        action: &str,
    ) -> Self {
        let name = name.into();
        Self::new(
            Code::FailedPrecondition,
            "ILLEGAL_TRANSITION",
            format!("{action} is not possible while `{name}` is {state}; read it to see where it stands."),
            format!("`{name}` 当前状态为 {state}，不能执行 {action}；请查看其现状。"),
        )
        .with("name", &name)
        .with("state", state)
        .with("action", action)
        .precondition("STATE", name.clone(), format!("{action} is not possible in {state}"))
        .resource(resource_type, name)
    }

    /// `CONTENTION`: too many others changed the same thing at once; nothing was changed by this call.
    pub fn contention() -> Self {
        Self::new(
            Code::Aborted,
            "CONTENTION",
            "Others are changing the same resources; nothing was done, try again.",
            "其他操作正在修改同一资源，本次未作任何更改，请重试。",
        )
        .retry_after(SOON)
    }

    /// `OUTCOME_UNKNOWN`: the change may or may not have been made.
    pub fn outcome_unknown() -> Self {
        Self::new(
            Code::Unavailable,
            "OUTCOME_UNKNOWN",
            "It is not known whether the change was made; repeat the call with the same request_id.",
            "尚不能确定更改是否已生效，请使用相同的 request_id 重试。",
        )
        .retry_after(SOON)
    }

    /// Something that the service needs is away, e.g. `DATABASE_UNAVAILABLE`; nothing was changed.
    pub fn unavailable(reason: &'static str) -> Self {
        Self::new(
            Code::Unavailable,
            reason,
            "The service cannot answer at the moment; nothing was done, try again.",
            "服务暂时不可用，本次未作任何更改，请稍后重试。",
        )
        .retry_after(Duration::from_secs(1))
    }

    /// `INTERNAL`: a fault of ours. The caller logs what happened; none of it is told.
    pub fn internal() -> Self {
        Self::new(
            Code::Internal,
            "INTERNAL",
            "An internal fault; it has been logged. Report the time of the call to the operator.",
            "系统内部故障，已记录日志，请将调用时间告知运维人员。",
        )
    }

    /// `REQUEST_ID_REQUIRED`: a mutating call without a UUID in `request_id`.
    pub fn request_id_required() -> Self {
        Self::new(
            Code::InvalidArgument,
            "REQUEST_ID_REQUIRED",
            "Set `request_id` to a fresh UUID and keep it for repetitions of the same call.",
            "请在 `request_id` 中填写新的 UUID，重试同一调用时保持不变。",
        )
        .with("field", "request_id")
        .field("request_id", "a UUID", "UUID")
    }

    /// `REQUEST_ID_REUSED`: the id belongs to a different request.
    pub fn request_id_reused() -> Self {
        Self::new(
            Code::InvalidArgument,
            "REQUEST_ID_REUSED",
            "This `request_id` was used for a different request; use a fresh UUID.",
            "该 `request_id` 已用于另一请求，请使用新的 UUID。",
        )
        .with("field", "request_id")
        .field("request_id", "a UUID that was not used before", "未使用过的 UUID")
    }

    /// `PAGE_TOKEN_INVALID`: forged, malformed, or made for another caller or other arguments.
    pub fn page_token_invalid() -> Self {
        Self::new(
            Code::InvalidArgument,
            "PAGE_TOKEN_INVALID",
            "The page token does not belong to this call; repeat the arguments of the first page or begin anew without a token.",
            "分页令牌与本次调用不符，请保持首页的查询条件，或不带令牌重新查询。",
        )
        .with("field", "page_token")
        .field("page_token", "the next_page_token of the same query", "同一查询返回的 next_page_token")
    }

    /// `FILTER_INVALID`: a term of the filter is not understood. It is named by its number, from 1, for its text may hold personal data. `fields` are
    /// those that the list knows, `example` is a filter that it understands.
    pub fn filter_invalid(term: usize, fields: &str, example: &str) -> Self {
        Self::new(
            Code::InvalidArgument,
            "FILTER_INVALID",
            format!("Term {term} of the filter is not understood; use {fields} once each, `=` and a value, joined by AND, such as `{example}`."),
            format!("筛选条件第 {term} 项无法识别；可用 {fields} 各一次，以 `=` 取值并以 AND 连接，例如 `{example}`。"),
        )
        .with("term", term)
        .with("fields", fields)
        .with("example", example)
        .field("filter", format!("term {term}: one of {fields}, such as `{example}`"), format!("第 {term} 项：可用 {fields}，例如 `{example}`"))
    }

    /// `MESSAGE_MALFORMED`: the request is not a well-formed protobuf message.
    pub fn message_malformed() -> Self {
        Self::new(
            Code::InvalidArgument,
            "MESSAGE_MALFORMED",
            "The request is not a well-formed protobuf message; check the client's encoding.",
            "请求不是有效的 protobuf 消息，请检查客户端编码。",
        )
    }

    /// `MESSAGE_TOO_LARGE`: the request exceeds `limit` bytes.
    pub fn message_too_large(limit: usize) -> Self {
        Self::new(
            Code::ResourceExhausted,
            "MESSAGE_TOO_LARGE",
            format!("The request is larger than {limit} bytes; split it."),
            format!("请求超过 {limit} 字节，请拆分后重试。"),
        )
        .with("limit_bytes", limit)
    }

    /// `METHOD_UNKNOWN`: the contract has no such method.
    pub fn method_unknown(path: &str) -> Self {
        Self::new(
            Code::Unimplemented,
            "METHOD_UNKNOWN",
            format!("There is no method `{path}`; list the methods by server reflection."),
            format!("不存在方法 `{path}`，可通过服务反射查看方法列表。"),
        )
        .with("method", path)
    }

    /// `ROLE_REQUIRED`: the caller holds none of the roles that the method is open to.
    pub fn role_required(path: &str, roles: Roles) -> Self {
        Self::new(
            Code::PermissionDenied,
            "ROLE_REQUIRED",
            format!("`{path}` is open to the roles {roles} only; ask an administrator of the roster."),
            format!("仅下列角色可调用 `{path}`：{roles}；请联系名册管理员。"),
        )
        .with("method", path)
        .with("roles", roles)
    }
}

#[cfg(test)]
mod tests {
    use shouwen_proto::access::v1::Role;
    use tonic_types::StatusExt as _;

    use super::*;
    use crate::language::Language;

    #[test]
    fn every_shared_failure_has_its_code_and_reason() {
        let cases = [
            (
                Failure::field_invalid("topic", "at most 40", "最多 40"),
                Code::InvalidArgument,
                "FIELD_INVALID",
            ),
            (Failure::not_found("parked_event", "x"), Code::NotFound, "PARKED_EVENT_NOT_FOUND"),
            (Failure::not_found("case", "cases/1"), Code::NotFound, "CASE_NOT_FOUND"),
            (Failure::etag_mismatch("case", "cases/1"), Code::Aborted, "ETAG_MISMATCH"),
            (
                Failure::illegal_transition("case", "cases/1", "CLOSED", "OfferTransfer"),
                Code::FailedPrecondition,
                "ILLEGAL_TRANSITION",
            ),
            (Failure::contention(), Code::Aborted, "CONTENTION"),
            (Failure::outcome_unknown(), Code::Unavailable, "OUTCOME_UNKNOWN"),
            (Failure::unavailable("DATABASE_UNAVAILABLE"), Code::Unavailable, "DATABASE_UNAVAILABLE"),
            (Failure::internal(), Code::Internal, "INTERNAL"),
            (Failure::request_id_required(), Code::InvalidArgument, "REQUEST_ID_REQUIRED"),
            (Failure::request_id_reused(), Code::InvalidArgument, "REQUEST_ID_REUSED"),
            (Failure::page_token_invalid(), Code::InvalidArgument, "PAGE_TOKEN_INVALID"),
            (Failure::message_malformed(), Code::InvalidArgument, "MESSAGE_MALFORMED"),
            (Failure::message_too_large(1), Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            (Failure::method_unknown("/a/b"), Code::Unimplemented, "METHOD_UNKNOWN"),
            (
                Failure::role_required("/a/b", Roles::NONE.with(Role::Hq)),
                Code::PermissionDenied,
                "ROLE_REQUIRED",
            ),
        ];
        for (failure, code, reason) in cases {
            assert_eq!((failure.code(), failure.reason()), (code, reason));
            assert_ne!(failure.message(Language::En), failure.message(Language::ZhCn), "{reason}");
            assert_eq!(failure.to_status(Language::ZhCn).get_details_error_info().unwrap().reason, reason);
        }
    }

    #[test]
    fn an_invalid_field_is_named_in_the_metadata_and_as_a_violation() {
        let details = Failure::field_invalid("topic", "at most 40", "最多 40").to_status(Language::En);
        let details = details.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["field"], "topic");
        let violation = &details.bad_request().unwrap().field_violations[0];
        assert_eq!((violation.field.as_str(), violation.description.as_str()), ("topic", "at most 40"));
    }

    #[test]
    fn an_illegal_transition_says_from_which_state() {
        let details =
            Failure::illegal_transition("case", "cases/1", "CLOSED", "OfferTransfer").to_status(Language::En);
        let details = details.get_error_details();
        assert_eq!(details.error_info().unwrap().metadata["state"], "CLOSED");
        assert_eq!(details.precondition_failure().unwrap().violations[0].subject, "cases/1");
        assert_eq!(details.resource_info().unwrap().resource_type, "case");
    }
}
