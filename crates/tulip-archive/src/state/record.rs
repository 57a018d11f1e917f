//! The record of one export. No URL of an archive and no secret is in it.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tulip_core::sink::StaleUpload;
use tulip_core::{Checksum, ChecksumAlgorithm, JobId, MachineId, ObjectKey, Receipt, Timestamp};
use tulip_http::Checkpoint;

use super::{StateError, StateErrorKind};
use crate::{FramingRules, IfExists, Source};

/// The form of the records that are written. One that this version does not know is left alone.
const VERSION: u32 = 1;

/// The hexadecimal digits of a record's id.
const ID_LENGTH: usize = 32;

/// What makes two exports the same one, done twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) instance: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) workspace: Option<String>,
    /// The job that is exported, where it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) job: Option<JobId>,
    /// The machine that an archive is started of, or the given job's, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) machine: Option<MachineId>,
    /// Where the archive goes, without what could be a secret and what only tunes the way there.
    pub(crate) target: String,
    /// How the object is named, where that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

impl Identity {
    /// The id of the record: another one for each identity.
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

/// How an export was asked for, beside its identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExportSettings {
    /// The target's URL with all options that are no secrets, where a registry has made the sink of
    /// one.
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

/// How far the start of a job has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(crate) enum Start {
    /// Nothing was asked for, or it was refused.
    None,
    /// Tulip was asked, and what it answered is not known.
    Asked { at: Timestamp },
    /// The job is there.
    Known { job: JobId },
}

/// An object that was opened and not committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StagedObject {
    pub(crate) key: ObjectKey,
    pub(crate) left: StaleUpload,
    /// What of it another run can resume, where the sink can keep something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) part: Option<StagedPart>,
}

/// The receipt of an object that is stored, while it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingReceipt {
    pub(crate) receipt: Receipt,
    /// What its writer may leave.
    pub(crate) staged: StagedObject,
}

/// The first bytes of an object, and what they must be.
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

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) version: u32,
    #[serde(flatten)]
    pub(crate) identity: Identity,
    pub(crate) settings: ExportSettings,
    pub(crate) began: Timestamp,
    pub(crate) start: Start,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) object: Option<StagedObject>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<PendingReceipt>,
}

/// What every form of a record has.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

impl Record {
    /// The record with this id, from the text that was saved.
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

    pub(crate) fn new(identity: Identity, settings: ExportSettings, began: Timestamp) -> Self {
        let start = match &identity.job {
            Some(job) => Start::Known { job: job.clone() },
            None => Start::None,
        };
        Self {
            version: VERSION,
            identity,
            settings,
            began,
            start,
            object: None,
            pending: None,
        }
    }

    /// The job, once it is known.
    pub(crate) fn job(&self) -> Option<&JobId> {
        match &self.start {
            Start::Known { job } => Some(job),
            _ => None,
        }
    }

    /// Everything that may be left in the sink.
    pub(crate) fn staged(&self) -> impl Iterator<Item = &StagedObject> {
        let pending = self.pending.as_ref().map(|pending| &pending.staged);
        self.object.iter().chain(pending)
    }

    /// Whether something may be left in the sink.
    pub(crate) fn has_left_something(&self) -> bool {
        self.staged().next().is_some()
    }

    /// Takes times that lie in the future, written by a clock that was ahead, for `now`: they must
    /// not count for longer than one of now.
    pub(crate) fn not_after(&mut self, now: Timestamp) {
        self.began = self.began.min(now);
        if let Start::Asked { at } = &mut self.start {
            *at = (*at).min(now);
        }
    }

    /// What is exported.
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
        let settings = ExportSettings {
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
