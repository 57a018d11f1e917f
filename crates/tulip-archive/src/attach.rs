//! What an earlier run of the same export has left, and what this one leaves for the next.

use std::time::Duration;

use tracing::{info, warn};
use tulip_core::Timestamp;
use tulip_core::sink::SinkErrorKind;

use crate::export::{Outcome, Run};
use crate::state::{Entry, Found, Identity, Settings, Start, StateError, StateStore};
use crate::{Advice, Event, ExportError, ExportErrorKind};

/// So long after a start whose outcome is not known none is begun by itself. After that the archive,
/// if there is one, is too old to be worth looking for, and a nightly export must not wait for ever.
const UNKNOWN_START_HOLDS: Duration = Duration::from_secs(3600);

impl Run {
    /// Looks up what is remembered of this export, and goes on from there.
    pub(crate) async fn attach(&mut self, state: &StateStore) -> Result<(), ExportError> {
        let shared = self.exporter.shared.clone();
        let began = self.began;
        let resumes = self.resumes.take();
        let must_be_open = resumes.is_some();
        let identity = resumes.unwrap_or_else(|| self.identity());
        let (target, settings) = (identity.target.clone(), self.settings());
        let found = match must_be_open {
            true => state.reopen(identity, settings).await,
            false => state.begin(identity, settings, began).await,
        };
        let mut entry = match found {
            Ok(Found::Entry(entry)) => *entry,
            Ok(Found::Busy) => {
                let what = format!(
                    "another run is at this export to {target}; it ends on its own, or can be stopped"
                );
                return Err(ExportError::new(ExportErrorKind::AlreadyRunning, what));
            }
            Ok(Found::Nothing) => {
                let what = "it is open no more: another run has finished it, or given it up";
                return Err(ExportError::new(ExportErrorKind::NotIncomplete, what));
            }
            Err(error) => {
                forgotten(&error);
                return Ok(());
            }
        };
        if !entry.is_old {
            self.entry = Some(entry);
            return Ok(());
        }
        let given = entry.record.identity.job.is_some();
        let keeps = |age: Duration| must_be_open || age <= shared.resume_within;
        match &entry.record.start {
            &Start::Asked { at } if must_be_open || age(at) < UNKNOWN_START_HOLDS => {
                return Err(unknown(at));
            }
            Start::Known { job } if given || keeps(age(entry.record.began)) => {
                let job = job.clone();
                self.began = entry.record.began;
                self.attached = true;
                if !given {
                    info!(%job, began = %self.began, "going on with the job of an earlier run");
                    (self.observer)(Event::Attached {
                        job: &job,
                        began: self.began,
                    });
                }
                self.job = Some(job);
            }
            old => {
                if !matches!(old, Start::None) {
                    warn!(began = %entry.record.began, "what an earlier run has begun is too old to go on with");
                }
                entry.record.start = Start::None;
                entry.record.began = began;
                // It is removed once another is begun.
                if let Some(object) = &mut entry.record.object {
                    object.kept = None;
                }
            }
        }
        self.entry = Some(entry);
        self.save(false).await;
        Ok(())
    }

    fn identity(&self) -> Identity {
        let shared = &self.exporter.shared;
        Identity {
            instance: shared.client.instance().to_string(),
            workspace: shared.client.workspace().map(ToString::to_string),
            job: self.source.known_job().cloned(),
            machine: self.source.machine.clone(),
            target: shared.target.clone(),
            name: shared.name.as_ref().map(ToString::to_string),
        }
    }

    fn settings(&self) -> Settings {
        let shared = &self.exporter.shared;
        Settings {
            url: shared.url.clone(),
            machine_name: self.source.machine_name.clone(),
            machine_type: self.source.machine_type.clone(),
            digest: shared.algorithm,
            if_exists: shared.if_exists,
            final_line_break: shared.final_line_break,
            max_bytes: shared.max_bytes,
        }
    }

    /// Remembers how far the start of a job is, before anything else happens.
    pub(crate) async fn remember(&mut self, start: Start) {
        if let Some(entry) = &mut self.entry {
            entry.record.start = start;
            self.save(true).await;
        }
    }

    /// Writes down what is remembered, and tells whether it could. That it cannot ends no export.
    pub(crate) async fn save(&mut self, durable: bool) -> bool {
        let Some(entry) = &mut self.entry else {
            return false;
        };
        let was_written = entry.is_written;
        match entry.save(durable).await {
            Ok(()) => true,
            Err(error) => {
                if was_written {
                    forgotten(&error);
                }
                false
            }
        }
    }

    /// Removes what an earlier run has left of the object and of its receipt.
    pub(crate) async fn forget_object(&mut self) {
        let Some(entry) = &mut self.entry else {
            return;
        };
        let record = &mut entry.record;
        let sink = &self.exporter.shared.sink;
        for begun in [record.object.take(), record.receipt.take()]
            .into_iter()
            .flatten()
        {
            let key = &begun.key;
            match sink.discard(key, &begun.left).await {
                Err(error) if error.kind() == SinkErrorKind::Unsupported => {
                    info!(%key, %error, "what an earlier run has left was not looked for");
                }
                Err(error) => warn!(%key, %error, "what an earlier run has left stays behind"),
                Ok(()) => {}
            }
        }
    }

    /// Forgets the export, or leaves it for the next run.
    pub(crate) async fn settle(&mut self, result: &Result<Outcome, ExportError>) {
        let Some(entry) = &self.entry else {
            return;
        };
        if let Err(error) = result
            && is_open(entry, error)
        {
            self.entry = None;
            return;
        }
        self.forget_object().await;
        if let Some(entry) = self.entry.take()
            && let Err(error) = entry.remove().await
        {
            forgotten(&error);
        }
    }
}

/// Whether another run can make something of what this one leaves.
fn is_open(entry: &Entry, error: &ExportError) -> bool {
    let archive_is_bad = matches!(
        error.kind(),
        ExportErrorKind::Incomplete | ExportErrorKind::JobFailed | ExportErrorKind::NotFound
    );
    let record = &entry.record;
    let has_begun = match &record.start {
        Start::None => false,
        Start::Asked { .. } => return true,
        Start::Known { .. } => record.identity.job.is_none() || record.object.is_some(),
    };
    !archive_is_bad && (has_begun || error.is_retryable())
}

fn age(since: Timestamp) -> Duration {
    let now = Timestamp::now().as_system_time();
    // A clock that was set back makes nothing old.
    now.duration_since(since.as_system_time())
        .unwrap_or_default()
}

fn unknown(at: Timestamp) -> ExportError {
    let what = format!(
        "an archive was requested at {at} and the answer was lost: it may have been started, so no \
         other is for an hour"
    );
    ExportError::new(ExportErrorKind::StartUnknown, what).with_advice(Advice::DiscardStart)
}

fn forgotten(error: &StateError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    warn!(%error, cause, "this export cannot be resumed by another run");
}
