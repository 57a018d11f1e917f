//! What the fuzz targets have in common.

/// Stands for a signature or a password: targets plant it, and it must not come out.
pub const SECRET: &str = "c0ffee5ec2e7";

/// What stands in its place.
pub const MASK: &str = "[redacted]";

/// Whether the planted secret is in `text` already, or would be once it is cleaned.
#[must_use]
pub fn holds_secret(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    plain.to_ascii_lowercase().contains(SECRET)
}

/// Fails where `shown` holds the planted secret.
pub fn assert_hidden(shown: &str) {
    assert!(!shown.contains(SECRET), "the secret is shown: {shown:?}");
}

/// Fails where `shown` would do more on a terminal than stand there.
pub fn assert_no_control(shown: &str) {
    assert!(
        !shown.contains(char::is_control),
        "a control character is shown: {shown:?}"
    );
}
