//! `sprintf`, as Go's `fmt` writes. OPA hands it whole numbers, floats, strings, and everything else
//! as its own text.

use std::fmt::Write;

use regorus::Value;

use super::sizes::check_bytes;
use super::{Answer, string};

enum Argument {
    Integer(i128),
    Float(f64),
    Text(String),
}

#[derive(Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// A policy gains nothing by longer fields.
const MAX_WIDTH: usize = 10_000;

pub(super) fn sprintf(arguments: &[Value]) -> Answer {
    let (Some(format), Some(Value::Array(values))) = (string(arguments.first()), arguments.get(1))
    else {
        return Ok(None);
    };
    let values: Vec<Argument> = values.iter().map(argument).collect();
    let text = Printer::new(&values).print(format);
    check_bytes(text.len())?;
    Ok(Some(text.into()))
}

fn argument(value: &Value) -> Argument {
    match value {
        Value::Number(_) => {
            let whole = value.as_i64().map(i128::from);
            match (
                whole.or_else(|_| value.as_u64().map(i128::from)),
                value.as_f64(),
            ) {
                (Ok(whole), _) => Argument::Integer(whole),
                (_, Ok(float)) => Argument::Float(float),
                _ => Argument::Text(rego(value)),
            }
        }
        Value::String(text) => Argument::Text(text.to_string()),
        other => Argument::Text(rego(other)),
    }
}

/// The value in Rego's own words.
fn rego(value: &Value) -> String {
    let joined = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(", ");
    match value {
        Value::String(text) => quoted(text, '"'),
        Value::Array(items) => format!("[{}]", joined(&mut items.iter().map(rego))),
        Value::Set(items) if items.is_empty() => "set()".to_owned(),
        Value::Set(items) => format!("{{{}}}", joined(&mut items.iter().map(rego))),
        Value::Object(fields) => {
            let mut pairs = fields
                .iter()
                .map(|(key, value)| format!("{}: {}", rego(key), rego(value)));
            format!("{{{}}}", joined(&mut pairs))
        }
        other => other.to_string(),
    }
}

/// Go's `strconv.Quote`.
fn quoted(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for letter in text.chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            letter if letter == quote => {
                out.push('\\');
                out.push(letter);
            }
            ' ' => out.push(' '),
            letter if letter.is_ascii_control() => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(letter));
            }
            letter if !is_printable(letter) => {
                let code = u32::from(letter);
                let _ = if code < 0x1_0000 {
                    write!(out, "\\u{code:04x}")
                } else {
                    write!(out, "\\U{code:08x}")
                };
            }
            other => out.push(other),
        }
    }
    out.push(quote);
    out
}

fn is_printable(letter: char) -> bool {
    !letter.is_control()
        && !letter.is_whitespace()
        && !matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}')
}

struct Printer<'a> {
    values: &'a [Argument],
    next: usize,
    is_reordered: bool,
    out: String,
}

impl<'a> Printer<'a> {
    fn new(values: &'a [Argument]) -> Self {
        Self {
            values,
            next: 0,
            is_reordered: false,
            out: String::new(),
        }
    }

    fn print(mut self, format: &str) -> String {
        let letters: Vec<char> = format.chars().collect();
        let mut index = 0;
        while let Some(&letter) = letters.get(index)
            && check_bytes(self.out.len()).is_ok()
        {
            index += 1;
            if letter == '%' {
                self.directive(&letters, &mut index);
            } else {
                self.out.push(letter);
            }
        }
        if !self.is_reordered && self.next < self.values.len() {
            let extra: Vec<String> = self.values[self.next..]
                .iter()
                .map(|value| format!("{}={}", kind(value), plain(value)))
                .collect();
            let _ = write!(self.out, "%!(EXTRA {})", extra.join(", "));
        }
        self.out
    }

