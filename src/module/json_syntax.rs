//! Configuration in JSON (`.tf.json`), written anew in HCL and then read as any other file.
//!
//! Source of the rules: "JSON Configuration Syntax" of Terraform's language, and the JSON syntax of
//! HCL: what a member of an object is depends on the block that the object stands for; strings are
//! templates; a list of objects is so many blocks; members named `//` are comments.

use std::fmt::Write as _;

use hcl_edit::parser;
use hcl_edit::template::Element;
use hcl_edit::{Ident, Span};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::schema;
use super::source::Written;
use crate::problem::Problem;

/// The text of a JSON file in HCL, and where in the file each part of it comes from.
pub(super) fn to_hcl(path: &str, json: &str) -> Result<(String, Written), Problem> {
    let mut writer = Writer::new(path, json);
    let root = writer.root()?;
    for body in writer.objects(root)? {
        writer.body(&body, Form::Root)?;
    }
    let written = Written {
        text: json.to_owned(),
        positions: writer.positions,
    };
    Ok((writer.hcl, written))
}

/// The members of the object that a JSON file is: each name, and where its value stands and how.
pub(super) fn members<'a>(
    path: &'a str,
    json: &'a str,
) -> Result<Vec<(String, usize, &'a str)>, Problem> {
    let writer = Writer::new(path, json);
    let root = writer.root()?;
    let members = writer.object(root)?.0.into_iter();
    Ok(members
        .map(|(name, value)| (name, writer.position(value), value.get()))
        .collect())
}

