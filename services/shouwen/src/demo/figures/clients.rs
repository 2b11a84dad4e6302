//! The firm's clients as they stand after the month: classes, marks, who serves them, what has changed of it, and whose identity was
//! verified (K11).

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};
use shouwen_proto::{
    events::v1::clients_event,
    r#type::v1::{ClientClass, Position},
};

use super::{super::product::Product, Count};

pub(super) fn figures(product: &Product) -> Value {
    let (mut classes, mut coverage, mut marks) = (Count::default(), Count::default(), Count::default());
    let mut managers: BTreeMap<&str, i64> = BTreeMap::new();
    for client in &product.clients {
        classes.add(class_key(client.client_class()), true);
        coverage.add(position_key(client.coverage()), true);
        marks.add("vip", client.vip);
        marks.add("core", client.core);
        let manager = client.service_manager.strip_prefix("employees/").unwrap_or_default();
        *managers.entry(manager).or_default() += 1;
    }
    let without_manager = managers.remove("").unwrap_or_default();
    let (mut changes, mut verified) = (Count::default(), HashSet::new());
    for (_, event) in product.of_clients() {
        match event {
            clients_event::Event::ClientClassified(classified) => {
                changes.add("class", classified.former() != ClientClass::Unspecified);
            }
            clients_event::Event::ServiceManagerAssigned(assigned) => {
                changes.add("manager", !assigned.former.is_empty());
            }
            clients_event::Event::VerificationAnswered(answered) => {
                changes.add("wrong_answer", !answered.matched);
                verified.extend(answered.passed.then_some(&answered.verification));
            }
            clients_event::Event::VerificationLocked(_) => changes.add("lock", true),
            clients_event::Event::ClientDisclosed(_) => changes.add("disclosure", true),
            _ => {}
        }
    }
    json!({
        "imported": product.clients.len(),
        "classes": classes.pick(&["A+", "B+", "A", "B", "C", "D", "C-", "D-", "E", "F", "G"]),
        "vip": marks.get("vip"),
        "core": marks.get("core"),
        "coverage": coverage.pick(&["branch_head", "manager", "team_leader", "anyone"]),
        "managers": managers,
        "without_manager": without_manager,
        "class_changes": changes.get("class"),
        "manager_changes": changes.get("manager"),
        "verified": verified.len(),
        "wrong_answers": changes.get("wrong_answer"),
        "verification_locks": changes.get("lock"),
        "disclosures": changes.get("disclosure"),
    })
}

fn class_key(class: ClientClass) -> &'static str {
    match class {
        ClientClass::APlus => "A+",
        ClientClass::BPlus => "B+",
        ClientClass::A => "A",
        ClientClass::B => "B",
        ClientClass::C => "C",
        ClientClass::D => "D",
        ClientClass::CMinus => "C-",
        ClientClass::DMinus => "D-",
        ClientClass::E => "E",
        ClientClass::F => "F",
        ClientClass::G => "G",
        ClientClass::Unspecified => "unknown",
    }
}

fn position_key(position: Position) -> &'static str {
    match position {
        Position::BranchHead => "branch_head",
        Position::Manager => "manager",
        Position::TeamLeader => "team_leader",
        Position::Unspecified => "anyone",
    }
}
