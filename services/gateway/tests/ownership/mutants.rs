//! Rules switched off on purpose: each turns the named check red, so that the check is known to look.

use chrono::TimeDelta;
use shouwen_gateway::domain::Mutants;

use crate::{
    desk::{employee, reason},
    ground::{Ground, Office, tuesday},
};

/// O4: half an hour after it was made an offer is gone.
async fn o4_offers_expire(office: &Office) -> Result<(), String> {
    let name = office.desk("zhang").open("call-1", "C-1").await;
    let offer = office.desk("zhang").offered(&name, "li").await;
    office.pass(TimeDelta::minutes(31)).await;
    let late = office.desk("li").accept(&name, &offer).await;
    if late.is_ok() { Err(format!("accepted: {late:?}")) } else { Ok(()) }
}

/// O1: a contact has one first responder, whoever answers it next.
async fn o1_one_first_responder(office: &Office) -> Result<(), String> {
    let first = office.desk("zhang").claim("call-9").await.unwrap().case.unwrap();
    let second = office.desk("li").claim("call-9").await;
    match second {
        Ok(second) => Err(format!("{} and {}", first.first_responder, second.case.unwrap().first_responder)),
        Err(refused) if refused.reason == "CONTACT_CLAIMED" => Ok(()),
        Err(refused) => Err(refused.reason),
    }
}

#[tokio::test]
async fn the_checks_are_green_while_every_rule_holds() {
    let (_ground, office) = Ground::at(tuesday()).await;
    assert_eq!(o4_offers_expire(&office).await, Ok(()));
    assert_eq!(o1_one_first_responder(&office).await, Ok(()));
}

#[tokio::test]
async fn an_offer_that_never_expires_turns_o4_red() {
    let mutants = Mutants { offers_never_expire: true, ..Mutants::default() };
    let (ground, office) = Ground::with(tuesday(), mutants).await;
    let red = o4_offers_expire(&office).await.unwrap_err();
    assert!(red.contains("accepted"), "{red}");
    assert_eq!(ground.count("offer_expired").await, 0);
    assert_eq!(o1_one_first_responder(&office).await, Ok(()));
}

#[tokio::test]
async fn a_second_first_responder_turns_o1_red() {
    let mutants = Mutants { second_first_responder: true, ..Mutants::default() };
    let (_ground, office) = Ground::with(tuesday(), mutants).await;
    let red = o1_one_first_responder(&office).await.unwrap_err();
    assert_eq!(red, format!("{} and {}", employee("zhang"), employee("li")));
    assert_eq!(o4_offers_expire(&office).await, Ok(()));
    assert_eq!(reason(office.desk("li").accept("cases/none", "x").await), "CASE_NOT_FOUND");
}
