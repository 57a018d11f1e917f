//! What was stored each night, and how it changed.

use std::collections::BTreeMap;

use tulip_core::format_byte_size;
use tulip_fleet::RunSummary;

use super::units;

/// How many nights are shown.
const NIGHTS: usize = 30;

/// One night: the runs that started on one day, in UTC.
pub(super) struct Night {
    pub(super) date: String,
    pub(super) bytes: String,
    pub(super) records: String,
    /// The change in bytes since the night before; empty for the first.
    pub(super) change: String,
    pub(super) stored: String,
    pub(super) failed: String,
    /// The height of its bar, out of 100.
    pub(super) height: String,
    /// The position of its bar.
    pub(super) x: String,
}

#[derive(Default)]
struct Sums {
    bytes: u64,
    records: u64,
    stored: u64,
    failed: u64,
}

/// The nights of a run and of earlier ones, oldest first.
pub(super) fn nights(run: &RunSummary, earlier: &[RunSummary]) -> Vec<Night> {
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for run in earlier.iter().chain([run]) {
        let night = sums.entry(run.started.date()).or_default();
        night.bytes += run.stored_bytes();
        night.records += run.stored_records();
        for item in &run.items {
            match item.outcome.is_success() {
                true => night.stored += 1,
                false => night.failed += 1,
            }
        }
    }
    let most = sums
        .values()
        .map(|night| night.bytes)
        .max()
        .unwrap_or(0)
        .max(1);
    let skipped = sums.len().saturating_sub(NIGHTS);
    let mut before = None;
    let nights = sums.into_iter().skip(skipped).enumerate();
    nights
        .map(|(at, (date, night))| {
            let change =
                before.map_or_else(String::new, |before| units::change(night.bytes, before));
            before = Some(night.bytes);
            Night {
                date,
                bytes: format_byte_size(night.bytes),
                records: units::count(night.records),
                change,
                stored: units::count(night.stored),
                failed: units::count(night.failed),
                height: format!("{:.0}", night.bytes as f64 / most as f64 * 100.0),
                x: (at * 10).to_string(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use tulip_fleet::{ItemOutcome, ItemSummary};

    use super::*;

    #[test]
    fn runs_of_one_day_are_one_night_and_each_tells_its_change() {
        let run = |day: u32, bytes: u64| {
            let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
            run.started = format!("2026-11-{day:02}T01:00:00Z").parse().unwrap();
            let mut item = ItemSummary::new(ItemOutcome::Stored);
            item.bytes = Some(bytes);
            run.items = vec![item, ItemSummary::new(ItemOutcome::NotStarted)];
            run
        };
        let nights = nights(
            &run(28, 3000),
            &[run(26, 1000), run(27, 500), run(27, 1000)],
        );
        let shown = nights
            .iter()
            .map(|night| (&*night.bytes, &*night.change, &*night.height));
        let expected = [
            ("1.0 kB", "", "33"),
            ("1.5 kB", "+50 %", "50"),
            ("3.0 kB", "+100 %", "100"),
        ];
        assert!(shown.eq(expected));
        assert_eq!((&*nights[1].stored, &*nights[1].failed), ("2", "2"));
    }
}
