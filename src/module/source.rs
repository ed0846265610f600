//! The text of a file, parsed, with the literals of its templates as Terraform reads them.
//!
//! The parser leaves three things open or does them differently from Terraform: the strip markers
//! (`~`), the indentation of `<<-`, and line ends in quoted strings. They are settled here, once
//! for each file, so that the evaluation only joins literals.

use std::sync::Arc;

use hcl_edit::expr::{Expression, ObjectKeyMut};
use hcl_edit::parser;
use hcl_edit::structure::Body;
use hcl_edit::template::{
    Directive, Element, ForTemplateExpr, HeredocTemplate, StringTemplate, Strip, Template,
};
use hcl_edit::visit_mut::{
    VisitMut, visit_for_template_expr_mut, visit_heredoc_template_mut, visit_string_template_mut,
};
use hcl_edit::{Decorated, Span};

use super::json_syntax;
use crate::problem::Problem;

/// A file that errors can point into.
#[derive(Debug)]
pub(super) struct Source {
    /// From the root of the repository.
    pub path: String,
    /// In HCL.
    pub text: String,
    /// What stands in the file, where that is not HCL.
    pub written: Option<Written>,
}

/// A file from whose text another one was made.
#[derive(Debug)]
pub(super) struct Written {
    pub text: String,
    /// Offsets in the text that was made, ascending, and where in this text that comes from.
    pub positions: Vec<(usize, usize)>,
}

impl Written {
    fn position(&self, offset: usize) -> usize {
        let after = self.positions.partition_point(|(made, _)| *made <= offset);
        let before = after
            .checked_sub(1)
            .and_then(|index| self.positions.get(index));
        before.map_or(0, |(_, position)| *position)
    }
}

impl Source {
    /// An error at the byte `offset`.
    pub(super) fn problem(&self, message: impl Into<String>, offset: Option<usize>) -> Problem {
        let problem = Problem::error(message).in_file(self.path.clone());
        match (offset, &self.written) {
            (Some(offset), Some(written)) => problem.at(&written.text, written.position(offset)),
            (Some(offset), None) => problem.at(&self.text, offset),
            (None, _) => problem,
        }
    }

    /// Where the byte `offset` comes from in a file of JSON, and that file's text.
    pub(super) fn in_json(&self, offset: usize) -> Option<(&str, usize)> {
        let written = self.written.as_ref()?;
        Some((&written.text, written.position(offset)))
    }

    /// The line of the byte `offset`, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        let (text, offset) = match &self.written {
            Some(written) => (&written.text, written.position(offset)),
            None => (&self.text, offset),
        };
        crate::problem::line_and_column(text, offset).0
    }
}

/// The body of a configuration file. Line ends in quoted strings and the like are problems too.
pub(super) fn parse_body(path: &str, bytes: Vec<u8>) -> Result<(Arc<Source>, Body), Problem> {
    let mut source = read(path, bytes)?;
    if path.ends_with(".json") {
        let (hcl, written) = json_syntax::to_hcl(path, &source.text)?;
        source.text = hcl;
        source.written = Some(written);
    }
    let mut body = parser::parse_body(&source.text).map_err(|error| refused(&source, &error))?;
    let mut settling = Settling::new(&source.text);
    settling.visit_body_mut(&mut body);
    match settling.problem {
        Some((message, offset)) => Err(source.problem(message, Some(offset))),
        None => Ok((Arc::new(source), body)),
    }
}

/// The template that a file is (`templatefile`).
pub(super) fn parse_template(path: &str, text: &str) -> Result<(Arc<Source>, Template), Problem> {
    let source = Source {
        path: path.to_owned(),
        text: text.to_owned(),
        written: None,
    };
    let mut template =
        parser::parse_template(&source.text).map_err(|error| refused(&source, &error))?;
    let mut settling = Settling::new(&source.text);
    settling.settle(
        &mut template,
        Style {
            lines: true,
            flush: false,
        },
    );
    settling.visit_template_mut(&mut template);
    match settling.problem {
        Some((message, offset)) => Err(source.problem(message, Some(offset))),
        None => Ok((Arc::new(source), template)),
    }
}

/// One expression alone.
pub(super) fn parse_expression(
    path: &str,
    text: &str,
) -> Result<(Arc<Source>, Expression), Problem> {
    let source = Source {
        path: path.to_owned(),
        text: text.to_owned(),
        written: None,
    };
    let expression = parser::parse_expr(&source.text).map_err(|error| refused(&source, &error))?;
    let expression = settle_expression(&source, expression)?;
    Ok((Arc::new(source), expression))
}

/// An expression that was parsed elsewhere from the text of `source`.
pub(super) fn settle_expression(
    source: &Source,
    mut expression: Expression,
) -> Result<Expression, Problem> {
    let mut settling = Settling::new(&source.text);
    settling.visit_expr_mut(&mut expression);
    match settling.problem {
        Some((message, offset)) => Err(source.problem(message, Some(offset))),
        None => Ok(expression),
    }
}

