//! Documents of kind `calendar`: `{ "toml": "<calendar data file>" }` (S3). They are not merged field by field: the
//! years of a later import replace those of the earlier ones.

use serde_json::Value;
use shouwen_calendar::CalendarData;

use crate::book::InvalidBook;
use crate::document::{Document, MOST_FAULTS, shown, unknown_field};
use crate::error::PolicyError;
use crate::kind::Kind;
use crate::version::{PolicyRef, PolicyVersion};

const FIELD: &str = "toml";
/// Thirty years of days take a tenth of it.
const LARGEST: usize = 256 * 1024;

/// Reads the data file in a calendar document completely, or says what is wrong with it and where.
pub(crate) fn calendar_data(document: &Document) -> Result<CalendarData, Vec<PolicyError>> {
    let mut errors: Vec<PolicyError> = document
        .keys()
        .filter(|name| *name != FIELD)
        .take(MOST_FAULTS)
        .map(|name| unknown_field(Kind::Calendar, &[FIELD], name))
        .collect();
    let data = file(document).and_then(|text| {
        CalendarData::parse(text).map_err(|error| {
            let problem = format!("line {}, {}: {}", error.line, error.field, error.reason);
            let chinese = format!("第 {} 行，{}：{}", error.line, error.field, error.chinese);
            PolicyError::new(FIELD, problem, error.remedy, chinese)
        })
    });
    match data {
        Ok(data) if errors.is_empty() => Ok(data),
        Ok(_) => Err(errors),
        Err(error) => {
            errors.push(error);
            Err(errors)
        }
    }
}

/// Reads all imports, in the order given. Two different files under one version would make calendars that name the
/// same version and answer differently, so they are refused.
pub(crate) fn imports<'a>(
    versions: impl IntoIterator<Item = &'a PolicyVersion>,
) -> Result<Vec<(&'a PolicyVersion, CalendarData)>, InvalidBook> {
    let builtin = CalendarData::builtin();
    let mut read: Vec<(&PolicyVersion, CalendarData)> = Vec::new();
    for version in versions {
        let refused = |errors| InvalidBook {
            combination: PolicyRef::new(Kind::Calendar, Some(version), None).to_string(),
            errors,
        };
        let data = calendar_data(&version.document).map_err(refused)?;
        let mut others = std::iter::once(&builtin).chain(read.iter().map(|(_, other)| other));
        if others.any(|other| other.version() == data.version() && *other != data) {
            let problem = format!("another calendar is called {:?} already", data.version());
            let remedy = "give the data a version of their own";
            let chinese = format!("已有另一份名为 {:?} 的日历；请为数据另取版本名", data.version());
            return Err(refused(vec![PolicyError::new(FIELD, problem, remedy, chinese)]));
        }
        read.push((version, data));
    }
    Ok(read)
}

fn file(document: &Document) -> Result<&str, PolicyError> {
    const REMEDY: &str = "give the whole calendar data file as text";
    const CHINESE: &str = "请以文本提供完整的日历数据文件";
    match document.get(FIELD) {
        Some(Value::String(text)) if text.len() <= LARGEST => Ok(text),
        Some(Value::String(text)) => Err(PolicyError::new(
            FIELD,
            format!("the file has {} bytes", text.len()),
            format!("keep it below {LARGEST} bytes, with only the years that change"),
            format!("文件有 {} 字节；须在 {LARGEST} 字节以内，只保留有变化的年份", text.len()),
        )),
        Some(other) => {
            let chinese = format!("{} 不是文本；{CHINESE}", shown(other));
            Err(PolicyError::new(FIELD, format!("{} is not text", shown(other)), REMEDY, chinese))
        }
        None => Err(PolicyError::new(FIELD, "it is missing", REMEDY, format!("没有内容；{CHINESE}"))),
    }
}
