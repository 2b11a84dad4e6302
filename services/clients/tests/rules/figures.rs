//! Classes (L2) and marks (L12) follow from the figures by themselves, under the policy of the branch.

use shouwen_proto::{
    clients::v1::ClientInput,
    events::v1::clients_event::Event,
    r#type::v1::{ClientClass, Position},
};

use crate::service::{Bed, MORNING, input};

fn with(yuan: i64, turnover_percent: i64) -> ClientInput {
    ClientInput { assets_fen: yuan * 100, turnover_percent, ..input("C-1") }
}

#[tokio::test]
async fn l2_the_class_is_computed_when_a_client_is_entered_and_when_figures_change() {
    let mut bed = Bed::at(MORNING).await;
    let saved = bed.saved(with(5_000_000, 300)).await;
    assert_eq!(
        (saved.client_class(), saved.policy_version.as_str()),
        (ClientClass::APlus, "clients@default")
    );
    bed.next_types(1).await;
    let (_, Event::ClientClassified(classified)) = bed.next().await else { panic!("not classified") };
    assert_eq!(
        (classified.client_class(), classified.former()),
        (ClientClass::APlus, ClientClass::Unspecified)
    );
    bed.next_types(2).await;
    let saved = bed.saved(with(5_000_000, 299)).await;
    assert_eq!(saved.client_class(), ClientClass::BPlus);
    bed.next_types(1).await;
    let (_, Event::ClientClassified(classified)) = bed.next().await else { panic!("not classified") };
    assert_eq!((classified.client_class(), classified.former()), (ClientClass::BPlus, ClientClass::APlus));
    // Figures that leave the class are recorded without it: not core any more, and nothing else.
    assert_eq!(bed.next().await.0.r#type, "client_marked");
    bed.saved(with(6_000_000, 299)).await;
    assert_eq!(bed.next().await.0.r#type, "client_saved");
    bed.saved(with(9_999, 0)).await;
    assert_eq!(bed.next_types(2).await, ["client_saved", "client_classified"]);
    assert_eq!(bed.get("clients/C-1").await.unwrap().client_class(), ClientClass::G);
}

#[tokio::test]
async fn l2_another_grid_classes_anew_what_is_entered_again() {
    let mut bed = Bed::at(MORNING).await;
    bed.saved(with(400_000, 300)).await;
    bed.next_types(3).await;
    bed.policy(&serde_json::json!({"class_c_assets": 400_000})).await;
    let saved = bed.saved(with(400_000, 300)).await;
    assert_eq!(saved.client_class(), ClientClass::C);
    assert!(saved.policy_version.starts_with("clients@firm:"), "{}", saved.policy_version);
    assert_eq!(bed.next().await.0.r#type, "client_classified", "nothing else has changed");
    assert_eq!(bed.saved(with(400_000, 300)).await, saved);
    // L8: the position follows the grid as well, though the manager may stay.
    bed.policy(&serde_json::json!({"team_leader_assets": 500_000, "manager_assets": 600_000})).await;
    let saved = bed.saved(with(400_000, 300)).await;
    assert_eq!(saved.coverage(), Position::Unspecified);
    assert_eq!(saved.service_manager, "employees/tan");
}

#[tokio::test]
async fn l12_marks_follow_the_figures_and_their_changes_are_on_record() {
    let mut bed = Bed::at(MORNING).await;
    let saved = bed.saved(with(1_000_000, 300)).await;
    assert!(saved.vip && saved.core);
    bed.next_types(2).await;
    let (_, Event::ClientMarked(marked)) = bed.next().await else { panic!("not marked") };
    assert_eq!((marked.vip, marked.core, marked.policy_version.as_str()), (true, true, "clients@default"));
    let saved = bed.saved(with(999_999, 300)).await;
    assert!(!saved.vip && saved.core);
    let saved = bed.saved(with(999_999, 0)).await;
    assert!(!saved.vip && !saved.core);
    assert_eq!(bed.ledger("clients/C-1").await.iter().filter(|name| *name == "client_marked").count(), 3);
    // A client without marks has no event that says so.
    bed.saved(input("C-2")).await;
    assert!(!bed.ledger("clients/C-2").await.contains(&"client_marked".to_owned()));
}
