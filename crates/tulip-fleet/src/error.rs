//! Why a run cannot be planned.

use tulip_archive::ExportError;

use crate::Collisions;

/// Why a run cannot be planned. Nothing was started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The target cannot be used.
    #[error(transparent)]
    Target(#[from] ExportError),
    /// Several exports of the run would have keys that are the same object on the target.
    #[error("{0}")]
    Collisions(Box<Collisions>),
}

impl PlanError {
    /// Whether the same plan can succeed later without any change.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Target(error) => error.is_retryable(),
            Self::Collisions(_) => false,
        }
    }
}
