//! One export, from the job to the receipt.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{Instrument as _, debug, info, info_span};
use tulip_core::{JobId, ObjectKey, Receipt, Timestamp};

use crate::exporter::Exporter;
use crate::prepare::Prepared;
use crate::state::{Entry, Identity};
use crate::{Event, ExportError, ExportErrorKind, Source};

pub(crate) type Observer = Box<dyn FnMut(Event<'_>) + Send>;
pub(crate) type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One export that has not run yet. Await it to run it.
///
/// # Cancellation
/// Dropping the future leaves nothing visible in the sink; a job that was started goes on at
/// Tulip. [`Export::until`] ends it in order: what the sink has staged is removed before the
/// export returns, or kept for another run, where the exporter has a
/// [`StateStore`](crate::StateStore) and the sink can resume. What is in that store then lets the
/// next run of the same export go on, however this one ended.
#[must_use = "an export runs when it is awaited"]
pub struct Export {
    exporter: Exporter,
    source: Source,
    observer: Observer,
    shutdown: Shutdown,
    /// Of the open export that this is to go on with, where it is one.
    resumes: Option<Identity>,
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
    /// The archive of this very job is stored already, whole: its receipt says so, and the object
    /// is still the one of the receipt. Nothing was downloaded.
    Unchanged {
        /// The receipt.
        receipt: Box<Receipt>,
        /// Where the object lies, for people.
        location: String,
    },
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

    /// Where the object lies, for people.
    #[must_use]
    pub fn location(&self) -> &str {
        match self {
            Self::Exported { location, .. }
            | Self::Skipped { location, .. }
            | Self::Unchanged { location, .. } => location,
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
            resumes: None,
        }
    }

    pub(crate) fn of(mut self, open: Identity) -> Self {
        self.resumes = Some(open);
        self
    }

    /// Calls `observer` with every [`Event`]. It runs between the export's own steps, so it
    /// should be quick.
    pub fn on_event(mut self, observer: impl FnMut(Event<'_>) + Send + 'static) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Ends the export with [`ExportErrorKind::Interrupted`] when `shutdown` completes, after
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
            entry: None,
            attached: false,
            resumes: self.resumes,
            starting: Arc::default(),
            checkpointed: None,
        };
        let result = run.drive(self.shutdown).await;
        Box::pin(run.settle(&result)).await;
        result.map_err(|error| error.of(name).with_job(run.job.as_ref()))
    }
}

impl Run {
    async fn drive(&mut self, mut shutdown: Shutdown) -> Result<Outcome, ExportError> {
        // What is only done at the beginning and at the end takes no room while the job is waited for.
        if let Some(state) = self.exporter.shared.state.clone() {
            let _turn = state.turn().await;
            Box::pin(self.attach(&state)).await?;
        }
        let starting = self.starting.clone();
        let mut preparing = Box::pin(self.prepare());
        let prepared = tokio::select! {
            biased;
            () = &mut shutdown => {
                // A start that is under way has a little longer, to learn which job it is.
                if starting.asked.load(Ordering::Acquire) {
                    let _ = tokio::time::timeout(GRACE, async {
                        tokio::select! {
                            () = starting.answered.notified() => {}
                            _ = &mut preparing => {}
                        }
                    })
                    .await;
                }
                return Err(cancelled());
            }
            prepared = &mut preparing => prepared?,
        };
        drop(preparing);
        match prepared {
            Prepared::Download(ready) => Box::pin(self.deliver(*ready, shutdown)).await,
            Prepared::Done(outcome) => Ok(outcome),
        }
    }
}

pub(crate) fn cancelled() -> ExportError {
    let what = "the export was cancelled; nothing was stored";
    ExportError::new(ExportErrorKind::Interrupted, what)
}

/// An export that is running.
pub(crate) struct Run {
    pub(crate) exporter: Exporter,
    pub(crate) source: Source,
    /// The job, once it is known.
    pub(crate) job: Option<JobId>,
    pub(crate) observer: Observer,
    pub(crate) began: Timestamp,
    /// What is remembered of it, where something is.
    pub(crate) entry: Option<Entry>,
    /// An earlier run of this export has begun it.
    pub(crate) attached: bool,
    /// The open export that this is to go on with, where it is one.
    pub(crate) resumes: Option<Identity>,
    pub(crate) starting: Arc<Starting>,
    /// When the last checkpoint was made.
    pub(crate) checkpointed: Option<Instant>,
}

/// How far the start of a job is, for whoever wants to end the export.
#[derive(Debug, Default)]
pub(crate) struct Starting {
    pub(crate) asked: AtomicBool,
    pub(crate) answered: Notify,
}

/// How long what leaves traces may go on once the export is to end.
pub(crate) const GRACE: Duration = Duration::from_secs(5);
