//! Markdown as GitHub reads it. Text of others' stands in code spans only: there it mentions nobody,
//! links nothing, closes nothing and is no HTML.

use crate::escape::escaped;

/// How many letters of a text are shown. A comment holds 65,536 at most.
const MOST_LETTERS: usize = 1_000;
/// The longest address that is made a link.
const LONGEST_ADDRESS: usize = 2_000;

/// `text` as a code span that it cannot end. It is shown as it is, but for control characters, which
/// stand as escapes; an empty text is a blank.
pub fn code(text: &str) -> String {
    let text = escaped(text);
    let mut shown: String = text.chars().take(MOST_LETTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    if shown.is_empty() {
        shown.push(' ');
    }
    let runs = shown.split(|letter| letter != '`').map(str::len);
    let fence = "`".repeat(runs.max().unwrap_or(0) + 1);
    // A backtick would join the fence, and one blank on each side is taken for padding.
    let is_blank = shown.trim_matches(' ').is_empty();
    let touches = shown.starts_with('`') || shown.ends_with('`');
    let is_padded = shown.starts_with(' ') && shown.ends_with(' ');
    let padding = if touches || (is_padded && !is_blank) {
        " "
    } else {
        ""
    };
    format!("{fence}{padding}{shown}{padding}{fence}")
}

/// `text` as a code span that leads to `address`; the span alone where the address is no plain one
/// of the web.
pub fn link(text: &str, address: &str) -> String {
    match is_plain(address) {
        true => format!("[{}]({address})", code(text)),
        false => code(text),
    }
}

/// An address that can be followed; a code span where it is no plain one of the web.
pub fn address(address: &str) -> String {
    match is_plain(address) {
        true => format!("<{address}>"),
        false => code(address),
    }
}

/// Whether an address holds nothing but what it needs: no letter that ends it in Markdown, begins a
/// character's name (`&lt;`), or hides its host behind a user.
fn is_plain(address: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#=&%+,".contains(&byte);
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| address.strip_prefix(scheme));
    address.len() <= LONGEST_ADDRESS
        && rest.is_some_and(|rest| {
            rest.starts_with(|first: char| first.is_ascii_alphanumeric())
                && rest.bytes().all(is_letter)
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    use super::*;

    fn events(text: &str) -> Vec<Event<'_>> {
        let all: Vec<_> = Parser::new_ext(text, Options::all()).collect();
        assert_eq!(all.first(), Some(&Event::Start(Tag::Paragraph)));
        assert_eq!(all.last(), Some(&Event::End(TagEnd::Paragraph)));
        all[1..all.len() - 1].to_vec()
    }

    fn hostile() -> impl Strategy<Value = String> {
        let pieces = prop_oneof![
            Just("`"),
            Just("``"),
            Just("\\"),
            Just(" "),
            Just("\n\n"),
            Just("\r\n# x"),
            Just("@acme"),
            Just("closes #1"),
            Just("GH-1"),
            Just("-->"),
            Just("<!-- dayfly:comment"),
            Just("<img src=x>"),
            Just("](https://evil.example)"),
            Just("&lt;&#96;"),
            Just("https://evil.example"),
            Just("|"),
            Just("$`x`$"),
            Just("\u{202e}"),
            Just("\u{200b}\u{feff}"),
        ];
        let piece = prop_oneof![pieces.prop_map(str::to_owned), any::<String>()];
        prop::collection::vec(piece, 0..8).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_code_span_is_the_text_and_nothing_else(text in hostile(), before in "[a-z]{1,3} ") {
            prop_assume!(text.chars().count() < 300);
            let shown = if text.is_empty() { " ".to_owned() } else { escaped(&text).into_owned() };
            let written = format!("{before}{} end", code(&text));
            let expected = [
                Event::Text(before.into()),
                Event::Code(shown.into()),
                Event::Text(" end".into()),
            ];
            prop_assert_eq!(events(&written), expected);
        }

        #[test]
        fn a_link_leads_to_its_address_or_is_none(text in hostile(), to in hostile(), plain in any::<bool>()) {
            prop_assume!(text.chars().count() < 300 && to.chars().count() < 300);
            let to = if plain { format!("https://github.com/{to}") } else { to };
            let mut inside = vec![Event::Text("x ".into())];
            let written = format!("x {} y", link(&text, &to));
            let shown = if text.is_empty() { " ".to_owned() } else { escaped(&text).into_owned() };
            let found = events(&written);
            if is_plain(&to) {
                let Event::Start(Tag::Link { dest_url, .. }) = &found[1] else {
                    return Err(TestCaseError::fail(format!("{found:?}")));
                };
                prop_assert_eq!(&**dest_url, to.as_str());
                prop_assert_eq!(&found[2], &Event::Code(shown.into()));
                prop_assert_eq!(found.len(), 5);
            } else {
                inside.extend([Event::Code(shown.into()), Event::Text(" y".into())]);
                prop_assert_eq!(found, inside);
            }
        }
    }

    #[test]
    fn what_stands_there() {
        for (text, expected) in [
            ("plain", "`plain`"),
            ("a`b", "``a`b``"),
            ("```", "```` ``` ````"),
            ("x\n\n# closes #1", "`x\\n\\n# closes #1`"),
            (" x ", "`  x  `"),
            ("  ", "`  `"),
            ("", "` `"),
        ] {
            assert_eq!(code(text), expected);
        }
        assert!(code(&"ü".repeat(70_000)).len() < 3_000);
    }

    #[test]
    fn only_plain_addresses_are_links() {
        for (to, expected) in [
            (
                "https://x.example/a?b=c&d#e",
                "<https://x.example/a?b=c&d#e>",
            ),
            ("http://127.0.0.1:80/", "<http://127.0.0.1:80/>"),
            ("javascript:alert(1)", "`javascript:alert(1)`"),
            ("https://a@evil.example", "`https://a@evil.example`"),
            ("https://x.example/)", "`https://x.example/)`"),
            ("https://x.example/&lt;", "`https://x.example/&lt;`"),
            ("https://", "`https://`"),
            ("https:///x", "`https:///x`"),
        ] {
            assert_eq!(address(to), expected);
        }
    }
}
