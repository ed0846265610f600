//! What a template prints of a value: an identifier that holds the value in hexadecimal digits.

use std::io::{self, Write};
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{BlockLabel, Body};
use hcl_edit::visit::{Visit, visit_expr};

/// Begins each placeholder. No template has a reason to say this.
pub(super) const PLACEHOLDER: &str = "dayfly_value_";

/// The escape function of the template engine: all that is printed of a string.
pub(super) fn write_placeholder(text: &str, output: &mut dyn Write) -> io::Result<()> {
    output.write_all(PLACEHOLDER.as_bytes())?;
    for byte in text.bytes() {
        write!(output, "{byte:02x}")?;
    }
    output.write_all(b"_")
}

/// The text that a placeholder stands for; `None` if `word` is none, or one with something at its
/// ends.
fn text_of(word: &str) -> Option<String> {
    let digits = word.strip_prefix(PLACEHOLDER)?.strip_suffix('_')?;
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..digits.len())
        .step_by(2)
        .map(|position| u8::from_str_radix(&digits[position..position + 2], 16).ok())
        .collect();
    String::from_utf8(bytes?).ok()
}

/// The placeholders of `rendered`, which parses as `body`, that stand where a value can: their ranges
/// in their order, and their texts.
pub(super) fn places(rendered: &str, body: &Body) -> Vec<(Range<usize>, String)> {
    let mut places = Places::default();
    places.visit_body(body);
    places.0.sort_by_key(|range| range.start);
    places
        .0
        .into_iter()
        .filter_map(|range| Some((range.clone(), text_of(&rendered[range])?)))
        .collect()
}

/// Where a placeholder may stand: the ranges of variables that are whole expressions, and of
/// labels.
#[derive(Default)]
struct Places(Vec<Range<usize>>);

impl Visit for Places {
    fn visit_expr(&mut self, expression: &Expression) {
        if let Expression::Variable(name) = expression {
            self.0.extend(name.span());
        }
        visit_expr(self, expression);
    }

    fn visit_block_label(&mut self, label: &BlockLabel) {
        if let BlockLabel::Ident(name) = label {
            self.0.extend(name.span());
        }
    }
}
