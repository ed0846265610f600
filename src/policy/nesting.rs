//! Guards the engine's parser: it goes down the stack once for each bracket and operator, and
//! tries each bracket in a bracket twice.

use regorus::unstable::{Lexer, Source, Span, TokenKind};

/// Brackets in brackets. Policies by hand have some eight; the parser's time doubles with each.
const MAX_DEPTH: usize = 16;
/// Operators in one expression.
const MAX_OPERATORS: usize = 100;

const OPERATORS: [&str; 16] = [
    "+", "-", "*", "/", "%", "&", "|", "==", "!=", "<", "<=", ">", ">=", "=", ":=", "not",
];

/// Where the text is nested deeper than the parser can follow, and why; `None` also where it
/// cannot be split into tokens, which the parser itself reports.
pub(super) fn too_deep(file: &str, text: &str) -> Option<(Span, String)> {
    let source = Source::from_contents(file.to_owned(), text.to_owned()).ok()?;
    let mut lexer = Lexer::new(&source);
    let mut depth = 0_usize;
    let mut operators = 0_usize;
    let mut was_operator = false;
    let mut line = 0;
    loop {
        let token = lexer.next_token().ok()?;
        let (kind, span) = (token.0, token.1);
        if kind == TokenKind::Eof {
            return None;
        }
        let is_text = matches!(kind, TokenKind::String | TokenKind::RawString);
        let symbol = if is_text { "" } else { span.text() };
        let is_operator = OPERATORS.contains(&symbol);
        match symbol {
            "[" | "{" | "(" => depth += 1,
            "]" | "}" | ")" => depth = depth.saturating_sub(1),
            _ => {}
        }
        // A statement ends with its line unless an operator holds it together.
        if matches!(symbol, "," | ";") || (span.line != line && !is_operator && !was_operator) {
            operators = 0;
        }
        operators += usize::from(is_operator);
        if depth > MAX_DEPTH {
            return Some((span, format!("brackets are nested deeper than {MAX_DEPTH}")));
        }
        if operators > MAX_OPERATORS {
            return Some((
                span,
                format!("an expression has more than {MAX_OPERATORS} operators"),
            ));
        }
        line = span.line;
        was_operator = is_operator;
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_DEPTH, MAX_OPERATORS, too_deep};

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("a = {}1{}", "[".repeat(depth), "]".repeat(depth));
        let chained = |count: usize| format!("a := 1{}", "\n + 1".repeat(count - 1));
        let broken_after = |count: usize| format!("a := 1{}", " +\n 1".repeat(count - 1));
        for (text, refused) in [
            (nested(MAX_DEPTH), false),
            (nested(MAX_DEPTH + 1), true),
            (chained(MAX_OPERATORS), false),
            (chained(MAX_OPERATORS + 1), true),
            (broken_after(MAX_OPERATORS + 1), true),
            ("a := 1 + 1\n".repeat(1_000), false),
            (format!("a := [{}]", "1 + 1, ".repeat(120)), false),
            (format!("a := \"{}\"", "[".repeat(100)), false),
            (format!("# {}", "[".repeat(100)), false),
        ] {
            assert_eq!(too_deep("f", &text).is_some(), refused, "{text:.80}");
        }
    }
}
