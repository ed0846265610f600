//! Numbers as Terraform has them: binary floating point of 512 bits, rounded to the nearest even.
//!
//! Terraform's values are Go's `big.Float`; what is printed depends on the precision that a value
//! was made with, so a number carries it. Whole numbers of 64 bits, which is nearly all of them,
//! stay plain integers.

use std::cmp::Ordering;

use num_bigint::{BigInt, BigUint, Sign};

use super::decimal::Decimal;

/// The precision, in bits, of what is written in a file.
const WRITTEN: u32 = 512;
/// The precision, in bits, of what Terraform counts: lengths, indexes, `count.index`.
const COUNTED: u32 = 64;
/// Beyond this no number of a configuration goes, and digits would fill the memory.
const LARGEST_EXPONENT: i64 = 20_000;

/// An exact binary number with the precision it was made with.
#[derive(Clone, Debug)]
pub struct Number {
    repr: Repr,
    precision: u32,
}

#[derive(Clone, Debug)]
enum Repr {
    Integer(i64),
    /// Terraform tells it from zero when it prints, and nowhere else.
    NegativeZero,
    /// `mantissa * 2^exponent`, the mantissa odd; never an integer that fits the other form.
    Wide(Box<(BigInt, i64)>),
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self {
            repr: Repr::Integer(value),
            precision: WRITTEN,
        }
    }
}

impl Number {
    /// A count or an index, with the precision that Terraform gives those.
    pub fn count(value: usize) -> Self {
        Self {
            repr: Repr::Integer(i64::try_from(value).unwrap_or(i64::MAX)),
            precision: COUNTED,
        }
    }

