//! What is wrong in a file of the user's, and where.

use std::fmt;

use serde::Serialize;

/// One finding in a file. Many can be found in one pass; none of them is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub severity: Severity,
    /// One line, lower case, no final period.
    pub message: String,
    /// Path from the root of the repository, with `/`; `None` where no single file is to blame.
    pub file: Option<String>,
    /// Counted from 1.
    pub line: Option<usize>,
    /// Counted from 1, in characters.
    pub column: Option<usize>,
    /// What to do, where there is something better to say than the message.
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Warning,
    Error,
}

impl Problem {
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            file: None,
            line: None,
            column: None,
            hint: None,
        }
    }

    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// The problem, placed in `file`.
    pub fn in_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// The problem, placed at the byte `offset` of `text`.
    pub fn at(mut self, text: &str, offset: usize) -> Self {
        let (line, column) = line_and_column(text, offset);
        self.line = Some(line);
        self.column = Some(column);
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "{file}")?;
            if let Some(line) = self.line {
                write!(formatter, ":{line}")?;
            }
            if let Some(column) = self.column {
                write!(formatter, ":{column}")?;
            }
            write!(formatter, ": ")?;
        }
        write!(formatter, "{}", self.message)
    }
}

/// Line and column, both counted from 1, of the byte `offset` in `text`; the column counts
/// characters. An offset past the end is the end.
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line_start = before.rfind('\n').map_or(0, |position| position + 1);
    (
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    )
}

#[cfg(test)]
mod tests {
    use super::line_and_column;

    #[test]
    fn columns_count_characters_from_one() {
        assert_eq!(line_and_column("a\nbö=c", 0), (1, 1));
        assert_eq!(line_and_column("a\nbö=c", 5), (2, 3));
        assert_eq!(line_and_column("a\nb", 99), (2, 2));
        assert_eq!(line_and_column("", 0), (1, 1));
    }
}
