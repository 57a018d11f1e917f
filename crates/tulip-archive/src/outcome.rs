//! The result of a successful export.

use tulip_core::{ObjectKey, Receipt};

/// The result of a successful export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The archive is stored, whole and checked, with its receipt beside it.
    Exported {
        /// The receipt.
        receipt: Box<Receipt>,
        /// The object's location: a path or URL without secrets.
        location: String,
        /// How an existing object was protected from being replaced; `None` if it could be
        /// replaced.
        create_only: Option<CreateOnly>,
    },
    /// An object already existed and was kept.
    Skipped {
        /// The object's key.
        key: ObjectKey,
        /// Its location: a path or URL without secrets.
        location: String,
        /// Whether it has a receipt. An object without one may not be ours.
        has_receipt: bool,
    },
    /// The archive of this job is already stored and whole: it has a receipt, and the object still
    /// matches it. Nothing was downloaded.
    Unchanged {
        /// The receipt.
        receipt: Box<Receipt>,
        /// The object's location: a path or URL without secrets.
        location: String,
    },
}

/// How an object was stored that must not replace another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateOnly {
    /// The store refuses to replace an object: of two concurrent writers, one fails.
    Atomic,
    /// The store does not guarantee that. There was no object before the export; of two concurrent
    /// writers, the later one replaces the object.
    CheckedBefore,
}

impl Outcome {
    /// The receipt of the archive that this export, or an earlier one of the same job, has stored.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Exported { receipt, .. } | Self::Unchanged { receipt, .. } => Some(receipt),
            Self::Skipped { .. } => None,
        }
    }

    /// The object's location: a path or URL without secrets.
    #[must_use]
    pub fn location(&self) -> &str {
        match self {
            Self::Exported { location, .. }
            | Self::Skipped { location, .. }
            | Self::Unchanged { location, .. } => location,
        }
    }
}
