//! What K5 refuses, as the contract tells it.

use shouwen_access::Failure;
use tonic::Code;

use crate::domain::Rejection;

/// A refusal of a transfer.
pub(super) fn failure(rejection: Rejection) -> Failure {
    match rejection {
        Rejection::NotOnCall { routing, employee } => Failure::new(
            Code::PermissionDenied,
            "NOT_ON_CALL",
            format!("`{employee}` is on this call; only they can transfer it."),
            format!("该通话由 `{employee}` 接听，只能由其转接。"),
        )
        .with("routing", routing)
        .with("employee", employee),
        Rejection::TransferPending { routing, employee } => Failure::new(
            Code::FailedPrecondition,
            "TRANSFER_PENDING",
            format!("The call rings at the desk of `{employee}`; wait for the answer, or withdraw the transfer first."),
            format!("该通话正在向 `{employee}` 转接，请等待应答或先撤回转接。"),
        )
        .with("routing", routing)
        .with("employee", employee),
        Rejection::NoSuchTransfer(routing) => Failure::new(
            Code::FailedPrecondition,
            "NO_SUCH_TRANSFER",
            "No transfer of yours is pending: it was accepted, declined or rang out. Read the routing to see who is on the call.",
            "您没有待应答的转接（已接受、拒接或超时），请查看通话现状。",
        )
        .with("routing", routing),
        Rejection::TargetNotFree { employee, presence } => Failure::new(
            Code::FailedPrecondition,
            "TARGET_NOT_FREE",
            format!("`{employee}` cannot take a call now ({presence}); name another colleague, or take a message."),
            format!("`{employee}` 目前无法接听（{presence}），请转接其他同事，或代为留言。"),
        )
        .with("employee", employee)
        .with("presence", presence),
        other => other.into(),
    }
}
