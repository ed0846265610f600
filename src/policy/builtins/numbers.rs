//! Arithmetic on decimals, as OPA counts: 0.1 + 0.2 is 0.3. A whole number of more than 64 bits is an
//! error, since the engine would round it.

use std::str::FromStr;

use num_bigint::BigInt;
use regorus::Value;

use super::{Answer, engines_own, integer, members};

/// `digits / 10^scale`.
struct Decimal {
    digits: BigInt,
    scale: u32,
}

/// How many digits a quotient has: more than a float can tell apart.
const QUOTIENT_SCALE: u32 = 40;
/// As many decimal digits a float keeps of any number.
const KEPT_DIGITS: usize = 15;
/// Beyond this a float is taken as it is.
const MAX_SCALE: u32 = 340;

impl Decimal {
    /// `None` for what is no number. One of more digits than a float keeps is an error: OPA counts on
    /// with others than those that are left here.
    fn read(value: &Value) -> Result<Option<Self>, String> {
        let Value::Number(_) = value else {
            return Ok(None);
        };
        if let Ok(whole) = value.as_i128() {
            return Ok(Some(Self {
                digits: whole.into(),
                scale: 0,
            }));
        }
        let Ok(float) = value.as_f64() else {
            return Ok(None);
        };
        // The shortest decimal that means this float is the one that was written.
        let text = format!("{float}");
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let digits = format!("{whole}{fraction}");
        let significant = digits.trim_start_matches(['-', '0']).trim_end_matches('0');
        if significant.len() > KEPT_DIGITS {
            return Err(format!(
                "{text} has more digits than are kept: multiply before dividing, or round"
            ));
        }
        let (Ok(digits), Ok(scale)) = (BigInt::from_str(&digits), u32::try_from(fraction.len()))
        else {
            return Ok(None);
        };
        Ok(Some(Self { digits, scale }).filter(|decimal| decimal.scale <= MAX_SCALE))
    }

    fn at_scale(&self, scale: u32) -> BigInt {
        &self.digits * BigInt::from(10).pow(scale.saturating_sub(self.scale))
    }

    /// The number as the engine holds it.
    fn value(mut self) -> Answer {
        let ten = BigInt::from(10);
        while self.scale > 0 && &self.digits % &ten == BigInt::ZERO {
            self.digits /= &ten;
            self.scale -= 1;
        }
        if self.scale == 0 {
            if let Ok(whole) = i64::try_from(&self.digits) {
                return Ok(Some(whole.into()));
            }
            return match u64::try_from(&self.digits) {
                Ok(whole) => Ok(Some(whole.into())),
                Err(_) => Err(format!("{} has more than 64 bits", self.digits)),
            };
        }
        let text = format!("{}e-{}", self.digits, self.scale);
        Ok(f64::from_str(&text).ok().map(Value::from))
    }
}

fn both(arguments: &[Value]) -> Result<Option<(Decimal, Decimal)>, String> {
    match arguments {
        [left, right] => Ok(Decimal::read(left)?.zip(Decimal::read(right)?)),
        _ => Ok(None),
    }
}

fn add(left: &Decimal, right: &Decimal, sign: i32) -> Decimal {
    let scale = left.scale.max(right.scale);
    Decimal {
        digits: left.at_scale(scale) + right.at_scale(scale) * sign,
        scale,
    }
}

fn times(left: &Decimal, right: &Decimal) -> Decimal {
    Decimal {
        digits: &left.digits * &right.digits,
        scale: left.scale + right.scale,
    }
}

pub(super) fn plus(arguments: &[Value]) -> Answer {
    match both(arguments)? {
        Some((left, right)) => add(&left, &right, 1).value(),
        None => Ok(None),
    }
}

/// Of numbers, and of sets.
pub(super) fn minus(arguments: &[Value]) -> Answer {
    if let [Value::Set(left), Value::Set(right)] = arguments {
        let kept = left.iter().filter(|member| !right.contains(member));
        return Ok(Some(set(kept.cloned())));
    }
    match both(arguments)? {
        Some((left, right)) => add(&left, &right, -1).value(),
        None => Ok(None),
    }
}

