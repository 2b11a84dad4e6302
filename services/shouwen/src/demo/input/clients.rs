//! `clients.csv`: the firm's clients with the figures by which they are classified and served (L1, L2, L8, L12), read before any of them is sent. Nothing
//! that is said about a bad line repeats what stands in it (L10).

use std::collections::HashMap;

use shouwen_vault::{IdentityNumber, PersonName, Phone};

use super::{
    Input, InputProblem, Place,
    cells::{Bad, contact_id, demand, parts, remedied},
    roster,
    table::{File, Row},
};

pub(super) const FILE: File = File {
    name: "clients.csv",
    columns: &[
        "client",
        "branch",
        "name",
        "phone",
        "identity_number",
        "assets",
        "turnover",
        "accounts",
        "holdings",
        "last_purchase",
        "service_manager",
    ],
};

/// Capital accounts that a client may have (L1), as the built-in policy says.
const ACCOUNTS: usize = 5;
/// The greatest assets, in fen, and turnover, in hundredths, that a file may hold.
const MOST_ASSETS: i64 = 1_000_000_000_000_000;
const MOST_TURNOVER: i64 = 1_000_000;
/// Securities held that a file may name.
const MOST_HOLDINGS: usize = 100;
/// Signs of an account's number, a bank's name or a security's code.
const LONGEST: usize = 40;

/// One client's file.
#[derive(Clone, Debug)]
pub(in crate::demo) struct Client {
    pub(in crate::demo) place: Place,
    pub(in crate::demo) id: String,
    pub(in crate::demo) branch: String,
    pub(in crate::demo) name: String,
    /// As written.
    pub(in crate::demo) phone: String,
    /// Empty for clients without one.
    pub(in crate::demo) identity_number: String,
    pub(in crate::demo) assets_fen: i64,
    /// In hundredths.
    pub(in crate::demo) turnover_percent: i64,
    /// One to five, one of them primary (L1).
    pub(in crate::demo) accounts: Vec<CapitalAccount>,
    pub(in crate::demo) holdings: Vec<String>,
    pub(in crate::demo) last_purchase: String,
    /// An employee, or nobody.
    pub(in crate::demo) service_manager: String,
}

/// A capital account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::demo) struct CapitalAccount {
    pub(in crate::demo) number: String,
    pub(in crate::demo) bank: String,
    pub(in crate::demo) primary: bool,
}

impl Client {
    /// The number of the account that trades.
    pub(in crate::demo) fn primary_account(&self) -> &str {
        self.accounts.iter().find(|account| account.primary).map_or("", |account| &account.number)
    }
}

pub(super) fn read(input: &mut Input, problems: &mut Vec<InputProblem>) {
    let mut taken = HashMap::new();
    roster::each(input, problems, &FILE, |input, row| {
        let client = client(input, row)?;
        claim(&client, &mut taken)?;
        input.clients_by_id.insert(client.id.clone(), input.clients.len());
        input.clients.push(client);
        Ok(())
    });
}

/// An identity number and a capital account belong to one client (L1).
fn claim(client: &Client, taken: &mut HashMap<String, u64>) -> Result<(), Bad> {
    let identity =
        (!client.identity_number.is_empty()).then(|| ("identity_number", normal(&client.identity_number)));
    let accounts = client.accounts.iter().map(|account| ("accounts", format!("account {}", account.number)));
    let keys: Vec<_> = identity.into_iter().chain(accounts).collect();
    for (column, key) in &keys {
        if let Some(line) = taken.get(key) {
            let reason = format!("belongs to the client of line {line} already");
            return Err(Bad::new(column, reason, "correct one of the two lines"));
        }
    }
    taken.extend(keys.into_iter().map(|(_, key)| (key, client.place.line)));
    Ok(())
}

/// One number in several spellings is one.
fn normal(identity_number: &str) -> String {
    IdentityNumber::parse(identity_number).map(|number| number.expose().to_owned()).unwrap_or_default()
}

