//! How documents of all kinds are checked, merged and read. A version's document is partial: it sets some fields and
//! leaves the others to what it is laid over.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use shouwen_calendar::{DayIntervals, IntervalsError};

use crate::error::PolicyError;
use crate::kind::Kind;

/// Faults that one answer lists at most.
pub(crate) const MOST_FAULTS: usize = 20;

/// The fields of a document by name.
pub type Document = Map<String, Value>;

/// A field that documents of a kind may set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    pub name: &'static str,
    pub shape: Shape,
}

/// What a field's value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A whole number from `min` to `max`, both allowed.
    Whole { min: u32, max: u32, unit: &'static str },
    /// Intervals of local time: `[["08:30", "11:30"], ["13:00", "17:00"]]`.
    Intervals,
}

/// A typed document. Its `Default` is the built-in standard, the rulebook's own numbers.
pub trait PolicyDocument:
    Clone + Debug + Default + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    const KIND: Kind;
    /// All fields with their bounds.
    const FIELDS: &'static [Field];

    /// Faults that no field has alone.
    fn contradictions(&self) -> Vec<PolicyError> {
        Vec::new()
    }

    /// Checks every bound and every combination (P1).
    fn validate(&self) -> Result<(), Vec<PolicyError>> {
        from_document::<Self>(to_document(self)?).map(|_| ())
    }
}

/// Lays `over` on `base`: what it sets replaces the former value whole. Associative, and an empty document changes
/// nothing.
pub(crate) fn merge(mut base: Document, over: &Document) -> Document {
    base.extend(over.iter().map(|(field, value)| (field.clone(), value.clone())));
    base
}

/// All fields of a typed document.
pub(crate) fn to_document<T: PolicyDocument>(value: &T) -> Result<Document, Vec<PolicyError>> {
    match serde_json::to_value(value) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(vec![unreadable::<T>("the typed form is not an object")]),
        Err(error) => Err(vec![unreadable::<T>(error.to_string())]),
    }
}

/// The typed form of a whole effective document, or everything that is wrong with it.
pub(crate) fn from_document<T: PolicyDocument>(document: Document) -> Result<T, Vec<PolicyError>> {
    let errors = check_fields(T::KIND, T::FIELDS, &document);
    if !errors.is_empty() {
        return Err(errors);
    }
    let value: T = serde_json::from_value(Value::Object(document))
        .map_err(|error| vec![unreadable::<T>(error.to_string())])?;
    let contradictions = value.contradictions();
    if contradictions.is_empty() { Ok(value) } else { Err(contradictions) }
}

/// Each field of a whole or partial document by itself: known, of the right type, within its bounds.
pub(crate) fn check_fields(kind: Kind, fields: &[Field], document: &Document) -> Vec<PolicyError> {
    let faults = document.iter().filter_map(|(name, value)| check_field(kind, fields, name, value).err());
    faults.take(MOST_FAULTS).collect()
}

/// The fault of a field that a kind does not have.
pub(crate) fn unknown_field(kind: Kind, known: &[&str], name: &str) -> PolicyError {
    PolicyError::new(
        shown(name),
        format!("policies of kind {kind} have no such field"),
        format!("leave it out, or use one of: {}", known.join(", ")),
        format!("{kind} 类制度没有该字段；请去掉，或改用：{}", known.join("、")),
    )
}

