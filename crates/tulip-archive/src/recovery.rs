//! What an earlier run of the same export has left, and what this one leaves for the next.

use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};
use tulip_core::sink::{OpenOptions, Sink, SinkErrorKind, SinkReader, SinkWriter, StaleUpload};
use tulip_core::{JobId, ObjectKey, Receipt, Timestamp};
use tulip_http::Position;

use crate::context::Context;
use crate::inspect::Inspector;
use crate::setup::Setup;
use crate::state::{
    Entry, Found, Identity, PendingReceipt, Settings, StagedObject, StagedPart, Start, StateError,
    StateStore,
};
use crate::{Advice, Event, ExportError, ExportErrorKind, Outcome, Source};

/// After a start whose outcome is not known none is sent by itself for this long. After that the
/// archive, if there is one, is too old to be worth looking for, and a nightly export must not
/// wait for ever.
const UNKNOWN_START_HOLDS: Duration = Duration::from_secs(3600);

/// Bytes between two checkpoints, and the least time between them. One costs a line in a small
/// file and a moment in which nothing is written; what a killed run had written behind its last
/// one is downloaded again.
const CHECKPOINT_EVERY: u64 = 32 * 1024 * 1024;
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(500);

/// The memory of one export that outlasts its process: the only code that touches the state store.
///
/// Without a store, or where it cannot be used, every method does nothing and nothing is found.
pub(crate) struct Recovery {
    entry: Option<Entry>,
    /// When the export began, in this run or in the one that is resumed.
    began: Timestamp,
    /// The job, once it is known.
    job: Option<JobId>,
    /// Whether an earlier run has left something to resume.
    is_resumed: bool,
    /// Whether the sink can keep a part of an object for another run.
    sink_resumes: bool,
    last_checkpoint: Option<Instant>,
}

/// What an earlier run has written of the object, checked, and a writer behind it.
pub(crate) struct ResumedObject {
    pub(crate) writer: Box<dyn SinkWriter>,
    pub(crate) inspector: Inspector,
    pub(crate) position: Position,
}

impl Recovery {
    /// Looks up what is remembered of this export. `resumes` names an incomplete export that must
    /// be there still.
    pub(crate) async fn open(
        cx: &mut Context,
        resumes: Option<Identity>,
    ) -> Result<Self, ExportError> {
        let mut recovery = Self {
            entry: None,
            began: Timestamp::now(),
            job: cx.job.as_ref().or(cx.source.known_job()).cloned(),
            is_resumed: false,
            sink_resumes: cx.setup.sink.capabilities().resume,
            last_checkpoint: None,
        };
        if let Some(state) = cx.setup.state.clone() {
            let _turn = state.turn().await;
            recovery.find(cx, &state, resumes).await?;
        }
        if let Some(job) = cx.job.clone().filter(|_| !recovery.is_resumed) {
            recovery.start_answered(job).await;
        }
        Ok(recovery)
    }

    async fn find(
        &mut self,
        cx: &mut Context,
        state: &StateStore,
        resumes: Option<Identity>,
    ) -> Result<(), ExportError> {
        let setup = cx.setup.clone();
        let must_be_there = resumes.is_some();
        let identity = resumes.unwrap_or_else(|| identity(&setup, &cx.source));
        let target = identity.target.clone();
        let settings = settings(&setup, &cx.source);
        let found = match must_be_there {
            true => state.reopen(identity, settings).await,
            false => state.begin(identity, settings, self.began).await,
        };
        let mut entry = match found {
            Ok(Found::Entry(entry)) => *entry,
            Ok(Found::Busy) => {
                let what = format!("another process is already exporting this to {target}");
                return Err(ExportError::new(ExportErrorKind::AlreadyRunning, what));
            }
            Ok(Found::Nothing) => {
                let what = "it is no longer incomplete: another process has finished or \
                    discarded it";
                return Err(ExportError::new(ExportErrorKind::NotIncomplete, what));
            }
            Err(error) => {
                not_remembered(&error);
                return Ok(());
            }
        };
        if entry.is_old {
            entry.record.not_after(Timestamp::now());
            let max_age = setup.resume_within;
            let resumed = self.resume(cx, &mut entry, must_be_there, max_age);
            self.entry = Some(entry);
            self.save(false).await;
            resumed?;
        } else {
            self.entry = Some(entry);
        }
        Ok(())
    }

