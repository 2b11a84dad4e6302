//! Lists in configuration: an array in a file, a comma-separated text in the environment or a flag.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Items(Vec<String>),
    Text(String),
}

/// For `#[serde(deserialize_with = "shouwen_runtime::config::list")]` on a `Vec` of anything that parses from text.
/// Blanks around items and empty items are dropped.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let items = match Written::deserialize(deserializer)? {
        Written::Items(items) => items,
        Written::Text(text) => text.split(',').map(str::to_owned).collect(),
    };
    items
        .iter()
        .map(|item| item.trim())
        .filter(|item| !item.is_empty())
        .map(|item| item.parse().map_err(D::Error::custom))
        .collect()
}
