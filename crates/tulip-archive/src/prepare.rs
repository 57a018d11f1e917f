//! An export up to its first byte: the sink probed, the job started and awaited, the download open.

use std::sync::atomic::Ordering;

use tokio::time::Instant;
use tracing::info;
use tulip_core::{JobId, ObjectKey, ResourceUrl, Timestamp};
use tulip_http::Download;

use crate::export::{Outcome, Run};
use crate::exporter::IfExists;
use crate::partial::Partial;
use crate::poll::{Complete, PollState, Poller};
use crate::source::Start;
use crate::template::{Field, KeyTemplate, Values};
use crate::{Event, ExportError, ExportErrorKind, state};

/// What comes of all that precedes the first byte.
pub(crate) enum Prepared {
    Download(Box<Ready>),
    Done(Outcome),
}

/// A download that is open, and where it goes.
pub(crate) struct Ready {
    pub(crate) job: JobId,
    pub(crate) key: ObjectKey,
    pub(crate) download: Download,
    /// What of the object is there already.
    pub(crate) partial: Option<Partial>,
}

impl Run {
    /// All that comes before the first byte is written.
    pub(crate) async fn prepare(&mut self) -> Result<Prepared, ExportError> {
        self.exporter.probe().await?;
        // Where the name does not depend on the job, no job is started in vain.
        let template = self.template();
        let known = self.job.clone();
        if !template.uses(Field::Job) || known.is_some() {
            let key = self.key(&template, known.as_ref())?;
            let replaces = self.exporter.shared.if_exists == IfExists::Overwrite;
            if (self.attached || replaces)
                && let Some(outcome) = self.unchanged(&key).await
            {
                return Ok(Prepared::Done(outcome));
            }
            if let Some(outcome) = self.already_there(&key).await? {
                return Ok(Prepared::Done(outcome));
            }
        }
        let job = self.find_or_start_job().await?;
        self.job = Some(job.clone());
        let key = self.key(&template, Some(&job))?;
        if template.uses(Field::Job)
            && known.is_none()
            && let Some(outcome) = self.already_there(&key).await?
        {
            return Ok(Prepared::Done(outcome));
        }
        let resource = self.wait(&job).await?;
        let options = self.open_options(&job, None);
        let partial = self.take_up(&key, &options).await;
        let client = &self.exporter.shared.client;
        let download = match &partial {
            Some(partial) => {
                let position = partial.position.clone();
                Box::pin(client.resume_download(&job, resource, position)).await
            }
            None => Box::pin(client.download(&job, resource)).await,
        };
        let download = download.map_err(ExportError::download)?;
        Ok(Prepared::Download(Box::new(Ready {
            job,
            key,
            download,
            partial,
        })))
    }

    fn template(&self) -> KeyTemplate {
        match &self.exporter.shared.name {
            Some(template) => template.clone(),
            None => KeyTemplate::default_for(&self.source),
        }
    }

    fn key(&self, template: &KeyTemplate, job: Option<&JobId>) -> Result<ObjectKey, ExportError> {
        Ok(template.render(Values {
            source: &self.source,
            job,
            workspace: self.exporter.shared.client.workspace(),
            began: self.began,
        })?)
    }

    /// What `if_exists` makes of an object that is there.
    async fn already_there(&mut self, key: &ObjectKey) -> Result<Option<Outcome>, ExportError> {
        let shared = &self.exporter.shared;
        let sink = &shared.sink;
        if shared.if_exists == IfExists::Overwrite || !sink.capabilities().lookup {
            return Ok(None);
        }
        let look = |error| ExportError::sink("the sink could not be asked for the object", error);
        if sink.lookup(key).await.map_err(look)?.is_none() {
            return Ok(None);
        }
        let location = sink.location(key);
        if shared.if_exists == IfExists::Fail {
            let what = format!("{location} exists already and is not to be replaced");
            return Err(ExportError::new(ExportErrorKind::AlreadyExists, what));
        }
        let has_receipt = sink.lookup(&key.receipt()).await.map_err(look)?.is_some();
        (self.observer)(Event::Skipped { key });
        Ok(Some(Outcome::Skipped {
            key: key.clone(),
            location,
            has_receipt,
        }))
    }

    async fn find_or_start_job(&mut self) -> Result<JobId, ExportError> {
        if let Some(job) = &self.job {
            return Ok(job.clone());
        }
        let shared = self.exporter.shared.clone();
        let machine = match &self.source.start {
            Start::Job(job) => return Ok(job.clone()),
            Start::Machine(machine) => machine.clone(),
        };
        let deadline = shared
            .poll
            .time_limit()
            .and_then(|limit| Instant::now().checked_add(limit));
        // Written down before: a run that ends here must not be followed by another start.
        let at = Timestamp::now();
        self.remember(state::Start::Asked { at }).await;
        let client = shared.client.with_deadline(deadline);
        let starting = self.starting.clone();
        starting.asked.store(true, Ordering::Release);
        let job = match client.start_archive(&machine).await {
            Ok(started) => started.id,
            Err(error) => {
                if !error.is_outcome_unknown() {
                    self.remember(state::Start::None).await;
                }
                starting.asked.store(false, Ordering::Release);
                return Err(ExportError::api("could not start an archive", error));
            }
        };
        self.remember(state::Start::Known { job: job.clone() })
            .await;
        self.job = Some(job.clone());
        starting.asked.store(false, Ordering::Release);
        starting.answered.notify_one();
        info!(%job, "started");
        (self.observer)(Event::Started { job: &job });
        Ok(job)
    }

    async fn wait(&mut self, job: &JobId) -> Result<ResourceUrl, ExportError> {
        let shared = &self.exporter.shared;
        let began = Instant::now();
        let mut poller = Poller::new(&shared.client, job.clone(), shared.poll);
        loop {
            let Some(state) = poller.next().await else {
                // A poller ends with a state or an error, both of which leave this loop.
                return Err(ExportError::new(
                    ExportErrorKind::JobFailed,
                    "polling ended early",
                ));
            };
            match state? {
                PollState::Complete(Complete { resource, .. }) => return Ok(resource),
                PollState::InProgress { status, unknown } => (self.observer)(Event::Waiting {
                    status: &status,
                    unknown,
                    waited: began.elapsed(),
                }),
                PollState::Failing(error) => {
                    (self.observer)(Event::WaitFailing { error: &error });
                }
            }
        }
    }
}
