//! A client as it is entered, parsed once: every field of its own type, in one form, with a refusal that names the field and how to mend it.

use std::collections::{BTreeMap, BTreeSet};

use shouwen_access::{BranchName, EmployeeName, Failure};
use shouwen_proto::clients::v1::{CapitalAccount, ClientInput};
use shouwen_vault::{IdentityNumber, PersonName, Phone};

use super::{failures, texts};
use crate::domain::ClientName;

/// Capital accounts that any policy may allow.
const MOST_ACCOUNTS: usize = 20;
/// Securities held.
const MOST_HOLDINGS: usize = 100;
/// Assets in fen: ten thousand million yuan.
const MOST_ASSETS: i64 = 1_000_000_000_000_000;
/// Turnover in hundredths: ten thousand times a year.
const MOST_TURNOVER: i64 = 1_000_000;
/// Characters at most.
const LONGEST_ADDRESS: usize = 200;
const LONGEST_BANK: usize = 64;
const LONGEST_EVIDENCE: usize = 128;

/// A client in clear. It is never kept nor printed.
pub(super) struct Entry {
    pub(super) client: ClientName,
    pub(super) branch: BranchName,
    pub(super) name: PersonName,
    pub(super) phone: Phone,
    pub(super) identity_number: Option<IdentityNumber>,
    /// Empty for none; so are the following.
    pub(super) email: String,
    pub(super) address: String,
    pub(super) accounts: Vec<EnteredAccount>,
    pub(super) assets_fen: i64,
    pub(super) turnover_percent: i64,
    /// Sorted, each once.
    pub(super) holdings: Vec<String>,
    /// The same, a line each.
    pub(super) holdings_text: String,
    pub(super) last_purchase: String,
    pub(super) manager: Option<String>,
    pub(super) evidence: String,
}

/// A capital account in clear.
pub(super) struct EnteredAccount {
    pub(super) number: String,
    pub(super) bank: String,
    pub(super) primary: bool,
}

/// Parses what was entered.
pub(super) fn parse(input: Option<&ClientInput>) -> Result<Entry, Failure> {
    let Some(input) = input else {
        return Err(Failure::field_invalid("client", "give the client", "请填写客户信息"));
    };
    let holdings = holdings(&input.holdings)?;
    Ok(Entry {
        client: input.name.parse().map_err(|_| failures::client_name("client.name"))?,
        branch: BranchName::parse(&input.branch).map_err(|_| {
            Failure::field_invalid("client.branch", "write `branches/{branch}`", "请填写 `branches/{branch}`")
        })?,
        name: PersonName::parse(&input.display_name)
            .map_err(|error| failures::display_name("client.display_name", error))?,
        phone: Phone::parse(&input.phone).map_err(|error| failures::phone("client.phone", error))?,
        identity_number: identity_number(&input.identity_number)?,
        email: texts::email(&input.email).map_err(|remedy| failures::text("client.email", remedy))?,
        address: line("client.address", &input.address, LONGEST_ADDRESS)?,
        accounts: accounts(&input.capital_accounts)?,
        assets_fen: amount("client.assets_fen", input.assets_fen, MOST_ASSETS)?,
        turnover_percent: amount("client.turnover_percent", input.turnover_percent, MOST_TURNOVER)?,
        holdings_text: holdings.join("\n"),
        holdings,
        last_purchase: last_purchase(&input.last_purchase)?,
        manager: manager(&input.service_manager)?,
        evidence: line("client.contact_evidence", &input.contact_evidence, LONGEST_EVIDENCE)?,
    })
}

