//! The roster: imported entry by entry, unique where it must be, known to every replica at once, and begun by exactly one administrator.

use shouwen_access::{BranchName, Reach};
use shouwen_gateway::{bootstrap, domain::Mutants};
use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{
        Employee, GetEmployeeRequest, ImportRosterRequest, Line, ListBranchesRequest, ListEmployeesRequest,
        ListLinesRequest, RosterEntry, ServiceAccount, roster_entry::Entry,
    },
    r#type::v1::Position,
};
use tonic::Code;

use crate::{
    desk::{Desk, IntoEntry as _, colleague, employee, entry_of_branch, id, is_chinese, reason},
    ground::{Ground, still, tuesday},
};

fn hired(id: &str, branch: &str) -> Employee {
    colleague(id, branch, &[Role::Staff])
}

fn entry(employee: Employee) -> RosterEntry {
    Entry::Employee(employee).into_entry()
}

async fn known(desk: &Desk, id: &str) -> Employee {
    let request = GetEmployeeRequest { name: employee(id) };
    desk.roster(request, async |mut roster, it| roster.get_employee(it).await).await.unwrap()
}

#[tokio::test]
async fn k1_entries_are_taken_in_order_and_a_bad_one_loses_no_good_one() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let root = office.admin();
    let line = |name: &str, branch: &str, owner: &str| Line {
        name: name.to_owned(),
        branch: branch.to_owned(),
        number: "021-1000".to_owned(),
        published: true,
        employee: owner.to_owned(),
        etag: String::new(),
        skills: Vec::new(),
        unstaffed_time: None,
    };
    let account = |branches: &[&str]| {
        Entry::ServiceAccount(ServiceAccount {
            name: "serviceAccounts/crm".to_owned(),
            display_name: "CRM".to_owned(),
            branches: branches.iter().map(|branch| (*branch).to_owned()).collect(),
            act_for_employees: true,
            active: true,
            etag: String::new(),
        })
        .into_entry()
    };
    let bad_line = |line: Line| Entry::Line(line).into_entry();
    let entries = vec![
        entry_of_branch("b3", "徐汇营业部"),
        entry(hired("he", "b3")),
        entry(hired("early", "b4")),
        entry_of_branch("b4", "黄浦营业部"),
        entry(hired("late", "b4")),
        entry(Employee { external_id: "E-he".to_owned(), ..hired("twin", "b3") }),
        entry(Employee { roles: vec![], ..hired("idle", "b3") }),
        entry(Employee { roles: vec![Role::System.into()], ..hired("robot", "b3") }),
        entry(Employee { roles: vec![99], ..hired("robot", "b3") }),
        entry(Employee { name: "employees/Shouting".to_owned(), ..hired("he", "b3") }),
        entry(Employee { display_name: " ".to_owned(), ..hired("blank", "b3") }),
        entry(Employee { branch: "b3".to_owned(), ..hired("he", "b3") }),
        RosterEntry { entry: None },
        bad_line(line("lines/1", "branches/b3", "employees/he")),
        bad_line(line("lines/2", "branches/b3", "employees/nobody")),
        bad_line(line("lines/3", "branches/b9", "")),
        bad_line(line("phones/4", "branches/b3", "")),
        bad_line(Line { number: String::new(), ..line("lines/5", "branches/b3", "") }),
        account(&["branches/b3", "branches/b9"]),
        account(&["branches/b3", "branches/b4"]),
        entry_of_branch("b3", ""),
        entry_of_branch("B3", "x"),
    ];
    let imported = root.import(entries.clone()).await.unwrap();
    let rejected: Vec<_> =
        imported.rejected.iter().map(|entry| (entry.index, &*entry.field, &*entry.reason)).collect();
    let (roster, field) = ("ROSTER_INVALID", "FIELD_INVALID");
    assert_eq!(
        rejected,
        [
            (2, "employee.branch", roster),
            (5, "employee.external_id", roster),
            (6, "employee.roles", field),
            (7, "employee.roles", field),
            (8, "employee.roles", field),
            (9, "employee.name", field),
            (10, "employee.display_name", field),
            (11, "employee.branch", field),
            (12, "entry", field),
            (14, "line.employee", roster),
            (15, "line.branch", roster),
            (16, "line.name", field),
            (17, "line.number", field),
            (18, "service_account.branches", roster),
            (20, "branch.display_name", field),
            (21, "branch.name", field),
        ]
    );
    assert!(imported.rejected.iter().all(|entry| !entry.description.is_empty()));
    assert_eq!((imported.created, imported.updated, imported.unchanged), (6, 0, 0));

    // The same again: what was created is unchanged, and who came too early is in time now.
    let again = root.import(entries.clone()).await.unwrap();
    assert_eq!((again.created, again.updated, again.unchanged), (1, 0, 6));
    assert_eq!(again.rejected.len(), 15);
    // What is wrong is told in the language that the importer asks for.
    let told = root.clone().in_chinese().import(entries).await.unwrap().rejected;
    assert_eq!(told.len(), 15);
    for entry in told {
        assert!(is_chinese(&entry.description) && !entry.description.is_empty(), "{entry:?}");
    }
    let lines = ListLinesRequest { parent: "branches/b3".to_owned(), ..ListLinesRequest::default() };
    let lines = root.roster(lines, async |mut roster, it| roster.list_lines(it).await).await.unwrap().lines;
    assert_eq!((lines.len(), &*lines[0].employee), (1, "employees/he"));
    assert!(office.domain().roster().service_account("serviceAccounts/crm").is_some());
}

