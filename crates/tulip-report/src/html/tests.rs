use std::collections::BTreeMap;
use std::time::Duration;

use tulip_fleet::{ItemSummary, PhaseSummary};

use super::*;

/// A run over this many machines; every fiftieth has failed.
fn plant(machines: usize, name: impl Fn(usize) -> String) -> RunSummary {
    let mut run = RunSummary::starting("https://acme.tulip.co", "s3://lake/tulip");
    run.end = RunEnd::Complete;
    run.started = "2026-11-28T01:00:00Z".parse().unwrap();
    run.ended = "2026-11-28T02:00:00Z".parse().unwrap();
    let item = |at: usize| {
        let mut item = ItemSummary::new(ItemOutcome::Stored);
        item.machine = Some(format!("g56RCoZCtzv7b{at:04}").parse().unwrap());
        item.machine_name = Some(name(at));
        item.ended = run.ended;
        (item.bytes, item.records) = (Some(1_000_000 + at as u64), Some(12_345));
        let phase = |phase: &str, seconds: f64| PhaseSummary::new(phase, run.started, seconds);
        item.phases = vec![
            phase("waiting_to_start", 600.0),
            phase("pending", 900.0),
            phase("downloading", 100.0),
            phase("storing", 30.0),
        ];
        if at.is_multiple_of(50) {
            item.outcome = ItemOutcome::FailedAtTulip;
            (item.bytes, item.records) = (None, None);
            item.error_kind = Some("job_failed".to_owned());
            item.error = Some(format!(
                "machine {}: the job failed: {}",
                name(at),
                "x".repeat(500)
            ));
            item.error_unique_id = Some("Ab+/".repeat(6));
        }
        item
    };
    run.items = (0..machines).map(item).collect();
    run
}

fn did(machines: usize, name: impl Fn(usize) -> String) -> Vec<(String, Result<Activity, String>)> {
    let times = |kind: &str| -> BTreeMap<String, Duration> {
        (1..=40)
            .map(|at| (format!("{kind} {at}"), Duration::from_secs(3600 * at)))
            .collect()
    };
    let activity = Activity {
        states: times("State"),
        reasons: times("Reason"),
        with_reason: times("State"),
        unread: 0,
    };
    (0..machines)
        .map(|at| (name(at), Ok(activity.clone())))
        .collect()
}

#[test]
fn a_page_of_5000_machines_stays_under_1_mb_whatever_their_names() {
    for (name, all) in [
        ("Mill 07", true),
        ("Fräsmaschine Halle 12 Süd, Linie 4, Platz", true),
        (
            "長城機床長城機床長城機床長城機床長城機床長城機床長城機床長城機床長城機床長城機床",
            false,
        ),
        (
            "&<>\"'&<>\"'&<>\"'&<>\"'&<>\"'&<>\"'&<>\"'&<>\"'&<>\"'",
            false,
        ),
    ] {
        let named = |at: usize| format!("{at:04} {name}");
        let run = plant(5000, named);
        let activity = did(5000, named);
        let earlier = [plant(5000, named)];
        let report = HtmlReport::new(&run)
            .earlier(&earlier)
            .activity(&activity, 7);
        let page = report.to_string();
        assert!(page.len() < 1_000_000, "{} bytes with {name}", page.len());
        assert_eq!(
            !page.contains("no room on this page"),
            all,
            "{} with {name}",
            page.len()
        );
    }
}

#[test]
fn text_of_others_is_escaped_wherever_it_stands() {
    let bad = "<script>alert(1)</script>";
    let mut run = plant(2, |_| bad.to_owned());
    run.reason = Some(bad.to_owned());
    run.target = bad.to_owned();
    run.items[0].error = Some(bad.to_owned());
    run.items[0].error_unique_id = Some(bad.to_owned());
    run.items[0].advice = Some(bad.to_owned());
    run.items[0].error_kind = Some(bad.to_owned());
    let mut activity = did(2, |_| bad.to_owned());
    activity.push((bad.to_owned(), Err(bad.to_owned())));
    if let Ok(did) = &mut activity[0].1 {
        did.states
            .insert(bad.to_owned(), Duration::from_secs(1 << 30));
        did.reasons
            .insert(bad.to_owned(), Duration::from_secs(1 << 30));
    }
    let page = HtmlReport::new(&run).activity(&activity, 7).to_string();
    assert!(!page.contains("<script"), "{page}");
    assert!(page.matches("&#60;script&#62;").count() > 8);
}

#[test]
fn error_ids_have_a_column_where_there_are_any() {
    let mut run = plant(2, |at| format!("Mill {at}"));
    let page = HtmlReport::new(&run).to_string();
    assert!(page.contains("Error id</th>") && page.contains(&"Ab+/".repeat(6)));
    run.items[0].error_unique_id = None;
    assert!(!HtmlReport::new(&run).to_string().contains("Error id</th>"));
}

#[test]
fn the_page_asks_nobody_for_anything() {
    let run = plant(100, |at| format!("Mill {at}"));
    let page = HtmlReport::new(&run).to_string();
    for needle in ["src=", "href=", "url(", "@import", "<script", "<link"] {
        assert!(!page.contains(needle), "{needle}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn every_end_of_a_run_has_its_headline() {
    let mut run = plant(3, |at| format!("Mill {at}"));
    run.items.remove(0);
    let headline_of = |run: &RunSummary| headline(run).0;
    assert_eq!(headline_of(&run), "Every machine is exported");
    run.items[0].outcome = ItemOutcome::FailedToStore;
    assert_eq!(headline_of(&run), "Some machines are not exported");
    run.items[1].outcome = ItemOutcome::NotStarted;
    assert_eq!(headline_of(&run), "No machine is exported");
    for end in [
        RunEnd::Failed,
        RunEnd::Interrupted,
        RunEnd::Stopped,
        RunEnd::Open,
    ] {
        run.end = end;
        assert_eq!(headline(&run).1, "bad");
    }
    run.items.clear();
    run.end = RunEnd::Failed;
    let page = HtmlReport::new(&run).to_string();
    assert!(page.contains("failed before its first export"));
}

/// The contrast of two colours, by WCAG 2.2.
fn contrast(one: &str, other: &str) -> f64 {
    let luminance = |colour: &str| {
        let part = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            let value = f64::from(value) / 255.0;
            match value <= 0.04045 {
                true => value / 12.92,
                false => ((value + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    };
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn colours_have_the_contrast_of_wcag_aa() {
    let css = include_str!("../../templates/report.css");
    let colour = |name: &str| {
        let (_, rest) = css.split_once(&format!("--{name}: ")).unwrap();
        &rest[..7]
    };
    for (text, page) in [
        ("ink", "page"),
        ("ink", "tile"),
        ("soft", "page"),
        ("soft", "tile"),
        ("good", "good-page"),
        ("bad", "bad-page"),
        ("bad", "page"),
        ("downloading", "page"),
    ] {
        let contrast = contrast(colour(text), colour(page));
        assert!(contrast >= 4.5, "{text} on {page}: {contrast:.2}");
    }
    let pictures = "waiting pending queued downloading storing c1 c2 c3 c4 c5 c6";
    for name in pictures.split(' ') {
        let contrast = contrast(colour(name), colour("page"));
        assert!(contrast >= 3.0, "{name}: {contrast:.2}");
    }
}
