//! Variables made by chance from a seed: a type constraint, a default that is mostly of it, and whether
//! it may be null.

use super::generator::Chance;

#[derive(Clone)]
enum Kind {
    Plain(&'static str),
    /// `list`, `set` or `map`.
    Collection(&'static str, Box<Kind>),
    Tuple(Vec<Kind>),
    Object(Vec<Field>),
}

#[derive(Clone)]
struct Field {
    name: &'static str,
    kind: Kind,
    optional: bool,
    default: Option<String>,
}

fn kind(chance: &mut Chance, depth: usize) -> Kind {
    let choices = if depth == 0 { 4 } else { 13 };
    match chance.below(choices) {
        index @ 0..4 => Kind::Plain(["string", "number", "bool", "any"][index]),
        index @ 4..10 => {
            let name = ["list", "set", "map"][index % 3];
            Kind::Collection(name, Box::new(kind(chance, depth - 1)))
        }
        10 => Kind::Tuple(
            (0..chance.below(4))
                .map(|_| kind(chance, depth - 1))
                .collect(),
        ),
        _ => {
            let names = ["a", "b", "c", "é"];
            let names = names
                .into_iter()
                .filter(|_| chance.percent(60))
                .collect::<Vec<_>>();
            let field = |name| {
                let kind = kind(chance, depth - 1);
                let optional = chance.percent(60);
                let default = optional && chance.percent(50);
                let default = default.then(|| value(chance, &kind));
                Field {
                    name,
                    kind,
                    optional,
                    default,
                }
            };
            Kind::Object(names.into_iter().map(field).collect())
        }
    }
}

fn constraint(kind: &Kind) -> String {
    match kind {
        Kind::Plain(name) => (*name).to_owned(),
        Kind::Collection(name, element) => format!("{name}({})", constraint(element)),
        Kind::Tuple(items) => {
            let items: Vec<String> = items.iter().map(constraint).collect();
            format!("tuple([{}])", items.join(", "))
        }
        Kind::Object(fields) => {
            let field = |field: &Field| {
                let kind = constraint(&field.kind);
                let kind = match (&field.default, field.optional) {
                    (Some(default), _) => format!("optional({kind}, {default})"),
                    (None, true) => format!("optional({kind})"),
                    (None, false) => kind,
                };
                format!("{} = {kind}", field.name)
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("object({{ {} }})", fields.join(", "))
        }
    }
}

/// An expression whose value is mostly of the kind.
fn value(chance: &mut Chance, kind: &Kind) -> String {
    if chance.percent(8) {
        return "null".to_owned();
    }
    if chance.percent(3) {
        let others = [
            "1",
            "\"x\"",
            "true",
            "[]",
            "{}",
            "[\"1\", 2]",
            "{ a = 1 }",
            "[null]",
        ];
        return (*chance.of(&others)).to_owned();
    }
    let pairs = |pairs: Vec<String>| format!("{{ {} }}", pairs.join(", "));
    match kind {
        Kind::Plain(name) => {
            let values: &[&str] = match *name {
                "string" => &[
                    "\"a\"", "\"\"", "\"é\"", "1", "true", "1.50", "\"12\"", "1e3",
                ],
                "number" => &[
                    "1",
                    "\"2\"",
                    "-1.5",
                    "0",
                    "1e10",
                    "\"1e2\"",
                    "9007199254740993",
                    "\"007\"",
                ],
                "bool" => &["true", "false", "\"true\"", "\"0\"", "\"1\""],
                _ => &[
                    "1",
                    "\"x\"",
                    "[1, \"a\"]",
                    "{ a = 1, b = \"x\" }",
                    "[]",
                    "{}",
                    "true",
                    "[[1], [\"x\"]]",
                    "[{ a = 1 }, { a = \"y\" }]",
                    "{ a = [1], b = [\"x\"] }",
                ],
            };
            (*chance.of(values)).to_owned()
        }
        Kind::Collection("map", element) => {
            let keys = ["a", "b", "\"x y\"", "é"];
            let keys = keys
                .into_iter()
                .filter(|_| chance.percent(50))
                .collect::<Vec<_>>();
            let pair = |key| format!("{key} = {}", value(chance, element));
            pairs(keys.into_iter().map(pair).collect())
        }
        Kind::Collection(_, element) => {
            let items: Vec<String> = (0..chance.below(4))
                .map(|_| value(chance, element))
                .collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Tuple(items) => {
            let items: Vec<String> = items.iter().map(|item| value(chance, item)).collect();
            format!("[{}]", items.join(", "))
        }
        Kind::Object(fields) => {
            let mut given = Vec::new();
            for field in fields {
                if !chance.percent(if field.optional { 40 } else { 2 }) {
                    given.push(format!("{} = {}", field.name, value(chance, &field.kind)));
                }
            }
            if chance.percent(15) {
                given.push("extra = 1".to_owned());
            }
            pairs(given)
        }
    }
}

/// The lines of a variable's block.
pub(crate) fn body(chance: &mut Chance) -> String {
    let kind = kind(chance, 3);
    let mut text = format!(
        "  type = {}\n  default = {}\n",
        constraint(&kind),
        value(chance, &kind)
    );
    if chance.percent(30) {
        text += "  nullable = false\n";
    }
    text
}