/// L1: each account once, exactly one of them primary.
fn accounts(given: &[CapitalAccount]) -> Result<Vec<EnteredAccount>, Failure> {
    if given.len() > MOST_ACCOUNTS {
        return Err(failures::too_many_accounts(MOST_ACCOUNTS));
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut accounts = Vec::with_capacity(given.len());
    for (index, account) in given.iter().enumerate() {
        let path = |field: &str| format!("client.capital_accounts[{index}].{field}");
        let number =
            texts::account(&account.account).map_err(|remedy| failures::text(path("account"), remedy))?;
        if let Some(first) = seen.insert(number.clone(), index) {
            return Err(Failure::field_invalid(
                path("account"),
                format!("it is the account of capital_accounts[{first}]; give each account once"),
                format!("与 capital_accounts[{first}] 相同，每个账号只填一次"),
            ));
        }
        let bank = line(&path("custodian_bank"), &account.custodian_bank, LONGEST_BANK)?;
        if bank.is_empty() {
            return Err(Failure::field_invalid(
                path("custodian_bank"),
                "name the custodian bank",
                "请填写存管银行",
            ));
        }
        accounts.push(EnteredAccount { number, bank, primary: account.primary });
    }
    match accounts.iter().filter(|account| account.primary).count() {
        1 => Ok(accounts),
        found => Err(failures::primary_account_required(found)),
    }
}

fn identity_number(text: &str) -> Result<Option<IdentityNumber>, Failure> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    IdentityNumber::parse(text)
        .map(Some)
        .map_err(|error| failures::identity_number("client.identity_number", error))
}

fn holdings(given: &[String]) -> Result<Vec<String>, Failure> {
    if given.len() > MOST_HOLDINGS {
        return Err(Failure::field_invalid(
            "client.holdings",
            format!("at most {MOST_HOLDINGS} securities"),
            format!("最多 {MOST_HOLDINGS} 只证券"),
        ));
    }
    let codes: Result<BTreeSet<String>, Failure> = given
        .iter()
        .enumerate()
        .map(|(index, code)| {
            texts::security(code)
                .map_err(|remedy| failures::text(format!("client.holdings[{index}]"), remedy))
        })
        .collect();
    Ok(codes?.into_iter().collect())
}

fn last_purchase(text: &str) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Ok(String::new());
    }
    texts::security(text).map_err(|remedy| failures::text("client.last_purchase", remedy))
}

fn manager(name: &str) -> Result<Option<String>, Failure> {
    if name.is_empty() {
        return Ok(None);
    }
    EmployeeName::parse(name).map(|name| Some(name.into())).map_err(|_| {
        Failure::field_invalid(
            "client.service_manager",
            "write `employees/{employee}`, or leave it empty",
            "请填写 `employees/{employee}`，或留空",
        )
    })
}

fn amount(field: &'static str, amount: i64, most: i64) -> Result<i64, Failure> {
    if (0..=most).contains(&amount) {
        return Ok(amount);
    }
    Err(Failure::field_invalid(field, format!("0 to {most}"), format!("0 至 {most}")))
}

