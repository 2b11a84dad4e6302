//! The second opinion: what `expected.py`, which shares nothing with the product, says about the same files, held against the product's figures.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tokio::process::Command;

use super::{
    DemoError, Difference,
    input::{Input, RejectedLine},
};

/// Where the figures that must come out are taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// `expected.py` of the input folder, run with Python over that folder.
    Script,
    /// A JSON file of the form of `expected.json`.
    File(PathBuf),
}

/// The second opinion, or why there is none.
#[derive(Debug)]
pub(super) enum Opinion {
    /// With where it comes from.
    Given(Value, String),
    Missing(String),
}

const SCRIPT: &str = "expected.py";
const STORED: &str = "expected.json";

/// Asks for the second opinion. `rejected` are lines that only the product found bad.
pub(super) async fn opinion(
    expected: &Expected,
    input: &Input,
    rejected: &[RejectedLine],
) -> Result<Opinion, DemoError> {
    match expected {
        Expected::File(path) => Ok(Opinion::Given(stored(path)?, path.display().to_string())),
        Expected::Script if !rejected.is_empty() => {
            Ok(Opinion::Missing("the product did not take some lines; mend them".to_owned()))
        }
        Expected::Script => script(input).await,
    }
}

async fn script(input: &Input) -> Result<Opinion, DemoError> {
    if !input.is_plain() {
        let why =
            "expected.py reads only files without a bad line; mend them, or give the figures with --expected";
        return Ok(Opinion::Missing(why.to_owned()));
    }
    let script = input.folder.join(SCRIPT);
    if !script.is_file() {
        let why = format!("there is no {SCRIPT} in {}", input.folder.display());
        return Ok(Opinion::Missing(why));
    }
    let run =
        Command::new("python3").arg("-B").arg(&script).arg(&input.folder).kill_on_drop(true).output().await;
    let output = match run {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let path = input.folder.join(STORED);
            let source =
                format!("{} as it lies there, because there is no python3 to run {SCRIPT}", path.display());
            return Ok(if path.is_file() {
                Opinion::Given(stored(&path)?, source)
            } else {
                Opinion::Missing(format!("there is no python3 to run {SCRIPT}"))
            });
        }
        Err(error) => return Err(DemoError::Script { script, why: error.to_string() }),
    };
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(DemoError::Script { script, why });
    }
    match serde_json::from_slice(&output.stdout) {
        Ok(figures) => Ok(Opinion::Given(figures, script.display().to_string())),
        Err(error) => Err(DemoError::Script { script, why: format!("its output is no JSON: {error}") }),
    }
}

fn stored(path: &Path) -> Result<Value, DemoError> {
    let unusable = |why: String| DemoError::Expected { path: path.to_owned(), why };
    let bytes = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| unusable(error.to_string()))
}

/// Every figure in which the product differs, with its path (`limits.answer.kept`).
pub(super) fn differences(expected: &Value, product: &Value) -> Vec<Difference> {
    let mut differences = Vec::new();
    compare(&mut Vec::new(), expected, product, &mut differences);
    differences
}

fn compare<'a>(
    path: &mut Vec<&'a str>,
    expected: &'a Value,
    product: &'a Value,
    differences: &mut Vec<Difference>,
) {
    const NOTHING: Value = Value::Null;
    if let (Value::Object(expected), Value::Object(product)) = (expected, product) {
        let new = product.keys().filter(|key| !expected.contains_key(*key));
        for key in expected.keys().chain(new) {
            path.push(key);
            let (expected, product) =
                (expected.get(key).unwrap_or(&NOTHING), product.get(key).unwrap_or(&NOTHING));
            compare(path, expected, product, differences);
            path.pop();
        }
    } else if expected != product {
        differences.push(Difference {
            what: path.join("."),
            expected: shown(expected),
            actual: shown(product),
        });
    }
}

fn shown(figure: &Value) -> String {
    if figure.is_null() { "nothing".to_owned() } else { figure.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_differing_figure_is_named_with_both_values() {
        let expected = json!({"limits": {"answer": {"kept": 728, "missed": 35}}, "overrides": 9, "gone": 1});
        let product =
            json!({"limits": {"answer": {"kept": 706, "missed": 35}}, "overrides": 9, "new": {"a": 2}});
        let shown: Vec<_> = differences(&expected, &product).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "gone: expected 1, the product says nothing",
                "limits.answer.kept: expected 728, the product says 706",
                "new: expected nothing, the product says {\"a\":2}",
            ]
        );
        assert!(differences(&expected, &expected).is_empty());
    }
}
