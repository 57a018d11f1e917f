//! An archive job and its status.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::{JobId, RawResource, lenient, one_line};

/// The state of an archive job.
///
/// Only `complete` is documented; the other names are inferred. An unknown name is normal: it is
/// kept as [`JobStatus::Other`], and polling continues.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
#[non_exhaustive]
pub enum JobStatus {
    /// `pending`: accepted, not started. *Inferred.*
    Pending,
    /// `processing`: in progress. *Inferred.*
    Processing,
    /// `complete`: the archive can be downloaded.
    Complete,
    /// `failed`: there will be no archive. *Inferred.*
    Failed,
    /// Any other text, shortened and [made safe to show](one_line).
    Other(String),
}

/// The maximum length of an unknown status, in characters.
const MAX_STATUS: usize = 100;

/// The maximum length of Tulip's details of a failed job, in characters.
const MAX_DETAILS: usize = 400;

/// Names other than `failed` that mean a failure. All are inferred: change them here.
const FAILURES: [&str; 5] = ["failure", "error", "errored", "cancelled", "canceled"];

impl JobStatus {
    /// Returns the status as Tulip writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "pending",
            Self::Processing => "processing",
            Self::Complete => "complete",
            Self::Failed => "failed",
            Self::Other(text) => text,
        }
    }

    /// Whether the archive is ready.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        *self == Self::Complete
    }

    /// Whether the job has ended without an archive: `failed`, or a name that can only mean failure
    /// (such as `error` or `cancelled`, in any case).
    #[must_use]
    pub fn is_failed(&self) -> bool {
        match self {
            Self::Failed => true,
            Self::Other(text) => FAILURES.iter().any(|name| text.eq_ignore_ascii_case(name)),
            _ => false,
        }
    }

    /// Whether the status is unknown, so that it says nothing about the job.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Other(_)) && !self.is_failed()
    }
}

impl From<String> for JobStatus {
    fn from(text: String) -> Self {
        // The server controls this text, which logs and terminals show. Text that would look like a
        // known name there counts as that name.
        let text = one_line(&text, MAX_STATUS);
        for known in [
            Self::Pending,
            Self::Processing,
            Self::Complete,
            Self::Failed,
        ] {
            if text.eq_ignore_ascii_case(known.as_str()) {
                return known;
            }
        }
        Self::Other(text)
    }
}

impl From<JobStatus> for String {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Other(text) => text,
            known => known.as_str().to_owned(),
        }
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An archive job, as returned by both the status call and the start call.
///
/// Unknown fields are ignored. [`ArchiveJob::resource`] is serialised masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ArchiveJob {
    /// The job's identifier.
    #[serde(deserialize_with = "lenient::id")]
    pub id: JobId,
    /// The kind of job: `ddm-machine-activity-export` for these archives.
    #[serde(
        rename = "type",
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub job_type: Option<String>,
    /// The job's status. Unknown if the reply has none: a start reply need not have one.
    #[serde(default = "no_status", deserialize_with = "status")]
    pub status: JobStatus,
    /// The archive's download URL, once complete. Only the status call returns it.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "resource"
    )]
    pub resource: Option<RawResource>,
    /// The customer, in the start call's reply.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub customer_id: Option<String>,
    /// The user behind the token, in the start call's reply.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub user_id: Option<String>,
    /// The workspace, in the start call's reply. Informational, so not parsed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::text"
    )]
    pub workspace_id: Option<String>,
    /// Tulip's explanation of a failed job, if any. *Inferred.*
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "details"
    )]
    pub details: Option<String>,
}

impl ArchiveJob {
    /// Creates a job with only an identifier and a status.
    #[must_use]
    pub fn new(id: JobId, status: JobStatus) -> Self {
        Self {
            id,
            job_type: None,
            status,
            resource: None,
            customer_id: None,
            user_id: None,
            workspace_id: None,
            details: None,
        }
    }

    /// Sets the download URL.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = Some(RawResource::from(resource.into()));
        self
    }
}

fn no_status() -> JobStatus {
    JobStatus::Other(String::new())
}

/// Reads a status. Anything but a string is an unknown status.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<JobStatus, D::Error> {
    let text = lenient::text(deserializer)?;
    Ok(text.map_or_else(no_status, JobStatus::from))
}

/// Reads a resource. Null, a blank string or any other type counts as absent: the caller then asks
/// again.
fn resource<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RawResource>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let text = value.as_str().filter(|text| !text.trim().is_empty());
    Ok(text.map(|text| RawResource::from(text.to_owned())))
}