    fn directive(&mut self, letters: &[char], index: &mut usize) {
        let mut flags = Flags::default();
        while let Some(letter) = letters.get(*index) {
            match letter {
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                _ => break,
            }
            *index += 1;
        }
        let mut is_bad = !self.chosen(letters, index);
        if letters.get(*index) == Some(&'*') {
            *index += 1;
            match self.taken_integer() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.out.push_str("%!(BADWIDTH)"),
            }
        } else {
            flags.width = number(letters, index);
        }
        if letters.get(*index) == Some(&'.') {
            *index += 1;
            is_bad |= !self.chosen(letters, index);
            if letters.get(*index) == Some(&'*') {
                *index += 1;
                match self.taken_integer() {
                    Some(precision) => flags.precision = usize::try_from(precision).ok(),
                    None => self.out.push_str("%!(BADPREC)"),
                }
            } else {
                flags.precision = Some(number(letters, index).unwrap_or_default());
            }
        }
        is_bad |= !self.chosen(letters, index);
        let within = |size: &usize| *size <= MAX_WIDTH;
        flags.width = flags.width.filter(within);
        flags.precision = flags.precision.filter(within);
        let Some(&verb) = letters.get(*index) else {
            self.out.push_str("%!(NOVERB)");
            return;
        };
        *index += 1;
        if verb == '%' {
            self.out.push('%');
            return;
        }
        if is_bad {
            let _ = write!(self.out, "%!{verb}(BADINDEX)");
            return;
        }
        let Some(value) = self.values.get(self.next) else {
            let _ = write!(self.out, "%!{verb}(MISSING)");
            return;
        };
        self.next += 1;
        let written = written(value, verb, &flags).unwrap_or_else(|| {
            let plain = written(value, 'v', &flags).unwrap_or_default();
            format!("%!{verb}({}={plain})", kind(value))
        });
        self.out.push_str(&written);
    }

    /// `[2]`: the argument that comes next. False if there is none of that number.
    fn chosen(&mut self, letters: &[char], index: &mut usize) -> bool {
        if letters.get(*index) != Some(&'[') {
            return true;
        }
        self.is_reordered = true;
        *index += 1;
        let wanted = number(letters, index);
        while letters.get(*index).is_some_and(|letter| *letter != ']') {
            *index += 1;
        }
        *index += 1;
        match wanted {
            Some(wanted) if wanted >= 1 && wanted <= self.values.len() => {
                self.next = wanted - 1;
                true
            }
            _ => false,
        }
    }

    fn taken_integer(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        match value {
            Argument::Integer(whole) => i64::try_from(*whole).ok().filter(|whole| {
                usize::try_from(whole.unsigned_abs()).is_ok_and(|w| w <= MAX_WIDTH)
            }),
            _ => None,
        }
    }
}

fn number(letters: &[char], index: &mut usize) -> Option<usize> {
    let digits: String = letters
        .get(*index..)?
        .iter()
        .take_while(|letter| letter.is_ascii_digit())
        .collect();
    *index += digits.len();
    digits.parse().ok()
}

fn kind(value: &Argument) -> &'static str {
    match value {
        Argument::Integer(whole) if i64::try_from(*whole).is_ok() => "int64",
        Argument::Integer(_) => "*big.Int",
        Argument::Float(_) => "float64",
        Argument::Text(_) => "string",
    }
}

fn plain(value: &Argument) -> String {
    written(value, 'v', &Flags::default()).unwrap_or_default()
}

/// The value under a verb; `None` if Go has no such verb for it.
fn written(value: &Argument, verb: char, flags: &Flags) -> Option<String> {
    match value {
        Argument::Integer(whole) => integer(*whole, verb, flags),
        Argument::Float(float) => {
            let verb = if verb == 'v' { 'g' } else { verb };
            Some(padded_number(
                &self::float(*float, verb, flags)?,
                flags,
                true,
            ))
        }
        Argument::Text(text) => self::text(text, verb, flags),
    }
}

fn integer(whole: i128, verb: char, flags: &Flags) -> Option<String> {
    let is_big = i64::try_from(whole).is_err();
    let magnitude = whole.unsigned_abs();
    let digits = match verb {
        'd' | 'v' => magnitude.to_string(),
        's' if is_big => magnitude.to_string(),
        'b' => format!("{}{magnitude:b}", if flags.sharp { "0b" } else { "" }),
        'o' => format!("{}{magnitude:o}", if flags.sharp { "0" } else { "" }),
        'O' => format!("0o{magnitude:o}"),
        'x' => format!("{}{magnitude:x}", if flags.sharp { "0x" } else { "" }),
        'X' => format!("{}{magnitude:X}", if flags.sharp { "0X" } else { "" }),
        'c' | 'q' | 'U' => return letter(whole, verb, flags),
        _ => return None,
    };
    let mut digits = digits;
    if let Some(precision) = flags.precision {
        while digits.len() < precision {
            digits.insert(0, '0');
        }
    }
    let text = format!("{}{digits}", sign(whole < 0, flags));
    Some(padded_number(&text, flags, flags.precision.is_none()))
}

