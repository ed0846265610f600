//! Rows in aligned columns.

use owo_colors::OwoColorize;
use unicode_segmentation::UnicodeSegmentation;

/// A table as text, a line per row; the last column is as wide as it likes.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |text: &str| text.graphemes(true).count();
    let mut widths = head.map(width);
    for row in rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(width(cell));
        }
    }
    let line = |cells: &[&str]| -> String {
        let padded = cells.iter().zip(&widths).map(|(cell, column)| {
            format!("{cell}{}", " ".repeat(column.saturating_sub(width(cell))))
        });
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(&head).dimmed().to_string()];
    for row in rows {
        lines.push(line(&row.each_ref().map(String::as_str)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["ä".to_owned(), "1".to_owned()],
            ["long".to_owned(), "2".to_owned()],
        ];
        let text = anstream::adapter::strip_str(&table(["A", "B"], &rows)).to_string();
        assert_eq!(text, "A     B\nä     1\nlong  2");
    }
}
