//! Who assists in a case (协助, O6) and by which contacts: who answered one when they could not decide, or could then and cannot any more. Who answered a
//! contact that comes to nothing keeps none of it.

use shouwen_proto::events::v1::ownership_event::Event;

use super::case::{CaseState, Help};

/// By how many contacts somebody is known to assist. A backend has long taken or refused an answer that so many others of theirs have followed.
const KNOWN: usize = 32;

/// What an event makes of it.
pub(super) fn after(case: &mut CaseState, event: &Event) {
    match event {
        Event::CaseAbsorbed(absorbed) if !absorbed.assistant.is_empty() => {
            keep(case, &absorbed.assistant, &absorbed.contact);
            case.assistants.push(absorbed.assistant.clone());
        }
        Event::AssistantAdded(added) => {
            keep(case, &added.employee, &added.contact);
            case.assistants.push(added.employee.clone());
        }
        Event::ContactJoined(joined) if !joined.employee.is_empty() => {
            keep(case, &joined.employee, &joined.contact);
            if !case.assists(&joined.employee) {
                case.answered.push(joined.employee.clone());
            }
        }
        Event::ContactLeft(left) => leave(case, &left.employee, &left.contact),
        _ => {}
    }
}

/// One more contact by which somebody assists. What made them assist before this was kept stands beside it without a name.
fn keep(case: &mut CaseState, employee: &str, contact: &str) {
    let help = |contact: &str| Help { employee: employee.to_owned(), contact: contact.to_owned() };
    if case.assists(employee) && !case.help.iter().any(|known| known.employee == employee) {
        case.help.push(help(""));
    }
    if case.is_helped(employee, contact) {
        return;
    }
    case.help.push(help(contact));
    let named = |known: &Help| known.employee == employee && !known.contact.is_empty();
    if case.help.iter().filter(|known| named(known)).count() > KNOWN {
        if let Some(oldest) = case.help.iter().position(named) {
            case.help.remove(oldest);
        }
        if !case.is_helped(employee, "") {
            case.help.push(help(""));
        }
    }
}

/// Somebody assists by a contact no longer; by nothing else, not at all.
fn leave(case: &mut CaseState, employee: &str, contact: &str) {
    if !case.is_helped(employee, contact) {
        return;
    }
    case.help.retain(|help| help.employee != employee || help.contact != contact);
    if !case.help.iter().any(|help| help.employee == employee) {
        case.assistants.retain(|known| known != employee);
        case.answered.retain(|known| known != employee);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::{DateTime, Utc};
    use proptest::prelude::*;
    use shouwen_proto::events::v1::{AssistantAdded, CaseAbsorbed, CaseOpened, ContactJoined, ContactLeft};

    use super::*;
    use crate::domain::evolve;

    fn case() -> CaseState {
        let opened = CaseOpened { contact: "contacts/0".to_owned(), ..CaseOpened::default() };
        evolve::opened(&opened, DateTime::<Utc>::MIN_UTC)
    }

    fn joined(employee: &str, contact: &str) -> Event {
        let (employee, contact) = (employee.to_owned(), contact.to_owned());
        Event::ContactJoined(ContactJoined { contact, case: String::new(), employee })
    }

    fn left(employee: &str, contact: &str) -> Event {
        let (employee, contact) = (employee.to_owned(), contact.to_owned());
        Event::ContactLeft(ContactLeft { contact, epoch: 2, employee })
    }

    #[test]
    fn o6_what_an_earlier_release_gave_stays_whatever_comes_to_nothing() {
        let mut case = CaseState { assistants: vec!["li".to_owned()], ..case() };
        after(&mut case, &joined("li", "contacts/1"));
        after(&mut case, &left("li", "contacts/1"));
        assert_eq!(case.assistants, ["li"]);
        after(&mut case, &left("li", "contacts/2"));
        assert_eq!(case.assistants, ["li"], "nothing is known to have come of that one");
        // Taken back by a release that did not say whose it was.
        after(&mut case, &joined("wang", "contacts/3"));
        after(&mut case, &left("", "contacts/3"));
        assert_eq!(case.answered, ["wang"]);
        let absorbed = CaseAbsorbed { assistant: "sun".to_owned(), ..CaseAbsorbed::default() };
        after(&mut case, &Event::CaseAbsorbed(absorbed));
        after(&mut case, &joined("sun", "contacts/4"));
        after(&mut case, &left("sun", "contacts/4"));
        assert_eq!(case.assistants, ["li", "sun"]);
    }

    #[test]
    fn o6_what_an_earlier_release_gave_goes_along_into_another_case() {
        let mut case = CaseState { assistants: vec!["li".to_owned()], ..case() };
        assert_eq!(case.helps_by("li"), ["contacts/0"]);
        after(&mut case, &joined("li", "contacts/1"));
        assert_eq!(case.helps_by("li"), ["contacts/0", "contacts/1"]);
        assert_eq!(case.helps_by("wang"), ["contacts/0"], "who handles it by no contact of their own");
    }

    #[test]
    fn o6_who_answers_again_and_again_is_kept_with_the_last_contacts() {
        let mut case = case();
        for number in 0..10 * KNOWN {
            after(&mut case, &joined("li", &format!("contacts/{number}")));
        }
        assert_eq!(case.help.len(), KNOWN + 1);
        for number in 0..10 * KNOWN {
            after(&mut case, &left("li", &format!("contacts/{number}")));
        }
        assert_eq!(case.answered, ["li"], "by those that are not kept by name");
    }

    proptest! {
        #[test]
        fn o6_somebody_assists_just_as_long_as_a_contact_is_left_by_which_they_do(
            steps in prop::collection::vec((0..3_usize, 0..4_usize, 0..4_usize), 0..40)
        ) {
            let mut case = case();
            let mut by: BTreeSet<(usize, usize)> = BTreeSet::new();
            for (employee, contact, step) in steps {
                let (who, call) = (format!("employees/{employee}"), format!("contacts/{contact}"));
                let listed = case.assistants.contains(&who);
                // As decisions have it: nobody is made an assistant twice.
                let event = match step {
                    0 => left(&who, &call),
                    1 if !listed => {
                        let (case, assistant, contact) = (String::new(), who.clone(), call.clone());
                        let said_time = None;
                        Event::CaseAbsorbed(CaseAbsorbed { case, assistant, contact, said_time })
                    }
                    2 if !listed => {
                        let (employee, contact) = (who.clone(), call.clone());
                        Event::AssistantAdded(AssistantAdded { employee, contact })
                    }
                    _ => joined(&who, &call),
                };
                after(&mut case, &event);
                if step == 0 {
                    by.remove(&(employee, contact));
                } else {
                    by.insert((employee, contact));
                }
                for employee in 0..3 {
                    let helps = by.iter().any(|(known, _)| *known == employee);
                    prop_assert_eq!(case.assists(&format!("employees/{employee}")), helps, "{:?}", case.help);
                }
                let distinct: BTreeSet<&String> = case.assistants.iter().collect();
                prop_assert_eq!(distinct.len(), case.assistants.len(), "an assistant twice");
                prop_assert_eq!(case.help.len(), by.len());
            }
        }
    }
}
