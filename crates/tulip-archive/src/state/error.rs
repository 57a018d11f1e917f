//! The errors of state stores.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The class of a [`StateError`], by what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateErrorKind {
    /// The claim is no longer in force: another process has taken the record over, or it was
    /// removed. Nothing was changed. Stop working on the record.
    Fenced,
    /// Permission to read or write the state is missing, or others could write to it. Give it to
    /// this user alone, or keep the state elsewhere.
    PermissionDenied,
    /// There is no space left. Free some, or keep the state elsewhere.
    Full,
    /// The store cannot work here: its file system has no locks, for example. Keep the state
    /// elsewhere, such as on a local disk.
    Unsupported,
    /// The stored data is damaged. Repair it with the store's own means.
    Damaged,
    /// The stored data was written by a newer version of this software. Use that version, or keep
    /// the state elsewhere.
    NewerVersion,
    /// The store is overloaded, or others have locked it for too long. Try again later.
    Unavailable,
    /// Anything else. The message and its cause say what happened.
    Other,
}

/// An error of a [`StateStore`](super::StateStore). It is cheap to clone, because many writes can
/// share one failure.
#[derive(Clone)]
pub struct StateError(Arc<Inner>);

struct Inner {
    kind: StateErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl StateError {
    /// Creates an error of this class. The message says what happened, and to what.
    pub fn new(kind: StateErrorKind, message: impl Into<String>) -> Self {
        Self::of(kind, message.into(), None)
    }

    /// Creates an error of this class with its cause.
    pub fn with_source(
        kind: StateErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self::of(kind, message.into(), Some(source.into()))
    }

    /// Creates the error for a claim that is no longer in force.
    #[must_use]
    pub fn fenced() -> Self {
        Self::new(
            StateErrorKind::Fenced,
            "another process has taken the record over",
        )
    }

    fn of(
        kind: StateErrorKind,
        message: String,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            message,
            source,
        }))
    }

    /// The class of the failure.
    #[must_use]
    pub fn kind(&self) -> StateErrorKind {
        self.0.kind
    }

    /// Whether the claim is no longer in force.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        self.0.kind == StateErrorKind::Fenced
    }

    /// Whether the same call can succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.0.kind == StateErrorKind::Unavailable
    }
}

impl fmt::Debug for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl StdError for StateError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source = self.0.source.as_deref()?;
        Some(source)
    }
}