#[tokio::test]
async fn l8_an_employees_position_is_kept_and_an_unknown_one_refused() {
    let (ground, office) = Ground::at(tuesday()).await;
    let root = office.admin();
    let head = Employee { position: Position::BranchHead.into(), ..hired("he", "b1") };
    let odd = Employee { position: 9, ..hired("odd", "b1") };
    let imported = root.import(vec![entry(head.clone()), entry(odd)]).await.unwrap();
    assert_eq!((imported.created, imported.rejected.len()), (1, 1));
    assert_eq!((imported.rejected[0].index, &*imported.rejected[0].field), (1, "employee.position"));
    assert_eq!(known(&root, "he").await.position(), Position::BranchHead);
    assert_eq!(known(&root, "zhang").await.position(), Position::Unspecified);
    // The position alone is a change, and the ledger tells it.
    let manager = Employee { position: Position::Manager.into(), ..head };
    assert_eq!(root.import(vec![entry(manager.clone())]).await.unwrap().updated, 1);
    assert_eq!(root.import(vec![entry(manager)]).await.unwrap().unchanged, 1);
    assert_eq!(known(&root, "he").await.position(), Position::Manager);
    let kept = office.domain().roster().employee("employees/he").unwrap().position;
    assert_eq!(kept, i32::from(Position::Manager));
    assert_eq!(ground.events("employees/he").await, ["employee_saved", "employee_saved"]);
    let other = ground.another().await;
    assert_eq!(other.domain().roster().employee("employees/he").unwrap().position, kept);
}

#[tokio::test]
async fn k1_an_import_repeated_under_its_request_id_tells_the_same() {
    let (ground, office) = Ground::at(tuesday()).await;
    let root = office.admin();
    let moved = Employee { office_phone: "021-1".to_owned(), ..hired("li", "b1") };
    let entries =
        vec![entry(hired("he", "b1")), entry(moved), entry(hired("wang", "b1")), entry(hired("x", "b9"))];
    let request = ImportRosterRequest { entries, request_id: id() };
    let import = async |request: ImportRosterRequest| {
        root.roster(request, async |mut roster, it| roster.import_roster(it).await).await
    };
    let first = import(request.clone()).await.unwrap();
    assert_eq!((first.created, first.updated, first.unchanged, first.rejected.len()), (1, 1, 1, 1));
    let events = ground.count("employee_saved").await;
    assert_eq!(import(request.clone()).await.unwrap(), first);
    // Also after the entries have changed again.
    root.import(vec![entry(Employee { active: false, ..hired("he", "b1") })]).await.unwrap();
    assert_eq!(import(request.clone()).await.unwrap(), first);
    assert_eq!(ground.count("employee_saved").await, events + 1);
    assert!(!known(&root, "he").await.active, "a repetition writes nothing");
    let reused = ImportRosterRequest { entries: vec![entry(hired("y", "b1"))], ..request };
    assert_eq!(reason(import(reused).await), "REQUEST_ID_REUSED");
    assert_eq!(reason(root.import(vec![]).await), "FIELD_INVALID");
    assert_eq!(reason(root.import(vec![entry(hired("z", "b1")); 1001]).await), "FIELD_INVALID");
}

