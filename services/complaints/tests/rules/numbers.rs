//! C15: numbers restart each month per unit and have no gaps, also while two replicas take in across the last second of a month.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use shouwen_proto::{
    access::v1::CallContext,
    complaints::v1::{
        AcceptComplaintRequest, Complaint, DeclineComplaintRequest, FileComplaintRequest,
        complaint_service_client::ComplaintServiceClient,
    },
    events::v1::Severity,
};
use tokio::sync::watch;
use tonic::service::Routes;

use crate::{
    bench::at,
    calls::form,
    people::{BRANCH, hq, officer, refused, request_id, request_of},
    service::Bed,
};

/// Complaints that one worker takes in.
const EACH: usize = 6;
const WORKERS: usize = 16;

type Client = ComplaintServiceClient<Routes>;

/// Both units' complaints are theirs: what counts is who received one.
fn officer_of_both() -> CallContext {
    CallContext { branches: vec![BRANCH.into(), "branches/b2".into()], ..officer("cases/1") }
}

async fn number(client: &mut Client, complaint: &Complaint, accept: bool) -> String {
    let (name, request_id) = (complaint.name.clone(), request_id());
    let who = officer_of_both();
    let answer = if accept {
        let severity = Severity::Minor.into();
        let request =
            AcceptComplaintRequest { name, severity, request_id, ..AcceptComplaintRequest::default() };
        client.accept_complaint(request_of(&who, request)).await
    } else {
        let explanation = "no grounds".into();
        let request =
            DeclineComplaintRequest { name, explanation, request_id, ..DeclineComplaintRequest::default() };
        client.decline_complaint(request_of(&who, request)).await
    };
    answer.unwrap().into_inner().number
}

/// Serials by unit and month.
fn by_series(numbers: &[String]) -> BTreeMap<String, Vec<u32>> {
    let mut series: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for number in numbers {
        let (month, serial) = number.rsplit_once('-').unwrap();
        series.entry(month.to_owned()).or_default().push(serial.parse().unwrap());
    }
    for serials in series.values_mut() {
        serials.sort_unstable();
    }
    series
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn c15_two_replicas_accepting_across_a_months_last_second_leave_no_gap() {
    let bed = Bed::at("2025-09-30T23:59:59").await;
    let another = bed.another().await;
    bed.open_case("cases/1", "7").await;
    let caller = hq("cases/1");
    let mut filed: Vec<Vec<Complaint>> = Vec::new();
    for worker in 0..WORKERS {
        let unit = if worker % 3 == 0 { "branches/b2" } else { "branches/b1" };
        let forms =
            (0..EACH).map(|_| FileComplaintRequest { receiving_unit: unit.into(), ..form("cases/1") });
        let answers = join_all(forms.map(|form| bed.file(&caller, form))).await;
        filed.push(answers.into_iter().map(Result::unwrap).collect());
    }
    // Filed after closing time: their acceptance limit has passed, and what follows from it.
    bed.advance("2025-09-30T23:59:59").await;

    let (begun, mut first_done) = watch::channel(0_usize);
    let (turned, month_turned) = watch::channel(false);
    let workers = filed.into_iter().enumerate().map(|(worker, complaints)| {
        let mut client = if worker % 2 == 0 { bed.client() } else { another.client.clone() };
        let (begun, mut month_turned) = (begun.clone(), month_turned.clone());
        async move {
            let mut numbers = Vec::new();
            for (index, complaint) in complaints.iter().enumerate() {
                if index == EACH - 1 {
                    month_turned.wait_for(|turned| *turned).await.unwrap();
                }
                numbers.push(number(&mut client, complaint, (worker + index) % 4 != 0).await);
                begun.send_modify(|workers| *workers += usize::from(index == 0));
                // What is refused takes no number.
                let again = AcceptComplaintRequest {
                    name: complaint.name.clone(),
                    severity: Severity::Minor.into(),
                    request_id: request_id(),
                    ..AcceptComplaintRequest::default()
                };
                let answer = client.accept_complaint(request_of(&officer_of_both(), again)).await;
                assert_eq!(refused(answer), "ILLEGAL_TRANSITION");
            }
            numbers
        }
    });
    let turn = async {
        first_done.wait_for(|workers| *workers == WORKERS).await.unwrap();
        let engine = &bed.first.service.engine;
        engine.step_clock(at("2025-09-30T23:59:59"), at("2025-10-01T00:00:00"), true).await.unwrap();
        turned.send_replace(true);
    };
    let (numbers, ()) = tokio::join!(join_all(workers), turn);
    let numbers: Vec<String> = numbers.into_iter().flatten().collect();
    assert_eq!(numbers.len(), WORKERS * EACH);

    let series = by_series(&numbers);
    let months: Vec<&str> = series.keys().map(String::as_str).collect();
    assert_eq!(months.len(), 4, "both units in both months: {months:?}");
    for (month, serials) in &series {
        let expected: Vec<u32> = (1..=u32::try_from(serials.len()).unwrap()).collect();
        assert_eq!(serials, &expected, "{month}");
    }
    // The ledger says the same, in the order in which they were given.
    let shown: Vec<Option<String>> =
        sqlx::query_scalar("select number from complaint").fetch_all(&bed.pool).await.unwrap();
    let mut shown: Vec<String> = shown.into_iter().flatten().collect();
    let mut numbers = numbers;
    shown.sort();
    numbers.sort();
    assert_eq!(shown, numbers);
}

#[tokio::test]
async fn c15_numbers_restart_with_the_month_and_are_each_units_own() {
    let bed = Bed::at("2025-09-30T16:00").await;
    let first = bed.accepted("1").await;
    bed.accepted("2").await;
    bed.open_case("cases/3", "7").await;
    let theirs = FileComplaintRequest { receiving_unit: "branches/b2".into(), ..form("cases/3") };
    let theirs = bed.file(&hq("cases/3"), theirs).await.unwrap();
    let accepted = bed.accept_as(&hq("cases/3"), &theirs.name, Severity::Minor).await.unwrap();
    assert_eq!(accepted.number, "b2-2509-0001");
    bed.advance("2025-10-01T00:00").await;
    let next = bed.accepted("4").await;
    let number = async |case: &str, name: &str| bed.get(&officer(case), name).await.unwrap().number;
    assert_eq!(number("cases/1", &first).await, "b1-2509-0001");
    assert_eq!(number("cases/4", &next).await, "b1-2510-0001");
}