/// Reads details, which are shown to the user: any JSON, made safe to show.
fn details<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = lenient::text(deserializer)?;
    Ok(text.map(|text| one_line(&text, MAX_DETAILS)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STATUS_REPLY: &str = r#"{ "id": "evsLrbKLQgX8YWE4v", "type": "ddm-machine-activity-export", "status": "complete", "resource": "http://s3.amazon.com/acme/factory/tableExports/1875736_Yadf9otHT.csv?X-Amz-Signature=f2579879…" }"#;
    const START_REPLY: &str = r#"{ "id": "MmMvdcJpgDWrDgmLZ", "type": "ddm-machine-activity-export", "customerId": "factory", "userId": "yyE3Dzfs4riTpswJy", "status": "complete", "workspaceId": "DEFAULT" }"#;

    #[test]
    fn documented_status_reply_is_read() {
        let job: ArchiveJob = serde_json::from_str(STATUS_REPLY).unwrap();
        assert_eq!(job.id.as_str(), "evsLrbKLQgX8YWE4v");
        assert_eq!(job.job_type.as_deref(), Some("ddm-machine-activity-export"));
        assert!(job.status.is_complete());
        let url = job.resource.as_ref().unwrap().parse().unwrap();
        assert_eq!(
            url.expose().path(),
            "/acme/factory/tableExports/1875736_Yadf9otHT.csv"
        );
        assert!(
            url.expose()
                .query()
                .unwrap()
                .starts_with("X-Amz-Signature=f2579879")
        );
    }

    #[test]
    fn documented_start_reply_is_read() {
        let job: ArchiveJob = serde_json::from_str(START_REPLY).unwrap();
        assert_eq!(job.id.as_str(), "MmMvdcJpgDWrDgmLZ");
        assert_eq!(job.customer_id.as_deref(), Some("factory"));
        assert_eq!(job.user_id.as_deref(), Some("yyE3Dzfs4riTpswJy"));
        assert_eq!(job.workspace_id.as_deref(), Some("DEFAULT"));
        assert!(job.status.is_complete() && job.resource.is_none());
    }

    #[test]
    fn a_job_is_shown_and_serialised_without_its_signature() {
        let job: ArchiveJob = serde_json::from_str(STATUS_REPLY).unwrap();
        let shown = format!("{job:?} {}", serde_json::to_string(&job).unwrap());
        assert!(
            !shown.contains("f2579879") && !shown.contains("Yadf9otHT"),
            "{shown}"
        );
        assert!(shown.contains("http://s3.amazon.com/[redacted]"), "{shown}");
    }

    #[test]
    fn absent_empty_and_odd_resources_count_as_none() {
        for resource in ["null", "\"\"", "\" \"", "17", "{}"] {
            let json = format!(r#"{{"id":"j","status":"complete","resource":{resource}}}"#);
            assert_eq!(
                serde_json::from_str::<ArchiveJob>(&json).unwrap().resource,
                None
            );
        }
    }

    #[test]
    fn failures_and_unknown_names_are_told_apart() {
        for (text, failed, unknown) in [
            ("pending", false, false),
            ("Processing", false, false),
            ("COMPLETE", false, false),
            (" complete\n", false, false),
            ("failed", true, false),
            ("Error", true, false),
            ("cancelled", true, false),
            ("zipping", false, true),
            ("", false, true),
        ] {
            let status = JobStatus::from(text.to_owned());
            assert_eq!(
                (status.is_failed(), status.is_unknown()),
                (failed, unknown),
                "{text}"
            );
        }
    }

    #[test]
    fn an_unknown_status_is_kept_fit_to_be_shown() {
        let status = JobStatus::from("zz\u{1b}[31m\nerror: https://h/x?sig=5ig".to_owned());
        assert_eq!(status.as_str(), "zz[31m error: https://h/[redacted]");
        assert!(JobStatus::from("x".repeat(9999)).as_str().len() < 200);
    }

    #[test]
    fn fields_that_only_inform_may_be_of_any_kind() {
        let json = r#"{"id":"j","status":"pending","type":null,"customerId":7,"workspaceId":"","userId":{"a":1}}"#;
        let job: ArchiveJob = serde_json::from_str(json).unwrap();
        assert_eq!((job.job_type, job.customer_id), (None, Some("7".into())));
    }

    #[test]
    fn an_id_is_all_that_a_job_needs() {
        for (json, id) in [
            (r#"{"id":"j"}"#, "j"),
            (r#"{"id":"j","status":null}"#, "j"),
            (r#"{"id":"j","status":200}"#, "j"),
            (r#"{"id":"j","status":{"a":1}}"#, "j"),
            (r#"{"id":4711,"status":"pending"}"#, "4711"),
        ] {
            let job: ArchiveJob = serde_json::from_str(json).unwrap();
            assert_eq!(job.id.as_str(), id, "{json}");
            assert!(
                !job.status.is_complete() && !job.status.is_failed(),
                "{json}"
            );
        }
        for json in [
            "{}",
            r#"{"id":null}"#,
            r#"{"id":""}"#,
            r#"{"id":true}"#,
            r#"{"id":["j"]}"#,
            r#"{"id":{"a":"j"}}"#,
            r#"{"id":1.5}"#,
            r#"{"id":-1}"#,
            r#"{"id":"a/b"}"#,
        ] {
            assert!(serde_json::from_str::<ArchiveJob>(json).is_err(), "{json}");
        }
    }

    proptest! {
        #[test]
        fn unknown_fields_and_statuses_break_nothing(
            status in "[a-zA-Z_-]{0,40}",
            name in "x[a-z]{0,8}",
            value in prop_oneof![Just("null"), Just("[1]"), Just("{\"a\":1}"), Just("\"t\""), Just("2.5")],
        ) {
            let status_json = serde_json::to_string(&status).unwrap();
            let json = format!(r#"{{"id":"j","status":{status_json},"{name}":{value}}}"#);
            let job: ArchiveJob = serde_json::from_str(&json).unwrap();
            prop_assert!(job.status.as_str().eq_ignore_ascii_case(&status));
            let again: ArchiveJob = serde_json::from_str(&serde_json::to_string(&job).unwrap()).unwrap();
            prop_assert_eq!(again, job);
        }
    }
}