    /// Decides what of an earlier run's record still counts.
    fn resume(
        &mut self,
        cx: &mut Context,
        entry: &mut Entry,
        must_be_there: bool,
        max_age: Duration,
    ) -> Result<(), ExportError> {
        let record = &mut entry.record;
        let given = record.identity.job.is_some();
        let is_fresh = must_be_there || age(record.began) <= max_age;
        match &record.start {
            &Start::Asked { at } if must_be_there || age(at) < UNKNOWN_START_HOLDS => {
                return Err(start_unknown(at));
            }
            Start::Known { job } if given || is_fresh => {
                self.job = Some(job.clone());
                self.began = record.began;
                self.is_resumed = true;
                if !given {
                    info!(%job, began = %self.began, "resuming job");
                    cx.emit(Event::ResumingJob {
                        job,
                        started: record.began,
                    });
                }
            }
            old => {
                if !matches!(old, Start::None) {
                    let began = record.began;
                    warn!(%began, "the job of {began} is too old to resume, starting another");
                }
                record.start = Start::None;
                record.began = self.began;
                record.pending = None;
                // What was written is removed once another object is opened.
                if let Some(object) = &mut record.object {
                    object.part = None;
                }
            }
        }
        Ok(())
    }

    /// The job, once it is known.
    pub(crate) fn job(&self) -> Option<&JobId> {
        self.job.as_ref()
    }

    /// When the export began, in this run or in the one that is resumed.
    pub(crate) fn began(&self) -> Timestamp {
        self.began
    }

    /// Whether an earlier run has left a job to resume.
    pub(crate) fn is_resumed(&self) -> bool {
        self.is_resumed
    }

    /// A start is about to be sent. This is durable before it is: a run that ends here must not be
    /// followed by another start.
    pub(crate) async fn start_requested(&mut self) {
        let at = Timestamp::now();
        self.set_start(Start::Asked { at }).await;
    }

    /// The start was certainly not carried out.
    pub(crate) async fn start_refused(&mut self) {
        self.set_start(Start::None).await;
    }

    /// The start's answer names the job.
    pub(crate) async fn start_answered(&mut self, job: JobId) {
        self.job = Some(job.clone());
        self.set_start(Start::Known { job }).await;
    }

    async fn set_start(&mut self, start: Start) {
        if let Some(entry) = &mut self.entry {
            entry.record.start = start;
            self.save(true).await;
        }
    }

    /// What an earlier run has written of the object, if it is still what it was.
    pub(crate) async fn resume_object(
        &mut self,
        setup: &Setup,
        key: &ObjectKey,
        options: &OpenOptions,
    ) -> Option<ResumedObject> {
        let object = self.entry.as_ref()?.record.object.clone()?;
        let part = object.part.filter(|_| object.key == *key)?;
        if !self.sink_resumes {
            return None;
        }
        let resumed = setup.sink.resume(key, options, &object.left, part.bytes);
        let mut resumed = match resumed.await {
            Ok(resumed) => resumed?,
            Err(error) => {
                warn!(%key, %error, "cannot resume {key}, starting over: {error}");
                return None;
            }
        };
        match reread(resumed.kept.as_mut(), setup.inspector(part.length), &part).await {
            Ok(inspector) => {
                info!(%key, bytes = part.bytes, "resuming download");
                Some(ResumedObject {
                    writer: resumed.writer,
                    inspector,
                    position: part.position(),
                })
            }
            Err(why) => {
                warn!(%key, why, "cannot resume {key}, starting over: {why}");
                None
            }
        }
    }

    /// An object is about to be opened; what an earlier run has left of one is removed before.
    pub(crate) async fn object_opened(&mut self, setup: &Setup, key: &ObjectKey) {
        self.discard_stale(setup.sink.as_ref()).await;
        if let Some(entry) = &mut self.entry {
            entry.record.pending = None;
            entry.record.object = Some(StagedObject {
                key: key.clone(),
                left: StaleUpload::new(Timestamp::now()),
                part: None,
            });
            self.save(false).await;
        }
    }

    /// The writer's resume token, once it has one.
    pub(crate) async fn save_resume_token(&mut self, token: Option<String>) {
        let object = self
            .entry
            .as_mut()
            .and_then(|entry| entry.record.object.as_mut());
        if let Some(object) = object
            && object.left.resume_token.is_none()
            && token.is_some()
        {
            object.left.resume_token = token;
            self.save(false).await;
        }
    }

