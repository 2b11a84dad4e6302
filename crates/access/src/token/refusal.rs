//! Why a token is not accepted, and what to do about it.

use tonic::Code;

use super::TokenSettings;
use crate::status::Failure;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Missing,
    Malformed,
    ExpiryMissing,
    AlgorithmRefused,
    KeyUnknown,
    SignatureInvalid,
    IssuerWrong,
    AudienceWrong,
    NotYetValid,
    Expired,
    SubjectInvalid,
}

impl Refusal {
    pub(super) fn tell(self, settings: &TokenSettings) -> Failure {
        let refused =
            |reason, english, chinese| Failure::new(Code::Unauthenticated, reason, english, chinese);
        match self {
            Self::Missing => refused(
                "TOKEN_MISSING",
                "Send a token in the metadata `authorization: Bearer <token>`.",
                "请在元数据 `authorization: Bearer <令牌>` 中携带令牌。",
            ),
            Self::Malformed => refused(
                "TOKEN_MALFORMED",
                "The token cannot be read; send `Bearer` and a signed JWT as it was issued.",
                "令牌无法解析，请按签发原样携带 `Bearer` 与已签名的 JWT。",
            ),
            Self::ExpiryMissing => refused(
                "TOKEN_MALFORMED",
                "The token has no `exp`; let the issuer set a lifetime.",
                "令牌缺少 `exp`，请由签发方设置有效期。",
            )
            .with("claim", "exp"),
            Self::AlgorithmRefused => refused(
                "TOKEN_ALGORITHM_REFUSED",
                "The token's algorithm is not accepted for its key; sign with EdDSA, ES256 or RS256 as the key set says.",
                "令牌的签名算法不被接受，请按密钥集使用 EdDSA、ES256 或 RS256 签名。",
            ),
            Self::KeyUnknown => refused(
                "TOKEN_KEY_UNKNOWN",
                "The key that signed the token is not in the issuer's key set; get a new token.",
                "签发方的密钥集中没有该令牌的密钥，请重新获取令牌。",
            ),
            Self::SignatureInvalid => refused(
                "TOKEN_SIGNATURE_INVALID",
                "The token's signature does not hold; get a new token from the issuer.",
                "令牌签名无效，请向签发方重新获取令牌。",
            ),
            Self::IssuerWrong => refused(
                "TOKEN_ISSUER_WRONG",
                "The token comes from another issuer; get one from the issuer that is named here.",
                "令牌的签发方不符，请从指定的签发方获取令牌。",
            )
            .with("issuer", &settings.issuer),
            Self::AudienceWrong => refused(
                "TOKEN_AUDIENCE_WRONG",
                "The token was issued for something else; request it for the audience that is named here.",
                "令牌的受众不符，请为指定的受众申请令牌。",
            )
            .with("audience", &settings.audience),
            Self::NotYetValid => refused(
                "TOKEN_NOT_YET_VALID",
                "The token is not valid yet; wait, or check the clocks.",
                "令牌尚未生效，请稍候或检查时钟。",
            ),
            Self::Expired => {
                refused("TOKEN_EXPIRED", "The token has expired; get a new one.", "令牌已过期，请重新获取。")
            }
            Self::SubjectInvalid => refused(
                "TOKEN_SUBJECT_INVALID",
                "The token's subject must be `employees/{employee}` or `serviceAccounts/{account}`.",
                "令牌的主体须为 `employees/{employee}` 或 `serviceAccounts/{account}`。",
            ),
        }
    }
}
