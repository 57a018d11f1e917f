//! Conversion of days to dates.

/// The first day of every archive, 2018-01-01, a Monday, in days since 1970-01-01.
pub(crate) const FIRST_DAY: u32 = 17_532;
/// The last date that fits into ten characters, 9999-12-31.
pub(crate) const LAST_DAY: u32 = 2_932_896;
/// The weekday of 1970-01-01, a Thursday; Monday is 0.
pub(crate) const EPOCH_WEEKDAY: u64 = 3;

/// The year, month and day of the month of `day`, counted from 1970-01-01.
pub(crate) fn civil(day: u64) -> (u64, u8, u8) {
    // Years begin in March here, so that a leap day is the last of its year.
    let z = day + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + u64::from(month <= 2);
    (
        year,
        u8::try_from(month).unwrap_or(1),
        u8::try_from(day).unwrap_or(1),
    )
}

/// Formats `day` as `YYYY-MM-DD`. The year must have four digits.
pub(crate) fn iso(day: u32) -> [u8; 10] {
    let (year, month, dom) = civil(u64::from(day));
    let digit = |n: u64| b'0' + u8::try_from(n % 10).unwrap_or(0);
    let (month, dom) = (u64::from(month), u64::from(dom));
    [
        digit(year / 1000),
        digit(year / 100),
        digit(year / 10),
        digit(year),
        b'-',
        digit(month / 10),
        digit(month),
        b'-',
        digit(dom / 10),
        digit(dom),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_days_have_their_dates() {
        for (day, date) in [
            (0, "1970-01-01"),
            (FIRST_DAY, "2018-01-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (LAST_DAY, "9999-12-31"),
        ] {
            assert_eq!(std::str::from_utf8(&iso(day)).unwrap(), date);
        }
    }

    #[test]
    fn days_agree_with_the_calendar_of_humantime() {
        for day in (0..LAST_DAY).step_by(997) {
            let time =
                std::time::UNIX_EPOCH + std::time::Duration::from_secs(86_400 * u64::from(day));
            let text = humantime::format_rfc3339_seconds(time).to_string();
            assert_eq!(text.as_bytes()[..10], iso(day));
        }
    }
}
