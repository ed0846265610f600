//! Problems as people read them: the line that is wrong, and of many alike a few.

use std::collections::HashMap;

use unicode_width::UnicodeWidthStr;

use super::escape::escaped;
use crate::problem::{Excerpt, Problem, Severity};

/// Of problems that say the same of different places, so many are shown.
const ALIKE: usize = 10;

/// A problem that is shown, and how many others like it are not.
pub(super) struct Shown<'a> {
    pub(super) problem: &'a Problem,
    pub(super) left_out: usize,
}

/// The problems to show, in their order. Alike are those that differ in what they quote only: an
/// argument that all environments lack is one mistake, not ten thousand.
pub(super) fn shown<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Vec<Shown<'a>> {
    let mut counts: HashMap<(Severity, String), (usize, usize)> = HashMap::new();
    let mut shown = Vec::new();
    for problem in problems {
        let key = (problem.severity, unquoted(&problem.message));
        let (count, last) = counts.entry(key).or_default();
        *count += 1;
        if *count > ALIKE {
            let last: &mut Shown<'_> = &mut shown[*last];
            last.left_out += 1;
        } else {
            *last = shown.len();
            shown.push(Shown {
                problem,
                left_out: 0,
            });
        }
    }
    shown
}

/// The message without what stands in quotes.
fn unquoted(message: &str) -> String {
    message.split('"').step_by(2).collect()
}

/// The lines below a problem's message: what stands in the file, and a caret below what is wrong.
pub(super) fn excerpt(problem: &Problem) -> Vec<String> {
    let (Some(line), Some(excerpt)) = (problem.line, &problem.excerpt) else {
        return Vec::new();
    };
    let Excerpt { text, before, .. } = excerpt.as_ref();
    let number = line.to_string();
    let blank = " ".repeat(number.len());
    let left: String = text.chars().take(*before).collect();
    let left = " ".repeat(printable(&left).width());
    vec![
        format!("{number} | {}", printable(text)),
        format!("{blank} | {left}^"),
    ]
}

/// The text as a terminal shows it, whose tabs would stand where its own stops are.
fn printable(text: &str) -> String {
    escaped(&text.replace('\t', "    ")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caret_stands_below_what_is_wrong() {
        for (text, offset, expected) in [
            ("a = b", 4, ["1 | a = b", "  |     ^"]),
            ("\ta = b", 5, ["1 |     a = b", "  |         ^"]),
            ("日本 = b", 9, ["1 | 日本 = b", "  |        ^"]),
            ("e\u{301} = b", 6, ["1 | e\u{301} = b", "  |     ^"]),
            ("\u{1b} = b", 4, ["1 | \\u{1b} = b", "  |          ^"]),
            ("a", 1, ["1 | a", "  |  ^"]),
        ] {
            assert_eq!(excerpt(&Problem::error("x").at(text, offset)), expected);
        }
        let far = Problem::error("x").at(&format!("{}b", "\n".repeat(99)), 99);
        assert_eq!(excerpt(&far), ["100 | b", "    | ^"]);
        assert!(excerpt(&Problem::error("x")).is_empty());
    }

    #[test]
    fn of_many_alike_ten_are_shown() {
        let all: Vec<Problem> = (0..10_000)
            .flat_map(|number| {
                let lacks = format!("the call of the module \"m{number}\" lacks the argument x");
                [
                    Problem::error(lacks),
                    Problem::warning(format!("old {}", number % 3)),
                ]
            })
            .collect();
        let shown = shown(&all);
        assert_eq!(shown.len(), 40);
        let left: Vec<usize> = shown
            .iter()
            .map(|it| it.left_out)
            .filter(|n| *n > 0)
            .collect();
        assert_eq!(left.iter().sum::<usize>() + shown.len(), 20_000);
        assert_eq!(left[0], 9_990);
    }
}
