//! `yamlencode`, letter by letter as Terraform's writer of YAML has it.

use super::Context;
use crate::module::value::Value;

/// How far what is within something begins behind it.
const INDENT: usize = 2;
/// Behind this column a double quoted string goes on in the next line, where it has a space.
const WIDTH: usize = 80;
/// Longer keys, in bytes, would be written in another way.
const LONGEST_KEY: usize = 128;

pub(super) fn yamlencode(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let mut text = Yaml(String::new());
    let value = &context.arguments[0];
    text.append(value, 0)?;
    text.end_line();
    if matches!(value, Value::Null(_) | Value::Bool(_) | Value::Number(_)) {
        text.0.push_str("...\n");
    }
    Ok(text.0.into())
}

struct Yaml(String);

impl Yaml {
    /// Writes a value in a line that has come as far as the column or further; its own lines begin there.
    fn append(&mut self, value: &Value, column: usize) -> Result<(), String> {
        match value {
            Value::Null(_) => self.0.push_str("null"),
            Value::Bool(value) => self.0.push_str(if *value { "true" } else { "false" }),
            Value::Number(number) => self.0.push_str(&number.to_string()),
            Value::String(text) if text.contains('\n') && may_be_literal(text) => {
                if text.contains(['\u{2028}', '\u{2029}']) {
                    return Err("lines end in more than one way".to_owned());
                }
                self.literal(text, column.max(INDENT));
            }
            Value::String(text) => self.quoted(text, Some(column.max(INDENT))),
            Value::List(_, items) | Value::Set(_, items) | Value::Tuple(items) => {
                if items.is_empty() {
                    self.0.push_str("[]");
                }
                for (index, item) in items.iter().enumerate() {
                    self.begin(index, column);
                    self.0.push_str("- ");
                    self.append(item, column + INDENT)?;
                }
            }
            Value::Map(_, entries) | Value::Object(entries) => {
                if entries.is_empty() {
                    self.0.push_str("{}");
                }
                for (index, (name, entry)) in entries.iter().enumerate() {
                    self.begin(index, column);
                    if name.len() > LONGEST_KEY || name.contains(is_break) {
                        return Err("a key has several lines or is too long".to_owned());
                    }
                    self.quoted(name, None);
                    self.0.push(':');
                    self.entry(entry, column)?;
                }
            }
            Value::Sensitive(value) => self.append(value, column)?,
        }
        Ok(())
    }

    /// What stands behind a key at the column.
    fn entry(&mut self, entry: &Value, column: usize) -> Result<(), String> {
        let (items, entries) = (entry.items(), entry.entries());
        // A list stands below its key, an object within it.
        let below = match (items, entries) {
            (Some([_, ..]), _) => Some(column),
            (_, Some(entries)) if !entries.is_empty() => Some(column + INDENT),
            _ => None,
        };
        match below {
            Some(below) => {
                self.line(below);
                self.append(entry, below)
            }
            None => {
                self.0.push(' ');
                self.append(entry, column + INDENT)
            }
        }
    }

    /// Begins a line for each but the first of several, which goes on in its own.
    fn begin(&mut self, index: usize, column: usize) {
        if index > 0 {
            self.line(column);
        }
    }

    fn line(&mut self, column: usize) {
        self.end_line();
        self.0.extend(std::iter::repeat_n(' ', column));
    }

    fn end_line(&mut self) {
        if !self.0.ends_with('\n') {
            self.0.push('\n');
        }
    }

    fn column(&self) -> usize {
        let line = self.0.rsplit('\n').next().unwrap_or_default();
        line.chars().count()
    }

    fn literal(&mut self, text: &str, column: usize) {
        self.0.push('|');
        if text.starts_with([' ', '\n']) {
            self.0.push('2');
        }
        match text.strip_suffix('\n') {
            None => self.0.push('-'),
            Some(rest) if rest.is_empty() || rest.ends_with('\n') => self.0.push('+'),
            Some(_) => {}
        }
        self.0.push('\n');
        for line in text.split_inclusive('\n') {
            if line != "\n" {
                self.0.extend(std::iter::repeat_n(' ', column));
            }
            self.0.push_str(line);
        }
    }

    /// Writes a string in quotes; it may go on in lines that begin at the column.
    fn quoted(&mut self, text: &str, column: Option<usize>) {
        self.0.push('"');
        let letters: Vec<char> = text.chars().collect();
        let mut after_space = false;
        for (index, letter) in letters.iter().enumerate() {
            let is_within = index > 0 && index + 1 < letters.len();
            match (letter, column) {
                (' ', Some(column)) if !after_space && is_within && self.column() > WIDTH => {
                    self.line(column);
                    if letters.get(index + 1) == Some(&' ') {
                        self.0.push('\\');
                    }
                }
                _ => self.letter(*letter),
            }
            after_space = *letter == ' ';
        }
        self.0.push('"');
    }

    fn letter(&mut self, letter: char) {
        let short = match letter {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' | '\\' => letter,
            '\u{85}' => 'N',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            letter if is_printable(letter) => return self.0.push(letter),
            letter => {
                let code = u32::from(letter);
                let escaped = match code {
                    0..=0xff => format!("\\x{code:02X}"),
                    0x100..=0xffff => format!("\\u{code:04X}"),
                    _ => format!("\\U{code:08X}"),
                };
                return self.0.push_str(&escaped);
            }
        };
        self.0.extend(['\\', short]);
    }
}

fn is_break(letter: char) -> bool {
    matches!(letter, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_printable(letter: char) -> bool {
    matches!(letter, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}')
        && letter != '\u{feff}'
}

/// Whether lines can stand as they are: no space ends one, and all of it can be printed.
fn may_be_literal(text: &str) -> bool {
    !text.ends_with(' ') && !text.contains(" \n") && text.chars().all(is_printable)
}
