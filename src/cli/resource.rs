//! One change as a block, as Terraform prints it.

use owo_colors::OwoColorize;
use serde_json::{Map, Value};

use super::changes::coloured;
use super::count::counted;
use super::escape::escaped;
use crate::module::schema;
use crate::stack::{Change, ChangeAction};

/// What is printed in the place of a value that nobody may read.
pub(super) const SENSITIVE: &str = "(sensitive value)";

/// What Terraform prints in the place of a block's content.
const HIDDEN: [&str; 2] = [
    "# At least one attribute in this block is (or was) sensitive,",
    "# so its contents will not be displayed.",
];

const FORCES: &str = "# forces replacement";
/// Of a longer string, or of more lines, the rest is not shown.
const LETTERS: usize = 400;
const LINES: usize = 40;

/// The sign of an action, as wide as the widest.
pub(super) fn sign(action: ChangeAction) -> String {
    coloured(match action {
        ChangeAction::Added => "  +",
        ChangeAction::Changed => "  ~",
        ChangeAction::Deleted => "  -",
        ChangeAction::Replaced => "-/+",
    })
}

/// Whether the object only stands at another address.
pub(super) fn is_mere_move(change: &Change) -> bool {
    change.action == ChangeAction::Changed && change.before.is_empty()
}

/// What becomes of the object: `will be created`.
pub(super) fn fate(change: &Change) -> &'static str {
    match change.action {
        ChangeAction::Added => "will be created",
        ChangeAction::Changed if is_mere_move(change) => "has moved",
        ChangeAction::Changed => "will be updated in-place",
        ChangeAction::Deleted => "will be destroyed",
        ChangeAction::Replaced => "must be replaced",
    }
}

/// The attributes whose new values make the object anew.
pub(super) fn forcing(change: &Change) -> Vec<&str> {
    let names = change.before.keys().map(String::as_str);
    names.filter(|name| forces(change, name)).collect()
}

fn forces(change: &Change, name: &str) -> bool {
    change.action == ChangeAction::Replaced
        && change.before.contains_key(name)
        && schema::replaces(&change.object.kind, name)
}

/// Whether the attribute's value, the present or the former, is for nobody to read.
pub(super) fn is_secret(change: &Change, name: &str) -> bool {
    let kind = &change.object.kind;
    let is_marked = |sensitive: &[String]| sensitive.iter().any(|marked| marked == name);
    if is_marked(&change.object.sensitive) || is_marked(&change.were_sensitive) {
        return true;
    }
    let is_chosen = schema::attribute(kind, "write_only").is_some();
    if is_chosen && matches!(name, "value" | "content" | "checksum") {
        // The provider hides these always; whoever says write_only = false wants them read.
        let was_write_only = change.before.get("write_only") == Some(&Value::Bool(true));
        return was_write_only || change.object.flag("write_only");
    }
    name == "import_state"
        || schema::attribute(kind, name).is_some_and(|it| it.sensitive || it.write_only)
}

/// The lines of the change.
pub(super) fn block(change: &Change) -> Vec<String> {
    let object = &change.object;
    let address = escaped(&object.address);
    let mut lines = Vec::new();
    match &change.moved_from {
        Some(from) if is_mere_move(change) => {
            lines.push(comment(&format!(
                "{} has moved to {address}",
                escaped(from)
            )));
        }
        from => {
            lines.push(comment(&format!("{address} {}", fate(change))));
            if let Some(from) = from {
                lines.push(format!("  # (moved from {})", escaped(from)));
            }
        }
    }
    let sign = match is_mere_move(change) {
        true => "   ".to_owned(),
        false => sign(change.action),
    };
    let (kind, name) = (escaped(&object.kind), escaped(&object.name));
    lines.push(format!("{sign} resource \"{kind}\" \"{name}\" {{"));
    let mut body = Body {
        change,
        attributes: Vec::new(),
        blocks: Vec::new(),
        hidden: 0,
    };
    body.fill();
    lines.extend(body.lines());
    lines.push("    }".to_owned());
    lines
}

fn comment(text: &str) -> String {
    format!("  {} {}", "#".bold(), text.bold())
}

struct Body<'a> {
    change: &'a Change,
    /// Sign, name, lines of the value.
    attributes: Vec<(char, &'a str, Vec<String>)>,
    blocks: Vec<String>,
    hidden: usize,
}

