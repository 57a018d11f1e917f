//! The failures, grouped by reason, with advice.

use std::collections::BTreeMap;

use tulip_archive::ExportErrorKind as Kind;
use tulip_fleet::{ItemSummary, RunSummary};

use super::units;

/// The most machines listed in a group.
const LISTED: usize = 50;

/// The most machines listed in all groups together.
const LISTED_OF_ALL: usize = 200;

/// How many characters of a message are shown.
const MESSAGE_LENGTH: usize = 300;

/// The exports that failed for one reason.
pub(super) struct Group {
    pub(super) title: &'static str,
    pub(super) kind: String,
    pub(super) what_to_do: String,
    pub(super) retry_helps: bool,
    pub(super) count: usize,
    pub(super) rows: Vec<Row>,
    /// Whether any of the rows has an error id from Tulip.
    pub(super) has_error_ids: bool,
    /// The number of exports in the group that are not listed.
    pub(super) more: usize,
}

/// One failed export.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) message: String,
    pub(super) error_unique_id: String,
}

/// The groups, largest first.
pub(super) fn groups(run: &RunSummary) -> Vec<Group> {
    let mut by_reason: BTreeMap<(&str, &str), Vec<&ItemSummary>> = BTreeMap::new();
    for item in run.items.iter().filter(|item| !item.outcome.is_success()) {
        let kind = item.error_kind.as_deref().unwrap_or_default();
        let advice = item.advice.as_deref().unwrap_or_default();
        by_reason.entry((kind, advice)).or_default().push(item);
    }
    let groups = by_reason.into_iter();
    let mut groups: Vec<_> = groups
        .map(|((kind, advice), items)| group(kind, advice, &items))
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    let mut room = LISTED_OF_ALL;
    for group in &mut groups {
        group.rows.truncate(room);
        room -= group.rows.len();
        group.more = group.count - group.rows.len();
    }
    groups
}

fn group(kind: &str, advice: &str, items: &[&ItemSummary]) -> Group {
    let (title, usual) = words(Kind::all().find(|known| known.as_str() == kind));
    let row = |item: &&ItemSummary| Row {
        name: units::shortened(item.name(), 60),
        message: units::shortened(item.error.as_deref().unwrap_or_default(), MESSAGE_LENGTH),
        error_unique_id: item.error_unique_id.clone().unwrap_or_default(),
    };
    let what_to_do = match advice {
        "" => usual.to_owned(),
        advice => sentence(advice),
    };
    let rows: Vec<_> = items.iter().take(LISTED).map(row).collect();
    Group {
        title,
        kind: kind.to_owned(),
        what_to_do,
        retry_helps: items.iter().all(|item| item.retryable),
        count: items.len(),
        has_error_ids: rows.iter().any(|row| !row.error_unique_id.is_empty()),
        rows,
        more: 0,
    }
}

/// Turns one line of advice into a sentence.
fn sentence(advice: &str) -> String {
    let mut chars = advice.chars();
    let first = chars.next().into_iter().flat_map(char::to_uppercase);
    let text: String = first.chain(chars).collect();
    format!("{}.", text.trim_end_matches('.'))
}

