//! The lookup of an export's record.

use std::sync::Arc;
use std::time::Duration;

use tracing::{info, warn};
use tulip_core::Timestamp;

use super::Recovery;
use crate::context::Context;
use crate::setup::Setup;
use crate::state::{
    ClaimedRecord, Holder, Identity, RecordOutcome, RecordedSettings, StartState, StateStore,
};
use crate::{Advice, Event, ExportError, ExportErrorKind, Source};

/// How long no other start is sent automatically after one with an unknown outcome. Later, the
/// archive, if there is one, is too old to be worth looking for, and a nightly export must not be
/// blocked indefinitely.
const UNKNOWN_START_HOLDS: Duration = Duration::from_secs(3600);

impl Recovery {
    /// Looks up the record of this export. `resumes` names an incomplete export that must still
    /// exist.
    pub(crate) async fn open(
        cx: &mut Context,
        resumes: Option<Identity>,
    ) -> Result<Self, ExportError> {
        let began = Timestamp::now();
        let mut recovery = Self {
            claimed: None,
            began,
            dated: cx.dated.unwrap_or(began),
            job: cx.job.as_ref().or(cx.source.known_job()).cloned(),
            is_resumed: false,
            is_fenced: false,
            sink_resumes: cx.setup.sink.capabilities().resume,
            last_checkpoint: None,
            unremembered: cx.setup.unremembered.clone(),
        };
        if let Some(state) = cx.setup.state.clone() {
            recovery.find(cx, state, resumes).await?;
        }
        if let Some(job) = cx.job.clone().filter(|_| !recovery.is_resumed) {
            recovery.start_answered(job).await?;
        }
        Ok(recovery)
    }

    async fn find(
        &mut self,
        cx: &mut Context,
        state: Arc<dyn StateStore>,
        resumes: Option<Identity>,
    ) -> Result<(), ExportError> {
        let setup = cx.setup.clone();
        let must_be_there = resumes.is_some();
        let identity = resumes.unwrap_or_else(|| identity(&setup, &cx.source));
        let settings = settings(&setup, &cx.source);
        let found = match must_be_there {
            true => ClaimedRecord::open(state, identity, settings).await,
            false => {
                let (began, dated) = (self.began, cx.dated);
                ClaimedRecord::open_or_create(state, identity, settings, began, dated).await
            }
        };
        let mut claimed = match found {
            Ok(RecordOutcome::Claimed(claimed)) => claimed,
            Ok(RecordOutcome::Busy(holder)) => return Err(already_running(holder)),
            Ok(RecordOutcome::Missing) => {
                let what = "it is no longer incomplete: another process has finished or \
                    discarded it";
                return Err(ExportError::new(ExportErrorKind::NothingToResume, what));
            }
            Err(error) => {
                self.unremembered.tell(&error);
                return Ok(());
            }
        };
        if !claimed.is_old {
            self.claimed = Some(claimed);
            return Ok(());
        }
        claimed.record.not_after(Timestamp::now());
        let max_age = setup.resume_within;
        let resumed = self.resume(cx, &mut claimed, must_be_there, max_age);
        self.claimed = Some(claimed);
        self.save(false).await?;
        resumed
    }

    /// Decides which parts of an earlier run's record still count.
    fn resume(
        &mut self,
        cx: &mut Context,
        claimed: &mut ClaimedRecord,
        must_be_there: bool,
        max_age: Duration,
    ) -> Result<(), ExportError> {
        let record = &mut claimed.record;
        let given = record.identity.job.is_some();
        let is_fresh = must_be_there || age(record.began) <= max_age;
        match &record.start {
            &StartState::Asked { at } if must_be_there || age(at) < UNKNOWN_START_HOLDS => {
                return Err(start_unknown(at));
            }
            StartState::Known { job } if given || is_fresh => {
                self.job = Some(job.clone());
                self.began = record.began;
                self.dated = record.dated.unwrap_or(record.began);
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
                if !matches!(old, StartState::None) {
                    let began = record.began;
                    warn!(%began, "the job of {began} is too old to resume, starting another");
                }
                record.restart(self.began, cx.dated);
            }
        }
        Ok(())
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

fn settings(setup: &Setup, source: &Source) -> RecordedSettings {
    RecordedSettings {
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

fn age(since: Timestamp) -> Duration {
    let now = Timestamp::now().as_system_time();
    // If the clock was set back, the age is zero.
    now.duration_since(since.as_system_time())
        .unwrap_or_default()
}

fn already_running(holder: Option<Holder>) -> ExportError {
    let by = holder.map_or_else(|| "another process".to_owned(), |holder| holder.to_string());
    let what = format!("{by} is already exporting this to the same target");
    ExportError::new(ExportErrorKind::AlreadyRunning, what)
}

fn start_unknown(at: Timestamp) -> ExportError {
    let what = format!(
        "an archive was requested at {at} and the answer was lost: it may have been started, so \
         no other is started for an hour"
    );
    ExportError::new(ExportErrorKind::StartUnknown, what).with_advice(Advice::DiscardStart)
}
