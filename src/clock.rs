//! Now, and new ids. The only room that knows the time; everything else is told.

use jiff::Timestamp;

/// A point in time, as RFC 3339 in UTC wherever it is written.
pub type Time = Timestamp;

/// Now, in whole seconds: what is written never carries more.
#[expect(clippy::disallowed_methods, reason = "this is the room that knows the time")]
pub fn now() -> Time {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
