//! Service accounts: in their own name, and for an employee within their branches.

use shouwen_access::{BranchName, Reach};
use shouwen_proto::access::v1::{Capacity, Role};
use tonic::Code;

use crate::contract::Ping;
use crate::world::{Ask, World};

const CRM: &str = "serviceAccounts/crm";

fn ask(world: &World, account: &str) -> Ask {
    world.ask_at("/shouwen.echo.v1.Echo/Get", account)
}

#[tokio::test]
async fn an_account_acts_for_an_employee_by_name_or_by_the_crms_id() {
    let mut world = World::new().await;
    for named in ["employees/zhang", "CRM-zhang"] {
        ask(&world, CRM).acting_for(named).send(&Ping::default()).await.unwrap();
        let caller = world.seen().await.caller.unwrap();
        assert_eq!(caller.principal.to_string(), CRM);
        assert_eq!(caller.employee.unwrap().as_str(), "employees/zhang");
        assert_eq!(caller.branch.unwrap().as_str(), "branches/b1");
        assert!(caller.roles.contains(Role::Staff) && !caller.roles.contains(Role::ServiceAccount));
        assert_eq!(caller.capacity, Capacity::Unspecified);
    }
}

#[tokio::test]
async fn an_account_in_its_own_name_reaches_its_branches() {
    let mut world = World::new().await;
    ask(&world, CRM).send(&Ping::default()).await.unwrap();
    let caller = world.seen().await.caller.unwrap();
    assert_eq!((caller.employee, caller.branch), (None, None));
    assert!(caller.roles.contains(Role::ServiceAccount));
    assert_eq!(caller.reach, Reach::Branches([BranchName::parse("branches/b1").unwrap()].into()));
}

#[tokio::test]
async fn acting_for_headquarters_reaches_no_further_than_the_account() {
    let mut world = World::new().await;
    ask(&world, CRM).acting_for("employees/chief").send(&Ping::default()).await.unwrap();
    let caller = world.seen().await.caller.unwrap();
    assert!(caller.roles.contains(Role::Hq));
    assert!(caller.reach.covers("branches/b1") && !caller.reach.covers("branches/b2"));
}

#[tokio::test]
async fn an_account_acts_for_nobody_whom_it_may_not() {
    let mut world = World::new().await;
    for (account, named, code, reason) in [
        ("telephony", "employees/zhang", Code::PermissionDenied, "SERVICE_ACCOUNT_CANNOT_ACT"),
        ("crm", "employees/wang", Code::PermissionDenied, "EMPLOYEE_OUTSIDE_ACCOUNT"),
        ("crm", "employees/stranger", Code::PermissionDenied, "EMPLOYEE_UNKNOWN"),
        ("crm", "CRM-stranger", Code::PermissionDenied, "EMPLOYEE_UNKNOWN"),
        ("crm", "employees/gone", Code::PermissionDenied, "EMPLOYEE_INACTIVE"),
        ("crm", " ", Code::InvalidArgument, "EMPLOYEE_METADATA_INVALID"),
    ] {
        let ask = ask(&world, &format!("serviceAccounts/{account}")).acting_for(named);
        ask.refusal(&Ping::default()).await.is(code, reason);
    }
    let twice = ask(&world, CRM).acting_for("employees/zhang").acting_for("employees/li");
    twice.refusal(&Ping::default()).await.is(Code::InvalidArgument, "EMPLOYEE_METADATA_INVALID");
    assert!(world.nothing_seen());
}

#[tokio::test]
async fn an_employees_token_speaks_for_that_employee_alone() {
    let world = World::new().await;
    let ask = world.ask("Get", "zhang");
    for own in ["employees/zhang", "CRM-zhang"] {
        ask.clone().acting_for(own).send(&Ping::default()).await.unwrap();
    }
    for other in ["employees/li", "CRM-li", "employees/stranger"] {
        let refusal = ask.clone().acting_for(other).refusal(&Ping::default()).await;
        refusal.is(Code::PermissionDenied, "EMPLOYEE_MISMATCH");
    }
}