fn line(field: &str, text: &str, most: usize) -> Result<String, Failure> {
    texts::line(text, most).ok_or_else(|| {
        Failure::field_invalid(
            field,
            format!("one line of at most {most} characters"),
            format!("一行文字，最多 {most} 字"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> ClientInput {
        ClientInput {
            name: "clients/C-1".into(),
            branch: "branches/b1".into(),
            display_name: "王小明".into(),
            phone: "138 1234 5678".into(),
            identity_number: "11010519491231002x".into(),
            email: "wang@example.com".into(),
            capital_accounts: vec![account("1020304050", true), account("1020304051", false)],
            assets_fen: 100,
            holdings: vec!["600519".into(), "000001".into(), " 600519".into()],
            ..ClientInput::default()
        }
    }

    fn account(number: &str, primary: bool) -> CapitalAccount {
        CapitalAccount { account: number.into(), custodian_bank: "工商银行".into(), primary }
    }

    fn refused(change: impl FnOnce(&mut ClientInput)) -> (String, String) {
        let mut input = input();
        change(&mut input);
        let Err(failure) = parse(Some(&input)) else { panic!("taken") };
        (failure.reason().to_owned(), failure.metadata("field").unwrap_or_default().to_owned())
    }

    #[test]
    fn l1_a_client_is_read_in_one_form() {
        let entry = parse(Some(&input())).unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(entry.phone.expose(), "+8613812345678");
        assert_eq!(entry.identity_number.unwrap().expose(), "11010519491231002X");
        assert_eq!(entry.holdings, ["000001", "600519"]);
    }

    #[test]
    fn l1_each_bad_field_has_its_reason_and_path() {
        let invalid = |field: &str| ("FIELD_INVALID".to_owned(), field.to_owned());
        let of = |reason: &str, field: &str| (reason.to_owned(), field.to_owned());
        assert_eq!(refused(|input| input.name = "C-1".into()), invalid("client.name"));
        assert_eq!(refused(|input| input.branch = "b1".into()), invalid("client.branch"));
        assert_eq!(refused(|input| input.display_name = " ".into()), invalid("client.display_name"));
        assert_eq!(refused(|input| input.phone = "1381234567".into()), of("PHONE_INVALID", "client.phone"));
        assert_eq!(
            refused(|input| input.identity_number = "110105194912310021".into()),
            of("IDENTITY_NUMBER_INVALID", "client.identity_number")
        );
        assert_eq!(refused(|input| input.email = "wang".into()), invalid("client.email"));
        assert_eq!(refused(|input| input.address = "长".repeat(201)), invalid("client.address"));
        assert_eq!(refused(|input| input.assets_fen = -1), invalid("client.assets_fen"));
        assert_eq!(refused(|input| input.assets_fen = MOST_ASSETS + 1), invalid("client.assets_fen"));
        assert_eq!(refused(|input| input.turnover_percent = 1_000_001), invalid("client.turnover_percent"));
        assert_eq!(refused(|input| input.holdings[1] = "茅台".into()), invalid("client.holdings[1]"));
        assert_eq!(refused(|input| input.holdings = vec!["1".into(); 101]), invalid("client.holdings"));
        assert_eq!(refused(|input| input.last_purchase = "??".into()), invalid("client.last_purchase"));
        assert_eq!(
            refused(|input| input.service_manager = "zhang".into()),
            invalid("client.service_manager")
        );
        assert_eq!(
            refused(|input| input.contact_evidence = "a\u{7}".into()),
            invalid("client.contact_evidence")
        );
        assert!(parse(None).is_err_and(|failure| failure.metadata("field") == Some("client")));
    }

    #[test]
    fn l1_exactly_one_account_is_primary_and_each_is_given_once() {
        let accounts = |accounts: Vec<CapitalAccount>| refused(|input| input.capital_accounts = accounts);
        let required = ("PRIMARY_ACCOUNT_REQUIRED".to_owned(), "client.capital_accounts".to_owned());
        assert_eq!(accounts(Vec::new()), required);
        assert_eq!(accounts(vec![account("100001", false)]), required);
        assert_eq!(accounts(vec![account("100001", true), account("100002", true)]), required);
        let invalid = |field: &str| ("FIELD_INVALID".to_owned(), field.to_owned());
        assert_eq!(
            accounts(vec![account("100001", true), account("100002", false), account("10-0001", false)]),
            invalid("client.capital_accounts[2].account")
        );
        assert_eq!(accounts(vec![account("12", true)]), invalid("client.capital_accounts[0].account"));
        let without_bank = CapitalAccount { custodian_bank: " ".into(), ..account("100001", true) };
        assert_eq!(accounts(vec![without_bank]), invalid("client.capital_accounts[0].custodian_bank"));
        let many =
            (100_001..=100_021).map(|number: i32| account(&number.to_string(), number == 100_001)).collect();
        assert_eq!(accounts(many), ("TOO_MANY_ACCOUNTS".to_owned(), "client.capital_accounts".to_owned()));
    }
}
