//! K13: who answers a colleague's phone handles it or passes a full message on; until the colleague accepts, the answerer is responsible.

use chrono::TimeDelta;
use shouwen_gateway::desk as desks;
use shouwen_proto::{
    events::v1::CallOutcome,
    ownership::v1::{Case, Message, PassMessageRequest, ReadMessageRequest},
    routing::v1::DeskItemKind as Kind,
};
use tonic::Code;

use crate::{
    desk::{Answer, Desk, employee, id, is_chinese, reason},
    ground::{Ground, Office, at, tuesday},
    telephone::{call, outcome},
    watching::{Watch, waiting},
};

fn message(case: &str, to: &str) -> PassMessageRequest {
    PassMessageRequest {
        name: case.to_owned(),
        to: employee(to),
        caller: "陈先生".to_owned(),
        callback_number: "138 1234 5678".to_owned(),
        matter: "asks about the margin call of yesterday".to_owned(),
        etag: String::new(),
        request_id: id(),
    }
}

impl Desk {
    async fn pass(&self, request: PassMessageRequest) -> Answer<Case> {
        self.cases(request, async |mut it, request| it.pass_message(request).await).await
    }

    async fn read(&self, case: &str) -> Answer<Message> {
        let request = ReadMessageRequest { name: case.to_owned(), request_id: id() };
        self.cases(request, async |mut it, request| it.read_message(request).await).await
    }
}

/// Zhang's phone rings and Li answers it: a case of Li's.
async fn answered_for_zhang(office: &Office) -> String {
    office.at_their_desks(&["zhang"]).await;
    assert_eq!(outcome(&office.telephony().route(call("c-1")).await.unwrap()), employee("zhang"));
    let case = office.desk("li").open("c-1", "C-1").await;
    assert!(office.telephony().routing("c-1").await.unwrap().for_colleague);
    case
}

