//! Errors of sinks.

use std::error::Error as StdError;
use std::fmt;

use crate::one_line;

/// The class of a sink's error, by what the user can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SinkErrorKind {
    /// The target is configured wrongly: a bad URL, a path that is a file.
    InvalidTarget,
    /// The target does not exist: no such bucket or directory.
    NotFound,
    /// The sink refuses access.
    PermissionDenied,
    /// The object already exists and must not be replaced.
    AlreadyExists,
    /// No room is left, or a quota is used up.
    StorageFull,
    /// The object is larger than the sink, as configured, can hold.
    TooLarge,
    /// The sink cannot be reached or is overloaded: a retry can help. Every other object would fail
    /// too.
    Unavailable,
    /// This object could not be stored: a part was damaged on its way, or another writer was
    /// changing it. A retry can help. Says nothing about other objects.
    Transient,
    /// The sink does not support this.
    Unsupported,
    /// Anything else.
    Other,
}

impl SinkErrorKind {
    /// Returns the class of a failure that a server reports with an HTTP status.
    ///
    /// ```
    /// use tulip_core::sink::SinkErrorKind;
    /// assert_eq!(SinkErrorKind::from_http_status(403), SinkErrorKind::PermissionDenied);
    /// assert_eq!(SinkErrorKind::from_http_status(503), SinkErrorKind::Unavailable);
    /// ```
    #[must_use]
    pub const fn from_http_status(status: u16) -> Self {
        match status {
            401 | 403 | 407 => Self::PermissionDenied,
            404 | 410 => Self::NotFound,
            405 | 501 => Self::Unsupported,
            412 => Self::AlreadyExists,
            413 => Self::TooLarge,
            507 => Self::StorageFull,
            408 | 423 | 425 | 429 | 500 | 502..=504 => Self::Unavailable,
            _ => Self::Other,
        }
    }

    /// Returns what the user can do next, if the kind determines it.
    const fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::InvalidTarget => "check the target that was given",
            Self::NotFound => "create it first, or check its name",
            Self::PermissionDenied => "grant write access there, or choose another target",
            Self::AlreadyExists => "choose another name, or allow it to be overwritten",
            Self::StorageFull => "free some space, then try again",
            Self::TooLarge => "use another sink, or one that is set up for larger objects",
            Self::Unavailable => "try again later",
            Self::Transient => "try again",
            Self::Unsupported => "use another sink, or leave the option out",
            Self::Other => return None,
        })
    }
}

/// A failure in a sink.
///
/// `Display` says what happened and what to do; the cause, if any, is its `source`.
///
/// ```
/// use tulip_core::sink::{SinkError, SinkErrorKind};
/// let error = SinkError::new(SinkErrorKind::StorageFull, "cannot write /data/a.csv");
/// assert_eq!(error.to_string(), "cannot write /data/a.csv: no space left (free some space, then try again)");
/// assert!(!error.is_retryable());
/// ```
pub struct SinkError {
    kind: SinkErrorKind,
    message: String,
    reason: Option<String>,
    advice: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl SinkError {
    /// Creates an error of `kind`. The message names the operation and the object, and contains no
    /// secret. If the name of an object or a server brings control characters into it, it is
    /// cleaned with [`one_line`](crate::one_line).
    pub fn new(kind: SinkErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: printable(message.into()),
            reason: None,
            advice: None,
            source: None,
        }
    }

    /// Replaces the words of the kind with more precise ones: a reason, such as "no such bucket",
    /// and what to do about it.
    #[must_use]
    pub fn with_reason(mut self, reason: impl Into<String>, advice: impl Into<String>) -> Self {
        self.reason = Some(printable(reason.into()));
        self.advice = Some(printable(advice.into()));
        self
    }

    /// Sets the cause, which must contain no secret either. Clean a server's message with
    /// [`one_line`](crate::one_line) first: the cause is shown unchanged.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the class of the error.
    #[must_use]
    pub fn kind(&self) -> SinkErrorKind {
        self.kind
    }

