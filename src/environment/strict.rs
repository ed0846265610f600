//! An environment file read strictly: whether it can do no more than one that dayfly writes.
//!
//! What is not known to be harmless is a fault. Only a service's template, which its people
//! review, decides what may stand in a file beside plain values.

use std::collections::BTreeSet;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Attribute, Block, Body, Structure};

use super::file::{literal, parse};
use super::{EnvironmentError, EnvironmentFile};
use crate::problem::Problem;

/// No file that dayfly writes comes near.
const LONGEST_BYTES: usize = 64 * 1024;

/// An environment file as the service's template makes it, for any pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub text: String,
    /// The attributes that hold values of the pull request's; the others are the template's own.
    pub written: BTreeSet<String>,
}

/// What is wrong with the file at `path`, which stood there before with the text `before`; `None`
/// if nothing is. What has not changed is not judged again: a person may have put it there.
pub fn fault(
    path: &str,
    bytes: &[u8],
    patterns: &[Pattern],
    before: Option<&str>,
) -> Option<Problem> {
    check(path, bytes, patterns, before).err()
}

fn check(
    path: &str,
    bytes: &[u8],
    patterns: &[Pattern],
    before: Option<&str>,
) -> Result<(), Problem> {
    let fail = |message: &str| Problem::error(message).in_file(path);
    if bytes.len() > LONGEST_BYTES {
        return Err(fail("it is longer than an environment file can be"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| fail("it is not text in UTF-8"))?;
    // Readers of HCL disagree where such a letter ends a line or a comment.
    let is_odd = |letter: char| letter.is_control() && !matches!(letter, '\n' | '\t');
    if let Some(offset) = text.replace("\r\n", " \n").find(is_odd) {
        return Err(fail("it holds a control character").at(text, offset));
    }
    let of_text = |error: EnvironmentError| {
        let EnvironmentError::File(problem) = error;
        problem
    };
    EnvironmentFile::read(path, text).map_err(of_text)?;
    let body = parse(path, text).map_err(of_text)?;
    let before = Parsed::read(path, before);
    let block = only_block(path, text, &body, before.as_ref())?;
    check_label(path, text, block, before.as_ref())?;
    let patterns: Vec<Parsed> = patterns
        .iter()
        .filter_map(|pattern| {
            let parsed = Parsed::read(path, Some(&pattern.text))?;
            Some(Parsed {
                written: pattern.written.clone(),
                ..parsed
            })
        })
        .collect();
    let judge = Judge {
        path,
        text,
        patterns: &patterns,
        before: before.as_ref(),
    };
    judge.check(block)
}

/// A file to compare with.
struct Parsed {
    text: String,
    body: Body,
    written: BTreeSet<String>,
}

impl Parsed {
    fn read(path: &str, text: Option<&str>) -> Option<Self> {
        let text = text?.to_owned();
        let body = parse(path, &text).ok()?;
        Some(Self {
            text,
            body,
            written: BTreeSet::new(),
        })
    }

    fn block(&self) -> Option<&Block> {
        self.body.get_blocks("module").next()
    }

    fn value(&self, name: &str) -> Option<&str> {
        let attribute = self.block()?.body.get_attribute(name)?;
        slice(&self.text, attribute.value.span())
    }

    fn has(&self, body: &Body, structure: &str) -> bool {
        body.iter()
            .any(|own| slice(&self.text, own.span()) == Some(structure))
    }
}

fn slice(text: &str, span: Option<Range<usize>>) -> Option<&str> {
    text.get(span?).map(str::trim)
}

fn start(span: Option<Range<usize>>) -> usize {
    span.map_or(0, |span| span.start)
}

fn only_block<'a>(
    path: &str,
    text: &str,
    body: &'a Body,
    before: Option<&Parsed>,
) -> Result<&'a Block, Problem> {
    let mut module = None;
    for structure in body.iter() {
        match structure {
            Structure::Block(block) if block.ident.as_str() == "module" => module = Some(block),
            other => {
                let is_old = before.is_some_and(|before| {
                    slice(text, other.span()).is_some_and(|own| before.has(&before.body, own))
                });
                if !is_old {
                    let message = match other {
                        Structure::Block(block) => {
                            format!("it holds a `{}` block", block.ident.as_str())
                        }
                        Structure::Attribute(attribute) => {
                            format!("it sets `{}` outside of its module", attribute.key.as_str())
                        }
                    };
                    return Err(Problem::error(message)
                        .in_file(path)
                        .at(text, start(other.span())));
                }
            }
        }
    }
    module.ok_or_else(|| Problem::error("it holds no module block").in_file(path))
}

/// A new module has the name of its file: so no two files have one.
fn check_label(
    path: &str,
    text: &str,
    block: &Block,
    before: Option<&Parsed>,
) -> Result<(), Problem> {
    let label = |block: &Block| match block.labels.as_slice() {
        [label] => Some(label.as_str().to_owned()),
        _ => None,
    };
    let file = path.rsplit('/').next().unwrap_or_default();
    let wanted = before
        .and_then(Parsed::block)
        .and_then(label)
        .or_else(|| file.strip_suffix(".tf").map(str::to_owned));
    match (label(block), wanted) {
        (Some(own), Some(wanted)) if own == wanted => Ok(()),
        (_, wanted) => Err(Problem::error(format!(
            "its module must have the label \"{}\"",
            wanted.unwrap_or_default()
        ))
        .in_file(path)
        .at(text, start(block.span()))),
    }
}