fn letter(whole: i128, verb: char, flags: &Flags) -> Option<String> {
    let letter = u32::try_from(whole)
        .ok()
        .and_then(char::from_u32)
        .unwrap_or('\u{fffd}');
    let text = match verb {
        'c' => letter.to_string(),
        'q' => quoted(&letter.to_string(), '\''),
        _ => {
            let code = format!("U+{:04X}", u128::try_from(whole).ok()?);
            if flags.sharp && is_printable(letter) {
                format!("{code} '{letter}'")
            } else {
                code
            }
        }
    };
    Some(padded(&text, flags))
}

fn sign(is_negative: bool, flags: &Flags) -> &'static str {
    match (is_negative, flags.plus, flags.space) {
        (true, _, _) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        (false, false, false) => "",
    }
}

fn float(value: f64, verb: char, flags: &Flags) -> Option<String> {
    let magnitude = value.abs();
    let digits = match verb {
        'e' | 'E' => exponential(magnitude, Some(flags.precision.unwrap_or(6))),
        'f' | 'F' => format!("{magnitude:.*}", flags.precision.unwrap_or(6)),
        'g' | 'G' => general(magnitude, flags.precision),
        _ => return None,
    };
    let digits = if verb.is_uppercase() {
        digits.to_uppercase()
    } else {
        digits
    };
    Some(format!("{}{digits}", sign(value.is_sign_negative(), flags)))
}

/// `1.5e+07`: the exponent has a sign and at least two digits.
fn exponential(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// The shorter of both ways; very large and very small numbers have an exponent.
fn general(value: f64, precision: Option<usize>) -> String {
    let shortest = match precision {
        None => exponential(value, None),
        Some(precision) => {
            let text = exponential(value, Some(precision.max(1) - 1));
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "+00"));
            let digits = if digits.contains('.') {
                digits.trim_end_matches('0').trim_end_matches('.')
            } else {
                digits
            };
            format!("{digits}e{exponent}")
        }
    };
    let (digits, exponent) = shortest.split_once('e').unwrap_or((&shortest, "+00"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let count = digits.bytes().filter(u8::is_ascii_digit).count();
    let threshold = match precision {
        None => 6,
        Some(precision) => i32::try_from(precision.max(1)).unwrap_or(i32::MAX),
    };
    if exponent < -4 || exponent >= threshold {
        return shortest;
    }
    let decimals = i32::try_from(count).unwrap_or(i32::MAX) - 1 - exponent;
    format!("{value:.*}", usize::try_from(decimals).unwrap_or_default())
}

fn text(text: &str, verb: char, flags: &Flags) -> Option<String> {
    let cut: String = match flags.precision {
        Some(precision) => text.chars().take(precision).collect(),
        None => text.to_owned(),
    };
    let written = match verb {
        'v' | 's' => cut,
        'q' => quoted(&cut, '"'),
        'x' => cut.bytes().map(|byte| format!("{byte:02x}")).collect(),
        'X' => cut.bytes().map(|byte| format!("{byte:02X}")).collect(),
        _ => return None,
    };
    Some(padded(&written, flags))
}

fn padded(text: &str, flags: &Flags) -> String {
    let missing = flags
        .width
        .unwrap_or_default()
        .saturating_sub(text.chars().count());
    if flags.minus {
        format!("{text}{}", " ".repeat(missing))
    } else {
        let filling = if flags.zero { "0" } else { " " };
        format!("{}{text}", filling.repeat(missing))
    }
}

/// Zeros go behind the sign.
fn padded_number(text: &str, flags: &Flags, may_fill: bool) -> String {
    let missing = flags
        .width
        .unwrap_or_default()
        .saturating_sub(text.chars().count());
    if !flags.zero || flags.minus || !may_fill {
        let flags = Flags {
            zero: false,
            minus: flags.minus,
            width: flags.width,
            ..Flags::default()
        };
        return padded(text, &flags);
    }
    let (sign, digits) = match text.chars().next() {
        Some(sign @ ('-' | '+' | ' ')) => (sign.to_string(), &text[1..]),
        _ => (String::new(), text),
    };
    format!("{sign}{}{digits}", "0".repeat(missing))
}