fn read(path: &str, bytes: Vec<u8>) -> Result<Source, Problem> {
    match String::from_utf8(bytes) {
        // Terraform skips a byte order mark, the parser does not.
        Ok(text) => {
            let text = text
                .strip_prefix('\u{feff}')
                .map(str::to_owned)
                .unwrap_or(text);
            Ok(Source {
                path: path.to_owned(),
                text,
                written: None,
            })
        }
        Err(_) => Err(Problem::error("cannot read the file: it is not UTF-8").in_file(path)),
    }
}

fn refused(source: &Source, error: &parser::Error) -> Problem {
    let message = format!("syntax error: {}", error.message().trim());
    source.problem(message, Some(error.location().offset()))
}

#[derive(Clone, Copy)]
struct Style {
    /// Literals come from the text as it stands, line by line: heredocs and template files.
    lines: bool,
    /// The common indentation goes: `<<-`.
    flush: bool,
}

struct Settling<'a> {
    text: &'a str,
    /// The first thing that Terraform would not accept, and where.
    problem: Option<(&'static str, usize)>,
}

/// A piece of a template as Terraform's scanner cuts it.
enum Piece {
    Text {
        literal: usize,
        text: String,
    },
    Sequence {
        strip_before: bool,
        strip_after: bool,
    },
}

impl<'a> Settling<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            problem: None,
        }
    }

    fn refuse(&mut self, message: &'static str, offset: usize) {
        self.problem.get_or_insert((message, offset));
    }

    fn refuse_line_end(&mut self, span: Option<std::ops::Range<usize>>) {
        if let Some(span) = span
            && let Some(position) = self.text.get(span.clone()).and_then(|text| text.find('\n'))
        {
            self.refuse(
                "a quoted string cannot span lines: use a heredoc or \\n",
                span.start + position,
            );
        }
    }

    fn settle(&mut self, template: &mut Template, style: Style) {
        let mut pieces = Vec::new();
        let mut literals = 0;
        self.cut(template, style, &mut pieces, &mut literals);
        strip(&mut pieces);
        if style.flush {
            flush(&mut pieces);
        }
        let mut settled = vec![String::new(); literals];
        for piece in pieces {
            if let Piece::Text { literal, text } = piece {
                settled[literal].push_str(&text);
            }
        }
        if style.lines {
            for text in &mut settled {
                *text = text.replace("$${", "${").replace("%%{", "%{");
            }
        }
        put_back(template, &mut settled.into_iter());
    }

    /// All pieces of the template in the order of the text, those of its directives within.
    fn cut(
        &mut self,
        template: &Template,
        style: Style,
        pieces: &mut Vec<Piece>,
        literals: &mut usize,
    ) {
        for element in template.iter() {
            match element {
                Element::Literal(literal) => {
                    let raw = literal.span().and_then(|span| self.text.get(span));
                    match raw {
                        Some(raw) if style.lines => {
                            pieces.extend(raw.split_inclusive('\n').map(|line| Piece::Text {
                                literal: *literals,
                                text: line.to_owned(),
                            }));
                        }
                        _ => {
                            self.refuse_line_end(literal.span());
                            let text = literal.value().clone();
                            pieces.push(Piece::Text {
                                literal: *literals,
                                text,
                            });
                        }
                    }
                    *literals += 1;
                }
                Element::Interpolation(interpolation) => pieces.push(sequence(interpolation.strip)),
                Element::Directive(directive) => match directive.as_ref() {
                    Directive::If(directive) => {
                        pieces.push(sequence(directive.if_expr.strip));
                        self.cut(&directive.if_expr.template, style, pieces, literals);
                        if let Some(otherwise) = &directive.else_expr {
                            pieces.push(sequence(otherwise.strip));
                            self.cut(&otherwise.template, style, pieces, literals);
                        }
                        pieces.push(sequence(directive.endif_expr.strip));
                    }
                    Directive::For(directive) => {
                        pieces.push(sequence(directive.for_expr.strip));
                        self.cut(&directive.for_expr.template, style, pieces, literals);
                        pieces.push(sequence(directive.endfor_expr.strip));
                    }
                },
            }
        }
    }
}

fn sequence(strip: Strip) -> Piece {
    Piece::Sequence {
        strip_before: strip.strip_start(),
        strip_after: strip.strip_end(),
    }
}

/// A marker takes the white space of the one piece beside it, which ends with its line.
fn strip(pieces: &mut [Piece]) {
    for index in 0..pieces.len() {
        let Piece::Sequence {
            strip_before,
            strip_after,
        } = pieces[index]
        else {
            continue;
        };
        if strip_before
            && index > 0
            && let Piece::Text { text, .. } = &mut pieces[index - 1]
        {
            text.truncate(text.trim_end().len());
        }
        if strip_after && let Some(Piece::Text { text, .. }) = pieces.get_mut(index + 1) {
            *text = text.trim_start().to_owned();
        }
    }
}

