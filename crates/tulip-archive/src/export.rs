//! A single export.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use tracing::{Instrument as _, debug, info, info_span};
use tulip_core::{JobId, Timestamp};

use crate::admission::Admission;
use crate::cancellation::{Cancellation, EndReason};
use crate::context::Context;
use crate::pipeline;
use crate::setup::Setup;
use crate::state::Identity;
use crate::{Event, ExportError, Outcome, Source};

/// One export that has not run yet. Await it to run it.
///
/// # Cancellation
/// Dropping the future leaves nothing partial visible in the sink; a job that was started continues
/// at Tulip. From [`Event::Committing`] on, the whole object may be visible all the same, possibly
/// without its receipt. [`Export::until`] ends the export in order: before it returns, staged data
/// in the sink is removed, or kept for another run if the exporter has a
/// [`StateStore`](crate::StateStore) and the sink can resume. With such a store, the next run of
/// the same export can continue however this one ended: it writes a missing receipt, or stores the
/// archive again unless [`IfExists`](crate::IfExists) keeps the object.
#[must_use = "an export runs when it is awaited"]
pub struct Export {
    setup: Arc<Setup>,
    source: Source,
    job: Option<JobId>,
    dated: Option<Timestamp>,
    observer: Box<dyn FnMut(Event<'_>) + Send>,
    cancellation: Cancellation,
    admission: Option<Arc<dyn Admission>>,
    /// The identity of the incomplete export to resume, if any.
    resumes: Option<Identity>,
}

impl fmt::Debug for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Export")
            .field("setup", &self.setup)
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
            let cx = Context {
                setup: self.setup,
                source: self.source,
                job: self.job,
                dated: self.dated,
                observer: self.observer,
                admission: self.admission,
            };
            let result = pipeline::run(cx, self.cancellation, self.resumes).await;
            let result = result.map_err(|error| error.of(name));
            match &result {
                Ok(outcome) => info!(location = outcome.location(), "export finished"),
                Err(error) => debug!(%error, kind = %error.kind(), "failed"),
            }
            result
        };
        Box::pin(run.instrument(span))
    }
}

impl Export {
    pub(crate) fn new(setup: Arc<Setup>, source: Source, resumes: Option<Identity>) -> Self {
        Self {
            setup,
            source,
            job: None,
            dated: None,
            observer: Box::new(|_| {}),
            cancellation: Cancellation::never(),
            admission: None,
            resumes,
        }
    }

    /// Calls `observer` with every [`Event`]. It runs between the export's own steps, so it
    /// should be quick.
    pub fn on_event(mut self, observer: impl FnMut(Event<'_>) + Send + 'static) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Uses this job, started by an earlier attempt of the same export, instead of starting
    /// another.
    pub fn with_job(mut self, job: JobId) -> Self {
        self.job = Some(job);
        self
    }

    /// Fills `{date}` and the other fields of time in the key template with `at`, instead of the
    /// time at which the export begins, so that all exports of a night have one date. An export
    /// whose job is resumed keeps the time of its first run.
    pub fn dated(mut self, at: Timestamp) -> Self {
        self.dated = Some(at);
        self
    }

    /// Waits for `admission` before it starts a job and before it downloads; by default it waits
    /// for neither.
    pub fn admission(mut self, admission: Arc<dyn Admission>) -> Self {
        self.admission = Some(admission);
        self
    }

    /// Ends the export when `end` completes, after removing staged data from the sink or keeping it
    /// for another run. A commit in progress is finished first, and a start in progress has five
    /// seconds to learn its job. The time that the sink needs to commit or clean up is not limited.
    ///
    /// The export fails with [`ExportErrorKind::Interrupted`](crate::ExportErrorKind::Interrupted),
    /// unless `end` returns another [`EndReason`].
    ///
    /// Any future will do, so that no runtime's type is part of this signature. A good choice is
    /// that of a `CancellationToken` of `tokio_util`, which completes only when the token is
    /// cancelled:
    ///
    /// ```
    /// use tokio_util::sync::CancellationToken;
    /// use tulip_archive::{ExportError, Exporter, Outcome, Source};
    ///
    /// async fn export(
    ///     exporter: &Exporter,
    ///     source: Source,
    ///     stop: &CancellationToken,
    /// ) -> Result<Outcome, ExportError> {
    ///     exporter.export(source).until(stop.clone().cancelled_owned()).await
    /// }
    /// ```
    ///
    /// The receiver of a channel completes when its sender is dropped too, which would cancel the
    /// export by surprise. With a `oneshot` channel, wait indefinitely in that case:
    ///
    /// ```
    /// use tokio::sync::oneshot::Receiver;
    ///
    /// async fn cancelled(stop: Receiver<()>) {
    ///     if stop.await.is_err() {
    ///         std::future::pending().await // nobody can cancel any more
    ///     }
    /// }
    /// ```
    pub fn until<R: Into<EndReason>>(
        mut self,
        end: impl Future<Output = R> + Send + 'static,
    ) -> Self {
        self.cancellation = Cancellation::new(end);
        self
    }
}
