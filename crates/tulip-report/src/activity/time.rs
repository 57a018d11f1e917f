//! The time formats of archives.

use std::time::Duration;

use tulip_core::Timestamp;

/// Parses a time in RFC 3339 or a similar format: `T` or a blank in the middle, and `Z`, an offset,
/// or nothing (UTC) at the end.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    if text.len() < 19 || !text.is_ascii() {
        return None;
    }
    let (time, offset) = match text[19..].find(['+', '-']) {
        Some(at) => (&text[..19 + at], seconds(&text[19 + at..])?),
        None => (text, 0),
    };
    let time = time.trim_end_matches(['Z', 'z']);
    let time: Timestamp = format!("{}T{}Z", time.get(..10)?, time.get(11..)?)
        .parse()
        .ok()?;
    let shift = Duration::from_secs(offset.unsigned_abs());
    let time = time.as_system_time();
    let in_utc = match offset {
        ..0 => time.checked_add(shift)?,
        _ => time.checked_sub(shift)?,
    };
    Some(Timestamp::from(in_utc))
}

/// Parses an offset, `+02:00`, `+0200` or `+02`, into seconds.
fn seconds(offset: &str) -> Option<i64> {
    let (sign, rest) = offset.split_at(1);
    let digits = rest.replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits.get(2..4).map_or(Ok(0), str::parse).ok()?;
    let seconds = hours * 3600 + minutes * 60;
    Some(if sign == "-" { -seconds } else { seconds })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_have_a_zone_or_are_utc() {
        for text in [
            "2026-11-28T01:02:03Z",
            "2026-11-28 01:02:03",
            "2026-11-28T01:02:03.000z",
            "2026-11-28T03:02:03+02:00",
            "2026-11-27 19:32:03-0530",
            "2026-11-28T02:02:03+01",
        ] {
            let parsed = parse(text).map(|time| time.to_string());
            assert_eq!(
                parsed.as_deref(),
                Some("2026-11-28T01:02:03.000Z"),
                "{text}"
            );
        }
        for text in [
            "",
            "yesterday at noon, or so",
            "2026-11-28",
            "2026-13-28T01:02:03Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9T:+ .Zz-]{0,40}|.{0,40}") {
            let _ = parse(&text);
        }
    }
}
