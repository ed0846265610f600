//! Where in an environment file attributes are set, and how they are aligned.
//!
//! The alignment is that of `terraform fmt`: in each paragraph, the run of attributes on lines that
//! follow one another, the `=` stand in one column and so do the comments. A paragraph that a person
//! laid out in another way keeps it.

use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::structure::{Attribute, Block};
use unicode_segmentation::UnicodeSegmentation;

/// An attribute that is to have another value, or to be there.
pub(super) struct News {
    pub(super) name: String,
    /// As it stands in the file.
    pub(super) value: String,
}

/// A range of the text, and what takes its place.
pub(super) type Splice = (Range<usize>, String);

/// Attributes of every environment; a new one is added behind the last of these.
const WRITTEN: &[&str] = &[
    "environment",
    "pull_request",
    "repository_id",
    "event_at",
    "expires_at",
    "expires_at_unix",
];

/// What makes the module block of `text` say `news`. `None` if it is laid out so that no line can be
/// told to be an attribute's own.
pub(super) fn splices(
    text: &str,
    block: &Block,
    news: &[News],
    line_end: &str,
) -> Option<Vec<Splice>> {
    let attributes: Vec<&Attribute> = block.body.attributes().collect();
    let rows: Vec<Row<'_>> = attributes
        .iter()
        .map(|attribute| Row::new(text, attribute))
        .collect::<Option<_>>()?;
    let (set, added): (Vec<&News>, Vec<&News>) = news
        .iter()
        .partition(|news| rows.iter().any(|row| row.key == news.name));
    let anchor = rows
        .iter()
        .rposition(|row| WRITTEN.contains(&row.key))
        .or_else(|| rows.len().checked_sub(1));
    let mut lines = Vec::new();
    for (position, row) in rows.iter().enumerate() {
        let value = set.iter().find(|news| news.name == row.key);
        lines.push(Line::Present {
            row,
            value: value.map(|news| news.value.as_str()),
        });
        if anchor == Some(position) {
            if !added.is_empty() && row.tail.is_none() {
                return None;
            }
            lines.extend(added.iter().map(|news| Line::Added(news)));
        }
    }
    if anchor.is_none() && !added.is_empty() {
        return None;
    }
    Some(set_lines(text, &rows, &lines, line_end))
}

/// The text with its module block, which says one thing on one line, laid out on several.
pub(super) fn unfolded(text: &str, block: &Block, line_end: &str) -> Option<String> {
    let head_end = match block.labels.last() {
        Some(label) => label.span()?.end,
        None => block.ident.span()?.end,
    };
    let end = block.span()?.end;
    let mut attributes = block.body.attributes();
    let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
        return None;
    };
    let attribute = attribute.key.span()?.start..attribute.value.span()?.end;
    let opens = text.get(head_end..attribute.start)?.trim() == "{";
    let closes = text.get(attribute.end..end)?.trim() == "}";
    let is_folded = !text.get(head_end..end)?.contains('\n');
    (opens && closes && is_folded).then(|| {
        let (head, tail) = (&text[..head_end], &text[end..]);
        let attribute = &text[attribute];
        format!("{head} {{{line_end}  {attribute}{line_end}}}{tail}")
    })
}

/// An attribute as it stands in the text.
struct Row<'a> {
    indent: &'a str,
    key: &'a str,
    key_end: usize,
    value: Range<usize>,
    /// Begins its line, with nothing but `=` between its name and its value.
    is_plain: bool,
    /// `None` if something other than comments follows on its line.
    tail: Option<Tail>,
    line_start: usize,
}

/// What follows a value on its line.
struct Tail {
    /// Behind the value and the comments in `/* */`, which may span lines.
    code_end: usize,
    /// The comment to the end of the line.
    comment: Option<Range<usize>>,
    /// Where the line ends, before its line end.
    end: usize,
}

impl<'a> Row<'a> {
    fn new(text: &'a str, attribute: &'a Attribute) -> Option<Self> {
        let key = attribute.key.span()?;
        let mut value = attribute.value.span()?;
        // The line end behind a heredoc is not the value's.
        value.end = value.start + text[value.clone()].trim_end().len();
        let line_start = text[..key.start].rfind('\n').map_or(0, |before| before + 1);
        let indent = &text[line_start..key.start];
        let is_plain =
            is_blank(indent) && is_blank(&text[key.end..value.start].replacen('=', "", 1));
        Some(Self {
            indent,
            key: attribute.key.as_str(),
            key_end: key.end,
            is_plain,
            tail: tail(text, value.end),
            value,
            line_start,
        })
    }

