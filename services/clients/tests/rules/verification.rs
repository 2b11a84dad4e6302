//! Nothing is disclosed before the identity is verified (K11), and each disclosure is on record (L10).

use futures_util::future::join_all;
use shouwen_access::status::reason_of;
use shouwen_proto::{
    access::v1::CallContext,
    clients::v1::{
        AnswerVerificationRequest, ClientInput, FullClient, GetFullClientRequest, StartVerificationRequest,
        Verification,
    },
    events::v1::{IdentityFactor, clients_event::Event},
};
use shouwen_serving::timestamps;
use tonic::{Code, Response, Status};

use crate::service::{
    Bed, MORNING, OTHER_BRANCH, at, crm, detail, identity_number, input, refused, request_id, request_of,
    staff,
};

const CLIENT: &str = "clients/C-1";

fn client() -> ClientInput {
    ClientInput { phone: "13812345678".into(), identity_number: identity_number(7), ..input("C-1") }
}

async fn start(bed: &Bed, who: &CallContext) -> Result<Verification, Status> {
    let request = StartVerificationRequest { name: CLIENT.into(), request_id: request_id() };
    bed.client().start_verification(request_of(who, request)).await.map(Response::into_inner)
}

fn says(verification: &Verification, factor: IdentityFactor, value: &str) -> AnswerVerificationRequest {
    AnswerVerificationRequest {
        name: CLIENT.into(),
        verification: verification.verification.clone(),
        factor: factor.into(),
        value: value.into(),
        request_id: request_id(),
    }
}

async fn answer(
    bed: &Bed,
    who: &CallContext,
    request: AnswerVerificationRequest,
) -> Result<Verification, Status> {
    bed.client().answer_verification(request_of(who, request)).await.map(Response::into_inner)
}

async fn full(bed: &Bed, who: &CallContext) -> Result<FullClient, Status> {
    let request = GetFullClientRequest {
        name: CLIENT.into(),
        purpose: "reads back the address".into(),
        request_id: request_id(),
    };
    bed.client().get_full_client(request_of(who, request)).await.map(Response::into_inner)
}

/// Verified by two right answers.
async fn passed(bed: &Bed, who: &CallContext) -> Verification {
    let begun = start(bed, who).await.unwrap();
    answer(bed, who, says(&begun, IdentityFactor::ReservedPhone, "138 1234 5678")).await.unwrap();
    answer(bed, who, says(&begun, IdentityFactor::Holdings, "600519")).await.unwrap()
}

#[tokio::test]
async fn k11_two_matching_factors_open_the_file_to_who_asked_and_each_showing_is_on_record() {
    let mut bed = Bed::at(MORNING).await;
    bed.saved(client()).await;
    bed.next_types(3).await;
    let zhang = staff("zhang");
    assert_eq!(refused(full(&bed, &zhang).await), "IDENTITY_NOT_VERIFIED");
    let begun = start(&bed, &zhang).await.unwrap();
    assert_eq!((begun.factors_missing, begun.passed, begun.employee.as_str()), (2, false, "employees/zhang"));
    assert_eq!(begun.expire_time, Some(timestamps::to_proto(at("2026-05-06T09:15"))));
    let once = answer(&bed, &zhang, says(&begun, IdentityFactor::IdentityNumber, &identity_number(7)))
        .await
        .unwrap();
    assert_eq!((once.factors_missing, once.passed), (1, false));
    assert_eq!(refused(full(&bed, &zhang).await), "IDENTITY_NOT_VERIFIED");
    let twice =
        answer(&bed, &zhang, says(&begun, IdentityFactor::LastPurchase, " ３００７５０ ")).await.unwrap();
    assert_eq!((twice.factors_missing, twice.passed), (0, true));
    bed.next_types(3).await;
    let shown = full(&bed, &zhang).await.unwrap();
    let client = client();
    assert_eq!((shown.display_name.as_str(), shown.phone.as_str()), ("王小明", "+8613812345678"));
    assert_eq!(
        (&shown.identity_number, &shown.email, &shown.address, &shown.last_purchase),
        (&client.identity_number, &client.email, &client.address, &client.last_purchase)
    );
    assert_eq!(shown.holdings, ["000001", "600519"]);
    assert_eq!(shown.capital_accounts, client.capital_accounts);
    assert_eq!(shown.client.unwrap().phone, "138****5678");
    let (row, Event::ClientDisclosed(disclosed)) = bed.next().await else { panic!("no record") };
    assert_eq!(
        (disclosed.employee.as_str(), disclosed.purpose.as_str()),
        ("employees/zhang", "reads back the address")
    );
    assert_eq!((disclosed.verification, row.on_behalf), (begun.verification, "employees/zhang".to_owned()));
    // Verified by one is not verified by another.
    assert_eq!(refused(full(&bed, &staff("li")).await), "IDENTITY_NOT_VERIFIED");
    bed.advance("2026-05-06T09:15").await;
    assert_eq!(refused(full(&bed, &zhang).await), "IDENTITY_NOT_VERIFIED", "it has expired");
}

