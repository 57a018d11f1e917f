//! Parsers for values that clap does not know.

use std::ffi::OsStr;
use std::num::{IntErrorKind, NonZeroU32, NonZeroUsize, ParseIntError};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use tulip_core::ChecksumAlgorithm;
use tulip_fleet::{Shard, ShardError};

/// The longest duration, a hundred years; longer ones are cut to it. Clocks cannot be moved by much
/// more, and nothing waits for that long.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// The byte order mark that some editors write at the start of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Strips what a value may be wrapped in: blanks and line breaks, a byte order mark, and the quotes
/// that `docker --env-file` and unit files keep.
pub(crate) fn unwrapped(text: &str) -> &str {
    let blank = |c: char| c.is_whitespace() || c == BYTE_ORDER_MARK;
    let text = text.trim_matches(blank);
    let inner = ['"', '\'']
        .iter()
        .find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.map_or(text, |inner| inner.trim_matches(blank))
}

/// Like [`unwrapped`], but for a path. A path that is not UTF-8 stays as it is.
pub(crate) fn unwrapped_path(path: &OsStr) -> PathBuf {
    path.to_str()
        .map_or_else(|| path.into(), |text| unwrapped(text).into())
}

/// A network to download from.
pub(crate) fn network(text: &str) -> Result<tulip_http::Cidr, String> {
    // Quotes around a whole list end up before its first network and after its last.
    let text = unwrapped(text).trim_matches(['"', '\'']);
    text.parse()
        .map_err(|error: <tulip_http::Cidr as std::str::FromStr>::Err| error.to_string())
}

/// A duration with a unit, or a bare zero. Longer ones than [`FOREVER`] are cut to it.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let text = unwrapped(text);
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("it has no unit: write {text}s, {text}m or {text}h"));
    }
    match humantime::parse_duration(text) {
        Ok(duration) => Ok(duration.min(FOREVER)),
        // Too long, unless it is a fraction, which is too short.
        Err(humantime::DurationError::NumberOverflow) if !text.contains('.') => Ok(FOREVER),
        Err(_) => Err("expected a duration such as 90s, 10m or 1h".to_owned()),
    }
}

/// Converts a limit for which 0 means none.
pub(crate) fn no_limit_if_zero(limit: Duration) -> Option<Duration> {
    (!limit.is_zero()).then_some(limit)
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
    let size = tulip_core::parse_byte_size(unwrapped(text));
    size.ok_or_else(|| "expected a size such as 50GiB, 500MB or 67108864".to_owned())
}

/// A number of bytes that is not zero.
pub(crate) fn some_size(text: &str) -> Result<u64, String> {
    match size(text)? {
        0 => Err("it must be more than 0".to_owned()),
        some => Ok(some),
    }
}

/// An option of a target. Errors do not show its value, which can be a secret.
pub(crate) fn sink_option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.to_owned()))
        }
        _ => Err("--sink-option: expected NAME=VALUE; `tulip sinks` lists the names".to_owned()),
    }
}

/// A text that is not blank.
pub(crate) fn some_text(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("it is blank".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

/// A checksum algorithm of receipts. Shells can complete it.
pub(crate) fn checksum() -> impl TypedValueParser<Value = ChecksumAlgorithm> {
    PossibleValuesParser::new(["crc64nvme", "sha256"]).try_map(|text| text.parse())
}

/// A count that cannot be zero.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    let count = unwrapped(text)
        .parse()
        .map_err(|error: ParseIntError| match error.kind() {
            IntErrorKind::PosOverflow => TOO_LARGE.to_owned(),
            _ => "expected a number".to_owned(),
        })?;
    NonZeroUsize::new(count).ok_or_else(|| "it must be at least 1".to_owned())
}

/// A number of attempts.
pub(crate) fn attempts(text: &str) -> Result<NonZeroU32, String> {
    let count = at_least_one(text)?;
    NonZeroU32::try_from(count).map_err(|_| TOO_LARGE.to_owned())
}

const TOO_LARGE: &str = "the number is too large";

/// The variable that holds the index, from 0, of a pod in an indexed Kubernetes job.
const COMPLETION_INDEX: &str = "JOB_COMPLETION_INDEX";

/// A shard of the machines: `2/3`, or `auto/3` with the index from Kubernetes.
pub(crate) fn shard(text: &str) -> Result<Shard, String> {
    let index = std::env::var(COMPLETION_INDEX).ok();
    shard_at(unwrapped(text), index.as_deref())
}

fn shard_at(text: &str, index: Option<&str>) -> Result<Shard, String> {
    let in_words = |error: ShardError| error.to_string();
    let Some(count) = text.strip_prefix("auto/") else {
        return text.parse().map_err(in_words);
    };
    let index = index.ok_or_else(|| format!("{COMPLETION_INDEX} is not set"))?;
    let number = |text: &str| text.trim().parse::<u32>().ok();
    match (number(index), number(count)) {
        (Some(index), Some(count)) => Shard::new(index, count).map_err(in_words),
        (None, _) => Err(format!("{COMPLETION_INDEX} is not a number")),
        (_, None) => Err(in_words(ShardError::NotAShard)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_named_or_follows_from_the_index_of_the_pod() {
        let shard = |text, index| shard_at(text, index).map(|shard| shard.to_string());
        assert_eq!(shard("2/3", None), Ok("2/3".to_owned()));
        assert_eq!(shard("2/3", Some("0")), Ok("2/3".to_owned()));
        assert_eq!(shard("auto/3", Some("0")), Ok("1/3".to_owned()));
        assert_eq!(shard("auto/3", Some("2")), Ok("3/3".to_owned()));
        for (text, index, why) in [
            ("auto/3", None, "JOB_COMPLETION_INDEX is not set"),
            ("auto/3", Some("x"), "JOB_COMPLETION_INDEX is not a number"),
            ("auto/3", Some("3"), "no shard 4 of 3"),
            ("auto/x", Some("0"), "such as 1/3"),
            ("3", None, "such as 1/3"),
            ("0/3", None, "numbered from 1"),
        ] {
            let refused = shard(text, index).unwrap_err();
            assert!(refused.contains(why), "{text}: {refused}");
        }
    }

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
        for text in ["", "soon", "-5s", "1.5.s", "0.0000000000001s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn absurd_durations_are_as_long_as_it_takes() {
        for text in [
            "300000000000years",
            "18446744073709551615s",
            "584554531years",
            "99999999999999999999h",
        ] {
            let long = duration(text).unwrap();
            assert_eq!(long, FOREVER, "{text}");
            // Every user of a limit does one of these.
            assert!(std::time::Instant::now().checked_add(long).is_some());
            assert!(std::time::SystemTime::now().checked_sub(long).is_some());
        }
        assert_eq!(
            duration("99years").unwrap().as_secs() / (99 * 365 * 86_400),
            1
        );
    }

    #[test]
    fn what_gets_around_a_value_is_left_out() {
        for text in [
            "90s",
            " 90s\n",
            "\"90s\"",
            "'90s'",
            "\u{feff}90s\r\n",
            "\" 90s \"",
        ] {
            assert_eq!(unwrapped(text), "90s", "{text:?}");
            assert_eq!(duration(text), Ok(Duration::from_secs(90)), "{text:?}");
        }
        assert_eq!(unwrapped("\"half"), "\"half");
        assert_eq!(unwrapped("a\"b\"c"), "a\"b\"c");
        assert_eq!(unwrapped("\""), "\"");
        assert_eq!(
            unwrapped_path(OsStr::new("'/var/lib/tulip'")),
            PathBuf::from("/var/lib/tulip")
        );
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