pub(super) fn mul(arguments: &[Value]) -> Answer {
    match both(arguments)? {
        Some((left, right)) => times(&left, &right).value(),
        None => Ok(None),
    }
}

pub(super) fn div(arguments: &[Value]) -> Answer {
    let Some((left, right)) = both(arguments)? else {
        return Ok(None);
    };
    if right.digits == BigInt::ZERO {
        return Ok(None);
    }
    let scale = QUOTIENT_SCALE + right.scale;
    let digits = left.at_scale(scale + left.scale) / right.digits;
    Decimal {
        digits,
        scale: scale + left.scale - right.scale,
    }
    .value()
}

/// Of whole numbers; the sign is that of the dividend.
pub(super) fn rem(arguments: &[Value]) -> Answer {
    Ok(match both(arguments)? {
        Some((left, right))
            if left.scale == 0 && right.scale == 0 && right.digits != BigInt::ZERO =>
        {
            return Decimal {
                digits: left.digits % right.digits,
                scale: 0,
            }
            .value();
        }
        _ => None,
    })
}

pub(super) fn and(arguments: &[Value]) -> Answer {
    Ok(match arguments {
        [Value::Set(left), Value::Set(right)] => {
            let kept = left.iter().filter(|member| right.contains(member));
            Some(set(kept.cloned()))
        }
        _ => None,
    })
}

pub(super) fn or(arguments: &[Value]) -> Answer {
    Ok(match arguments {
        [Value::Set(left), Value::Set(right)] => {
            Some(set(left.iter().chain(right.iter()).cloned()))
        }
        _ => None,
    })
}

pub(super) fn sum(arguments: &[Value]) -> Answer {
    fold(arguments, 0, |left, right| add(left, right, 1))
}

pub(super) fn product(arguments: &[Value]) -> Answer {
    fold(arguments, 1, times)
}

fn fold(arguments: &[Value], first: i32, join: fn(&Decimal, &Decimal) -> Decimal) -> Answer {
    let Some(numbers) = members(arguments.first()) else {
        return Ok(None);
    };
    let mut all = Decimal {
        digits: first.into(),
        scale: 0,
    };
    for number in numbers {
        let Some(number) = Decimal::read(number)? else {
            return Ok(None);
        };
        all = join(&all, &number);
    }
    all.value()
}

/// OPA takes no blanks around the digits.
pub(super) fn to_number(arguments: &[Value]) -> Answer {
    match arguments {
        [Value::String(text)] if text.trim() != text.as_ref() => Ok(None),
        _ => engines_own("to_number", arguments),
    }
}

/// No clock stops a builtin at work.
const LONGEST_RANGE: u64 = 1_000_000;

/// More numbers than a policy has the time for fail it at once.
pub(super) fn range(arguments: &[Value]) -> Answer {
    within_reach(arguments)?;
    engines_own("numbers.range", arguments)
}

fn within_reach(arguments: &[Value]) -> Result<(), String> {
    let ends = integer(arguments.first()).zip(integer(arguments.get(1)));
    match ends {
        Some((from, to)) if from.abs_diff(to) > LONGEST_RANGE => Err(format!(
            "from {from} to {to} are more than {LONGEST_RANGE} numbers"
        )),
        _ => Ok(()),
    }
}

/// A step that is no positive number leads nowhere.
pub(super) fn range_step(arguments: &[Value]) -> Answer {
    within_reach(arguments)?;
    match integer(arguments.get(2)) {
        Some(step) if step > 0 => engines_own("numbers.range_step", arguments),
        _ => Ok(None),
    }
}

pub(super) fn set(members: impl Iterator<Item = Value>) -> Value {
    Value::from(members.collect::<std::collections::BTreeSet<_>>())
}