    /// The object is stored. Its receipt is about to be written, by a writer with this token; a
    /// run that ends before it is has another write it. What an earlier run has left of the receipt
    /// is removed before its token is forgotten.
    pub(crate) async fn object_stored(
        &mut self,
        sink: &dyn Sink,
        receipt: &Receipt,
        key: &ObjectKey,
        token: Option<String>,
    ) {
        if let Some(entry) = &mut self.entry {
            if let Some(stale) = entry.record.pending.take() {
                discard(sink, &stale.staged).await;
            }
            entry.record.object = None;
            entry.record.pending = Some(PendingReceipt {
                receipt: receipt.clone(),
                staged: StagedObject {
                    key: key.clone(),
                    left: StaleUpload::new(Timestamp::now()).with_resume_token(token),
                    part: None,
                },
            });
            self.save(false).await;
        }
    }

    /// The receipt is stored too.
    pub(crate) fn receipt_stored(&mut self) {
        if let Some(entry) = &mut self.entry {
            entry.record.pending = None;
        }
    }

    /// The receipt that an earlier run owes its object.
    pub(crate) fn pending_receipt(&self) -> Option<Receipt> {
        let entry = self.entry.as_ref().filter(|_| self.is_resumed)?;
        Some(entry.record.pending.as_ref()?.receipt.clone())
    }

    /// Whether it is time for another checkpoint.
    pub(crate) fn is_checkpoint_due(&self, bytes: u64) -> bool {
        let object = self
            .entry
            .as_ref()
            .and_then(|entry| entry.record.object.as_ref());
        let Some(object) = object.filter(|_| self.sink_resumes) else {
            return false;
        };
        let kept = object.part.as_ref().map_or(0, |part| part.bytes);
        bytes >= kept.saturating_add(CHECKPOINT_EVERY)
            && self
                .last_checkpoint
                .is_none_or(|last| last.elapsed() >= CHECKPOINT_INTERVAL)
    }

    /// Has the sink keep what was written, and remembers what that is. Tells whether it did.
    pub(crate) async fn checkpoint(
        &mut self,
        writer: &mut dyn SinkWriter,
        inspector: &Inspector,
        position: Option<Position>,
    ) -> Result<bool, ExportError> {
        let (Some(position), Ok(checksum)) = (position, inspector.crc()) else {
            return Ok(false);
        };
        let kept = writer.checkpoint().await;
        self.last_checkpoint = Some(Instant::now());
        let kept = kept.map_err(|error| ExportError::sink("could not store archive", error))?;
        let object = self
            .entry
            .as_mut()
            .and_then(|entry| entry.record.object.as_mut());
        match (kept, object) {
            (Some(bytes), Some(object)) if bytes == inspector.bytes() => {
                object.part = Some(StagedPart {
                    bytes,
                    checksum,
                    etag: position.etag,
                    length: position.length,
                });
                Ok(self.save(false).await)
            }
            _ => Ok(false),
        }
    }

    /// Leaves what was written for the next run, or removes it, as `error` wants it.
    pub(crate) async fn leave(
        &mut self,
        mut writer: Box<dyn SinkWriter>,
        inspector: &Inspector,
        position: Option<Position>,
        error: &ExportError,
    ) {
        let is_sound = matches!(
            error.kind(),
            ExportErrorKind::Interrupted
                | ExportErrorKind::Download
                | ExportErrorKind::Api
                | ExportErrorKind::PermissionDenied
        );
        if is_sound && self.entry.is_some() && self.sink_resumes {
            // A write that was cut short leaves what the last checkpoint has kept.
            let kept = self.checkpoint(writer.as_mut(), inspector, position).await;
            if self.has_checkpoint() || matches!(kept, Ok(true)) {
                return;
            }
        }
        self.abort(writer).await;
    }

    /// Whether another run would find a part of the object.
    fn has_checkpoint(&self) -> bool {
        let entry = self.entry.as_ref().filter(|entry| entry.is_written);
        let object = entry.and_then(|entry| entry.record.object.as_ref());
        object.is_some_and(|object| object.part.is_some())
    }

    /// Removes what was written.
    pub(crate) async fn abort(&mut self, writer: Box<dyn SinkWriter>) {
        if let Err(left) = writer.abort().await {
            // Another run finds it by its token.
            warn!(error = %left, "could not remove staged data: {left}");
            return;
        }
        if let Some(entry) = &mut self.entry {
            entry.record.object = None;
            self.save(false).await;
        }
    }

