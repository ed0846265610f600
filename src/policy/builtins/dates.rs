//! Points in time and durations, as Go's `time` counts them.

use regorus::Value;

use super::{Answer, engines_own, integer, string};

/// `T` and `Z` are capitals, and there is no blank.
pub(super) fn parse_rfc3339(arguments: &[Value]) -> Answer {
    match string(arguments.first()) {
        Some(text) if text.contains(['t', 'z', ' ']) => Ok(None),
        _ => engines_own("time.parse_rfc3339_ns", arguments),
    }
}

/// Go's units, and days, weeks and years as OPA has them.
pub(super) fn parse_duration(arguments: &[Value]) -> Answer {
    const LONG: [(char, f64); 3] = [('d', 24.0), ('w', 168.0), ('y', 8_760.0)];
    let Some(text) = string(arguments.first()) else {
        return Ok(None);
    };
    if !text.contains(LONG.map(|(unit, _)| unit)) {
        return engines_own("time.parse_duration_ns", arguments);
    }
    let mut hours = String::new();
    let mut number = String::new();
    for letter in text.chars() {
        match LONG.iter().find(|(unit, _)| *unit == letter) {
            Some((_, factor)) => {
                let Ok(count) = number.trim_start_matches(['-', '+']).parse::<f64>() else {
                    return Ok(None);
                };
                let sign = if number.starts_with('-') { "-" } else { "" };
                hours.push_str(&format!("{sign}{}h", count * factor));
                number.clear();
            }
            None if letter.is_alphabetic() => {
                hours.push_str(&number);
                hours.push(letter);
                number.clear();
            }
            None => number.push(letter),
        }
    }
    hours.push_str(&number);
    engines_own("time.parse_duration_ns", &[hours.into()])
}

/// Months without such a day run over into the next one: a month after 31 January is 3 March.
pub(super) fn add_date(arguments: &[Value]) -> Answer {
    const DAY_NS: i64 = 24 * 60 * 60 * 1_000_000_000;
    let numbers: Option<Vec<i64>> = (0..4).map(|index| integer(arguments.get(index))).collect();
    let Some([at, years, months, days]) = numbers.as_deref() else {
        return Ok(None);
    };
    let (year, month, day) = date_of(at.div_euclid(DAY_NS));
    let result = (|| {
        let months = year
            .checked_add(*years)?
            .checked_mul(12)?
            .checked_add(month - 1)?
            .checked_add(*months)?;
        let first = days_before(months.div_euclid(12), months.rem_euclid(12) + 1)?;
        first
            .checked_add(day - 1)?
            .checked_add(*days)?
            .checked_mul(DAY_NS)?
            .checked_add(at.rem_euclid(DAY_NS))
    })();
    Ok(result.map(Value::from))
}

/// Days from 1970-01-01 to the first of the month (counted from 1), in the Gregorian calendar.
fn days_before(year: i64, month: i64) -> Option<i64> {
    if year.abs() > 400_000 {
        return None;
    }
    // Years begin in March here, so that the leap day is their last.
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let days = 365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(days + (153 * month + 2) / 5 - 719_468)
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}
