//! One export, from the job to the receipt.

use std::fmt;
use std::pin::Pin;

use tracing::{Instrument as _, debug, info, info_span};
use tulip_core::{JobId, ObjectKey, Receipt, Timestamp};

use crate::exporter::Exporter;
use crate::prepare::Prepared;
use crate::{Event, ExportError, ExportErrorKind, Source};

pub(crate) type Observer = Box<dyn FnMut(Event<'_>) + Send>;
pub(crate) type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One export that has not run yet. Await it to run it.
///
/// # Cancellation
/// Dropping the future leaves nothing visible in the sink; a job that was started goes on at
/// Tulip. [`Export::until`] ends it in order: what the sink has staged is removed before the
/// export returns.
#[must_use = "an export runs when it is awaited"]
pub struct Export {
    exporter: Exporter,
    source: Source,
    observer: Observer,
    shutdown: Shutdown,
}

/// What came of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The archive is stored, whole and checked, with its receipt beside it.
    Exported {
        /// The receipt.
        receipt: Box<Receipt>,
        /// Where the object lies, for people.
        location: String,
    },
    /// An object was there already and was left as it is.
    Skipped {
        /// The object's key.
        key: ObjectKey,
        /// Where it lies, for people.
        location: String,
        /// Whether it has a receipt beside it: one without may not be ours.
        has_receipt: bool,
    },
}

impl Outcome {
    /// The receipt of an archive that was stored by this export.
    #[must_use]
    pub fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Exported { receipt, .. } => Some(receipt),
            Self::Skipped { .. } => None,
        }
    }

    /// Where the object lies, for people.
    #[must_use]
    pub fn location(&self) -> &str {
        match self {
            Self::Exported { location, .. } | Self::Skipped { location, .. } => location,
        }
    }
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("exporter", &self.exporter)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}

impl IntoFuture for Export {
    type Output = Result<Outcome, ExportError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        let name = self.source.to_string();
        let span = info_span!("export", source = %name);
        let run = async move {
            let result = self.run(name).await;
            match &result {
                Ok(outcome) => info!(location = outcome.location(), "done"),
                Err(error) => debug!(%error, kind = ?error.kind(), "failed"),
            }
            result
        };
        Box::pin(run.instrument(span))
    }
}

impl Export {
    pub(crate) fn new(exporter: Exporter, source: Source) -> Self {
        Self {
            exporter,
            source,
            observer: Box::new(|_| {}),
            shutdown: Box::pin(std::future::pending()),
        }
    }

    /// Calls `observer` with every [`Event`]. It runs between the export's own steps, so it
    /// should be quick.
    pub fn on_event(mut self, observer: impl FnMut(Event<'_>) + Send + 'static) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Ends the export with [`ExportErrorKind::Cancelled`] when `shutdown` completes, after
    /// removing what the sink has staged. A commit that has begun is finished first.
    pub fn until(mut self, shutdown: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Box::pin(shutdown);
        self
    }

    async fn run(self, name: String) -> Result<Outcome, ExportError> {
        let mut run = Run {
            exporter: self.exporter,
            job: self.source.known_job().cloned(),
            source: self.source,
            observer: self.observer,
            began: Timestamp::now(),
        };
        let result = run.drive(self.shutdown).await;
        result.map_err(|error| error.of(name, run.job))
    }
}

impl Run {
    async fn drive(&mut self, mut shutdown: Shutdown) -> Result<Outcome, ExportError> {
        let prepared = tokio::select! {
            biased;
            () = &mut shutdown => return Err(cancelled()),
            prepared = self.prepare() => prepared?,
        };
        match prepared {
            Prepared::Download(ready) => self.deliver(*ready, shutdown).await,
            Prepared::Done(outcome) => Ok(outcome),
        }
    }
}

pub(crate) fn cancelled() -> ExportError {
    let what = "the export was cancelled; nothing was stored";
    ExportError::new(ExportErrorKind::Cancelled, what).retryable(true)
}

/// An export that is running.
pub(crate) struct Run {
    pub(crate) exporter: Exporter,
    pub(crate) source: Source,
    /// The job, once it is known.
    pub(crate) job: Option<JobId>,
    pub(crate) observer: Observer,
    pub(crate) began: Timestamp,
}