#[tokio::test]
async fn k11_a_repeated_disclosure_shows_the_data_again_without_a_second_record() {
    let bed = Bed::at(MORNING).await;
    bed.saved(client()).await;
    let zhang = staff("zhang");
    passed(&bed, &zhang).await;
    let request =
        GetFullClientRequest { name: CLIENT.into(), purpose: "why".into(), request_id: request_id() };
    let first = bed.client().get_full_client(request_of(&zhang, request.clone())).await.unwrap().into_inner();
    bed.advance("2026-05-06T09:14").await;
    let again = bed.client().get_full_client(request_of(&zhang, request.clone())).await.unwrap().into_inner();
    assert_eq!(again, first);
    let shown = bed.ledger(CLIENT).await.into_iter().filter(|name| name == "client_disclosed").count();
    assert_eq!(shown, 1);
    let silent = GetFullClientRequest { purpose: " ".into(), request_id: request_id(), ..request };
    assert_eq!(refused(bed.client().get_full_client(request_of(&zhang, silent)).await), "FIELD_INVALID");
}

#[tokio::test]
async fn k11_a_disclosure_repeated_after_the_verification_expired_is_refused_like_a_new_one() {
    let bed = Bed::at(MORNING).await;
    bed.saved(client()).await;
    let (zhang, li) = (staff("zhang"), staff("li"));
    passed(&bed, &zhang).await;
    let request =
        GetFullClientRequest { name: CLIENT.into(), purpose: "why".into(), request_id: request_id() };
    let show = async || {
        bed.client().get_full_client(request_of(&zhang, request.clone())).await.map(Response::into_inner)
    };
    let first = show().await.unwrap();
    bed.advance("2026-05-06T09:15").await;
    assert_eq!(refused(show().await), "IDENTITY_NOT_VERIFIED");
    assert_eq!(refused(full(&bed, &zhang).await), "IDENTITY_NOT_VERIFIED");
    // Begun anew, it has to pass anew.
    let begun = start(&bed, &zhang).await.unwrap();
    assert_eq!(refused(show().await), "IDENTITY_NOT_VERIFIED");
    answer(&bed, &zhang, says(&begun, IdentityFactor::ReservedPhone, "13812345678")).await.unwrap();
    answer(&bed, &zhang, says(&begun, IdentityFactor::Holdings, "000001")).await.unwrap();
    assert_eq!(show().await.unwrap(), first);
    bed.advance("2026-05-06T09:30").await;
    for _ in 0..3 {
        let begun = start(&bed, &li).await.unwrap();
        answer(&bed, &li, says(&begun, IdentityFactor::ReservedPhone, "13900000000")).await.unwrap();
    }
    assert_eq!(refused(show().await), "VERIFICATION_LOCKED");
    assert_eq!(refused(full(&bed, &zhang).await), "VERIFICATION_LOCKED");
}

#[tokio::test]
async fn k11_a_wrong_answer_is_recorded_and_tells_nothing() {
    let mut bed = Bed::at(MORNING).await;
    bed.saved(client()).await;
    bed.next_types(3).await;
    let zhang = staff("zhang");
    let begun = start(&bed, &zhang).await.unwrap();
    let wrong = says(&begun, IdentityFactor::ReservedPhone, "13912345678");
    let heard = answer(&bed, &zhang, wrong.clone()).await.unwrap();
    assert_eq!(
        (heard.failed.as_slice(), heard.matched.len()),
        (&[i32::from(IdentityFactor::ReservedPhone)][..], 0)
    );
    assert_eq!((heard.factors_missing, heard.locked_until), (2, None));
    assert_eq!(answer(&bed, &zhang, wrong).await.unwrap(), heard, "repeated, it counts once");
    bed.next_types(1).await;
    let (_, Event::VerificationAnswered(answered)) = bed.next().await else { panic!("no record") };
    assert!(!answered.matched && !answered.passed);
    // Each factor counts once, whatever was answered.
    let again = answer(&bed, &zhang, says(&begun, IdentityFactor::ReservedPhone, "13812345678")).await;
    assert_eq!(refused(again), "FACTOR_ANSWERED");
    // What is no number is nobody's answer.
    for (factor, value, reason) in [
        (IdentityFactor::IdentityNumber, "123", "IDENTITY_NUMBER_INVALID"),
        (IdentityFactor::Holdings, "茅台", "FIELD_INVALID"),
        (IdentityFactor::Holdings, "", "FIELD_INVALID"),
        (IdentityFactor::Unspecified, "1", "FIELD_INVALID"),
    ] {
        assert_eq!(refused(answer(&bed, &zhang, says(&begun, factor, value)).await), reason);
    }
    assert_eq!(bed.ledger(CLIENT).await.len(), 5);
}

