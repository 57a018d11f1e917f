//! Helpers for all fuzz targets.

/// A stand-in for a signature or a password. Targets plant it, and it must not be shown.
pub const SECRET: &str = "c0ffee5ec2e7";

/// The text that is shown in place of a secret.
pub const MASK: &str = "[redacted]";

/// Returns whether `text` already contains the planted secret, or would once it is cleaned.
#[must_use]
pub fn holds_secret(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    plain.to_ascii_lowercase().contains(SECRET)
}

/// Panics if `shown` contains the planted secret.
pub fn assert_hidden(shown: &str) {
    assert!(!shown.contains(SECRET), "the secret is shown: {shown:?}");
}

/// Panics if `shown` contains a control character, on which a terminal could act.
pub fn assert_no_control(shown: &str) {
    assert!(
        !shown.contains(char::is_control),
        "a control character is shown: {shown:?}"
    );
}
