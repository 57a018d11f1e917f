use std::time::{Duration, UNIX_EPOCH};

use tulip_fleet::{ItemSummary, RunEnd};

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from(UNIX_EPOCH + Duration::from_secs(seconds))
}

fn item(machine: &str, outcome: ItemOutcome, ended: u64) -> ItemSummary {
    let mut item = ItemSummary::new(outcome);
    item.machine = Some(machine.parse().unwrap());
    item.machine_name = Some(format!("Mill {machine}"));
    item.started = Some(at(ended - 30));
    item.ended = at(ended);
    item
}

fn run(ended: u64, items: Vec<ItemSummary>) -> RunSummary {
    let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
    (run.started, run.ended) = (at(ended - 100), at(ended));
    (run.end, run.items) = (RunEnd::Complete, items);
    run
}

fn after(run: &RunSummary, before: &str) -> String {
    Metrics::of(run, &MetricsHistory::read(before)).to_string()
}

#[track_caller]
fn value(text: &str, series: &str) -> f64 {
    let found = text::read(text).get(series).copied();
    found.unwrap_or_else(|| panic!("no {series} in {text}"))
}

fn last_success(text: &str, machine: &str) -> f64 {
    let name = families::MACHINE_SUCCESS.name;
    let labels = format!("machine=\"{machine}\",machine_name=\"Mill {machine}\"");
    value(text, &format!("{name}{{target=\"/data\",{labels}}}"))
}

#[test]
fn the_time_of_last_success_survives_a_run_that_fails() {
    let night = vec![
        item("a", ItemOutcome::Stored, 1000),
        item("b", ItemOutcome::Unchanged, 1010),
    ];
    let first = after(&run(1100, night), "");
    let of_run = "tulip_run_last_success_timestamp_seconds{target=\"/data\"}";
    assert_eq!(
        (last_success(&first, "a"), last_success(&first, "b")),
        (1000.0, 1010.0)
    );
    assert_eq!(value(&first, of_run), 1100.0);

    let night = vec![
        item("a", ItemOutcome::FailedToStore, 2000),
        item("b", ItemOutcome::Stored, 2010),
    ];
    let second = after(&run(2100, night), &first);
    assert_eq!(
        (last_success(&second, "a"), last_success(&second, "b")),
        (1000.0, 2010.0)
    );
    assert_eq!(value(&second, of_run), 1100.0);
    assert_eq!(value(&second, "tulip_run_success{target=\"/data\"}"), 0.0);
    assert_eq!(
        value(&second, "tulip_run_end_timestamp_seconds{target=\"/data\"}"),
        2100.0
    );

    // A run that could not even list its machines.
    let mut failed = run(3100, Vec::new());
    failed.end = RunEnd::Failed;
    let third = after(&failed, &second);
    assert_eq!(
        (last_success(&third, "a"), last_success(&third, "b")),
        (1000.0, 2010.0)
    );
    assert_eq!(value(&third, of_run), 1100.0);
}

#[test]
fn a_machine_that_never_succeeded_has_the_time_0() {
    let text = after(
        &run(1100, vec![item("a", ItemOutcome::NotStarted, 1000)]),
        "",
    );
    assert_eq!(last_success(&text, "a"), 0.0);
}

#[test]
fn a_machine_that_is_gone_is_forgotten_after_30_days() {
    const DAY: u64 = 86_400;
    let first = after(&run(DAY, vec![item("a", ItemOutcome::Stored, DAY)]), "");
    let others = |day: u64| run(day * DAY, vec![item("b", ItemOutcome::Stored, day * DAY)]);
    let second = after(&others(30), &first);
    assert_eq!(last_success(&second, "a"), DAY as f64);
    assert!(!after(&others(32), &second).contains("machine=\"a\""));
}