#[tokio::test]
async fn k11_one_code_given_for_two_factors_counts_once() {
    use IdentityFactor::{Holdings, LastPurchase, ReservedPhone};
    let bed = Bed::at(MORNING).await;
    bed.saved(ClientInput { last_purchase: "600519".into(), ..client() }).await;
    let zhang = staff("zhang");
    for (first, second) in [(Holdings, LastPurchase), (LastPurchase, Holdings)] {
        let begun = start(&bed, &zhang).await.unwrap();
        answer(&bed, &zhang, says(&begun, first, "600519")).await.unwrap();
        let again = answer(&bed, &zhang, says(&begun, second, " ６００５１９ ")).await.unwrap();
        assert_eq!((again.matched.len(), again.factors_missing, again.passed), (2, 1, false), "{second:?}");
        assert_eq!(refused(full(&bed, &zhang).await), "IDENTITY_NOT_VERIFIED");
        let other = answer(&bed, &zhang, says(&begun, ReservedPhone, "13812345678")).await.unwrap();
        assert_eq!((other.factors_missing, other.passed), (0, true));
    }
    // Two codes are two answers.
    let begun = start(&bed, &zhang).await.unwrap();
    answer(&bed, &zhang, says(&begun, LastPurchase, "600519")).await.unwrap();
    assert!(answer(&bed, &zhang, says(&begun, Holdings, "000001")).await.unwrap().passed);
}

#[tokio::test]
async fn k11_only_ones_own_running_verification_is_answered() {
    let bed = Bed::at(MORNING).await;
    bed.saved(ClientInput { holdings: Vec::new(), last_purchase: String::new(), ..client() }).await;
    let zhang = staff("zhang");
    let begun = start(&bed, &zhang).await.unwrap();
    let says = || says(&begun, IdentityFactor::ReservedPhone, "13812345678");
    assert_eq!(refused(answer(&bed, &staff("li"), says()).await), "VERIFICATION_NOT_STARTED");
    // Beginning again forgets the former one.
    let anew = start(&bed, &zhang).await.unwrap();
    assert_eq!(refused(answer(&bed, &zhang, says()).await), "VERIFICATION_NOT_STARTED");
    for factor in [IdentityFactor::Holdings, IdentityFactor::LastPurchase] {
        let status = answer(&bed, &zhang, self::says(&anew, factor, "600519")).await.unwrap_err();
        assert_eq!(
            (status.code(), reason_of(&status).unwrap().as_str()),
            (Code::FailedPrecondition, "FACTOR_NOT_ON_FILE")
        );
    }
    bed.advance("2026-05-06T09:15").await;
    let late = answer(&bed, &zhang, self::says(&anew, IdentityFactor::ReservedPhone, "13812345678")).await;
    assert_eq!(refused(late), "VERIFICATION_NOT_STARTED");
    assert_eq!(refused(start(&bed, &crm()).await), "EMPLOYEE_REQUIRED");
    let unknown = StartVerificationRequest { name: "clients/none".into(), request_id: request_id() };
    let answer = bed.client().start_verification(request_of(&zhang, unknown)).await;
    assert_eq!(refused(answer), "CLIENT_NOT_FOUND");
}

