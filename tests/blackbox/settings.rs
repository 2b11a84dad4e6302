//! The table of settings in docs/operations.md says what `serve --print-config` shows.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::harness::process::{run, text};

const PAGE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations.md"));

/// For what has no default.
const NONE: &str = "none";

#[test]
fn the_page_has_every_setting_with_its_default() {
    let page = page();
    let mut faults = Vec::new();
    for service in ["gateway", "calls", "callbacks", "clients", "complaints"] {
        let printed = printed(service);
        for (setting, default) in &printed {
            match page.get(setting) {
                Some(stated) if stated == default => {}
                Some(stated) => faults.push(format!("the default of `{setting}` is {default}, not {stated}")),
                None => faults.push(format!("`{setting}` is missing, with its default {default}")),
            }
        }
        let stale =
            page.iter().filter(|(setting, default)| *default != NONE && !printed.contains_key(*setting));
        faults.extend(stale.map(|(setting, _)| format!("there is no setting `{setting}`")));
    }
    faults.sort();
    faults.dedup();
    assert!(faults.is_empty(), "the settings in docs/operations.md:\n{}", faults.join("\n"));
}

/// The settings that a service shows, with their defaults.
fn printed(service: &str) -> BTreeMap<String, String> {
    let output = run(["serve", service, "--print-config"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let table: Table = String::from_utf8_lossy(&output.stdout).parse().unwrap();
    let mut settings = BTreeMap::new();
    flatten("", &table, &mut settings);
    settings
}

fn flatten(prefix: &str, table: &Table, settings: &mut BTreeMap<String, String>) {
    for (key, value) in table {
        let setting = format!("{prefix}{key}");
        let default = match value {
            Value::Table(table) => {
                flatten(&format!("{setting}."), table, settings);
                continue;
            }
            // What there is of each is up to the operator.
            Value::Array(list) if list.is_empty() => continue,
            Value::String(text) if text.is_empty() || text == "[secret]" => NONE.to_owned(),
            Value::String(text) => text.clone(),
            number => number.to_string(),
        };
        settings.insert(setting, default);
    }
}

/// The settings of the page. A row may hold several, with their defaults in the same order; all but the first may leave out what they have in common
/// with it.
fn page() -> BTreeMap<String, String> {
    let (_, section) = PAGE.split_once("\n## Settings\n").unwrap();
    let table = section.lines().skip_while(|line| !line.starts_with("| ---")).skip(1);
    let mut settings = BTreeMap::new();
    for row in table.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let names: Vec<&str> = cells[0].split('`').skip(1).step_by(2).collect();
        let parent = names[0].rfind('.').map_or("", |end| &names[0][..=end]);
        let defaults = defaults(cells[1], names.len());
        assert_eq!(defaults.len(), names.len(), "{row}");
        for (name, default) in names.into_iter().zip(defaults) {
            let setting = match name.strip_prefix('.') {
                Some(last) => format!("{parent}{last}"),
                None if name.contains('.') => name.to_owned(),
                None => format!("{parent}{name}"),
            };
            settings.insert(setting, default.to_owned());
        }
    }
    let same = settings.remove("edge.channel.*").is_some_and(|default| default == "as `channel.*");
    assert!(same, "`edge.channel.*` is as `channel.*`");
    let channel = settings.iter().filter(|(setting, _)| setting.starts_with("channel."));
    let edge: Vec<_> =
        channel.map(|(setting, default)| (format!("edge.{setting}"), default.clone())).collect();
    settings.extend(edge);
    settings
}

/// The defaults in a cell for so many settings.
fn defaults(cell: &str, settings: usize) -> Vec<&str> {
    let absent = |default: &str| default.starts_with(NONE) || default.starts_with("the machine's");
    let parts: Vec<&str> = if cell.contains(';') {
        cell.split("; ").collect()
    } else if absent(cell) {
        vec![cell; settings]
    } else {
        cell.split(", ").collect()
    };
    parts.into_iter().map(|part| if absent(part) { NONE } else { part.trim_matches('`') }).collect()
}
