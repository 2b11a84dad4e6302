//! What P1-P3 refuse, as the contract tells it.

use shouwen_access::Failure;
use shouwen_calendar::SHANGHAI;
use shouwen_policy::{PolicyError, PolicyRejection};
use tonic::Code;

/// A refusal of a proposal, or of a decision on one.
pub(super) fn failure(rejection: &PolicyRejection) -> Failure {
    let refused =
        |code, english: String, chinese: String| Failure::new(code, rejection.reason(), english, chinese);
    match rejection {
        PolicyRejection::Invalid(errors) => {
            let (english, chinese): (Vec<String>, Vec<String>) = errors.iter().map(told).unzip();
            let failure = refused(
                Code::InvalidArgument,
                format!("The policy document is not valid: {}.", english.join(" | ")),
                format!("制度内容无效：{}。", chinese.join(" | ")),
            )
            .with("field", errors.first().map(path).unwrap_or_default());
            errors.iter().fold(failure, |failure, error| {
                let english = format!("{}; {}", error.problem, error.remedy);
                failure.field(path(error), english, error.chinese.clone())
            })
        }
        PolicyRejection::EffectiveTimePast { effective_from } => {
            let time = effective_from.with_timezone(&SHANGHAI).to_rfc3339();
            refused(
                Code::FailedPrecondition,
                format!(
                    "The policy should hold from {time}, which has passed; propose it with a later time."
                ),
                format!("该制度应自 {time} 起生效，该时间已过；请以较晚的时间重新提出。"),
            )
            .with("effective_time", time)
        }
        PolicyRejection::ProposerCannotApprove { proposer } => refused(
            Code::PermissionDenied,
            format!("`{proposer}` proposed this policy; somebody else at HQ has to approve it."),
            format!("该制度由 `{proposer}` 提出，不得自行批准；请由总部其他人员批准。"),
        )
        .with("proposer", proposer),
        PolicyRejection::IllegalTransition { policy, status, action } => {
            Failure::illegal_transition("policy", policy, status, action)
        }
        PolicyRejection::HeadquartersOnly => refused(
            Code::PermissionDenied,
            "Only HQ proposes the firm's standard and decides on proposals; ask a colleague there."
                .to_owned(),
            "公司标准只能由总部提出，提案只能由总部批准或驳回；请联系总部。".to_owned(),
        )
        .with("roles", "HQ"),
        PolicyRejection::BranchOutOfReach { branch } => refused(
            Code::PermissionDenied,
            format!("`{branch}` is not yours to adjust; its own lead or HQ proposes for it."),
            format!("您不能为 `{branch}` 提出调整；请由该营业部主管或总部提出。"),
        )
        .with("branch", branch),
    }
}

/// One fault in a sentence, in English and Chinese.
fn told(error: &PolicyError) -> (String, String) {
    let path = path(error);
    (format!("`{path}`: {}; {}", error.problem, error.remedy), format!("`{path}`：{}", error.chinese))
}

/// Where the fault stands in the request.
fn path(error: &PolicyError) -> String {
    match &*error.field {
        "document" | "scope" => error.field.clone(),
        within => format!("document.{within}"),
    }
}
