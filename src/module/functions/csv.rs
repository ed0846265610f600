//! `csvdecode`, by the rules of Go's `encoding/csv`: a quote stands at the start and the end of a
//! field or nowhere, each row has the fields of the first, empty lines are none. Readers that forgive
//! more would give a value where Terraform gives an error.

use std::collections::BTreeMap;

use super::Context;
use crate::module::value::{Type, Value, normal};

/// The rows as a list of objects, named by the first row.
pub(super) fn csvdecode(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let text = context.text(0)?;
    let mut reader = Reader {
        rest: &text,
        line: 1,
    };
    let Some(header) = reader.row()? else {
        return Err("the header line is missing".to_owned());
    };
    let header: Vec<String> = header.iter().map(|name| normal(name).to_string()).collect();
    let mut columns = BTreeMap::new();
    for name in &header {
        if columns.insert(name.clone(), Type::String).is_some() {
            return Err(format!("there are two columns {name:?}"));
        }
    }
    let mut rows = Vec::new();
    while let Some(row) = reader.row()? {
        if row.len() != header.len() {
            return Err(format!(
                "the row before line {} has {} fields, not {}",
                reader.line,
                row.len(),
                header.len()
            ));
        }
        let fields = row.into_iter().map(Value::string);
        rows.push(Value::object(header.iter().cloned().zip(fields)));
    }
    Ok(Value::List(Type::object(columns), rows.into()))
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Reader<'a> {
    /// The next line with its end written as `\n`; empty after the last.
    fn line(&mut self) -> (&'a str, bool) {
        let length = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.line += 1;
        match line.strip_suffix('\n') {
            Some(line) => (line.strip_suffix('\r').unwrap_or(line), true),
            // A carriage return that ends the text belongs to no field.
            None => (line.strip_suffix('\r').unwrap_or(line), false),
        }
    }

    /// The fields of the next row that is not empty; `None` after the last.
    fn row(&mut self) -> Result<Option<Vec<String>>, String> {
        let (mut line, mut is_ended) = loop {
            if self.rest.is_empty() {
                return Ok(None);
            }
            let (line, is_ended) = self.line();
            if !line.is_empty() {
                break (line, is_ended);
            }
        };
        let mut fields = Vec::new();
        loop {
            let Some(quoted) = line.strip_prefix('"') else {
                let (field, rest) = match line.split_once(',') {
                    Some((field, rest)) => (field, Some(rest)),
                    None => (line, None),
                };
                if field.contains('"') {
                    return self.fail("a quote stands in a field that does not begin with one");
                }
                fields.push(field.to_owned());
                match rest {
                    Some(rest) => line = rest,
                    None => return Ok(Some(fields)),
                }
                continue;
            };
            line = quoted;
            let mut field = String::new();
            loop {
                let Some((before, after)) = line.split_once('"') else {
                    field.push_str(line);
                    if is_ended {
                        field.push('\n');
                    }
                    if self.rest.is_empty() {
                        return self.fail("a quoted field has no end");
                    }
                    (line, is_ended) = self.line();
                    continue;
                };
                field.push_str(before);
                if let Some(after) = after.strip_prefix('"') {
                    field.push('"');
                    line = after;
                    continue;
                }
                line = after;
                break;
            }
            fields.push(field);
            match line.strip_prefix(',') {
                Some(rest) => line = rest,
                None if line.is_empty() => return Ok(Some(fields)),
                None => return self.fail("text follows the quote that ends a field"),
            }
        }
    }

    fn fail<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("{what}, before line {}", self.line))
    }
}
