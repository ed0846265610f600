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
    /// What stands there, where the text is at hand.
    pub excerpt: Option<Box<Excerpt>>,
}

/// The line of a problem, or the part of a long one that the problem is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Excerpt {
    /// As it stands, with an ellipsis where it is cut.
    pub text: String,
    /// How many characters of `text` stand before the problem.
    pub before: usize,
    /// The whole block, where the hint says to put it elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
            excerpt: None,
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
        self.quoting(text)
    }

    /// The problem with what stands at its line and column in `text`, its file's.
    pub fn quoting(mut self, text: &str) -> Self {
        if let (Some(line), Some(column)) = (self.line, self.column) {
            let line = text.split('\n').nth(line.saturating_sub(1));
            let line = line.map(|line| line.trim_end_matches('\r'));
            self.excerpt = line.map(|line| Box::new(Excerpt::of(line, column.saturating_sub(1))));
        }
        self
    }

    /// `FILE:LINE:COLUMN`, as far as that is known.
    pub fn place(&self) -> Option<String> {
        let numbers = [self.line, self.column]
            .into_iter()
            .map_while(|number| number);
        let numbers = numbers.map(|number| format!(":{number}"));
        Some(format!(
            "{}{}",
            self.file.as_ref()?,
            numbers.collect::<String>()
        ))
    }

    /// The problem with the whole block in which it is, if what stands there is known.
    pub fn with_block(mut self, block: Option<String>) -> Self {
        if let Some(excerpt) = &mut self.excerpt {
            excerpt.block = block;
        }
        self
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Excerpt {
    /// A line this long, in characters, is shown whole.
    const LENGTH: usize = 100;

    fn of(line: &str, before: usize) -> Self {
        let count = line.chars().count();
        if count <= Self::LENGTH {
            return Self {
                text: line.to_owned(),
                before,
                block: None,
            };
        }
        let start = before
            .saturating_sub(Self::LENGTH / 2)
            .min(count - Self::LENGTH);
        let window: String = line.chars().skip(start).take(Self::LENGTH).collect();
        let (head, tail) = (start > 0, start + Self::LENGTH < count);
        let ellipsis = |is_cut| if is_cut { "…" } else { "" };
        Self {
            text: format!("{}{window}{}", ellipsis(head), ellipsis(tail)),
            before: before - start + usize::from(head),
            block: None,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = self.place() {
            write!(formatter, "{place}: ")?;
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
    use super::{Problem, line_and_column};

    #[test]
    fn columns_count_characters_from_one() {
        assert_eq!(line_and_column("a\nbö=c", 0), (1, 1));
        assert_eq!(line_and_column("a\nbö=c", 5), (2, 3));
        assert_eq!(line_and_column("a\nb", 99), (2, 2));
        assert_eq!(line_and_column("", 0), (1, 1));
    }

    #[test]
    fn excerpt_is_the_line_or_the_part_that_counts() {
        let excerpt = |text: &str, offset| {
            let found = Problem::error("x").at(text, offset).excerpt.unwrap();
            let marked = found.text.chars().nth(found.before);
            (found.text, marked)
        };
        assert_eq!(
            excerpt("a\n\tbö = c\r\nd", 9),
            ("\tbö = c".to_owned(), Some('c'))
        );
        assert_eq!(excerpt("a", 1), ("a".to_owned(), None));
        let long = format!("{}!{}", "ü".repeat(300), "b".repeat(300));
        for (text, offset, expected) in [
            (
                long.as_str(),
                600,
                format!("…{}!{}…", "ü".repeat(50), "b".repeat(49)),
            ),
            (&long[600..], 0, format!("!{}…", "b".repeat(99))),
            (&long[..601], 600, format!("…{}!", "ü".repeat(99))),
        ] {
            assert_eq!(excerpt(text, offset), (expected, Some('!')));
        }
    }
}
