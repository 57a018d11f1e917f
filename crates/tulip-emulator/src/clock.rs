//! Wall-clock time that follows tokio's clock, so that pausing and advancing time also affect the
//! dates in signed URLs.

use std::time::SystemTime;

use tokio::time::Instant;

use crate::csv::{EPOCH_WEEKDAY, civil};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    base: SystemTime,
    started: Instant,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self {
            base: SystemTime::now(),
            started: Instant::now(),
        }
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.base + self.started.elapsed()
    }
}

/// Seconds since 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// Formats a time as in signed URLs: `20261123T224125Z`.
pub(crate) fn compact(time: SystemTime) -> String {
    let mut text = humantime::format_rfc3339_seconds(time).to_string();
    text.retain(|c| c != '-' && c != ':');
    text
}

/// Parses the format of [`compact`].
pub(crate) fn parse_compact(text: &str) -> Option<SystemTime> {
    if text.len() != 16 || !text.is_ascii() {
        return None;
    }
    let (date, time) = text.split_at(8);
    let rfc3339 = format!(
        "{}-{}-{}{}:{}:{}",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..3],
        &time[3..5],
        &time[5..]
    );
    humantime::parse_rfc3339(&rfc3339).ok()
}

/// Formats a time as in HTTP headers: `Mon, 23 Nov 2026 22:41:25 GMT`.
pub(crate) fn http_date(time: SystemTime) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let seconds = unix_seconds(time);
    let day = seconds / 86_400;
    let weekday = usize::try_from((day + EPOCH_WEEKDAY) % 7).unwrap_or(0);
    let (year, month, dom) = civil(day);
    format!(
        "{}, {dom:02} {} {year:04} {:02}:{:02}:{:02} GMT",
        DAYS[weekday],
        MONTHS[usize::from(month - 1) % 12],
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_time_has_its_three_forms() {
        let time = UNIX_EPOCH + Duration::from_secs(1_795_473_685);
        assert_eq!(compact(time), "20261123T224125Z");
        assert_eq!(parse_compact("20261123T224125Z"), Some(time));
        assert_eq!(http_date(time), "Mon, 23 Nov 2026 22:41:25 GMT");
        assert_eq!(
            http_date(UNIX_EPOCH + Duration::from_secs(784_111_777)),
            "Sun, 06 Nov 1994 08:49:37 GMT"
        );
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in [
            "",
            "20261123T224125",
            "2026112322412500",
            "2026äää4125Z",
            "99999999T999999Z",
        ] {
            assert_eq!(parse_compact(text), None, "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_follows_advanced_time() {
        let clock = Clock::start();
        let before = clock.now();
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert!(clock.now() >= before + Duration::from_secs(3600));
    }
}
