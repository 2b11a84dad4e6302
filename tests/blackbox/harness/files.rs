//! Clients' files as a CRM delivers them. Each serial number gives a client with data of its own.

use prost::Message as _;
use shouwen_proto::{
    clients::v1::{CapitalAccount, Client as File, ClientInput, ImportProgress, SaveClientRequest},
    events::v1::IdentityFactor,
    longrunning::Operation,
};

use super::{Client, client::id};

/// A client of a branch, with 60,000 yuan.
pub(crate) fn input(client: &str, branch: &str, serial: u32) -> ClientInput {
    ClientInput {
        name: format!("clients/{client}"),
        branch: format!("branches/{branch}"),
        display_name: "令狐冲".to_owned(),
        phone: phone(serial),
        identity_number: identity_number(serial),
        email: format!("client{serial}@example.test"),
        address: "华山镇思过崖路一号".to_owned(),
        capital_accounts: vec![CapitalAccount {
            account: account(serial),
            custodian_bank: "工商银行".to_owned(),
            primary: true,
        }],
        assets_fen: 6_000_000,
        turnover_percent: 320,
        holdings: vec!["600519".to_owned()],
        last_purchase: "000858".to_owned(),
        ..ClientInput::default()
    }
}

/// Enters a client's file as telephony's CRM.
pub(crate) async fn save(account: &Client, client: ClientInput) -> File {
    let request = SaveClientRequest { client: Some(client), etag: String::new(), request_id: id() };
    account.clients().save_client(request).await.unwrap().into_inner()
}

/// How far an import is, as its operation says.
pub(crate) fn progress(operation: &Operation) -> ImportProgress {
    let metadata = operation.metadata.as_ref().unwrap();
    assert!(metadata.type_url.ends_with("/shouwen.clients.v1.ImportProgress"), "{metadata:?}");
    ImportProgress::decode(&*metadata.value).unwrap()
}

/// The reserved phone number of the client with this serial number.
pub(crate) fn phone(serial: u32) -> String {
    format!("137{serial:08}")
}

/// The capital account of the client with this serial number.
pub(crate) fn account(serial: u32) -> String {
    format!("8800{serial:08}")
}

/// A resident identity number with its check character (GB 11643).
pub(crate) fn identity_number(serial: u32) -> String {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    // Date of birth and order number together hold a hundred thousand serial numbers and more.
    let (day, order) = (serial / 1_000 % 28 + 1, serial % 1_000);
    let (month, year) = (serial / 28_000 % 12 + 1, 1_950 + serial / 336_000 % 50);
    let body = format!("110101{year}{month:02}{day:02}{order:03}");
    let sum: u32 =
        body.chars().zip(WEIGHTS).map(|(digit, weight)| digit.to_digit(10).unwrap() * weight).sum();
    let check = b"10X98765432"[(sum % 11) as usize];
    format!("{body}{}", char::from(check))
}

/// What the client with this serial number answers when asked for a factor (K11).
pub(crate) fn answer(serial: u32, factor: IdentityFactor) -> String {
    match factor {
        IdentityFactor::ReservedPhone => phone(serial),
        IdentityFactor::IdentityNumber => identity_number(serial),
        IdentityFactor::Holdings => "600519".to_owned(),
        IdentityFactor::LastPurchase => "000858".to_owned(),
        IdentityFactor::Unspecified => String::new(),
    }
}