    /// A number as it is written in decimal: `12`, `-1.5`, `1e3`. `None` if the text is no such
    /// number or is too large to be one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        let negative = text.starts_with('-');
        if digits.len() < 18
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            let value = digits.parse().ok().map(|value: i64| Self::from(value))?;
            return Some(if negative { value.negated() } else { value });
        }
        let (mantissa, exponent) = match digits.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
            None => (digits, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = format!("{whole}{fraction}");
        if all_digits.is_empty() || !all_digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
        if exponent.abs() > LARGEST_EXPONENT || all_digits.len() > 20_000 {
            return None;
        }
        let magnitude = BigInt::from(BigUint::parse_bytes(all_digits.as_bytes(), 10)?);
        let power = BigUint::from(10u32).pow(u32::try_from(exponent.unsigned_abs()).ok()?);
        let value = if exponent >= 0 {
            Self::rounded(magnitude * BigInt::from(power), 0, WRITTEN)
        } else {
            Self::quotient(&magnitude, &BigInt::from(power), 0, WRITTEN)
        };
        Some(if negative { value.negated() } else { value })
    }

    /// Whether a text that is none of ours is a number of Terraform's: infinite, too large, or with an
    /// exponent of two, as Go reads it.
    pub fn is_out_of_range(text: &str) -> bool {
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let unsigned = |text: &str| text.strip_prefix(['+', '-']).unwrap_or(text).to_owned();
        let text = unsigned(text);
        let (mantissa, exponent) = text
            .split_once(['e', 'E', 'p', 'P'])
            .unwrap_or((&text, "0"));
        matches!(&*text, "Inf" | "inf")
            || is_number(&mantissa.replacen('.', "", 1)) && is_number(&unsigned(exponent))
    }

    /// A whole number in `base`, with the digits of Go's `big.Int`; `None` if it is none.
    pub fn parse_in_base(text: &str, base: u32) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if digits.is_empty() {
            return None;
        }
        let mut value = BigInt::from(0);
        for digit in digits.bytes() {
            let digit = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'z' => digit - b'a' + 10,
                b'A'..=b'Z' if base <= 36 => digit - b'A' + 10,
                b'A'..=b'Z' => digit - b'A' + 36,
                _ => return None,
            };
            if u32::from(digit) >= base {
                return None;
            }
            value = value * base + digit;
        }
        let bits = value.bits().try_into().unwrap_or(u32::MAX).max(COUNTED);
        Some(Self::rounded(
            if negative { -value } else { value },
            0,
            bits,
        ))
    }

    /// `None` for what is no number: infinities and NaN.
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        if value == 0.0 && value.is_sign_negative() {
            return Some(Self {
                repr: Repr::NegativeZero,
                precision: 53,
            });
        }
        let bits = value.to_bits();
        let exponent = i64::try_from((bits >> 52) & 0x7ff).ok()?;
        let fraction = i64::try_from(bits & ((1 << 52) - 1)).ok()?;
        let (mantissa, exponent) = if exponent == 0 {
            (fraction, -1074)
        } else {
            (fraction | (1 << 52), exponent - 1075)
        };
        let mantissa = if value.is_sign_negative() {
            -mantissa
        } else {
            mantissa
        };
        Some(Self::rounded(BigInt::from(mantissa), exponent, 53))
    }

    /// The nearest floating point number.
    pub fn to_f64(&self) -> f64 {
        match &self.repr {
            #[expect(
                clippy::cast_precision_loss,
                reason = "the nearest is what is asked for"
            )]
            Repr::Integer(value) => *value as f64,
            Repr::NegativeZero => -0.0,
            // The shortest digits of a power of two may lie nearer to its neighbour.
            Repr::Wide(_) => {
                let sign = if self.is_negative() { "-" } else { "" };
                let digits = format!("{sign}{}", self.exact().plain(None));
                digits.parse().unwrap_or(f64::NAN)
            }
        }
    }

    /// The value if it is a whole number of 64 bits.
    pub fn as_i64(&self) -> Option<i64> {
        match self.repr {
            Repr::Integer(value) => Some(value),
            Repr::NegativeZero => Some(0),
            Repr::Wide(_) => None,
        }
    }

    /// The value if it is a whole number, of whatever size.
    pub fn as_integer(&self) -> Option<BigInt> {
        match &self.repr {
            Repr::Integer(value) => Some(BigInt::from(*value)),
            Repr::NegativeZero => Some(BigInt::from(0)),
            Repr::Wide(wide) => (wide.1 >= 0).then(|| &wide.0 << wide.1.unsigned_abs()),
        }
    }

    pub fn is_zero(&self) -> bool {
        matches!(self.repr, Repr::Integer(0) | Repr::NegativeZero)
    }

    pub fn is_negative(&self) -> bool {
        match &self.repr {
            Repr::Integer(value) => *value < 0,
            Repr::NegativeZero => true,
            Repr::Wide(wide) => wide.0.sign() == Sign::Minus,
        }
    }

    pub fn negated(&self) -> Self {
        let zero = match self.repr {
            Repr::Integer(0) => Repr::NegativeZero,
            Repr::NegativeZero => Repr::Integer(0),
            _ => {
                let (mantissa, exponent) = self.parts();
                return Self::rounded(-mantissa, exponent, self.precision);
            }
        };
        Self {
            repr: zero,
            precision: self.precision,
        }
    }

    pub fn plus(&self, other: &Self) -> Self {
        if let (Repr::NegativeZero, Repr::NegativeZero) = (&self.repr, &other.repr) {
            return self.clone();
        }
        if let (Some(left), Some(right)) = (self.as_i64(), other.as_i64())
            && let Some(sum) = left.checked_add(right)
            && self.precision.max(other.precision) >= COUNTED
        {
            return Self {
                repr: Repr::Integer(sum),
                precision: self.precision.max(other.precision),
            };
        }
        let ((left, right), exponent) = aligned(self.parts(), other.parts());
        Self::rounded(left + right, exponent, self.precision.max(other.precision))
    }

    pub fn minus(&self, other: &Self) -> Self {
        self.plus(&other.negated())
    }

    /// The product, exact as long as 512 bits hold it.
    pub fn times(&self, other: &Self) -> Self {
        let (left, left_exponent) = self.parts();
        let (right, right_exponent) = other.parts();
        let mut product = Self::rounded(left * right, left_exponent + right_exponent, WRITTEN);
        let needed = u32::try_from(product.parts().0.bits()).unwrap_or(WRITTEN);
        product.precision = self.precision.max(other.precision).max(needed);
        self.with_sign_of_quotient(other, product)
    }

    /// Zero as the result of two operands with different signs is a negative one.
    fn with_sign_of_quotient(&self, other: &Self, result: Self) -> Self {
        let negative = self.is_negative() != other.is_negative();
        if negative && result.is_zero() {
            result.negated()
        } else {
            result
        }
    }

    /// `None` for a division by zero.
    pub fn divided_by(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let (left, left_exponent) = self.parts();
        let (right, right_exponent) = other.parts();
        let precision = self.precision.max(other.precision);
        let quotient = Self::quotient(&left, &right, left_exponent - right_exponent, precision);
        Some(self.with_sign_of_quotient(other, quotient))
    }

    /// What is left of a division that is cut towards zero; `None` for a division by zero.
    pub fn modulo(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        let ((left, right), exponent) = aligned(self.parts(), other.parts());
        Some(Self::rounded(
            left % right,
            exponent,
            self.precision.max(other.precision),
        ))
    }

    /// The next whole number below (`up` = false) or above.
    pub fn to_whole(&self, up: bool) -> Self {
        match &self.repr {
            Repr::Wide(wide) if wide.1 < 0 => {
                let divisor = BigInt::from(1) << wide.1.unsigned_abs();
                let cut = &wide.0 / divisor;
                // The division cuts towards zero, and there was something to cut.
                let whole = match (up, wide.0.sign()) {
                    (true, Sign::Plus) => cut + 1,
                    (false, Sign::Minus) => cut - 1,
                    _ => cut,
                };
                Self::rounded(whole, 0, self.precision)
            }
            Repr::NegativeZero => Self::from(0),
            _ => self.clone(),
        }
    }

    fn parts(&self) -> (BigInt, i64) {
        match &self.repr {
            Repr::Integer(value) => (BigInt::from(*value), 0),
            Repr::NegativeZero => (BigInt::from(0), 0),
            Repr::Wide(wide) => (**wide).clone(),
        }
    }

    fn quotient(numerator: &BigInt, denominator: &BigInt, exponent: i64, precision: u32) -> Self {
        // Enough bits that the rest only decides the rounding, kept in one sticky bit.
        let wanted = i64::from(precision) + 2;
        let have = i64::try_from(numerator.bits()).unwrap_or(0)
            - i64::try_from(denominator.bits()).unwrap_or(0);
        let shift = (wanted - have).max(0);
        let scaled = numerator << shift.unsigned_abs();
        let quotient = &scaled / denominator;
        let rest = scaled % denominator;
        let sticky = match (rest.sign(), numerator.sign() == denominator.sign()) {
            (Sign::NoSign, _) => 0,
            (_, true) => 1,
            (_, false) => -1,
        };
        Self::rounded((quotient << 1u32) + sticky, exponent - shift - 1, precision)
    }

    fn rounded(mantissa: BigInt, exponent: i64, precision: u32) -> Self {
        let (sign, mut magnitude) = mantissa.into_parts();
        let mut exponent = exponent;
        let excess = magnitude.bits().saturating_sub(u64::from(precision));
        if excess > 0 {
            let half = magnitude.bit(excess - 1);
            let rest = magnitude
                .trailing_zeros()
                .is_some_and(|zeros| zeros < excess - 1);
            magnitude >>= excess;
            if half && (rest || magnitude.bit(0)) {
                magnitude += 1u32;
            }
            exponent += i64::try_from(excess).unwrap_or(i64::MAX);
        }
        let Some(zeros) = magnitude.trailing_zeros() else {
            return Self {
                repr: Repr::Integer(0),
                precision,
            };
        };
        magnitude >>= zeros;
        exponent += i64::try_from(zeros).unwrap_or(0);
        if exponent >= 0 && magnitude.bits() + exponent.unsigned_abs() <= 63 {
            let whole = BigInt::from_biguint(sign, magnitude.clone() << exponent.unsigned_abs());
            if let Ok(value) = i64::try_from(whole) {
                return Self {
                    repr: Repr::Integer(value),
                    precision,
                };
            }
        }
        Self {
            repr: Repr::Wide(Box::new((BigInt::from_biguint(sign, magnitude), exponent))),
            precision,
        }
    }

    /// The fewest decimal digits that name this number among those of its precision.
    pub(super) fn shortest(&self) -> Decimal {
        let (mantissa, exponent) = self.parts();
        Decimal::shortest(mantissa.magnitude(), exponent, self.precision)
    }

    /// All decimal digits.
    pub(super) fn exact(&self) -> Decimal {
        let (mantissa, exponent) = self.parts();
        Decimal::new(mantissa.magnitude().clone(), exponent)
    }
}

