//! A client's file in full (L10): opened only after its disclosure is on record.

use shouwen_access::Failure;
use shouwen_proto::clients::v1::{CapitalAccount, FullClient};
use shouwen_serving::refusal;
use shouwen_vault::{Place, Sealed, Vault, VaultError};

use super::{messages, sealing};
use crate::domain::Client;

/// Opens what is sealed in a file.
pub(super) async fn full(vault: &Vault, client: &Client) -> Result<FullClient, Failure> {
    let own = [
        (sealing::NAME, &client.display_name),
        (sealing::PHONE, &client.phone),
        (sealing::IDENTITY_NUMBER, &client.identity_number),
        (sealing::EMAIL, &client.email),
        (sealing::ADDRESS, &client.address),
        (sealing::HOLDINGS, &client.holdings),
        (sealing::LAST_PURCHASE, &client.last_purchase),
    ];
    let accounts = client.accounts.iter().enumerate();
    let accounts = accounts.map(|(index, account)| (sealing::account_field(index), &account.account));
    let fields: Vec<(String, &Option<Sealed>)> =
        own.into_iter().map(|(field, sealed)| (field.to_owned(), sealed)).chain(accounts).collect();
    let mut texts = open(vault, client, &fields).await?.into_iter();
    let mut next = || texts.next().unwrap_or_default();
    Ok(FullClient {
        client: Some(messages::client(client)),
        display_name: next(),
        phone: next(),
        identity_number: next(),
        email: next(),
        address: next(),
        holdings: next().lines().map(str::to_owned).collect(),
        last_purchase: next(),
        capital_accounts: client
            .accounts
            .iter()
            .map(|account| CapitalAccount {
                account: next(),
                custodian_bank: account.bank.clone(),
                primary: account.primary,
            })
            .collect(),
    })
}

/// The texts of the fields in their order; empty where there is none.
async fn open(
    vault: &Vault,
    client: &Client,
    fields: &[(String, &Option<Sealed>)],
) -> Result<Vec<String>, Failure> {
    let vault_failure = |error: VaultError| refusal::vault(&error);
    let aggregate = client.name.as_str();
    let mut sealed: Vec<&Sealed> = Vec::new();
    for (field, value) in fields {
        if let Some(value) = value {
            sealed.push(value.at(Place { aggregate, field }).map_err(vault_failure)?);
        }
    }
    let mut opened = vault.unseal_many(sealed).await.map_err(vault_failure)?.into_iter();
    fields
        .iter()
        .map(|(_, value)| match value {
            None => Ok(String::new()),
            Some(_) => opened.next().ok_or_else(Failure::internal)?.map_err(vault_failure),
        })
        .collect()
}
