//! Values that the command line's parser does not know.

use std::num::{NonZeroUsize, ParseIntError};
use std::time::Duration;

/// A duration with its unit; a bare zero is one too.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("it has no unit: write {text}s, {text}m or {text}h"));
    }
    humantime::parse_duration(text).map_err(|error| format!("{error}: write 90s, 10m or 1h"))
}

/// A duration that is not zero.
pub(crate) fn some_time(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be more than 0".to_owned()),
        some => Ok(some),
    }
}

/// A number of bytes.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let size = tulip_core::parse_byte_size(text);
    size.ok_or_else(|| "a size such as 50GiB, 500MB or 67108864 is wanted".to_owned())
}

/// An option of a target. What stands behind the `=` is not shown: it can be a secret.
pub(crate) fn sink_option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("--sink-option wants NAME=VALUE; `tulip sinks` lists the names".to_owned()),
    }
}

/// A count that cannot be zero.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    let count = text
        .parse()
        .map_err(|error: ParseIntError| error.to_string())?;
    NonZeroUsize::new(count).ok_or_else(|| "it must be at least 1".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_zero() {
        for (text, seconds) in [
            ("90s", 90),
            ("10m", 600),
            ("1h", 3600),
            ("1h 30m", 5400),
            ("0", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        assert!(
            duration("90")
                .unwrap_err()
                .contains("write 90s, 90m or 90h")
        );
        for text in ["", "soon", "-5s", "1.5.s", "99999999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn some_limits_cannot_be_zero() {
        assert_eq!(some_time("5s"), Ok(Duration::from_secs(5)));
        assert!(some_time("0").is_err() && some_time("0s").is_err() && some_time("5").is_err());
    }

    #[test]
    fn options_have_a_name_and_a_value() {
        let option = |text| sink_option(text).map_err(drop);
        assert_eq!(option("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(option("a="), Ok(("a".to_owned(), String::new())));
        assert!(option("a").is_err() && option("=b").is_err());
    }

    #[test]
    fn counts_are_at_least_one() {
        assert_eq!(at_least_one("3").map(NonZeroUsize::get), Ok(3));
        assert!(at_least_one("0").unwrap_err().contains("at least 1"));
        assert!(at_least_one("-1").is_err() && at_least_one("x").is_err());
    }
}
