//! O12: a complaint and its measures name nobody who is not in the roster, however far its feed was followed.

use shouwen_access::status::reason_of;
use shouwen_proto::complaints::v1::{FileComplaintRequest, ProposeHandlingRequest, ProposedMeasure};
use tonic::{Code, Status};

use crate::{
    calls::{Answer, form, proposal},
    people::{detail, handler},
    service::Bed,
};

const NOW: &str = "2025-09-22T10:00";

/// A complaint on `cases/1` about these employees.
fn about(employees: &[&str]) -> FileComplaintRequest {
    let complained_about = employees.iter().map(|name| format!("employees/{name}")).collect();
    FileComplaintRequest { complained_about, ..form("cases/1") }
}

async fn file(bed: &Bed, employees: &[&str]) -> Answer {
    bed.file(&handler("zhang", "cases/1"), about(employees)).await
}

/// The field and the employee that a refusal names.
fn unknown(status: &Status) -> (String, String) {
    assert_eq!(
        (status.code(), reason_of(status).as_deref()),
        (Code::InvalidArgument, Some("EMPLOYEE_UNKNOWN"))
    );
    let named = |key| detail(Err::<(), _>(status.clone()), key);
    let (field, employee) = (named("field"), named("employee"));
    let said = status.message();
    assert!(said.contains(&field) && said.contains(&employee), "{said}");
    (field, employee)
}

#[tokio::test]
async fn o12_a_complaint_about_somebody_who_is_not_in_the_roster_is_refused() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    let refused = file(&bed, &["li", "lii", "sun"]).await.unwrap_err();
    assert_eq!(unknown(&refused), ("complained_about[1]".into(), "employees/lii".into()));
    assert_eq!(bed.ledger().await.len(), 0);
    let filed = file(&bed, &["sun", "li", "sun"]).await.unwrap();
    assert_eq!(filed.complained_about, ["employees/li", "employees/sun"], "each once");
}

#[tokio::test]
async fn o12_a_measure_of_somebody_who_is_not_in_the_roster_is_refused() {
    let bed = Bed::at(NOW).await;
    let name = bed.accepted("1").await;
    let zhang = handler("zhang", "cases/1");
    let mut measures = proposal(&name).measures;
    measures.push(ProposedMeasure { responsible: "employees/nobody".into(), text: "mend it".into() });
    let request = ProposeHandlingRequest { measures, ..proposal(&name) };
    let refused = bed.propose(&zhang, request).await.unwrap_err();
    assert_eq!(unknown(&refused), ("measures[2].responsible".into(), "employees/nobody".into()));
    assert_eq!(bed.count("handling_proposed").await, 0);
    bed.propose(&zhang, proposal(&name)).await.unwrap();
}

#[tokio::test]
async fn o12_who_was_entered_this_very_moment_is_waited_for_shortly() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    let (filed, ()) = tokio::join!(file(&bed, &["novice"]), bed.enter("employees/novice", true));
    assert_eq!(filed.unwrap().complained_about, ["employees/novice"]);
    // Refused before the entry, taken after it: no refusal is remembered.
    unknown(&file(&bed, &["late"]).await.unwrap_err());
    bed.enter("employees/late", true).await;
    bed.caught_up().await;
    file(&bed, &["late"]).await.unwrap();
}

#[tokio::test]
async fn o12_who_has_left_is_complained_about_like_anybody() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    bed.enter("employees/sun", false).await;
    bed.caught_up().await;
    assert_eq!(file(&bed, &["sun"]).await.unwrap().complained_about, ["employees/sun"]);
}

/// As an installation stands on the day of its upgrade: the feed was read, and nobody was noted.
const UPGRADED: &str = "
    truncate complaints.known_employee;
    update complaints.roster_read set position = 0;";

#[tokio::test]
async fn o12_employees_of_whom_the_feed_told_before_anybody_took_note_are_read_again() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    bed.caught_up().await;
    sqlx::raw_sql(UPGRADED).execute(&mut bed.superuser().await).await.unwrap();
    // What the feed tells from here on does not hide what was passed over.
    bed.enter("employees/novice", true).await;
    bed.caught_up().await;
    let another = bed.another().await;
    bed.roster_read(&another).await;
    assert_eq!(file(&bed, &["li", "novice"]).await.unwrap().complained_about.len(), 2);
    unknown(&file(&bed, &["lii"]).await.unwrap_err());
    let known: i64 =
        sqlx::query_scalar("select count(*) from known_employee").fetch_one(&bed.pool).await.unwrap();
    assert_eq!(known, 11, "the roster of all tests, and the novice");
}

#[tokio::test]
async fn o12_nobody_is_called_unknown_before_the_roster_was_read() {
    let bed = Bed::at(NOW).await;
    bed.open_case("cases/1", "7").await;
    bed.caught_up().await;
    // The cursor stands where the feed has not come to, so what was passed over cannot be read.
    let ahead = "update complaints.feed_cursor set position = 1000 where feed = 'ownership'";
    sqlx::raw_sql(ahead).execute(&mut bed.superuser().await).await.unwrap();
    let status = file(&bed, &["lii"]).await.unwrap_err();
    assert_eq!(
        (status.code(), reason_of(&status).as_deref()),
        (Code::Unavailable, Some("ROSTER_NOT_KNOWN_YET"))
    );
    assert_eq!(detail(Err::<(), _>(status), "field"), "complained_about[0]");
    file(&bed, &["li"]).await.unwrap();
}
