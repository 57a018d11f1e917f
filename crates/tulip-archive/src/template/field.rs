//! The fields of templates.

/// A field of a template, which is replaced with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `{machine}`: the machine's id.
    Machine,
    /// `{machine_name}`: the machine's name, or its id if it has none.
    MachineName,
    /// `{machine_type}`: the name of the machine's type.
    MachineType,
    /// `{job}`: the job's id.
    Job,
    /// `{workspace}`: the workspace's id, or `DEFAULT` if none is set.
    Workspace,
    /// `{date}`: the day on which the export, or its run, started, in UTC, `YYYY-MM-DD`.
    Date,
    /// `{year}`: its year.
    Year,
    /// `{month}`: its month, two digits.
    Month,
    /// `{day}`: its day of the month, two digits.
    Day,
    /// `{time}`: the time at which the export started, in UTC, `HHMMSS`.
    Time,
}

const FIELDS: [(&str, Field); 10] = [
    ("machine", Field::Machine),
    ("machine_name", Field::MachineName),
    ("machine_type", Field::MachineType),
    ("job", Field::Job),
    ("workspace", Field::Workspace),
    ("date", Field::Date),
    ("year", Field::Year),
    ("month", Field::Month),
    ("day", Field::Day),
    ("time", Field::Time),
];

impl Field {
    /// Returns the field with this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        let found = FIELDS.iter().find(|(known, _)| *known == name);
        found.map(|(_, field)| *field)
    }

    /// Lists every field as written in templates, for messages.
    pub(super) fn known() -> String {
        FIELDS.map(|(name, _)| format!("{{{name}}}")).join(", ")
    }

    pub(super) fn name(self) -> &'static str {
        let found = FIELDS.iter().find(|(_, field)| *field == self);
        found.map_or("", |(name, _)| name)
    }
}
