//! Sealing of clients as they are entered (L10): all of a chunk at once, each under its own client's key.

use std::collections::BTreeSet;

use shouwen_access::Failure;
use shouwen_proto::{
    events::v1::{CapitalAccountSaved, ClientSaved},
    r#type::v1::Private,
};
use shouwen_serving::{private, refusal};
use shouwen_vault::{IdentityNumber, Place, Plain, Subject, Vault, VaultError};

use super::{entry::Entry, keys, texts};
use crate::domain::OpaqueKey;

/// Fields of a client under which its data are sealed.
pub(super) const NAME: &str = "name";
pub(super) const PHONE: &str = "phone";
pub(super) const IDENTITY_NUMBER: &str = "identity_number";
pub(super) const EMAIL: &str = "email";
pub(super) const ADDRESS: &str = "address";
pub(super) const HOLDINGS: &str = "holdings";
pub(super) const LAST_PURCHASE: &str = "last_purchase";

/// The field of the account at an index.
pub(super) fn account_field(index: usize) -> String {
    format!("capital_accounts/{index}")
}

/// A client's texts, each with its field, in the order in which they are sealed.
struct Texts<'a> {
    subject: Subject,
    fields: Vec<(String, &'a str)>,
}

impl<'a> Texts<'a> {
    fn of(entry: &'a Entry) -> Self {
        let own = [
            (NAME, entry.name.expose()),
            (PHONE, entry.phone.expose()),
            (IDENTITY_NUMBER, entry.identity_number.as_ref().map_or("", |number| number.expose())),
            (EMAIL, &entry.email),
            (ADDRESS, &entry.address),
            (HOLDINGS, &entry.holdings_text),
            (LAST_PURCHASE, &entry.last_purchase),
        ];
        let accounts = entry.accounts.iter().enumerate();
        let accounts = accounts.map(|(index, account)| (account_field(index), account.number.as_str()));
        let fields = own.into_iter().map(|(field, text)| (field.to_owned(), text)).chain(accounts).collect();
        Self { subject: Subject::new(entry.client.as_str()), fields }
    }

    fn plain(&self) -> impl Iterator<Item = Plain<'_>> {
        let given = self.fields.iter().filter(|(_, text)| !text.is_empty());
        given.map(|(field, text)| Plain {
            subject: &self.subject,
            place: Place { aggregate: self.subject.as_str(), field },
            text,
        })
    }
}

/// Seals entries, in their order. One whose client was erased is refused by itself.
pub(super) async fn seal(
    vault: &Vault,
    entries: &[&Entry],
) -> Result<Vec<Result<ClientSaved, Failure>>, Failure> {
    let texts: Vec<Texts<'_>> = entries.iter().map(|entry| Texts::of(entry)).collect();
    let mut erased: BTreeSet<Subject> = BTreeSet::new();
    let mut sealed = loop {
        let open = texts.iter().filter(|texts| !erased.contains(&texts.subject));
        let plain: Vec<Plain<'_>> = open.flat_map(Texts::plain).collect();
        match vault.seal_many(&plain).await {
            Ok(sealed) => break sealed.into_iter().map(private::message),
            Err(VaultError::Erased { subject }) if erased.insert(subject.clone()) => {}
            Err(error) => return Err(refusal::vault(&error)),
        }
    };
    Ok(entries
        .iter()
        .zip(&texts)
        .map(|(entry, texts)| {
            if erased.contains(&texts.subject) {
                return Err(refusal::vault(&VaultError::Erased { subject: texts.subject.clone() }));
            }
            let fields = texts.fields.iter();
            let mut privates = fields
                .map(|(_, text)| if text.is_empty() { None } else { sealed.next() })
                .collect::<Vec<_>>()
                .into_iter();
            Ok(file(vault, entry, || privates.next().flatten()))
        })
        .collect())
}

/// The file with its opaque keys; `next` gives the sealed texts in the order of [`Texts`].
fn file(vault: &Vault, entry: &Entry, mut next: impl FnMut() -> Option<Private>) -> ClientSaved {
    let index = vault.blind_index();
    let client = &entry.client;
    let bytes = |key: Option<OpaqueKey>| key.map_or_else(Vec::new, |key| key.as_bytes().to_vec());
    let identity_number = entry.identity_number.as_ref();
    let own = [
        Some(keys::phone(&index, &entry.phone)),
        identity_number.map(|number| keys::identity_number(&index, number)),
    ];
    let accounts = entry.accounts.iter().map(|account| Some(keys::account(&index, &account.number)));
    let text = |field, text| bytes(keys::text(&index, client, field, text));
    ClientSaved {
        client: client.to_string(),
        branch: entry.branch.to_string(),
        name: next(),
        name_masked: entry.name.masked(),
        phone: next(),
        phone_masked: entry.phone.masked(),
        identity_number: next(),
        identity_number_masked: identity_number.map(IdentityNumber::masked).unwrap_or_default(),
        email: next(),
        address: next(),
        holdings: next(),
        last_purchase: next(),
        capital_accounts: entry
            .accounts
            .iter()
            .map(|account| CapitalAccountSaved {
                account: next(),
                account_masked: texts::masked_account(&account.number),
                custodian_bank: account.bank.clone(),
                primary: account.primary,
            })
            .collect(),
        assets_fen: entry.assets_fen,
        turnover_percent: entry.turnover_percent,
        lookup_keys: own.into_iter().chain(accounts).map(bytes).collect(),
        holdings_key: text(HOLDINGS, &entry.holdings_text),
        holding_keys: entry
            .holdings
            .iter()
            .map(|code| keys::security(&index, client, code).as_bytes().to_vec())
            .collect(),
        last_purchase_key: text(LAST_PURCHASE, &entry.last_purchase),
        text_keys: vec![
            text(NAME, entry.name.expose()),
            text(EMAIL, &entry.email),
            text(ADDRESS, &entry.address),
        ],
        ..ClientSaved::default()
    }
}
