//! Names of staged objects.

/// Returns the name under which the object `name` is staged: hidden, beside it, and different for
/// each `unique`. Lists leave out names of this form, and a sweep removes stale ones.
///
/// ```
/// use tulip_core::sink::{staged_name, staged_target};
/// let staged = staged_name("07.csv", 0x00c0_ffee);
/// assert_eq!(staged, ".07.csv.00c0ffee.partial");
/// assert_eq!(staged_target(&staged), Some("07.csv"));
/// ```
#[must_use]
pub fn staged_name(name: &str, unique: u32) -> String {
    format!(".{name}.{unique:08x}.partial")
}

/// Returns the name of the object staged under `staged`, or `None` if that is not a
/// [`staged_name`].
#[must_use]
pub fn staged_target(staged: &str) -> Option<&str> {
    let inner = staged.strip_prefix('.')?.strip_suffix(".partial")?;
    let (target, unique) = inner.rsplit_once('.')?;
    let is_unique = unique.len() == 8 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_unique && !target.is_empty()).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_staged_name_tells_its_target() {
        for name in ["a.csv", "a", ".hidden", "a.00c0ffee.partial"] {
            assert_eq!(staged_target(&staged_name(name, 7)), Some(name));
        }
    }

    #[test]
    fn other_names_are_not_staged_ones() {
        for other in [
            "a.csv",
            ".a.csv",
            ".a.partial",
            ".a.csv.zzzzzzzz.partial",
            "a.c0ffee00.partial",
            ".a.csv.00c0ffee.partial#1",
            "..00c0ffee.partial",
        ] {
            assert_eq!(staged_target(other), None, "{other}");
        }
    }
}
