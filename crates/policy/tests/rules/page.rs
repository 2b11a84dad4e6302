use serde_json::Value;
use shouwen_policy::{
    CallbacksPolicy, CallsPolicy, ClientsPolicy, ComplaintsPolicy, EscalationPolicy, HoursPolicy, Kind,
    OwnershipPolicy, PolicyDocument, RoutingPolicy, Shape,
};

const PAGE: &str = include_str!("../../../../docs/policies.md");

#[test]
fn p1_the_page_has_every_field_with_its_default_and_bounds() {
    let faults: Vec<String> = Kind::ALL.into_iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "docs/policies.md:\n{}", faults.join("\n"));
}

fn faults(kind: Kind) -> Vec<String> {
    let Some((_, section)) = PAGE.split_once(&format!("\n## `{kind}`\n")) else {
        return vec![format!("there is no section `{kind}`")];
    };
    let section = section.split("\n## ").next().unwrap_or_default();
    match kind {
        Kind::Hours => faults_of::<HoursPolicy>(section),
        Kind::Ownership => faults_of::<OwnershipPolicy>(section),
        Kind::Calls => faults_of::<CallsPolicy>(section),
        Kind::Callbacks => faults_of::<CallbacksPolicy>(section),
        Kind::Clients => faults_of::<ClientsPolicy>(section),
        Kind::Complaints => faults_of::<ComplaintsPolicy>(section),
        Kind::Escalation => faults_of::<EscalationPolicy>(section),
        Kind::Routing => faults_of::<RoutingPolicy>(section),
        // A file of data: no fields with defaults.
        Kind::Calendar => Vec::new(),
    }
}

/// A row may hold several fields, with their defaults and bounds in the same order. Bounds that a row leaves out are said above the table.
fn faults_of<T: PolicyDocument>(section: &str) -> Vec<String> {
    let kind = T::KIND;
    let (rows, prose): (Vec<&str>, Vec<&str>) = section.lines().partition(|line| line.starts_with('|'));
    let prose = prose.join("\n");
    let rows: Vec<Vec<&str>> =
        rows.iter().map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect();
    let with_bounds = rows.first().is_some_and(|header| header.contains(&"bounds"));
    let defaults = serde_json::to_value(T::default()).expect("an object");
    let mut faults = Vec::new();
    for field in T::FIELDS {
        let found = rows.iter().find_map(|row| {
            let names = names(row[0]);
            let place = names.iter().position(|name| *name == field.name)?;
            Some((row, place, names.len()))
        });
        let Some((row, place, fields)) = found else {
            faults.push(format!("`{kind}` has no row for `{}`", field.name));
            continue;
        };
        let default = &defaults[field.name];
        let stated = part(row[1], place, fields);
        if serde_json::from_str::<Value>(stated.trim_matches('`')).ok().as_ref() != Some(default) {
            faults.push(format!("`{kind}`: the default of `{}` is {default}, not {stated}", field.name));
        }
        if let Shape::Whole { min, max, .. } = field.shape {
            let cell = if with_bounds { part(row[2], place, fields) } else { "" };
            let stated = if cell.contains(|c: char| c.is_ascii_digit()) { cell } else { prose.as_str() };
            let bounds = format!("{min}-{max}");
            if !stated.split(|c: char| !(c.is_ascii_digit() || c == '-')).any(|range| range == bounds) {
                faults.push(format!("`{kind}`: the bounds of `{}` are {bounds}, not {cell:?}", field.name));
            }
        }
    }
    let named = rows.iter().flat_map(|row| names(row[0]));
    let unknown = named.filter(|name| T::FIELDS.iter().all(|field| field.name != *name));
    faults.extend(unknown.map(|name| format!("`{kind}` has no field `{name}`")));
    faults
}

/// The fields of a row.
fn names(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// What a cell says of one of the fields of its row.
fn part(cell: &str, place: usize, fields: usize) -> &str {
    if fields == 1 { cell } else { cell.split(", ").nth(place).unwrap_or(cell) }
}
