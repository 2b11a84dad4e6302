//! How `IdentifyClient` names the client: by id, or by what the clients service finds it by.

use shouwen_access::Failure;
use shouwen_proto::{clients::v1::ResolveClientRequest, ownership::v1::IdentifyClientRequest};

use crate::ownership;

/// How the client is named.
pub(crate) enum Named {
    /// By its id.
    Id(String),
    /// To be found in the clients service.
    Sought(ResolveClientRequest),
}

/// Exactly one way is given.
pub(crate) fn parse(message: &IdentifyClientRequest) -> Result<Named, Failure> {
    let ways = [&message.client, &message.phone, &message.identity_number, &message.capital_account];
    let given: Vec<usize> = (0..ways.len()).filter(|way| !ways[*way].trim().is_empty()).collect();
    let sought = |sought| Ok(Named::Sought(sought));
    match &*given {
        [0] => match ownership::client(&message.client)? {
            Some(client) => Ok(Named::Id(client)),
            None => Err(which()),
        },
        [1] => sought(ResolveClientRequest { phone: message.phone.clone(), ..Default::default() }),
        [2] => sought(ResolveClientRequest {
            identity_number: message.identity_number.clone(),
            ..Default::default()
        }),
        [3] => sought(ResolveClientRequest {
            capital_account: message.capital_account.clone(),
            ..Default::default()
        }),
        _ => Err(which()),
    }
}

fn which() -> Failure {
    Failure::field_invalid(
        "client",
        "give exactly one of `client`, `phone`, `identity_number` and `capital_account`",
        "client、phone、identity_number、capital_account 须且仅须填写一项",
    )
}
