//! The record of one export. It contains no archive URL and no secret.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tulip_core::sink::StaleUpload;
use tulip_core::{Checksum, ChecksumAlgorithm, JobId, MachineId, ObjectKey, Receipt, Timestamp};
use tulip_http::Checkpoint;

use super::{StateError, StateErrorKind};
use crate::{FramingRules, IfExists, Source};

/// The version of the records written here. Records of other versions are left alone.
const VERSION: u32 = 1;

/// The number of hexadecimal digits of a record's id.
const ID_LENGTH: usize = 32;

/// The properties that make two exports the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) instance: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workspace: Option<String>,
    /// The job to export, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobId>,
    /// The machine to start an archive of, or that of the given job, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) machine: Option<MachineId>,
    /// The target, without options that could be secret or that only tune the transfer.
    pub(crate) target: String,
    /// The template for the object's key, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

impl Identity {
    /// Returns the id of the record, which differs for each identity.
    pub(crate) fn id(&self) -> String {
        let parts = [
            Some(self.instance.as_str()),
            self.workspace.as_deref(),
            self.job.as_ref().map(JobId::as_str),
            // The machine of a given job is only a label.
            self.machine
                .as_ref()
                .filter(|_| self.job.is_none())
                .map(MachineId::as_str),
            Some(&self.target),
            self.name.as_deref(),
        ];
        let mut digest = Sha256::new();
        for part in parts {
            let part = part.map_or(String::new(), |part| format!("{}:{part}", part.len()));
            digest.update(part.as_bytes());
            digest.update(b"\0");
        }
        let hex = digest.finalize();
        hex.iter()
            .take(ID_LENGTH / 2)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// The settings of an export that are not part of its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedSettings {
    /// The target's URL with all options that are not secret, if a registry made the sink from a
    /// URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) machine_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) machine_type: Option<String>,
    pub(crate) digest: ChecksumAlgorithm,
    pub(crate) if_exists: IfExists,
    #[serde(default)]
    pub(crate) repairs: bool,
    #[serde(default)]
    pub(crate) framing: FramingRules,
    #[serde(default)]
    pub(crate) allow_empty: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max_bytes: Option<u64>,
}

/// The state of starting a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum StartState {
    /// Nothing was requested, or the request was refused.
    None,
    /// Tulip was asked, but its answer is unknown.
    Asked { at: Timestamp },
    /// The job was started.
    Known { job: JobId },
}

/// An object that was opened but not committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StagedObject {
    pub(crate) key: ObjectKey,
    pub(crate) left: StaleUpload,
    /// The part that another run can resume, if the sink can keep any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<StagedPart>,
}

/// The receipt of a stored object, until it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingReceipt {
    pub(crate) receipt: Receipt,
    /// The staged data that its writer may leave.
    pub(crate) staged: StagedObject,
}

/// The first bytes of an object, and their expected checksum.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StagedPart {
    pub(crate) bytes: u64,
    /// CRC-64/NVME of those bytes.
    pub(crate) checksum: Checksum,
    /// The archive's entity tag at its host.
    pub(crate) etag: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) length: Option<u64>,
}

impl StagedPart {
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        Checkpoint::new(self.bytes, self.etag.clone(), self.length)
    }
}

/// The whole record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    #[serde(flatten)]
    pub(crate) identity: Identity,
    pub(crate) settings: RecordedSettings,
    pub(crate) began: Timestamp,
    /// The time for the fields of the key template, if it is not that of `began`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dated: Option<Timestamp>,
    pub(crate) start: StartState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<StagedObject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<PendingReceipt>,
}