struct Judge<'a> {
    path: &'a str,
    text: &'a str,
    patterns: &'a [Parsed],
    before: Option<&'a Parsed>,
}

impl Judge<'_> {
    fn check(&self, block: &Block) -> Result<(), Problem> {
        let mut seen = BTreeSet::new();
        for structure in block.body.iter() {
            match structure {
                Structure::Attribute(attribute) => {
                    seen.insert(attribute.key.as_str());
                    self.check_attribute(attribute)?;
                }
                Structure::Block(inner) => {
                    let before = self
                        .before
                        .and_then(|before| Some((before, before.block()?)));
                    let is_old = before.is_some_and(|(before, block)| {
                        slice(self.text, inner.span())
                            .is_some_and(|own| before.has(&block.body, own))
                    });
                    if !is_old {
                        let message =
                            format!("its module holds a `{}` block", inner.ident.as_str());
                        return Err(Problem::error(message)
                            .in_file(self.path)
                            .at(self.text, start(inner.span())));
                    }
                }
            }
        }
        self.check_complete(block, &seen)
    }

    fn check_attribute(&self, attribute: &Attribute) -> Result<(), Problem> {
        let name = attribute.key.as_str();
        let Some(own) = slice(self.text, attribute.value.span()) else {
            return Err(self.fault(attribute, format!("`{name}` cannot be read")));
        };
        if self.before.and_then(|before| before.value(name)) == Some(own) {
            return Ok(());
        }
        let is_written = |pattern: &&Parsed| pattern.written.contains(name);
        let by_template: Vec<&str> = self
            .patterns
            .iter()
            .filter(|pattern| !is_written(pattern))
            .filter_map(|pattern| pattern.value(name))
            .collect();
        if by_template.contains(&own) {
            return Ok(());
        }
        if self.patterns.iter().any(|pattern| is_written(&pattern)) {
            return if is_data(&attribute.value) && !has_template(own) {
                Ok(())
            } else {
                Err(self.fault(attribute, format!("`{name}` is no plain value")))
            };
        }
        Err(self.fault(
            attribute,
            match by_template.first() {
                Some(value) => {
                    format!("`{name}` must be {value}, as the service's template has it")
                }
                None => format!("the service's template sets no `{name}`"),
            },
        ))
    }

    /// What the template always says must be said: without it the module's default would count.
    fn check_complete(&self, block: &Block, seen: &BTreeSet<&str>) -> Result<(), Problem> {
        let Some(first) = self.patterns.first().and_then(Parsed::block) else {
            return Ok(());
        };
        let is_always = |name: &str| {
            self.patterns
                .iter()
                .all(|pattern| pattern.value(name).is_some() && !pattern.written.contains(name))
        };
        let was_missing = |name: &str| {
            self.before
                .is_some_and(|before| before.block().is_some() && before.value(name).is_none())
        };
        let missing = first
            .body
            .attributes()
            .map(|attribute| attribute.key.as_str())
            .find(|name| !seen.contains(name) && is_always(name) && !was_missing(name));
        match missing {
            Some(name) => Err(Problem::error(format!(
                "`{name}` is missing, which the service's template sets"
            ))
            .in_file(self.path)
            .at(self.text, start(block.span()))),
            None => Ok(()),
        }
    }

    fn fault(&self, attribute: &Attribute, message: String) -> Problem {
        Problem::error(message)
            .in_file(self.path)
            .at(self.text, start(attribute.key.span()))
    }
}

/// Plain values, and lists and objects of them.
fn is_data(expression: &Expression) -> bool {
    match expression {
        Expression::Array(values) => values.iter().all(is_data),
        Expression::Object(values) => values.iter().all(|(key, value)| {
            use hcl_edit::expr::ObjectKey;
            let is_plain = match key {
                ObjectKey::Ident(_) => true,
                ObjectKey::Expression(key) => matches!(key, Expression::String(_)),
            };
            is_plain && is_data(value.expr())
        }),
        plain => literal(plain).is_some(),
    }
}

