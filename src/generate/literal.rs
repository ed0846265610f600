//! Strings as HCL literals.

use std::fmt::Write;

/// `text` as an HCL string literal, quotes included, that evaluates to exactly `text` (which
/// Terraform then brings into normal form C, as it does with every string).
///
/// The markers of templates, `${` and `%{`, are broken by an escaped first letter rather than
/// doubled: doubling is read differently where several `$` or `%` stand in a row.
pub fn hcl_string(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('"');
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => literal.push_str("\\\""),
            '\\' => literal.push_str("\\\\"),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            '$' | '%' if letters.peek() == Some(&'{') => escape(&mut literal, letter),
            // Letters that a reader would not see, or see elsewhere than they stand.
            letter if letter.is_control() || is_invisible(letter) => escape(&mut literal, letter),
            letter => literal.push(letter),
        }
    }
    literal.push('"');
    literal
}

fn escape(literal: &mut String, letter: char) {
    // Writing to a string cannot fail.
    let _ = match u32::from(letter) {
        code @ ..=0xffff => write!(literal, "\\u{code:04x}"),
        code => write!(literal, "\\U{code:08x}"),
    };
}

/// Marks of direction, separators of lines, the byte order mark and their like.
fn is_invisible(letter: char) -> bool {
    matches!(
        letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        for (text, expected) in [
            ("", r#""""#),
            ("main", r#""main""#),
            ("größer/😀", r#""größer/😀""#),
            ("a\"b\\c", r#""a\"b\\c""#),
            ("a\nb\r\tc", r#""a\nb\r\tc""#),
            ("${x}", r#""\u0024{x}""#),
            ("$${x}", r#""$\u0024{x}""#),
            ("%{if}", r#""\u0025{if}""#),
            ("${$%{", r#""\u0024{$\u0025{""#),
            ("100% $5 {}", r#""100% $5 {}""#),
            ("a\0b", r#""a\u0000b""#),
            ("\u{feff}a\u{202e}b\u{2028}c", r#""\ufeffa\u202eb\u2028c""#),
            ("\u{e0041}", r#""\U000e0041""#),
        ] {
            assert_eq!(hcl_string(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_literal_reads_as_its_text() {
        let letters = ['$', '%', '{', '}', '\\', '"', 'a', '\n', '\0', '\u{feff}'];
        let mut texts = vec![String::new()];
        for length in 1..=5 {
            let longer = texts
                .iter()
                .filter(|text| text.chars().count() == length - 1);
            let longer: Vec<String> = longer
                .flat_map(|text| letters.map(|letter| format!("{text}{letter}")))
                .collect();
            texts.extend(longer);
        }
        for text in texts {
            let literal = hcl_string(&text);
            let expression = hcl_edit::parser::parse_expr(&literal).unwrap();
            assert_eq!(expression.as_str(), Some(text.as_str()), "{literal}");
        }
    }
}
