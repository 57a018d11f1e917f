//! The values of one export.

use tulip_core::{JobId, Timestamp, WorkspaceId};

use super::field::Field;
use crate::Source;

/// The values of one export.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) source: &'a Source,
    pub(crate) job: Option<&'a JobId>,
    pub(crate) workspace: Option<&'a WorkspaceId>,
    pub(crate) dated: Timestamp,
}

impl Values<'_> {
    pub(super) fn get(&self, field: Field) -> Option<String> {
        let machine = self.source.machine.as_ref().map(ToString::to_string);
        let date = self.dated.date();
        let piece = |range| date.get(range).map(str::to_owned);
        match field {
            Field::Machine => machine,
            Field::MachineName => self.source.machine_name().map(str::to_owned).or(machine),
            Field::MachineType => self.source.machine_type.clone(),
            Field::Job => self.job.map(ToString::to_string),
            Field::Workspace => {
                let set = self.workspace.map(ToString::to_string);
                Some(set.unwrap_or_else(|| "DEFAULT".to_owned()))
            }
            Field::Date => Some(date),
            Field::Year => piece(0..4),
            Field::Month => piece(5..7),
            Field::Day => piece(8..10),
            Field::Time => Some(self.dated.compact_time()),
        }
    }
}