/// Whether any reader could take a part of a value for an expression: what dayfly writes escapes
/// the first letter of each marker.
fn has_template(value: &str) -> bool {
    value.contains("${") || value.contains("%{")
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# a comment\nmodule \"acme-x-1-0123abcd\" {\n  source = \"../template\"\n\n  \
        environment  = \"0123abcd\"\n  branch       = \"a\\u0024{b}\"\n  pull_request = \"acme/x#1\"\n  \
        tags         = [\"a\", { b = -1, \"c\" = null }]\n\n  service = var.service\n}\n";

    fn told(text: &str, before: Option<&str>) -> String {
        let written = ["environment", "branch", "pull_request", "tags", "event_at"];
        let pattern = |text: &str| Pattern {
            text: text.to_owned(),
            written: written.map(str::to_owned).into(),
        };
        let patterns = [
            pattern(FILE),
            pattern(&FILE.replace("\n\n  service", "\n  event_at = \"x\"\n\n  service")),
        ];
        let path = "s/environments/acme-x-1-0123abcd.tf";
        let fault = fault(path, text.as_bytes(), &patterns, before);
        fault.map_or_else(String::new, |problem| problem.message)
    }

    #[test]
    fn only_what_dayfly_could_write_is_let_through() {
        let with = |from: &str, to: &str| {
            let text = FILE.replacen(from, to, 1);
            assert_ne!(text, FILE, "{from}");
            text
        };
        for (text, expected) in [
            (FILE.to_owned(), ""),
            (FILE.replace('\n', "\r\n"), ""),
            (with("\"0123abcd\"", "\"0123abce\""), ""),
            (
                with("\n  service", "\n  event_at = \"now\"\n\n  service"),
                "",
            ),
            (with("# a", "# a\r#"), "it holds a control character"),
            (
                with("# a", "\u{feff}# a\u{85}"),
                "it holds a control character",
            ),
            (
                with("\"../template\"", "\"../other\""),
                "`source` must be \"../template\", as the service's template has it",
            ),
            (
                with("  source = \"../template\"\n", ""),
                "`source` is missing, which the service's template sets",
            ),
            (
                with("var.service", "var.other"),
                "`service` must be var.service, as the service's template has it",
            ),
            (
                with("var.service", "{}"),
                "`service` must be var.service, as the service's template has it",
            ),
            (
                with("  service = var.service\n", ""),
                "`service` is missing, which the service's template sets",
            ),
            (
                with("\"a\\u0024{b}\"", "\"a${b}\""),
                "`branch` is no plain value",
            ),
            (
                with("\"a\\u0024{b}\"", "\"a$${b}\""),
                "`branch` is no plain value",
            ),
            (
                with("\"a\\u0024{b}\"", "file(\"x\")"),
                "`branch` is no plain value",
            ),
            (
                with("\"a\\u0024{b}\"", "var.branch"),
                "`branch` is no plain value",
            ),
            (
                with("\"a\\u0024{b}\"", "<<-E\n  a\n  E"),
                "`branch` is no plain value",
            ),
            (
                with("b = -1", "b = path.module"),
                "`tags` is no plain value",
            ),
            (with("\"c\" =", "(var.c) ="), "`tags` is no plain value"),
            (
                with("\n  service", "\n  administrative = true\n  service"),
                "the service's template sets no `administrative`",
            ),
            (
                with("\n  service", "\n  count = 2\n  service"),
                "the service's template sets no `count`",
            ),
            (
                with("\n  service", "\n  providers = { a = b }\n  service"),
                "the service's template sets no `providers`",
            ),
            (
                with("\n  service", "\n  lifecycle {}\n  service"),
                "its module holds a `lifecycle` block",
            ),
            (
                with("\"acme-x-1-0123abcd\"", "\"other\""),
                "its module must have the label \"acme-x-1-0123abcd\"",
            ),
            (
                with("\"acme-x-1-0123abcd\"", "\"acme-x-1-0123abcd\" \"b\""),
                "its module must have the label \"acme-x-1-0123abcd\"",
            ),
            (format!("{FILE}locals {{}}\n"), "it holds a `locals` block"),
            (
                format!("{FILE}a = 1\n"),
                "it sets `a` outside of its module",
            ),
            (
                format!("{FILE}{FILE}"),
                "an environment file holds one module block, this is a second",
            ),
            (
                "variable \"a\" {}\n".to_owned(),
                "it holds a `variable` block",
            ),
            (String::new(), "it holds no module block"),
            (
                "#".repeat(70_000),
                "it is longer than an environment file can be",
            ),
        ] {
            assert_eq!(told(&text, None), expected, "{text}");
        }
        assert!(told("module {", None).contains("cannot be parsed"));
    }

    #[test]
    fn what_a_person_put_there_may_stay_but_not_grow() {
        let own = FILE.replace(
            "  service = var.service\n",
            "  size = var.size\n\n  service = merge(var.service, {})\n  t {}\n",
        ) + "moved {\n}\n";
        let label = own.replace("\"acme-x-1-0123abcd\"", "\"mine\"");
        for (text, before, expected) in [
            (own.clone(), Some(own.as_str()), ""),
            (own.replace("0123abcd\"\n", "0123abce\"\n"), Some(&own), ""),
            (label.clone(), Some(&label), ""),
            (
                own.replace("var.size", "var.sizes"),
                Some(&own),
                "the service's template sets no `size`",
            ),
            (
                own.replace("{}", "{ a = 1 }"),
                Some(&own),
                "`service` must be var.service, as the service's template has it",
            ),
            (
                own.replace("moved {", "moved { # x"),
                Some(&own),
                "it holds a `moved` block",
            ),
            (own.clone(), None, "it holds a `moved` block"),
            (
                label.clone(),
                Some(&own),
                "its module must have the label \"acme-x-1-0123abcd\"",
            ),
        ] {
            assert_eq!(told(&text, before), expected, "{text}");
        }
    }
}