    /// Whether the same call can succeed later without any change.
    ///
    /// # What to do
    /// Repeat it after a pause. A writer that has failed cannot be used again: open another and
    /// write the whole object.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(
            self.kind,
            SinkErrorKind::Unavailable | SinkErrorKind::Transient
        )
    }

    /// Whether the target or object does not exist.
    ///
    /// # What to do
    /// Check its name, or create the target first. Retrying does not help.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind == SinkErrorKind::NotFound
    }

    /// Whether access was refused.
    ///
    /// # What to do
    /// Check the credentials, and grant them the access. Retrying does not help.
    #[must_use]
    pub fn is_permission_denied(&self) -> bool {
        self.kind == SinkErrorKind::PermissionDenied
    }

    /// Whether the object already exists and must not be replaced.
    ///
    /// # What to do
    /// Keep it and write nothing. To store another object, choose another key or
    /// [`WriteMode::Overwrite`](super::WriteMode::Overwrite).
    #[must_use]
    pub fn is_already_exists(&self) -> bool {
        self.kind == SinkErrorKind::AlreadyExists
    }
}

/// Cleans a text if it contains characters that could control a terminal or break a line.
fn printable(text: String) -> String {
    match text.chars().any(char::is_control) {
        true => one_line(&text, MAX_TEXT),
        false => text,
    }
}

/// The maximum length of a cleaned text, in characters.
const MAX_TEXT: usize = 2000;

impl fmt::Display for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let (Some(reason), Some(advice)) = (&self.reason, &self.advice) {
            return write!(f, ": {reason} ({advice})");
        }
        match self.kind {
            SinkErrorKind::NotFound => f.write_str(": not found")?,
            SinkErrorKind::PermissionDenied => f.write_str(": access denied")?,
            SinkErrorKind::AlreadyExists => f.write_str(": already exists")?,
            SinkErrorKind::StorageFull => f.write_str(": no space left")?,
            SinkErrorKind::Unavailable => f.write_str(": unavailable")?,
            _ => {}
        }
        match self.kind.advice() {
            Some(advice) => write!(f, " ({advice})"),
            None => Ok(()),
        }
    }
}

/// On one line, because a `main` that returns the error prints its `Debug` form.
impl fmt::Debug for SinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SinkError");
        shown.field("kind", &self.kind);
        shown.field("message", &self.to_string());
        if let Some(source) = &self.source {
            shown.field("source", source);
        }
        shown.finish()
    }
}

impl StdError for SinkError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_says_what_and_what_next_and_leaves_the_cause_to_source() {
        let cause = std::io::Error::other("disk on fire");
        let error = SinkError::new(SinkErrorKind::Other, "cannot write a.csv").with_source(cause);
        assert_eq!(error.to_string(), "cannot write a.csv");
        assert_eq!(error.source().unwrap().to_string(), "disk on fire");
        let plain = SinkError::new(SinkErrorKind::Other, "the child process ended early");
        assert_eq!(plain.to_string(), "the child process ended early");
    }

    #[test]
    fn debug_is_one_line_of_what_display_says_and_the_cause() {
        let error = SinkError::new(SinkErrorKind::StorageFull, "cannot write \"a\"\n.csv");
        assert_eq!(
            format!("{error:?}"),
            r#"SinkError { kind: StorageFull, message: "cannot write \"a\" .csv: no space left (free some space, then try again)" }"#
        );
    }

    #[test]
    fn more_exact_words_stand_in_for_those_of_the_kind() {
        let error = SinkError::new(SinkErrorKind::NotFound, "cannot write s3://lake/a.csv")
            .with_reason("no such bucket", "create it first");
        assert_eq!(
            error.to_string(),
            "cannot write s3://lake/a.csv: no such bucket (create it first)"
        );
    }

    #[test]
    fn what_was_named_by_others_cannot_steer_a_terminal() {
        let error = SinkError::new(
            SinkErrorKind::Other,
            "cannot read \u{1b}]0;x\u{7}a\nERROR b",
        )
        .with_reason("no \u{1b}[31mway", "look\r\n there");
        assert_eq!(
            error.to_string(),
            "cannot read ]0;xa ERROR b: no [31mway (look there)"
        );
        let kept = SinkError::new(SinkErrorKind::Other, "cannot write /a  b.csv");
        assert_eq!(kept.to_string(), "cannot write /a  b.csv");
    }

    #[test]
    fn only_an_unavailable_sink_is_worth_a_retry() {
        let retryable = |kind| SinkError::new(kind, "x").is_retryable();
        assert!(retryable(SinkErrorKind::Unavailable));
        assert!(
            !retryable(SinkErrorKind::PermissionDenied) && !retryable(SinkErrorKind::StorageFull)
        );
    }
}
