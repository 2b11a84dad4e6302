//! Requests into domain values, once, with a refusal that names the field. Clients as they are entered are `entry`'s.

use shouwen_access::{BranchName, EmployeeName, Failure, Reach};
use shouwen_proto::{
    clients::v1::{AnswerVerificationRequest, ResolveClientRequest},
    events::v1::{IdentityFactor, SoughtBy},
};
use shouwen_vault::{BlindIndex, IdentityNumber, Phone};

use super::{failures, keys, sealing, texts};
use crate::domain::{ClientName, Factor, OpaqueKey, OperationName};

/// Characters of a reason or a purpose at most.
const LONGEST_REASON: usize = 200;

pub(super) fn client(name: &str) -> Result<ClientName, Failure> {
    name.parse().map_err(|_| failures::client_name("name"))
}

/// An operation by its name. What no import can be named does not exist.
pub(super) fn operation(name: &str) -> Result<OperationName, Failure> {
    name.parse().map_err(|_| Failure::not_found("operation", name))
}

/// The branch of a list; `None` for all of them, `branches/-`.
pub(super) fn listed_branch(parent: &str, reach: &Reach) -> Result<Option<BranchName>, Failure> {
    if parent == "branches/-" {
        return match reach {
            Reach::All => Ok(None),
            Reach::Branches(_) => Err(failures::branch_out_of_reach(parent)),
        };
    }
    let branch = BranchName::parse(parent).map_err(|_| {
        Failure::field_invalid(
            "parent",
            "write `branches/{branch}`, or `branches/-` for all",
            "请填写 `branches/{branch}`，全部营业部填 `branches/-`",
        )
    })?;
    if reach.covers(branch.as_str()) { Ok(Some(branch)) } else { Err(failures::branch_out_of_reach(parent)) }
}

pub(super) fn employee(name: &str) -> Result<EmployeeName, Failure> {
    EmployeeName::parse(name).map_err(|_| {
        Failure::field_invalid("employee", "write `employees/{employee}`", "请填写 `employees/{employee}`")
    })
}

/// Why something is done; goes on the ledger.
pub(super) fn reason(field: &'static str, text: &str) -> Result<String, Failure> {
    texts::line(text, LONGEST_REASON).filter(|reason| !reason.is_empty()).ok_or_else(|| {
        Failure::field_invalid(
            field,
            format!("say why, in one line of at most {LONGEST_REASON} characters"),
            format!("请说明原因，一行文字，最多 {LONGEST_REASON} 字"),
        )
    })
}

/// By what a client is looked for: exactly one of three.
pub(super) fn lookup(
    request: &ResolveClientRequest,
    index: &BlindIndex,
) -> Result<(SoughtBy, OpaqueKey), Failure> {
    let ResolveClientRequest { phone, identity_number, capital_account } = request;
    match (phone.is_empty(), identity_number.is_empty(), capital_account.is_empty()) {
        (false, true, true) => Ok((SoughtBy::Phone, phone_key("phone", phone, index)?)),
        (true, false, true) => {
            let key = identity_number_key("identity_number", identity_number, index)?;
            Ok((SoughtBy::IdentityNumber, key))
        }
        (true, true, false) => texts::account(capital_account)
            .map(|digits| (SoughtBy::CapitalAccount, keys::account(index, &digits)))
            .map_err(|remedy| failures::text("capital_account", remedy)),
        _ => Err(Failure::field_invalid(
            "phone",
            "give exactly one of `phone`, `identity_number` and `capital_account`",
            "`phone`、`identity_number`、`capital_account` 须且只须填写一项",
        )),
    }
}

/// What the client said (K11), as the key that it would have on file; and that of the code, where it is one of a security.
pub(super) fn answer(
    client: &ClientName,
    request: &AnswerVerificationRequest,
    index: &BlindIndex,
) -> Result<(Factor, OpaqueKey, Option<OpaqueKey>), Failure> {
    let factor = Factor::of_message(IdentityFactor::try_from(request.factor).unwrap_or_default())
        .ok_or_else(|| {
            Failure::field_invalid("factor", "say which factor the client gave", "请填写客户回答的核对项目")
        })?;
    let value = request.value.as_str();
    let code = || texts::security(value).map_err(|remedy| failures::text("value", remedy));
    let (key, security) = match factor {
        Factor::ReservedPhone => (phone_key("value", value, index)?, None),
        Factor::IdentityNumber => (identity_number_key("value", value, index)?, None),
        Factor::Holdings => {
            let held = keys::security(index, client, &code()?);
            (held, Some(held))
        }
        Factor::LastPurchase => {
            let bought = code()?;
            let key = keys::text(index, client, sealing::LAST_PURCHASE, &bought)
                .ok_or_else(|| Failure::field_invalid("value", "what the client said", "请填写客户的回答"))?;
            (key, Some(keys::security(index, client, &bought)))
        }
    };
    Ok((factor, key, security))
}

fn phone_key(field: &'static str, text: &str, index: &BlindIndex) -> Result<OpaqueKey, Failure> {
    let phone = Phone::parse(text).map_err(|error| failures::phone(field, error))?;
    Ok(keys::phone(index, &phone))
}

fn identity_number_key(field: &'static str, text: &str, index: &BlindIndex) -> Result<OpaqueKey, Failure> {
    let number = IdentityNumber::parse(text).map_err(|error| failures::identity_number(field, error))?;
    Ok(keys::identity_number(index, &number))
}

/// The text in a page token of ours.
pub(super) fn position(position: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(position).map_err(|_| Failure::page_token_invalid())
}

/// The number in a page token of ours.
pub(super) fn numbered(position: Vec<u8>) -> Result<i64, Failure> {
    self::position(position)?.parse().map_err(|_| Failure::page_token_invalid())
}
