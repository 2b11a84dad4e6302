//! Lists of what a unit received: newest first, in pages, filtered, within reach (C2, C3, L10).

use shouwen_proto::{
    access::v1::CallContext,
    complaints::v1::{FileComplaintRequest, ListComplaintsRequest, ListComplaintsResponse},
};
use tonic::Status;

use crate::{
    calls::form,
    people::{BRANCH, handler, hq, lead, officer, refused, request_of},
    service::Bed,
};

struct Page<'a> {
    parent: &'a str,
    size: i32,
    token: &'a str,
    filter: &'a str,
}

async fn list(bed: &Bed, who: &CallContext, page: Page<'_>) -> Result<ListComplaintsResponse, Status> {
    let request = ListComplaintsRequest {
        parent: page.parent.into(),
        page_size: page.size,
        page_token: page.token.into(),
        filter: page.filter.into(),
    };
    bed.client().list_complaints(request_of(who, request)).await.map(tonic::Response::into_inner)
}

fn whole<'a>(parent: &'a str, filter: &'a str) -> Page<'a> {
    Page { parent, size: 0, token: "", filter }
}

async fn names(bed: &Bed, who: &CallContext, page: Page<'_>) -> Vec<String> {
    let listed = list(bed, who, page).await.unwrap();
    listed.complaints.into_iter().map(|complaint| complaint.name).collect()
}

#[tokio::test]
async fn c3_a_unit_s_complaints_are_listed_newest_first_in_pages_and_masked() {
    let bed = Bed::at("2025-09-22T10:00").await;
    let mut filed = Vec::new();
    for id in ["1", "2", "3", "4", "5"] {
        filed.push(bed.filed(id).await);
    }
    filed.reverse();
    let officer = CallContext { case: String::new(), named_case: String::new(), ..officer("cases/1") };
    let mut seen = Vec::new();
    let mut token = String::new();
    loop {
        let page = Page { parent: BRANCH, size: 2, token: &token, filter: "" };
        let page = list(&bed, &officer, page).await.unwrap();
        assert!(page.complaints.len() <= 2);
        assert!(page.complaints.iter().all(|it| it.phone == "138****5678" && it.client_name == "王**"));
        seen.extend(page.complaints.into_iter().map(|complaint| complaint.name));
        if page.next_page_token.is_empty() {
            break;
        }
        token = page.next_page_token;
    }
    assert_eq!(seen, filed);
    let with = |token, filter| Page { parent: BRANCH, size: 2, token, filter };
    assert_eq!(refused(list(&bed, &officer, with(&token, "state = FILED")).await), "PAGE_TOKEN_INVALID");
    assert_eq!(refused(list(&bed, &officer, with("bogus", "")).await), "PAGE_TOKEN_INVALID");
    assert_eq!(refused(list(&bed, &officer, with("", "state = NEW")).await), "FILTER_INVALID");
    assert_eq!(refused(list(&bed, &officer, Page { size: -1, ..whole(BRANCH, "") }).await), "FIELD_INVALID");
    assert_eq!(refused(list(&bed, &officer, whole("b1", "")).await), "FIELD_INVALID");
    assert_eq!(refused(list(&bed, &officer, whole("branches/b2", "")).await), "BRANCH_OUT_OF_REACH");
}

#[tokio::test]
async fn c3_the_officer_finds_what_waits_and_anybody_a_number_or_a_client() {
    let bed = Bed::at("2025-09-22T10:00").await;
    let waiting = bed.filed("1").await;
    let taken = bed.accepted("2").await;
    bed.open_case("cases/3", "C-3").await;
    let other = bed.file(&handler("zhang", "cases/3"), form("cases/3")).await.unwrap().name;
    let lead = lead("cases/1");
    assert_eq!(names(&bed, &lead, whole(BRANCH, "state = FILED")).await, [other.clone(), waiting.clone()]);
    assert_eq!(names(&bed, &lead, whole(BRANCH, "state = HANDLING")).await, [taken.as_str()]);
    assert_eq!(names(&bed, &lead, whole(BRANCH, "number = b1-2509-0001")).await, [taken.as_str()]);
    assert_eq!(names(&bed, &lead, whole(BRANCH, "client = C-3")).await, [other.as_str()]);
    assert_eq!(names(&bed, &lead, whole(BRANCH, "client = 7 AND state = FILED")).await, [waiting]);
    assert!(names(&bed, &lead, whole(BRANCH, "client = C-3 AND state = CLOSED")).await.is_empty());
}

