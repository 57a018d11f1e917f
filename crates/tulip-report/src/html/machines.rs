//! Every machine with its bytes and records, and how the records have changed.

use std::collections::HashMap;

use tulip_archive::MachineId;
use tulip_core::format_byte_size;
use tulip_fleet::{ItemSummary, RunSummary};

use super::units;

/// How many bytes of the page the rows may take.
const ROOM: usize = 720_000;

/// The most bytes that a row takes besides its name.
const ROW: usize = 95;

/// How many characters of a name are shown.
const NAME_LENGTH: usize = 40;

/// The rows, and how many more there is no room for.
pub(super) struct Machines {
    pub(super) rows: Vec<Row>,
    pub(super) more: usize,
    /// Whether there are earlier runs to compare with.
    pub(super) has_trend: bool,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) outcome: &'static str,
    pub(super) bytes: String,
    pub(super) records: String,
    pub(super) change: String,
}

/// The machines of a run: failed ones first, then by size.
pub(super) fn machines(run: &RunSummary, earlier: &[RunSummary]) -> Machines {
    let mut before: HashMap<&MachineId, u64> = HashMap::new();
    let mut runs: Vec<_> = earlier.iter().collect();
    runs.sort_by_key(|run| run.started);
    for item in runs.iter().flat_map(|run| &run.items) {
        if let (Some(machine), Some(records)) = (&item.machine, item.records) {
            before.insert(machine, records);
        }
    }
    let mut items: Vec<_> = run.items.iter().collect();
    items.sort_by_key(|item| (item.outcome.is_success(), std::cmp::Reverse(item.bytes)));
    let mut room = ROOM;
    let mut rows = Vec::new();
    for item in &items {
        let row = row(item, &before);
        let taken = ROW + escaped_len(&row.name);
        let Some(left) = room.checked_sub(taken) else {
            break;
        };
        room = left;
        rows.push(row);
    }
    Machines {
        more: items.len() - rows.len(),
        has_trend: !before.is_empty(),
        rows,
    }
}

fn row(item: &ItemSummary, before: &HashMap<&MachineId, u64>) -> Row {
    let earlier = item
        .machine
        .as_ref()
        .and_then(|machine| before.get(machine));
    let change = earlier.zip(item.records);
    Row {
        name: units::shortened(item.name(), NAME_LENGTH),
        outcome: item.outcome.as_str(),
        bytes: item.bytes.map_or_else(String::new, format_byte_size),
        records: item.records.map_or_else(String::new, units::count),
        change: change.map_or_else(String::new, |(before, now)| units::change(now, *before)),
    }
}

/// The length of a text in the page, in bytes.
fn escaped_len(text: &str) -> usize {
    let one = |c: char| match c {
        '&' | '<' | '>' | '"' | '\'' => 5,
        c => c.len_utf8(),
    };
    text.chars().map(one).sum()
}
