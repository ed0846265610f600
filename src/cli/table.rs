//! Rows in aligned columns.

use owo_colors::OwoColorize;
use unicode_segmentation::UnicodeSegmentation;

use super::escape::escaped;

const GAP: &str = "  ";

/// A table as text, a line per row. The last column is cut to end at `width`, if there is one.
pub(super) fn table<const N: usize>(
    width: Option<usize>,
    head: [&str; N],
    rows: &[[String; N]],
) -> String {
    let rows: Vec<[String; N]> = rows
        .iter()
        .map(|row| row.each_ref().map(|cell| escaped(cell).into_owned()))
        .collect();
    let mut widths = head.map(letters);
    for row in &rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(letters(cell));
        }
    }
    if let (Some(width), Some((last, others))) = (width, widths.split_last_mut()) {
        let taken: usize = others.iter().map(|column| column + GAP.len()).sum();
        let least = head.last().map_or(0, |name| letters(name));
        *last = (*last).min(width.saturating_sub(taken).max(least));
    }
    let line = |cells: &[&str]| -> String {
        let padded = cells.iter().zip(&widths).map(|(cell, column)| {
            let cell = cut(cell, *column);
            let blank = " ".repeat(column.saturating_sub(letters(&cell)));
            cell + &blank
        });
        padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    };
    let mut lines = vec![line(&head).dimmed().to_string()];
    for row in &rows {
        lines.push(line(&row.each_ref().map(String::as_str)));
    }
    lines.join("\n")
}

/// Of escaped text: it has no line breaks, so what is ASCII is a letter each.
fn letters(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    text.graphemes(true).count()
}

/// The text; where it has more letters than `width`, its beginning and `…`.
fn cut(text: &str, width: usize) -> String {
    if letters(text) <= width {
        return text.to_owned();
    }
    let kept: String = text.graphemes(true).take(width.saturating_sub(1)).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::table;

    fn plain(width: Option<usize>, rows: &[[String; 2]]) -> String {
        anstream::adapter::strip_str(&table(width, ["A", "LAST"], rows)).to_string()
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [
            ["ä".to_owned(), "1".to_owned()],
            ["long".to_owned(), "2\n3".to_owned()],
        ];
        assert_eq!(plain(None, &rows), "A     LAST\nä     1\nlong  2\\n3");
    }

    #[test]
    fn the_last_column_is_cut_on_a_terminal_only() {
        let rows = [
            ["ab".to_owned(), "äöü456".to_owned()],
            ["cd".to_owned(), "12345678".to_owned()],
        ];
        let whole = "A   LAST\nab  äöü456\ncd  12345678";
        assert_eq!(plain(None, &rows), whole);
        assert_eq!(plain(Some(12), &rows), whole);
        let cut = "A   LAST\nab  äöü456\ncd  12345…";
        assert_eq!(plain(Some(10), &rows), cut);
        // There is always room for the head.
        let least = "A   LAST\nab  äöü…\ncd  123…";
        assert_eq!(plain(Some(3), &rows), least);
    }
}
