//! Logarithms and powers as Go's `math` computes them: Terraform prints their last digits, in which
//! other libraries differ by one or two.

const MANTISSA_BITS: u32 = 52;
const EXPONENT: u64 = 0x7ff << MANTISSA_BITS;
const HALF: u64 = 1022 << MANTISSA_BITS;
const TWO_TO_52: f64 = 4_503_599_627_370_496.0;

/// A fraction of at least a half and below one, and the power of two that it stands with.
fn parts(value: f64) -> (f64, i32) {
    if value == 0.0 || !value.is_finite() {
        return (value, 0);
    }
    let (value, shift) = if value.abs() < f64::MIN_POSITIVE {
        (value * TWO_TO_52, -52)
    } else {
        (value, 0)
    };
    let bits = value.to_bits();
    let exponent = i32::try_from((bits & EXPONENT) >> MANTISSA_BITS).unwrap_or_default();
    (
        f64::from_bits(bits & !EXPONENT | HALF),
        shift + exponent - 1022,
    )
}

/// The fraction with a power of two, rounded once.
fn joined(fraction: f64, exponent: i32) -> f64 {
    let (fraction, own) = parts(fraction);
    if fraction == 0.0 || !fraction.is_finite() {
        return fraction;
    }
    let exponent = exponent.saturating_add(own) - 1;
    if exponent < -1075 {
        return 0f64.copysign(fraction);
    }
    if exponent > 1023 {
        return f64::INFINITY.copysign(fraction);
    }
    let (exponent, scale) = if exponent < -1022 {
        (exponent + 53, 1.0 / (2.0 * TWO_TO_52))
    } else {
        (exponent, 1.0)
    };
    let biased = u64::try_from(exponent + 1023).unwrap_or_default();
    scale * f64::from_bits(fraction.to_bits() & !EXPONENT | biased << MANTISSA_BITS)
}

/// The natural logarithm.
#[expect(
    clippy::excessive_precision,
    clippy::unreadable_literal,
    reason = "the coefficients as they are published (FreeBSD's e_log.c)"
)]
pub(super) fn ln(value: f64) -> f64 {
    const LN2_HIGH: f64 = 6.93147180369123816490e-01;
    const LN2_LOW: f64 = 1.90821492927058770002e-10;
    const ODD: [f64; 4] = [
        6.666666666666735130e-01,
        2.857142874366239149e-01,
        1.818357216161805012e-01,
        1.479819860511658591e-01,
    ];
    const EVEN: [f64; 3] = [
        3.999999999940941908e-01,
        2.222219843214978396e-01,
        1.531383769920937332e-01,
    ];
    if value.is_nan() || value < 0.0 {
        return f64::NAN;
    }
    if value == 0.0 {
        return f64::NEG_INFINITY;
    }
    if value.is_infinite() {
        return value;
    }
    let (mut fraction, mut exponent) = parts(value);
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        exponent -= 1;
    }
    let f = fraction - 1.0;
    let k = f64::from(exponent);
    let s = f / (2.0 + f);
    let square = s * s;
    let fourth = square * square;
    let odd = square * (ODD[0] + fourth * (ODD[1] + fourth * (ODD[2] + fourth * ODD[3])));
    let even = fourth * (EVEN[0] + fourth * (EVEN[1] + fourth * EVEN[2]));
    let half = 0.5 * f * f;
    k * LN2_HIGH - ((half - (s * (half + (odd + even)) + k * LN2_LOW)) - f)
}

/// The power. `None` for a broken exponent, in which Go's own results differ between machines.
pub(super) fn power(base: f64, exponent: f64) -> Option<f64> {
    if exponent == 0.0 || base == 1.0 {
        return Some(1.0);
    }
    let whole = exponent.abs().trunc();
    let is_broken = whole != exponent.abs();
    if exponent == 0.5 {
        return Some(base.sqrt());
    }
    if exponent == -0.5 {
        return Some(1.0 / base.sqrt());
    }
    if is_broken {
        // No number in any case, or none of a machine's choice.
        return (base <= 0.0).then(|| base.powf(exponent));
    }
    // Beyond this it is one of these, and the rounding to it the same everywhere.
    if base == 0.0 || !base.is_finite() || whole >= 9_223_372_036_854_775_808.0 {
        return Some(base.powf(exponent));
    }
    let (mut answer, mut power) = (1.0f64, 0i32);
    let (mut fraction, mut own) = parts(base);
    #[expect(clippy::cast_possible_truncation, reason = "below 2^63, and whole")]
    let mut left = whole as i64;
    while left != 0 {
        if !(-(1 << 12)..=1 << 12).contains(&own) {
            power += own;
            break;
        }
        if left & 1 == 1 {
            answer *= fraction;
            power += own;
        }
        fraction *= fraction;
        own <<= 1;
        if fraction < 0.5 {
            fraction += fraction;
            own -= 1;
        }
        left >>= 1;
    }
    if exponent < 0.0 {
        answer = 1.0 / answer;
        power = -power;
    }
    Some(joined(answer, power))
}

#[cfg(test)]
mod tests {
    use super::{joined, ln, parts, power};

    #[test]
    fn parts_are_joined_to_the_same() {
        for value in [1.0, -2.5, 1e300, 5e-324, 1.1e-310, 0.0, f64::MAX] {
            let (fraction, exponent) = parts(value);
            assert_eq!(joined(fraction, exponent), value);
        }
        assert_eq!(joined(0.5, 2000), f64::INFINITY);
        assert_eq!(joined(0.5, -2000), 0.0);
    }

    #[test]
    fn powers_and_logarithms_are_near_the_true_ones() {
        for (base, exponent) in [
            (2.0, 10.0),
            (5.0, 100.0),
            (-3.0, 3.0),
            (10.0, -5.0),
            (9.0, 0.5),
        ] {
            let near: f64 = f64::powf(base, exponent);
            assert!((power(base, exponent).unwrap() / near - 1.0).abs() < 1e-14);
        }
        for value in [0.1, 1.5, 12.0, 1e300, 5e-324] {
            assert!((ln(value) - value.ln()).abs() <= 1e-15 * value.ln().abs());
        }
        assert!(power(2.0, 0.3).is_none());
        assert!(power(-2.0, 0.3).unwrap().is_nan());
        assert!(ln(-1.0).is_nan());
    }
}