impl<'a> Body<'a> {
    fn fill(&mut self) {
        let change = self.change;
        let null = &Value::Null;
        let names: std::collections::BTreeSet<&'a str> = change
            .before
            .keys()
            .map(String::as_str)
            .chain(change.object.attributes.keys())
            .collect();
        for name in names {
            let after = change.object.attributes.get(name).unwrap_or(null);
            match change.action {
                ChangeAction::Added => self.add(name, null, after),
                ChangeAction::Deleted => self.add(name, after, null),
                _ => match change.before.get(name) {
                    Some(before) => self.add(name, before, after),
                    None if is_nothing(after) => {}
                    // What a reader knows it by is shown, as Terraform does.
                    None if matches!(name, "id" | "name") => {
                        self.attributes.push((' ', name, scalar(after)));
                    }
                    None => self.hidden += 1,
                },
            }
        }
    }

    fn add(&mut self, name: &'a str, before: &Value, after: &Value) {
        let change = self.change;
        let is_block = schema::resource(&change.object.kind)
            .is_some_and(|schema| schema.blocks.contains_key(name));
        let forces = forces(change, name);
        let sign = match (is_nothing(before), is_nothing(after)) {
            (true, true) => return,
            (true, false) => '+',
            (false, true) => '-',
            (false, false) => '~',
        };
        if is_block {
            self.add_blocks('-', name, before, forces);
            self.add_blocks('+', name, after, forces);
            return;
        }
        let mut lines = if is_secret(change, name) {
            vec![SENSITIVE.to_owned()]
        } else {
            match sign {
                '+' => value('+', after),
                '-' => value('-', before),
                _ => difference(before, after),
            }
        };
        let Some(last) = lines.last_mut() else { return };
        if sign == '-' {
            last.push_str(&" -> null".dimmed().to_string());
        }
        if forces {
            last.push_str(&format!(" {}", FORCES.red()));
        }
        self.attributes.push((sign, name, lines));
    }

    fn add_blocks(&mut self, sign: char, name: &str, blocks: &Value, forces: bool) {
        let Some(blocks) = blocks.as_array() else {
            return;
        };
        for block in blocks {
            let note = if forces {
                format!(" {}", FORCES.red())
            } else {
                String::new()
            };
            self.blocks.push(String::new());
            let marked = coloured(&sign.to_string());
            self.blocks
                .push(format!("{marked} {} {{{note}", escaped(name)));
            let fields = block.as_object().cloned().unwrap_or_default();
            if is_secret(self.change, name) {
                self.blocks.extend(HIDDEN.map(|line| format!("    {line}")));
            } else {
                let key = |name: &str| escaped(name).into_owned();
                self.blocks.extend(entries(sign, &fields, key));
            }
            self.blocks.push("  }".to_owned());
        }
    }

    fn lines(self) -> Vec<String> {
        let width = |name: &&str| name.chars().count();
        let names = self.attributes.iter().map(|(_, name, _)| name);
        let width = names.map(width).max().unwrap_or_default();
        let mut lines = Vec::new();
        for (sign, name, value) in &self.attributes {
            let sign = coloured(&sign.to_string());
            let mut rest = value.iter();
            let first = rest.next().map(String::as_str).unwrap_or_default();
            lines.push(format!("{sign} {name:width$} = {first}"));
            lines.extend(rest.cloned());
        }
        if self.hidden > 0 {
            let hidden = counted(self.hidden, "unchanged attribute");
            lines.push(format!("  {}", format!("# ({hidden} hidden)").dimmed()));
        }
        lines.extend(self.blocks);
        lines.into_iter().map(indented(6)).collect()
    }
}

fn indented(by: usize) -> impl Fn(String) -> String {
    move |line| match line.is_empty() {
        true => line,
        false => format!("{:by$}{line}", ""),
    }
}

/// What Terraform does not print when it is made: null, and blocks that are not there.
fn is_nothing(value: &Value) -> bool {
    value.is_null() || value.as_array().is_some_and(Vec::is_empty)
}

/// A value that comes or goes, its first line without indentation, the last one at that of the sign.
fn value(sign: char, value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => enclosed("[", "]", listed(sign, items)),
        Value::Object(fields) => enclosed("{", "}", entries(sign, fields, quoted)),
        Value::String(text) if text.trim_end_matches('\n').contains('\n') => {
            heredoc(text.lines().map(|line| (' ', line)).collect())
        }
        other => scalar(other),
    }
}

fn enclosed(open: &str, close: &str, inner: Vec<String>) -> Vec<String> {
    let mut lines = vec![open.to_owned()];
    lines.extend(inner);
    lines.push(format!("  {close}"));
    lines
}