/// The block that an object stands for, which tells what its members are.
#[derive(Clone, Copy)]
enum Form {
    Root,
    Variable,
    Output,
    Call,
    Terraform,
    Moved,
    /// The first label says of which type.
    Resource,
    Level(&'static schema::Block),
    /// The label says of which block.
    Dynamic(&'static schema::Block),
    DynamicOf(&'static schema::Block),
    Lifecycle,
    /// All members are arguments.
    Arguments,
    /// Nothing of it has a meaning here.
    Ignored,
}

/// What a member of an object is.
enum Member {
    Argument,
    /// A value in which strings are no templates: what Terraform reads before anything has a value.
    Constant,
    /// A string that holds an expression.
    Expression,
    /// A list of such strings, or one word.
    Expressions,
    Block {
        labels: usize,
        form: Form,
    },
    Ignored,
}

impl Form {
    fn member(self, name: &str) -> Member {
        let block = |labels, form| Member::Block { labels, form };
        match (self, name) {
            (Self::Root, "variable") => block(1, Self::Variable),
            (Self::Root, "output") => block(1, Self::Output),
            (Self::Root, "module") => block(1, Self::Call),
            (Self::Root, "locals") => block(0, Self::Arguments),
            (Self::Root, "terraform") => block(0, Self::Terraform),
            (Self::Root, "moved" | "removed" | "import") => block(0, Self::Moved),
            (Self::Root, "resource") => block(2, Self::Resource),
            (Self::Root, "data") => block(2, Self::Ignored),
            (Self::Root, "provider" | "check") => block(1, Self::Ignored),
            (Self::Root, _) => block(0, Self::Ignored),
            (Self::Variable, "type") => Member::Expression,
            (Self::Variable, "validation") => block(0, Self::Arguments),
            (Self::Output | Self::Lifecycle, "precondition" | "postcondition") => {
                block(0, Self::Arguments)
            }
            (Self::Output | Self::Call | Self::Level(_), "depends_on") => Member::Expressions,
            (Self::Call, "providers") => Member::Ignored,
            (Self::Terraform, "required_providers") => block(0, Self::Arguments),
            (Self::Terraform, "backend" | "cloud") => Member::Ignored,
            (Self::Variable | Self::Terraform, _)
            | (Self::Call, "source" | "version")
            | (Self::Output, "description") => Member::Constant,
            (Self::Moved, "from" | "to" | "provider") => Member::Expression,
            (Self::Moved | Self::Level(_), "lifecycle") => block(0, Self::Lifecycle),
            (Self::Moved | Self::Level(_), "provisioner" | "connection") => Member::Ignored,
            (Self::Lifecycle, "ignore_changes" | "replace_triggered_by") => Member::Expressions,
            (Self::Level(_), "provider") => Member::Expression,
            (Self::Level(level), "dynamic") => block(1, Self::Dynamic(level)),
            (Self::Level(level), _) => match level.blocks.get(name) {
                Some(nested) => block(0, Self::Level(&nested.block)),
                None => Member::Argument,
            },
            (Self::DynamicOf(_), "iterator") => Member::Expression,
            (Self::DynamicOf(nested), "content") => block(0, Self::Level(nested)),
            (Self::Ignored, _) => Member::Ignored,
            _ => Member::Argument,
        }
    }

    /// The form of a block whose labels are known.
    fn labelled(self, labels: &[String]) -> Self {
        let first = labels.first().map_or("", String::as_str);
        match self {
            Self::Resource => schema::resource(first).map_or(Self::Ignored, Self::Level),
            Self::Dynamic(level) => match level.blocks.get(first) {
                Some(nested) => Self::DynamicOf(&nested.block),
                None => Self::Ignored,
            },
            other => other,
        }
    }
}

/// The members of an object, in their order.
struct Object<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

struct Writer<'a> {
    path: &'a str,
    json: &'a str,
    hcl: String,
    /// Offsets in the HCL, ascending, and in the JSON.
    positions: Vec<(usize, usize)>,
}

impl<'a> Writer<'a> {
    fn new(path: &'a str, json: &'a str) -> Self {
        Self {
            path,
            json,
            hcl: String::new(),
            positions: Vec::new(),
        }
    }

    fn root(&self) -> Result<&'a RawValue, Problem> {
        serde_json::from_str(self.json).map_err(|error| {
            let mut problem = Problem::error(format!("syntax error: {error}")).in_file(self.path);
            problem.line = Some(error.line());
            problem.column = Some(error.column());
            problem
        })
    }

    fn object(&self, value: &'a RawValue) -> Result<Object<'a>, Problem> {
        serde_json::from_str(value.get())
            .map_err(|_| self.problem("an object is expected here", value))
    }

    /// One object, or each of a list of objects.
    fn objects(&self, value: &'a RawValue) -> Result<Vec<Object<'a>>, Problem> {
        let one = |value: &'a RawValue| self.object(value);
        match value.get().chars().next() {
            Some('n') => Ok(Vec::new()),
            Some('[') => self.items(value)?.into_iter().map(one).collect(),
            _ => Ok(vec![one(value)?]),
        }
    }

    fn items(&self, value: &'a RawValue) -> Result<Vec<&'a RawValue>, Problem> {
        serde_json::from_str(value.get())
            .map_err(|_| self.problem("a list is expected here", value))
    }

    fn string(&self, value: &'a RawValue) -> Result<String, Problem> {
        serde_json::from_str(value.get())
            .map_err(|_| self.problem("a string is expected here", value))
    }

    fn problem(&self, message: &str, at: &RawValue) -> Problem {
        Problem::error(message)
            .in_file(self.path)
            .at(self.json, self.position(at))
    }

    /// Where in the file the value stands, of which it is a part.
    fn position(&self, value: &RawValue) -> usize {
        (value.get().as_ptr() as usize).saturating_sub(self.json.as_ptr() as usize)
    }

    fn mark(&mut self, value: &RawValue) {
        let position = (self.hcl.len(), self.position(value));
        self.positions.push(position);
    }

    fn body(&mut self, object: &Object<'a>, form: Form) -> Result<(), Problem> {
        for (name, value) in &object.0 {
            if name == "//" {
                continue;
            }
            if Ident::try_new(name.as_str()).is_err() {
                return Err(self.problem(&format!("{name:?} is not a name"), value));
            }
            match form.member(name) {
                Member::Ignored => {}
                Member::Block { labels, form } => {
                    self.blocks(name, &mut Vec::new(), labels, form, value)?;
                }
                Member::Argument => self.argument(name, value, Self::expression)?,
                Member::Constant => self.argument(name, value, Self::constant)?,
                Member::Expression => self.argument(name, value, Self::written_expression)?,
                Member::Expressions => self.argument(name, value, Self::written_expressions)?,
            }
        }
        Ok(())
    }

    fn argument(
        &mut self,
        name: &str,
        value: &'a RawValue,
        write: fn(&mut Self, &'a RawValue) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.mark(value);
        let _ = write!(self.hcl, "{name} = ");
        write(self, value)?;
        self.hcl.push('\n');
        Ok(())
    }

    /// The blocks of one type; each level of objects above the last is a label.
    fn blocks(
        &mut self,
        name: &str,
        labels: &mut Vec<String>,
        missing: usize,
        form: Form,
        value: &'a RawValue,
    ) -> Result<(), Problem> {
        for object in self.objects(value)? {
            if missing == 0 {
                self.mark(value);
                self.hcl.push_str(name);
                for label in labels.iter() {
                    self.hcl.push(' ');
                    self.quoted(label);
                }
                self.hcl.push_str(" {\n");
                self.body(&object, form.labelled(labels))?;
                self.hcl.push_str("}\n");
                continue;
            }
            for (label, value) in object.0 {
                if label != "//" {
                    labels.push(label);
                    self.blocks(name, labels, missing - 1, form, value)?;
                    labels.pop();
                }
            }
        }
        Ok(())
    }

    fn expression(&mut self, value: &'a RawValue) -> Result<(), Problem> {
        self.value(value, Self::template)
    }

    fn constant(&mut self, value: &'a RawValue) -> Result<(), Problem> {
        self.value(value, |writer, text, _| {
            writer.quoted(text);
            Ok(())
        })
    }

    fn value(
        &mut self,
        value: &'a RawValue,
        string: fn(&mut Self, &str, &RawValue) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        self.mark(value);
        match value.get().chars().next() {
            Some('"') => {
                let text = self.string(value)?;
                string(self, &text, value)
            }
            Some('[') => {
                self.hcl.push('[');
                for item in self.items(value)? {
                    self.value(item, string)?;
                    self.hcl.push_str(", ");
                }
                self.hcl.push(']');
                Ok(())
            }
            Some('{') => {
                let object: Object<'a> = serde_json::from_str(value.get())
                    .map_err(|_| self.problem("an object is expected here", value))?;
                self.hcl.push_str("{\n");
                for (key, value) in object.0 {
                    self.hcl.push('(');
                    string(self, &key, value)?;
                    self.hcl.push_str(") = ");
                    self.value(value, string)?;
                    self.hcl.push('\n');
                }
                self.hcl.push('}');
                Ok(())
            }
            // Numbers, booleans and null are written as they are there.
            _ => {
                self.hcl.push_str(value.get());
                Ok(())
            }
        }
    }

    fn template(&mut self, text: &str, at: &RawValue) -> Result<(), Problem> {
        let template = parser::parse_template(text).map_err(|error| {
            let message = format!("syntax error in this template: {}", error.message());
            self.problem(&message, at)
        })?;
        if template.iter().any(Element::is_directive) {
            // What stands between directives needs no escaping there; the last line end is no part.
            let mut end = "END".to_owned();
            while text.contains(&end) {
                end.push('_');
            }
            let _ = write!(self.hcl, "trimsuffix(<<{end}\n{text}\n{end}\n, \"\\n\")");
            return Ok(());
        }
        self.hcl.push('"');
        for element in template.iter() {
            let span = element.span().unwrap_or_default();
            let written = text.get(span).unwrap_or_default();
            match element {
                Element::Literal(_) => self.escaped(written),
                _ => self.hcl.push_str(written),
            }
        }
        self.hcl.push('"');
        Ok(())
    }

    /// Text without templates.
    fn quoted(&mut self, text: &str) {
        self.hcl.push('"');
        self.escaped(&text.replace("${", "$${").replace("%{", "%%{"));
        self.hcl.push('"');
    }

    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '"' | '\\' => self.hcl.extend(['\\', character]),
                '\n' => self.hcl.push_str("\\n"),
                '\r' => self.hcl.push_str("\\r"),
                '\t' => self.hcl.push_str("\\t"),
                control if control.is_control() => {
                    let _ = write!(self.hcl, "\\u{:04x}", u32::from(control));
                }
                other => self.hcl.push(other),
            }
        }
    }

    /// An expression that is written in a string.
    fn written_expression(&mut self, value: &'a RawValue) -> Result<(), Problem> {
        let text = self.string(value)?;
        if let Err(error) = parser::parse_expr(text.trim()) {
            let message = format!("syntax error in this expression: {}", error.message());
            return Err(self.problem(&message, value));
        }
        self.mark(value);
        // In parentheses it may span lines; a name alone has none around it.
        if text.contains('\n') {
            let _ = write!(self.hcl, "({})", text.trim());
        } else {
            self.hcl.push_str(text.trim());
        }
        Ok(())
    }

    fn written_expressions(&mut self, value: &'a RawValue) -> Result<(), Problem> {
        if value.get().starts_with('"') {
            return self.written_expression(value);
        }
        self.hcl.push('[');
        for item in self.items(value)? {
            self.written_expression(item)?;
            self.hcl.push_str(", ");
        }
        self.hcl.push(']');
        Ok(())
    }
}
