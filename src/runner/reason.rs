//! The one line that tells why a step failed, from the tool's own words.

/// A reason is read in a comment or a list; the log has the rest.
const LIMIT: usize = 600;

/// Whether the tool begins to tell an error with this line.
pub(super) fn begins_error(line: &str) -> bool {
    bare(line).starts_with("Error: ")
}

/// The first error in a tool's text: what is wrong, its details, and where, as the tool prints
/// it (`with terraform_data.page, on main.tf line 7`). `None` if there is none.
pub(super) fn first_error(text: &str) -> Option<String> {
    let lines: Vec<String> = text.lines().map(bare).collect();
    let starts: Vec<usize> = (0..lines.len())
        .filter(|index| is_message(&lines[*index]))
        .collect();
    let messages = starts.iter().enumerate().map(|(number, start)| {
        let end = starts.get(number + 1).copied().unwrap_or(lines.len());
        &lines[*start..end]
    });
    let mut errors = messages
        .filter(|message| begins_error(&message[0]))
        .map(tell);
    let first = errors.next()?;
    // Terraform's preface to the errors of a module that cannot be read.
    let is_preface = first.contains("described below");
    Some(errors.next().filter(|_| is_preface).unwrap_or(first))
}

/// One message of the tool, as one line.
fn tell(message: &[String]) -> String {
    let mut paragraphs = message
        .split(|line| line.trim().is_empty())
        .filter(|paragraph| !paragraph.is_empty())
        .peekable();
    // A long summary is wrapped.
    let summary = paragraphs.next().unwrap_or_default().join(" ");
    let mut told = summary.trim_start_matches("Error: ").trim().to_owned();
    let place = paragraphs
        .next_if(|paragraph| is_place(&paragraph[0]))
        .unwrap_or_default();
    // The lines of the file that are quoted there may hold empty ones.
    let detail = paragraphs.find(|paragraph| !paragraph[0].starts_with(' '));
    if let Some(detail) = detail {
        told = format!("{told}: {}", detail.join(" "));
    }
    let place: Vec<&str> = place
        .iter()
        .filter(|line| is_place(line))
        .map(|line| where_is(line))
        .collect();
    if !place.is_empty() {
        told = format!("{told} ({})", place.join(", "));
    }
    one_line(&told)
}

/// The text as one line, without control characters, and not longer than a reason may be.
pub(super) fn one_line(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// The line without the colours and the box that tools draw around a message on a terminal.
fn bare(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\u{1b}' {
            letters.by_ref().find(char::is_ascii_alphabetic);
        } else {
            plain.push(letter);
        }
    }
    let boxed = plain.trim_start_matches(['╷', '│', '╵']);
    if boxed.len() == plain.len() {
        return plain.trim_end().to_owned();
    }
    boxed
        .strip_prefix(' ')
        .unwrap_or(boxed)
        .trim_end()
        .to_owned()
}

fn is_message(line: &str) -> bool {
    line.starts_with("Error: ") || line.starts_with("Warning: ")
}

fn is_place(line: &str) -> bool {
    line.starts_with("  with ") || line.starts_with("  on ")
}

/// `on main.tf line 7` of `  on main.tf line 7, in resource "terraform_data" "page":`.
fn where_is(line: &str) -> &str {
    let line = line.trim().trim_end_matches([',', ':']);
    match line.split_once(", in ") {
        Some((place, _)) if line.starts_with("on ") => place,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::{first_error, one_line};

    #[test]
    fn the_first_error_becomes_one_line() {
        let cases = [
            (
                "Plan: 1 to add\n\nError: Invalid reference\n\n  on main.tf line 2, in resource \"a\" \"b\":\n   2:   input = foo\n\nA reference to a resource type must be followed by at least one attribute\naccess, specifying the resource name.\n\nError: second\n",
                "Invalid reference: A reference to a resource type must be followed by at least one attribute access, specifying the resource name. (on main.tf line 2)",
            ),
            (
                "Error: local-exec provisioner error\n\n  with module.a.terraform_data.page[\"x, y\"],\n  on page/main.tf line 7, in resource \"terraform_data\" \"page\":\n   7:   provisioner \"local-exec\" {\n\nError running command 'exit 3': exit status 3. Output: boom\n\n",
                "local-exec provisioner error: Error running command 'exit 3': exit status 3. Output: boom (with module.a.terraform_data.page[\"x, y\"], on page/main.tf line 7)",
            ),
            (
                "\u{1b}[31m╷\u{1b}[0m\n\u{1b}[31m│\u{1b}[0m \u{1b}[1mError: \u{1b}[0mNo value\n│ \n│   on variables.tf line 1:\n│    1: variable \"x\" {\n│ \n│ The root module\n│ needs it.\n╵\n",
                "No value: The root module needs it. (on variables.tf line 1)",
            ),
            ("Error: input is disabled\n", "input is disabled"),
            (
                "Error: Terraform encountered problems during initialisation, including problems\nwith the configuration, described below.\n\nThe configuration must be valid.\n\nError: Unsupported block type\n\n  on main.tf line 1:\n   1: not hcl\n\nBlocks of type \"not\" are not expected here.\n",
                "Unsupported block type: Blocks of type \"not\" are not expected here. (on main.tf line 1)",
            ),
            (
                "Error: A long summary that\nis wrapped\n\n  on a.tf line 1:\n   1: a\n\n   3: b\n\nDetail.\n",
                "A long summary that is wrapped: Detail. (on a.tf line 1)",
            ),
            ("Error: a\n\nWarning: b\n\nnot of the error\n", "a"),
        ];
        for (text, reason) in cases {
            assert_eq!(first_error(text).as_deref(), Some(reason));
        }
    }

    #[test]
    fn what_a_provisioner_prints_is_not_the_tools_error() {
        assert_eq!(
            first_error("a (local-exec): Error: not this\nall is well\n"),
            None
        );
    }

    #[test]
    fn a_reason_is_one_line_of_bounded_length() {
        assert_eq!(one_line(" a\r\n\tb\u{7}c "), "a b c");
        assert_eq!(one_line(&"é".repeat(700)).chars().count(), 601);
    }
}
