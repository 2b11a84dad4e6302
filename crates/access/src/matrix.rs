//! The access page: every RPC with who may call it and on what condition, rendered from the same contract that the gateway enforces.
//! It explains nothing that the options do not say.

use std::fmt::Write as _;

use shouwen_proto::access::v1::CaseRule;

use crate::contract::{Access, Backend, Contract, Method, RequestField};

const INTRODUCTION: &str = "\
# Who may call what

<!-- Generated from the `access` options in `proto/`; do not edit. `SHOUWEN_UPDATE=1 cargo test -p shouwen-access access_page` writes it anew. -->

Every RPC of the suite carries its access policy as a method option; the gateway serves nothing without one and knows no other policy.

- **Roles** (角色): the caller needs one of them, in the roster. `SYSTEM` are services of the suite, `SERVICE_ACCOUNT` connected systems in their own name.
- **Case**: what the caller must be to the case that the named field leads to. *Responsible*: handler (承办人), accountable person (责任人), or who
  deputises (代理人) for one of them in their absence (O9). *Assisting* (协助): those, or a colleague who answered a later contact (O6). *Branch*: the
  case's branch lies within reach; who is responsible or overrides reaches the case whatever its branch, who assists reads it, and the unit that
  received a complaint reaches that complaint (C2). *+ override*: a lead's running override (O7) stands in for responsibility. What is named below a
  branch belongs to no case: that branch must lie within reach.
- **Branch**: the named field must be a branch within the caller's reach; `HQ`, `COMPANY_LEADER`, `ADMIN` and `AUDITOR` reach every branch.
- **First touch** (首问): the call claims the contact in the named field for the caller before it is forwarded (O1).
- **Changes**: the call changes something and carries a `request_id`; repeating it with the same id is safe.
- **Also**: conditions that the service decides in the transaction that records the call. *Verified identity*: the caller has verified the client's identity
  shortly before (K11). *Second person*: whoever took the step before may not take this one (P3).
- **Rules**: numbers of the business rules that the RPC serves.
";

/// Renders the page as Markdown, one table per service in the order of the descriptors.
pub fn access_page(contract: &Contract) -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut service = String::new();
    for method in contract.methods() {
        let full_name = format!("{}.{}", method.package, method.service);
        if full_name != service {
            heading(&mut page, &full_name, &method.backend);
            service = full_name;
        }
        row(&mut page, method);
    }
    page
}

fn heading(page: &mut String, service: &str, backend: &Backend) {
    let served_by = match backend {
        Backend::Service(name) => format!("Served by `{name}`."),
        Backend::Named(_) => "Served by every service; the request names which one.".to_owned(),
    };
    let columns = "| RPC | What it does | Roles | Case | Branch | First touch | Changes | Also | Rules |";
    // Writing to a string cannot fail.
    let _ = write!(
        page,
        "\n## `{service}`\n\n{served_by}\n\n{columns}\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
    );
}

fn row(page: &mut String, method: &Method) {
    let access = &method.access;
    let field = |field: Option<&RequestField>| field.map_or_else(String::new, |it| format!("`{}`", it.name));
    let cells = [
        format!("`{}`{}", method.name, streams(method)),
        method.summary.replace('|', "\\|"),
        roles(access),
        case(access),
        field(access.branch.as_ref()),
        field(access.first_touch.as_ref().map(|touch| &touch.contact)),
        if access.mutation { "yes" } else { "" }.to_owned(),
        also(access),
        access.rules.join(" "),
    ];
    let _ = writeln!(page, "| {} |", cells.join(" | "));
}

fn streams(method: &Method) -> &'static str {
    match (method.client_streaming, method.server_streaming) {
        (false, false) => "",
        (false, true) => " (streams answers)",
        (true, false) => " (takes a stream)",
        (true, true) => " (streams both ways)",
    }
}

fn also(access: &Access) -> String {
    let conditions = [(access.verified_identity, "verified identity"), (access.two_persons, "second person")];
    conditions.into_iter().filter(|(needed, _)| *needed).map(|(_, name)| name).collect::<Vec<_>>().join(", ")
}

fn roles(access: &Access) -> String {
    match (access.public, access.internal) {
        (true, _) => "*public*".to_owned(),
        (false, true) => format!("{}; between services only", access.roles),
        (false, false) => access.roles.to_string(),
    }
}

fn case(access: &Access) -> String {
    let Some(condition) = &access.case else { return String::new() };
    let rule = match condition.rule {
        CaseRule::Unspecified => return String::new(),
        CaseRule::Responsible => "responsible",
        CaseRule::Assisting => "assisting",
        CaseRule::Branch => "branch",
    };
    let stands_in = if condition.override_allowed { " + override" } else { "" };
    format!("{rule}{stands_in} (`{}`)", condition.field.name)
}
