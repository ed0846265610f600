//! `format` and `formatlist`: Go's verbs, as far as Terraform has them.

use unicode_segmentation::UnicodeSegmentation;

use super::Context;
use crate::module::convert::convert;
use crate::module::json::encode;
use crate::module::number::Number;
use crate::module::value::{Type, Value};

/// Wider than this nothing is padded.
const WIDEST: usize = 10_000;

pub(super) fn format(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=usize::MAX)?;
    formatted(&context.text(0)?, arguments(context)?).map(Value::from)
}

/// What is formatted. A bare `null`, whose type nobody knows, Terraform never makes a string of.
fn arguments<'a>(context: &'a Context<'_>) -> Result<&'a [Value], String> {
    let arguments = &context.arguments[1..];
    match arguments.contains(&Value::null()) {
        true => Err("an argument is null, of no type".to_owned()),
        false => Ok(arguments),
    }
}

pub(super) fn formatlist(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=usize::MAX)?;
    let layout = context.text(0)?;
    let arguments = arguments(context)?;
    let mut length: Option<usize> = None;
    for argument in arguments {
        if let Some(items) = argument.items() {
            if length.is_some_and(|length| length != items.len()) {
                return Err("all lists must have the same length".to_owned());
            }
            length = Some(items.len());
        }
    }
    let Some(length) = length else {
        return Ok(Value::strings([formatted(&layout, arguments)?]));
    };
    let mut lines = Vec::with_capacity(length);
    for index in 0..length {
        let row: Vec<Value> = arguments
            .iter()
            .map(|argument| {
                argument
                    .items()
                    .map_or_else(|| argument.clone(), |items| items[index].clone())
            })
            .collect();
        lines.push(formatted(&layout, &row)?);
    }
    Ok(Value::strings(lines))
}

#[derive(Default)]
struct Verb {
    plus: bool,
    minus: bool,
    space: bool,
    zero: bool,
    sharp: bool,
    width: Option<usize>,
    precision: Option<usize>,
    letter: char,
}

fn formatted(layout: &str, arguments: &[Value]) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = layout.chars().peekable();
    let mut next = 0;
    let mut used = 0;
    let mut chose = false;
    while let Some(character) = rest.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let mut verb = Verb::default();
        loop {
            match rest.peek() {
                Some('+') => verb.plus = true,
                Some('-') => verb.minus = true,
                Some(' ') => verb.space = true,
                Some('0') => verb.zero = true,
                Some('#') => verb.sharp = true,
                _ => break,
            }
            rest.next();
        }
        let digits = |rest: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            let mut number: Option<usize> = None;
            while let Some(digit) = rest.peek().and_then(|digit| digit.to_digit(10)) {
                rest.next();
                let value = number.unwrap_or(0) * 10 + digit as usize;
                if value > WIDEST {
                    return Err(format!("a width of more than {WIDEST}"));
                }
                number = Some(value);
            }
            Ok(number)
        };
        verb.width = digits(&mut rest)?;
        if rest.next_if_eq(&'.').is_some() {
            verb.precision = Some(digits(&mut rest)?.unwrap_or(0));
        }
        if rest.next_if_eq(&'[').is_some() {
            let chosen = digits(&mut rest)?.filter(|position| *position > 0);
            let (Some(position), Some(_)) = (chosen, rest.next_if_eq(&']')) else {
                return Err("an argument is chosen as in %[1]s".to_owned());
            };
            next = position - 1;
            chose = true;
        }
        verb.letter = rest
            .next()
            .ok_or("the format ends in the middle of a verb")?;
        if verb.letter == '%' {
            text.push('%');
            continue;
        }
        let argument = arguments
            .get(next)
            .ok_or_else(|| format!("there is no argument {} for %{}", next + 1, verb.letter))?;
        next += 1;
        used = used.max(next);
        let what = format!("argument {next} for %{}", verb.letter);
        text.push_str(
            &verb
                .apply(argument)
                .map_err(|reason| format!("{what}: {reason}"))?,
        );
    }
    if !chose && used < arguments.len() {
        return Err(format!(
            "{} arguments are given, the format uses {used}",
            arguments.len()
        ));
    }
    Ok(text)
}

