//! Actions about clients: what they say, and how they are read from `actions.jsonl`. Nothing that is said about a bad line repeats what a client said (L10).

use serde_json::Value;
use shouwen_proto::events::v1::IdentityFactor;

use super::{
    cells::{self, Bad, choice},
    clients,
    fields::Fields,
};

/// Names of the actions of this page.
pub(super) const NAMES: [&str; 4] = ["save_client", "assign_manager", "verify", "disclose"];

const FACTORS: &[(&str, IdentityFactor)] = &[
    ("reserved_phone", IdentityFactor::ReservedPhone),
    ("identity_number", IdentityFactor::IdentityNumber),
    ("holdings", IdentityFactor::Holdings),
    ("last_purchase", IdentityFactor::LastPurchase),
];

#[derive(Debug)]
pub(in crate::demo) enum ClientDeed {
    /// The file as it was, with these figures changed.
    Save {
        assets_fen: Option<i64>,
        turnover_percent: Option<i64>,
        phone: Option<String>,
        /// By what the phone was changed (L9).
        evidence: String,
    },
    AssignManager {
        employee: String,
        reason: String,
    },
    /// The identity is verified anew by what the client said, in this order (K11).
    Verify {
        said: Vec<(IdentityFactor, String)>,
    },
    /// The file is shown in full (L10).
    Disclose {
        purpose: String,
    },
}

pub(super) fn client_deed(fields: &mut Fields<'_>, name: &str) -> Result<Option<ClientDeed>, Bad> {
    Ok(Some(match name {
        "save_client" => {
            let (assets, turnover) = (fields.maybe_word("assets")?, fields.maybe_word("turnover")?);
            let phone = fields.maybe_word("phone")?;
            if let Some(phone) = &phone {
                shouwen_vault::Phone::parse(phone).map_err(|error| cells::remedied("phone", &error))?;
            }
            ClientDeed::Save {
                assets_fen: assets.map(|text| clients::assets("assets", &text)).transpose()?,
                turnover_percent: turnover.map(|text| clients::turnover("turnover", &text)).transpose()?,
                phone,
                evidence: fields.maybe_word("evidence")?.unwrap_or_default(),
            }
        }
        "assign_manager" => ClientDeed::AssignManager {
            employee: fields.employee("employee")?,
            reason: fields.filled("reason")?,
        },
        "verify" => ClientDeed::Verify { said: said(fields)? },
        "disclose" => ClientDeed::Disclose { purpose: fields.filled("purpose")? },
        _ => return Ok(None),
    }))
}

fn said(fields: &mut Fields<'_>) -> Result<Vec<(IdentityFactor, String)>, Bad> {
    let list = fields.list("said")?;
    let missing =
        |what: &str| Bad::new("said", what, "write {\"factor\": ..., \"answer\": ...} for each answer");
    if list.is_empty() {
        return Err(missing("holds no answer"));
    }
    let answer = |value: &Value| {
        let word = |key: &str| value.get(key).and_then(Value::as_str).filter(|word| !word.is_empty());
        let factor = word("factor").ok_or_else(|| missing("an answer has no factor"))?;
        let answer = word("answer").ok_or_else(|| missing("a factor has no answer"))?;
        Ok((choice("said", factor, FACTORS)?, answer.to_owned()))
    };
    list.iter().map(answer).collect()
}
