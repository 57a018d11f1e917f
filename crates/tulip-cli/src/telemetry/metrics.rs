//! The metrics of a run, under the names of `--metrics-file`.
//!
//! A collector that passes them on to Prometheus adds what OTLP leaves out of names: the unit, and
//! `_total` for a counter.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider as _};
use opentelemetry_otlp::MetricExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::{Instrument, PeriodicReader, SdkMeterProvider, Stream};
use tulip_core::Timestamp;
use tulip_fleet::{ItemOutcome, RunSummary};
use tulip_report::Metrics;

/// Metrics are sent once, when the run ends.
const NEVER: Duration = Duration::from_secs(30 * 86_400);

/// The upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 10] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 14400.0, 28800.0,
];

/// Records the metrics of the run and sends them all at once.
pub(super) fn send(
    run: &RunSummary,
    exporter: MetricExporter,
    resource: Resource,
) -> OTelSdkResult {
    let reader = PeriodicReader::builder(exporter)
        .with_interval(NEVER)
        .build();
    // One series per machine, as in the file.
    let all = |_: &Instrument| {
        let limit = Metrics::MAX_MACHINES + 1;
        Stream::builder().with_cardinality_limit(limit).build().ok()
    };
    let provider = SdkMeterProvider::builder()
        .with_resource(resource)
        .with_view(all)
        .with_reader(reader)
        .build();
    record(run, &provider.meter("tulip"));
    provider.shutdown()
}

fn record(run: &RunSummary, meter: &Meter) {
    let target = KeyValue::new("target", run.target.clone());
    let with = |name: &'static str, value: String| [target.clone(), KeyValue::new(name, value)];
    let alone = [target.clone()];
    let count = |outcome: ItemOutcome| run.count(outcome) as u64;

    let exports = meter.u64_counter("tulip_exports").build();
    let of_run = meter.u64_gauge("tulip_run_exports").build();
    for outcome in ItemOutcome::all() {
        exports.add(count(outcome), &with("outcome", outcome.to_string()));
        of_run.record(count(outcome), &with("outcome", outcome.to_string()));
    }
    let mut reasons = BTreeMap::<&str, u64>::new();
    for kind in run
        .items
        .iter()
        .filter_map(|item| item.error_kind.as_deref())
    {
        *reasons.entry(kind).or_default() += 1;
    }
    let failures = meter.u64_counter("tulip_export_failures").build();
    for (reason, count) in reasons {
        failures.add(count, &with("reason", reason.to_owned()));
    }
    let again = |tries: u32| u64::from(tries.saturating_sub(1));
    let retries = meter.u64_counter("tulip_retries").build();
    let attempts = run.items.iter().map(|item| again(item.attempts)).sum();
    retries.add(attempts, &with("stage", "export".to_owned()));
    let downloads = run.items.iter().map(|item| again(item.download_attempts));
    retries.add(downloads.sum(), &with("stage", "download".to_owned()));

    let bytes = run.stored_bytes();
    let counter = meter.u64_counter("tulip_stored_bytes").with_unit("By");
    counter.build().add(bytes, &alone);
    let gauge = meter.u64_gauge("tulip_run_stored_bytes").with_unit("By");
    gauge.build().record(bytes, &alone);
    let records = run.stored_records();
    meter
        .u64_counter("tulip_stored_records")
        .build()
        .add(records, &alone);
    meter
        .u64_gauge("tulip_run_stored_records")
        .build()
        .record(records, &alone);
    let pending = run.items.iter().filter(|item| item.job_is_pending).count();
    meter
        .u64_gauge("tulip_run_pending_jobs")
        .build()
        .record(pending as u64, &alone);

    let duration = meter.f64_histogram("tulip_export_duration");
    let duration = duration
        .with_unit("s")
        .with_boundaries(BUCKETS.to_vec())
        .build();
    for item in &run.items {
        if let Some(started) = item.started {
            let taken = seconds(item.ended) - seconds(started);
            duration.record(taken.max(0.0), &alone);
        }
    }
    let time = |name: &'static str| meter.f64_gauge(name).with_unit("s").build();
    time("tulip_run_start_timestamp").record(seconds(run.started), &alone);
    time("tulip_run_end_timestamp").record(seconds(run.ended), &alone);
    let success = u64::from(run.is_success());
    meter
        .u64_gauge("tulip_run_success")
        .build()
        .record(success, &alone);
    if run.is_success() {
        time("tulip_run_last_success_timestamp").record(seconds(run.ended), &alone);
    }
    // Machines that did not succeed in this run keep their earlier value at the collector.
    let last = time("tulip_machine_last_success_timestamp");
    let succeeded = run.items.iter().filter(|item| item.outcome.is_success());
    for item in succeeded.take(Metrics::MAX_MACHINES) {
        if let Some(machine) = &item.machine {
            let name = item.machine_name.clone().unwrap_or_default();
            last.record(
                seconds(item.ended),
                &[
                    target.clone(),
                    KeyValue::new("machine", machine.to_string()),
                    KeyValue::new("machine_name", name),
                ],
            );
        }
    }
}

/// Seconds since 1970.
fn seconds(time: Timestamp) -> f64 {
    let since = time.as_system_time().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}
