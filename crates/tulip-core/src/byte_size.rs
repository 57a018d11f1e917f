//! Human-readable sizes.

/// Parses a number of bytes: plain, or with `B`, a binary (`KiB`, `MiB`, `GiB`) or a decimal (`kB`,
/// `MB`, `GB`) unit in upper or lower case. `None` for anything else, or if the result overflows
/// 64 bits.
///
/// ```
/// use tulip_core::parse_byte_size;
/// assert_eq!(parse_byte_size("64MiB"), Some(64 * 1024 * 1024));
/// assert_eq!(parse_byte_size("64 miles"), None);
/// ```
#[must_use]
pub fn parse_byte_size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kib" => 1 << 10,
        "kb" => 1000,
        "mib" => 1 << 20,
        "mb" => 1_000_000,
        "gib" => 1 << 30,
        "gb" => 1_000_000_000,
        _ => return None,
    };
    let digits = digits.trim_end();
    // `parse` alone would accept a sign.
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Formats a number of bytes in decimal units, with one decimal place from 1 kB up.
///
/// ```
/// use tulip_core::format_byte_size;
/// assert_eq!(format_byte_size(836_800), "836.8 kB");
/// ```
#[must_use]
pub fn format_byte_size(bytes: u64) -> String {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("5MB", 5_000_000),
            ("1024", 1024),
            ("7 B", 7),
            ("2GiB", 2 << 30),
        ] {
            assert_eq!(parse_byte_size(text), Some(bytes), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "+1",
            "1.5GiB",
            "64 miles",
            "99999999999999GiB",
        ] {
            assert_eq!(parse_byte_size(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_are_written_with_one_digit() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (20_000_000_000, "20.0 GB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(format_byte_size(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in any::<String>()) {
            let _ = parse_byte_size(&text);
        }
    }
}