#[tokio::test]
async fn k13_a_message_waits_for_the_colleague_and_the_answerer_is_responsible_until_it_is_accepted() {
    let (ground, office) = Ground::at(tuesday()).await;
    let case = answered_for_zhang(&office).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let mut watch = Watch::of(&office, "zhang").await;
    let passed = li.pass(message(&case, "zhang")).await.unwrap();
    let offer = passed.offer.clone().unwrap();
    assert_eq!((&*offer.reason, offer.message, offer.moves_nothing), ("message", true, false));
    assert_eq!((passed.handler, passed.epoch), (employee("li"), 1));
    assert_eq!(at(offer.expire_time), tuesday() + TimeDelta::minutes(30), "as every offer (O4)");
    let subject = format!("{case}/offers/{}", offer.offer);
    watch.until(|watch| watch.waiting() == [(Kind::Message, &*subject)]).await;
    let item = watch.items.values().next().unwrap();
    assert_eq!((&item.case, item.due_time), (&case, offer.expire_time));
    // Read before it is accepted, and the answerer goes on being responsible.
    let read = zhang.read(&case).await.unwrap();
    assert_eq!((&*read.from, &*read.to), ("employees/li", "employees/zhang"));
    assert_eq!((&*read.caller, &*read.callback_number), ("陈先生", "+8613812345678"));
    assert_eq!((&*read.matter, &read.offer), ("asks about the margin call of yesterday", &offer.offer));
    assert_eq!(reason(zhang.resolve(&case).await), "NOT_RESPONSIBLE");

    let accepted = zhang.accept(&case, &offer.offer).await.unwrap();
    let li_is = employee("li");
    assert_eq!((&accepted.handler, accepted.epoch), (&employee("zhang"), 2));
    assert_eq!((&accepted.first_responder, &accepted.accountable), (&li_is, &li_is), "O1, O3");
    watch.until(|watch| watch.items.is_empty()).await;
    assert_eq!(zhang.read(&case).await.unwrap().matter, read.matter, "still there to work with");
    zhang.resolve(&case).await.unwrap();
    let events =
        ["case_opened", "offer_made", "message_shown", "offer_accepted", "message_shown", "case_resolved"];
    assert_eq!(ground.events(&case).await, events);
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k13_what_the_caller_said_is_sealed_and_shown_only_to_whom_it_concerns() {
    let (ground, office) = Ground::at(tuesday()).await;
    let case = answered_for_zhang(&office).await;
    assert_eq!(reason(office.desk("li").read(&case).await), "MESSAGE_NOT_FOUND");
    assert_eq!(reason(office.desk("li").read("cases/none").await), "CASE_NOT_FOUND");
    office.desk("li").pass(message(&case, "zhang")).await.unwrap();
    for text in ["陈先生", "13812345678", "margin call"] {
        let rows = format!(
            "select (select count(*) from ledger where position(convert_to('{text}', 'UTF8') in payload) > 0)
                  + (select count(*) from cases where state::text like '%{text}%')"
        );
        assert_eq!(ground.number(&rows).await, 0, "{text}");
    }
    for who in ["zhang", "li"] {
        office.desk(who).read(&case).await.unwrap();
    }
    for stranger in ["wang", "zhao", "sun", "chen"] {
        let refused = office.desk(stranger).read(&case).await.unwrap_err();
        assert_eq!(
            (refused.code, &*refused.reason),
            (Code::PermissionDenied, "NOT_RESPONSIBLE"),
            "{stranger}"
        );
    }
    assert_eq!(ground.count("message_shown").await, 2, "each showing is on record (L10)");
    // Nor to whom a complaint about the case is about (O12).
    office.complaints().filed(office.here().await, &format!("{case}/complaints/cp-1"), &["zhang"]);
    office.followed().await;
    assert_eq!(reason(office.desk("zhang").read(&case).await), "RECUSED");
    assert_eq!(waiting(&office, "zhang").await, [], "the offer fell");
}

#[tokio::test]
async fn k13_a_message_is_declined_withdrawn_or_expires_and_the_answerer_stays_responsible() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = answered_for_zhang(&office).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let offer = li.pass(message(&case, "zhang")).await.unwrap().offer.unwrap().offer;
    assert_eq!(reason(li.pass(message(&case, "wang")).await), "OFFER_PENDING");
    zhang.decline(&case, &offer).await.unwrap();
    assert_eq!(waiting(&office, "li").await, [(Kind::Returned, format!("{case}/offers/{offer}"))]);
    let offer = li.pass(message(&case, "wang")).await.unwrap().offer.unwrap().offer;
    li.withdraw(&case, &offer).await.unwrap();
    assert_eq!(waiting(&office, "li").await, []);
    let offer = li.pass(message(&case, "zhang")).await.unwrap().offer.unwrap().offer;
    office.pass(TimeDelta::minutes(30)).await;
    assert_eq!(reason(zhang.accept(&case, &offer).await), "NO_SUCH_OFFER");
    let case = li.get(&case).await.unwrap();
    assert_eq!((case.offer, case.handler, case.epoch), (None, employee("li"), 1));
    assert_eq!(waiting(&office, "zhang").await, []);
    assert_eq!(waiting(&office, "li").await, [(Kind::Returned, format!("{}/offers/{offer}", case.name))]);
    li.resolve(&case.name).await.unwrap();
    assert_eq!(waiting(&office, "li").await, [(Kind::Satisfaction, case.name)]);
}

#[tokio::test]
async fn k13_who_only_assists_passes_a_message_to_the_responsible_and_moves_nothing() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let case = zhang.open("earlier", "C-1").await;
    // The client calls again about it, and Li answers Zhang's phone (O6).
    assert_eq!(li.open("c-1", "C-1").await, case);
    assert_eq!(reason(li.pass(message(&case, "wang")).await), "NOT_RESPONSIBLE");
    assert_eq!(reason(office.desk("wang").pass(message(&case, "zhang")).await), "NOT_RESPONSIBLE");
    let passed = li.pass(message(&case, "zhang")).await.unwrap().offer.unwrap();
    assert!(passed.message && passed.moves_nothing);
    assert!(matches!(&*waiting(&office, "zhang").await, [(Kind::Message, _)]));
    assert_eq!(zhang.read(&case).await.unwrap().from, employee("li"));
    let accepted = zhang.accept(&case, &passed.offer).await.unwrap();
    assert_eq!((accepted.handler, accepted.epoch, accepted.offer), (employee("zhang"), 1, None));
    // Nor where the receiver is accountable while another handles it.
    let offer = zhang.offered(&case, "wang").await;
    office.desk("wang").accept(&case, &offer).await.unwrap();
    let passed = li.pass(message(&case, "zhang")).await.unwrap().offer.unwrap();
    let accepted = zhang.accept(&case, &passed.offer).await.unwrap();
    assert_eq!((accepted.handler, accepted.epoch), (employee("wang"), 2));
}

