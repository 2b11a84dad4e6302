//! The roster of the tests: two branches, their people with their positions, headquarters, the company leader, and two connected systems.

use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{
        Branch, Employee, ImportRosterRequest, Line, RosterEntry, ServiceAccount, roster_entry::Entry,
    },
    r#type::v1::Position,
};

use super::client::{Client, id};

/// Who works where as what, in which position.
const EMPLOYEES: [(&str, &str, &[Role], Position); 13] = [
    ("li", "east", &[Role::Staff], Position::Unspecified),
    ("wang", "east", &[Role::Staff], Position::TeamLeader),
    ("zhang", "east", &[Role::Staff], Position::Manager),
    ("lead", "east", &[Role::Staff, Role::Lead], Position::BranchHead),
    ("chen", "west", &[Role::Staff], Position::Unspecified),
    ("west-lead", "west", &[Role::Lead], Position::BranchHead),
    ("hq", "center", &[Role::Hq], Position::Unspecified),
    ("hq-two", "center", &[Role::Hq], Position::Unspecified),
    ("leader", "center", &[Role::CompanyLeader], Position::Unspecified),
    ("auditor", "center", &[Role::Auditor], Position::Unspecified),
    ("admin", "center", &[Role::Admin], Position::Unspecified),
    ("gone", "east", &[Role::Staff], Position::Unspecified),
    ("officer", "east", &[Role::ComplaintOfficer], Position::Unspecified),
];

/// Everybody but the first administrator, who exists already.
pub(crate) fn entries() -> Vec<RosterEntry> {
    let mut entries = Vec::new();
    for (name, display_name) in [("center", "总部"), ("east", "城东营业部"), ("west", "城西营业部")]
    {
        entries.push(Entry::Branch(Branch {
            name: format!("branches/{name}"),
            display_name: display_name.to_owned(),
            complaints_phone: "010-66668888".to_owned(),
            etag: String::new(),
        }));
    }
    for (name, branch, roles, position) in EMPLOYEES {
        let employee = employee(name, branch, roles, name != "gone");
        entries.push(Entry::Employee(Employee { position: position.into(), ..employee }));
    }
    entries.push(Entry::Line(Line {
        name: "lines/east-1".to_owned(),
        branch: "branches/east".to_owned(),
        number: "010-65501234".to_owned(),
        published: true,
        employee: String::new(),
        etag: String::new(),
        skills: Vec::new(),
        unstaffed_time: None,
    }));
    for (name, act_for_employees, branches) in [
        ("telephony", false, vec!["branches/east", "branches/west"]),
        ("crm-east", true, vec!["branches/east"]),
    ] {
        entries.push(Entry::ServiceAccount(ServiceAccount {
            name: format!("serviceAccounts/{name}"),
            display_name: name.to_owned(),
            branches: branches.into_iter().map(str::to_owned).collect(),
            act_for_employees,
            active: true,
            etag: String::new(),
        }));
    }
    entries.into_iter().map(|entry| RosterEntry { entry: Some(entry) }).collect()
}

/// One employee, without a position, and under which id the CRM knows them.
pub(crate) fn employee(name: &str, branch: &str, roles: &[Role], active: bool) -> Employee {
    Employee {
        name: format!("employees/{name}"),
        display_name: format!("员工{name}"),
        branch: format!("branches/{branch}"),
        roles: roles.iter().map(|role| (*role).into()).collect(),
        office_phone: "010-65500000".to_owned(),
        external_id: format!("CRM-{name}"),
        active,
        etag: String::new(),
        position: Position::Unspecified.into(),
        skills: Vec::new(),
        vip_seat: false,
        duty: false,
    }
}

/// Imports entries; none may be rejected.
pub(crate) async fn import(admin: &Client, entries: Vec<RosterEntry>) {
    let request = ImportRosterRequest { entries, request_id: id() };
    let answer = admin.roster().import_roster(request).await.unwrap().into_inner();
    assert!(answer.rejected.is_empty(), "{:?}", answer.rejected);
}
