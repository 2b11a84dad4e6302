//! What the engine refuses, as the contract tells it.

use shouwen_access::Failure;
use shouwen_engine::SubmitError;
use tonic::Code;

/// The failure behind a refused submission; a domain's rejections bring their own.
pub fn failure<R: Into<Failure>>(error: SubmitError<R>) -> Failure {
    match error {
        SubmitError::Rejected(rejection) => rejection.into(),
        SubmitError::RequestReused => Failure::request_id_reused(),
        SubmitError::Stale => Failure::new(
            Code::Aborted,
            "STALE_EPOCH",
            "The responsibility for the case has changed meanwhile; read the case and call again.",
            "事项的责任归属已变更，请重新读取后再试。",
        ),
        SubmitError::NotAReplay => Failure::new(
            Code::FailedPrecondition,
            "NOT_A_REPLAY",
            "There was no earlier call with this request id.",
            "此前没有使用该请求编号的调用。",
        ),
        SubmitError::Contention => Failure::contention(),
        SubmitError::Overloaded => Failure::new(
            Code::ResourceExhausted,
            "OVERLOADED",
            "Too many calls are waiting; try again shortly.",
            "系统繁忙，请稍后重试。",
        )
        .retry_after(std::time::Duration::from_millis(500)),
        SubmitError::Unavailable => Failure::unavailable("DATABASE_UNAVAILABLE"),
        SubmitError::OutcomeUnknown => Failure::outcome_unknown(),
        SubmitError::Internal => Failure::internal(),
    }
}

/// A failed read: the cause goes to the log, the caller learns that it may try again.
pub fn database(error: &sqlx::Error) -> Failure {
    tracing::warn!(%error, "a read from the database failed");
    Failure::unavailable("DATABASE_UNAVAILABLE")
}

/// A failed sealing or opening.
pub fn vault(error: &shouwen_vault::VaultError) -> Failure {
    tracing::warn!(%error, "personal data could not be sealed or opened");
    match error {
        shouwen_vault::VaultError::Erased { .. } => Failure::new(
            Code::FailedPrecondition,
            "DATA_ERASED",
            "The personal data of this subject were erased.",
            "该对象的个人信息已被删除。",
        ),
        shouwen_vault::VaultError::Database(_) => Failure::unavailable("DATABASE_UNAVAILABLE"),
        _ => Failure::internal(),
    }
}
