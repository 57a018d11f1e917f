//! When each machine waited, was pending at Tulip, was downloaded and was stored.

use tulip_core::format_duration;
use tulip_fleet::{ItemSummary, PhaseSummary, RunSummary};

use super::units;

/// The most machines that have a row.
const ROWS: usize = 60;

/// The width of the chart in its own units.
const WIDTH: f64 = 1000.0;

/// The phases, with their CSS classes and their names on the page.
const PHASES: [(&str, &str, &str); 5] = [
    ("waiting_to_start", "w", "waiting for a start"),
    ("pending", "p", "pending at Tulip"),
    ("waiting_to_download", "q", "waiting for a download"),
    ("downloading", "d", "downloading"),
    ("storing", "s", "storing"),
];

/// The chart and its table.
pub(super) struct Timeline {
    pub(super) legend: Vec<(&'static str, &'static str)>,
    pub(super) rows: Vec<Row>,
    /// The number of machines without a row.
    pub(super) more: usize,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) has_failed: bool,
    pub(super) bars: Vec<Bar>,
    /// The time in each phase, in the order of the legend.
    pub(super) times: Vec<String>,
    pub(super) took: String,
}

pub(super) struct Bar {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) width: String,
}

/// The timeline of a run. It shows the machines that ended last, since they determine how long the
/// run took.
pub(super) fn timeline(run: &RunSummary) -> Timeline {
    let measured = run.items.iter().filter(|item| !item.phases.is_empty());
    let mut items: Vec<_> = measured.filter(|item| item.attempts > 0).collect();
    items.sort_by_key(|item| std::cmp::Reverse(item.ended));
    let more = items.len().saturating_sub(ROWS);
    items.truncate(ROWS);
    items.reverse();
    Timeline {
        legend: PHASES
            .iter()
            .map(|(_, class, words)| (*class, *words))
            .collect(),
        rows: items.into_iter().map(|item| row(run, item)).collect(),
        more,
    }
}

fn row(run: &RunSummary, item: &ItemSummary) -> Row {
    let whole = units::between(run.started, run.ended)
        .as_secs_f64()
        .max(0.001);
    let bar = |phase: &PhaseSummary| {
        let (_, class, _) = PHASES.iter().find(|(name, ..)| *name == phase.phase)?;
        let start = units::between(run.started, phase.started).as_secs_f64();
        let x = (start / whole * WIDTH).min(WIDTH);
        let width = (phase.seconds / whole * WIDTH).min(WIDTH - x);
        (width >= 0.5).then(|| Bar {
            class,
            x: format!("{x:.0}"),
            width: format!("{:.0}", width.max(1.0)),
        })
    };
    let time = |name: &str| {
        let spans = item.phases.iter().filter(|span| span.phase == name);
        let seconds: f64 = spans.map(|span| span.seconds).sum();
        format_duration(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
    };
    Row {
        name: units::shortened(item.name(), 40),
        has_failed: !item.outcome.is_success(),
        bars: item.phases.iter().filter_map(bar).collect(),
        times: PHASES.iter().map(|(name, ..)| time(name)).collect(),
        took: format_duration(units::between(run.started, item.ended)),
    }
}

#[cfg(test)]
mod tests {
    use tulip_fleet::ItemOutcome;

    use super::*;

    #[test]
    fn bars_lie_within_the_run_and_follow_each_other() {
        let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
        run.started = "2026-11-28T01:00:00Z".parse().unwrap();
        run.ended = "2026-11-28T01:01:40Z".parse().unwrap();
        let mut item = ItemSummary::new(ItemOutcome::Stored);
        item.ended = run.ended;
        let phase = |name: &str, second: u32, seconds: f64| {
            let started = format!("2026-11-28T01:00:{second:02}Z").parse().unwrap();
            PhaseSummary::new(name, started, seconds)
        };
        item.phases = vec![
            phase("waiting_to_start", 0, 20.0),
            phase("pending", 20, 30.0),
            phase("unheard_of", 50, 1.0),
            phase("downloading", 50, 900.0),
        ];
        run.items = vec![item, ItemSummary::new(ItemOutcome::NotStarted)];
        let timeline = timeline(&run);
        let [row] = &timeline.rows[..] else {
            panic!("{} rows", timeline.rows.len());
        };
        let bars = row.bars.iter().map(|bar| (bar.class, &*bar.x, &*bar.width));
        let expected = [("w", "0", "200"), ("p", "200", "300"), ("d", "500", "500")];
        assert!(bars.eq(expected));
        assert_eq!(row.times[..2], ["20 s", "30 s"]);
    }
}
