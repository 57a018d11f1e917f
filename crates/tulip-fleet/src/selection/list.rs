//! Lists of machines in a file.

/// The byte order mark that some editors write at the start of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Returns the ids and names in a list with one per line. Skips blank lines and lines that begin
/// with `#`. Accepts Windows line breaks and a leading byte order mark.
///
/// ```
/// let list = "# Hall 2\r\nMill 1\r\n\r\n  m2  \r\n";
/// assert_eq!(tulip_fleet::parse_machine_list(list), ["Mill 1", "m2"]);
/// ```
#[must_use]
pub fn parse_machine_list(text: &str) -> Vec<String> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}
