//! The process dies between any two steps of a claim: another goes on, the claim repeated has exactly one effect.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use shouwen_engine::{
    Options,
    options::{Probe, Step},
};
use shouwen_gateway::domain::Mutants;

use crate::{
    desk::{claim, employee, reason},
    ground::{Ground, still, tuesday},
};

#[tokio::test]
async fn o1_a_claim_survives_the_death_of_its_process_at_every_step() {
    let (ground, survivor) = Ground::at(tuesday()).await;
    for (number, step) in Step::ALL.into_iter().enumerate() {
        let armed = Arc::new(AtomicBool::new(false));
        let probe = {
            let armed = Arc::clone(&armed);
            Probe::new(move |at| at == step && armed.load(Ordering::SeqCst))
        };
        let dying = ground.office(Options { probe, ..still() }, Mutants::default()).await;
        let (contact, client) = (format!("call-{number}"), format!("C-{number}"));
        // Before its death the process has worked.
        let opened = dying.desk("wang").open(&format!("before-{number}"), &client).await;
        dying.desk("wang").confirm(&opened, true).await.unwrap();
        armed.store(true, Ordering::SeqCst);
        let request = claim(&contact, &client);
        let lost = dying.desk("zhang").claim_as(request.clone()).await.unwrap_err();
        assert_eq!(lost.reason, "OUTCOME_UNKNOWN", "{step:?}");

        // Only what was committed has happened, and nothing stays locked: the next process takes the repeated call.
        let before = ground.events(&format!("contacts/{contact}")).await;
        assert_eq!(before.len(), usize::from(step == Step::Committed), "{step:?}");
        let repeated = survivor.desk("zhang").claim_as(request.clone()).await.unwrap();
        assert!(repeated.first_responder, "{step:?}");
        assert_eq!(reason(survivor.desk("li").claim(&contact).await), "CONTACT_CLAIMED");
        assert_eq!(survivor.desk("zhang").claim_as(request).await.unwrap(), repeated);
        let case = repeated.case.unwrap();
        assert_eq!(case.first_responder, employee("zhang"));
        assert_eq!(ground.events(&format!("contacts/{contact}")).await, ["contact_claimed"], "{step:?}");
        assert_eq!(ground.events(&case.name).await, ["case_opened"], "{step:?}");
        let open = format!("select holder from unique_key where key = '{client}|general'");
        assert_eq!(ground.texts(&open).await, [case.name]);
    }
}
