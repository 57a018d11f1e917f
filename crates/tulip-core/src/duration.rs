//! Human-readable durations.

use std::time::Duration;

/// Formats a duration in its two largest units, without the second if it is zero.
///
/// ```
/// use std::time::Duration;
/// use tulip_core::format_duration;
/// assert_eq!(format_duration(Duration::from_secs(192)), "3 min 12 s");
/// ```
#[must_use]
pub fn format_duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    let unless_0 = |count: u64, unit: &str| match count {
        0 => String::new(),
        count => format!(" {count} {unit}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{:.1} s", time.as_secs_f64().min(9.9)),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min{}", unless_0(seconds % 60, "s")),
        (0, _, _) => format!("{hours} h{}", unless_0(minutes, "min")),
        _ => format!("{days} d{}", unless_0(hours, "h")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (milliseconds, text) in [
            (0, "0.0 s"),
            (340, "0.3 s"),
            (9_999, "9.9 s"),
            (59_999, "59 s"),
            (61_000, "1 min 1 s"),
            (180_000, "3 min"),
            (192_000, "3 min 12 s"),
            (3_600_000, "1 h"),
            (3_900_000, "1 h 5 min"),
            (86_400_000, "1 d"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(format_duration(Duration::from_millis(milliseconds)), text);
        }
    }
}
