//! The state of one client's file (L1): personal data sealed, and the opaque keys by which they are found and compared.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shouwen_engine::Key;
use shouwen_proto::{
    events::v1::{CapitalAccountSaved, ClientSaved},
    r#type::v1::Position as PositionMessage,
};
use shouwen_serving::private;
use shouwen_vault::Sealed;

use super::{
    class::ClientClass, coverage::Position, key::OpaqueKey, name::ClientName, verification::Verifications,
};

/// The unique key of an identity number: one client, one file (L1).
pub const KEY_IDENTITY_NUMBER: &str = "identity_number";
/// The unique key of a capital account.
pub const KEY_CAPITAL_ACCOUNT: &str = "capital_account";

/// A client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub name: ClientName,
    /// `branches/{branch}`
    pub branch: String,
    pub display_name: Option<Sealed>,
    pub display_name_masked: String,
    /// The reserved phone number.
    pub phone: Option<Sealed>,
    pub phone_masked: String,
    pub identity_number: Option<Sealed>,
    pub identity_number_masked: String,
    pub email: Option<Sealed>,
    pub address: Option<Sealed>,
    pub accounts: Vec<Account>,
    /// Codes of the securities held, a line each.
    pub holdings: Option<Sealed>,
    pub last_purchase: Option<Sealed>,
    pub keys: FileKeys,
    pub assets_fen: i64,
    /// In hundredths.
    pub turnover_percent: i64,
    /// To what the last change of phone or e-mail refers (L9).
    pub contact_evidence: String,
    /// L2; `None` before the first event is followed by its class.
    pub class: Option<ClientClass>,
    /// L12
    pub vip: bool,
    pub core: bool,
    /// The position that the assets ask for (L8).
    pub coverage: Position,
    /// `employees/{employee}`; empty while the branch has nobody for the client (L8).
    pub manager: String,
    /// By which class, marks and coverage were computed last.
    pub policy_version: String,
    pub entered: DateTime<Utc>,
    pub changed: DateTime<Utc>,
    /// Version of the aggregate at the last change of the file: verifying an identity makes nobody's etag stale.
    pub revision: i64,
    /// K11
    pub verifications: Verifications,
    /// What this batch did to the file, for who counts it; nothing is kept of it.
    #[serde(skip)]
    pub touched: Option<Touched>,
}

/// What a batch did to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    Entered,
    Changed,
}

/// A capital account (资金账号).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub account: Option<Sealed>,
    pub masked: String,
    /// The custodian bank (存管银行).
    pub bank: String,
    /// Only the primary account trades.
    pub primary: bool,
    pub key: Option<OpaqueKey>,
}

/// The opaque keys of a file beside those of its accounts; `None` where the file has no such value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileKeys {
    pub phone: Option<OpaqueKey>,
    pub identity_number: Option<OpaqueKey>,
    pub name: Option<OpaqueKey>,
    pub email: Option<OpaqueKey>,
    pub address: Option<OpaqueKey>,
    /// Of all holdings together.
    pub holdings: Option<OpaqueKey>,
    /// Of each security held.
    pub securities: Vec<OpaqueKey>,
    pub last_purchase: Option<OpaqueKey>,
}

impl FileKeys {
    /// As an event carries them.
    pub fn of(saved: &ClientSaved) -> Self {
        let at = |keys: &[Vec<u8>], index: usize| keys.get(index).and_then(|key| OpaqueKey::of_bytes(key));
        Self {
            phone: at(&saved.lookup_keys, 0),
            identity_number: at(&saved.lookup_keys, 1),
            name: at(&saved.text_keys, 0),
            email: at(&saved.text_keys, 1),
            address: at(&saved.text_keys, 2),
            holdings: OpaqueKey::of_bytes(&saved.holdings_key),
            securities: saved.holding_keys.iter().filter_map(|key| OpaqueKey::of_bytes(key)).collect(),
            last_purchase: OpaqueKey::of_bytes(&saved.last_purchase_key),
        }
    }
}