#[test]
fn counters_and_the_histogram_go_on_from_the_earlier_run() {
    let mut stored = item("a", ItemOutcome::Stored, 1000);
    (stored.bytes, stored.records) = (Some(500), Some(20));
    (stored.attempts, stored.download_attempts) = (2, 4);
    let mut failed = item("b", ItemOutcome::FailedAtTulip, 1000);
    failed.error_kind = Some("job_failed".to_owned());
    failed.job_is_pending = true;
    let night = run(1100, vec![stored, failed]);
    let text = after(&night, &after(&night, ""));
    for (series, expected) in [
        (
            "tulip_exports_total{target=\"/data\",outcome=\"stored\"}",
            2.0,
        ),
        (
            "tulip_exports_total{target=\"/data\",outcome=\"not_started\"}",
            0.0,
        ),
        (
            "tulip_export_failures_total{target=\"/data\",reason=\"job_failed\"}",
            2.0,
        ),
        (
            "tulip_retries_total{target=\"/data\",stage=\"export\"}",
            2.0,
        ),
        (
            "tulip_retries_total{target=\"/data\",stage=\"download\"}",
            6.0,
        ),
        ("tulip_stored_bytes_total{target=\"/data\"}", 1000.0),
        ("tulip_stored_records_total{target=\"/data\"}", 40.0),
        (
            "tulip_export_duration_seconds_bucket{target=\"/data\",le=\"15\"}",
            0.0,
        ),
        (
            "tulip_export_duration_seconds_bucket{target=\"/data\",le=\"60\"}",
            4.0,
        ),
        (
            "tulip_export_duration_seconds_bucket{target=\"/data\",le=\"+Inf\"}",
            4.0,
        ),
        ("tulip_export_duration_seconds_sum{target=\"/data\"}", 120.0),
        ("tulip_export_duration_seconds_count{target=\"/data\"}", 4.0),
        (
            "tulip_run_exports{target=\"/data\",outcome=\"stored\"}",
            1.0,
        ),
        ("tulip_run_pending_jobs{target=\"/data\"}", 1.0),
    ] {
        assert_eq!(value(&text, series), expected, "{series}");
    }
}

#[test]
fn what_belongs_to_another_target_is_not_taken_over() {
    let mut other = run(1000, vec![item("a", ItemOutcome::Stored, 1000)]);
    other.target = "s3://lake".to_owned();
    let text = after(
        &run(2000, vec![item("b", ItemOutcome::Stored, 2000)]),
        &after(&other, ""),
    );
    assert!(!text.contains("s3://lake") && !text.contains("machine=\"a\""));
}

#[test]
fn of_too_many_machines_those_with_the_latest_success_are_left_out_and_counted() {
    let most = Metrics::MAX_MACHINES;
    let mut items: Vec<_> = (0..most)
        .map(|at| item(&at.to_string(), ItemOutcome::Stored, 1000))
        .collect();
    items.push(item("late", ItemOutcome::Stored, 2000));
    items.push(item("never", ItemOutcome::NotStarted, 2000));
    let text = after(&run(3000, items), "");
    assert_eq!(
        value(&text, "tulip_machines_without_series{target=\"/data\"}"),
        2.0
    );
    assert_eq!(last_success(&text, "never"), 0.0);
    assert!(!text.contains("machine=\"late\""));
}

#[test]
fn every_series_has_one_line_and_every_metric_its_type() {
    let night = vec![
        item("a", ItemOutcome::Stored, 1000),
        item("b", ItemOutcome::NotStarted, 1000),
    ];
    let text = after(&run(1100, night), "");
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(text::read(&text).len(), samples.len());
    for family in families::ALL {
        let head = format!("# TYPE {} {}\n", family.name, family.kind);
        assert_eq!(text.matches(&head).count(), 1, "{}", family.name);
    }
}

/// The names of metrics in a text.
fn named(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("tulip_"))
}

#[test]
fn the_rules_the_dashboard_and_the_manual_name_metrics_that_there_are() {
    let known = |name: &str| {
        families::ALL.iter().any(|family| {
            let rest = name.strip_prefix(family.name);
            rest.is_some_and(|rest| {
                rest.is_empty() || matches!(rest, "_bucket" | "_sum" | "_count")
            })
        })
    };
    for text in [
        include_str!("../../../../deploy/prometheus/tulip.rules.yml"),
        include_str!("../../../../deploy/grafana/tulip.json"),
    ] {
        assert!(named(text).count() > 5);
        for name in named(text) {
            assert!(known(name), "{name}");
        }
    }
    let manual = include_str!("../../../../docs/operations.md");
    for family in families::ALL {
        assert!(
            manual.contains(&format!("`{}`", family.name)),
            "{}",
            family.name
        );
    }
}

/// Checks what Grafana needs in a dashboard: panels with unique ids that do not overlap and that
/// use the selected data source.
#[test]
fn the_dashboard_is_one_that_grafana_takes() {
    let text = include_str!("../../../../deploy/grafana/tulip.json");
    let board: serde_json::Value = serde_json::from_str(text).unwrap();
    assert!(board["uid"].is_string() && board["title"].is_string());
    assert!(board["schemaVersion"].as_u64().unwrap() >= 36);
    let mut ids = std::collections::BTreeSet::new();
    let mut taken = std::collections::BTreeSet::new();
    for panel in board["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{panel}");
        for cell in (0..side("w")).flat_map(|x| (0..side("h")).map(move |y| (x, y))) {
            assert!(
                taken.insert((side("x") + cell.0, side("y") + cell.1)),
                "{panel}"
            );
        }
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{panel}");
        for query in panel["targets"].as_array().unwrap() {
            let query = query["expr"].as_str().unwrap();
            assert!(query.contains("target=~\"$target\""), "{query}");
        }
    }
}