fn client(input: &Input, row: &Row) -> Result<Client, Bad> {
    contact_id("client", row.get("client"))?;
    roster::known_branch(input, "branch", row.get("branch"))?;
    PersonName::parse(row.get("name")).map_err(|error| remedied("name", &error))?;
    Phone::parse(row.get("phone")).map_err(|error| remedied("phone", &error))?;
    let identity_number = row.get("identity_number");
    if !identity_number.is_empty() {
        IdentityNumber::parse(identity_number).map_err(|error| remedied("identity_number", &error))?;
    }
    let service_manager = row.get("service_manager");
    if !service_manager.is_empty() {
        roster::known_employee(input, "service_manager", service_manager)?;
    }
    Ok(Client {
        place: Place { file: FILE.name, line: row.line },
        id: row.get("client").to_owned(),
        branch: row.get("branch").to_owned(),
        name: row.get("name").to_owned(),
        phone: row.get("phone").to_owned(),
        identity_number: identity_number.to_owned(),
        assets_fen: assets("assets", row.get("assets"))?,
        turnover_percent: turnover("turnover", row.get("turnover"))?,
        accounts: accounts(row.get("accounts"))?,
        holdings: holdings(row.get("holdings"))?,
        last_purchase: code("last_purchase", row.get("last_purchase"))?,
        service_manager: service_manager.to_owned(),
    })
}

/// Assets in yuan, as fen.
pub(super) fn assets(column: &str, text: &str) -> Result<i64, Bad> {
    hundredths(column, text, MOST_ASSETS, "write yuan from 0 to 10000000000000, as 1234567.89")
}

/// Turnover of the year, as hundredths.
pub(super) fn turnover(column: &str, text: &str) -> Result<i64, Bad> {
    hundredths(
        column,
        text,
        MOST_TURNOVER,
        "write how often the assets were turned over, from 0 to 10000, as 3.25",
    )
}

/// A number with at most two decimals. No blank, no sign, no separator: what looks like something else is not guessed at.
fn hundredths(column: &str, text: &str, most: i64, remedy: &str) -> Result<i64, Bad> {
    let bad = |reason: &str| Bad::new(column, reason, remedy);
    if text.is_empty() {
        return Err(bad("is empty"));
    }
    if text.starts_with(['-', '−', '－']) {
        return Err(bad("is negative"));
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 2 {
        return Err(bad("is no number with at most two decimals"));
    }
    let part = if part.len() == 1 { format!("{part}0") } else { part.to_owned() };
    let value = format!("{whole}{part}").parse::<i64>().ok().filter(|value| *value <= most);
    value.ok_or_else(|| bad("is greater than any such figure can be"))
}

/// `no:bank:primary;no:bank`
fn accounts(text: &str) -> Result<Vec<CapitalAccount>, Bad> {
    const REMEDY: &str = "write number:bank:primary for the account that trades and number:bank for the others, with ; between";
    let bad = |reason: String| Bad::new("accounts", reason, REMEDY);
    let mut accounts = Vec::new();
    for (position, part) in (1..).zip(parts(text)) {
        let cells: Vec<_> = part.split(':').map(str::trim).collect();
        let (number, bank, primary) = match cells.as_slice() {
            [number, bank] => (*number, *bank, false),
            [number, bank, "primary"] => (*number, *bank, true),
            _ => return Err(bad(format!("account {position} has another form"))),
        };
        let fits =
            (1..=LONGEST).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !fits || bank.is_empty() || bank.chars().count() > LONGEST {
            return Err(bad(format!("account {position} has no number, no bank, or a strange one")));
        }
        if accounts.iter().any(|known: &CapitalAccount| known.number == number) {
            return Err(bad(format!("account {position} was there before")));
        }
        accounts.push(CapitalAccount { number: number.to_owned(), bank: bank.to_owned(), primary });
    }
    demand(!accounts.is_empty(), "accounts", || "is empty".to_owned(), REMEDY)?;
    let count = accounts.len();
    let several = || format!("names {count} accounts; a client has at most {ACCOUNTS}");
    demand(count <= ACCOUNTS, "accounts", several, "leave out the accounts that are closed")?;
    let primary = accounts.iter().filter(|account| account.primary).count();
    demand(primary == 1, "accounts", || format!("{primary} accounts are primary instead of one"), REMEDY)?;
    Ok(accounts)
}

fn holdings(text: &str) -> Result<Vec<String>, Bad> {
    let holdings = parts(text);
    let many = || format!("names {} securities", holdings.len());
    demand(holdings.len() <= MOST_HOLDINGS, "holdings", many, "name at most 100")?;
    holdings.iter().map(|holding| code("holdings", holding)).collect()
}

/// The code of a security, or nothing.
fn code(column: &str, text: &str) -> Result<String, Bad> {
    let fits = text.len() <= LONGEST && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
    demand(
        fits,
        column,
        || "is no code of a security".to_owned(),
        "write codes of letters and digits, as 990123",
    )?;
    Ok(text.to_owned())
}
