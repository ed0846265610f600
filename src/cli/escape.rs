//! Text of others', made safe to print among colours of our own.

use crate::escape::push;
pub(super) use crate::escape::{escaped, is_control};

/// As [`escaped`], for a line that holds colours of our own and may begin with a blank line.
pub(super) fn escaped_but_colours(text: &str) -> String {
    let line = text.trim_start_matches('\n');
    let mut escaped = "\n".repeat(text.len() - line.len());
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        let length = colour_length(rest);
        if length > 0 {
            escaped.push_str(&rest[..length]);
        } else {
            push(&mut escaped, character);
        }
        rest = &rest[length.max(character.len_utf8())..];
    }
    escaped
}

/// How many bytes of the beginning are one command for a colour: `ESC [ digits and ; m`. 0 if none.
fn colour_length(text: &str) -> usize {
    let Some(parameters) = text.strip_prefix("\u{1b}[") else {
        return 0;
    };
    let count = parameters
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b';')
        .count();
    match parameters.as_bytes().get(count) {
        Some(b'm') => count + 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, escaped_but_colours};

    #[test]
    fn text_of_others_is_one_line_without_power() {
        for (text, expected) in [
            ("plain ä 日本 \\n", "plain ä 日本 \\n"),
            ("a\n::error::b", "a\\n::error::b"),
            ("a\r\tb\0", "a\\r\\tb\\u{0}"),
            ("\u{1b}[31mred\u{1b}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
            ("\u{85}\u{2028}\u{202e}x", "\\u{85}\\u{2028}\\u{202e}x"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    #[test]
    fn colours_and_a_blank_line_before_are_ours() {
        for (text, expected) in [
            ("\nnext: x", "\nnext: x"),
            ("\u{1b}[31;1mä\u{1b}[0m\nb", "\u{1b}[31;1mä\u{1b}[0m\\nb"),
            ("\u{1b}[2J\u{1b}[", "\\u{1b}[2J\\u{1b}["),
        ] {
            assert_eq!(escaped_but_colours(text), expected);
        }
    }
}