fn aligned(left: (BigInt, i64), right: (BigInt, i64)) -> ((BigInt, BigInt), i64) {
    let exponent = left.1.min(right.1);
    let shift = |(mantissa, own): (BigInt, i64)| mantissa << (own - exponent).unsigned_abs();
    ((shift(left), shift(right)), exponent)
}

impl std::fmt::Display for Number {
    /// As Terraform prints it: without an exponent, however large.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.repr {
            Repr::Integer(value) => write!(formatter, "{value}"),
            Repr::NegativeZero => formatter.write_str("-0"),
            Repr::Wide(_) => {
                let sign = if self.is_negative() { "-" } else { "" };
                write!(formatter, "{sign}{}", self.shortest().plain(None))
            }
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.repr, &other.repr) {
            (Repr::Integer(left), Repr::Integer(right)) => left.cmp(right),
            _ => {
                let ((left, right), _) = aligned(self.parts(), other.parts());
                left.cmp(&right)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    #[test]
    fn prints_as_terraform_prints() {
        for (written, printed) in [
            ("1795510800", "1795510800"),
            ("123456", "123456"),
            ("-0", "-0"),
            ("1.50", "1.5"),
            ("1e3", "1000"),
            ("1e-7", "0.0000001"),
            ("18446744073709551616", "18446744073709551616"),
            (
                "100000000000000000000000000001",
                "100000000000000000000000000001",
            ),
            ("0.1", "0.1"),
        ] {
            assert_eq!(
                Number::parse(written).unwrap().to_string(),
                printed,
                "{written}"
            );
        }
        for wrong in ["", "-", "a", "1a", "1e", ".", "1_0", "1e99999999"] {
            assert!(Number::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn precision_is_that_of_the_operands() {
        let third = Number::count(1).divided_by(&Number::count(3)).unwrap();
        assert_eq!(third.to_string(), "0.33333333333333333334");
        let third = Number::from(1)
            .divided_by(&Number::from(3))
            .unwrap()
            .to_string();
        assert!(third.starts_with("0.333333") && third.ends_with("335") && third.len() == 157);
        let sum = Number::parse("0.1")
            .unwrap()
            .plus(&Number::parse("0.2").unwrap());
        assert_eq!(sum.to_string(), "0.3");
    }

    #[test]
    fn whole_numbers_round_outwards_and_remainders_keep_the_sign() {
        let number = |text| Number::parse(text).unwrap();
        assert_eq!(number("-1.5").to_whole(false).to_string(), "-2");
        assert_eq!(number("-1.5").to_whole(true).to_string(), "-1");
        assert_eq!(number("1.5").to_whole(true).to_string(), "2");
        assert_eq!(
            number("-10").modulo(&number("3")).unwrap().to_string(),
            "-1"
        );
        assert!(number("1").modulo(&number("0")).is_none());
    }
}
