//! Functions of numbers.

use super::{Context, floats};
use crate::module::number::Number;
use crate::module::value::{Type, Value};

/// More numbers than this `range` does not make, as in Terraform.
const LONGEST_RANGE: usize = 1024;

pub(super) fn abs(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let number = context.number(0)?;
    Ok(if number.is_negative() {
        number.negated()
    } else {
        number
    }
    .into())
}

pub(super) fn ceil(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context.number(0)?.to_whole(true).into())
}

pub(super) fn floor(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(context.number(0)?.to_whole(false).into())
}

fn numbers(context: &Context<'_>) -> Result<Vec<Number>, String> {
    context.takes(1..=usize::MAX)?;
    (0..context.arguments.len())
        .map(|index| context.number(index))
        .collect()
}

/// The first of those that are equal: Terraform prints a negative zero otherwise.
pub(super) fn max(context: &Context<'_>) -> Result<Value, String> {
    Ok(numbers(context)?
        .into_iter()
        .rev()
        .max()
        .map_or_else(Value::null, Value::Number))
}

pub(super) fn min(context: &Context<'_>) -> Result<Value, String> {
    Ok(numbers(context)?
        .into_iter()
        .min()
        .map_or_else(Value::null, Value::Number))
}

fn finite(context: &Context<'_>, value: f64) -> Result<Value, String> {
    let none = "the result is no number";
    Number::from_f64(value)
        .map(Value::Number)
        .ok_or_else(|| match value.is_nan() {
            true => none.to_owned(),
            false => context.refusal(none),
        })
}

pub(super) fn log(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (number, base) = (context.number(0)?, context.number(1)?);
    finite(
        context,
        floats::ln(number.to_f64()) / floats::ln(base.to_f64()),
    )
}

pub(super) fn pow(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let (base, exponent) = (context.number(0)?.to_f64(), context.number(1)?.to_f64());
    let power = floats::power(base, exponent).ok_or_else(|| {
        context.refusal(
            "the exponent must be a whole number or 0.5: with others Terraform's last digits differ between machines",
        )
    })?;
    finite(context, power)
}

pub(super) fn signum(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    Ok(Number::from(context.integer(0)?.signum()).into())
}

pub(super) fn parseint(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let Some(Value::String(text)) = context.arguments.first() else {
        return Err("argument 1 must be a string".to_owned());
    };
    let base = u32::try_from(context.integer(1)?)
        .ok()
        .filter(|base| (2..=62).contains(base))
        .ok_or("the base must be between 2 and 62")?;
    Number::parse_in_base(text, base)
        .map(Value::Number)
        .ok_or_else(|| format!("{text:?} is no whole number in base {base}"))
}

pub(super) fn sum(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let value = context.value(0)?;
    let items = value
        .items()
        .ok_or("argument 1 must be a list, set or tuple of numbers")?;
    let mut total: Option<Number> = None;
    for item in items {
        let number = match crate::module::convert::convert(item, &Type::Number) {
            Ok(Value::Number(number)) => number,
            _ => return Err("argument 1 must be a list, set or tuple of numbers".to_owned()),
        };
        total = Some(total.map_or_else(|| number.clone(), |total| total.plus(&number)));
    }
    total
        .map(Value::Number)
        .ok_or_else(|| "cannot sum an empty list".to_owned())
}

pub(super) fn range(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=3)?;
    let zero = Number::from(0);
    let (start, end) = match context.arguments.len() {
        1 => (zero.clone(), context.number(0)?),
        _ => (context.number(0)?, context.number(1)?),
    };
    let step = match context.arguments.len() {
        3 => context.number(2)?,
        _ => Number::from(if end < start { -1 } else { 1 }),
    };
    let down = step.is_negative();
    if (down && start < end) || (!down && end < start) {
        let relation = if down { "below" } else { "above" };
        return Err(format!(
            "with this step the end must be {relation} the start"
        ));
    }
    if step.is_zero() && start != end {
        return Err("the step must not be zero".to_owned());
    }
    let mut numbers = Vec::new();
    let mut next = start;
    while if down { next > end } else { next < end } {
        if numbers.len() >= LONGEST_RANGE {
            return Err(format!("more than {LONGEST_RANGE} values"));
        }
        numbers.push(Value::Number(next.clone()));
        next = next.plus(&step);
    }
    Ok(Value::List(Type::Number, numbers.into()))
}