impl Client {
    /// A file in which nothing has been entered.
    pub fn blank(name: ClientName, time: DateTime<Utc>) -> Self {
        Self {
            name,
            branch: String::new(),
            display_name: None,
            display_name_masked: String::new(),
            phone: None,
            phone_masked: String::new(),
            identity_number: None,
            identity_number_masked: String::new(),
            email: None,
            address: None,
            accounts: Vec::new(),
            holdings: None,
            last_purchase: None,
            keys: FileKeys::default(),
            assets_fen: 0,
            turnover_percent: 0,
            contact_evidence: String::new(),
            class: None,
            vip: false,
            core: false,
            coverage: Position::Anyone,
            manager: String::new(),
            policy_version: String::new(),
            entered: time,
            changed: time,
            revision: 0,
            verifications: Verifications::default(),
            touched: None,
        }
    }

    /// Takes over a file as an event holds it.
    pub fn enter(&mut self, saved: &ClientSaved) {
        self.branch.clone_from(&saved.branch);
        self.display_name = private::sealed(saved.name.as_ref());
        self.display_name_masked.clone_from(&saved.name_masked);
        self.phone = private::sealed(saved.phone.as_ref());
        self.phone_masked.clone_from(&saved.phone_masked);
        self.identity_number = private::sealed(saved.identity_number.as_ref());
        self.identity_number_masked.clone_from(&saved.identity_number_masked);
        self.email = private::sealed(saved.email.as_ref());
        self.address = private::sealed(saved.address.as_ref());
        let keys = account_keys(saved);
        self.accounts =
            saved.capital_accounts.iter().zip(keys).map(|(account, key)| Account::of(account, key)).collect();
        self.holdings = private::sealed(saved.holdings.as_ref());
        self.last_purchase = private::sealed(saved.last_purchase.as_ref());
        self.keys = FileKeys::of(saved);
        self.assets_fen = saved.assets_fen;
        self.turnover_percent = saved.turnover_percent;
        if !saved.contact_evidence.is_empty() {
            self.contact_evidence.clone_from(&saved.contact_evidence);
        }
        self.coverage = PositionMessage::try_from(saved.coverage).unwrap_or_default().into();
        self.policy_version.clone_from(&saved.policy_version);
    }

    /// Whether entering the file would change nothing. Sealed texts are compared by their keys: sealing one twice gives two ciphertexts.
    pub fn is_as(&self, saved: &ClientSaved) -> bool {
        let accounts = saved.capital_accounts.iter().zip(account_keys(saved));
        self.branch == saved.branch
            && self.keys == FileKeys::of(saved)
            && (self.assets_fen, self.turnover_percent) == (saved.assets_fen, saved.turnover_percent)
            && self.accounts.len() == saved.capital_accounts.len()
            && self.accounts.iter().zip(accounts).all(|(known, (account, key))| {
                known.key == key && known.bank == account.custodian_bank && known.primary == account.primary
            })
    }

    /// The unique keys that the file holds (L1).
    pub fn keys(&self) -> BTreeSet<Key> {
        let identity_number = self.keys.identity_number.iter().map(identity_number_key);
        let accounts = self.accounts.iter().filter_map(|account| account.key.as_ref()).map(account_key);
        identity_number.chain(accounts).collect()
    }

    /// By what the client is found.
    pub fn lookup_keys(&self) -> impl Iterator<Item = &OpaqueKey> {
        let own = self.keys.phone.iter().chain(&self.keys.identity_number);
        own.chain(self.accounts.iter().filter_map(|account| account.key.as_ref()))
    }
}

impl Account {
    fn of(saved: &CapitalAccountSaved, key: Option<OpaqueKey>) -> Self {
        Self {
            account: private::sealed(saved.account.as_ref()),
            masked: saved.account_masked.clone(),
            bank: saved.custodian_bank.clone(),
            primary: saved.primary,
            key,
        }
    }
}

/// The keys of an event's accounts, in their order; they lie behind those of phone and identity number.
pub fn account_keys(saved: &ClientSaved) -> impl Iterator<Item = Option<OpaqueKey>> {
    let keys = saved.lookup_keys.iter().skip(2).map(|key| OpaqueKey::of_bytes(key));
    keys.chain(std::iter::repeat(None)).take(saved.capital_accounts.len())
}

/// The unique key of an identity number.
pub fn identity_number_key(key: &OpaqueKey) -> Key {
    Key { kind: KEY_IDENTITY_NUMBER, key: key.to_string() }
}

/// The unique key of a capital account.
pub fn account_key(key: &OpaqueKey) -> Key {
    Key { kind: KEY_CAPITAL_ACCOUNT, key: key.to_string() }
}
