//! The access page in the docs is the contract's, to the letter.

use std::path::PathBuf;
use std::{env, fs};

use shouwen_access::Contract;
use shouwen_access::matrix::access_page;

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/access.md")
}

#[test]
fn access_page_is_current() {
    let rendered = access_page(&Contract::load(shouwen_proto::DESCRIPTORS).unwrap());
    if env::var_os("SHOUWEN_UPDATE").is_some() {
        fs::create_dir_all(page().parent().unwrap()).unwrap();
        fs::write(page(), &rendered).unwrap();
    }
    let committed = fs::read_to_string(page()).unwrap_or_default();
    assert!(
        committed == rendered,
        "docs/access.md is not current: run `SHOUWEN_UPDATE=1 cargo test -p shouwen-access access_page`"
    );
}

#[test]
fn access_page_lists_every_method_with_its_conditions() {
    let contract = Contract::load(shouwen_proto::DESCRIPTORS).unwrap();
    let rendered = access_page(&contract);
    for method in contract.methods() {
        assert!(rendered.contains(&format!("| `{}`", method.name)), "{}", method.path);
    }
    let offer = rendered.lines().find(|line| line.contains("`OfferTransfer`")).unwrap();
    assert!(offer.contains("| STAFF, LEAD, HQ | responsible + override (`name`) |"), "{offer}");
    assert!(offer.ends_with("| yes |  | O3 O4 O7 |"), "{offer}");
    let full = rendered.lines().find(|line| line.contains("`GetFullClient`")).unwrap();
    assert!(full.ends_with("| yes | verified identity | K11 L10 |"), "{full}");
}