    /// Removes what earlier writers of the object and of its receipt have left.
    async fn discard_stale(&mut self, sink: &dyn Sink) {
        let Some(entry) = &mut self.entry else {
            return;
        };
        let object = entry.record.object.take();
        let pending = entry.record.pending.take().map(|pending| pending.staged);
        for staged in [object, pending].into_iter().flatten() {
            discard(sink, &staged).await;
        }
    }

    /// Forgets the export, or leaves it for the next run.
    pub(crate) async fn settle(&mut self, sink: &dyn Sink, result: &Result<Outcome, ExportError>) {
        let Some(entry) = &self.entry else {
            return;
        };
        if let Err(error) = result
            && is_incomplete(entry, error)
        {
            self.entry = None;
            return;
        }
        self.discard_stale(sink).await;
        if let Some(entry) = self.entry.take()
            && let Err(error) = entry.remove().await
        {
            not_remembered(&error);
        }
    }

    /// Writes down what is remembered, and tells whether it could. That it cannot ends no export.
    async fn save(&mut self, durable: bool) -> bool {
        let Some(entry) = &mut self.entry else {
            return false;
        };
        let was_written = entry.is_written;
        match entry.save(durable).await {
            Ok(()) => true,
            Err(error) => {
                if was_written {
                    not_remembered(&error);
                }
                false
            }
        }
    }
}

/// Removes what an earlier writer has left.
async fn discard(sink: &dyn Sink, staged: &StagedObject) {
    let key = &staged.key;
    match sink.discard(key, &staged.left).await {
        Ok(()) => {}
        Err(error) if error.kind() == SinkErrorKind::Unsupported => {
            info!(%key, %error, "did not look for staged data of an earlier run");
        }
        Err(error) => {
            warn!(%key, %error, "could not remove staged data of {key}: {error}");
        }
    }
}

fn identity(setup: &Setup, source: &Source) -> Identity {
    Identity {
        instance: setup.client.instance().to_string(),
        workspace: setup.client.workspace().map(ToString::to_string),
        job: source.known_job().cloned(),
        machine: source.known_machine().cloned(),
        target: setup.target.clone(),
        name: setup.name.as_ref().map(ToString::to_string),
    }
}

fn settings(setup: &Setup, source: &Source) -> Settings {
    Settings {
        url: setup.url.clone(),
        machine_name: source.machine_name.clone(),
        machine_type: source.machine_type.clone(),
        digest: setup.algorithm,
        if_exists: setup.if_exists,
        repairs: setup.repairs,
        framing: setup.framing,
        allow_empty: setup.allow_empty,
        max_bytes: setup.max_bytes,
    }
}

/// Whether another run can make something of what this one leaves.
fn is_incomplete(entry: &Entry, error: &ExportError) -> bool {
    let archive_is_bad = matches!(
        error.kind(),
        ExportErrorKind::Incomplete
            | ExportErrorKind::NotAnArchive
            | ExportErrorKind::JobFailed
            | ExportErrorKind::NotFound
    );
    let record = &entry.record;
    let has_started = match &record.start {
        Start::None => false,
        Start::Asked { .. } => return true,
        Start::Known { .. } => record.identity.job.is_none() || record.has_left_something(),
    };
    !archive_is_bad && (has_started || error.is_retryable())
}

/// Feeds what is kept to an inspector, which then stands where the one of the earlier run stood.
async fn reread(
    reader: &mut dyn SinkReader,
    mut inspector: Inspector,
    part: &StagedPart,
) -> Result<Inspector, &'static str> {
    while let Ok(chunk) = reader.next().await {
        let Some(chunk) = chunk else {
            let same = inspector.bytes() == part.bytes
                && inspector.crc().is_ok_and(|crc| crc == part.checksum);
            return same
                .then_some(inspector)
                .ok_or("the staged data has changed");
        };
        if inspector.update(&chunk).is_err() {
            return Err("the staged data has changed");
        }
    }
    Err("the staged data cannot be read")
}

fn age(since: Timestamp) -> Duration {
    let now = Timestamp::now().as_system_time();
    // A clock that was set back makes nothing old.
    now.duration_since(since.as_system_time())
        .unwrap_or_default()
}

fn start_unknown(at: Timestamp) -> ExportError {
    let what = format!(
        "an archive was requested at {at} and the answer was lost: it may have been started, so \
         no other is started for an hour"
    );
    ExportError::new(ExportErrorKind::StartUnknown, what).with_advice(Advice::DiscardStart)
}

fn not_remembered(error: &StateError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let cause = cause.unwrap_or_default();
    warn!(%error, cause, "this export cannot be resumed later: {error}: {cause}");
}