    /// Whether the line belongs to a paragraph: a value over several lines stands by itself, unless
    /// it is a heredoc.
    fn is_in_paragraph(&self, text: &str) -> bool {
        self.is_plain && self.tail.is_some() && is_one_line(&text[self.value.clone()])
    }

    fn follows(&self, text: &str, before: &Row<'_>) -> bool {
        let end = before.tail.as_ref().map(|tail| tail.end);
        end.and_then(|end| text.get(end..self.line_start))
            .is_some_and(|between| matches!(between, "\n" | "\r\n"))
    }
}

fn is_blank(text: &str) -> bool {
    text.bytes().all(|byte| byte == b' ' || byte == b'\t')
}

fn is_one_line(value: &str) -> bool {
    !value.contains('\n') || value.starts_with("<<")
}

/// Columns as `terraform fmt` counts them.
fn columns(text: &str) -> usize {
    text.graphemes(true).count()
}

fn tail(text: &str, value_end: usize) -> Option<Tail> {
    let mut code_end = value_end;
    loop {
        let rest = &text[code_end..];
        let start = code_end + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
        let rest = &text[start..];
        if rest.is_empty() || rest.starts_with('\n') || rest.starts_with("\r\n") {
            return Some(Tail {
                code_end,
                comment: None,
                end: start,
            });
        }
        if rest.starts_with('#') || rest.starts_with("//") {
            let line = rest.split('\n').next().unwrap_or(rest);
            let end = start + line.trim_end_matches('\r').len();
            return Some(Tail {
                code_end,
                comment: Some(start..end),
                end,
            });
        }
        let comment = rest.strip_prefix("/*")?;
        code_end = start + 2 + comment.find("*/")? + 2;
    }
}

/// A line of the block as it is to be.
enum Line<'a> {
    Present {
        row: &'a Row<'a>,
        value: Option<&'a str>,
    },
    Added(&'a News),
}

impl Line<'_> {
    fn key(&self) -> &str {
        match self {
            Self::Present { row, .. } => row.key,
            Self::Added(news) => &news.name,
        }
    }

    fn is_in_paragraph(&self, text: &str) -> bool {
        match self {
            Self::Present { row, value } => {
                row.is_in_paragraph(text) && value.is_none_or(is_one_line)
            }
            Self::Added(news) => is_one_line(&news.value),
        }
    }

    fn comment(&self) -> Option<&Range<usize>> {
        match self {
            Self::Present { row, .. } => row.tail.as_ref()?.comment.as_ref(),
            Self::Added(_) => None,
        }
    }

    /// The columns from the value to the end of what a comment follows.
    fn value_columns(&self, text: &str) -> usize {
        match self {
            Self::Added(news) => columns(&news.value),
            Self::Present { row, value } => {
                let value = value.unwrap_or(&text[row.value.clone()]);
                let code_end = row
                    .tail
                    .as_ref()
                    .map_or(row.value.end, |tail| tail.code_end);
                columns(value) + columns(&text[row.value.end..code_end])
            }
        }
    }
}

/// The blanks of a line: before its `=`, and before its comment.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Blanks {
    equals: usize,
    comment: usize,
}

