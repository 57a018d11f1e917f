//! The list of metrics.

/// A metric: its name, type and help text.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
}

macro_rules! families {
    ($($id:ident: $kind:literal $name:literal, $help:literal;)*) => {
        $(pub(super) const $id: Family = Family { name: $name, kind: $kind, help: $help };)*
        /// All metrics, for tests of the files that refer to them.
        #[cfg(test)]
        pub(super) const ALL: &[Family] = &[$($id),*];
    };
}

families! {
    EXPORTS: "counter" "tulip_exports_total", "Exports that have ended, by outcome.";
    FAILURES: "counter" "tulip_export_failures_total", "Exports that have failed, by reason.";
    RETRIES: "counter" "tulip_retries_total",
        "Exports that a run tried again, and downloads that were started again.";
    BYTES: "counter" "tulip_stored_bytes_total", "Bytes of the archives that were stored.";
    RECORDS: "counter" "tulip_stored_records_total", "Records of the archives that were stored.";
    DURATION: "histogram" "tulip_export_duration_seconds",
        "Time from the start of an export to its end.";
    RUN_EXPORTS: "gauge" "tulip_run_exports", "Exports of the last run, by outcome.";
    RUN_PENDING: "gauge" "tulip_run_pending_jobs",
        "Jobs that the last run has started and not downloaded, and that the next run can resume.";
    RUN_BYTES: "gauge" "tulip_run_stored_bytes", "Bytes that the last run has stored.";
    RUN_RECORDS: "gauge" "tulip_run_stored_records", "Records that the last run has stored.";
    RUN_START: "gauge" "tulip_run_start_timestamp_seconds", "When the last run started.";
    RUN_END: "gauge" "tulip_run_end_timestamp_seconds", "When the last run ended.";
    RUN_SUCCESS: "gauge" "tulip_run_success",
        "Whether all exports of the last run are stored or unchanged.";
    RUN_LAST_SUCCESS: "gauge" "tulip_run_last_success_timestamp_seconds",
        "When a run last ended with all exports stored or unchanged; 0 if none did.";
    MACHINE_SUCCESS: "gauge" "tulip_machine_last_success_timestamp_seconds",
        "When an export of the machine last succeeded; 0 if none did.";
    WITHOUT_SERIES: "gauge" "tulip_machines_without_series",
        "Machines without a time of last success because there are too many.";
}
