//! Numbers as people read them.

use std::time::Duration;

use tulip_core::Timestamp;

/// A number of bytes in decimal units.
pub(super) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A whole number with a comma after every three digits.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in its two largest units.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{:.1} s", time.as_secs_f64().min(9.9)),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A share in percent; one that is there is never shown as 0.
pub(super) fn percent(part: f64, whole: f64) -> String {
    let share = if whole > 0.0 {
        part / whole * 100.0
    } else {
        0.0
    };
    match share {
        share if share <= 0.0 => "0 %".to_owned(),
        share if share < 1.0 => "< 1 %".to_owned(),
        share => format!("{share:.0} %"),
    }
}

/// How much a number has changed since an earlier one: `+2 %`.
pub(super) fn change(now: u64, before: u64) -> String {
    if before == 0 || now == before {
        return "±0 %".to_owned();
    }
    let change = (now as f64 / before as f64 - 1.0) * 100.0;
    let sign = if change > 0.0 { '+' } else { '\u{2212}' };
    match change.abs() {
        change if change < 1.0 => format!("{sign}< 1 %"),
        change => format!("{sign}{change:.0} %"),
    }
}

/// The day and the minute, in UTC.
pub(super) fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    let minute = text.get(..16).unwrap_or(&text);
    format!("{} UTC", minute.replace('T', " "))
}

/// The time between two points; none if the clock was set back.
pub(super) fn between(start: Timestamp, end: Timestamp) -> Duration {
    let end = end.as_system_time().duration_since(start.as_system_time());
    end.unwrap_or_default()
}

/// A text of at most so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_hide_what_is_there() {
        assert_eq!([bytes(999), bytes(1_500_000)], ["999 B", "1.5 MB"]);
        assert_eq!(
            [count(7), count(1234), count(1_234_567)],
            ["7", "1,234", "1,234,567"]
        );
        let durations = [500, 61_000, 3_660_000, 90_000_000].map(Duration::from_millis);
        let shown = durations.map(duration);
        assert_eq!(shown, ["0.5 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]);
        let shares = [(0.0, 1.0), (0.001, 1.0), (1.0, 3.0), (1.0, 0.0)];
        let shown = shares.map(|(part, whole)| percent(part, whole));
        assert_eq!(shown, ["0 %", "< 1 %", "33 %", "0 %"]);
        let changes = [(5, 0), (102, 100), (50, 100), (1001, 1000)];
        let shown = changes.map(|(now, before)| change(now, before));
        assert_eq!(shown, ["±0 %", "+2 %", "−50 %", "+< 1 %"]);
        assert_eq!(shortened("Mühle 7", 5), "Mühle…");
        assert_eq!(shortened("Mühle", 5), "Mühle");
    }
}