#[tokio::test]
async fn k13_a_message_that_waits_in_a_case_that_is_merged_waits_on_in_the_survivor() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, wang) = (office.desk("zhang"), office.desk("li"), office.desk("wang"));
    let survivor = zhang.open("earlier", "C-1").await;
    let merged = li.open("c-1", "").await;
    let passed = li.pass(message(&merged, "wang")).await.unwrap().offer.unwrap();
    office.pass(TimeDelta::minutes(1)).await;
    assert_eq!(li.identify("c-1", "C-1").await.unwrap().name, survivor);
    let subject = format!("{survivor}/offers/{}", passed.offer);
    assert_eq!(waiting(&office, "wang").await, [(Kind::Message, subject)]);
    let read = wang.read(&survivor).await.unwrap();
    assert_eq!((&*read.caller, &*read.from, &*read.to), ("陈先生", "employees/li", "employees/wang"));
    for reader in [&wang, &li, &zhang] {
        let formerly = reader.read(&merged).await.unwrap();
        assert_eq!((formerly.matter, formerly.take_time), (read.matter.clone(), read.take_time));
    }
    assert_eq!(reason(office.desk("sun").read(&merged).await), "NOT_RESPONSIBLE");
    assert_eq!(reason(wang.accept(&merged, &passed.offer).await), "CASE_MERGED");
    // Li did no more than answer for the case: who takes the message is told by it, and moves nothing (O6).
    let accepted = wang.accept(&survivor, &passed.offer).await.unwrap();
    assert_eq!((accepted.handler, accepted.offer), (employee("zhang"), None));
    assert_eq!(waiting(&office, "wang").await, []);
    assert_eq!(ground.count("message_shown").await, 4);
}

#[tokio::test]
async fn k13_a_message_waits_in_no_case_with_an_offer_of_its_own_nor_for_whom_it_complains_about() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    let busy = zhang.open("earlier-1", "C-1").await;
    let offered = zhang.offered(&busy, "wang").await;
    let complained = zhang.open("earlier-2", "C-2").await;
    office.complaints().filed(office.here().await, &format!("{complained}/complaints/cp-1"), &["wang"]);
    office.followed().await;
    for (contact, client, offer) in [("c-1", "C-1", Some(offered)), ("c-2", "C-2", None)] {
        let merged = li.open(contact, "").await;
        li.pass(message(&merged, "wang")).await.unwrap();
        let survivor = li.identify(contact, client).await.unwrap();
        assert_eq!(survivor.offer.map(|pending| pending.offer), offer);
        // Whoever is responsible finds it all the same.
        assert_eq!(zhang.read(&merged).await.unwrap().from, employee("li"));
    }
}

/// Li took a message for somebody in a case of a client who turned out to have one already. Answers the case that was merged, and the message's subject.
async fn merged(office: &Office, contact: &str, client: &str, to: &str) -> (String, String) {
    let li = office.desk("li");
    let merged = li.open(contact, "").await;
    let passed = li.pass(message(&merged, to)).await.unwrap().offer.unwrap().offer;
    li.identify(contact, client).await.unwrap();
    let subject = format!("{merged}/offers/{passed}");
    (merged, subject)
}

