//! Records of a CSV file with their places. A header that lacks columns makes the file unusable; a record that is broken is set aside, and
//! reading goes on with the next line even where a quotation mark was never closed.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use csv::ByteRecord;

use super::{InputProblem, cells::Bad, text::Form};

/// What a file must be.
pub(super) struct File {
    pub(super) name: &'static str,
    /// The first one is the line's id.
    pub(super) columns: &'static [&'static str],
}

/// A file as read.
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    pub(super) broken: Vec<(u64, Bad)>,
    pub(super) notes: Vec<String>,
}

/// One record: its line, counted from 1, and its cells by column, without blanks around them.
pub(super) struct Row {
    pub(super) line: u64,
    cells: HashMap<&'static str, String>,
}

impl Row {
    /// The cell of a column; empty where there is nothing.
    pub(super) fn get(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }
}

/// Reads a file of the folder.
pub(super) fn open(folder: &Path, file: &File) -> Result<Table, InputProblem> {
    let bytes = fs::read(folder.join(file.name))
        .map_err(|error| InputProblem::Unreadable { file: file.name, error })?;
    parse(&bytes, file)
}

/// Reads a file's bytes.
pub(super) fn parse(bytes: &[u8], file: &File) -> Result<Table, InputProblem> {
    let form = Form::of(bytes).ok_or(InputProblem::Utf16 { file: file.name })?;
    let mut records = Records { content: form.content(bytes), offset: 0, lines: 0 };
    let header = records
        .next()
        .map(|record| {
            record.cells.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect()
        })
        .unwrap_or_default();
    let header = Header::parse(header, file)?;
    let mut table = Table { rows: Vec::new(), broken: Vec::new(), notes: Vec::new() };
    table.notes.extend(form.note().map(|note| format!("{}: {note}", file.name)));
    table.notes.extend(header.note(file));
    let mut seen: HashMap<String, u64> = HashMap::new();
    while let Some(record) = records.next() {
        let line = record.line;
        if record.cells.len() != header.width {
            if record.spans > 1 {
                // A quotation mark swallowed the lines that follow.
                records.return_to_second_line(&record);
            }
            table.broken.push((line, width(&record, header.width)));
            continue;
        }
        match header.row(&record, form, file) {
            Err(bad) => table.broken.push((line, bad)),
            Ok(row) => match duplicate(&row, file, &mut seen) {
                Some(bad) => table.broken.push((line, bad)),
                None => table.rows.push(row),
            },
        }
    }
    Ok(table)
}

fn duplicate(row: &Row, file: &File, seen: &mut HashMap<String, u64>) -> Option<Bad> {
    let id = file.columns.first()?;
    let value = row.get(id);
    if value.is_empty() {
        return Some(Bad::new(id, "is empty", "give every line an id of its own"));
    }
    if let Some(first) = seen.get(value) {
        Some(Bad::new(
            id,
            format!("`{value}` was there before, in line {first}"),
            "remove one of the two, or give this one an id of its own",
        ))
    } else {
        seen.insert(value.to_owned(), row.line);
        None
    }
}

fn width(record: &Record, wanted: usize) -> Bad {
    if record.spans > 1 {
        return Bad::line(
            "a quotation mark is not closed",
            "close it, or write it twice if it belongs to the text",
        );
    }
    Bad::line(
        format!("{} columns instead of {wanted}", record.cells.len()),
        "put cells that hold a comma into quotation marks, and leave a comma for each empty cell",
    )
}

/// Which column stands where.
struct Header {
    width: usize,
    columns: Vec<(&'static str, usize)>,
    unknown: Vec<String>,
}

impl Header {
    fn parse(found: Vec<String>, file: &File) -> Result<Self, InputProblem> {
        if found.iter().all(String::is_empty) {
            return Err(InputProblem::Empty { file: file.name, columns: file.columns });
        }
        let mut seen = HashSet::new();
        if let Some(column) = found.iter().find(|name| !name.is_empty() && !seen.insert(name.as_str())) {
            return Err(InputProblem::ColumnTwice { file: file.name, column: column.clone() });
        }
        let position = |wanted: &str| found.iter().position(|name| name == wanted);
        let missing: Vec<_> = file.columns.iter().copied().filter(|name| position(name).is_none()).collect();
        if !missing.is_empty() {
            return Err(InputProblem::MissingColumns { file: file.name, missing, found });
        }
        let columns = file.columns.iter().filter_map(|name| Some((*name, position(name)?))).collect();
        let unknown = found.iter().filter(|name| !file.columns.contains(&name.as_str())).cloned().collect();
        Ok(Self { width: found.len(), columns, unknown })
    }

    fn note(&self, file: &File) -> Option<String> {
        let ordered = self.columns.iter().map(|(_, position)| position).is_sorted();
        if !self.unknown.is_empty() {
            return Some(format!(
                "{}: columns that mean nothing here: {}",
                file.name,
                self.unknown.join(", ")
            ));
        }
        (!ordered).then(|| format!("{}: the columns stand in another order", file.name))
    }

    fn row(&self, record: &Record, form: Form, file: &File) -> Result<Row, Bad> {
        let mut cells = HashMap::with_capacity(self.columns.len());
        for (column, position) in &self.columns {
            let bytes = record.cells.get(*position).unwrap_or_default();
            let text = form.text(bytes).ok_or_else(|| {
                Bad::new(
                    column,
                    format!("is not {} as the rest of {} is", form.name(), file.name),
                    "write the text of this cell anew, and save the file as UTF-8",
                )
            })?;
            cells.insert(*column, text.trim().to_owned());
        }
        Ok(Row { line: record.line, cells })
    }
}

/// A record as the CSV reader found it.
struct Record {
    line: u64,
    /// Lines that it covers.
    spans: u64,
    start: usize,
    cells: ByteRecord,
}

/// Walks through the records of a file's bytes.
struct Records<'a> {
    content: &'a [u8],
    offset: usize,
    /// Lines before the offset.
    lines: u64,
}

impl Records<'_> {
    fn next(&mut self) -> Option<Record> {
        let rest = self.content.get(self.offset..)?;
        // Empty lines belong to no record.
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.lines += newlines(rest.get(..blank).unwrap_or_default());
        self.offset += blank;
        let rest = rest.get(blank..).filter(|rest| !rest.is_empty())?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(4096)
            .from_reader(rest);
        let mut cells = ByteRecord::new();
        // Reading bytes from memory with any number of cells does not fail.
        if !reader.read_byte_record(&mut cells).unwrap_or(false) {
            return None;
        }
        let length = usize::try_from(reader.position().byte()).unwrap_or(rest.len()).clamp(1, rest.len());
        let taken = rest.get(..length).unwrap_or(rest);
        let body = taken.strip_suffix(b"\n").unwrap_or(taken);
        let record = Record { line: self.lines + 1, spans: newlines(body) + 1, start: self.offset, cells };
        self.lines += newlines(taken);
        self.offset += length;
        Some(record)
    }

    /// Goes on behind the first line of a record that was broken.
    fn return_to_second_line(&mut self, record: &Record) {
        let rest = self.content.get(record.start..).unwrap_or_default();
        let first = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        self.offset = record.start + first;
        self.lines = record.line;
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |count, byte| count + u64::from(*byte == b'\n'))
}