/// The blanks that `terraform fmt` would give the lines of a paragraph.
fn aligned(text: &str, paragraph: &[Line<'_>]) -> Vec<Blanks> {
    let keys = paragraph.iter().map(|line| columns(line.key()));
    let width = keys.max().unwrap_or_default();
    let mut blanks: Vec<Blanks> = paragraph
        .iter()
        .map(|line| Blanks {
            equals: width - columns(line.key()) + 1,
            comment: 0,
        })
        .collect();
    let mut start = 0;
    for run in paragraph.chunk_by(|a, b| a.comment().is_some() == b.comment().is_some()) {
        let values = run.iter().map(|line| line.value_columns(text));
        let longest = values.max().unwrap_or_default();
        for (line, blanks) in run.iter().zip(&mut blanks[start..]) {
            blanks.comment = longest - line.value_columns(text) + 1;
        }
        start += run.len();
    }
    blanks
}

/// The blanks that a line of the text has.
fn present(text: &str, row: &Row<'_>) -> Option<Blanks> {
    let tail = row.tail.as_ref()?;
    let between = &text[row.key_end..row.value.start];
    let equals = between.strip_suffix("= ")?;
    let comment = match &tail.comment {
        Some(comment) => &text[tail.code_end..comment.start],
        None => "",
    };
    let only_spaces = |blanks: &str| blanks.bytes().all(|byte| byte == b' ');
    (only_spaces(equals) && only_spaces(comment)).then_some(Blanks {
        equals: equals.len(),
        comment: comment.len(),
    })
}

/// The lines cut into paragraphs; a line that is in none stands alone.
fn paragraphs<'a>(text: &'a str, lines: &'a [Line<'a>]) -> impl Iterator<Item = &'a [Line<'a>]> {
    let mut last: Option<&Row<'_>> = None;
    let mut starts = Vec::new();
    for (position, line) in lines.iter().enumerate() {
        let joins = match line {
            Line::Added(_) => true,
            Line::Present { row, .. } => last.is_some_and(|before| row.follows(text, before)),
        };
        let both = |upper: &Line<'_>| upper.is_in_paragraph(text) && line.is_in_paragraph(text);
        if position == 0 || !joins || !both(&lines[position - 1]) {
            starts.push(position);
        }
        if let Line::Present { row, .. } = line {
            last = Some(row);
        }
    }
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .copied()
        .chain([lines.len()])
        .collect();
    starts
        .into_iter()
        .zip(ends)
        .map(|(start, end)| &lines[start..end])
}

/// Whether each row's paragraph is aligned as it stands.
fn rows_aligned(text: &str, rows: &[Row<'_>]) -> Vec<bool> {
    let lines: Vec<Line<'_>> = rows
        .iter()
        .map(|row| Line::Present { row, value: None })
        .collect();
    paragraphs(text, &lines)
        .flat_map(|paragraph| {
            let wanted = aligned(text, paragraph);
            let is_aligned = paragraph
                .iter()
                .zip(wanted)
                .all(|(line, wanted)| match line {
                    Line::Present { row, .. } => present(text, row).is_some_and(|blanks| {
                        blanks.equals == wanted.equals
                            && (line.comment().is_none() || blanks.comment == wanted.comment)
                    }),
                    Line::Added(_) => false,
                });
            std::iter::repeat_n(is_aligned, paragraph.len())
        })
        .collect()
}

fn set_lines(text: &str, rows: &[Row<'_>], lines: &[Line<'_>], line_end: &str) -> Vec<Splice> {
    let were_aligned = rows_aligned(text, rows);
    let mut splices = Vec::new();
    let mut seen = 0;
    let mut last: Option<&Row<'_>> = None;
    let mut added = (0, String::new());
    for paragraph in paragraphs(text, lines) {
        let is_present = |line: &&Line<'_>| matches!(line, Line::Present { .. });
        let rows_end = seen + paragraph.iter().filter(is_present).count();
        let is_aligned = were_aligned[seen..rows_end]
            .iter()
            .all(|&is_aligned| is_aligned);
        seen = rows_end;
        for (line, blanks) in paragraph.iter().zip(aligned(text, paragraph)) {
            let equals = format!("{}= ", " ".repeat(blanks.equals));
            match line {
                Line::Present { row, value } => {
                    last = Some(row);
                    splices.extend(value.map(|value| (row.value.clone(), value.to_owned())));
                    if is_aligned {
                        splices.push((row.key_end..row.value.start, equals));
                        splices.extend(row.tail.as_ref().and_then(|tail| {
                            let gap = tail.code_end..tail.comment.as_ref()?.start;
                            Some((gap, " ".repeat(blanks.comment)))
                        }));
                    }
                }
                Line::Added(News { name, value }) => {
                    let Some((row, tail)) = last.and_then(|row| Some((row, row.tail.as_ref()?)))
                    else {
                        continue;
                    };
                    let indent = if is_blank(row.indent) {
                        row.indent
                    } else {
                        "  "
                    };
                    added.0 = tail.end;
                    added.1 += &format!("{line_end}{indent}{name}{equals}{value}");
                }
            }
        }
    }
    if !added.1.is_empty() {
        splices.push((added.0..added.0, added.1));
    }
    splices
}