#[tokio::test]
async fn k13_a_message_that_cannot_wait_in_the_survivor_is_back_with_who_took_it() {
    let (ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, wang) = (office.desk("zhang"), office.desk("li"), office.desk("wang"));
    let survivor = zhang.open("earlier", "C-1").await;
    let offered = zhang.offered(&survivor, "wang").await;
    let (merged, subject) = merged(&office, "c-1", "C-1", "wang").await;
    assert_eq!(waiting(&office, "li").await, [(Kind::Returned, subject.clone())]);
    let desk = Watch::of(&office, "li").await;
    assert_eq!(desk.items.values().next().unwrap().case, survivor);
    // It is read under the name that the item says, and the offer that was in its way has nothing to do with it.
    assert_eq!(li.read(&merged).await.unwrap().to, employee("wang"));
    wang.decline(&survivor, &offered).await.unwrap();
    assert_eq!(waiting(&office, "zhang").await, [(Kind::Returned, format!("{survivor}/offers/{offered}"))]);
    assert_eq!(waiting(&office, "li").await, [(Kind::Returned, subject)]);
    // Who only assists passes it on to who is responsible (O6).
    assert_eq!(reason(li.pass(message(&survivor, "wang")).await), "NOT_RESPONSIBLE");
    let anew = li.pass(message(&survivor, "zhang")).await.unwrap().offer.unwrap();
    assert!(anew.moves_nothing);
    assert_eq!(waiting(&office, "li").await, []);
    let subject = format!("{survivor}/offers/{}", anew.offer);
    assert_eq!(waiting(&office, "zhang").await, [(Kind::Message, subject)]);
    assert_eq!(ground.count("message_returned").await, 1);
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k13_a_message_takes_the_place_of_none_that_is_back_in_the_survivor() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, qian) = (office.desk("zhang"), office.desk("li"), office.desk("qian"));
    let survivor = zhang.open("earlier", "C-1").await;
    let own = zhang.pass(message(&survivor, "qian")).await.unwrap().offer.unwrap().offer;
    qian.decline(&survivor, &own).await.unwrap();
    let (merged, subject) = merged(&office, "c-1", "C-1", "wang").await;
    assert_eq!(waiting(&office, "zhang").await, [(Kind::Returned, format!("{survivor}/offers/{own}"))]);
    assert_eq!(waiting(&office, "li").await, [(Kind::Returned, subject)]);
    assert_eq!(waiting(&office, "wang").await, []);
    assert_eq!(zhang.read(&survivor).await.unwrap().offer, own);
    assert_eq!(li.read(&merged).await.unwrap().to, employee("wang"));
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k13_a_message_that_is_back_is_told_until_the_client_is_answered() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let zhang = office.desk("zhang");
    for (client, closes) in [("C-1", false), ("C-2", true)] {
        let survivor = zhang.open(&format!("{client}-earlier"), client).await;
        zhang.offer(&survivor, "wang").await.unwrap();
        let (_, subject) = merged(&office, &format!("{client}-later"), client, "wang").await;
        assert_eq!(waiting(&office, "li").await, [(Kind::Returned, subject)]);
        if closes {
            zhang.confirm(&survivor, true).await.unwrap();
        } else {
            zhang.resolve(&survivor).await.unwrap();
        }
        assert_eq!(waiting(&office, "li").await, [], "{client}");
    }
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn o12_a_message_of_whom_a_complaint_is_about_is_told_to_who_handles_the_case() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    for (client, about) in [("C-1", "wang"), ("C-2", "li")] {
        let survivor = zhang.open(&format!("{client}-earlier"), client).await;
        office.complaints().filed(office.here().await, &format!("{survivor}/complaints/{client}"), &[about]);
        office.followed().await;
        let (merged, subject) = merged(&office, &format!("{client}-later"), client, "wang").await;
        let (told, other, desk) = if about == "li" { ("zhang", "li", &zhang) } else { ("li", "zhang", &li) };
        let returned = (Kind::Returned, subject);
        assert!(waiting(&office, told).await.contains(&returned), "{about}");
        assert!(!waiting(&office, other).await.contains(&returned), "{about}");
        assert_eq!(desk.read(&merged).await.unwrap().from, employee("li"), "{about}");
    }
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn o12_what_is_back_goes_to_who_handles_the_case_once_a_complaint_is_about_who_has_it() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li) = (office.desk("zhang"), office.desk("li"));
    // Of a case that was merged, and of the case itself: li only assists, so that nothing of the case moves from them.
    for (client, merges) in [("C-1", true), ("C-2", false)] {
        let survivor = zhang.open(&format!("{client}-earlier"), client).await;
        let contact = format!("{client}-later");
        let back = if merges {
            zhang.offer(&survivor, "wang").await.unwrap();
            merged(&office, &contact, client, "wang").await.1
        } else {
            li.open(&contact, client).await;
            let offer = li.pass(message(&survivor, "zhang")).await.unwrap().offer.unwrap().offer;
            zhang.decline(&survivor, &offer).await.unwrap();
            format!("{survivor}/offers/{offer}")
        };
        let returned = (Kind::Returned, back);
        assert!(waiting(&office, "li").await.contains(&returned), "{client}");
        let complaint = format!("{survivor}/complaints/{client}");
        office.complaints().filed(office.here().await, &complaint, &["li"]);
        office.followed().await;
        assert!(!waiting(&office, "li").await.contains(&returned), "{client}");
        assert!(waiting(&office, "zhang").await.contains(&returned), "{client}");
        // Once they are cleared it is theirs again.
        office.complaints().declined(office.here().await, &complaint);
        office.followed().await;
        assert!(waiting(&office, "li").await.contains(&returned), "{client}");
    }
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k13_a_message_that_was_back_before_a_merge_is_so_after_every_merge() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let (zhang, li, wang) = (office.desk("zhang"), office.desk("li"), office.desk("wang"));
    let oldest = zhang.open("c-1", "C-1").await;
    zhang.confirm(&oldest, true).await.unwrap();
    let survivor = wang.open("c-2", "C-1").await;
    // Declined before the client was known, and of no other use to the case that it is merged into.
    let provisional = li.open("c-3", "").await;
    let offer = li.pass(message(&provisional, "qian")).await.unwrap().offer.unwrap().offer;
    office.desk("qian").decline(&provisional, &offer).await.unwrap();
    let back = [(Kind::Returned, format!("{provisional}/offers/{offer}"))];
    assert_eq!(waiting(&office, "li").await, back);
    assert_eq!(li.identify("c-3", "C-1").await.unwrap().name, survivor);
    assert_eq!(waiting(&office, "li").await, back);
    zhang.reopen(&oldest).await.unwrap();
    assert_eq!(waiting(&office, "li").await, back);
    let desk = Watch::of(&office, "li").await;
    assert_eq!(desk.items.values().next().unwrap().case, oldest);
    assert_eq!(li.read(&provisional).await.unwrap().offer, offer);
    assert_eq!(desks::mend(&office.engine).await.unwrap(), 0);
}

