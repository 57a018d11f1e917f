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
        /// Where the object lies: a path or URL without any secret.
        location: String,
        /// How an existing object was kept from being replaced; `None` where it was to be
        /// replaced.
        create_only: Option<CreateOnly>,
    },
    /// An object was there already and was left as it is.
    Skipped {
        /// The object's key.
        key: ObjectKey,
        /// Where it lies: a path or URL without any secret.
        location: String,
        /// Whether it has a receipt beside it: one without may not be ours.
        has_receipt: bool,
    },
    /// The archive of this very job is stored already, whole: its receipt says so, and the object
    /// is still the one of the receipt. Nothing was downloaded.
    Unchanged {
        /// The receipt.
        receipt: Box<Receipt>,
        /// Where the object lies: a path or URL without any secret.
        location: String,
    },
}

/// How an object that must be new was stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CreateOnly {
    /// The store refuses to replace an object: of two writers at the same time one fails.
    Atomic,
    /// The store has no such promise. There was no object before the export; of two writers at
    /// the same time the later one replaces the object.
    CheckedBefore,
}

impl Outcome {
    /// The receipt of an archive that was stored by this export, or an earlier one of the same job.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Exported { receipt, .. } | Self::Unchanged { receipt, .. } => Some(receipt),
            Self::Skipped { .. } => None,
        }
    }

    /// Where the object lies: a path or URL without any secret.
    #[must_use]
    pub fn location(&self) -> &str {
        match self {
            Self::Exported { location, .. }
            | Self::Skipped { location, .. }
            | Self::Unchanged { location, .. } => location,
        }
    }
}
