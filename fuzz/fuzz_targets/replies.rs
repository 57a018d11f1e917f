//! The JSON that an instance answers with: jobs, machines and errors.

#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};
use tulip_core::{ApiErrorBody, ArchiveJob, JobStatus, MachineType, one_line};
use tulip_fuzz::{SECRET, assert_hidden, assert_no_control, holds_secret};

fuzz_target!(|json: &[u8]| {
    if let Ok(job) = serde_json::from_slice::<ArchiveJob>(json) {
        check_job(job);
    }
    round_trip::<Vec<MachineType>>(json);
    round_trip::<ApiErrorBody>(json);
    if let Ok(text) = std::str::from_utf8(json) {
        check_status(&JobStatus::from(text.to_owned()));
        if !holds_secret(text) {
            let signed = format!("{text} /a.csv?X-Amz-Signature={SECRET}");
            assert_hidden(JobStatus::from(signed).as_str());
        }
    }
});

fn check_job(job: ArchiveJob) {
    check_status(&job.status);
    if let Some(details) = &job.details {
        assert_no_control(details);
        assert!(details.chars().count() <= 401, "{details:?}");
        assert_settled(details, one_line(details, 400));
    }
    let written = serde_json::to_string(&job).expect("jobs are written");
    let again: ArchiveJob = serde_json::from_str(&written).expect("what is written is read");
    assert_eq!(again.id, job.id);
    assert_settled(job.status.as_str(), again.status.to_string());
    assert_eq!(again.resource.is_some(), job.resource.is_some());
    // Apart from cut texts and the masked resource, it is the same job.
    if !written.contains('…') {
        let rewritten = serde_json::to_string(&again).expect("jobs are written");
        assert_eq!(rewritten, written);
    }
    if let Some(Ok(url)) = job.resource.as_ref().map(|resource| resource.parse()) {
        // Everything after the host is masked: plant the secret there.
        let mut signed = url.expose().clone();
        signed.set_path(SECRET);
        signed.set_query(Some(SECRET));
        signed.set_fragment(Some(SECRET));
        let before = format!("{job:?} {written}").matches(SECRET).count();
        let job = job.with_resource(signed);
        let json = serde_json::to_string(&job).expect("jobs are written");
        assert_eq!(format!("{job:?} {json}").matches(SECRET).count(), before);
    }
}

fn check_status(status: &JobStatus) {
    assert_no_control(status.as_str());
    assert!(status.as_str().chars().count() <= 101, "{status:?}");
    assert_settled(
        status.as_str(),
        JobStatus::from(status.to_string()).to_string(),
    );
    let kinds = [
        status.is_complete(),
        status.is_failed(),
        status.is_unknown(),
    ];
    assert!(kinds.iter().filter(|is| **is).count() <= 1, "{status:?}");
}

/// Checks that cleaning a text again changes nothing, unless it was cut: the ellipsis can fall
/// into a masked part.
fn assert_settled(shown: &str, again: String) {
    assert!(
        again == shown || shown.ends_with('…'),
        "{shown:?} {again:?}"
    );
}

/// Checks that a value is read back as it was written.
fn round_trip<T: Debug + PartialEq + Serialize + DeserializeOwned>(json: &[u8]) {
    if let Ok(read) = serde_json::from_slice::<T>(json) {
        let written = serde_json::to_vec(&read).expect("replies are written");
        let again: T = serde_json::from_slice(&written).expect("what is written is read");
        assert_eq!(again, read);
    }
}