#[tokio::test]
async fn external_ids_are_unique_and_free_again_when_given_up() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let root = office.admin();
    let named =
        |id: &str, external: &str| entry(Employee { external_id: external.to_owned(), ..hired(id, "b1") });
    root.import(vec![named("he", "X-1"), named("she", "X-2")]).await.unwrap();
    let roster = || office.domain().roster();
    assert_eq!(roster().employee_by_external_id("X-1").unwrap().name, employee("he"));
    let swap = root.import(vec![named("she", "X-1"), named("he", "X-3"), named("she", "X-1")]).await.unwrap();
    assert_eq!(
        (swap.updated, swap.rejected[0].index, &*swap.rejected[0].field),
        (2, 0, "employee.external_id")
    );
    assert_eq!(roster().employee_by_external_id("X-1").unwrap().name, employee("she"));
    assert_eq!(roster().employee_by_external_id("X-3").unwrap().name, employee("he"));
    assert!(roster().employee_by_external_id("X-2").is_none());
    // Without one, any number of employees.
    let none = root.import(vec![named("he", ""), named("she", "")]).await.unwrap();
    assert_eq!((none.updated, none.rejected.len()), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_administrator_is_made_once_however_many_try_at_once() {
    for same_name in [true, false] {
        let ground = Ground::empty().await;
        let (one, other) = (ground.another().await, ground.another().await);
        let second = if same_name { "employees/root" } else { "employees/boss" };
        let (first, second) =
            tokio::join!(bootstrap(&one.engine, "employees/root"), bootstrap(&other.engine, second));
        assert_ne!(first.is_ok(), second.is_ok(), "{first:?} {second:?}");
        let refused = first.err().or(second.err()).unwrap();
        assert!(refused.to_string().contains("ROSTER_NOT_EMPTY"), "{refused}");
        assert!(bootstrap(&one.engine, "employees/third").await.is_err());
        assert_eq!(ground.count("employee_saved").await, 1);
        assert_eq!(ground.number("select count(*) from roster").await, 1);

        // The administrator imports the rest, the own entry with it, and stays the first one.
        let name = ground.texts("select id from roster").await.remove(0);
        let id = name.strip_prefix("employees/").unwrap();
        one.learned().await;
        let entries =
            vec![entry_of_branch("hq", "总部"), entry(colleague(id, "hq", &[Role::Admin, Role::Hq]))];
        let imported = one.admin().import(entries).await.unwrap();
        assert_eq!((imported.created, imported.updated), (1, 1));
        assert_eq!(known(&one.admin(), id).await.roles.len(), 2);
        assert!(bootstrap(&other.engine, "employees/fourth").await.is_err());
    }
}

#[tokio::test]
async fn every_replica_learns_of_changes_and_decides_by_them_at_once() {
    let (ground, one) = Ground::at(tuesday()).await;
    let other = ground.another().await;
    let name = other.desk("zhang").open("call-1", "C-1").await;
    assert!(other.domain().roster().employee("employees/he").is_none());
    one.admin().import(vec![entry(hired("he", "b1"))]).await.unwrap();
    assert!(one.domain().roster().employee("employees/he").is_some(), "who writes knows at once");
    // Whether the other replica has heard of it or not: a decision reads the ledger first.
    let offer = other.desk("zhang").offered(&name, "he").await;
    other.desk("zhang").withdraw(&name, &offer).await.unwrap();
    one.admin().import(vec![entry(Employee { active: false, ..hired("he", "b1") })]).await.unwrap();
    assert_eq!(reason(other.desk("zhang").offer(&name, "he").await), "RECEIVER_INVALID");

    // And without a decision by following the ledger.
    one.admin().import(vec![entry(hired("she", "b1"))]).await.unwrap();
    other.learned().await;
    assert!(other.domain().roster().employee("employees/she").is_some());
    // A replica that starts later knows it all.
    let late = ground.office(still(), Mutants::default()).await;
    assert!(!late.domain().roster().employee("employees/he").unwrap().active);
    assert_eq!(late.domain().roster().branch("branches/b1").unwrap().display_name, "浦东营业部");
}

#[tokio::test]
async fn lists_of_the_roster_come_by_name_in_pages() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let root = office.admin();
    let list = async |parent: &str, page_size: i32, token: &str| {
        let request =
            ListEmployeesRequest { parent: parent.to_owned(), page_size, page_token: token.to_owned() };
        root.roster(request, async |mut roster, it| roster.list_employees(it).await).await
    };
    let all = list("branches/-", 0, "").await.unwrap();
    assert_eq!((all.employees.len(), &*all.next_page_token), (12, ""));
    assert!(all.employees.is_sorted_by(|a, b| a.name < b.name));
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = list("branches/b1", 3, &token).await.unwrap();
        assert!(!page.employees.is_empty());
        seen.extend(page.employees.into_iter().map(|employee| employee.name));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["gone", "li", "qian", "wang", "zhang", "zhao"].map(employee));
    let token = list("branches/b1", 3, "").await.unwrap().next_page_token;
    assert_eq!(reason(list("branches/b2", 3, &token).await), "PAGE_TOKEN_INVALID");
    assert_eq!(reason(list("b1", 0, "").await), "FIELD_INVALID");
    assert_eq!(reason(list("", 0, "").await), "FIELD_INVALID");
    assert_eq!(reason(list("branches/b1", -1, "").await), "FIELD_INVALID");

    let branches = ListBranchesRequest { page_size: 3, page_token: String::new() };
    let branches =
        root.roster(branches, async |mut roster, it| roster.list_branches(it).await).await.unwrap();
    assert_eq!((branches.branches.len(), &*branches.next_page_token), (3, ""));
    let unknown = GetEmployeeRequest { name: employee("nobody") };
    let refused =
        root.roster(unknown, async |mut roster, it| roster.get_employee(it).await).await.unwrap_err();
    assert_eq!((refused.code, &*refused.reason), (Code::NotFound, "EMPLOYEE_NOT_FOUND"));
}