fn listed(sign: char, items: &[Value]) -> Vec<String> {
    let mut lines = Vec::new();
    for item in items {
        let mut inner = value(sign, item);
        if let Some(first) = inner.first_mut() {
            *first = format!("{} {first}", coloured(&sign.to_string()));
        }
        if let Some(last) = inner.last_mut() {
            last.push(',');
        }
        lines.extend(inner.into_iter().map(indented(4)));
    }
    lines
}

fn entries(sign: char, fields: &Map<String, Value>, key: fn(&str) -> String) -> Vec<String> {
    let fields: Vec<(String, &Value)> = fields
        .iter()
        .filter(|(_, value)| !is_nothing(value))
        .map(|(name, value)| (key(name), value))
        .collect();
    let width = fields.iter().map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or_default();
    let mut lines = Vec::new();
    for (name, field) in fields {
        let mut inner = value(sign, field);
        if let Some(first) = inner.first_mut() {
            *first = format!("{} {name:width$} = {first}", coloured(&sign.to_string()));
        }
        lines.extend(inner.into_iter().map(indented(4)));
    }
    lines
}

/// What becomes of a value that differs.
fn difference(before: &Value, after: &Value) -> Vec<String> {
    match (before, after) {
        (Value::Array(before), Value::Array(after)) => {
            let gone: Vec<Value> = without(before, after);
            let new: Vec<Value> = without(after, before);
            let mut inner = listed('-', &gone);
            inner.extend(listed('+', &new));
            let same = after.len() - new.len();
            if same > 0 {
                let hidden = counted(same, "unchanged element");
                inner.push(format!("      {}", format!("# ({hidden} hidden)").dimmed()));
            }
            enclosed("[", "]", inner)
        }
        (Value::String(before), Value::String(after))
            if before.contains('\n') || after.contains('\n') =>
        {
            heredoc(line_difference(before, after))
        }
        (before, after) => {
            let mut lines = value('-', before);
            let mut after = value('+', after).into_iter();
            if let (Some(last), Some(first)) = (lines.last_mut(), after.next()) {
                last.push_str(&format!(" {} {first}", "->".yellow()));
            }
            lines.extend(after);
            lines
        }
    }
}

/// The items of the one that the other lacks, each as often as it lacks it.
fn without(items: &[Value], others: &[Value]) -> Vec<Value> {
    let mut others: Vec<&Value> = others.iter().collect();
    let mut left = Vec::new();
    for item in items {
        match others.iter().position(|other| *other == item) {
            Some(position) => drop(others.swap_remove(position)),
            None => left.push(item.clone()),
        }
    }
    left
}

/// The lines of both, those between the first and the last that differ marked, a few others beside.
fn line_difference<'a>(before: &'a str, after: &'a str) -> Vec<(char, &'a str)> {
    const BESIDE: usize = 3;
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let pairs = old_rest.iter().rev().zip(new_rest.iter().rev());
    let tail = pairs.take_while(|(a, b)| a == b).count();
    let kept = |lines: &[&'a str]| lines.iter().map(|line| (' ', *line)).collect::<Vec<_>>();
    let mut lines = kept(&old[head.saturating_sub(BESIDE)..head]);
    let marked =
        |sign, lines: &[&'a str]| lines.iter().map(|line| (sign, *line)).collect::<Vec<_>>();
    lines.extend(marked('-', &old_rest[..old_rest.len() - tail]));
    lines.extend(marked('+', &new_rest[..new_rest.len() - tail]));
    lines.extend(kept(&old_rest[old_rest.len() - tail..][..tail.min(BESIDE)]));
    lines
}

fn heredoc(text: Vec<(char, &str)>) -> Vec<String> {
    let mut lines = vec!["<<-EOT".to_owned()];
    let count = text.len();
    for (sign, line) in text.into_iter().take(LINES) {
        let line = format!("{} {}", coloured(&sign.to_string()), escaped(&cut(line)));
        lines.push(indented(4)(line.trim_end().to_owned()));
    }
    if count > LINES {
        let more = counted(count - LINES, "more line");
        lines.push(format!("      {}", format!("# ({more})").dimmed()));
    }
    lines.push("  EOT".to_owned());
    lines
}

fn scalar(value: &Value) -> Vec<String> {
    vec![match value {
        Value::String(text) => quoted(text),
        other => other.to_string(),
    }]
}

fn quoted(text: &str) -> String {
    escaped(&Value::from(cut(text)).to_string()).into_owned()
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LETTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