/// The field that records of every version have.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Record {
    /// Parses the saved text of the record with this id.
    pub(super) fn parse(id: &str, text: &str) -> Result<Self, StateError> {
        if let Ok(Versioned { version }) = serde_json::from_str(text)
            && version != VERSION
        {
            let what = format!(
                "the record {id} of an incomplete export has version {version}, this software \
                 reads version {VERSION}"
            );
            return Err(StateError::new(StateErrorKind::NewerVersion, what));
        }
        let damaged = |source: Box<dyn std::error::Error + Send + Sync>| {
            let what = format!("the record {id} of an incomplete export is damaged");
            StateError::with_source(StateErrorKind::Damaged, what, source)
        };
        let record: Self = serde_json::from_str(text).map_err(|error| damaged(error.into()))?;
        match record.identity.id() == id {
            true => Ok(record),
            false => Err(damaged("it is that of another export".into())),
        }
    }

    pub(crate) fn new(identity: Identity, settings: RecordedSettings, began: Timestamp) -> Self {
        let start = match &identity.job {
            Some(job) => StartState::Known { job: job.clone() },
            None => StartState::None,
        };
        Self {
            version: VERSION,
            identity,
            settings,
            began,
            dated: None,
            start,
            object: None,
            pending: None,
        }
    }

    /// The job, once it is known.
    pub(crate) fn job(&self) -> Option<&JobId> {
        match &self.start {
            StartState::Known { job } => Some(job),
            _ => None,
        }
    }

    /// Returns everything that may be left in the sink.
    pub(crate) fn staged(&self) -> impl Iterator<Item = &StagedObject> {
        let pending = self.pending.as_ref().map(|pending| &pending.staged);
        self.object.iter().chain(pending)
    }

    /// Whether something may be left in the sink.
    pub(crate) fn has_left_something(&self) -> bool {
        self.staged().next().is_some()
    }

    /// Forgets the job and what was written of its archive. What that has left in the sink is
    /// removed once another object is opened.
    pub(crate) fn restart(&mut self, began: Timestamp, dated: Option<Timestamp>) {
        self.start = StartState::None;
        (self.began, self.dated) = (began, dated);
        self.pending = None;
        if let Some(object) = &mut self.object {
            object.part = None;
        }
    }

    /// Replaces times in the future, from a clock that was ahead, with `now`, so that they do not
    /// count for longer.
    pub(crate) fn not_after(&mut self, now: Timestamp) {
        self.began = self.began.min(now);
        if let StartState::Asked { at } = &mut self.start {
            *at = (*at).min(now);
        }
    }

    /// The source of the export, if the record names one.
    pub(crate) fn source(&self) -> Option<Source> {
        let mut source = match (&self.identity.job, &self.identity.machine) {
            (Some(job), _) => Source::job(job.clone()),
            (None, Some(machine)) => Source::machine(machine.clone()),
            (None, None) => return None,
        };
        source.machine = self.identity.machine.clone();
        source.machine_name = self.settings.machine_name.clone();
        source.machine_type = self.settings.machine_type.clone();
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(job: Option<&str>, machine: Option<&str>, target: &str) -> Identity {
        Identity {
            instance: "https://acme.tulip.co".to_owned(),
            workspace: None,
            job: job.map(|job| job.parse().unwrap()),
            machine: machine.map(|machine| machine.parse().unwrap()),
            target: target.to_owned(),
            name: None,
        }
    }

    #[test]
    fn an_identity_is_its_parts_and_not_how_they_are_put_together() {
        let all = [
            identity(None, Some("m"), "file:///a"),
            identity(None, Some("m"), "file:///b"),
            identity(Some("m"), None, "file:///a"),
            identity(None, Some("mf"), "ile:///a"),
            Identity {
                workspace: Some("W".to_owned()),
                ..identity(None, Some("m"), "file:///a")
            },
            Identity {
                name: Some("{date}.csv".to_owned()),
                ..identity(None, Some("m"), "file:///a")
            },
        ];
        let mut ids: Vec<_> = all.iter().map(Identity::id).collect();
        assert!(ids.iter().all(|id| id.len() == ID_LENGTH));
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), all.len());
        let labelled = identity(Some("j"), Some("m"), "file:///a");
        assert_eq!(labelled.id(), identity(Some("j"), None, "file:///a").id());
    }

    #[test]
    fn a_text_that_is_no_record_of_ours_says_what_it_is() {
        let identity = identity(None, Some("m"), "file:///a");
        let id = identity.id();
        let settings = RecordedSettings {
            url: None,
            machine_name: None,
            machine_type: None,
            digest: ChecksumAlgorithm::default(),
            if_exists: IfExists::default(),
            repairs: false,
            framing: FramingRules::default(),
            allow_empty: false,
            max_bytes: None,
        };
        let record = Record::new(identity, settings, Timestamp::now());
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(Record::parse(&id, &text).unwrap(), record);
        let kind = |id: &str, text: &str| Record::parse(id, text).unwrap_err().kind();
        assert_eq!(kind("0", &text), StateErrorKind::Damaged);
        assert_eq!(kind(&id, &text[1..]), StateErrorKind::Damaged);
        let newer = r#"{"version": 2, "what": "this version does not know"}"#;
        assert_eq!(kind(&id, newer), StateErrorKind::NewerVersion);
    }
}
