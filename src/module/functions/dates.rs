//! Functions of points in time that are given, never of now.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};

use super::Context;
use crate::module::value::Value;

/// An RFC 3339 time: what the clock there showed, and how far it was from UTC in seconds.
struct Moment {
    local: DateTime,
    offset: i32,
}

fn parse(text: &str) -> Result<Moment, String> {
    let fail = || format!("{text:?} is not a time as in 2026-11-21T09:00:00Z");
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(byte, wanted): (&u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        wanted => byte == wanted,
    };
    if bytes.len() <= shape.len() || !bytes.iter().zip(shape).all(fits) {
        return Err(fail());
    }
    let zone_at = text[19..]
        .find(['Z', '+', '-'])
        .map(|at| at + 19)
        .ok_or_else(fail)?;
    let (local, zone) = text.split_at(zone_at);
    if local[19..].chars().any(|c| !c.is_ascii_digit() && c != '.') {
        return Err(fail());
    }
    let offset = if zone == "Z" {
        0
    } else {
        let digits = zone.as_bytes();
        let plain = digits.len() == 6
            && digits[3] == b':'
            && [1, 2, 4, 5]
                .iter()
                .all(|index| digits[*index].is_ascii_digit());
        let (hours, minutes) = match (plain, zone.get(1..3), zone.get(4..6)) {
            (true, Some(hours), Some(minutes)) => (hours, minutes),
            _ => return Err(fail()),
        };
        let hours: i32 = hours.parse().map_err(|_| fail())?;
        let minutes: i32 = minutes.parse().map_err(|_| fail())?;
        if hours > 23 || minutes > 59 {
            return Err(fail());
        }
        let seconds = hours * 3600 + minutes * 60;
        if zone.starts_with('-') {
            -seconds
        } else {
            seconds
        }
    };
    // Go has no leap seconds and no more than nanoseconds.
    if &local[17..19] == "60" {
        return Err(fail());
    }
    let local = local.get(..29).unwrap_or(local);
    let local = local.parse::<DateTime>().map_err(|_| fail())?;
    Ok(Moment { local, offset })
}

impl Moment {
    fn timestamp(&self) -> Result<Timestamp, String> {
        let utc = self
            .local
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_err(|error| error.to_string())?
            .timestamp();
        utc.checked_sub(SignedDuration::from_secs(self.offset.into()))
            .map_err(|error| error.to_string())
    }

    fn zone(&self, colon: &str) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.unsigned_abs() / 60;
        format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
    }
}

pub(super) fn timecmp(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let left = parse(&context.text(0)?)?.timestamp()?;
    let right = parse(&context.text(1)?)?.timestamp()?;
    Ok(crate::module::number::Number::from(left.cmp(&right) as i64).into())
}

pub(super) fn timeadd(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let moment = parse(&context.text(0)?)?;
    let duration = parse_duration(&context.text(1)?)?;
    let local = moment
        .local
        .checked_add(duration)
        .ok()
        .filter(|local| local.year() >= 0)
        .ok_or_else(|| context.refusal("the result is outside of the years 0 to 9999"))?;
    let zone = if moment.offset == 0 {
        "Z".to_owned()
    } else {
        moment.zone(":")
    };
    Ok(format!("{}{zone}", local.strftime("%Y-%m-%dT%H:%M:%S")).into())
}

/// Go's durations: `1h30m`, `-1.5s`.
fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let fail = || format!("{text:?} is not a duration as in 1h30m");
    let negative = text.starts_with('-');
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(SignedDuration::ZERO);
    }
    if rest.is_empty() {
        return Err(fail());
    }
    let mut nanoseconds: i128 = 0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .ok_or_else(fail)?;
        let (number, after) = rest.split_at(digits);
        let units = [
            ("ns", 1),
            ("us", 1_000),
            ("µs", 1_000),
            ("ms", 1_000_000),
            ("s", 1_000_000_000),
            ("m", 60_000_000_000),
            ("h", 3_600_000_000_000_i128),
        ];
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let scale = units
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(fail)?
            .1;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 18 {
            return Err(fail());
        }
        let whole: i128 = if whole.is_empty() {
            0
        } else {
            whole.parse().map_err(|_| fail())?
        };
        nanoseconds += whole * scale;
        if !fraction.is_empty() {
            let digits: i128 = fraction.parse().map_err(|_| fail())?;
            let power = 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| fail())?);
            nanoseconds += digits * scale / power;
        }
        rest = after;
    }
    let nanoseconds = i64::try_from(if negative { -nanoseconds } else { nanoseconds });
    nanoseconds
        .map(SignedDuration::from_nanos)
        .map_err(|_| fail())
}

pub(super) fn formatdate(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let layout = context.text(0)?;
    let moment = parse(&context.text(1)?)?;
    let mut text = String::new();
    let mut rest: &str = &layout;
    while let Some(first) = rest.chars().next() {
        if first == '\'' {
            rest = append_quoted(rest, &mut text)?;
            continue;
        }
        let same = rest
            .find(|character| character != first)
            .unwrap_or(rest.len());
        let (token, after) = rest.split_at(same);
        if first.is_ascii_alphabetic() {
            text.push_str(&part(token, &moment)?);
        } else {
            text.push_str(token);
        }
        rest = after;
    }
    Ok(text.into())
}

/// A literal in single quotes, two of which in a row are one; returns what follows it.
fn append_quoted<'a>(quoted: &'a str, text: &mut String) -> Result<&'a str, String> {
    let mut rest = &quoted[1..];
    loop {
        let end = rest
            .find('\'')
            .ok_or("a literal in the format lacks its closing quote")?;
        text.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                text.push('\'');
                rest = after;
            }
            None => return Ok(rest),
        }
    }
}

fn part(token: &str, moment: &Moment) -> Result<String, String> {
    const DAYS: [&str; 7] = [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
    ];
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let at = &moment.local;
    let day = DAYS[usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or(0) % 7];
    let month = MONTHS[usize::try_from(at.month() - 1).unwrap_or(0) % 12];
    let hour12 = if at.hour() % 12 == 0 {
        12
    } else {
        at.hour() % 12
    };
    Ok(match token {
        "YYYY" => format!("{:04}", at.year()),
        "YY" => format!("{:02}", at.year() % 100),
        "MMMM" => month.to_owned(),
        "MMM" => month[..3].to_owned(),
        "MM" => format!("{:02}", at.month()),
        "M" => at.month().to_string(),
        "DD" => format!("{:02}", at.day()),
        "D" => at.day().to_string(),
        "EEEE" => day.to_owned(),
        "EEE" => day[..3].to_owned(),
        "hh" => format!("{:02}", at.hour()),
        "h" => at.hour().to_string(),
        "HH" => format!("{hour12:02}"),
        "H" => hour12.to_string(),
        "AA" => if at.hour() >= 12 { "PM" } else { "AM" }.to_owned(),
        "aa" => if at.hour() >= 12 { "pm" } else { "am" }.to_owned(),
        "mm" => format!("{:02}", at.minute()),
        "m" => at.minute().to_string(),
        "ss" => format!("{:02}", at.second()),
        "s" => at.second().to_string(),
        "ZZZZZ" => moment.zone(":"),
        "ZZZZ" => moment.zone(""),
        "ZZZ" if moment.offset == 0 => "UTC".to_owned(),
        "ZZZ" => moment.zone(""),
        "Z" if moment.offset == 0 => "Z".to_owned(),
        "Z" => moment.zone(":"),
        _ => {
            return Err(format!(
                "the format has no verb {token:?}: put letters in single quotes"
            ));
        }
    })
}
