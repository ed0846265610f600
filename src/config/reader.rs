//! Reads a configuration file's attributes and blocks one by one; what nobody asked for is refused.

use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Attribute, Block, Body, Structure};
use hcl_edit::{Ident, Span};
use std::collections::BTreeMap;
use std::time::Duration;

use super::ConfigError;
use crate::clock::read_duration;
use crate::problem::Problem;

/// A parsed file, for its readers to borrow from.
pub(super) struct Document<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
    pub(super) body: Body,
}

impl<'a> Document<'a> {
    pub(super) fn parse(file: &'a str, text: &'a str) -> Result<Self, ConfigError> {
        match hcl_edit::parser::parse_body(text) {
            Ok(body) => Ok(Self { file, text, body }),
            Err(error) => Err(ConfigError::File(
                Problem::error(format!("cannot be parsed: {}", error.message().trim()))
                    .in_file(file)
                    .at(text, error.location().offset()),
            )),
        }
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            document: self,
            body: &self.body,
            taken: Vec::new(),
        }
    }

    /// The error `message` at what stands at `span`.
    pub(super) fn error(
        &self,
        span: Option<std::ops::Range<usize>>,
        message: impl Into<String>,
    ) -> ConfigError {
        let problem = Problem::error(message).in_file(self.file);
        ConfigError::File(match span {
            Some(span) => problem.at(self.text, span.start),
            None => problem,
        })
    }
}