/// A value as an error shows it: as JSON, cut when long.
pub(crate) fn shown(value: &(impl ToString + ?Sized)) -> String {
    const LONGEST: usize = 60;
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn check_field(kind: Kind, fields: &[Field], name: &str, value: &Value) -> Result<(), PolicyError> {
    let Some(field) = fields.iter().find(|field| field.name == name) else {
        let known: Vec<&str> = fields.iter().map(|field| field.name).collect();
        return Err(unknown_field(kind, &known, name));
    };
    match field.shape {
        Shape::Whole { min, max, unit } => check_whole(name, value, min, max, unit),
        Shape::Intervals => check_intervals(name, value),
    }
}

fn check_whole(name: &str, value: &Value, min: u32, max: u32, unit: &str) -> Result<(), PolicyError> {
    let (problem, chinese) = match value.as_i64() {
        Some(number) if (i64::from(min)..=i64::from(max)).contains(&number) => return Ok(()),
        Some(number) => (format!("{number} is out of bounds"), format!("{number} 超出范围")),
        None => (format!("{} is not a whole number", shown(value)), format!("{} 不是整数", shown(value))),
    };
    let remedy = format!("give a whole number of {unit} from {min} to {max}");
    let unit = unit_in_chinese(unit);
    let chinese = format!("{chinese}；请填写 {min} 至 {max} 的整数（单位：{unit}）");
    Err(PolicyError::new(name, problem, remedy, chinese))
}

/// The units that the fields of all kinds have.
fn unit_in_chinese(unit: &str) -> &str {
    match unit {
        "accounts" => "个账户",
        "attempts" | "failures" | "lookups" | "reservations" => "次",
        "days" => "天",
        "factors" => "项",
        "hours" => "小时",
        "hundredths" => "百分之一",
        "levels" => "级",
        "minutes" => "分钟",
        "rings" => "声",
        "seconds" => "秒",
        "working days" => "工作日",
        "working minutes" => "工作分钟",
        "yuan" => "元",
        other => other,
    }
}

fn check_intervals(name: &str, value: &Value) -> Result<(), PolicyError> {
    const FORM: &str =
        "write pairs of times in a list, such as [[\"08:30\", \"11:30\"], [\"13:00\", \"17:00\"]]";
    const CHINESE: &str = "请以列表填写成对的时间，例如 [[\"08:30\", \"11:30\"], [\"13:00\", \"17:00\"]]";
    let Value::Array(items) = value else {
        let problem = format!("{} is not a list of intervals", shown(value));
        let chinese = format!("{} 不是时间段的列表；{CHINESE}", shown(value));
        return Err(PolicyError::new(name, problem, FORM, chinese));
    };
    let mut intervals = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let pair = item.as_array().and_then(|pair| match pair.as_slice() {
            [Value::String(opens), Value::String(closes)] => Some([opens.as_str(), closes.as_str()]),
            _ => None,
        });
        let Some(pair) = pair else {
            let problem = format!("{} is not a pair of times in quotes", shown(item));
            let chinese = format!("{} 不是一对带引号的时间；{CHINESE}", shown(item));
            return Err(PolicyError::new(format!("{name}[{index}]"), problem, FORM, chinese));
        };
        intervals.push(pair);
    }
    DayIntervals::new(intervals).map(|_| ()).map_err(|error| intervals_error(name, error))
}

fn intervals_error(name: &str, error: IntervalsError) -> PolicyError {
    let place = |number: usize| format!("{name}[{}]", number.saturating_sub(1));
    match error {
        IntervalsError::Empty => PolicyError::new(
            name,
            "there is no interval",
            "give at least one, such as [\"08:30\", \"11:30\"]",
            "没有时间段；请至少填写一段，例如 [\"08:30\", \"11:30\"]",
        ),
        IntervalsError::Time { number, text } => PolicyError::new(
            place(number),
            format!("{:?} is not a time of day", shown(&text)),
            "write HH:MM, from 00:00 to 24:00",
            format!("{:?} 不是时刻；请按 HH:MM 填写，从 00:00 到 24:00", shown(&text)),
        ),
        IntervalsError::EndsBeforeStart { number, opens, closes } => PolicyError::new(
            place(number),
            format!("ends at {closes}, not after its start at {opens}"),
            "swap them, or split the interval at midnight",
            format!("结束时间 {closes} 不晚于开始时间 {opens}；请对调，或在零点处拆成两段"),
        ),
        IntervalsError::OutOfOrder { number, opens, closes } => PolicyError::new(
            place(number),
            format!("starts at {opens}, not after the end of the one before it at {closes}"),
            "put the intervals in ascending order and join those that touch or overlap",
            format!(
                "开始时间 {opens} 不晚于前一段的结束时间 {closes}；请按先后排列，并合并相接或重叠的时间段"
            ),
        ),
    }
}

fn unreadable<T: PolicyDocument>(problem: impl Into<String>) -> PolicyError {
    let remedy = "compare the document with the fields of its kind";
    PolicyError::new(T::KIND.as_str(), problem, remedy, "内容无法读取；请对照该类制度的字段")
}
