//! `branches.csv`, `employees.csv`, `lines.csv`, `service_accounts.csv`.

use shouwen_proto::r#type::v1::Position;

use super::{
    Account, Branch, Employee, Input, InputProblem, Line,
    cells::{Bad, choice, demand, parts, roster_id, unknown, yes},
    table::{self, File, Row},
};

const BRANCHES: File =
    File { name: "branches.csv", columns: &["branch", "display_name", "complaints_phone"] };
const EMPLOYEES: File = File {
    name: "employees.csv",
    columns: &["employee", "display_name", "branch", "roles", "position", "office_phone", "external_id"],
};
const LINES: File =
    File { name: "lines.csv", columns: &["line", "branch", "number", "published", "employee"] };
const ACCOUNTS: File = File {
    name: "service_accounts.csv",
    columns: &["service_account", "display_name", "branches", "act_for_employees"],
};

/// Positions, for the coverage of clients (L8).
const POSITIONS: &[(&str, Position)] = &[
    ("", Position::Unspecified),
    ("team_leader", Position::TeamLeader),
    ("manager", Position::Manager),
    ("branch_head", Position::BranchHead),
];

/// Roles that an employee may have.
const ROLES: [&str; 7] = ["staff", "lead", "hq", "admin", "auditor", "complaint_officer", "company_leader"];

pub(super) fn read(input: &mut Input, problems: &mut Vec<InputProblem>) {
    each(input, problems, &BRANCHES, |input, row| {
        let branch = branch(row)?;
        input.branches.push(branch);
        Ok(())
    });
    each(input, problems, &EMPLOYEES, |input, row| {
        let employee = employee(input, row)?;
        input.employees.push(employee);
        Ok(())
    });
    each(input, problems, &LINES, |input, row| {
        let line = line(input, row)?;
        input.lines.push(line);
        Ok(())
    });
    each(input, problems, &ACCOUNTS, |input, row| {
        let account = account(input, row)?;
        input.accounts.push(account);
        Ok(())
    });
    if !problems.is_empty() {
        return;
    }
    for (file, usable) in [(&BRANCHES, input.branches.len()), (&EMPLOYEES, input.employees.len())] {
        problems.extend(nothing_usable(input, file.name, usable));
    }
    if problems.is_empty() {
        let incomplete = |missing| InputProblem::Incomplete { file: EMPLOYEES.name, missing };
        if input.administrator().is_empty() {
            problems
                .push(incomplete("nobody has the role admin; the roster is imported by an administrator"));
        }
        if input.observer().is_empty() {
            problems.push(incomplete("nobody has the role auditor or hq; the report is read by one of them"));
        }
    }
}

/// Reads a file and hands each good record on; what is bad is set aside.
pub(super) fn each(
    input: &mut Input,
    problems: &mut Vec<InputProblem>,
    file: &File,
    mut take: impl FnMut(&mut Input, &Row) -> Result<(), Bad>,
) {
    let table = match table::open(&input.folder, file) {
        Ok(table) => table,
        Err(problem) => return problems.push(problem),
    };
    input.notes.extend(table.notes);
    let mut bad = table.broken;
    for row in &table.rows {
        if let Err(reason) = take(input, row) {
            bad.push((row.line, reason));
        }
    }
    bad.sort_by_key(|(line, _)| *line);
    for (line, reason) in bad {
        input.reject(file.name, line, reason);
    }
}

/// A file without one good line.
pub(super) fn nothing_usable(input: &Input, file: &'static str, usable: usize) -> Option<InputProblem> {
    let first = || {
        let first = input.rejected.iter().find(|rejected| rejected.file == file);
        first.map_or_else(|| "there is only a header".to_owned(), ToString::to_string)
    };
    (usable == 0).then(|| InputProblem::NothingUsable { file, first: first() })
}

/// The branch must be known.
pub(super) fn known_branch(input: &Input, column: &str, id: &str) -> Result<(), Bad> {
    let known = input.branches.iter().any(|branch| branch.id == id);
    demand(known, column, || unknown(id), "use a branch of branches.csv, or add it there")
}

/// The employee must be known.
pub(super) fn known_employee<'i>(input: &'i Input, column: &str, id: &str) -> Result<&'i Employee, Bad> {
    input.employee(id).ok_or_else(|| {
        let rejected = input.rejected.iter().any(|line| line.file == EMPLOYEES.name);
        let remedy = if rejected {
            "use an employee of employees.csv, or mend the lines there that were rejected"
        } else {
            "use an employee of employees.csv, or add it there"
        };
        Bad::new(column, unknown(id), remedy)
    })
}

fn branch(row: &Row) -> Result<Branch, Bad> {
    roster_id("branch", row.get("branch"))?;
    named(row)?;
    Ok(Branch {
        id: row.get("branch").to_owned(),
        display_name: row.get("display_name").to_owned(),
        complaints_phone: row.get("complaints_phone").to_owned(),
    })
}

fn employee(input: &Input, row: &Row) -> Result<Employee, Bad> {
    roster_id("employee", row.get("employee"))?;
    named(row)?;
    known_branch(input, "branch", row.get("branch"))?;
    let roles = parts(row.get("roles"));
    let strange = roles.iter().find(|role| !ROLES.contains(&role.as_str()));
    if roles.is_empty() || strange.is_some() {
        let reason = unknown(strange.map_or("", String::as_str));
        return Err(Bad::new(
            "roles",
            reason,
            format!("write some of these, with ; between: {}", ROLES.join(", ")),
        ));
    }
    let external_id = row.get("external_id");
    let taken =
        input.employees.iter().find(|other| !external_id.is_empty() && other.external_id == external_id);
    if let Some(other) = taken {
        let reason = format!("`{external_id}` belongs to {} already", other.id);
        return Err(Bad::new(
            "external_id",
            reason,
            "give every employee an external id of its own, or none",
        ));
    }
    Ok(Employee {
        id: row.get("employee").to_owned(),
        display_name: row.get("display_name").to_owned(),
        branch: row.get("branch").to_owned(),
        roles,
        position: choice("position", row.get("position"), POSITIONS)?,
        office_phone: row.get("office_phone").to_owned(),
        external_id: external_id.to_owned(),
    })
}

fn line(input: &Input, row: &Row) -> Result<Line, Bad> {
    roster_id("line", row.get("line"))?;
    known_branch(input, "branch", row.get("branch"))?;
    demand(!row.get("number").is_empty(), "number", || unknown(""), "give the number of the line")?;
    let employee = row.get("employee");
    if !employee.is_empty() {
        known_employee(input, "employee", employee)?;
    }
    Ok(Line {
        id: row.get("line").to_owned(),
        branch: row.get("branch").to_owned(),
        number: row.get("number").to_owned(),
        published: yes(row, "published")?,
        employee: employee.to_owned(),
    })
}

fn account(input: &Input, row: &Row) -> Result<Account, Bad> {
    roster_id("service_account", row.get("service_account"))?;
    named(row)?;
    let branches = parts(row.get("branches"));
    for branch in &branches {
        known_branch(input, "branches", branch)?;
    }
    Ok(Account {
        id: row.get("service_account").to_owned(),
        display_name: row.get("display_name").to_owned(),
        branches,
        act_for_employees: yes(row, "act_for_employees")?,
    })
}

fn named(row: &Row) -> Result<(), Bad> {
    demand(
        !row.get("display_name").is_empty(),
        "display_name",
        || unknown(""),
        "give the name that people read",
    )
}
