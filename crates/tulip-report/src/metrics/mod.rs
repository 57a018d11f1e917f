//! The metrics of a run, in Prometheus' text format.

mod families;
mod text;

use std::collections::BTreeMap;

use tulip_core::Timestamp;
use tulip_fleet::{ItemOutcome, RunSummary};

use self::families::Family;
use self::text::{Writer, label, series};

/// The upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 10] = [
    1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 7200.0, 14400.0, 28800.0,
];

/// How many characters of a machine's name are kept in a label.
const LABEL_LENGTH: usize = 120;

/// How long the time of last success is kept for a machine that is no longer selected, in seconds:
/// 30 days.
const KEPT: f64 = 30.0 * 86_400.0;

/// The metrics of a target after a run: counters that continue those of earlier runs, gauges of the
/// run itself, and every machine's time of last success.
///
/// The text is a file for node_exporter's textfile collector, since the process is gone after the
/// run and cannot be scraped. It contains no secret and no URL except the target's.
///
/// ```
/// use tulip_fleet::{RunEnd, RunSummary};
/// use tulip_report::{Metrics, MetricsHistory};
///
/// let mut run = RunSummary::starting("https://acme.tulip.co", "/data/tulip");
/// run.end = RunEnd::Complete;
/// let text = Metrics::of(&run, &MetricsHistory::read("")).to_string();
/// assert!(text.contains("tulip_run_success{target=\"/data/tulip\"} 1\n"));
/// ```
#[derive(Debug, Clone)]
pub struct Metrics(String);

/// The samples in the file of an earlier run. Without them, counters start at 0, and a failed run
/// would forget when its machines last succeeded.
#[derive(Debug, Clone, Default)]
pub struct MetricsHistory(BTreeMap<String, f64>);

/// A machine and its last success.
#[derive(Debug)]
struct Machine {
    name: String,
    /// The time of its last success, in seconds since 1970; 0 if it never succeeded.
    success: f64,
}

impl MetricsHistory {
    /// Reads the text of an earlier [`Metrics`]. Lines that are not samples are ignored.
    #[must_use]
    pub fn read(text: &str) -> Self {
        Self(text::read(text))
    }

    fn value(&self, series: &str) -> f64 {
        self.0.get(series).copied().unwrap_or_default()
    }

    /// The machines of a target that last succeeded less than [`KEPT`] ago.
    fn machines(&self, target: &str, now: f64) -> BTreeMap<String, Machine> {
        let name = families::MACHINE_SUCCESS.name;
        let all = self.0.iter().filter(|(series, success)| {
            let of_metric = series
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('{'));
            of_metric
                && now - **success < KEPT
                && label(series, "target").as_deref() == Some(target)
        });
        let all = all.filter_map(|(series, success)| {
            let machine = Machine {
                name: label(series, "machine_name")?,
                success: *success,
            };
            Some((label(series, "machine")?, machine))
        });
        all.collect()
    }
}

impl Metrics {
    /// The most machines that have their own time series. Of more, those with the latest success
    /// are left out; `tulip_machines_without_series` counts them.
    pub const MAX_MACHINES: usize = 10_000;

    /// Creates the metrics after `run`, continuing those of earlier runs to the same target.
    #[must_use]
    pub fn of(run: &RunSummary, history: &MetricsHistory) -> Self {
        let mut page = Page {
            target: &run.target,
            history,
            out: Writer::default(),
        };
        page.counters(run);
        page.durations(run);
        page.gauges(run);
        page.machines(run);
        Self(page.out.finish())
    }
}

impl std::fmt::Display for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The metrics of one target while they are written.
struct Page<'a> {
    target: &'a str,
    history: &'a MetricsHistory,
    out: Writer,
}

