//! The domain's rejections as the contract tells them: code, reason, what to do next.

mod attendance;
mod policy;
mod problems;
mod transfer;

use shouwen_access::Failure;
use shouwen_engine::SubmitError;
use shouwen_serving::refusal;
use shouwen_vault::PhoneError;
use tonic::Code;

use self::problems::in_chinese;
use crate::domain::{Rejection, rejection::Responsible};

/// The failure behind a refused submission.
pub(crate) fn failure(error: SubmitError<Rejection>) -> Failure {
    refusal::failure(error)
}

/// Who is responsible and how to ask for a hand-over (O7).
pub fn not_responsible(who: &Responsible) -> Failure {
    let (acting, acting_chinese) = acting(&who.deputies);
    responsible(
        Failure::new(
            Code::PermissionDenied,
            "NOT_RESPONSIBLE",
            format!(
                "`{}` handles this case and `{}` answers for it{acting}; ask the handler to offer you the work, or a lead to begin an override.",
                who.handler, who.accountable
            ),
            format!(
                "该事项由 `{}` 承办、`{}` 负责{acting_chinese}；请承办人转交，或由主管发起代为处理。",
                who.handler, who.accountable
            ),
        ),
        who,
    )
}

/// Who acts in place of the absent ones, as a clause more (O9).
pub(crate) fn acting(deputies: &[String]) -> (String, String) {
    if deputies.is_empty() {
        return (String::new(), String::new());
    }
    let names = deputies.join("`, `");
    (format!(", while absent `{names}` acts for them"), format!("，离岗期间由 `{names}` 代理"))
}

fn responsible(failure: Failure, who: &Responsible) -> Failure {
    failure
        .with("case", &who.case)
        .with("first_responder", &who.first_responder)
        .with("accountable", &who.accountable)
        .with("handler", &who.handler)
        .with("deputies", who.deputies.join(" "))
        .resource("case", who.case.clone())
}

/// The first attempt under this request id was refused for good.
pub(crate) fn touch_voided(contact: &str) -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        "TOUCH_VOIDED",
        format!("Answering `{contact}` was refused under this request_id; answer it again under a new one."),
        format!("以此 request_id 应答 `{contact}` 已被拒绝；请换新的 request_id 重新应答。"),
    )
    .with("contact", contact)
    .resource("contact", contact)
}

/// Nobody in the clients service is found by what was given; it is not repeated here, being personal data.
pub(crate) fn client_not_found() -> Failure {
    Failure::new(
        Code::NotFound,
        "CLIENT_NOT_FOUND",
        "No client is found by this; check it with the client, or name the client by the CRM's id.",
        "未找到匹配的客户，请与客户核对，或直接填写客户编号。",
    )
}