#[tokio::test]
async fn k13_a_private_call_for_a_colleague_leaves_the_message() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let li = office.desk("li");
    let case = li.open("c-1", "").await;
    li.pass(message(&case, "zhang")).await.unwrap();
    office.calls().ended(office.here().await, "c-1", "li", CallOutcome::Private);
    office.followed().await;
    assert!(matches!(&*waiting(&office, "zhang").await, [(Kind::Message, _)]));
    assert_eq!(office.desk("zhang").read(&case).await.unwrap().from, employee("li"));
}

#[tokio::test]
async fn k13_a_message_is_full_and_for_a_colleague_at_work() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let case = answered_for_zhang(&office).await;
    let li = office.desk("li");
    let of = || message(&case, "zhang");
    for (request, field) in [
        (PassMessageRequest { caller: " ".to_owned(), ..of() }, "caller"),
        (PassMessageRequest { callback_number: String::new(), ..of() }, "callback_number"),
        (PassMessageRequest { matter: String::new(), ..of() }, "matter"),
        (PassMessageRequest { to: "zhang".to_owned(), ..of() }, "to"),
        (PassMessageRequest { name: "contacts/c-1".to_owned(), ..of() }, "name"),
    ] {
        let refused = li.pass(request).await.unwrap_err();
        assert_eq!((&*refused.reason, &*refused.fields), ("FIELD_INVALID", &[field.to_owned()][..]));
    }
    let number = PassMessageRequest { callback_number: "1381234".to_owned(), ..of() };
    let refused = li.pass(number).await.unwrap_err();
    assert_eq!((&*refused.reason, &*refused.fields), ("PHONE_INVALID", &["callback_number".to_owned()][..]));
    assert!(!refused.text.contains("1381234"));
    for (to, problem) in
        [("li", "took the message"), ("nobody", "is not in the roster"), ("gone", "is not active")]
    {
        let refused = li.pass(message(&case, to)).await.unwrap_err();
        assert_eq!((&*refused.reason, &*refused.metadata["problem"]), ("RECEIVER_INVALID", problem));
        let told = li.clone().in_chinese().pass(message(&case, to)).await.unwrap_err().text;
        assert!(is_chinese(&told), "{told}");
    }
    assert_eq!(reason(li.pass(message("cases/none", "zhang")).await), "CASE_NOT_FOUND");
    let stale = PassMessageRequest { etag: "99".to_owned(), ..of() };
    assert_eq!(reason(li.pass(stale).await), "ETAG_MISMATCH");
    // Repeated, it is passed on once.
    let request = of();
    let passed = li.pass(request.clone()).await.unwrap();
    assert_eq!(li.pass(request).await.unwrap(), passed);
    // What is closed is not passed on.
    li.confirm(&case, true).await.unwrap();
    assert_eq!(reason(li.pass(of()).await), "ILLEGAL_TRANSITION");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k13_acceptance_racing_expiry_leaves_one_of_them_responsible() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let (li, zhang) = (one.desk("li"), other.desk("zhang"));
    for round in 0..8 {
        let case = li.open(&format!("c-{round}"), &format!("C-{round}")).await;
        let offer = li.pass(message(&case, "zhang")).await.unwrap().offer.unwrap();
        let swept = async {
            one.unswept(at(offer.expire_time)).await;
            one.engine.sweep_once().await
        };
        let (accepted, swept) = tokio::join!(zhang.accept(&case, &offer.offer), swept);
        swept.unwrap();
        let handler = li.get(&case).await.unwrap().handler;
        let (end, expected) =
            if accepted.is_ok() { ("offer_accepted", "zhang") } else { ("offer_expired", "li") };
        assert_eq!(handler, employee(expected));
        assert_eq!(ground.events(&case).await, ["case_opened", "offer_made", end]);
    }
}
