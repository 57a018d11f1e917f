//! The positions of the columns, which are undocumented and differ by machine type.

use super::error::ActivityError;

pub(super) const STATE: &str = "State";
const START: &str = "Start Time";
const END: &str = "End Time";
const REASON: &str = "Downtime Reason";

#[derive(Debug)]
pub(super) struct Columns {
    pub(super) state: usize,
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) reason: Option<usize>,
}

impl Columns {
    /// Finds the columns in a header, ignoring the case of their names.
    pub(super) fn of(header: &[&str]) -> Result<Self, ActivityError> {
        let find = |wanted: &str| {
            let is_it = |name: &&str| {
                name.trim_start_matches('\u{feff}')
                    .eq_ignore_ascii_case(wanted)
            };
            header.iter().position(is_it)
        };
        let needed = |wanted| find(wanted).ok_or(ActivityError::NoColumn(wanted));
        Ok(Self {
            state: needed(STATE)?,
            start: needed(START)?,
            end: needed(END)?,
            reason: find(REASON),
        })
    }
}
