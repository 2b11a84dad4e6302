//! The roster of the tests: two branches, their people, headquarters, and two connected systems.

use shouwen_proto::{
    access::v1::Role,
    ownership::v1::{
        Branch, Employee, ImportRosterRequest, Line, RosterEntry, ServiceAccount, roster_entry::Entry,
    },
};

use super::client::{Client, id};

/// Who works where as what, and under which id the CRM knows them.
const EMPLOYEES: [(&str, &str, &[Role]); 12] = [
    ("li", "east", &[Role::Staff]),
    ("wang", "east", &[Role::Staff]),
    ("zhang", "east", &[Role::Staff]),
    ("lead", "east", &[Role::Staff, Role::Lead]),
    ("chen", "west", &[Role::Staff]),
    ("west-lead", "west", &[Role::Lead]),
    ("hq", "center", &[Role::Hq]),
    ("hq-two", "center", &[Role::Hq]),
    ("auditor", "center", &[Role::Auditor]),
    ("admin", "center", &[Role::Admin]),
    ("gone", "east", &[Role::Staff]),
    ("officer", "east", &[Role::ComplaintOfficer]),
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
    for (name, branch, roles) in EMPLOYEES {
        entries.push(Entry::Employee(employee(name, branch, roles, name != "gone")));
    }
    entries.push(Entry::Line(Line {
        name: "lines/east-1".to_owned(),
        branch: "branches/east".to_owned(),
        number: "010-65501234".to_owned(),
        published: true,
        employee: String::new(),
        etag: String::new(),
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

/// One employee.
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
    }
}

/// Imports entries; none may be rejected.
pub(crate) async fn import(admin: &Client, entries: Vec<RosterEntry>) {
    let request = ImportRosterRequest { entries, request_id: id() };
    let answer = admin.roster().import_roster(request).await.unwrap().into_inner();
    assert!(answer.rejected.is_empty(), "{:?}", answer.rejected);
}
