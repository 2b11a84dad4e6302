//! Columns for text in two scripts: a Chinese character takes two places on a terminal.

use std::fmt;

/// Cells in one row of a grid.
const CELLS: usize = 3;
/// Places of a grid cell's label, and of its figure.
const LABEL: usize = 24;
const FIGURE: usize = 5;
/// Places between columns.
const GAP: usize = 3;

/// A section's heading in both languages.
pub(super) fn heading(f: &mut fmt::Formatter<'_>, chinese: &str, english: &str) -> fmt::Result {
    writeln!(f, "\n{chinese} {english}")
}

/// Labels with figures, several in a row.
pub(super) fn grid(f: &mut fmt::Formatter<'_>, cells: &[(&str, String)]) -> fmt::Result {
    for row in cells.chunks(CELLS) {
        let row: Vec<_> =
            row.iter().map(|(label, figure)| format!("{}{figure:>FIGURE$}", padded(label, LABEL))).collect();
        writeln!(f, "  {}", row.join(&" ".repeat(GAP)))?;
    }
    Ok(())
}

/// A table: the first row is its header, the first column its labels.
pub(super) fn table<const N: usize>(f: &mut fmt::Formatter<'_>, rows: &[[String; N]]) -> fmt::Result {
    let mut widths = [0; N];
    for row in rows {
        for (known, cell) in widths.iter_mut().zip(row) {
            *known = width(cell).max(*known);
        }
    }
    for row in rows {
        let mut line = String::new();
        for (column, (cell, wide)) in row.iter().zip(widths).enumerate() {
            if column == 0 {
                line.push_str(&padded(cell, wide));
            } else {
                line.push_str(&" ".repeat(GAP + wide - width(cell)));
                line.push_str(cell);
            }
        }
        writeln!(f, "  {}", line.trim_end())?;
    }
    Ok(())
}

fn padded(text: &str, places: usize) -> String {
    format!("{text}{}", " ".repeat(places.saturating_sub(width(text))))
}

/// Places that a text takes on a terminal.
fn width(text: &str) -> usize {
    // Ideographs, and the punctuation and full-width forms that go with them.
    let wide = |sign: char| matches!(sign, '\u{2e80}'..='\u{a4cf}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}');
    text.chars().map(|sign| if wide(sign) { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ideographs_take_two_places() {
        assert_eq!(width("时限 Limits"), 11);
        assert_eq!(padded("按时", 6), "按时  ");
    }
}