/// The title of a failure kind, and the usual advice.
fn words(kind: Option<Kind>) -> (&'static str, &'static str) {
    let Some(kind) = kind else {
        return ("Failed", "Look at the message of each machine.");
    };
    match kind {
        Kind::InvalidRequest => (
            "The export request is invalid",
            "Correct the setting that the message names.",
        ),
        Kind::PermissionDenied => (
            "Tulip refused access",
            "Check the API token: its scopes machines:read and machines:write, and its workspace.",
        ),
        Kind::NotFound => (
            "Tulip does not know the machine or the job",
            "Check whether the machine was removed or renamed, and correct the selection.",
        ),
        Kind::JobFailed => (
            "The job failed at Tulip",
            "Export the machine again. If it fails again, give Tulip's support the error id.",
        ),
        Kind::DeadlineExceeded => (
            "Not complete in time",
            "Run the same export again: it resumes the job. If it happens often, allow more time.",
        ),
        Kind::StartUnknown => (
            "It is not known whether a job was started",
            "Look in Tulip for the job and export it, or wait an hour and export again.",
        ),
        Kind::Api => (
            "Tulip could not be reached, or did not answer as it should",
            "Check the network and the instance, then run the same export again.",
        ),
        Kind::Download => (
            "The archive could not be downloaded",
            "Run the same export again: it resumes the download.",
        ),
        Kind::NotAnArchive => (
            "What was downloaded is no archive",
            "Look for a proxy or a sign-in page between here and the archive's host.",
        ),
        Kind::IncompleteArchive => (
            "The archive was cut off",
            "Export the machine again. If it always happens, tell Tulip's support.",
        ),
        Kind::TooLarge => (
            "The archive is larger than allowed",
            "If the machine really has that much, raise the limit.",
        ),
        Kind::EmptyArchive => (
            "The archive has no records, and would replace one that has some",
            "Look at the machine in Tulip: more likely it has a problem than no history.",
        ),
        Kind::AlreadyExists => (
            "The object already exists",
            "Choose another name for the objects, or allow them to be kept or replaced.",
        ),
        Kind::StorePermissionDenied => (
            "The target refused access",
            "Grant the right to write there, or choose another target.",
        ),
        Kind::StoreFull => (
            "The target is full",
            "Free space there, then run the same export again.",
        ),
        Kind::StoreUnavailable => (
            "The target cannot be reached, or is overloaded",
            "Run the same export again later.",
        ),
        Kind::Store => (
            "The target failed",
            "Look at the message of each machine, and check the target.",
        ),
        Kind::Conflict => (
            "Another writer replaced the archive",
            "Give each host a target or a name of its own.",
        ),
        Kind::AlreadyRunning => (
            "Another process is exporting this machine",
            "Wait for it to end, or end it.",
        ),
        Kind::NothingToResume => ("Another process has finished it", "Nothing has to be done."),
        Kind::Fenced => (
            "Another process has taken the export over",
            "Nothing has to be done: the other process continues it.",
        ),
        Kind::Interrupted => (
            "The run was interrupted",
            "Run the same export again: it resumes what was started.",
        ),
        _ => ("Failed", "Look at the message of each machine."),
    }
}

#[cfg(test)]
mod tests {
    use tulip_fleet::ItemOutcome;

    use super::*;

    fn failed(kind: Kind, advice: Option<&str>) -> ItemSummary {
        let mut item = ItemSummary::new(ItemOutcome::FailedToStore);
        item.error_kind = Some(kind.as_str().to_owned());
        item.advice = advice.map(str::to_owned);
        item
    }

    #[test]
    fn every_kind_of_failure_has_words_and_advice_of_its_own() {
        let titles: std::collections::BTreeSet<_> =
            Kind::all().map(|kind| words(Some(kind)).0).collect();
        assert_eq!(titles.len(), Kind::all().count());
        assert!(!titles.contains("Failed"));
    }

    #[test]
    fn failures_are_grouped_by_reason_and_advice_the_largest_group_first() {
        let mut run = RunSummary::starting("https://acme.tulip.co", "/data");
        run.items = vec![
            failed(Kind::StoreFull, None),
            failed(Kind::TooLarge, Some("raise the limit")),
            failed(Kind::TooLarge, Some("raise the limit")),
            ItemSummary::new(ItemOutcome::Stored),
        ];
        run.items.extend((0..60).map(|_| failed(Kind::Api, None)));
        let groups = groups(&run);
        let shown: Vec<_> = groups
            .iter()
            .map(|group| (&*group.kind, group.count))
            .collect();
        assert_eq!(shown, [("api", 60), ("too_large", 2), ("store_full", 1)]);
        assert_eq!((groups[0].rows.len(), groups[0].more), (50, 10));
        assert_eq!(groups[1].what_to_do, "Raise the limit.");
    }
}