/// One body of a document: the file's, or a block's.
pub(super) struct Reader<'a> {
    document: &'a Document<'a>,
    body: &'a Body,
    taken: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn of_block(document: &'a Document<'a>, block: &'a Block) -> Self {
        Self {
            document,
            body: &block.body,
            taken: Vec::new(),
        }
    }

    pub(super) fn document(&self) -> &'a Document<'a> {
        self.document
    }

    /// The error `message` at the value of an attribute.
    pub(super) fn error_at(&self, name: &str, message: impl Into<String>) -> ConfigError {
        let attribute = self.body.get_attribute(name);
        let span = attribute.and_then(|attribute| attribute.value.span());
        self.document.error(span, message)
    }

    fn attribute(&mut self, name: &'static str) -> Option<&'a Attribute> {
        self.taken.push(name);
        self.body.get_attribute(name)
    }

    pub(super) fn expression(&mut self, name: &'static str) -> Option<&'a Expression> {
        self.attribute(name).map(|attribute| &attribute.value)
    }

    fn literal<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        read: impl FnOnce(&'a Expression) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        let Some(value) = self.expression(name) else {
            return Ok(None);
        };
        let wrong = || {
            self.document
                .error(value.span(), format!("`{name}` must be {expected}"))
        };
        read(value).map(Some).ok_or_else(wrong)
    }

    pub(super) fn string(&mut self, name: &'static str) -> Result<Option<String>, ConfigError> {
        self.literal(name, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn bool(&mut self, name: &'static str) -> Result<Option<bool>, ConfigError> {
        self.literal(name, "true or false", Expression::as_bool)
    }

    pub(super) fn whole_number(
        &mut self,
        name: &'static str,
    ) -> Result<Option<usize>, ConfigError> {
        self.literal(name, "a whole number", |value| {
            usize::try_from(value.as_number()?.as_u64()?).ok()
        })
    }

    /// A span of time as people write it: `10m`.
    pub(super) fn duration(&mut self, name: &'static str) -> Result<Option<Duration>, ConfigError> {
        self.literal(name, "a span of time, such as \"10m\"", |value| {
            read_duration(value.as_str()?)
        })
    }

    pub(super) fn share(&mut self, name: &'static str) -> Result<Option<f64>, ConfigError> {
        self.literal(name, "a number from 0 to 1", |value| {
            value
                .as_number()?
                .as_f64()
                .filter(|share| (0.0..=1.0).contains(share))
        })
    }

    pub(super) fn strings(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<String>>, ConfigError> {
        self.literal(name, "a list of strings", |value| {
            value
                .as_array()?
                .iter()
                .map(|item| item.as_str().map(str::to_owned))
                .collect()
        })
    }

    pub(super) fn string_map(
        &mut self,
        name: &'static str,
    ) -> Result<Option<BTreeMap<String, String>>, ConfigError> {
        self.literal(name, "a map of strings", |value| {
            value
                .as_object()?
                .iter()
                .map(|(key, value)| {
                    let key = match key {
                        ObjectKey::Ident(ident) => ident.as_str().to_owned(),
                        ObjectKey::Expression(expression) => expression.as_str()?.to_owned(),
                    };
                    Some((key, value.expr().as_str()?.to_owned()))
                })
                .collect()
        })
    }

    /// A span of time of a minute or more, which must be there.
    pub(super) fn required_duration(
        &mut self,
        name: &'static str,
    ) -> Result<Duration, ConfigError> {
        let expected = "a span of a minute or more, such as \"72h\"";
        let duration = self.literal(name, expected, |value| {
            read_duration(value.as_str()?).filter(|span| span.as_secs() >= 60)
        })?;
        let missing = || self.document.error(None, format!("`{name}` is missing"));
        duration.ok_or_else(missing)
    }

    /// A word that stands for one of `choices`.
    pub(super) fn choice<T: Copy>(
        &mut self,
        name: &'static str,
        choices: &[(&str, T)],
    ) -> Result<Option<T>, ConfigError> {
        let words: Vec<String> = choices
            .iter()
            .map(|(word, _)| format!("\"{word}\""))
            .collect();
        self.literal(name, &words.join(" or "), |value| {
            let word = value.as_str()?;
            choices
                .iter()
                .find(|(choice, _)| *choice == word)
                .map(|(_, meaning)| *meaning)
        })
    }

    /// Any value, parsed: `parse` says what is wrong with a string.
    pub(super) fn parsed<T: std::str::FromStr>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, ConfigError>
    where
        T::Err: std::fmt::Display,
    {
        let span = self
            .body
            .get_attribute(name)
            .and_then(|attribute| attribute.value.span());
        let Some(text) = self.string(name)? else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|error| self.document.error(span, format!("`{name}`: {error}")))
    }

    /// A list of strings, each parsed: `parse` says what is wrong with one, at its place.
    pub(super) fn parsed_list<T: std::str::FromStr>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<T>>, ConfigError>
    where
        T::Err: std::fmt::Display,
    {
        let items = self.literal(name, "a list of strings", |value| {
            let items = value.as_array()?.iter();
            items
                .map(|item| Some((item.span(), item.as_str()?)))
                .collect::<Option<Vec<_>>>()
        })?;
        let Some(items) = items else {
            return Ok(None);
        };
        let parsed = items.into_iter().map(|(span, text)| {
            text.parse()
                .map_err(|error| self.document.error(span, format!("`{name}`: {error}")))
        });
        parsed.collect::<Result<_, _>>().map(Some)
    }

    /// The blocks of this name.
    pub(super) fn blocks(&mut self, name: &'static str) -> Vec<&'a Block> {
        self.taken.push(name);
        self.body.get_blocks(name).collect()
    }

    /// The only block of this name and without labels, if there is one.
    pub(super) fn block(&mut self, name: &'static str) -> Result<Option<Reader<'a>>, ConfigError> {
        let blocks = self.blocks(name);
        if let Some(second) = blocks.get(1) {
            return Err(self
                .document
                .error(second.ident.span(), format!("a second `{name}` block")));
        }
        Ok(blocks
            .first()
            .map(|block| Reader::of_block(self.document, block)))
    }

    /// Refuses the first thing nobody asked for.
    pub(super) fn finish(self) -> Result<(), ConfigError> {
        for structure in self.body {
            let key: &Ident = match structure {
                Structure::Attribute(attribute) => &attribute.key,
                Structure::Block(block) => &block.ident,
            };
            if self.taken.iter().any(|name| *name == key.as_str()) {
                continue;
            }
            let span = match structure {
                Structure::Attribute(attribute) => attribute.key.span(),
                Structure::Block(block) => block.ident.span(),
            };
            let error = self
                .document
                .error(span, format!("`{key}` is not known here"));
            let ConfigError::File(problem) = error else {
                return Err(error);
            };
            return Err(ConfigError::File(
                problem.with_hint(format!("known here: {}", self.taken.join(", "))),
            ));
        }
        Ok(())
    }
}
