use proptest::prelude::*;

use super::*;

const HEADER: &str = "State,Start Time,End Time,Duration,Downtime Reason,Program\n";

fn week() -> ActivityReader {
    let time = |text: &str| text.parse().unwrap();
    ActivityReader::new(time("2026-11-21T00:00:00Z"), time("2026-11-28T00:00:00Z"))
}

fn read(csv: &str) -> Result<Activity, ActivityError> {
    let mut reader = week();
    reader.update(csv.as_bytes())?;
    reader.finish()
}

fn hours(times: &BTreeMap<String, Duration>) -> Vec<(&str, u64)> {
    let times = times.iter();
    times
        .map(|(name, time)| (name.as_str(), time.as_secs() / 3600))
        .collect()
}

#[test]
fn times_within_the_window_are_added_up_by_state_and_reason() {
    let rows = [
        // Before the window, across its start, within it, and open until its end.
        "Running,2026-11-01T00:00:00Z,2026-11-20T00:00:00Z,,,p",
        "Running,2026-11-20T00:00:00Z,2026-11-21T06:00:00Z,108000,,p",
        "Down,2026-11-21T06:00:00Z,2026-11-21T08:00:00Z,7200,\"no oil, \"\"again\"\"\",p",
        "Down,2026-11-21T08:00:00Z,2026-11-21T09:00:00Z,3600,,p",
        "Idle,2026-11-27T20:00:00Z,,,,p",
        "Running,someday,2026-11-21T09:00:00Z,,,p",
    ];
    let activity = read(&format!("{HEADER}{}\n", rows.join("\n"))).unwrap();
    assert_eq!(
        hours(&activity.states),
        [("Down", 3), ("Idle", 4), ("Running", 6)]
    );
    assert_eq!(hours(&activity.reasons), [("no oil, \"again\"", 2)]);
    assert_eq!(hours(&activity.with_reason), [("Down", 2)]);
    assert_eq!(activity.unread, 1);
}

#[test]
fn an_archive_without_the_columns_says_which_is_missing() {
    let error = read("state,start time,Program\nRunning,x,y\n").unwrap_err();
    assert_eq!(error, ActivityError::NoColumn("End Time"));
    assert_eq!(read("").unwrap_err(), ActivityError::NoColumn("State"));
}

#[test]
fn there_are_no_more_names_than_a_page_can_show() {
    let rows = (0..100).map(|at| {
        format!(
            "S{at:03}{},2026-11-21T00:00:00Z,2026-11-21T01:00:00Z,,,\n",
            "x".repeat(200)
        )
    });
    let activity = read(&format!("{HEADER}{}", rows.collect::<String>())).unwrap();
    assert_eq!(activity.states.len(), MAX_NAMES + 1);
    assert_eq!(activity.states[OTHER].as_secs(), 60 * 3600);
    assert!(activity.states.keys().all(|name| name.len() <= NAME_LENGTH));
}

#[test]
fn a_record_without_an_end_is_not_read_into_memory() {
    let mut reader = week();
    reader.update(HEADER.as_bytes()).unwrap();
    let quoted = vec![b'x'; 3 << 20];
    reader.update(b"\"").unwrap();
    let error = reader.update(&quoted).unwrap_err();
    assert_eq!(error, ActivityError::RecordTooLong);
}

proptest! {
    #[test]
    fn how_the_bytes_are_cut_makes_no_difference(
        cuts in proptest::collection::vec(1_usize..60, 1..20),
        last in "[a-z,\"\n]{0,20}",
    ) {
        let row = "Down,2026-11-21T06:00:00Z,2026-11-21T08:00:00Z,7200,\"a\nb\",p\r\n";
        let csv = format!("{HEADER}{}{last}", row.repeat(3));
        let whole = read(&csv);
        let mut reader = week();
        let mut rest = csv.as_bytes();
        for cut in cuts.iter().cycle() {
            let (chunk, after) = rest.split_at((*cut).min(rest.len()));
            reader.update(chunk).unwrap();
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(reader.finish(), whole);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut reader = week();
        if reader.update(&bytes).is_ok() {
            let _ = reader.finish();
        }
    }
}
