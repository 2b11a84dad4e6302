//! Entering a client or replacing its file (L1): what follows from the figures follows by itself (L2, L8, L12). The same file again changes nothing.

use chrono::{DateTime, Utc};
use shouwen_engine::{Decision, Refusal, World};
use shouwen_policy::{ClientsPolicy, PolicyBook};
use shouwen_proto::{
    events::v1::{ClientClassified, ClientMarked, ClientSaved, clients_event::Event},
    r#type::v1::{ClientClass as ClientClassMessage, Position as PositionMessage},
};

use super::{
    State,
    class::{ClientClass, classify},
    client::{Client, FileKeys, account_key, account_keys, identity_number_key},
    command::Save,
    coverage::{Position, coverage},
    manager::{self, REASON_ASSETS, REASON_IMPORT, REASON_ROSTER, Standing},
    marks::{Marks, marks},
    rejection::Rejection,
};

/// What figures mean under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub class: ClientClass,
    pub marks: Marks,
    pub coverage: Position,
    pub policy_version: String,
}

impl Judged {
    /// Assets in fen, turnover in hundredths.
    pub fn of(assets_fen: i64, turnover_percent: i64, policy: &ClientsPolicy, version: String) -> Self {
        Self {
            class: classify(assets_fen, turnover_percent, policy),
            marks: marks(assets_fen, turnover_percent, policy),
            coverage: coverage(assets_fen, policy),
            policy_version: version,
        }
    }
}

/// Decides on a file as it was entered.
pub fn decide(
    world: &World<'_, State>,
    save: &Save,
    now: DateTime<Utc>,
    book: &PolicyBook,
) -> Result<Decision<Event>, Refusal<Rejection>> {
    let id = save.client.aggregate();
    let former = world.state(&id).and_then(State::client);
    admitted(save, former)?;
    let policy = book.clients(Some(&save.file.branch), now);
    let allowed = policy.value.capital_accounts;
    if u32::try_from(save.file.capital_accounts.len()).is_ok_and(|accounts| accounts > allowed) {
        return Err(Rejection::TooManyAccounts(allowed).into());
    }
    unique(world, save)?;
    let file = &save.file;
    let judged =
        Judged::of(file.assets_fen, file.turnover_percent, &policy.value, policy.version.to_string());
    Ok(Decision::on(id, events(save, former, &judged)?))
}

/// Whether the caller may change the file that there is: its branch, its etag, evidence for new ways to reach the client (L9).
fn admitted(save: &Save, former: Option<&Client>) -> Result<(), Rejection> {
    if save.etag.is_some_and(|etag| etag != former.map_or(0, |former| former.revision)) {
        return Err(Rejection::EtagMismatch(save.client.to_string()));
    }
    let Some(former) = former else { return Ok(()) };
    if !save.reach.covers(&former.branch) {
        return Err(Rejection::BranchOutOfReach(former.branch.clone()));
    }
    match moved_contact(&former.keys, &FileKeys::of(&save.file)) {
        Some(field) if save.evidence.is_empty() => Err(Rejection::EvidenceRequired(field)),
        _ => Ok(()),
    }
}

/// L9: which way to reach the client differs.
fn moved_contact(former: &FileKeys, file: &FileKeys) -> Option<&'static str> {
    if former.phone != file.phone {
        Some("phone")
    } else if former.email != file.email {
        Some("email")
    } else {
        None
    }
}

/// L1: identity number and capital accounts belong to this client alone.
fn unique(world: &World<'_, State>, save: &Save) -> Result<(), Rejection> {
    let id = save.client.aggregate();
    let holder = |key| world.key_holder(&key).filter(|holder| **holder != id);
    if let Some(key) = FileKeys::of(&save.file).identity_number
        && let Some(holder) = holder(identity_number_key(&key))
    {
        return Err(Rejection::IdentityNumberTaken(holder.to_string()));
    }
    for (index, key) in account_keys(&save.file).enumerate() {
        if let Some(key) = key
            && let Some(holder) = holder(account_key(&key))
        {
            return Err(Rejection::CapitalAccountTaken { index, client: holder.to_string() });
        }
    }
    Ok(())
}

/// What changes by entering a file over the former one; nothing where it says nothing new.
pub fn events(save: &Save, former: Option<&Client>, judged: &Judged) -> Result<Vec<Event>, Rejection> {
    let Judged { class, marks, coverage, policy_version } = judged;
    let file = &save.file;
    let mut events = Vec::new();
    if former.is_none_or(|former| !former.is_as(file) || former.coverage != *coverage) {
        events.push(Event::ClientSaved(saved(save, former, judged)));
    }
    let former_class = former.and_then(|former| former.class);
    if former_class != Some(*class) {
        events.push(Event::ClientClassified(ClientClassified {
            client_class: ClientClassMessage::from(*class).into(),
            former: former_class.map_or(ClientClassMessage::Unspecified, ClientClassMessage::from).into(),
            assets_fen: file.assets_fen,
            turnover_percent: file.turnover_percent,
            policy_version: policy_version.clone(),
        }));
    }
    let former_marks =
        former.map_or_else(Marks::default, |former| Marks { vip: former.vip, core: former.core });
    if former_marks != *marks {
        let Marks { vip, core } = *marks;
        events.push(Event::ClientMarked(ClientMarked { vip, core, policy_version: policy_version.clone() }));
    }
    let (employee, reason) = served_by(save, former, *coverage)?;
    let before = former.map_or("", |former| former.manager.as_str());
    if employee != before {
        events.push(manager::assigned(employee, before, *coverage, reason, policy_version));
    }
    Ok(events)
}

fn saved(save: &Save, former: Option<&Client>, judged: &Judged) -> ClientSaved {
    let moved = former.is_none_or(|former| moved_contact(&former.keys, &FileKeys::of(&save.file)).is_some());
    ClientSaved {
        contact_evidence: if moved { save.evidence.clone() } else { String::new() },
        coverage: PositionMessage::from(judged.coverage).into(),
        policy_version: judged.policy_version.clone(),
        ..(*save.file).clone()
    }
}

/// L8: whom the input names, else who serves the client already and still may, else whom the service chooses; and why it is another one.
fn served_by<'a>(
    save: &'a Save,
    former: Option<&'a Client>,
    needed: Position,
) -> Result<(&'a str, &'static str), Rejection> {
    if let Some(named) = &save.manager {
        manager::named(named, needed, &save.roster)?;
        return Ok((named, REASON_IMPORT));
    }
    let chosen = || manager::choose(&save.client, needed, &save.roster).unwrap_or_default();
    let Some(former) = former else { return Ok((chosen(), REASON_IMPORT)) };
    Ok(match manager::standing(&former.manager, needed, &save.roster) {
        Standing::Fits => (former.manager.as_str(), REASON_IMPORT),
        Standing::TooLow => (chosen(), REASON_ASSETS),
        Standing::Away if former.branch != save.file.branch => (chosen(), REASON_IMPORT),
        Standing::Away if former.manager.is_empty() && former.coverage != needed => (chosen(), REASON_ASSETS),
        Standing::Away => (chosen(), REASON_ROSTER),
    })
}
