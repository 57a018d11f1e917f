//! A point in time that serialises as RFC 3339 in UTC.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A point in time, to the millisecond, written as RFC 3339 in UTC.
///
/// ```
/// use tulip_core::Timestamp;
/// let noon: Timestamp = "2026-11-23T12:00:00.500Z".parse()?;
/// assert_eq!(noon.to_string(), "2026-11-23T12:00:00.500Z");
/// assert_eq!(noon.date(), "2026-11-23");
/// # Ok::<(), tulip_core::TimestampError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(SystemTime);

/// The error for text that is not an RFC 3339 time in UTC.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an RFC 3339 time in UTC such as 2026-11-23T12:00:00.500Z")]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// Returns the current time of the system clock.
    #[must_use]
    pub fn now() -> Self {
        Self::from(SystemTime::now())
    }

    /// Returns the date in UTC, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(&self) -> String {
        self.to_string().chars().take_while(|c| *c != 'T').collect()
    }

    /// Returns the time of day in UTC without separators, `HHMMSS`.
    #[must_use]
    pub fn compact_time(&self) -> String {
        let text = self.to_string();
        let time = text.split_once('T').map_or("", |(_, time)| time);
        time.chars()
            .take_while(|c| *c != '.')
            .filter(char::is_ascii_digit)
            .collect()
    }

    /// Returns the time as a [`SystemTime`].
    #[must_use]
    pub fn as_system_time(&self) -> SystemTime {
        self.0
    }
}

impl From<SystemTime> for Timestamp {
    /// Rounds down to the millisecond. Times before 1970 or after 9999 become the Unix epoch.
    fn from(time: SystemTime) -> Self {
        const END: u64 = 253_402_300_800;
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        if since.as_secs() >= END {
            return Self(UNIX_EPOCH);
        }
        let whole =
            since - std::time::Duration::from_nanos(u64::from(since.subsec_nanos()) % 1_000_000);
        Self(UNIX_EPOCH + whole)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", humantime::format_rfc3339_millis(self.0))
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, TimestampError> {
        humantime::parse_rfc3339(text)
            .map(Self::from)
            .map_err(|_| TimestampError {
                text: text.to_owned(),
            })
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;
    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn parts_are_those_of_utc() {
        let time: Timestamp = "2026-02-03T04:05:06.789Z".parse().unwrap();
        assert_eq!(time.date(), "2026-02-03");
        assert_eq!(time.compact_time(), "040506");
        assert!("2026-02-03".parse::<Timestamp>().is_err());
    }

    proptest! {
        #[test]
        fn times_round_trip(millis in 0..253_402_300_800_000_u64) {
            let time = Timestamp::from(UNIX_EPOCH + Duration::from_millis(millis));
            prop_assert_eq!(time.to_string().parse::<Timestamp>().unwrap(), time);
        }

        #[test]
        fn no_clock_makes_it_panic(seconds in any::<u32>(), far in any::<bool>()) {
            let shift = Duration::from_secs(u64::from(seconds) << if far { 7 } else { 0 });
            for time in [UNIX_EPOCH.checked_add(shift), UNIX_EPOCH.checked_sub(shift)].into_iter().flatten() {
                let _ = Timestamp::from(time).to_string();
            }
        }
    }
}
