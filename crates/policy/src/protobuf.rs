//! Documents as `google.protobuf.Struct` and back. A Struct knows only floating-point numbers, so a whole number becomes
//! one again on the way back; beyond 2^53 it would come back as another, and is refused.

use prost_types::value::Kind as Shape;
use prost_types::{ListValue, Struct};
use serde_json::{Number, Value};

use crate::document::{Document, shown};
use crate::error::PolicyError;

/// 2^53: up to here every whole number has its own f64.
const LARGEST: i64 = 1 << 53;
const LARGEST_F64: f64 = 9_007_199_254_740_992.0;

/// A document for the contract. Fails on a number that a Struct cannot hold.
pub fn document_to_struct(document: &Document) -> Result<Struct, PolicyError> {
    let mut fields = std::collections::BTreeMap::new();
    for (name, value) in document {
        fields.insert(name.clone(), to_value(name, value)?);
    }
    Ok(Struct { fields })
}

/// A document from the contract. Fails on a value without a kind and on a number that JSON does not know.
pub fn document_from_struct(fields: &Struct) -> Result<Document, PolicyError> {
    let mut document = Document::new();
    for (name, value) in &fields.fields {
        document.insert(name.clone(), from_value(name, value)?);
    }
    Ok(document)
}

fn to_value(path: &str, value: &Value) -> Result<prost_types::Value, PolicyError> {
    let kind = match value {
        Value::Null => Shape::NullValue(0),
        Value::Bool(value) => Shape::BoolValue(*value),
        Value::String(value) => Shape::StringValue(value.clone()),
        Value::Number(number) => Shape::NumberValue(to_number(path, number)?),
        Value::Array(items) => Shape::ListValue(ListValue {
            values: items
                .iter()
                .enumerate()
                .map(|(index, item)| to_value(&format!("{path}[{index}]"), item))
                .collect::<Result<_, _>>()?,
        }),
        Value::Object(fields) => Shape::StructValue(Struct {
            fields: fields
                .iter()
                .map(|(name, value)| Ok((name.clone(), to_value(&format!("{path}.{name}"), value)?)))
                .collect::<Result<_, _>>()?,
        }),
    };
    Ok(prost_types::Value { kind: Some(kind) })
}

fn from_value(path: &str, value: &prost_types::Value) -> Result<Value, PolicyError> {
    match &value.kind {
        None => Err(PolicyError::new(
            shown(path),
            "it has no value",
            "give one, or leave the field out",
            "没有取值；请填写，或去掉该字段",
        )),
        Some(Shape::NullValue(_)) => Ok(Value::Null),
        Some(Shape::BoolValue(value)) => Ok(Value::Bool(*value)),
        Some(Shape::StringValue(value)) => Ok(Value::String(value.clone())),
        Some(Shape::NumberValue(number)) => from_number(path, *number).map(Value::Number),
        Some(Shape::ListValue(list)) => list
            .values
            .iter()
            .enumerate()
            .map(|(index, item)| from_value(&format!("{path}[{index}]"), item))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Some(Shape::StructValue(fields)) => fields
            .fields
            .iter()
            .map(|(name, value)| Ok((name.clone(), from_value(&format!("{path}.{name}"), value)?)))
            .collect::<Result<_, _>>()
            .map(Value::Object),
    }
}

fn to_number(path: &str, number: &Number) -> Result<f64, PolicyError> {
    let too_large = || {
        let remedy = format!("stay between -{LARGEST} and {LARGEST}");
        let chinese = format!("{number} 过大，无法精确表示；须在 -{LARGEST} 与 {LARGEST} 之间");
        PolicyError::new(shown(path), format!("{number} is too large to be exact"), remedy, chinese)
    };
    if number.is_f64() {
        return number.as_f64().ok_or_else(too_large);
    }
    let exact = number.as_i64().is_some_and(|whole| (-LARGEST..=LARGEST).contains(&whole));
    number.as_f64().filter(|_| exact).ok_or_else(too_large)
}

fn from_number(path: &str, number: f64) -> Result<Number, PolicyError> {
    if number.fract() == 0.0 && number.abs() <= LARGEST_F64 {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Ok(Number::from(number as i64));
    }
    Number::from_f64(number).ok_or_else(|| {
        let chinese = format!("{number} 不是数；请填写数字");
        PolicyError::new(shown(path), format!("{number} is not a number"), "give a number", chinese)
    })
}