impl Verb {
    fn apply(&self, argument: &Value) -> Result<String, String> {
        if self.letter == 'v' {
            return Ok(self.as_is(argument));
        }
        if argument.is_null() {
            return Err("a null value cannot be formatted".to_owned());
        }
        let to = |kind: &Type| convert(argument, kind).map_err(|error| error.to_string());
        match self.letter {
            't' => match to(&Type::Bool)? {
                // Terraform ignores a width here.
                Value::Bool(value) => Ok(value.to_string()),
                _ => Err("a bool is required".to_owned()),
            },
            'b' | 'd' | 'o' | 'x' | 'X' => match to(&Type::Number)? {
                // An integer has no negative zero.
                Value::Number(number) if number.as_i64() == Some(0) => self.integer(&0.into()),
                Value::Number(number) => self.integer(&number),
                _ => Err("a number is required".to_owned()),
            },
            'e' | 'E' | 'f' | 'g' | 'G' => match to(&Type::Number)? {
                Value::Number(number) => Ok(self.float(&number)),
                _ => Err("a number is required".to_owned()),
            },
            's' | 'q' => {
                let value = to(&Type::String)?;
                let text = value.as_str().unwrap_or_default();
                let text: String = match self.precision {
                    Some(count) => text.graphemes(true).take(count).collect(),
                    None => text.to_owned(),
                };
                let quoted = if self.letter == 'q' {
                    encode(&Value::string(text))
                } else {
                    text
                };
                Ok(self.padded(&quoted))
            }
            other => Err(format!("there is no verb %{other}")),
        }
    }

    fn as_is(&self, argument: &Value) -> String {
        match argument {
            Value::String(text) if !self.sharp => self.padded(text),
            Value::Number(number) if !self.sharp => {
                let sign = if number.is_negative() { "-" } else { "" };
                self.padded(&format!("{sign}{}", number.shortest().general(None)))
            }
            _ => self.padded(&encode(argument)),
        }
    }

    fn padded(&self, text: &str) -> String {
        let missing = self
            .width
            .unwrap_or(0)
            .saturating_sub(text.graphemes(true).count());
        let padding = if self.zero { "0" } else { " " }.repeat(missing);
        if self.minus {
            format!("{text}{}", " ".repeat(missing))
        } else {
            format!("{padding}{text}")
        }
    }

    fn integer(&self, number: &Number) -> Result<String, String> {
        let integer = number.as_integer().ok_or("a whole number is required")?;
        let magnitude = integer.magnitude();
        let (prefix, mut digits) = match self.letter {
            'b' => ("0b", magnitude.to_str_radix(2)),
            'o' => ("0", magnitude.to_str_radix(8)),
            'x' => ("0x", magnitude.to_str_radix(16)),
            'X' => ("0X", magnitude.to_str_radix(16).to_uppercase()),
            _ => ("", magnitude.to_str_radix(10)),
        };
        if let Some(precision) = self.precision {
            digits = if precision == 0 && digits == "0" {
                String::new()
            } else {
                format!(
                    "{}{digits}",
                    "0".repeat(precision.saturating_sub(digits.len()))
                )
            };
        }
        let prefix = if self.sharp { prefix } else { "" };
        let zero = self.zero && self.precision.is_none();
        Ok(self.signed(number.is_negative(), prefix, &digits, zero))
    }

    fn float(&self, number: &Number) -> String {
        let digits = match self.letter {
            'f' => number.exact().plain(Some(self.precision.unwrap_or(6))),
            'e' | 'E' => number.exact().scientific(Some(self.precision.unwrap_or(6))),
            _ => match self.precision {
                Some(precision) => number.exact().general(Some(precision)),
                None => number.shortest().general(None),
            },
        };
        let digits = if self.letter.is_uppercase() {
            digits.to_uppercase()
        } else {
            digits
        };
        self.signed(number.is_negative(), "", &digits, self.zero)
    }

    fn signed(&self, negative: bool, prefix: &str, digits: &str, zero: bool) -> String {
        let sign = match (negative, self.plus, self.space) {
            (true, ..) => "-",
            (false, true, _) => "+",
            (false, false, true) => " ",
            _ => "",
        };
        let taken = sign.len() + prefix.len() + digits.len();
        let missing = self.width.unwrap_or(0).saturating_sub(taken);
        if self.minus {
            format!("{sign}{prefix}{digits}{}", " ".repeat(missing))
        } else if zero {
            format!("{sign}{prefix}{}{digits}", "0".repeat(missing))
        } else {
            format!("{}{sign}{prefix}{digits}", " ".repeat(missing))
        }
    }
}
