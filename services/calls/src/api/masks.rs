//! What lists and reads show of a record's personal data (L10): masks, made while reading, so that nothing of the data stays where the data are
//! erased.

use shouwen_access::Failure;
use shouwen_serving::refusal;
use shouwen_vault::{PersonName, Phone, Vault, VaultError};

use crate::domain::CallState;

/// The masks of one record; empty where there is nothing or it was erased.
#[derive(Debug, Default)]
pub(super) struct Masks {
    pub(super) client_name: String,
    pub(super) phone: String,
}

/// The masks of contacts, in their order. One query for all whose keys are not in memory.
pub(super) async fn of(vault: &Vault, calls: &[&CallState]) -> Result<Vec<Masks>, Failure> {
    let mut masks: Vec<Masks> = Vec::new();
    masks.resize_with(calls.len(), Masks::default);
    let (mut sealed, mut targets) = (Vec::new(), Vec::new());
    for (call, masks) in calls.iter().zip(&mut masks) {
        let Some(record) = &call.record else { continue };
        if let Some(name) = &record.client_name {
            sealed.push(name);
            targets.push((&mut masks.client_name, mask_name as fn(&str) -> String));
        }
        if let Some(phone) = &record.phone {
            sealed.push(phone);
            targets.push((&mut masks.phone, mask_phone));
        }
    }
    if sealed.is_empty() {
        return Ok(masks);
    }
    let texts = vault.unseal_many(sealed).await.map_err(|error| refusal::vault(&error))?;
    for ((target, mask), text) in targets.into_iter().zip(texts) {
        match text {
            Ok(text) => *target = mask(&text),
            Err(VaultError::Erased { .. }) => {}
            Err(error) => return Err(refusal::vault(&error)),
        }
    }
    Ok(masks)
}

fn mask_name(name: &str) -> String {
    PersonName::parse(name).map(|name| name.masked()).unwrap_or_default()
}

fn mask_phone(phone: &str) -> String {
    Phone::parse(phone).map(|phone| phone.masked()).unwrap_or_default()
}
