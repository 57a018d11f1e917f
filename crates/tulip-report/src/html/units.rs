//! Formatting numbers for people.

use std::time::Duration;

use tulip_core::Timestamp;

/// Formats a whole number with commas between groups of three digits.
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

/// Formats a share in percent; a share above 0 is never shown as 0.
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

/// Formats the change of a number since an earlier one: `+2 %`.
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

/// Formats a time to the minute, in UTC.
pub(super) fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    let minute = text.get(..16).unwrap_or(&text);
    format!("{} UTC", minute.replace('T', " "))
}

/// The time between two points; zero if the clock was set back.
pub(super) fn between(start: Timestamp, end: Timestamp) -> Duration {
    let end = end.as_system_time().duration_since(start.as_system_time());
    end.unwrap_or_default()
}

/// Shortens a text to `most` characters and `…` if it is longer than that.
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
        assert_eq!(
            [count(7), count(1234), count(1_234_567)],
            ["7", "1,234", "1,234,567"]
        );
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