#[tokio::test]
async fn k11_three_wrong_answers_lock_the_client_for_everybody_and_what_passed_before_stays() {
    let mut bed = Bed::at(MORNING).await;
    bed.saved(ClientInput { branch: OTHER_BRANCH.into(), ..client() }).await;
    let (zhang, li) = (staff("zhang"), staff("li"));
    passed(&bed, &li).await;
    let mut begun = start(&bed, &zhang).await.unwrap();
    for wrong in 1..=3 {
        // Beginning again does not forget the failures.
        if wrong == 2 {
            begun = start(&bed, &zhang).await.unwrap();
        }
        let factor = if wrong == 3 { IdentityFactor::Holdings } else { IdentityFactor::ReservedPhone };
        let value = if wrong == 3 { "600000" } else { "13900000000" };
        let heard = answer(&bed, &zhang, says(&begun, factor, value)).await.unwrap();
        assert_eq!(heard.locked_until.is_some(), wrong == 3);
    }
    let until = "2026-05-06T09:30:00+08:00";
    for status in [
        start(&bed, &staff("wu")).await.unwrap_err(),
        answer(&bed, &zhang, says(&begun, IdentityFactor::LastPurchase, "300750")).await.unwrap_err(),
        full(&bed, &zhang).await.unwrap_err(),
    ] {
        assert_eq!(
            (status.code(), reason_of(&status).unwrap().as_str()),
            (Code::FailedPrecondition, "VERIFICATION_LOCKED")
        );
        assert_eq!(detail(&status, "until"), until);
    }
    assert_eq!(full(&bed, &li).await.unwrap().display_name, "王小明");
    let locked = bed.get(CLIENT).await.unwrap().verification_locked_until;
    assert_eq!(locked, Some(timestamps::to_proto(at("2026-05-06T09:30"))));
    // The lock ends by itself, and with it the failures are forgotten.
    bed.advance("2026-05-06T09:30").await;
    let begun = start(&bed, &zhang).await.unwrap();
    let heard =
        answer(&bed, &zhang, says(&begun, IdentityFactor::ReservedPhone, "13900000000")).await.unwrap();
    assert_eq!(heard.locked_until, None);
    assert_eq!(bed.ledger(CLIENT).await.iter().filter(|name| *name == "verification_locked").count(), 1);
    bed.next_types(1).await;
}

#[tokio::test]
async fn k11_a_verification_that_passes_forgets_the_failures() {
    let bed = Bed::at(MORNING).await;
    bed.saved(client()).await;
    let zhang = staff("zhang");
    for _ in 0..3 {
        for _ in 0..2 {
            let begun = start(&bed, &zhang).await.unwrap();
            answer(&bed, &zhang, says(&begun, IdentityFactor::ReservedPhone, "13900000000")).await.unwrap();
        }
        assert!(passed(&bed, &zhang).await.passed);
    }
}

#[tokio::test]
async fn k11_a_verification_keeps_the_policy_under_which_it_began() {
    let mut bed = Bed::at(MORNING).await;
    bed.saved(client()).await;
    bed.next_types(3).await;
    let zhang = staff("zhang");
    let begun = start(&bed, &zhang).await.unwrap();
    bed.next_types(1).await;
    bed.policy(&serde_json::json!({"verification_factors": 1, "verification_minutes": 5})).await;
    let heard =
        answer(&bed, &zhang, says(&begun, IdentityFactor::ReservedPhone, "13812345678")).await.unwrap();
    assert_eq!((heard.passed, heard.factors_missing), (false, 1));
    let anew = start(&bed, &zhang).await.unwrap();
    assert_eq!(anew.expire_time, Some(timestamps::to_proto(at("2026-05-06T09:05"))));
    let heard =
        answer(&bed, &zhang, says(&anew, IdentityFactor::ReservedPhone, "13812345678")).await.unwrap();
    assert!(heard.passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k11_guesses_made_at_once_by_many_over_two_replicas_are_counted_one_by_one() {
    let bed = Bed::at(MORNING).await;
    bed.saved(client()).await;
    let another = bed.another().await;
    let guessers: Vec<CallContext> = (0..48).map(|number| staff(&format!("e{number}"))).collect();
    let mut begun = Vec::new();
    for guesser in &guessers {
        begun.push(start(&bed, guesser).await.unwrap());
    }
    let guesses = guessers.iter().zip(&begun).enumerate().map(|(index, (guesser, verification))| {
        let mut client = if index % 2 == 0 { bed.client() } else { another.client.clone() };
        let request = says(verification, IdentityFactor::ReservedPhone, &format!("139000000{index:02}"));
        async move { client.answer_verification(request_of(guesser, request)).await }
    });
    let answers = join_all(guesses).await;
    let counted = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(counted, 3);
    for answer in answers.into_iter().filter(Result::is_err) {
        assert_eq!(refused(answer), "VERIFICATION_LOCKED");
    }
    let ledger = bed.ledger(CLIENT).await;
    let times = |event: &str| ledger.iter().filter(|name| *name == event).count();
    assert_eq!((times("verification_answered"), times("verification_locked")), (3, 1));
}
