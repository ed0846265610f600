//! Now, and new ids. The only room that knows the time; everything else is told.

use std::time::Duration;

use jiff::Timestamp;

/// A point in time, as RFC 3339 in UTC wherever it is written.
pub type Time = Timestamp;

/// Now, in whole seconds: what is written never carries more.
#[expect(
    clippy::disallowed_methods,
    reason = "this is the room that knows the time"
)]
pub fn now() -> Time {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

/// How far the clocks of two machines are apart, at most.
const CLOCKS_DIFFER_SECONDS: i64 = 300;

/// Whether `time` lies in the future of `now`, however much clocks differ: nothing has happened
/// then, and what says so would make all that does happen until then look late.
pub fn is_future(time: Time, now: Time) -> bool {
    time.as_second().saturating_sub(now.as_second()) > CLOCKS_DIFFER_SECONDS
}

/// A share from 0 to 1, another one each time, to keep writers from trying in step.
pub fn jitter() -> f64 {
    f64::from(u32::try_from(random() >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// A new id: 16 hexadecimal digits that no one else has.
pub fn new_id() -> String {
    format!("{:016x}", random())
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let state = std::collections::hash_map::RandomState::new();
    state.build_hasher().finish()
}

/// A span of time as people write it: `90s`, `5m`, `1h 30m`, `72h`; `None` of anything else
/// and of what is negative.
pub fn read_duration(text: &str) -> Option<Duration> {
    let span: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(span).ok()
}

/// `time` and so much later.
pub fn later(time: Time, by: Duration) -> Time {
    time.saturating_add(by).unwrap_or(Time::MAX)
}

/// A word that nobody can foresee.
pub fn nonce() -> String {
    use std::hash::{BuildHasher, RandomState};
    // Keyed anew by the operating system.
    let half = || RandomState::new().hash_one(0);
    format!("{:016x}{:016x}", half(), half())
}

/// How long ago `time` was, in words: `3 h`.
pub fn age(time: Time) -> String {
    let seconds = now().as_second().saturating_sub(time.as_second()).max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_future_begins_where_no_clock_is() {
        let now = now();
        for (seconds, expected) in [(-60, false), (0, false), (300, false), (301, true)] {
            let time = Time::from_second(now.as_second() + seconds).unwrap();
            assert_eq!(is_future(time, now), expected, "{seconds}");
        }
        assert!(is_future(Time::MAX, Time::MIN));
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90s", Some(90)),
            ("5m", Some(300)),
            ("1h 30m", Some(5400)),
            ("72h", Some(72 * 3600)),
            ("0s", Some(0)),
            ("-1s", None),
            ("10", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(read_duration(text).map(|d| d.as_secs()), seconds, "{text}");
        }
    }
}
