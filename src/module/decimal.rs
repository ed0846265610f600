//! Decimal digits of binary numbers: exact, shortest, and laid out as Go lays them out.

use num_bigint::BigUint;

/// `0.d1d2d3… * 10^point`; no zeros at either end, and no digits for zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: Vec<u8>,
    point: i64,
}

impl Decimal {
    /// All digits of `mantissa * 2^exponent`.
    pub(super) fn new(mantissa: BigUint, exponent: i64) -> Self {
        let power = u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX);
        let (digits, point) = if exponent >= 0 {
            (mantissa << power, 0)
        } else {
            // m / 2^n = m * 5^n / 10^n
            (mantissa * BigUint::from(5u32).pow(power), exponent)
        };
        let text = digits.to_str_radix(10);
        let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
        let mut decimal = Self {
            digits: text.into_bytes(),
            point: point + length,
        };
        decimal.trim();
        decimal
    }

    /// The fewest digits between the halfway points to the neighbours of the given precision, as
    /// Go's `big.Float.Text(_, -1)` chooses them.
    pub(super) fn shortest(mantissa: &BigUint, exponent: i64, precision: u32) -> Self {
        let mut decimal = Self::new(mantissa.clone(), exponent);
        if decimal.digits.is_empty() {
            return decimal;
        }
        let bits = i64::try_from(mantissa.bits()).unwrap_or(i64::MAX);
        let shift = i64::from(precision) + 1 - bits;
        let scaled = if shift >= 0 {
            mantissa << shift.unsigned_abs()
        } else {
            mantissa >> shift.unsigned_abs()
        };
        let exponent = exponent - shift;
        let inclusive = !scaled.bit(1);
        let lower = Self::new(&scaled - 1u32, exponent);
        let upper = Self::new(scaled + 1u32, exponent);
        for index in 0..decimal.digits.len() {
            let digit = decimal.digits[index];
            let below = lower.at(index);
            let above = upper.at(index);
            let round_down = below != digit || inclusive && index + 1 == lower.digits.len();
            let round_up = digit != above
                && (inclusive || digit + 1 < above || index + 1 < upper.digits.len());
            match (round_down, round_up) {
                (true, true) => decimal.round(index + 1),
                (true, false) => decimal.round_down(index + 1),
                (false, true) => decimal.round_up(index + 1),
                (false, false) => continue,
            }
            break;
        }
        decimal
    }

    fn at(&self, index: usize) -> u8 {
        self.digits.get(index).copied().unwrap_or(b'0')
    }

    fn trim(&mut self) {
        while self.digits.last() == Some(&b'0') {
            self.digits.pop();
        }
        if self.digits.is_empty() {
            self.point = 0;
        }
    }

    /// To `count` digits, half to even.
    fn round(&mut self, count: usize) {
        if count >= self.digits.len() {
            return;
        }
        let half = self.digits[count] == b'5' && count + 1 == self.digits.len();
        let up = if half {
            count > 0 && !(self.digits[count - 1] - b'0').is_multiple_of(2)
        } else {
            self.digits[count] >= b'5'
        };
        if up {
            self.round_up(count)
        } else {
            self.round_down(count)
        }
    }

    fn round_down(&mut self, count: usize) {
        self.digits.truncate(count);
        self.trim();
    }

    fn round_up(&mut self, count: usize) {
        self.digits.truncate(count);
        while self.digits.last() == Some(&b'9') {
            self.digits.pop();
        }
        match self.digits.last_mut() {
            Some(digit) => *digit += 1,
            None => {
                self.digits = vec![b'1'];
                self.point += 1;
            }
        }
    }

    /// `123.45`, with exactly `places` digits behind the point, or as many as there are.
    pub(super) fn plain(mut self, places: Option<usize>) -> String {
        if let Some(places) = places {
            let count = self.point + i64::try_from(places).unwrap_or(i64::MAX);
            match usize::try_from(count) {
                Ok(count) => self.round(count),
                Err(_) => self.round_down(0),
            }
        }
        let mut text = String::new();
        if self.point <= 0 {
            text.push('0');
        }
        for index in 0..usize::try_from(self.point).unwrap_or(0) {
            text.push(char::from(self.at(index)));
        }
        let existing = i64::try_from(self.digits.len()).unwrap_or(i64::MAX) - self.point;
        let behind = places.unwrap_or_else(|| usize::try_from(existing).unwrap_or(0));
        if behind > 0 && !(places.is_none() && self.digits.is_empty()) {
            text.push('.');
            for place in 0..i64::try_from(behind).unwrap_or(0) {
                let index = usize::try_from(self.point + place);
                text.push(index.map_or('0', |index| char::from(self.at(index))));
            }
        }
        text
    }

    /// `1.2345e+01`, with exactly `places` digits behind the point, or as many as there are.
    pub(super) fn scientific(mut self, places: Option<usize>) -> String {
        if let Some(places) = places {
            self.round(places + 1);
        }
        let behind = places.unwrap_or_else(|| self.digits.len().saturating_sub(1));
        let mut text = String::from(char::from(self.at(0)));
        if behind > 0 {
            text.push('.');
            text.extend((1..=behind).map(|index| char::from(self.at(index))));
        }
        let exponent = if self.digits.is_empty() {
            0
        } else {
            self.point - 1
        };
        let sign = if exponent < 0 { '-' } else { '+' };
        text.push_str(&format!("e{sign}{:02}", exponent.unsigned_abs()));
        text
    }

    /// Whichever of the two is the shorter in Go's view (`%g`); `places` counts all digits here.
    pub(super) fn general(mut self, places: Option<usize>) -> String {
        let places = places.map(|places| places.max(1));
        if let Some(places) = places {
            self.round(places);
        }
        let threshold = match places {
            None => 6,
            Some(places) => {
                let count = self.digits.len();
                let point = usize::try_from(self.point).unwrap_or(0);
                if places > count && count >= point {
                    count
                } else {
                    places
                }
            }
        };
        let exponent = self.point - 1;
        if exponent < -4 || exponent >= i64::try_from(threshold).unwrap_or(i64::MAX) {
            let behind = self.digits.len().saturating_sub(1);
            return self.scientific(Some(behind));
        }
        self.plain(None)
    }
}

#[cfg(test)]
mod tests {
    use super::Decimal;
    use num_bigint::BigUint;

    #[test]
    fn layouts_are_those_of_go() {
        let number = |value: u32, exponent| Decimal::new(BigUint::from(value), exponent);
        assert_eq!(number(3, -1).plain(Some(6)), "1.500000");
        assert_eq!(number(12345, 0).scientific(Some(2)), "1.23e+04");
        assert_eq!(number(100_000_000, 0).general(None), "1e+08");
        assert_eq!(number(123_456, 0).general(None), "123456");
        assert_eq!(number(1, -2).plain(Some(1)), "0.2");
        assert_eq!(number(0, 0).plain(None), "0");
        assert_eq!(number(0, 0).plain(Some(2)), "0.00");
        assert_eq!(number(0, 0).scientific(Some(1)), "0.0e+00");
    }
}