#[tokio::test]
async fn an_administrator_within_some_branches_changes_nothing_beyond_them() {
    let (_ground, office) = Ground::at(tuesday()).await;
    let mut root = office.admin();
    root.caller.reach = Reach::Branches([BranchName::parse("branches/b1").unwrap()].into());
    let account = |branches: &[&str]| {
        Entry::ServiceAccount(ServiceAccount {
            name: "serviceAccounts/crm".to_owned(),
            display_name: "CRM".to_owned(),
            branches: branches.iter().map(|branch| format!("branches/{branch}")).collect(),
            act_for_employees: true,
            active: true,
            ..ServiceAccount::default()
        })
        .into_entry()
    };
    let moved = |branch: &str| Entry::Employee(colleague("zhang", branch, &[Role::Staff])).into_entry();
    let elsewhere = Entry::Employee(colleague("sun", "b1", &[Role::Staff])).into_entry();
    let entries = vec![account(&["b1"]), account(&["b1", "b2"]), moved("b1"), moved("b2"), elsewhere];
    let imported = root.import(entries).await.unwrap();
    let refused: Vec<_> = imported.rejected.iter().map(|it| (it.index, &*it.field, &*it.reason)).collect();
    assert_eq!(
        refused,
        [
            (1, "service_account.branches", "ROSTER_INVALID"),
            (3, "employee.branch", "ROSTER_INVALID"),
            (4, "employee.branch", "ROSTER_INVALID"),
        ]
    );
}