/// Takes the smallest indentation of all lines from each, as HCL's `flushHeredocTemplateParts`:
/// blank lines neither count nor change, and a line that begins with a sequence has none.
fn flush(pieces: &mut [Piece]) {
    let mut smallest = usize::MAX;
    let mut indented = Vec::new();
    let mut at_line_start = true;
    for (index, piece) in pieces.iter().enumerate() {
        let starts_line = std::mem::replace(&mut at_line_start, false);
        match piece {
            Piece::Text { text, .. } => {
                at_line_start = text.ends_with('\n');
                let rest = text.trim_start();
                if starts_line && !(rest.is_empty() && at_line_start) {
                    let indentation = text[..text.len() - rest.len()].chars().count();
                    smallest = smallest.min(indentation);
                    indented.push(index);
                }
            }
            Piece::Sequence { .. } if starts_line => smallest = 0,
            Piece::Sequence { .. } => {}
        }
    }
    for index in indented {
        if let Piece::Text { text, .. } = &mut pieces[index] {
            *text = text.chars().skip(smallest).collect();
        }
    }
}

fn put_back(template: &mut Template, settled: &mut impl Iterator<Item = String>) {
    for element in template.iter_mut() {
        match element {
            Element::Literal(literal) => {
                if let Some(text) = settled.next() {
                    *literal.value_mut() = text;
                }
            }
            Element::Interpolation(_) => {}
            Element::Directive(directive) => match directive.as_mut() {
                Directive::If(directive) => {
                    put_back(&mut directive.if_expr.template, &mut *settled);
                    if let Some(otherwise) = &mut directive.else_expr {
                        put_back(&mut otherwise.template, &mut *settled);
                    }
                }
                Directive::For(directive) => {
                    put_back(&mut directive.for_expr.template, &mut *settled);
                }
            },
        }
    }
}

impl VisitMut for Settling<'_> {
    fn visit_string_mut(&mut self, node: &mut Decorated<String>) {
        self.refuse_line_end(node.span());
    }

    fn visit_string_template_mut(&mut self, node: &mut StringTemplate) {
        self.settle(
            node,
            Style {
                lines: false,
                flush: false,
            },
        );
        visit_string_template_mut(self, node);
    }

    fn visit_heredoc_template_mut(&mut self, node: &mut HeredocTemplate) {
        let written = node.span().and_then(|span| self.text.get(span));
        let flush = written.map_or(node.indent().is_some(), |text| text.starts_with("<<-"));
        self.settle(&mut node.template, Style { lines: true, flush });
        visit_heredoc_template_mut(self, node);
    }

    fn visit_for_template_expr_mut(&mut self, node: &mut ForTemplateExpr) {
        // The walk of the library leaves this one out.
        self.visit_expr_mut(&mut node.collection_expr);
        visit_for_template_expr_mut(self, node);
    }

    fn visit_object_key_mut(&mut self, node: ObjectKeyMut) {
        // Keys cannot be changed in place, so what would have to change in one is refused.
        let Some(span) = node.span() else { return };
        let key = self.text.get(span.clone()).unwrap_or_default();
        if ["${~", "%{~", "~}", "<<"]
            .iter()
            .any(|marker| key.contains(marker))
        {
            self.refuse(
                "strip markers and heredocs are not supported in a key",
                span.start,
            );
        }
        self.refuse_line_end(
            node.as_expr()
                .is_some_and(Expression::is_template)
                .then_some(span),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Element, parse_body};

    fn literals(text: &str) -> Vec<String> {
        let (_, body) = parse_body("a.tf", text.into()).unwrap();
        let value = &body.get_attribute("a").unwrap().value;
        let elements = value.as_template().unwrap().iter();
        elements
            .filter_map(|element| match element {
                Element::Literal(literal) => Some(literal.value().clone()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn indentation_is_that_of_the_least_indented_line() {
        assert_eq!(
            literals("a = <<-E\n    x\n\n      y\n  E\n"),
            ["x\n\n  y\n"]
        );
        assert_eq!(literals("a = <<-E\n  x\n${1}\n  E\n"), ["  x\n", "\n"]);
        assert_eq!(literals("a = <<E\n  $${x}\n  E\n"), ["  ${x}\n"]);
    }

    #[test]
    fn markers_strip_to_the_end_of_the_line() {
        assert_eq!(literals("a = <<E\nx  ${~ 1 ~}  \n  y\nE\n"), ["x", "  y\n"]);
        assert_eq!(literals(r#"a = "x  ${~ 1 ~}  y""#), ["x", "y"]);
    }

    #[test]
    fn a_quoted_string_stays_on_its_line() {
        let problem = parse_body("a.tf", "a = \"x\ny\"\n".into()).unwrap_err();
        assert!(problem.message.contains("cannot span lines"));
        assert_eq!(problem.line, Some(1));
        assert!(parse_body("a.tf", vec![0xff]).is_err());
        assert!(parse_body("a.tf", "\u{feff}a = 1\n".into()).is_ok());
    }
}
