//! Lists of machines in a file.

/// The byte order mark that some editors write at the start of a file.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The ids and names of a list, one a line. Blank lines are left out, and lines that begin with
/// `#`. Line breaks may be those of Windows, and a byte order mark may come first.
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