impl Page<'_> {
    fn begin(&mut self, family: &Family) {
        self.out.metric(family.name, family.kind, family.help);
    }

    fn series(&self, name: &str, labels: &[(&str, &str)]) -> String {
        let target = [("target", self.target)];
        series(name, &[&target, labels].concat())
    }

    fn gauge(&mut self, family: &Family, value: f64) {
        self.begin(family);
        self.out.sample(&self.series(family.name, &[]), value);
    }

    /// Writes a counter that continues that of the earlier run.
    fn count(&mut self, name: &str, labels: &[(&str, &str)], more: f64) {
        let series = self.series(name, labels);
        self.out.sample(&series, self.history.value(&series) + more);
    }

    fn counters(&mut self, run: &RunSummary) {
        self.begin(&families::EXPORTS);
        for outcome in ItemOutcome::all() {
            let labels = [("outcome", outcome.as_str())];
            self.count(families::EXPORTS.name, &labels, run.count(outcome) as f64);
        }
        self.begin(&families::FAILURES);
        for kind in tulip_archive::ExportErrorKind::all() {
            let failed = run
                .items
                .iter()
                .filter(|item| item.error_kind.as_deref() == Some(kind.as_str()));
            let labels = [("reason", kind.as_str())];
            self.count(families::FAILURES.name, &labels, failed.count() as f64);
        }
        let again = |tries: u32| u64::from(tries.saturating_sub(1));
        let exports: u64 = run.items.iter().map(|item| again(item.attempts)).sum();
        let downloads = run.items.iter().map(|item| again(item.download_attempts));
        let downloads: u64 = downloads.sum();
        self.begin(&families::RETRIES);
        for (stage, retries) in [("export", exports), ("download", downloads)] {
            self.count(families::RETRIES.name, &[("stage", stage)], retries as f64);
        }
        for (family, more) in [
            (&families::BYTES, run.stored_bytes()),
            (&families::RECORDS, run.stored_records()),
        ] {
            self.begin(family);
            self.count(family.name, &[], more as f64);
        }
    }

    fn durations(&mut self, run: &RunSummary) {
        let taken: Vec<f64> = run
            .items
            .iter()
            .filter_map(|item| Some(seconds(item.ended) - seconds(item.started?)))
            .map(|taken| taken.max(0.0))
            .collect();
        let name = families::DURATION.name;
        self.begin(&families::DURATION);
        for bound in BUCKETS {
            let within = taken.iter().filter(|taken| **taken <= bound).count();
            let (bucket, bound) = (format!("{name}_bucket"), bound.to_string());
            self.count(&bucket, &[("le", &bound)], within as f64);
        }
        let bucket = format!("{name}_bucket");
        self.count(&bucket, &[("le", "+Inf")], taken.len() as f64);
        self.count(&format!("{name}_sum"), &[], taken.iter().sum());
        self.count(&format!("{name}_count"), &[], taken.len() as f64);
    }

    fn gauges(&mut self, run: &RunSummary) {
        self.begin(&families::RUN_EXPORTS);
        for outcome in ItemOutcome::all() {
            let labels = [("outcome", outcome.as_str())];
            let series = self.series(families::RUN_EXPORTS.name, &labels);
            self.out.sample(&series, run.count(outcome) as f64);
        }
        let pending = run.items.iter().filter(|item| item.job_is_pending).count();
        self.gauge(&families::RUN_PENDING, pending as f64);
        self.gauge(&families::RUN_BYTES, run.stored_bytes() as f64);
        self.gauge(&families::RUN_RECORDS, run.stored_records() as f64);
        self.gauge(&families::RUN_START, seconds(run.started));
        self.gauge(&families::RUN_END, seconds(run.ended));
        self.gauge(
            &families::RUN_SUCCESS,
            f64::from(u8::from(run.is_success())),
        );
        let before = self.series(families::RUN_LAST_SUCCESS.name, &[]);
        let last = match run.is_success() {
            true => seconds(run.ended),
            false => self.history.value(&before),
        };
        self.gauge(&families::RUN_LAST_SUCCESS, last);
    }

    fn machines(&mut self, run: &RunSummary) {
        let mut machines = self.history.machines(self.target, seconds(run.ended));
        for item in &run.items {
            let Some(id) = &item.machine else {
                continue;
            };
            let machine = machines.entry(id.to_string()).or_insert_with(|| Machine {
                name: String::new(),
                success: 0.0,
            });
            if let Some(name) = &item.machine_name {
                machine.name = name.chars().take(LABEL_LENGTH).collect();
            }
            if item.outcome.is_success() {
                machine.success = machine.success.max(seconds(item.ended));
            }
        }
        let mut machines: Vec<_> = machines.into_iter().collect();
        // The sort is stable: machines with the same time stay in the order of their ids.
        machines.sort_by(|(_, one), (_, other)| one.success.total_cmp(&other.success));
        let without = machines.len().saturating_sub(Metrics::MAX_MACHINES);
        machines.truncate(Metrics::MAX_MACHINES);
        self.begin(&families::MACHINE_SUCCESS);
        for (id, machine) in &machines {
            let labels = [("machine", id.as_str()), ("machine_name", &machine.name)];
            let series = self.series(families::MACHINE_SUCCESS.name, &labels);
            self.out.sample(&series, machine.success);
        }
        self.gauge(&families::WITHOUT_SERIES, without as f64);
    }
}

/// Seconds since 1970.
fn seconds(time: Timestamp) -> f64 {
    let since = time.as_system_time().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

#[cfg(test)]
mod tests;