/// `PHONE_INVALID`. The number itself is never repeated.
pub(crate) fn phone_invalid(field: &'static str, error: PhoneError) -> Failure {
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

/// Several clients share it.
pub(crate) fn client_ambiguous(count: usize) -> Failure {
    Failure::new(
        Code::FailedPrecondition,
        "CLIENT_AMBIGUOUS",
        format!("{count} clients are found by this; ask for the identity number or a capital account, or name the client."),
        format!("匹配到 {count} 位客户，请改用证件号码或资金账号，或直接填写客户编号。"),
    )
    .with("count", count)
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::CaseNotFound(name) => Self::not_found("case", name),
            Rejection::ContactNotFound(name) => Self::not_found("contact", name),
            Rejection::PolicyNotFound(name) => Self::not_found("policy", name),
            Rejection::ContactClaimed { contact, employee, responsible: who } => responsible(
                Self::new(
                    Code::AlreadyExists,
                    "CONTACT_CLAIMED",
                    format!("`{employee}` has answered this contact already and is responsible for it; nothing is left to answer."),
                    format!("`{employee}` 已应答该联系，由其负责，无需再次应答。"),
                )
                .with("contact", contact)
                .with("employee", employee),
                &who,
            ),
            Rejection::ClientAlreadyIdentified(case) => Self::new(
                Code::FailedPrecondition,
                "CLIENT_ALREADY_IDENTIFIED",
                format!("`{case}` belongs to another client already; open a new contact for this one."),
                format!("`{case}` 已登记为其他客户，请为该客户另行登记。"),
            )
            .with("case", case),
            Rejection::NotResponsible(who) => not_responsible(&who),
            Rejection::Merged { case, survivor } => Self::new(
                Code::FailedPrecondition,
                "CASE_MERGED",
                format!("`{case}` was merged; go on with `{survivor}`."),
                format!("`{case}` 已合并，请使用 `{survivor}`。"),
            )
            .with("case", case)
            .with("survivor", survivor),
            Rejection::IllegalTransition { case, phase, action } => {
                Self::illegal_transition("case", case, phase, action)
            }
            Rejection::EtagMismatch(name) => {
                let kind = match name.split('/').next() {
                    Some("policies") => "policy",
                    Some("absences") => "absence",
                    _ => "case",
                };
                Self::etag_mismatch(kind, name)
            }
            Rejection::OfferPending(case) => Self::new(
                Code::FailedPrecondition,
                "OFFER_PENDING",
                format!("An offer of `{case}` is pending; withdraw it first, or wait for its answer."),
                format!("`{case}` 已有待答复的转交，请先撤回或等待答复。"),
            )
            .with("case", case),
            Rejection::NoSuchOffer { case, offer } => Self::new(
                Code::FailedPrecondition,
                "NO_SUCH_OFFER",
                "The offer is gone: accepted, declined, withdrawn or expired. Read the case to see who handles it.",
                "该转交已不存在（已接受、拒绝、撤回或过期），请查看事项现状。",
            )
            .with("case", case)
            .with("offer", offer),
            Rejection::NotTheReceiver { receiver } => Self::new(
                Code::PermissionDenied,
                "NOT_THE_RECEIVER",
                format!("The offer is for `{receiver}`; only they can answer it."),
                format!("该转交的接收人为 `{receiver}`，只能由其答复。"),
            )
            .with("receiver", receiver),
            Rejection::ReceiverInvalid { employee, problem } => Self::new(
                Code::InvalidArgument,
                "RECEIVER_INVALID",
                format!("`{employee}` {problem}; offer the work to an active colleague who serves clients."),
                format!("`{employee}` {}，不能接收；请转交给在岗的其他服务人员。", in_chinese(problem)),
            )
            .with("employee", employee)
            .with("problem", problem)
            .field("to", "name an active colleague who serves clients", "请填写在岗的其他服务人员"),
            Rejection::OverrideRunning(employee) => Self::new(
                Code::FailedPrecondition,
                "OVERRIDE_RUNNING",
                format!("`{employee}` is overriding this case; wait until it ends."),
                format!("`{employee}` 正在代为处理该事项，请待其结束。"),
            )
            .with("employee", employee),
            Rejection::ComplaintOpen { case, complaint } => Self::new(
                Code::FailedPrecondition,
                "COMPLAINT_OPEN",
                format!("`{complaint}` is still open; the case ends with its complaints, so settle that first."),
                format!("投诉 `{complaint}` 尚未办结，请先办结投诉，事项随之结束。"),
            )
            .with("case", case)
            .with("complaint", complaint),
            Rejection::Recused { case, complaint } => Self::new(
                Code::PermissionDenied,
                "RECUSED",
                format!("`{complaint}` is about you, so you take no part in this case; leave it to who is responsible."),
                format!("投诉 `{complaint}` 涉及您本人，您须回避，请由责任人处理。"),
            )
            .with("case", case)
            .with("complaint", complaint),
            Rejection::NoOverride(case) => Self::new(
                Code::FailedPrecondition,
                "NO_OVERRIDE",
                "You are not overriding this case; there is nothing to end.",
                "您未在代为处理该事项，无需结束。",
            )
            .with("case", case),
            Rejection::RosterInvalid { field, problem } => Self::new(
                Code::InvalidArgument,
                "ROSTER_INVALID",
                format!("Field `{field}` {problem}."),
                format!("字段 `{field}` {}。", in_chinese(problem)),
            )
            .with("field", field)
            .with("problem", problem)
            .field(field, problem, in_chinese(problem)),
            Rejection::RosterNotEmpty => Self::new(
                Code::FailedPrecondition,
                "ROSTER_NOT_EMPTY",
                "The first administrator was made already; ask an administrator for access.",
                "首位管理员已存在，请联系管理员授权。",
            ),
            Rejection::MessageNotFound(case) => Self::not_found("message", case),
            Rejection::RoutingNotFound(name) => Self::not_found("routing", name),
            Rejection::SessionElsewhere(employee) => Self::new(
                Code::FailedPrecondition,
                "SESSION_ELSEWHERE",
                "You are signed on at another desk; sign off there, or set `take_over` to sign on here instead.",
                "您已在其他终端在席，请先退出，或设置 `take_over` 改在此处在席。",
            )
            .with("employee", employee),
            Rejection::NoSuchReservation(routing) => Self::new(
                Code::FailedPrecondition,
                "NO_SUCH_RESERVATION",
                format!("`{routing}` does not ring at your desk any more; there is nothing to take or to decline."),
                format!("`{routing}` 已不在您处振铃，无需接听或拒接。"),
            )
            .with("routing", routing),
            Rejection::RoutingIllegal { routing, phase, action } => {
                Self::illegal_transition("routing", routing, phase, action)
            }
            Rejection::NotOnCall { .. }
            | Rejection::TransferPending { .. }
            | Rejection::NoSuchTransfer(_)
            | Rejection::TargetNotFree { .. } => transfer::failure(rejection),
            Rejection::CandidatesTaken => Self::contention(),
            Rejection::Policy(rejection) => policy::failure(&rejection),
            Rejection::Attendance(rejection) => attendance::failure(rejection),
        }
    }
}
