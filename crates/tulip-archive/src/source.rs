//! The source of an export.

use std::fmt;

use tulip_core::{JobId, Machine, MachineId};

/// An archive to export: of a job that was started elsewhere, or of a machine, whose job is started
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub(crate) start: Start,
    pub(crate) machine: Option<MachineId>,
    pub(crate) machine_name: Option<String>,
    pub(crate) machine_type: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Start {
    Job(JobId),
    Machine(MachineId),
}

impl Source {
    /// The archive of a job.
    #[must_use]
    pub fn job(job: JobId) -> Self {
        Self {
            start: Start::Job(job),
            machine: None,
            machine_name: None,
            machine_type: None,
        }
    }

    /// A new archive of a machine. Exporting it starts a job; Tulip asks to do so sparingly.
    #[must_use]
    pub fn machine(machine: MachineId) -> Self {
        Self {
            machine: Some(machine.clone()),
            start: Start::Machine(machine),
            machine_name: None,
            machine_type: None,
        }
    }

    /// Adds the machine's id and name, for keys and receipts.
    #[must_use]
    pub fn of_machine(mut self, machine: &Machine) -> Self {
        self.machine = Some(machine.id.clone());
        self.machine_name = Some(machine.name.clone());
        self
    }

    /// Adds the name of the machine's type, for keys and receipts.
    #[must_use]
    pub fn of_type(mut self, name: impl Into<String>) -> Self {
        self.machine_type = Some(name.into());
        self
    }

    /// The job, if it is known before the export.
    #[must_use]
    pub fn known_job(&self) -> Option<&JobId> {
        match &self.start {
            Start::Job(job) => Some(job),
            Start::Machine(_) => None,
        }
    }

    /// The machine's display name, if it is known and not empty.
    #[must_use]
    pub fn machine_name(&self) -> Option<&str> {
        let name = self.machine_name.as_deref()?;
        (!name.trim().is_empty()).then_some(name)
    }

    /// The name of the machine's type, if it is known and not empty.
    #[must_use]
    pub fn machine_type(&self) -> Option<&str> {
        let name = self.machine_type.as_deref()?;
        (!name.trim().is_empty()).then_some(name)
    }

    /// The machine, if it is known.
    #[must_use]
    pub fn known_machine(&self) -> Option<&MachineId> {
        self.machine.as_ref()
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.start, self.machine_name()) {
            (Start::Job(job), _) => write!(f, "job {job}"),
            (Start::Machine(machine), Some(name)) => write!(f, "machine {name:?} ({machine})"),
            (Start::Machine(machine), None) => write!(f, "machine {machine}"),
        }
    }
}