#[tokio::test]
async fn c2_headquarters_see_every_unit_and_a_branch_its_own() {
    let bed = Bed::at("2025-09-22T10:00").await;
    let ours = bed.filed("1").await;
    let caller = hq("cases/1");
    let theirs = FileComplaintRequest { receiving_unit: "branches/b2".into(), ..form("cases/1") };
    let theirs = bed.file(&caller, theirs).await.unwrap().name;
    assert_eq!(names(&bed, &caller, whole("branches/-", "")).await, [theirs.clone(), ours.clone()]);
    assert_eq!(names(&bed, &caller, whole("branches/b2", "")).await, [theirs.as_str()]);
    assert_eq!(names(&bed, &lead("cases/1"), whole("branches/-", "")).await, [ours.as_str()]);
    let two = CallContext { branches: vec![BRANCH.into(), "branches/b2".into()], ..lead("cases/1") };
    assert_eq!(names(&bed, &two, whole("branches/-", "")).await, [theirs, ours]);
}

#[tokio::test]
async fn o12_a_list_leaves_out_what_is_about_the_caller_on_every_page() {
    let bed = Bed::at("2025-09-22T10:00").await;
    let zhang = handler("zhang", "cases/1");
    bed.open_case("cases/1", "7").await;
    let mut others = Vec::new();
    let mut all = Vec::new();
    let abouts: [&[&str]; 8] =
        [&[], &["lead"], &["lead", "li"], &["li"], &["lead"], &[], &["leads"], &["lead"]];
    for about in abouts {
        let complained_about = about.iter().map(|id| format!("employees/{id}")).collect();
        let form = FileComplaintRequest { complained_about, ..form("cases/1") };
        let name = bed.file(&zhang, form).await.unwrap().name;
        if !about.contains(&"lead") {
            others.insert(0, name.clone());
        }
        all.insert(0, name);
    }
    let lead = lead("cases/1");
    for size in 1..=4 {
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let page = Page { parent: BRANCH, size, token: &token, filter: "" };
            let page = list(&bed, &lead, page).await.unwrap();
            assert!(!page.complaints.is_empty(), "no page is empty");
            seen.extend(page.complaints.into_iter().map(|complaint| complaint.name));
            if page.next_page_token.is_empty() {
                break;
            }
            token = page.next_page_token;
        }
        assert_eq!(seen, others, "{size} a page");
    }
    assert_eq!(names(&bed, &lead, whole("branches/-", "state = FILED AND client = 7")).await, others);
    assert_eq!(names(&bed, &officer("cases/1"), whole(BRANCH, "")).await, all);
}

/// As many complaints as years bring; some still wait for the complaint officer.
const YEARS: &str = "
    insert into complaints.complaint (id, version, state)
        select 'complaints/old' || lpad(n::text, 6, '0'), 1, jsonb_build_object(
            'receiving_unit', 'branches/b' || n % 200, 'client', (n % 3000)::text, 'number', 'b-' || n,
            'complained_about', jsonb_build_array('employees/e' || n % 40),
            'stage', jsonb_build_object('stage', case n % 11 when 0 then 'filed' else 'closed' end))
        from generate_series(1, 20000) n;
    analyze complaints.complaint;";

/// Whatever is asked for is found by an index; a unit's complaints are read in its order.
#[tokio::test]
async fn lists_are_read_from_an_index_however_many_complaints_there_are() {
    let bed = Bed::at("2025-09-22T10:00").await;
    sqlx::raw_sql(YEARS).execute(&mut bed.superuser().await).await.unwrap();
    for (condition, index) in [
        ("receiving_unit = 'branches/b1'", "complaint_of_unit"),
        ("receiving_unit = 'branches/b1' and stage = 'filed'", "complaint_of_unit_by_stage"),
        ("receiving_unit = 'branches/b1' and client <> '' and client = '7'", "complaint_of_client"),
        ("receiving_unit = 'branches/b1' and number = 'b-7'", "complaint_number"),
    ] {
        let others = "(state -> 'complained_about' @> to_jsonb('employees/e7'::text)) is not true";
        let query = format!(
            "explain select state from complaint where {condition} and {others} order by id desc limit 51"
        );
        let plan: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(&bed.pool).await.unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains(&format!(" {index} ")) && !plan.contains("Seq Scan"), "{condition}:\n{plan}");
        // What is few may be sorted.
        assert!(index != "complaint_of_unit" || !plan.contains("Sort"), "{condition}:\n{plan}");
    }
}
